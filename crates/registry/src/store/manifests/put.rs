//! The push of a manifest: what it names is there, then its bytes, what it is about, its link, and at last its tags.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use jeroboam_blobs::Freshness;
use jeroboam_oci::manifest::{Manifest, Named, Role};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag, layout};

use super::{Outline, StoredManifest, canonical_of};
use crate::config::Children;
use crate::store::quota::Link;
use crate::store::{Result, Store, StoreError};

/// How many of what a manifest names are looked for at once.
const AT_ONCE: usize = 16;

/// A manifest that a client pushes.
#[derive(Clone, Debug)]
pub struct NewManifest {
    /// What it is pushed as.
    pub reference: Reference,
    /// Tags that it gets besides.
    pub tags: Vec<Tag>,
    /// What its client calls its type.
    pub content_type: Option<String>,
    /// What the tag has to point to before.
    pub condition: TagCondition,
    /// The manifest.
    pub bytes: Bytes,
}

/// On what condition a tag is moved or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TagCondition {
    /// In any case.
    #[default]
    Always,
    /// Only where there is no such tag.
    Absent,
    /// Only where it points to one of these.
    PointsTo(Vec<Digest>),
    /// Only where it points to something.
    Present,
}

impl TagCondition {
    fn holds(&self, target: Option<&Digest>) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => target.is_none(),
            Self::PointsTo(digests) => target.is_some_and(|target| digests.contains(target)),
            Self::Present => target.is_some(),
        }
    }
}

/// A manifest that was pushed.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its digest in the algorithm that the client used.
    pub digest: Digest,
    /// The digest that the store sorts it by.
    pub canonical: Digest,
    /// What it says.
    pub manifest: Manifest,
    /// So many bytes.
    pub size: u64,
    /// The tags that point to it now.
    pub tags: Vec<Tag>,
}

impl Store {
    /// Takes a manifest.
    pub async fn put_manifest(&self, repository: &RepositoryName, new: NewManifest) -> Result<Stored> {
        self.may_write()?;
        let size = new.bytes.len() as u64;
        if size > self.config().manifest_limit {
            return Err(StoreError::ManifestTooLarge(self.config().manifest_limit));
        }
        let (digest, canonical) = match &new.reference {
            Reference::Digest(digest) => (digest.clone(), canonical_of(digest, &new.bytes)?),
            Reference::Tag(_) => {
                let digest = Digest::sha256(&new.bytes);
                (digest.clone(), digest)
            }
        };
        let manifest = Manifest::pushed(&new.bytes, new.content_type.as_deref())
            .map_err(|why| StoreError::ManifestInvalid(format!("the manifest is not taken: {why}")))?;
        self.check_addresses(&manifest)?;
        self.check_references(repository, &manifest).await?;

        let mut tags = new.tags;
        if let Reference::Tag(tag) = &new.reference {
            tags.insert(0, tag.clone());
        }
        // One after the other: who asked for a condition wants to know what the tag points to when it is moved.
        let paths: Vec<String> = tags.iter().map(|tag| layout::tag_current(repository, tag)).collect();
        let _revision = self.revision_turn(repository, &canonical).await?;
        let _turn = self.turns.of(&paths).await?;
        self.check_push(repository, &new.reference, &tags, &new.condition).await?;
        self.check_tags_may_move(repository, &tags, &canonical, &new.bytes).await?;
        let mut room = self.quotas.room(repository).await?;
        room.blob(&canonical, size).await?;
        for tag in &tags {
            room.tag(repository, tag).await?;
        }
        self.store_small(repository, &canonical, new.bytes.clone()).await?;
        self.link_manifest(repository, &digest, &canonical, size, &manifest, !tags.is_empty()).await?;
        // A reader goes by what the bytes alone say; here the header of the push had a say.
        let reads_so = Manifest::stored(&new.bytes).is_ok_and(|read| read.media_type == manifest.media_type);
        let note = reads_so.then(|| Outline::note(size, &manifest));
        for tag in &tags {
            self.point_tag(repository, tag, &digest, &canonical, note.as_deref()).await?;
        }
        if reads_so {
            self.remember(&canonical, new.bytes, &manifest).await;
        }
        Ok(Stored { digest, canonical, manifest, size, tags })
    }

