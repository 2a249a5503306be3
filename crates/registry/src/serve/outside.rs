//! What goes around the API: health, metrics, the page, the token endpoint, and the other end of the connection as authentication knows it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::FutureExt as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
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
    let most = config.ours.limits.header;
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(health))
        .merge(around)
        .fallback_service(service(registry))
        .layer(middleware::from_fn(guarded))
        .layer(middleware::from_fn_with_state(most, bounded))
        .layer(middleware::from_fn_with_state(watch, access_log::watch))
        .layer(middleware::from_fn(peer))
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
