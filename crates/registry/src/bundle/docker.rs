//! Archives that `docker save` writes: each image is made into a manifest of its own, and its layers into blobs as they are.

use bytes::Bytes;
use jeroboam_oci::manifest::{Descriptor, MediaType};
use jeroboam_oci::{Algorithm, Digest};
use serde::{Deserialize, Serialize};

use super::{Bundle, BundleError, Result};
use crate::client::RawManifest;

/// The file that names the images.
pub(super) const MANIFEST: &str = "manifest.json";

/// Largest document that is read.
const LARGEST: u64 = 16 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// An image of such an archive.
pub(super) struct SavedImage {
    pub(super) manifest: RawManifest,
    /// Each blob, and the file that has it.
    pub(super) blobs: Vec<(Descriptor, String)>,
    /// As Docker calls it: perhaps with a host before it.
    pub(super) names: Vec<String>,
}

/// The images of an archive. Its layers are those that its configuration names, or it is damaged.
pub(super) async fn images(bundle: &Bundle) -> Result<Vec<SavedImage>> {
    let bytes = bundle.read(MANIFEST, LARGEST).await?.unwrap_or_default();
    let saved: Vec<Saved> =
        serde_json::from_slice(&bytes).map_err(|error| bundle.no_bundle(format!("{MANIFEST}: {error}")))?;
    let mut images = Vec::new();
    for image in saved {
        images.push(read(bundle, image).await?);
    }
    Ok(images)
}

async fn read(bundle: &Bundle, saved: Saved) -> Result<SavedImage> {
    let damaged = |why: String| BundleError::Damaged { path: bundle.path().to_owned(), why };
    let bytes = bundle.read(&saved.config, LARGEST).await?;
    let bytes = bytes.ok_or_else(|| damaged(format!("it has no {}", saved.config)))?;
    let config: Config =
        serde_json::from_slice(&bytes).map_err(|error| damaged(format!("{}: {error}", saved.config)))?;
    if config.rootfs.diff_ids.len() != saved.layers.len() {
        let (said, there) = (config.rootfs.diff_ids.len(), saved.layers.len());
        return Err(damaged(format!("{} names {said} layers, and there are {there}", saved.config)));
    }
    let described =
        Descriptor::new("application/vnd.oci.image.config.v1+json", Digest::sha256(&bytes), bytes.len() as u64);
    let mut blobs = vec![(described, saved.config)];
    for (file, expected) in saved.layers.into_iter().zip(config.rootfs.diff_ids) {
        let found = bundle.digest(&file, Algorithm::Sha256).await?;
        if found.as_ref() != Some(&expected) {
            return Err(damaged(format!("layer {file} is not {expected}, as the image says")));
        }
        let size = bundle.length(&file).unwrap_or_default();
        blobs.push((Descriptor::new("application/vnd.oci.image.layer.v1.tar", expected, size), file));
    }
    let made = Made {
        schema_version: 2,
        media_type: MediaType::OciManifest.as_str(),
        config: blobs[0].0.clone(),
        layers: blobs[1..].iter().map(|(descriptor, _)| descriptor.clone()).collect(),
    };
    let bytes = Bytes::from(serde_json::to_vec(&made).expect("texts and numbers can be written as JSON"));
    let manifest =
        RawManifest { digest: Digest::sha256(&bytes), media_type: MediaType::OciManifest.as_str().to_owned(), bytes };
    Ok(SavedImage { manifest, blobs, names: saved.repo_tags.unwrap_or_default() })
}
