//! Why another registry did not do what it was asked.

use std::time::Duration;

use jeroboam_oci::Digest;

use crate::store::StoreError;

/// What it means to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// It is away, slow or says that it has a problem: again later.
    Away,
    /// It wants fewer requests: again later.
    TooMany,
    /// It does not let us in, or not there.
    Refused,
    /// What it needs is not there: a manifest names a blob that it does not have.
    Missing,
    /// A condition did not hold.
    Conflict,
    /// What it says is not what a registry says, or not what its digest says.
    Broken,
}

/// Why another registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are the words of the sentences")]
pub enum ClientError {
    /// No answer.
    #[error("reach {registry}")]
    Unreachable {
        registry: String,
        #[source]
        source: reqwest::Error,
    },
    /// It takes nothing more of what is sent, or says nothing to all of it.
    #[error("send to {registry}, which {what} for {seconds} s")]
    Stalled { registry: String, what: &'static str, seconds: u64 },
    /// An answer that is not the wanted one.
    #[error("{what} at {registry}: status {status}{said}")]
    Status {
        registry: String,
        what: String,
        status: u16,
        code: Option<String>,
        said: String,
        retry_after: Option<Duration>,
    },
    /// The bytes are not those of the digest.
    #[error("read {expected} from {registry}: what came has the digest {found}")]
    Digest { registry: String, expected: Digest, found: Digest },
    /// The bytes are fewer or more than was said.
    #[error("read {digest} from {registry}: {found} bytes came of {expected}")]
    Length { registry: String, digest: Digest, expected: u64, found: u64 },
    /// An answer that makes no sense.
    #[error("understand {registry}: {why}")]
    Unreadable { registry: String, why: String },
    /// What is to be sent could not be read.
    #[error("read what is to be sent: {0}")]
    Source(String),
    /// Our own store did not do it.
    #[error("use this registry's store")]
    Local(#[from] StoreError),
    /// Something of ours is not as it should be.
    #[error("{0}")]
    Settings(String),
}

impl ClientError {
    /// What it means.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Unreachable { .. } | Self::Stalled { .. } => Trouble::Away,
            Self::Status { status: 429, .. } => Trouble::TooMany,
            Self::Status { status: 401 | 403, .. } | Self::Settings(_) => Trouble::Refused,
            Self::Status { status: 409 | 412, .. } => Trouble::Conflict,
            Self::Status { status: 404, .. } => Trouble::Missing,
            Self::Status { code: Some(code), .. } if code == "MANIFEST_BLOB_UNKNOWN" => Trouble::Missing,
            Self::Status { status, .. } if *status >= 500 || *status == 408 => Trouble::Away,
            Self::Status { .. } | Self::Digest { .. } | Self::Unreadable { .. } => Trouble::Broken,
            Self::Length { .. } | Self::Source(_) => Trouble::Away,
            Self::Local(StoreError::ConditionFailed) => Trouble::Conflict,
            Self::Local(StoreError::ReferencesUnknown(_)) => Trouble::Missing,
            Self::Local(error) if error.retry_after().is_some() => Trouble::Away,
            Self::Local(error) if error.status() == 403 || error.status() == 405 => Trouble::Refused,
            Self::Local(_) => Trouble::Broken,
        }
    }

    /// Whether the registry itself did not answer, or said that it cannot. What is wrong with one thing that it has, or here, is something else.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Stalled { .. } | Self::Status { .. })
            && matches!(self.trouble(), Trouble::Away | Trouble::TooMany)
    }

    /// When it is worth to ask again, where the registry said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Local(error) => error.retry_after(),
            _ => None,
        }
    }

    /// The sentence with everything that caused it.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

/// What comes of a call.
pub type Result<T> = std::result::Result<T, ClientError>;
