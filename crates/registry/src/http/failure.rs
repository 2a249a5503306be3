//! Answers that say no.

use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use jeroboam_oci::range::BadChunk;
use jeroboam_oci::{BadDigest, BadQuery, BadRoute, Digest, ErrorCode};
use serde_json::{Value, json};
use tracing::{error, warn};

use crate::auth::Refusal;
use crate::store::{BodyError, Counted, Full, StoreError};

/// An answer that says no.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    errors: Vec<Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    /// An answer with the status of the code.
    pub fn new(code: ErrorCode, message: &str) -> Self {
        let errors = vec![entry(code.name(), message, &Value::Null)];
        Self { status: status(code.status()), errors, headers: Vec::new() }
    }

    /// The same with more for a program to read.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        if let Some(Value::Object(first)) = self.errors.first_mut() {
            first.insert("detail".to_owned(), detail);
        }
        self
    }

    /// The same with another status than that of its code.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, and when it is worth to ask again.
    #[must_use]
    pub fn retry_after(self, wait: Option<Duration>) -> Self {
        match wait {
            Some(wait) => self.header(RETRY_AFTER, seconds(wait)),
            None => self,
        }
    }

    /// There is nothing under this path, and no code that says so.
    pub(super) fn nothing() -> Self {
        let errors = vec![entry("NOT_FOUND", "there is nothing under this path", &Value::Null)];
        Self { status: StatusCode::NOT_FOUND, errors, headers: Vec::new() }
    }

    /// The method means nothing here.
    pub(super) fn method(allowed: &'static str) -> Self {
        let failure = Self::new(ErrorCode::Unsupported, "the method is not known here");
        failure.header(http::header::ALLOW, HeaderValue::from_static(allowed))
    }

    /// The answer.
    pub fn into_response(self) -> Response<Body> {
        let body = json!({ "errors": self.errors }).to_string();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        *response.body_mut() = Body::from(body);
        response
    }
}

fn entry(code: &str, message: &str, detail: &Value) -> Value {
    json!({ "code": code, "message": message, "detail": detail })
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if error.is_ours() {
            let chain = chain(&error);
            error!(error = %chain, "a request failed because of the store");
        } else if let StoreError::Body(why) = &error {
            warn!(%why, "a client's bytes ended early");
        }
        let failure = Self::new(error.code(), &error.message()).status(status(error.status()));
        let failure = failure.retry_after(error.retry_after());
        match error {
            StoreError::ReferencesUnknown(digests) => failure.missing(&digests),
            StoreError::BlobUnknown(digest) => failure.detail(json!({ "digest": digest })),
            StoreError::RepositoryUnknown(name) => failure.detail(json!({ "name": name })),
            StoreError::OverQuota { namespace, full: Full { counted, used, limit, wanted } } => {
                let counted = if counted == Counted::Bytes { "bytes" } else { "tags" };
                let detail = json!({ "namespace": namespace, "counted": counted, "used": used, "limit": limit, "wanted": wanted });
                failure.detail(detail)
            }
            StoreError::DigestMismatch { expected, found } => {
                failure.detail(json!({ "digest": expected, "found": found }))
            }
            // A header that is none says nothing about the upload, which goes on.
            StoreError::Chunk(BadChunk::Form) => failure.status(StatusCode::BAD_REQUEST),
            // The rest of what the client sends is not read.
            StoreError::Body(BodyError::TooSlow) | StoreError::ManifestTooLarge(_) => {
                failure.header(http::header::CONNECTION, HeaderValue::from_static("close"))
            }
            _ => failure,
        }
    }
}

impl Failure {
    /// One error for each that is missing.
    fn missing(mut self, digests: &[Digest]) -> Self {
        let code = ErrorCode::ManifestBlobUnknown.name();
        let message = "the manifest names what the repository does not have";
        self.errors = digests.iter().map(|digest| entry(code, message, &json!({ "digest": digest }))).collect();
        self
    }
}

/// The value of `Retry-After`: whoever comes again then is not too early.
pub(crate) fn seconds(wait: Duration) -> HeaderValue {
    let begun = u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(wait.as_secs().saturating_add(begun).max(1))
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let mut failure = Self::new(refusal.code, &refusal.message).status(refusal.status());
        for challenge in refusal.challenges {
            failure = failure.header(WWW_AUTHENTICATE, challenge);
        }
        failure.retry_after(refusal.retry_after)
    }
}

impl From<BadQuery> for Failure {
    fn from(bad: BadQuery) -> Self {
        let status = match bad {
            BadQuery::TooMany => StatusCode::URI_TOO_LONG,
            BadQuery::Encoding(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(ErrorCode::Unsupported, &bad.to_string()).status(status)
    }
}

impl From<BadDigest> for Failure {
    fn from(bad: BadDigest) -> Self {
        Self::new(ErrorCode::DigestInvalid, &bad.to_string())
    }
}

impl Failure {
    /// The answer to a path that means nothing.
    pub(super) fn of_route(bad: BadRoute, reading: bool) -> Self {
        match bad.code(reading) {
            Some(code) => Self::new(code, &bad.to_string()),
            None => Self::nothing(),
        }
    }
}

/// An error and what is behind it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_as_long_as_is_said_is_not_too_early() {
        for (millis, said) in [(0, "1"), (100, "1"), (1000, "1"), (3400, "4"), (20_000, "20")] {
            assert_eq!(seconds(Duration::from_millis(millis)), said, "{millis}");
        }
    }
}
