//! What goes around the API: health, metrics, the page, the token endpoint, and the other end of the connection as authentication knows it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::FutureExt as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use jeroboam_oci::ErrorCode;
use jeroboam_telemetry::metrics::CONTENT_TYPE as METRICS_TYPE;
use serde_json::json;

use super::Metrics;
use super::access_log::{self, Watch};
use super::health::Health;
use super::subject;
use crate::auth::{self, Auth, Peer};
use crate::config::Config;
use crate::http::{Failure, Registry, service};

/// What says to clients that this is a registry.
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// What is served.
pub(super) struct Parts<'a> {
    pub(super) registry: Registry,
    pub(super) auth: Auth,
    pub(super) health: Health,
    pub(super) metrics: Metrics,
    pub(super) config: &'a Config,
}

/// Everything that clients reach.
pub(super) fn routes(parts: Parts<'_>) -> Router {
    let Parts { registry, auth, health, metrics, config } = parts;
    let watch = Watch { metrics, lines: config.log.requests, http: Arc::clone(registry.config()) };
    let prefix = config.http.prefix.as_str();
    let mut around = auth::routes(&auth, prefix);
    if config.ours.page {
        around = around.merge(crate::page::routes(&registry, &auth, prefix));
    } else {
        // distribution: an empty answer, which load balancers ask for.
        around = around.route(&format!("{prefix}/"), get(|| async { ([(CACHE_CONTROL, "no-cache")], "") }));
    }
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(health))
        .merge(around)
        .fallback_service(service(registry));
    within_bounds(routes, config.ours.limits.header, prefix)
        .layer(middleware::from_fn_with_state(watch, access_log::watch))
        .layer(middleware::from_fn(peer))
}

/// The same, with what is said by nobody in particular: that a header is too long, and that something unexpected happened.
fn within_bounds(routes: Router, most: usize, prefix: &str) -> Router {
    let prefix: Arc<str> = prefix.into();
    routes
        .layer(middleware::from_fn(guarded))
        .layer(middleware::from_fn_with_state(most, bounded))
        .layer(middleware::from_fn_with_state(prefix, marked))
}

/// What operators reach, on an address of its own.
pub(super) fn debug_routes(health: Health, metrics: Metrics, path: Option<&str>) -> Router {
    let routes = Router::new().route("/debug/health", get(state)).route("/readyz", get(ready)).with_state(health);
    let routes = routes.route("/healthz", get(|| async { "ok\n" }));
    match path {
        Some(path) if path.starts_with('/') => {
            let numbers = move || async move { ([(CONTENT_TYPE, METRICS_TYPE)], metrics.render()) };
            routes.route(path, get(numbers))
        }
        _ => routes,
    }
}

async fn ready(State(health): State<Health>) -> Response {
    if health.is_ready() {
        return "ok\n".into_response();
    }
    // What is wrong stands in the log and on the operators' address.
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], "not ready\n").into_response()
}

/// What is wrong, by the name of the check, as distribution shows it.
async fn state(State(health): State<Health>) -> Response {
    let wrong = health.wrong();
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(json!(wrong))).into_response()
}

/// The other end of the connection, in the words of authentication.
async fn peer(mut request: Request, next: Next) -> Response {
    let connection = request.extensions_mut().remove::<jeroboam_listen::Peer>().unwrap_or_default();
    let subject = connection.certificate.as_ref().and_then(|certificate| subject::of(certificate));
    let address = connection.address.map(|address| address.ip().to_canonical());
    request.extensions_mut().insert(Peer { address, tls: connection.tls, subject });
    next.run(request).await
}

/// Whoever answers for the API, also where it did not come to that, says that it is one. Pages and what operators ask are none of it.
async fn marked(State(prefix): State<Arc<str>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let path = path.strip_prefix(&*prefix).unwrap_or(path);
    let is_api = path == "/v2" || path.starts_with("/v2/") || path == auth::TOKEN_PATH;
    let mut response = next.run(request).await;
    if is_api {
        let headers = response.headers_mut();
        headers.entry(API_VERSION).or_insert(HeaderValue::from_static("registry/2.0"));
        headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    }
    response
}

/// The connection bounds what it keeps of a header, by the size of its buffers, and says nothing but a status; this is the limit that was set.
async fn bounded(State(most): State<usize>, request: Request, next: Next) -> Response {
    let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let header: usize = request.headers().iter().map(line).sum();
    if header > most {
        let failure = Failure::new(ErrorCode::Unsupported, "the header is too long");
        return failure.status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).into_response();
    }
    next.run(request).await
}

/// What nobody expected ends one request and no more: its client is told so, and the panic itself stands on standard error.
async fn guarded(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if let Ok(response) = AssertUnwindSafe(next.run(request)).catch_unwind().await {
        return response;
    }
    tracing::error!("a request to {path} was ended by a panic");
    let body = json!({"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": null}]});
    let mut response = (StatusCode::INTERNAL_SERVER_ERROR, body.to_string()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt as _;

    use super::*;

    /// Answers `/v2/` and `/fine`; whatever else is asked for, nobody expected.
    async fn ask(prefix: &str, path: &str, header: &str) -> Response {
        let answer = |request: Request| async move {
            assert!(["/v2/", "/fine"].contains(&request.uri().path()), "nobody expected this");
            StatusCode::OK
        };
        let app = within_bounds(Router::new().fallback(answer), 1000, prefix);
        let request = http::Request::builder().uri(path).header("x-some", header).body(Body::empty());
        app.oneshot(request.expect("a request")).await.expect("an answer")
    }

    #[tokio::test]
    async fn every_answer_of_the_api_says_that_it_is_one_and_no_other_does() {
        let long = "x".repeat(1000);
        for (prefix, path, header, status, is_api) in [
            ("", "/v2/", "", 200, true),
            ("", "/v2/", long.as_str(), 431, true),
            ("", "/v2/a/tags/list", "", 500, true),
            ("", "/v2", "", 500, true),
            ("", "/auth/token", "", 500, true),
            ("/p", "/p/v2/a/tags/list", "", 500, true),
            ("/p", "/p/auth/token", long.as_str(), 431, true),
            ("", "/p/v2/", "", 500, false),
            ("", "/v2x", "", 500, false),
            ("", "/fine", "", 200, false),
            ("", "/fine", long.as_str(), 431, false),
            ("", "/", "", 500, false),
        ] {
            let answer = ask(prefix, path, header).await;
            assert_eq!(answer.status().as_u16(), status, "{prefix} {path}");
            let said = answer.headers().get(API_VERSION).map(HeaderValue::as_bytes);
            assert_eq!(said, is_api.then_some(b"registry/2.0".as_slice()), "{prefix} {path}");
            assert_eq!(answer.headers().contains_key(X_CONTENT_TYPE_OPTIONS), is_api, "{prefix} {path}");
        }
    }
}
