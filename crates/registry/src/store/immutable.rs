//! Tags that are never moved: they point for ever to what they first pointed to.

use bytes::Bytes;
use jeroboam_blobs::{Condition, Written};
use jeroboam_oci::{Digest, RepositoryName, Tag, layout, link};

use super::{Result, Store, StoreError};
use crate::pattern;

impl Store {
    /// Whether a rule says that a tag is never moved.
    pub(super) fn is_immutable(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        self.config.immutable.iter().any(|rule| {
            rule.prefix.covers(repository.as_str())
                && rule.tags.iter().any(|pattern| pattern::matches(pattern, tag.as_str()))
        })
    }

    /// Refuses to move tags that point elsewhere and are never moved. To push the same once more is fine.
    pub(super) async fn check_tags_may_move(
        &self,
        repository: &RepositoryName,
        tags: &[Tag],
        canonical: &Digest,
        bytes: &[u8],
    ) -> Result<()> {
        for tag in tags.iter().filter(|tag| self.is_immutable(repository, tag)) {
            let Some(target) = self.read_tag(repository, tag).await? else { continue };
            let found = self.sorted_by(repository, &target).await?;
            // Where the link from its other digest is gone, or what it leads to, these bytes bring it back.
            let is_same =
                found.map_or_else(|| Digest::of(target.algorithm(), bytes) == target, |found| found == *canonical);
            if !is_same {
                return Err(StoreError::Immutable(tag.clone()));
            }
        }
        Ok(())
    }

    /// Refuses to let go of a manifest with tags that would go with it and are never moved: they could come back as something else.
    pub(super) async fn check_tags_may_go(&self, repository: &RepositoryName, canonical: &Digest) -> Result<()> {
        if !self.config.immutable.iter().any(|rule| rule.prefix.covers(repository.as_str())) {
            return Ok(());
        }
        let mut candidates = self.tag_candidates(repository, canonical).await?;
        candidates.retain(|tag, _| self.is_immutable(repository, tag));
        for tag in candidates.into_keys() {
            let Some(target) = self.read_tag(repository, &tag).await? else { continue };
            if self.is_same(repository, &target, canonical).await? {
                return Err(StoreError::Immutable(tag));
            }
        }
        Ok(())
    }

    /// Writes a tag where there is none, also against others at the same moment, as far as the place can do that. Gives what it points to then.
    pub(super) async fn write_tag_once(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        target: &Digest,
        canonical: &Digest,
    ) -> Result<Digest> {
        let content = Bytes::from(link::content(target));
        let path = layout::tag_current(repository, tag);
        if self.blobs.put(&path, content.clone(), Condition::Absent).await? == Written::Yes {
            return Ok(target.clone());
        }
        match self.read_tag(repository, tag).await? {
            // What was written ahead of it waits for something.
            Some(there) if self.is_same(repository, &there, canonical).await? => {
                if there != *canonical {
                    // It leads from what the tag says to the bytes, and may be gone.
                    self.write_fixed_link(layout::revision(repository, &there), canonical).await?;
                }
                self.write_fixed_link(layout::tag_once(repository, tag, canonical), canonical).await?;
                Ok(there)
            }
            Some(_) => Err(StoreError::Immutable(tag.clone())),
            // A torn one points nowhere.
            None => {
                self.blobs.put(&path, content, Condition::Always).await?;
                Ok(target.clone())
            }
        }
    }
}
