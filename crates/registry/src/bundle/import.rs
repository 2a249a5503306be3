//! Unpacks images.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jeroboam_oci::manifest::{Descriptor, Manifest};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};

use super::docker::{self, MANIFEST};
use super::layout::{INDEX, Index, MARK, blob_path};
use super::{Bundle, BundleError, CONTAINERD_NAME, ImageName, REF_NAME, REPOSITORY, Result};
use crate::client::{ClientError, Pushed, PutCondition, RawManifest, Source};
use crate::images::Images;

/// Largest document that is read.
const LARGEST: u64 = 16 << 20;

/// How deep indexes lie in indexes.
const DEEPEST: usize = 16;

/// What is unpacked, and whereto.
pub struct Import<'a> {
    /// The bundle.
    pub from: &'a Bundle,
    /// Who is to have the images.
    pub to: &'a dyn Images,
    /// The repository of all images, instead of those that the bundle names.
    pub repository: Option<&'a RepositoryName>,
    /// What stands before the names of the bundle's repositories here.
    pub prefix: Option<&'a RepositoryName>,
    /// Told before every blob: its number, how many there are, and its size.
    pub progress: &'a (dyn Fn(usize, usize, u64) + Sync),
}

/// What was unpacked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The images and their digests.
    pub images: Vec<(ImageName, Digest)>,
    /// Manifests that were sent.
    pub manifests: usize,
    /// Blobs that were sent; the others were there.
    pub blobs: usize,
    /// Bytes that were sent.
    pub bytes: u64,
}

/// A manifest of the bundle with all that it needs.
struct Item {
    repository: RepositoryName,
    tag: Option<Tag>,
    /// Children first; the last is the one that is named.
    manifests: Vec<RawManifest>,
    /// Each blob, and the file that has it.
    blobs: Vec<(Descriptor, String)>,
}

