//! Blobs of a repository: whether they are there, their bytes, taking them from another repository, letting go of them.

use std::ops::Range;
use std::time::Duration;

use jeroboam_blobs::{ByteStream, Freshness};
use jeroboam_oci::{Algorithm, Digest, RepositoryName, layout};

use super::quota::Link;
use super::{Compat, Result, Store, StoreError};
use crate::leases::Held;

/// A blob of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobView {
    /// The digest that it was asked for by.
    pub digest: Digest,
    /// The digest that the store sorts it by.
    pub canonical: Digest,
    /// So many bytes.
    pub size: u64,
}

impl Store {
    /// Finds a blob for somebody who wants to read it.
    pub async fn find_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<BlobView> {
        let unknown = || StoreError::BlobUnknown(digest.clone());
        let canonical = self.linked_blob(repository, digest).await?.ok_or_else(unknown)?;
        let size = self.size_of(&canonical).await?.ok_or_else(unknown)?;
        Ok(BlobView { digest: digest.clone(), canonical, size })
    }

    /// Finds a blob for somebody who may rely on it: a client that does not push it because it is there. It stays for the grace time.
    pub async fn promise_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<BlobView> {
        let found = self.promised_blob(repository, digest).await?;
        let (canonical, size) = found.ok_or_else(|| StoreError::BlobUnknown(digest.clone()))?;
        Ok(BlobView { digest: digest.clone(), canonical, size })
    }

    /// The bytes of a blob, or a part of them.
    pub async fn open_blob(&self, blob: &BlobView, range: Option<Range<u64>>) -> Result<ByteStream> {
        let path = layout::blob(&blob.canonical);
        let whole = range.is_none();
        let object = self.blobs.read(&path, range, Freshness::Any).await?;
        match object {
            Some(object) if object.meta.size == blob.size => {
                Ok(if whole { self.sampled(&blob.canonical, object.body) } else { object.body })
            }
            _ => {
                // What we remembered is no longer so.
                self.cache.sizes.forget(&blob.canonical).await;
                Err(StoreError::BlobUnknown(blob.digest.clone()))
            }
        }
    }

    /// Finds a blob and opens all of it at once, which saves a request.
    pub async fn read_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<(BlobView, ByteStream)> {
        let unknown = || StoreError::BlobUnknown(digest.clone());
        let canonical = self.linked_blob(repository, digest).await?.ok_or_else(unknown)?;
        let before = self.cache.sizes.before(&canonical);
        let object = self.blobs.read(&layout::blob(&canonical), None, Freshness::Any).await?;
        let Some(object) = object.filter(|object| is_whole(&canonical, object.meta.size)) else {
            self.cache.sizes.forget(&canonical).await;
            return Err(unknown());
        };
        self.cache.sizes.learn(before, canonical.clone(), object.meta.size).await;
        let body = self.sampled(&canonical, object.body);
        Ok((BlobView { digest: digest.clone(), canonical, size: object.meta.size }, body))
    }

    /// An address from which anybody can read the blob for so long; `None` where the store gives none.
    pub async fn presign_blob(&self, blob: &BlobView, lifetime: Duration) -> Result<Option<String>> {
        // What was wrong once is looked at on its way, and so it has to come through us.
        if self.suspects.are_doubted(&blob.canonical) {
            return Ok(None);
        }
        Ok(self.blobs.presign(&layout::blob(&blob.canonical), lifetime).await?)
    }

    /// Takes a blob into a repository from another one that has it; `None` where that has none. Whoever asks may read from there.
    pub async fn mount_blob(
        &self,
        repository: &RepositoryName,
        from: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<BlobView>> {
        self.may_write()?;
        let Some(canonical) = self.linked_blob(from, digest).await? else { return Ok(None) };
        let held = self.promise(repository, &canonical).await?;
        let Some(size) = self.size_since(held, &canonical).await? else { return Ok(None) };
        let mut room = self.quotas.room(repository).await?;
        room.blob(&canonical, size).await?;
        self.link_blob(repository, digest, &canonical, size).await?;
        Ok(Some(BlobView { digest: digest.clone(), canonical, size }))
    }

    /// Repositories that this process has lately given a blob to. Whether whoever asks may read from there is another question.
    #[must_use]
    pub fn seen_in(&self, digest: &Digest) -> Vec<RepositoryName> {
        self.sightings.of(digest)
    }

    /// Lets go of a blob. Its bytes stay for other repositories, and for the garbage collection.
    pub async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.may_delete()?;
        self.remove_blob(repository, digest).await
    }

