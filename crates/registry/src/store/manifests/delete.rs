//! Letting go of a manifest: first its tags, then what they once pointed to, then its links, then what the index of referrers has of it, one after the other: a
//! place removes what it is given at once in any order, and where it fails in between, whoever asks again goes on. Its bytes are left to the garbage collection.

use std::collections::BTreeSet;
use std::sync::Arc;

use jeroboam_blobs::Freshness;
use jeroboam_model::Timestamp;
use jeroboam_oci::{Algorithm, Digest, Reference, RepositoryName, Tag, layout};

use super::{StoredManifest, TagCondition};
use crate::store::quota::Link;
use crate::store::{Result, Store, StoreError};

impl Store {
    /// Lets go of a manifest, and of every tag that points to it. Gives those tags.
    pub async fn delete_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Tag>> {
        self.may_delete()?;
        let canonical = self.manifest_to_go(repository, digest).await?;
        self.check_protected(repository, &canonical).await?;
        self.check_tags_may_go(repository, &canonical).await?;
        self.remove_manifest(repository, digest).await
    }

    /// The same for those who keep house, whom no switch and no protection stops.
    pub async fn remove_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Tag>> {
        let tags = self.let_go(repository, digest, None).await?;
        Ok(tags.unwrap_or_default())
    }

    /// Lets go of a manifest that no tag points to, and that nobody has pushed since `before`. `false`: it is not so any more, or somebody relies on it.
    pub async fn remove_untagged(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        before: Timestamp,
    ) -> Result<bool> {
        Ok(self.let_go(repository, digest, Some(before)).await?.is_some())
    }

    /// Gives the tags that went; `None` where it stays. `unless_since` is for manifests that nobody tagged or pushed since then.
    async fn let_go(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        unless_since: Option<Timestamp>,
    ) -> Result<Option<Vec<Tag>>> {
        self.may_write()?;
        let canonical = self.manifest_to_go(repository, digest).await?;
        // Who pushes it again, under whatever tag, comes before all of this or after.
        let _revision = self.revision_turn(repository, &canonical).await?;
        let candidates = self.tag_candidates(repository, &canonical).await?;
        let current: Vec<String> = candidates.keys().map(|tag| layout::tag_current(repository, tag)).collect();
        // Nobody moves one of them elsewhere between the look and the deletion.
        let _turn = self.turns.of(&current).await?;
        // Tags that were moved on say that they once pointed to it: that would keep its bytes for as long as there are such tags.
        let mut once: BTreeSet<String> =
            candidates.keys().map(|tag| layout::tag_once(repository, tag, &canonical)).collect();
        let tags = self.pointing_to(repository, &canonical, candidates).await?;
        if let Some(since) = unless_since
            && self.is_wanted(repository, &canonical, &tags, since).await?
        {
            return Ok(None);
        }
        // What a tag points to goes before what it once pointed to: a tag without a target is none, and one without a past would be found by nobody.
        self.delete_links(tags.iter().map(|(tag, _)| layout::tag_current(repository, tag)).collect()).await?;
        once.extend(tags.iter().flat_map(|(_, below)| below.iter().cloned()));
        self.delete_links(once.into_iter().collect()).await?;
        let stored = self.readable_manifest(&canonical).await?;
        let named = names(digest, &canonical, stored.as_deref());
        let mut paths: Vec<String> = named.iter().map(|named| layout::revision(repository, named)).collect();
        // distribution lets go of the link of a blob, too. A manifest that is one of its own kind keeps its repository known.
        paths.push(layout::layer(repository, &canonical));
        self.delete_links(paths).await?;
        if let Some(stored) = &stored {
            self.forget_referrer(repository, &named, stored).await?;
        }
        let tags: Vec<Tag> = tags.into_iter().map(|(tag, _)| tag).collect();
        for tag in &tags {
            self.recent.tag_is(repository, tag, false);
            self.quotas.untagged(repository, tag);
        }
        self.quotas.unlinked(repository, Link::Revision, &canonical);
        self.quotas.unlinked(repository, Link::Layer, &canonical);
        self.cache.tag_lists.forget(repository).await;
        Ok(Some(tags))
    }