impl Import<'_> {
    /// Checks everything, and says what would be unpacked.
    pub async fn plan(&self) -> Result<Imported> {
        let items = self.read().await?;
        let images = items.iter().filter_map(|item| Some((item.name()?, item.manifests.last()?.digest.clone())));
        let manifests = items.iter().map(|item| item.manifests.len()).sum();
        let blobs: BTreeSet<_> =
            items.iter().flat_map(|item| item.blobs.iter().map(|(blob, _)| blob.digest.clone())).collect();
        Ok(Imported {
            images: images.collect(),
            manifests,
            blobs: blobs.len(),
            bytes: self.from.blobs().map(|(_, size)| size).sum(),
        })
    }

    /// Unpacks the images. Each is whole before its tag is moved; what is not whole has no tag.
    pub async fn run(&self) -> Result<Imported> {
        let items = self.read().await?;
        let assumed: BTreeSet<Digest> = self.from.assumed().await?.into_iter().collect();
        let total = items.iter().map(|item| item.blobs.len()).sum();
        let (mut imported, mut number) = (Imported::default(), 0);
        let mut sent: Vec<(Digest, RepositoryName)> = Vec::new();
        for item in &items {
            for (blob, file) in &item.blobs {
                number += 1;
                (self.progress)(number, total, blob.size);
                let from: Vec<_> =
                    sent.iter().filter(|(digest, _)| *digest == blob.digest).map(|(_, from)| from.clone()).collect();
                let source = FromBundle { bundle: self.from, file, digest: &blob.digest };
                let pushed = self.to.push_blob(&item.repository, &blob.digest, blob.size, &from, &source).await;
                let pushed = pushed.map_err(|error| match error {
                    ClientError::Source(_) if assumed.contains(&blob.digest) => {
                        BundleError::Earlier { path: self.from.path().to_owned(), digest: blob.digest.clone() }
                    }
                    error => error.into(),
                })?;
                if let Pushed::Sent(bytes) = pushed {
                    imported.blobs += 1;
                    imported.bytes += bytes;
                }
                sent.push((blob.digest.clone(), item.repository.clone()));
            }
            for raw in &item.manifests {
                self.to.put_manifest(&item.repository, None, raw, &PutCondition::Always, None).await?;
                imported.manifests += 1;
            }
        }
        for item in items {
            let (Some(name), Some(raw)) = (item.name(), item.manifests.last()) else { continue };
            if let Some(tag) = &item.tag {
                self.to.put_manifest(&item.repository, Some(tag), raw, &PutCondition::Always, None).await?;
            }
            imported.images.push((name, raw.digest.clone()));
        }
        Ok(imported)
    }

    /// Reads what is there, and checks every digest.
    async fn read(&self) -> Result<Vec<Item>> {
        let items = if self.from.has(MARK) && self.from.has(INDEX) {
            self.of_layout().await?
        } else if self.from.has(MANIFEST) {
            self.of_docker().await?
        } else {
            return Err(self.from.no_bundle(format!("it has neither {INDEX} nor {MANIFEST}")));
        };
        if items.is_empty() {
            return Err(self.from.no_bundle("it has no images".to_owned()));
        }
        Ok(items)
    }

    async fn of_layout(&self) -> Result<Vec<Item>> {
        let bytes = self.from.read(INDEX, LARGEST).await?.unwrap_or_default();
        let index: Index =
            serde_json::from_slice(&bytes).map_err(|error| self.from.no_bundle(format!("{INDEX}: {error}")))?;
        let assumed: BTreeSet<Digest> = self.from.assumed().await?.into_iter().collect();
        for (digest, _) in self.from.blobs() {
            self.from.check(&digest).await?;
        }
        let mut items = Vec::new();
        for descriptor in &index.manifests {
            let (repository, tag) = self.named(descriptor)?;
            let mut item = Item { repository, tag, manifests: Vec::new(), blobs: Vec::new() };
            self.gather(&descriptor.digest, true, &assumed, &mut item, 0).await?;
            items.push(item);
        }
        Ok(items)
    }

    /// The repository and the tag of a manifest that the index names.
    fn named(&self, descriptor: &Descriptor) -> Result<(RepositoryName, Option<Tag>)> {
        let annotation = |name: &str| descriptor.annotations.get(name).map(String::as_str);
        let full = [REF_NAME, CONTAINERD_NAME].iter().find_map(|name| without_host(annotation(name)?));
        let only_tag = annotation(REF_NAME).and_then(|text| text.parse::<Tag>().ok());
        let tag = match &full {
            Some(ImageName { reference: Reference::Tag(tag), .. }) => Some(tag.clone()),
            _ => only_tag,
        };
        let said = annotation(REPOSITORY).and_then(|text| text.parse().ok()).or(full.map(|full| full.repository));
        Ok((self.here(said, &descriptor.digest.to_string())?, tag))
    }

    /// What a repository of the bundle is called here.
    fn here(&self, said: Option<RepositoryName>, what: &str) -> Result<RepositoryName> {
        let no_name = || BundleError::NoRepository { path: self.from.path().to_owned(), what: what.to_owned() };
        let name = self.repository.cloned().or(said).ok_or_else(no_name)?;
        match self.prefix {
            None => Ok(name),
            Some(prefix) => format!("{prefix}/{name}")
                .parse()
                .map_err(|error| self.from.no_bundle(format!("{prefix}/{name}: {error}"))),
        }
    }

    fn gather<'b>(
        &'b self,
        digest: &'b Digest,
        wanted: bool,
        assumed: &'b BTreeSet<Digest>,
        item: &'b mut Item,
        depth: usize,
    ) -> BoxFuture<'b, Result<()>> {
        Box::pin(async move {
            if depth > DEEPEST || item.manifests.iter().any(|raw| raw.digest == *digest) {
                return Ok(());
            }
            let Some(bytes) = self.from.read(&blob_path(digest), LARGEST).await? else {
                // Indexes may name what nobody has.
                return if wanted { Err(self.damaged(format!("it has no {digest}"))) } else { Ok(()) };
            };
            let manifest = Manifest::stored(&bytes).map_err(|why| self.damaged(format!("manifest {digest}: {why}")))?;
            for child in manifest.children() {
                self.gather(&child.digest, false, assumed, item, depth + 1).await?;
            }
            for blob in manifest.blobs() {
                let descriptor = &blob.descriptor;
                let file = blob_path(&descriptor.digest);
                match self.from.length(&file) {
                    Some(length) if length == descriptor.size => {}
                    Some(length) => {
                        let why =
                            format!("{} has {length} bytes, and {digest} says {}", descriptor.digest, descriptor.size);
                        return Err(self.damaged(why));
                    }
                    None if blob.is_elsewhere() => continue,
                    None if assumed.contains(&descriptor.digest) => {}
                    None => return Err(self.damaged(format!("it has no {}, which {digest} names", descriptor.digest))),
                }
                item.blobs.push((descriptor.clone(), file));
            }
            let media_type = manifest.media_type.as_str().to_owned();
            item.manifests.push(RawManifest { digest: digest.clone(), media_type, bytes });
            Ok(())
        })
    }

    async fn of_docker(&self) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for image in docker::images(self.from).await? {
            if image.names.is_empty() {
                let repository = self.here(None, &image.manifest.digest.to_string())?;
                items.push(Item { repository, tag: None, manifests: vec![image.manifest], blobs: image.blobs });
                continue;
            }
            for name in &image.names {
                let name = without_host(name).ok_or_else(|| self.damaged(format!("{name:?} names no image")))?;
                let tag = match name.reference {
                    Reference::Tag(tag) => Some(tag),
                    Reference::Digest(_) => None,
                };
                let repository = self.here(Some(name.repository), &image.manifest.digest.to_string())?;
                let (manifests, blobs) = (vec![image.manifest.clone()], image.blobs.clone());
                items.push(Item { repository, tag, manifests, blobs });
            }
        }
        Ok(items)
    }

    fn damaged(&self, why: String) -> BundleError {
        BundleError::Damaged { path: self.from.path().to_owned(), why }
    }
}

impl Item {
    fn name(&self) -> Option<ImageName> {
        let reference = match &self.tag {
            Some(tag) => Reference::Tag(tag.clone()),
            None => Reference::Digest(self.manifests.last()?.digest.clone()),
        };
        Some(ImageName { repository: self.repository.clone(), reference })
    }
}

/// An image as somebody calls it who may put a host before its name.
fn without_host(text: &str) -> Option<ImageName> {
    if !text.contains([':', '/', '@']) {
        return None;
    }
    let (first, rest) = text.split_once('/').unwrap_or(("", text));
    let is_host = first.contains(['.', ':']) || first == "localhost";
    (if is_host { rest } else { text }).parse().ok()
}

/// A blob of a bundle.
struct FromBundle<'a> {
    bundle: &'a Bundle,
    file: &'a str,
    digest: &'a Digest,
}

impl Source for FromBundle<'_> {
    fn read(
        &self,
        from: u64,
    ) -> BoxFuture<'_, crate::client::Result<BoxStream<'static, crate::client::Result<Bytes>>>> {
        Box::pin(async move {
            let body = self.bundle.stream(self.file, from);
            body.ok_or_else(|| ClientError::Source(format!("{} has no {}", self.bundle.path().display(), self.digest)))
        })
    }
}
