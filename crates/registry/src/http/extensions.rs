//! `GET /v2/_oci/ext/discover`: what there is beside the specification.

use axum::body::Body;
use http::Response;
use serde_json::json;

use super::reply;

pub(super) fn discover() -> Response<Body> {
    reply::json(&json!({ "extensions": [{
        "name": "_oci",
        "url": "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md",
        "description": "what this registry does beside the specification",
        "endpoints": ["_oci/ext/discover"],
    }] }))
}