    /// The same for those who keep house, whom no switch stops.
    pub async fn remove_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.may_write()?;
        let canonical = self.linked_blob(repository, digest).await?;
        let canonical = canonical.ok_or_else(|| StoreError::BlobUnknown(digest.clone()))?;
        let mut paths = vec![layout::layer(repository, digest)];
        if canonical != *digest {
            paths.push(layout::layer(repository, &canonical));
        }
        // Where this fails half way nobody knows what is gone: what is counted for quotas comes right with the next count, and nobody is refused before it.
        self.delete_links(paths).await?;
        self.quotas.unlinked(repository, Link::Layer, &canonical);
        Ok(())
    }

    /// Forgets what is remembered of blobs that were taken away from below.
    pub async fn forget_blobs(&self, digests: &[Digest]) {
        for digest in digests {
            self.cache.sizes.forget(digest).await;
        }
    }

    /// Links a blob into a repository under its own digest, and under the one that the client uses.
    pub(super) async fn link_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        canonical: &Digest,
        size: u64,
    ) -> Result<()> {
        self.write_fixed_link(layout::layer(repository, canonical), canonical).await?;
        self.quotas.linked(repository, Link::Layer, canonical, size);
        if digest != canonical {
            self.write_fixed_link(layout::layer(repository, digest), canonical).await?;
        }
        self.suspects.remove(canonical);
        self.sightings.note(digest, repository);
        self.recent.repository_is(repository);
        Ok(())
    }

    /// The size of the blob that the store sorts by this digest; `None` where there is none.
    pub(super) async fn size_of(&self, canonical: &Digest) -> Result<Option<u64>> {
        match self.cache.sizes.get(canonical).await {
            Some(size) if !self.suspects.contains(canonical) => Ok(Some(size)),
            _ => self.look_for_as(canonical, Freshness::Any).await,
        }
    }

    /// The size as the store has it now, for somebody who has promised that it stays and does not write it where it is there: a disk before the store that still
    /// has it is no answer, nor is a replica where things are collected.
    pub(super) async fn look_for_promised(&self, canonical: &Digest) -> Result<Option<u64>> {
        let alone = self.config.compat == Compat::Exclusive;
        self.look_for_as(canonical, if alone { Freshness::Newest } else { Freshness::Stored }).await
    }

    async fn look_for_as(&self, canonical: &Digest, freshness: Freshness) -> Result<Option<u64>> {
        // What is there is not the blob.
        if self.suspects.contains(canonical) {
            return Ok(None);
        }
        let before = self.cache.sizes.before(canonical);
        let meta = self.blobs.head(&layout::blob(canonical), freshness).await?;
        let Some(meta) = meta.filter(|meta| is_whole(canonical, meta.size)) else {
            self.cache.sizes.forget(canonical).await;
            return Ok(None);
        };
        self.cache.sizes.learn(before, canonical.clone(), meta.size).await;
        Ok(Some(meta.size))
    }

    /// The blob that a repository has under this digest, and its size; it stays for the grace time.
    pub(super) async fn promised_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<(Digest, u64)>> {
        let Some(canonical) = self.linked_blob(repository, digest).await? else { return Ok(None) };
        let held = self.promise(repository, &canonical).await?;
        if self.is_collected_from(held) && !self.is_linked_as(repository, digest, &canonical, layout::layer).await? {
            return Ok(None);
        }
        Ok(self.size_since(held, &canonical).await?.map(|size| (canonical, size)))
    }

    /// Whether a repository has a link under a digest, and under the one that the store sorts by, as the store has them now. `path` says where links are.
    pub(super) async fn is_linked_as(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        canonical: &Digest,
        path: fn(&RepositoryName, &Digest) -> String,
    ) -> Result<bool> {
        if digest != canonical && self.newest_link(path(repository, digest)).await?.as_ref() != Some(canonical) {
            return Ok(false);
        }
        Ok(self.newest_link(path(repository, canonical)).await?.as_ref() == Some(canonical))
    }

    /// Whether what was seen before a promise says nothing after it: something may have been collected in between. Nothing is where distribution may be
    /// writing.
    pub(super) fn is_collected_from(&self, held: Held) -> bool {
        held == Held::Anew && self.config.compat == Compat::Exclusive
    }

    /// The size of a blob, looked for since the promise that it stays.
    pub(super) async fn size_since(&self, held: Held, canonical: &Digest) -> Result<Option<u64>> {
        if held == Held::Already
            && !self.suspects.contains(canonical)
            && let Some(size) = self.cache.sizes.get(canonical).await
        {
            return Ok(Some(size));
        }
        self.look_for_promised(canonical).await
    }

    /// Promises that a blob stays. What was remembered of it from before says nothing after that, also where nobody looks at once: it may have been collected, and
    /// whoever finds the promise made already believes what is remembered.
    pub(super) async fn promise(&self, repository: &RepositoryName, canonical: &Digest) -> Result<Held> {
        let held = self.leases.promise(repository, canonical).await?;
        if self.is_collected_from(held) {
            self.cache.sizes.forget(canonical).await;
        }
        Ok(held)
    }
}

/// Whether an object may be this blob. One without bytes is what is left of a large object whose segments are gone, unless it is to have none.
pub(super) fn is_whole(digest: &Digest, size: u64) -> bool {
    size > 0 || *digest == Digest::of(digest.algorithm(), b"")
}

/// Whether the store sorts by digests of this kind.
pub(super) fn is_canonical(digest: &Digest) -> bool {
    digest.algorithm() == Algorithm::Sha256
}
