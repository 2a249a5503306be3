//! Letting go of a manifest: first its tags, then its link. Its bytes are left to the garbage collection.

use std::collections::BTreeSet;

use jeroboam_oci::{Digest, Reference, RepositoryName, Tag, layout};

use crate::store::{Result, Store, StoreError};

impl Store {
    /// Lets go of a manifest, and of every tag that points to it. Gives those tags.
    pub async fn delete_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Tag>> {
        self.may_delete()?;
        let unknown = || StoreError::ManifestUnknown(Reference::Digest(digest.clone()));
        let canonical = self.linked_manifest(repository, digest).await?.ok_or_else(unknown)?;
        self.check_protected(repository, &canonical).await?;
        self.remove_manifest(repository, digest).await
    }

    /// The same for those who keep house, whom no switch and no protection stops.
    pub async fn remove_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Tag>> {
        self.may_write()?;
        let unknown = || StoreError::ManifestUnknown(Reference::Digest(digest.clone()));
        let canonical = self.linked_manifest(repository, digest).await?.ok_or_else(unknown)?;
        let candidates = self.tag_candidates(repository, &canonical).await?;
        let current: Vec<String> = candidates.keys().map(|tag| layout::tag_current(repository, tag)).collect();
        // Nobody moves one of them elsewhere between the look and the deletion.
        let _turn = self.turns.of(&current).await;
        let tags = self.pointing_to(repository, &canonical, candidates).await?;
        let mut paths = Vec::new();
        for (tag, below) in &tags {
            // What a tag points to goes before what it once pointed to: a tag without a target is none.
            paths.push(layout::tag_current(repository, tag));
            paths.extend(below.iter().cloned());
        }
        paths.push(layout::revision(repository, &canonical));
        if digest != &canonical {
            paths.push(layout::revision(repository, digest));
        }
        // distribution lets go of the link of a blob, too. A manifest that is one of its own kind keeps its repository known.
        paths.push(layout::layer(repository, &canonical));
        paths.extend(self.referrer_entries(repository, digest, &canonical).await?);
        paths.dedup();
        self.blobs.delete(&paths).await?;
        for path in &paths {
            self.cache.links.forget(path).await;
            self.cache.tags.forget(path).await;
        }
        let tags: Vec<Tag> = tags.into_iter().map(|(tag, _)| tag).collect();
        for tag in &tags {
            self.recent.tag_is(repository, tag, false);
        }
        self.cache.tag_lists.forget(repository).await;
        Ok(tags)
    }

    /// Lets go of a tag. The manifest stays.
    pub async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<Digest> {
        self.may_delete()?;
        self.remove_tag(repository, tag).await
    }

    /// The same for those who keep house.
    pub async fn remove_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<Digest> {
        self.may_write()?;
        let current = layout::tag_current(repository, tag);
        let _turn = self.turns.of(std::slice::from_ref(&current)).await;
        let unknown = || StoreError::ManifestUnknown(Reference::Tag(tag.clone()));
        let target = self.read_tag(repository, tag).await?;
        let mut paths = vec![current];
        paths.extend(self.objects_below(&layout::tag(repository, tag)).await?);
        if let Some(target) = &target {
            paths.push(layout::tag_once(repository, tag, target));
        } else if paths.len() == 1 {
            return Err(unknown());
        }
        let mut seen = BTreeSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        self.blobs.delete(&paths).await?;
        for path in &paths {
            self.cache.tags.forget(path).await;
            self.cache.links.forget(path).await;
        }
        self.recent.tag_is(repository, tag, false);
        self.cache.tag_lists.forget(repository).await;
        // What was left of a tag without a target is gone now, too.
        target.ok_or_else(unknown)
    }
}