    /// The manifest that is to go. What is linked as blobs are is one only where it is read as one: else it is a blob, which goes as blobs do.
    async fn manifest_to_go(&self, repository: &RepositoryName, digest: &Digest) -> Result<Digest> {
        if let Some(canonical) = self.linked_revision(repository, digest).await? {
            return Ok(canonical);
        }
        let reference = Reference::Digest(digest.clone());
        match self.find_manifest(repository, &reference).await {
            Ok(found) => Ok(found.stored.canonical.clone()),
            // Nobody can tell what it was: an earlier deletion may have taken its other link.
            Err(error @ StoreError::Damaged { .. }) => self.linked_manifest(repository, digest).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// Removes what the index says of a manifest, whose links are gone: one with a link that the index does not have would be pulled and never listed.
    async fn forget_referrer(
        &self,
        repository: &RepositoryName,
        named: &BTreeSet<Digest>,
        stored: &StoredManifest,
    ) -> Result<()> {
        let Some(manifest) = &stored.manifest else { return Ok(()) };
        let Some(subject) = &manifest.subject else { return Ok(()) };
        let entries = named.iter().map(|named| layout::referrer(repository, &subject.digest, named)).collect();
        self.delete_links(entries).await?;
        // Another process may have pushed it again meanwhile, and found its entry before that went.
        let link = layout::revision(repository, &stored.canonical);
        if self.blobs.head(&link, Freshness::Newest).await?.is_some() {
            self.index_referrer(repository, &stored.canonical, stored.bytes.len() as u64, manifest).await?;
        }
        Ok(())
    }

    /// Whether a manifest has a tag, was pushed since a moment, or was promised to a client by this process.
    async fn is_wanted(
        &self,
        repository: &RepositoryName,
        canonical: &Digest,
        tags: &[(Tag, Vec<String>)],
        since: Timestamp,
    ) -> Result<bool> {
        for (tag, _) in tags {
            if self.read_tag(repository, tag).await?.is_some() {
                return Ok(true);
            }
        }
        // Every push of it writes its link, also one by another process that this one has not heard of.
        let link = self.blobs.head(&layout::revision(repository, canonical), Freshness::Newest).await?;
        let pushed = link.and_then(|link| link.modified).is_some_and(|modified| modified > since);
        Ok(pushed || self.leases.holds(repository, canonical))
    }

    /// Refuses what would be refused, before anything is written down of it.
    pub(crate) async fn check_delete(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        condition: &TagCondition,
    ) -> Result<()> {
        self.may_delete()?;
        if let Reference::Tag(tag) = reference {
            self.check_tag_may_go(repository, tag).await?;
        }
        self.check_condition(repository, reference, condition).await
    }

    /// Refuses to let go of a tag that is never moved: it could come back as something else.
    async fn check_tag_may_go(&self, repository: &RepositoryName, tag: &Tag) -> Result<()> {
        if self.is_immutable(repository, tag) && self.read_tag(repository, tag).await?.is_some() {
            return Err(StoreError::Immutable(tag.clone()));
        }
        Ok(())
    }

    /// Lets go of a tag, if the condition holds. The manifest stays.
    pub async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag, condition: &TagCondition) -> Result<Digest> {
        self.may_delete()?;
        self.check_tag_may_go(repository, tag).await?;
        let target = self.let_go_of_tag(repository, tag, condition).await?;
        // What was left of a tag without a target is gone now, too.
        target.ok_or_else(|| StoreError::ManifestUnknown(Reference::Tag(tag.clone())))
    }

    /// Lets go of a tag if it still points there. `false`: somebody moved it, and it is another one.
    pub async fn remove_tag_from(&self, repository: &RepositoryName, tag: &Tag, target: &Digest) -> Result<bool> {
        match self.let_go_of_tag(repository, tag, &TagCondition::PointsTo(vec![target.clone()])).await {
            Err(StoreError::ConditionFailed) => Ok(false),
            outcome => outcome.map(|_| true),
        }
    }

    /// Gives what it pointed to.
    async fn let_go_of_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        condition: &TagCondition,
    ) -> Result<Option<Digest>> {
        self.may_write()?;
        let current = layout::tag_current(repository, tag);
        let _turn = self.turns.of(std::slice::from_ref(&current)).await?;
        let unknown = || StoreError::ManifestUnknown(Reference::Tag(tag.clone()));
        let target = self.read_tag(repository, tag).await?;
        if !self.holds(repository, condition, target.as_ref()).await? {
            return Err(StoreError::ConditionFailed);
        }
        let mut rest: BTreeSet<String> = self.objects_below(&layout::tag(repository, tag)).await?.into_iter().collect();
        if let Some(target) = &target {
            let canonical = self.sorted_by(repository, target).await?;
            rest.extend(canonical.map(|canonical| layout::tag_once(repository, tag, &canonical)));
        } else if rest.is_empty() {
            return Err(unknown());
        }
        rest.remove(&current);
        self.delete_links(vec![current]).await?;
        self.delete_links(rest.into_iter().collect()).await?;
        self.recent.tag_is(repository, tag, false);
        self.quotas.untagged(repository, tag);
        self.cache.tag_lists.forget(repository).await;
        Ok(target)
    }

    /// The manifest that the store sorts by this digest, unless it is damaged: what cannot be read can still be let go of.
    pub(in crate::store) async fn readable_manifest(&self, canonical: &Digest) -> Result<Option<Arc<StoredManifest>>> {
        match self.load_manifest(canonical).await {
            Err(StoreError::Damaged { .. }) => Ok(None),
            loaded => loaded,
        }
    }
}

/// All that a manifest may be called here: a link under another algorithm goes with the others, whoever asked, as what is left would keep its bytes.
fn names(digest: &Digest, canonical: &Digest, stored: Option<&StoredManifest>) -> BTreeSet<Digest> {
    let other = stored.map(|stored| Digest::of(Algorithm::Sha512, &stored.bytes));
    [Some(digest.clone()), Some(canonical.clone()), other].into_iter().flatten().collect()
}
