//! Places that have images, and what is asked of them: another registry, or our own store.
//!
//! Copies, replication and bundles know only this.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use jeroboam_oci::manifest::Descriptor;
use jeroboam_oci::{Algorithm, Digest, Reference, RepositoryName, Tag};

use crate::client::{BlobStream, ClientError, Head, Pushed, PutCondition, RawManifest, Remote, Result, Source, Stamp};
use crate::store::{BodyError, ManifestView, NewManifest, Store, StoreError, TagCondition};

/// A place that has images.
pub trait Images: Send + Sync {
    /// What it is called in a log.
    fn name(&self) -> &str;

    /// What there is to say of a manifest without its bytes; `None` where there is none.
    fn head<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Option<Head>>>;

    /// A manifest; `None` where there is none.
    fn manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Option<RawManifest>>>;

    /// The bytes of a blob from an offset on; `None` where there is none.
    fn blob<'a>(
        &'a self,
        repository: &'a RepositoryName,
        digest: &'a Digest,
        size: u64,
        from: u64,
    ) -> BoxFuture<'a, Result<Option<BlobStream>>>;

    /// What is about a manifest.
    fn referrers<'a>(
        &'a self,
        repository: &'a RepositoryName,
        subject: &'a Digest,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>>>;

    /// All tags of a repository; `None` where there is no such repository, or none that we may know of.
    fn tags<'a>(&'a self, repository: &'a RepositoryName) -> BoxFuture<'a, Result<Option<Vec<Tag>>>>;

    /// All repositories.
    fn repositories(&self) -> BoxFuture<'_, Result<Vec<RepositoryName>>>;

    /// Makes sure that a repository has a blob.
    fn push_blob<'a>(
        &'a self,
        repository: &'a RepositoryName,
        digest: &'a Digest,
        size: u64,
        mount_from: &'a [RepositoryName],
        source: &'a dyn Source,
    ) -> BoxFuture<'a, Result<Pushed>>;

    /// Removes a tag; one that is not there is as good as removed.
    fn delete_tag<'a>(&'a self, repository: &'a RepositoryName, tag: &'a Tag) -> BoxFuture<'a, Result<()>>;

    /// Takes a manifest under its digest, and a tag that calls it by that where it can.
    fn put_manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        tag: Option<&'a Tag>,
        manifest: &'a RawManifest,
        condition: &'a PutCondition,
        stamp: Option<&'a Stamp>,
    ) -> BoxFuture<'a, Result<()>>;
}

/// Another registry.
impl Images for Arc<Remote> {
    fn name(&self) -> &str {
        Remote::name(self)
    }

    fn head<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Option<Head>>> {
        Box::pin(async move {
            let head = self.head_manifest(repository, reference).await?;
            match (reference, head) {
                (Reference::Tag(_), Some(head)) if head.digest.algorithm() != Algorithm::Sha256 => {
                    let raw = Images::manifest(self, repository, reference).await?;
                    let size = |raw: &RawManifest| Some(raw.bytes.len() as u64);
                    Ok(raw.map(|raw| Head { size: size(&raw), digest: raw.digest, media_type: raw.media_type, ..head }))
                }
                (_, head) => Ok(head),
            }
        })
    }

    fn manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Option<RawManifest>>> {
        Box::pin(async move {
            let raw = Remote::manifest(self, repository, reference).await?;
            Ok(raw.map(|raw| match reference {
                Reference::Tag(_) if raw.digest.algorithm() != Algorithm::Sha256 => {
                    RawManifest { digest: Digest::sha256(&raw.bytes), ..raw }
                }
                _ => raw,
            }))
        })
    }

    fn blob<'a>(
        &'a self,
        repository: &'a RepositoryName,
        digest: &'a Digest,
        size: u64,
        from: u64,
    ) -> BoxFuture<'a, Result<Option<BlobStream>>> {
        Box::pin(Remote::blob(self, repository, digest, size, from))
    }

    fn referrers<'a>(
        &'a self,
        repository: &'a RepositoryName,
        subject: &'a Digest,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>>> {
        Box::pin(Remote::referrers(self, repository, subject))
    }

    fn tags<'a>(&'a self, repository: &'a RepositoryName) -> BoxFuture<'a, Result<Option<Vec<Tag>>>> {
        Box::pin(Remote::tags(self, repository))
    }

    fn repositories(&self) -> BoxFuture<'_, Result<Vec<RepositoryName>>> {
        Box::pin(Remote::repositories(self))
    }

    fn push_blob<'a>(
        &'a self,
        repository: &'a RepositoryName,
        digest: &'a Digest,
        size: u64,
        mount_from: &'a [RepositoryName],
        source: &'a dyn Source,
    ) -> BoxFuture<'a, Result<Pushed>> {
        Box::pin(Remote::push_blob(self, repository, digest, size, mount_from, source))
    }

    fn delete_tag<'a>(&'a self, repository: &'a RepositoryName, tag: &'a Tag) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.delete_manifest(repository, &Reference::Tag(tag.clone()), None, None).await })
    }

    fn put_manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        tag: Option<&'a Tag>,
        manifest: &'a RawManifest,
        condition: &'a PutCondition,
        stamp: Option<&'a Stamp>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(Remote::put_manifest(self, repository, tag, manifest, condition, stamp))
    }
}

