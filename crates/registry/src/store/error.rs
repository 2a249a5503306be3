//! Why the store did not do what it was asked, and what a client reads of it.

use std::time::Duration;

use jeroboam_blobs::Kind;
use jeroboam_oci::range::BadChunk;
use jeroboam_oci::{BadDigest, Digest, ErrorCode, Reference, RepositoryName, Tag};

use super::Full;
use crate::http::failure::chain;
use crate::leases::NotNow;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The repository has no such blob.
    #[error("blob {0} is not in the repository")]
    BlobUnknown(Digest),
    /// The repository has no such manifest.
    #[error("manifest {0} is not in the repository")]
    ManifestUnknown(Reference),
    /// There is no such repository.
    #[error("repository {0} is not there")]
    RepositoryUnknown(RepositoryName),
    /// The upload was never begun, is finished, or was given up.
    #[error("the upload is not there: it is finished, was given up, or was never begun")]
    UploadUnknown,
    /// The bytes are not those that the digest names.
    #[error("the bytes have the digest {found}, and not {expected}")]
    DigestMismatch {
        /// What the client said.
        expected: Digest,
        /// What the bytes say.
        found: Digest,
    },
    /// Something is no digest.
    #[error(transparent)]
    BadDigest(#[from] BadDigest),
    /// The bytes are no manifest that this registry takes.
    #[error("{0}")]
    ManifestInvalid(String),
    /// The manifest names what the repository does not have.
    #[error("the manifest names {} that the repository does not have", plural(.0.len(), "blob or manifest", "blobs or manifests"))]
    ReferencesUnknown(Vec<Digest>),
    /// The manifest is too large.
    #[error("the manifest has more than {0} bytes")]
    ManifestTooLarge(u64),
    /// A chunk does not go on where the upload ends, or is not as long as it says.
    #[error(transparent)]
    Chunk(#[from] BadChunk),
    /// There are fewer or more bytes than was said.
    #[error("{expected} bytes were announced, and {found} came")]
    SizeMismatch {
        /// So many were to come.
        expected: u64,
        /// So many came.
        found: u64,
    },
    /// The client's bytes stopped, or came too slowly.
    #[error("the body of the request ended early")]
    Body(#[from] BodyError),
    /// The tag is not in the state that the request starts from.
    #[error("the tag points elsewhere than the request expects")]
    ConditionFailed,
    /// Nothing is written now.
    #[error("the registry is read-only")]
    ReadOnly,
    /// Nothing is deleted here.
    #[error("deleting is switched off")]
    DeleteDisabled,
    /// A setting or a policy forbids it.
    #[error("{0}")]
    Denied(String),
    /// There is no room for it within a quota.
    #[error(
        "quota exceeded: {namespace} {full}; delete what is not needed any more, which counts until it is collected, or ask for a larger quota"
    )]
    OverQuota {
        /// Whose quota.
        namespace: String,
        /// What there is no room for.
        full: Full,
    },
    /// The tag points to another manifest, and is never moved.
    #[error("the tag {0} is never moved or deleted here: push under another one")]
    Immutable(Tag),
    /// Too much of something at once.
    #[error("{what}")]
    TooMany {
        /// What there is too much of.
        what: String,
        /// When it is worth to ask again.
        retry_after: Duration,
    },
    /// Something is not possible now, and later it is.
    #[error("{0}")]
    Unavailable(String),
    /// This process cannot promise now that a blob stays.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// The place of objects did not answer, or not as it should.
    #[error("the store did not do what it was asked")]
    Blobs(#[from] jeroboam_blobs::Error),
    /// What is stored is not what the registry writes.
    #[error("what is stored at {path} is damaged: {why}")]
    Damaged {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Why the bytes of a request ended before they were all there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The client went away.
    #[error("the client sent no more: {0}")]
    Cut(String),
    /// The client is slower than is allowed.
    #[error("the client sends too slowly")]
    TooSlow,
}

/// What comes of a call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// When it is worth to ask a store again that has not said so itself.
const AGAIN: Duration = Duration::from_secs(5);

impl StoreError {
    /// The code that the client reads.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::BlobUnknown(_) => ErrorCode::BlobUnknown,
            Self::ManifestUnknown(_) => ErrorCode::ManifestUnknown,
            Self::RepositoryUnknown(_) => ErrorCode::NameUnknown,
            Self::UploadUnknown => ErrorCode::BlobUploadUnknown,
            Self::DigestMismatch { .. } | Self::BadDigest(_) => ErrorCode::DigestInvalid,
            Self::ManifestInvalid(_) | Self::ManifestTooLarge(_) => ErrorCode::ManifestInvalid,
            Self::ReferencesUnknown(_) => ErrorCode::ManifestBlobUnknown,
            Self::Chunk(bad) => bad.code(),
            Self::SizeMismatch { .. } | Self::Body(_) => ErrorCode::SizeInvalid,
            Self::ConditionFailed | Self::Denied(_) | Self::OverQuota { .. } | Self::Immutable(_) => ErrorCode::Denied,
            Self::ReadOnly | Self::DeleteDisabled => ErrorCode::Unsupported,
            Self::TooMany { .. } => ErrorCode::TooManyRequests,
            Self::Blobs(error) if error.kind() == Kind::NoRoom => ErrorCode::Denied,
            Self::Blobs(_) | Self::Damaged { .. } | Self::Unavailable(_) | Self::NotNow(_) => ErrorCode::Unavailable,
        }
    }

    /// The status of the answer: that of the code, but for what HTTP has a status of its own for.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::ManifestTooLarge(_) => 413,
            Self::ConditionFailed => 412,
            Self::Body(BodyError::TooSlow) => 408,
            other => other.code().status(),
        }
    }

    /// When it is worth to ask again; of what is refused for good, never.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after, .. } => Some(*retry_after),
            Self::Blobs(error) if error.kind() != Kind::NoRoom => Some(error.retry_after().unwrap_or(AGAIN)),
            Self::NotNow(why) => Some(why.retry_after()),
            Self::Damaged { .. } | Self::Unavailable(_) => Some(AGAIN),
            _ => None,
        }
    }

    /// What a client reads, which is never what the place of objects said.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Blobs(error) if error.kind() == Kind::NoRoom => "quota exceeded: the store has no room".to_owned(),
            Self::Blobs(_) => "the store is away; ask again".to_owned(),
            Self::NotNow(_) => "the store is busy; ask again".to_owned(),
            Self::Damaged { .. } => "what is stored is damaged".to_owned(),
            other => other.to_string(),
        }
    }

    /// The same for others who waited for the same work.
    pub(super) fn shared(&self) -> Self {
        match self {
            Self::Blobs(error) => {
                let again = jeroboam_blobs::Error::new(error.kind(), chain(error));
                Self::Blobs(match error.retry_after() {
                    Some(wait) => again.after(wait),
                    None => again,
                })
            }
            Self::Damaged { path, why } => Self::Damaged { path: path.clone(), why: why.clone() },
            Self::TooMany { what, retry_after } => Self::TooMany { what: what.clone(), retry_after: *retry_after },
            other => Self::Unavailable(other.to_string()),
        }
    }

    /// Whether somebody who operates the registry should look.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Blobs(_) | Self::Damaged { .. } | Self::Unavailable(_))
    }
}

fn plural(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("one {one}") } else { format!("{count} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_never_a_not_found_and_says_when_to_come_back() {
        for (kind, code, again) in [
            (Kind::Unavailable, ErrorCode::Unavailable, true),
            (Kind::Refused, ErrorCode::Unavailable, true),
            (Kind::Broken, ErrorCode::Unavailable, true),
            (Kind::Misuse, ErrorCode::Unavailable, true),
            (Kind::NoRoom, ErrorCode::Denied, false),
        ] {
            let error = StoreError::from(jeroboam_blobs::Error::new(kind, "read secret/path from a host"));
            assert_eq!((error.code(), error.retry_after().is_some()), (code, again), "{kind:?}");
            assert!(!error.message().contains("secret"), "the client learns nothing of the inside");
        }
        let said = jeroboam_blobs::Error::new(Kind::Unavailable, "x").after(Duration::from_secs(30));
        assert_eq!(StoreError::from(said).retry_after(), Some(Duration::from_secs(30)));
    }
}
