//! Images in files, for places that no network reaches: an OCI image layout in a tar archive, in several, or in a folder.
//!
//! Whoever packs the same images gets the same bytes. Whoever unpacks gets every image whole or not at all: all digests are checked before anything is sent, and tags are
//! moved last. What is about an image travels with it. Nothing is ever written to a path that an archive names.

mod docker;
mod export;
mod import;
mod layout;
mod sink;
mod source;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jeroboam_oci::{Digest, Reference, RepositoryName};

use crate::client::ClientError;

pub use export::{Export, Exported};
pub use import::{Import, Imported};
pub use source::Bundle;

/// The annotation with the name of an image.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation with the name of an image that containerd reads.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// The annotation with the repository of a manifest that has no tag.
const REPOSITORY: &str = "io.jeroboam.repository";

/// The file that names blobs which are in an earlier bundle.
const ASSUMED: &str = "assumed.json";

/// An image that is meant: a repository, and a tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageName {
    /// The repository.
    pub repository: RepositoryName,
    /// Which of its images; `latest`, where nothing is said.
    pub reference: Reference,
}

/// Something names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no image: write repository:tag or repository@sha256:…")]
pub struct BadImageName(String);

impl FromStr for ImageName {
    type Err = BadImageName;

    fn from_str(text: &str) -> std::result::Result<Self, BadImageName> {
        let bad = || BadImageName(text.to_owned());
        let (name, reference) = if let Some((name, digest)) = text.split_once('@') {
            // With a digest, a tag says nothing more.
            let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
            (name, Reference::Digest(digest.parse().map_err(|_| bad())?))
        } else {
            let (name, tag) = text.rsplit_once(':').unwrap_or((text, "latest"));
            (name, Reference::Tag(tag.parse().map_err(|_| bad())?))
        };
        Ok(Self { repository: name.parse().map_err(|_| bad())?, reference })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            Reference::Tag(tag) => write!(f, "{}:{tag}", self.repository),
            Reference::Digest(digest) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

/// Why images were not packed or unpacked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are the words of the sentences")]
pub enum BundleError {
    /// The place that has the images, or is to have them, did not do it.
    #[error(transparent)]
    Images(#[from] ClientError),
    /// There is no such image.
    #[error("there is no image {0}")]
    NoImage(ImageName),
    /// A file could not be read or written.
    #[error("use {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// It is no bundle.
    #[error("{} is no bundle: {why}", path.display())]
    NoBundle { path: PathBuf, why: String },
    /// What is in it is not what its name says.
    #[error("{} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    /// It goes on from an earlier one.
    #[error("{} goes on from an earlier bundle, whose {digest} is not there: unpack that one first", path.display())]
    Earlier { path: PathBuf, digest: Digest },
    /// It has images without the name of a repository.
    #[error("{} does not say to which repository {what} belongs: say it with --repository", path.display())]
    NoRepository { path: PathBuf, what: String },
}

/// What comes of packing and unpacking.
pub type Result<T> = std::result::Result<T, BundleError>;

#[cfg(test)]
mod tests;
