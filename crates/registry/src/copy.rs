//! Copies an image with all that it names: what a manifest names is there before the manifest, and the manifest before a tag.
//!
//! Every step can be done again: a copy that was cut goes on, and what is there already costs one question.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jeroboam_oci::manifest::{Descriptor, Kind, Manifest, Named};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag, referrers};
use tokio::sync::Mutex;

use crate::client::{ClientError, Pushed, PutCondition, RawManifest, Result, Source, Stamp};
use crate::images::Images;

/// Blobs of one image that are copied at once.
const AT_ONCE: usize = 4;

/// How deep indexes lie in indexes, and referrers behind referrers.
const DEEPEST: usize = 16;

/// Manifests of one copy at most.
const MOST: usize = 10_000;

/// What a copy did.
#[derive(Debug, Default)]
pub struct Tally {
    manifests: AtomicU64,
    blobs: AtomicU64,
    mounted: AtomicU64,
    bytes: AtomicU64,
}

impl Tally {
    /// Manifests that were not there before.
    pub fn manifests(&self) -> u64 {
        self.manifests.load(Ordering::Relaxed)
    }

    /// Blobs that were sent.
    pub fn blobs(&self) -> u64 {
        self.blobs.load(Ordering::Relaxed)
    }

    /// Blobs that another repository there had.
    pub fn mounted(&self) -> u64 {
        self.mounted.load(Ordering::Relaxed)
    }

    /// Bytes that were sent.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn add(&self, pushed: Pushed) {
        match pushed {
            Pushed::Existed => {}
            Pushed::Mounted => {
                self.mounted.fetch_add(1, Ordering::Relaxed);
            }
            Pushed::Sent(bytes) => {
                self.blobs.fetch_add(1, Ordering::Relaxed);
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
        }
    }
}

/// Tags of a repository that belong to its manifests, as cosign names signatures, attestations and bills of materials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached(BTreeMap<Digest, Vec<Tag>>);

impl Attached {
    /// Those among the tags of a repository.
    #[must_use]
    pub fn among<'a>(tags: impl IntoIterator<Item = &'a Tag>) -> Self {
        let mut attached: BTreeMap<Digest, Vec<Tag>> = BTreeMap::new();
        for tag in tags {
            if let Some(digest) = referrers::attached_to(tag) {
                attached.entry(digest).or_default().push(tag.clone());
            }
        }
        Self(attached)
    }

    /// Those that belong to a manifest.
    #[must_use]
    pub fn to(&self, digest: &Digest) -> &[Tag] {
        self.0.get(digest).map(Vec::as_slice).unwrap_or_default()
    }
}

/// What one copy has come to.
#[derive(Default)]
struct Met {
    manifests: BTreeSet<Digest>,
    /// Those that are there.
    there: BTreeSet<Digest>,
    /// Tags that belong to a part of what they point to: that is on its way until its last part is there.
    later: Vec<(Tag, RawManifest)>,
}

/// From where to where.
pub struct Copy<'a> {
    /// Who has it.
    pub from: &'a dyn Images,
    /// Under which name.
    pub from_repository: &'a RepositoryName,
    /// Who is to have it.
    pub to: &'a dyn Images,
    /// Under which name.
    pub to_repository: &'a RepositoryName,
    /// Repositories there that may have blobs of it.
    pub mount_from: &'a [RepositoryName],
    /// Whether what is about it is copied, too.
    pub referrers: bool,
    /// Tags of the source that are copied with the manifest that they belong to, where what is about it is.
    pub attached: &'a Attached,
    /// What is told along with every manifest.
    pub stamp: Option<&'a Stamp>,
    /// Where it is counted.
    pub tally: &'a Tally,
}