/// Our own store, without HTTP between.
#[derive(Clone, Debug)]
pub struct Local {
    store: Arc<Store>,
}

impl Local {
    /// This store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What a tag calls by another digest is given under the one that everybody knows.
    async fn view(&self, repository: &RepositoryName, reference: &Reference) -> Result<Option<ManifestView>> {
        let view = found(self.store.find_manifest(repository, reference).await)?;
        Ok(view.map(|view| match reference {
            Reference::Tag(_) => ManifestView { digest: view.stored.canonical.clone(), ..view },
            Reference::Digest(_) => view,
        }))
    }
}

/// `None` where the store says that there is none.
fn found<T>(outcome: std::result::Result<T, StoreError>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::BlobUnknown(_) | StoreError::ManifestUnknown(_) | StoreError::RepositoryUnknown(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Images for Local {
    fn name(&self) -> &str {
        "this registry"
    }

    fn head<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Option<Head>>> {
        Box::pin(async move {
            Ok(self.view(repository, reference).await?.map(|view| Head {
                digest: view.digest,
                media_type: view.stored.media_type.to_string(),
                size: Some(view.stored.bytes.len() as u64),
                stamp: None,
            }))
        })
    }

    fn manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Option<RawManifest>>> {
        Box::pin(async move {
            Ok(self.view(repository, reference).await?.map(|view| RawManifest {
                digest: view.digest,
                media_type: view.stored.media_type.to_string(),
                bytes: view.stored.bytes.clone(),
            }))
        })
    }

    fn blob<'a>(
        &'a self,
        repository: &'a RepositoryName,
        digest: &'a Digest,
        size: u64,
        from: u64,
    ) -> BoxFuture<'a, Result<Option<BlobStream>>> {
        Box::pin(async move {
            let Some(view) = found(self.store.find_blob(repository, digest).await)? else { return Ok(None) };
            if view.size != size {
                return Err(ClientError::Length {
                    registry: self.name().to_owned(),
                    digest: digest.clone(),
                    expected: size,
                    found: view.size,
                });
            }
            if from >= size {
                return Ok(Some(futures::stream::empty().boxed()));
            }
            let range = (from > 0).then_some(from..size);
            let Some(body) = found(self.store.open_blob(&view, range).await)? else { return Ok(None) };
            Ok(Some(body.map(|piece| piece.map_err(|error| StoreError::from(error).into())).boxed()))
        })
    }

    fn referrers<'a>(
        &'a self,
        repository: &'a RepositoryName,
        subject: &'a Digest,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>>> {
        Box::pin(async move {
            let all = found(self.store.referrers(repository, subject).await)?.unwrap_or_default();
            Ok(all.iter().map(|descriptor| Descriptor::clone(descriptor)).collect())
        })
    }

    fn tags<'a>(&'a self, repository: &'a RepositoryName) -> BoxFuture<'a, Result<Option<Vec<Tag>>>> {
        Box::pin(async move { Ok(found(self.store.tags(repository).await)?.map(|tags| tags.to_vec())) })
    }

    fn repositories(&self) -> BoxFuture<'_, Result<Vec<RepositoryName>>> {
        Box::pin(async move { Ok(self.store.repositories().await.map_err(ClientError::from)?.to_vec()) })
    }

    fn push_blob<'a>(
        &'a self,
        repository: &'a RepositoryName,
        digest: &'a Digest,
        size: u64,
        mount_from: &'a [RepositoryName],
        source: &'a dyn Source,
    ) -> BoxFuture<'a, Result<Pushed>> {
        Box::pin(async move {
            if found(self.store.promise_blob(repository, digest).await)?.is_some() {
                return Ok(Pushed::Existed);
            }
            for from in mount_from {
                if self.store.mount_blob(repository, from, digest).await?.is_some() {
                    return Ok(Pushed::Mounted);
                }
            }
            let body = source.read(0).await?;
            let body = body.map(|piece: Result<Bytes>| piece.map_err(|error| BodyError::Cut(error.chain()))).boxed();
            self.store.put_blob(repository, digest, Some(size), body).await?;
            Ok(Pushed::Sent(size))
        })
    }

    fn delete_tag<'a>(&'a self, repository: &'a RepositoryName, tag: &'a Tag) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { found(self.store.delete_tag(repository, tag, &TagCondition::Always).await).map(|_| ()) })
    }

    fn put_manifest<'a>(
        &'a self,
        repository: &'a RepositoryName,
        tag: Option<&'a Tag>,
        manifest: &'a RawManifest,
        condition: &'a PutCondition,
        _: Option<&'a Stamp>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let new = NewManifest {
                reference: Reference::Digest(manifest.digest.clone()),
                tags: Vec::new(),
                content_type: Some(manifest.media_type.clone()),
                condition: TagCondition::Always,
                bytes: manifest.bytes.clone(),
            };
            let new = match tag {
                None => new,
                Some(tag) => {
                    let condition = match condition {
                        PutCondition::Always => TagCondition::Always,
                        PutCondition::Absent => TagCondition::Absent,
                        PutCondition::PointsTo(digest) => TagCondition::PointsTo(vec![digest.clone()]),
                    };
                    // Under the digest that it has, which the tag keeps.
                    NewManifest { tags: vec![tag.clone()], condition, ..new }
                }
            };
            self.store.put_manifest(repository, new).await?;
            Ok(())
        })
    }
}
