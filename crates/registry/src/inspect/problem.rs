//! What may be wrong with a store.

use std::fmt;

use jeroboam_oci::{Digest, RepositoryName, Tag};
use serde::Serialize;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody who pulls a tag meets it.
    Damage,
    /// Nobody who pulls a tag meets it, but distribution or a push may.
    Trouble,
    /// It takes room, and is collected.
    Garbage,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Damage => "damage",
            Self::Trouble => "trouble",
            Self::Garbage => "garbage",
        })
    }
}

/// Something that is wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "problem")]
pub enum Problem {
    /// A tag whose link is empty, cut, or no link.
    TornTag {
        /// Whose.
        repository: RepositoryName,
        /// Which.
        tag: Tag,
        /// What is wrong with it.
        why: String,
    },
    /// A tag that points to what the repository does not have.
    TagWithoutManifest {
        /// Whose.
        repository: RepositoryName,
        /// Which.
        tag: Tag,
        /// What it points to.
        manifest: Digest,
        /// Whether the manifest's bytes are in the store, so that only the link to them is missing.
        bytes_are_there: bool,
    },
    /// A tag's manifest that cannot be read as a manifest, or a part of which is not there.
    TagNotWhole {
        /// Whose.
        repository: RepositoryName,
        /// Which.
        tag: Tag,
        /// What it points to.
        manifest: Digest,
        /// What is wrong with it.
        why: String,
    },
    /// A manifest without a tag that cannot be read, or a part of which is not there.
    ManifestNotWhole {
        /// Whose.
        repository: RepositoryName,
        /// Which.
        manifest: Digest,
        /// What is wrong with it.
        why: String,
    },
    /// A link to a manifest that is empty, cut, or no link.
    TornRevision {
        /// Whose.
        repository: RepositoryName,
        /// Under which digest.
        digest: Digest,
        /// What is wrong with it.
        why: String,
    },
    /// A link to a blob that is empty, cut, or no link.
    TornLayer {
        /// Whose.
        repository: RepositoryName,
        /// Under which digest.
        digest: Digest,
        /// What is wrong with it.
        why: String,
    },
    /// A link to a manifest that is not in the store.
    RevisionToNothing {
        /// Whose.
        repository: RepositoryName,
        /// The manifest.
        manifest: Digest,
    },
    /// A link to a blob that is not in the store.
    LayerToNothing {
        /// Whose.
        repository: RepositoryName,
        /// The blob.
        digest: Digest,
    },
    /// A blob without bytes: what is left of a large object whose segments are gone, or are not listed yet.
    EmptyBlob {
        /// Which.
        digest: Digest,
    },
    /// A blob whose bytes have another digest.
    WrongBytes {
        /// Which.
        digest: Digest,
        /// The digest of its bytes.
        found: Digest,
    },
    /// An object that the place cannot give, although it answers, or that is none that belongs there.
    Unreadable {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A repository without a link to a blob: distribution does not list it, and its garbage collection takes what it has.
    Unlisted {
        /// Which.
        repository: RepositoryName,
        /// A manifest of it.
        manifest: Digest,
    },
}

impl Problem {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::TornTag { .. } | Self::TagWithoutManifest { .. } | Self::TagNotWhole { .. } => Severity::Damage,
            Self::WrongBytes { .. } | Self::Unreadable { .. } => Severity::Damage,
            Self::ManifestNotWhole { .. }
            | Self::TornRevision { .. }
            | Self::TornLayer { .. }
            | Self::EmptyBlob { .. }
            | Self::Unlisted { .. } => Severity::Trouble,
            Self::RevisionToNothing { .. } | Self::LayerToNothing { .. } => Severity::Garbage,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornTag { repository, tag, why } => write!(f, "{repository}:{tag}: {why}"),
            Self::TagWithoutManifest { repository, tag, manifest, bytes_are_there: true } => {
                write!(f, "{repository}:{tag} points to {manifest}, to which the repository has no link")
            }
            Self::TagWithoutManifest { repository, tag, manifest, .. } => {
                write!(f, "{repository}:{tag} points to {manifest}, which is not there")
            }
            Self::TagNotWhole { repository, tag, manifest, why } => {
                write!(f, "{repository}:{tag} ({manifest}): {why}")
            }
            Self::ManifestNotWhole { repository, manifest, why } => write!(f, "{repository}@{manifest}: {why}"),
            Self::TornRevision { repository, digest, why } => {
                write!(f, "the link of {repository} to manifest {digest}: {why}")
            }
            Self::TornLayer { repository, digest, why } => write!(f, "the link of {repository} to {digest}: {why}"),
            Self::RevisionToNothing { repository, manifest } => {
                write!(f, "{repository} links manifest {manifest}, which is not there")
            }
            Self::LayerToNothing { repository, digest } => write!(f, "{repository} links {digest}, which is not there"),
            Self::EmptyBlob { digest } => write!(f, "{digest} has no bytes"),
            Self::WrongBytes { digest, found } => write!(f, "{digest} has bytes whose digest is {found}"),
            Self::Unreadable { path, why } => write!(f, "{path} cannot be read: {why}"),
            Self::Unlisted { repository, .. } => {
                write!(f, "{repository} links no blob, so that distribution does not list it")
            }
        }
    }
}
