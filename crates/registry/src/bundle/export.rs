//! Packs images.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use jeroboam_oci::manifest::{Descriptor, Kind, Manifest, MediaType};
use jeroboam_oci::{Digest, Reference, RepositoryName};
use tracing::warn;

use super::layout::{Assumed, INDEX, Index, MARK, Mark, blob_path};
use super::sink::Sink;
use super::{ASSUMED, Bundle, BundleError, CONTAINERD_NAME, ImageName, REF_NAME, REPOSITORY, Result};
use crate::client::{ClientError, RawManifest, Trouble};
use crate::copy::Attached;
use crate::images::Images;

/// What is packed, and whereto.
pub struct Export<'a> {
    /// Who has the images.
    pub from: &'a dyn Images,
    /// Which.
    pub images: &'a [ImageName],
    /// Where: a folder if it ends with a slash, else an archive.
    pub to: PathBuf,
    /// Whether what is about an image is packed with it.
    pub referrers: bool,
    /// Earlier bundles; what they have is left out.
    pub since: &'a [Bundle],
    /// Most bytes of a piece of an archive.
    pub split: Option<u64>,
    /// Told before every blob: its number, how many there are, and its size.
    pub progress: &'a (dyn Fn(usize, usize, u64) + Sync),
}

/// What was packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The images and the digests that they had.
    pub images: Vec<(ImageName, Digest)>,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// Manifests in it.
    pub manifests: usize,
    /// Blobs in it.
    pub blobs: usize,
    /// Blobs that an earlier bundle has.
    pub left_out: usize,
    /// Bytes of manifests and blobs in it.
    pub bytes: u64,
}

/// All that belongs to the images, and from which repository each is had.
#[derive(Default)]
struct Gathered {
    manifests: BTreeMap<Digest, RawManifest>,
    blobs: BTreeMap<Digest, (RepositoryName, u64)>,
    /// What the index names: the images, and what is about them.
    named: Vec<Descriptor>,
    images: Vec<(ImageName, Digest)>,
}

impl Gathered {
    /// Has the index name a manifest, once.
    fn name(&mut self, descriptor: Descriptor) {
        if !self.named.contains(&descriptor) {
            self.named.push(descriptor);
        }
    }
}

