//! Why a request is not let in, in words for its client.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use jeroboam_oci::ErrorCode;

/// Why a request is not let in. It never says whether a repository exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The code of the error.
    pub code: ErrorCode,
    /// What a person reads.
    pub message: String,
    /// Values of `WWW-Authenticate`, one header for each.
    pub challenges: Vec<HeaderValue>,
    /// When it is worth to ask again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal that no log-in changes.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), challenges: Vec::new(), retry_after: None }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