impl Copy<'_> {
    /// Copies a manifest and all that belongs to it; `None` where the source has none. No tag is moved but those that belong to it.
    pub async fn closure(&self, digest: &Digest) -> Result<Option<RawManifest>> {
        let met = Mutex::new(Met::default());
        let raw = self.manifest(digest, &met, 0).await?;
        for (tag, raw) in met.into_inner().later {
            self.put_tag(&tag, &raw).await?;
        }
        Ok(raw)
    }

    fn manifest<'b>(
        &'b self,
        digest: &'b Digest,
        met: &'b Mutex<Met>,
        depth: usize,
    ) -> BoxFuture<'b, Result<Option<RawManifest>>> {
        Box::pin(async move {
            if depth > DEEPEST {
                return Err(self.unusable(digest, "it lies too deep in others"));
            }
            let reference = Reference::Digest(digest.clone());
            let Some(raw) = self.from.manifest(self.from_repository, &reference).await? else { return Ok(None) };
            let is_new = {
                let mut met = met.lock().await;
                if met.manifests.len() >= MOST {
                    return Err(self.unusable(digest, "too many manifests hang together"));
                }
                met.manifests.insert(digest.clone())
            };
            if !is_new {
                return Ok(Some(raw));
            }
            // Whoever has a manifest has what it names: it would not have been taken.
            if self.to.head(self.to_repository, &reference).await?.is_none() {
                let manifest = Manifest::stored(&raw.bytes).map_err(|why| self.unusable(digest, &why.to_string()))?;
                if manifest.kind() == Kind::Schema1 {
                    return Err(self.unusable(digest, "it has Docker's first form, which nobody takes any more"));
                }
                for child in manifest.children() {
                    // Some indexes name what nobody has; whether that is taken is the other side's affair.
                    self.manifest(&child.digest, met, depth + 1).await?;
                }
                let blobs: Vec<_> = manifest.blobs().map(|named| self.blob(named).boxed()).collect();
                stream::iter(blobs).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
                self.to.put_manifest(self.to_repository, None, &raw, &PutCondition::Always, self.stamp).await?;
                self.tally.manifests.fetch_add(1, Ordering::Relaxed);
            }
            met.lock().await.there.insert(digest.clone());
            if self.referrers {
                for referrer in self.from.referrers(self.from_repository, digest).await? {
                    self.manifest(&referrer.digest, met, depth + 1).await?;
                }
                for tag in self.attached.to(digest) {
                    self.attached_tag(tag, met, depth + 1).await?;
                }
            }
            Ok(Some(raw))
        })
    }

    /// Copies a tag that belongs to a manifest, with what it points to.
    async fn attached_tag(&self, tag: &Tag, met: &Mutex<Met>, depth: usize) -> Result<()> {
        let reference = Reference::Tag(tag.clone());
        let Some(here) = self.from.head(self.from_repository, &reference).await? else { return Ok(()) };
        let Some(raw) = self.manifest(&here.digest, met, depth).await? else { return Ok(()) };
        {
            let mut met = met.lock().await;
            if !met.there.contains(&here.digest) {
                met.later.push((tag.clone(), raw));
                return Ok(());
            }
        }
        self.put_tag(tag, &raw).await
    }

    /// Moves a tag to a manifest that is there, unless it points to it.
    async fn put_tag(&self, tag: &Tag, raw: &RawManifest) -> Result<()> {
        let there = self.to.head(self.to_repository, &Reference::Tag(tag.clone())).await?;
        if there.is_some_and(|there| there.digest == raw.digest) {
            return Ok(());
        }
        self.to.put_manifest(self.to_repository, Some(tag), raw, &PutCondition::Always, self.stamp).await
    }

    async fn blob(&self, named: &Named) -> Result<()> {
        let descriptor = &named.descriptor;
        let source = FromImages { images: self.from, repository: self.from_repository, descriptor };
        if named.is_elsewhere()
            && self.from.blob(self.from_repository, &descriptor.digest, descriptor.size, 0).await?.is_none()
        {
            return Ok(());
        }
        let push = self.to.push_blob(self.to_repository, &descriptor.digest, descriptor.size, self.mount_from, &source);
        self.tally.add(push.await?);
        Ok(())
    }

    fn unusable(&self, digest: &Digest, why: &str) -> ClientError {
        ClientError::Unreadable { registry: self.from.name().to_owned(), why: format!("manifest {digest}: {why}") }
    }
}

/// A blob of a place that has images.
struct FromImages<'a> {
    images: &'a dyn Images,
    repository: &'a RepositoryName,
    descriptor: &'a Descriptor,
}

impl Source for FromImages<'_> {
    fn read(&self, from: u64) -> BoxFuture<'_, Result<BoxStream<'static, Result<Bytes>>>> {
        Box::pin(async move {
            let Descriptor { digest, size, .. } = self.descriptor;
            let body = self.images.blob(self.repository, digest, *size, from).await?;
            body.ok_or_else(|| {
                ClientError::Source(format!("{} has no blob {digest} in {}", self.images.name(), self.repository))
            })
        })
    }
}
