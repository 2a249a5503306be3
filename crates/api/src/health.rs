//! Whether the process is well: for load balancers and orchestrators. No token is needed.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;

use crate::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/healthcheck", get(healthcheck))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
}

/// As oslo.middleware answers: an operator takes the process out of its load balancer by making a file.
#[utoipa::path(get, path = "/healthcheck", tag = "health", responses((status = 200, body = String), (status = 503, body = String)))]
pub(crate) async fn healthcheck(State(app): State<App>) -> Response {
    let disabled = match &app.config().healthcheck_disabled_by {
        Some(path) => tokio::fs::try_exists(path).await.unwrap_or(false),
        None => false,
    };
    if disabled {
        return (StatusCode::SERVICE_UNAVAILABLE, "DISABLED BY FILE").into_response();
    }
    "OK".into_response()
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
