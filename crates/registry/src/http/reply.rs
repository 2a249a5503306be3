//! Parts of answers that say yes.

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use jeroboam_oci::Digest;
use serde::Serialize;

use super::Failure;

pub(super) const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub(super) const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(super) const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
pub(super) const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(super) const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
pub(super) const NAMESPACE: HeaderName = HeaderName::from_static("oci-namespace");
pub(super) const TAG: HeaderName = HeaderName::from_static("oci-tag");

pub(super) type Answer = Result<Response<Body>, Failure>;

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
    }
    response
}

/// An answer that leads to something.
pub(super) fn leading_to(status: StatusCode, location: &str) -> Response<Body> {
    let mut response = empty(status);
    response.headers_mut().insert(LOCATION, text(location));
    response
}

/// A document.
pub(super) fn json(document: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(document).expect("texts and numbers can be written as JSON");
    typed(HeaderValue::from_static("application/json; charset=utf-8"), body.into())
}

/// A body with its type.
pub(super) fn typed(media_type: HeaderValue, body: bytes::Bytes) -> Response<Body> {
    let length = body.len() as u64;
    sized(media_type, length, Body::from(body))
}

/// The answer to a `HEAD` of so many bytes.
pub(super) fn outline(media_type: HeaderValue, length: u64) -> Response<Body> {
    sized(media_type, length, Body::empty())
}

fn sized(media_type: HeaderValue, length: u64, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// The headers by which something is known again.
pub(super) fn name(headers: &mut HeaderMap, digest: &Digest) {
    headers.insert(DIGEST, text(&digest.to_string()));
    headers.insert(http::header::ETAG, text(&format!("\"{digest}\"")));
}

/// The value of a header. Names, digests, paths and numbers can always be one; what cannot is left empty.
pub(super) fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
