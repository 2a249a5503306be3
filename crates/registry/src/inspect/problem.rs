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
    /// A part of a manifest that is in the store, and to which the repository has no link, or a torn one: whoever asks for it there is told that it is
    /// unknown.
    PartWithoutLink {
        /// Whose.
        repository: RepositoryName,
        /// A tag that needs it, where one does.
        tag: Option<Tag>,
        /// What needs it; it or a manifest that it names names the part.
        manifest: Digest,
        /// The part.
        digest: Digest,
        /// Whether the part is a manifest.
        is_manifest: bool,
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
    /// A manifest that says another size of a part than that has, whose bytes are those of its digest. It was pushed so; whoever compares sizes refuses it.
    WrongSize {
        /// Whose.
        repository: RepositoryName,
        /// The tag that leads to it, where one does.
        tag: Option<Tag>,
        /// Which; it or a manifest that it names says so.
        manifest: Digest,
        /// The part.
        digest: Digest,
        /// So many bytes it is said to have.
        said: u64,
        /// So many it has.
        size: u64,
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
            Self::WrongSize { tag: Some(_), .. } | Self::PartWithoutLink { tag: Some(_), .. } => Severity::Damage,
            Self::ManifestNotWhole { .. }
            | Self::PartWithoutLink { tag: None, .. }
            | Self::TornRevision { .. }
            | Self::TornLayer { .. }
            | Self::EmptyBlob { .. }
            | Self::WrongSize { tag: None, .. }
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
            Self::PartWithoutLink { repository, tag, manifest, digest, is_manifest } => {
                write_pulled(f, repository, tag.as_ref(), manifest)?;
                let what = if *is_manifest { "manifest" } else { "blob" };
                write!(f, ": it needs {what} {digest}, to which the repository has no link")
            }
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
            Self::WrongSize { repository, tag, manifest, digest, said, size } => {
                write_pulled(f, repository, tag.as_ref(), manifest)?;
                write!(
                    f,
                    ": it says that {digest} has {said} bytes; that has {size}, which are those of its digest: the manifest is wrong, and clients that compare sizes refuse it"
                )
            }
            Self::Unreadable { path, why } => write!(f, "{path} cannot be read: {why}"),
            Self::Unlisted { repository, .. } => {
                write!(f, "{repository} links no blob, so that distribution does not list it")
            }
        }
    }
}

/// What is pulled: a tag, or a manifest to which none leads.
fn write_pulled(
    f: &mut fmt::Formatter<'_>,
    repository: &RepositoryName,
    tag: Option<&Tag>,
    manifest: &Digest,
) -> fmt::Result {
    match tag {
        Some(tag) => write!(f, "{repository}:{tag} ({manifest})"),
        None => write!(f, "{repository}@{manifest}"),
    }
}
