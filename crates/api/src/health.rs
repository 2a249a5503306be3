//! Whether the process is well: for load balancers and orchestrators. No token is needed.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::ACCEPT;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use crate::App;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/healthcheck", get(healthcheck)).route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

/// As oslo.middleware answers: an operator takes the process out of its load balancer by making a file.
#[utoipa::path(get, path = "/healthcheck", tag = "health", responses((status = 200, body = String), (status = 503, body = String)))]
pub(crate) async fn healthcheck(State(app): State<App>, method: Method, headers: HeaderMap) -> Response {
    let disabled = match &app.config().healthcheck_disabled_by {
        Some(path) => tokio::fs::try_exists(path).await.unwrap_or(false),
        None => false,
    };
    let (status, reason) =
        if disabled { (StatusCode::SERVICE_UNAVAILABLE, "DISABLED BY FILE") } else { (StatusCode::OK, "OK") };
    if method == Method::HEAD {
        return if disabled { status } else { StatusCode::NO_CONTENT }.into_response();
    }
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.trim_start().starts_with("application/json") {
        return (status, Json(Healthcheck { detailed: false, reasons: [reason] })).into_response();
    }
    (status, reason).into_response()
}

/// What a caller that wants JSON is told.
#[derive(Serialize)]
struct Healthcheck {
    detailed: bool,
    reasons: [&'static str; 1],
}

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String)))]
pub(crate) async fn healthz() -> &'static str {
    "ok"
}

/// The process can serve: its database answers.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = String), (status = 503, body = String)))]
pub(crate) async fn readyz(State(app): State<App>) -> Response {
    match app.service().parts().store.ping().await {
        Ok(()) => "ok".into_response(),
        Err(error) => {
            tracing::warn!(error = %error, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer").into_response()
        }
    }
}