    /// Takes a manifest of another registry that this one is a cache of: what it names comes when somebody asks for it.
    pub async fn adopt_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        media_type: &str,
        bytes: Bytes,
        tag: Option<&Tag>,
    ) -> Result<()> {
        self.may_write()?;
        let canonical = canonical_of(digest, &bytes)?;
        let size = bytes.len() as u64;
        let invalid = |why: String| StoreError::ManifestInvalid(format!("the manifest is not taken: {why}"));
        let manifest = Manifest::stored(&bytes).map_err(|why| invalid(why.to_string()))?;
        // What says nothing of its type would be given under another one than it has there.
        if !media_type.is_empty() && manifest.media_type.as_str() != media_type {
            let said = manifest.media_type;
            return Err(invalid(format!("it is {said}, and the other registry says {media_type}")));
        }
        let paths: Vec<String> = tag.iter().map(|tag| layout::tag_current(repository, tag)).collect();
        let _revision = self.revision_turn(repository, &canonical).await?;
        let _turn = self.turns.of(&paths).await?;
        let mut room = self.quotas.room(repository).await?;
        room.blob(&canonical, size).await?;
        if let Some(tag) = tag {
            room.tag(repository, tag).await?;
        }
        self.store_small(repository, &canonical, bytes.clone()).await?;
        // distribution knows a repository by its blobs alone, and here may be none for a while.
        self.link_blob(repository, &canonical, &canonical, size).await?;
        self.link_manifest(repository, digest, &canonical, size, &manifest, tag.is_some()).await?;
        if let Some(tag) = tag {
            self.point_tag(repository, tag, digest, &canonical, Some(&Outline::note(size, &manifest))).await?;
        }
        self.remember(&canonical, bytes, &manifest).await;
        Ok(())
    }

    /// Moves a tag to a manifest that the repository has under this digest.
    pub(crate) async fn point_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        target: &Digest,
        canonical: &Digest,
        note: Option<&str>,
    ) -> Result<()> {
        self.write_link(layout::tag_once(repository, tag, canonical), canonical, true).await?;
        self.write_tag(repository, tag, target, canonical, note).await
    }

    /// Links a manifest whose bytes are there. Where a tag follows, what it waits for brings this, too.
    async fn link_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        canonical: &Digest,
        size: u64,
        manifest: &Manifest,
        tag_follows: bool,
    ) -> Result<()> {
        // distribution knows a repository by its blobs alone, and collects the manifests of one that has none.
        let names_something_here = manifest.references.iter().any(|named| !named.is_elsewhere());
        let sparse_index = self.config().children != Children::All && manifest.blobs().next().is_none();
        if !names_something_here || sparse_index || self.config().sparse_images {
            self.write_link(layout::layer(repository, canonical), canonical, true).await?;
            self.quotas.linked(repository, Link::Layer, canonical, size);
        }
        // Before its links: whoever finds the manifest by its digest need not push it again, and nobody would write this down then. Lists leave out
        // what has no link yet.
        self.index_referrer(repository, digest, size, manifest).await?;
        let followed = tag_follows || digest != canonical;
        self.write_link(layout::revision(repository, canonical), canonical, followed).await?;
        self.quotas.linked(repository, Link::Revision, canonical, size);
        if digest != canonical {
            self.write_link(layout::revision(repository, digest), canonical, tag_follows).await?;
        }
        // Another process may have let go of it in between, and taken what was written down before the link.
        if let Some(subject) = &manifest.subject {
            let entry = layout::referrer(repository, &subject.digest, digest);
            if self.blobs.head(&entry, Freshness::Newest).await?.is_none() {
                self.index_referrer(repository, digest, size, manifest).await?;
            }
        }
        self.recent.repository_is(repository);
        Ok(())
    }

    /// Keeps a manifest that whoever reads its bytes takes for the same.
    async fn remember(&self, canonical: &Digest, bytes: Bytes, manifest: &Manifest) {
        let stored = StoredManifest {
            canonical: canonical.clone(),
            bytes,
            media_type: manifest.media_type.as_str().into(),
            manifest: Some(manifest.clone()),
        };
        self.cache.manifests.insert(canonical.clone(), stored.into()).await;
    }

    /// A condition is about the tag of the path; where that has a digest, about the tags that the manifest gets, or itself where it gets none.
    async fn check_push(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        tags: &[Tag],
        condition: &TagCondition,
    ) -> Result<()> {
        if matches!(reference, Reference::Tag(_)) || tags.is_empty() {
            return self.check_condition(repository, reference, condition).await;
        }
        for tag in tags {
            self.check_condition(repository, &Reference::Tag(tag.clone()), condition).await?;
        }
        Ok(())
    }

    pub(super) async fn check_condition(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        condition: &TagCondition,
    ) -> Result<()> {
        if *condition == TagCondition::Always {
            return Ok(());
        }
        let target = match reference {
            Reference::Tag(tag) => self.read_tag(repository, tag).await?,
            Reference::Digest(digest) => self.linked_manifest(repository, digest).await?,
        };
        if self.holds(repository, condition, target.as_ref()).await? {
            Ok(())
        } else {
            Err(StoreError::ConditionFailed)
        }
    }

    /// Whether a condition holds. A manifest with two digests may be meant by either.
    pub(super) async fn holds(
        &self,
        repository: &RepositoryName,
        condition: &TagCondition,
        target: Option<&Digest>,
    ) -> Result<bool> {
        match (condition, target) {
            (TagCondition::PointsTo(digests), Some(target)) if !digests.contains(target) => {
                let Some(own) = self.sorted_by(repository, target).await? else { return Ok(false) };
                for digest in digests {
                    if self.sorted_by(repository, digest).await?.as_ref() == Some(&own) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(condition.holds(target)),
        }
    }

    /// Looks at where a manifest says that something is had from elsewhere.
    fn check_addresses(&self, manifest: &Manifest) -> Result<()> {
        for address in manifest.references.iter().flat_map(|named| &named.descriptor.urls) {
            self.config().elsewhere.check(address).map_err(|why| {
                StoreError::ManifestInvalid(format!("the manifest is not taken: its address {address:?} {why}"))
            })?;
        }
        Ok(())
    }

    /// Looks for all that a manifest names, and says of all that is missing.
    async fn check_references(&self, repository: &RepositoryName, manifest: &Manifest) -> Result<()> {
        let children = &self.config().children;
        let is_needed = |named: &&Named| match named.role {
            Role::Child => children.have_to_be_there(named.descriptor.platform.as_ref()),
            Role::Config | Role::Layer => !named.is_elsewhere(),
        };
        let wanted = manifest.references.iter().filter(is_needed);
        let wanted: BTreeSet<(Digest, u64, bool)> = wanted
            .map(|named| (named.descriptor.digest.clone(), named.descriptor.size, named.role == Role::Child))
            .collect();
        let looked = stream::iter(wanted).map(|(digest, size, is_manifest)| async move {
            let there = self.has(repository, &digest, size, is_manifest).await?;
            Ok::<_, StoreError>((!there).then_some(digest))
        });
        let looked: Vec<Option<Digest>> = looked.buffered(AT_ONCE).try_collect().await?;
        let mut missing: Vec<Digest> = looked.into_iter().flatten().collect();
        missing.dedup();
        if missing.is_empty() { Ok(()) } else { Err(StoreError::ReferencesUnknown(missing)) }
    }

    /// Whether the repository has something, and of this size; then it stays for the grace time. What an image may lack counts as there.
    async fn has(&self, repository: &RepositoryName, digest: &Digest, size: u64, is_manifest: bool) -> Result<bool> {
        let found = if is_manifest {
            self.promised_manifest(repository, digest).await?
        } else {
            self.promised_blob(repository, digest).await?
        };
        let may_be_missing = !is_manifest && self.config().sparse_images;
        Ok(found.map_or(may_be_missing, |(_, there)| there == size))
    }
}
