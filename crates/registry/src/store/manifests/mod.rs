//! Manifests of a repository.

mod delete;
mod load;
mod outline;
mod put;

use std::sync::Arc;

use bytes::Bytes;
use jeroboam_blobs::Freshness;
use jeroboam_oci::manifest::Manifest;
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag, layout};

use super::blobs::is_canonical;
use super::{Result, Store, StoreError};

pub use outline::Outline;
pub use put::{NewManifest, Stored, TagCondition};

/// The bytes of a manifest, and what they say.
#[derive(Clone, Debug)]
pub struct StoredManifest {
    /// The digest that the store sorts it by.
    pub canonical: Digest,
    /// Exactly what was pushed.
    pub bytes: Bytes,
    /// Its type.
    pub media_type: Arc<str>,
    /// What it says; nothing of a form that this registry does not know or does not understand, which is served as it is.
    pub manifest: Option<Manifest>,
}

/// A manifest, as it was asked for.
#[derive(Clone, Debug)]
pub struct ManifestView {
    /// Its digest in the algorithm that the client used; asked for by a tag, in the one that the tag was pushed with.
    pub digest: Digest,
    /// The manifest.
    pub stored: Arc<StoredManifest>,
}

impl Store {
    /// Finds a manifest.
    pub async fn find_manifest(&self, repository: &RepositoryName, reference: &Reference) -> Result<ManifestView> {
        let unknown = || StoreError::ManifestUnknown(reference.clone());
        let (digest, canonical) = match reference {
            Reference::Tag(tag) => {
                let target = self.tag_name(repository, tag).await?.ok_or_else(unknown)?;
                let canonical = self.sorted_by(repository, &target).await?.ok_or_else(unknown)?;
                (target, canonical)
            }
            Reference::Digest(digest) => {
                let canonical = self.linked_manifest(repository, digest).await?.ok_or_else(unknown)?;
                (digest.clone(), canonical)
            }
        };
        let stored = self.load_manifest(&canonical).await?.ok_or_else(unknown)?;
        if stored.manifest.is_none() && !self.is_taken_for_one(repository, reference).await? {
            return Err(unknown());
        }
        Ok(ManifestView { digest, stored })
    }

    /// Whether what nobody understands was once taken for a manifest: anybody can push anything as a blob.
    async fn is_taken_for_one(&self, repository: &RepositoryName, reference: &Reference) -> Result<bool> {
        match reference {
            Reference::Tag(_) => Ok(true),
            Reference::Digest(digest) => Ok(self.linked_revision(repository, digest).await?.is_some()),
        }
    }

    /// Makes a manifest that was found stay for the grace time, for a client that does not push it because it is there.
    pub async fn promise_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        match self.promised_manifest(repository, digest).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::ManifestUnknown(Reference::Digest(digest.clone()))),
        }
    }

    /// What a tag points to, by the digest that the store sorts it by; `None` where there is no such tag.
    pub async fn tag_target(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>> {
        match self.tag_name(repository, tag).await? {
            Some(name) => self.sorted_by(repository, &name).await,
            None => Ok(None),
        }
    }

    /// The same by the digest that it was pushed under.
    pub(crate) async fn tag_name(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>> {
        let path = layout::tag_current(repository, tag);
        if let Some(digest) = self.cache.tags.get(&path).await {
            return Ok(Some(digest));
        }
        let before = self.cache.tags.before(&path);
        let Some((digest, note)) = self.read_link_noted(&path, Freshness::Newest).await? else { return Ok(None) };
        if let Some(outline) = note.and_then(|note| Outline::read(&note)) {
            self.cache.outlines.insert(digest.clone(), outline);
        }
        self.cache.tags.learn(before, path, digest.clone()).await;
        Ok(Some(digest))
    }

    /// The manifest that a repository has under this digest. Old stores have some that are linked only as blobs are; what is larger than a manifest may be is
    /// none of them.
    pub(crate) async fn linked_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Digest>> {
        if let Some(canonical) = self.linked_revision(repository, digest).await? {
            return Ok(Some(canonical));
        }
        let Some(canonical) = self.linked_blob(repository, digest).await? else { return Ok(None) };
        let size = self.size_of(&canonical).await?;
        Ok(size.filter(|size| *size <= self.config.manifest_limit).map(|_| canonical))
    }

    pub(super) async fn linked_revision(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Digest>> {
        let Some(canonical) = self.fixed_link(layout::revision(repository, digest)).await? else { return Ok(None) };
        if canonical == *digest {
            return Ok(Some(canonical));
        }
        // Under another name of the same bytes: it is there as long as the bytes are under their own.
        let own = self.fixed_link(layout::revision(repository, &canonical)).await?;
        Ok(own.filter(|own| *own == canonical))
    }

    /// The manifest that a repository has under this digest, and its size; it stays for the grace time.
    pub(super) async fn promised_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<(Digest, u64)>> {
        let Some(canonical) = self.linked_manifest(repository, digest).await? else { return Ok(None) };
        let held = self.promise(repository, &canonical).await?;
        if self.is_collected_from(held) {
            // Old stores have some that are linked only as blobs are.
            let linked = self.is_linked_as(repository, digest, &canonical, layout::revision).await?
                || self.is_linked_as(repository, digest, &canonical, layout::layer).await?;
            if !linked {
                return Ok(None);
            }
        }
        Ok(self.size_since(held, &canonical).await?.map(|size| (canonical, size)))
    }
}

/// The digest that the store sorts these bytes by, and whether the client's names them.
fn canonical_of(digest: &Digest, bytes: &[u8]) -> Result<Digest> {
    let found = Digest::of(digest.algorithm(), bytes);
    if found != *digest {
        return Err(StoreError::DigestMismatch { expected: digest.clone(), found });
    }
    Ok(if is_canonical(digest) { found } else { Digest::sha256(bytes) })
}