impl Export<'_> {
    /// Finds out what would be packed, and packs nothing.
    pub async fn plan(&self) -> Result<Exported> {
        let gathered = self.gather().await?;
        let assumed = self.assumed().await?;
        Ok(summary(&gathered, &assumed))
    }

    /// Packs the images.
    pub async fn run(&self) -> Result<Exported> {
        let gathered = self.gather().await?;
        let assumed = self.assumed().await?;
        let mut exported = summary(&gathered, &assumed);
        let mut sink = Sink::create(&self.to, self.split).await?;
        let mark = Mark { image_layout_version: "1.0.0".to_owned() };
        sink.put_bytes(MARK, json(&mark)).await?;
        let index = Index {
            schema_version: 2,
            media_type: MediaType::OciIndex.as_str().to_owned(),
            manifests: gathered.named.clone(),
        };
        sink.put_bytes(INDEX, json(&index)).await?;
        let left_out: Vec<Digest> = gathered.blobs.keys().filter(|digest| assumed.contains(*digest)).cloned().collect();
        if !left_out.is_empty() {
            sink.put_bytes(ASSUMED, json(&Assumed { blobs: left_out })).await?;
        }
        for (digest, raw) in &gathered.manifests {
            sink.put_bytes(&blob_path(digest), raw.bytes.to_vec()).await?;
        }
        let blobs: Vec<_> = gathered.blobs.iter().filter(|(digest, _)| !assumed.contains(*digest)).collect();
        for (number, (digest, (repository, size))) in blobs.iter().enumerate() {
            (self.progress)(number + 1, blobs.len(), *size);
            let body = self.from.blob(repository, digest, *size, 0).await?;
            let missing = || ClientError::Source(format!("{} has no blob {digest} in {repository}", self.from.name()));
            sink.put(&blob_path(digest), *size, body.ok_or_else(missing)?).await?;
        }
        exported.files = sink.finish().await?;
        Ok(exported)
    }

    async fn assumed(&self) -> Result<BTreeSet<Digest>> {
        let mut assumed = BTreeSet::new();
        for bundle in self.since {
            assumed.extend(bundle.knows().await?);
        }
        Ok(assumed)
    }

    async fn gather(&self) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        let mut attached: BTreeMap<RepositoryName, Attached> = BTreeMap::new();
        let mut images = self.images.to_vec();
        images.sort_by_key(ToString::to_string);
        images.dedup();
        for image in images {
            let raw = self.from.manifest(&image.repository, &image.reference).await?;
            let raw = raw.ok_or_else(|| BundleError::NoImage(image.clone()))?;
            let digest = raw.digest.clone();
            gathered.name(named(&raw, &image, false));
            gathered.images.push((image.clone(), digest.clone()));
            let belong = match attached.entry(image.repository.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.attached(&image.repository).await?),
            };
            self.follow(&image.repository, raw, belong, &mut gathered).await?;
        }
        Ok(gathered)
    }

    /// Tags of a repository that belong to its manifests, if what is about an image is packed with it.
    async fn attached(&self, repository: &RepositoryName) -> Result<Attached> {
        if !self.referrers {
            return Ok(Attached::default());
        }
        match self.from.tags(repository).await {
            Ok(tags) => Ok(Attached::among(&tags.unwrap_or_default())),
            // Some let everybody read and nobody list.
            Err(error) if error.trouble() == Trouble::Refused => {
                warn!(%repository, error = error.chain(), "tags may not be listed: those that cosign made are left out");
                Ok(Attached::default())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All that a manifest names, and what is about it.
    async fn follow(
        &self,
        repository: &RepositoryName,
        raw: RawManifest,
        attached: &Attached,
        gathered: &mut Gathered,
    ) -> Result<()> {
        let mut left = VecDeque::from([raw]);
        let mut seen = BTreeSet::new();
        while let Some(raw) = left.pop_front() {
            if !seen.insert(raw.digest.clone()) {
                continue;
            }
            let unusable = |why: String| {
                let why = format!("manifest {}: {why}", raw.digest);
                ClientError::Unreadable { registry: self.from.name().to_owned(), why }
            };
            let manifest = Manifest::stored(&raw.bytes).map_err(|why| unusable(why.to_string()))?;
            if manifest.kind() == Kind::Schema1 {
                return Err(unusable("it has Docker's first form, which an image layout cannot hold".to_owned()).into());
            }
            for child in manifest.children() {
                // Indexes may name what is not there, and stay what they are.
                if let Some(child) = self.from.manifest(repository, &Reference::Digest(child.digest.clone())).await? {
                    left.push_back(child);
                }
            }
            for blob in manifest.blobs() {
                let Descriptor { digest, size, .. } = &blob.descriptor;
                let elsewhere = blob.is_elsewhere() && self.from.blob(repository, digest, *size, 0).await?.is_none();
                if !elsewhere {
                    gathered.blobs.entry(digest.clone()).or_insert_with(|| (repository.clone(), *size));
                }
            }
            if self.referrers {
                let mut referrers = self.from.referrers(repository, &raw.digest).await?;
                referrers.sort_by(|one, other| one.digest.cmp(&other.digest));
                for referrer in referrers {
                    let reference = Reference::Digest(referrer.digest.clone());
                    let Some(about) = self.from.manifest(repository, &reference).await? else { continue };
                    let image = ImageName { repository: repository.clone(), reference };
                    gathered.name(named(&about, &image, true));
                    left.push_back(about);
                }
                for tag in attached.to(&raw.digest) {
                    let image = ImageName { repository: repository.clone(), reference: Reference::Tag(tag.clone()) };
                    let Some(about) = self.from.manifest(repository, &image.reference).await? else { continue };
                    gathered.name(named(&about, &image, false));
                    left.push_back(about);
                }
            }
            gathered.manifests.insert(raw.digest.clone(), raw);
        }
        Ok(())
    }
}

/// How the index names a manifest.
fn named(raw: &RawManifest, image: &ImageName, is_referrer: bool) -> Descriptor {
    let mut descriptor = Descriptor::new(raw.media_type.clone(), raw.digest.clone(), raw.bytes.len() as u64);
    descriptor.annotations.insert(REPOSITORY.to_owned(), image.repository.to_string());
    if let Reference::Tag(_) = &image.reference {
        descriptor.annotations.insert(REF_NAME.to_owned(), image.to_string());
        descriptor.annotations.insert(CONTAINERD_NAME.to_owned(), image.to_string());
    }
    if is_referrer && let Ok(manifest) = Manifest::stored(&raw.bytes) {
        descriptor.artifact_type = manifest.artifact_type;
    }
    descriptor
}

fn summary(gathered: &Gathered, assumed: &BTreeSet<Digest>) -> Exported {
    let written: Vec<_> = gathered.blobs.iter().filter(|(digest, _)| !assumed.contains(*digest)).collect();
    let of_manifests: u64 = gathered.manifests.values().map(|raw| raw.bytes.len() as u64).sum();
    let of_blobs: u64 = written.iter().map(|(_, (_, size))| size).sum();
    Exported {
        images: gathered.images.clone(),
        files: Vec::new(),
        manifests: gathered.manifests.len(),
        blobs: written.len(),
        left_out: gathered.blobs.len() - written.len(),
        bytes: of_manifests + of_blobs,
    }
}

fn json(document: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("texts and numbers can be written as JSON")
}
