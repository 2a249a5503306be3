//! Makes a path what the router knows, before it is routed.
//!
//! Magnum's router is lenient, and clients depend on it: slashes may double or trail, and the version may be left out.

use std::borrow::Cow;

use axum::extract::Request;
use http::uri::PathAndQuery;
use http::{Method, Uri};

/// First segments that no version goes before.
const OURS: [&str; 5] = ["healthcheck", "healthz", "readyz", "openapi.json", "dashboard"];

/// Paths that may not end in a slash.
const DETAILS: [&str; 3] = ["/v1/clusters/detail", "/v1/clustertemplates/detail", "/v1/federations/detail"];

/// Stands in for `HEAD`, which axum would answer with the handler of `GET`. Magnum: pecan answers HEAD with 405.
const NO_HEAD: &str = "HEAD_";

/// The paths that need no token: the two documents about versions.
pub(super) const PUBLIC: [&str; 2] = ["/", "/v1"];

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    /// Health, documents: no token, no version.
    Own,
    /// `GET /`: no version.
    Root,
    /// Everything else.
    Version1,
}

impl Surface {
    /// Of a path that was made normal.
    pub(super) fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        match first {
            "" => Self::Root,
            first if OURS.contains(&first) => Self::Own,
            _ => Self::Version1,
        }
    }
}

/// The request as the router is to see it.
pub(super) fn normal_request(prefix: &str, mut request: Request) -> Request {
    if let Cow::Owned(path) = normal_path(prefix, request.uri().path()) {
        let path_and_query = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        if let Ok(path_and_query) = PathAndQuery::try_from(path_and_query) {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    if request.method() == Method::HEAD
        && Surface::of(request.uri().path()) != Surface::Own
        && let Ok(method) = Method::from_bytes(NO_HEAD.as_bytes())
    {
        *request.method_mut() = method;
    }
    request
}

fn normal_path<'a>(prefix: &str, path: &'a str) -> Cow<'a, str> {
    let inside = path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
    let already =
        inside.len() == path.len() && path.starts_with("/v1/") && !path.ends_with('/') && !path.contains("//");
    if already {
        return Cow::Borrowed(path);
    }
    let segments: Vec<&str> = inside.split('/').filter(|segment| !segment.is_empty()).collect();
    let first = segments.first().copied().unwrap_or_default();
    let mut normal = String::with_capacity(path.len() + 3);
    if !first.is_empty() && first != "v1" && !OURS.contains(&first) {
        normal.push_str("/v1");
    }
    for segment in &segments {
        normal.push('/');
        normal.push_str(segment);
    }
    // Magnum: these compare the name before their last slash with the collection's.
    if normal.is_empty() || (inside.ends_with('/') && DETAILS.contains(&normal.as_str())) {
        normal.push('/');
    }
    Cow::Owned(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_what_the_router_knows() {
        let rows = [
            ("", "/", "/"),
            ("", "//", "/"),
            ("", "/v1", "/v1"),
            ("", "/v1/", "/v1"),
            ("", "/v1/clusters", "/v1/clusters"),
            ("", "/v1/clusters/", "/v1/clusters"),
            ("", "/v1//clusters///x", "/v1/clusters/x"),
            ("", "/clusters/x", "/v1/clusters/x"),
            ("", "/v2", "/v1/v2"),
            ("", "/v1.json", "/v1/v1.json"),
            ("", "/v1/clusters/detail", "/v1/clusters/detail"),
            ("", "/v1/clusters/detail/", "/v1/clusters/detail/"),
            ("", "/v1/clusters//detail", "/v1/clusters/detail"),
            ("", "/v1/clusters/detail//", "/v1/clusters/detail/"),
            ("", "//v1//clusters/detail", "/v1/clusters/detail"),
            ("", "/clusters/detail", "/v1/clusters/detail"),
            ("", "/v1/clustertemplates/detail/", "/v1/clustertemplates/detail/"),
            ("", "/v1/federations/detail/", "/v1/federations/detail/"),
            ("", "/v1/clusters/x/detail/", "/v1/clusters/x/detail"),
            ("", "/healthz/", "/healthz"),
            ("/magnum", "/magnum", "/"),
            ("/magnum", "/magnum/v1/clusters", "/v1/clusters"),
            ("/magnum", "/v1/clusters", "/v1/clusters"),
            ("/magnum", "/magnumx/v1", "/v1/magnumx/v1"),
        ];
        for (prefix, path, expected) in rows {
            assert_eq!(normal_path(prefix, path), expected, "{path}");
        }
    }

    #[test]
    fn a_query_survives() {
        let request = Request::get("/clusters/?limit=1").body(axum::body::Body::empty()).expect("a request");
        assert_eq!(normal_request("", request).uri(), "/v1/clusters?limit=1");
    }
}
