//! The documents of an OCI image layout.

use jeroboam_oci::Digest;
use jeroboam_oci::manifest::Descriptor;
use serde::{Deserialize, Serialize};

/// The file that says that it is a layout.
pub(super) const MARK: &str = "oci-layout";

/// The file that names the images.
pub(super) const INDEX: &str = "index.json";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mark {
    pub(super) image_layout_version: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u8,
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) manifests: Vec<Descriptor>,
}

/// Blobs that are in an earlier bundle.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Assumed {
    pub(super) blobs: Vec<Digest>,
}

/// Largest list of blobs that are in earlier bundles.
pub(super) const ASSUMED_LIMIT: u64 = 256 << 20;

/// Where a blob is in a layout.
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// The digest that a path of a layout names.
pub(super) fn digest_of(path: &str) -> Option<Digest> {
    let (algorithm, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
    Digest::from_parts(algorithm.parse().ok()?, hex).ok()
}
