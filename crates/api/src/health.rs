//! Whether the process is well: for load balancers and orchestrators. No token is needed.

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use http::header::ACCEPT;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use crate::App;

pub(crate) fn routes() -> Router<App> {
    // Magnum: the application at /healthcheck looks neither at methods nor at what follows; HAProxy's checks say OPTIONS.
    Router::new()
        .route("/healthcheck", any(healthcheck))
        .route("/healthcheck/{*rest}", any(healthcheck))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
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
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match form(accepted) {
        JSON => (status, Json(Healthcheck { detailed: false, reasons: [reason] })).into_response(),
        HTML => (status, Html(format!("<!DOCTYPE html>\n<title>Health</title>\n<p>{reason}</p>\n"))).into_response(),
        _ => (status, reason).into_response(),
    }
}

const PLAIN: &str = "text/plain";
const HTML: &str = "text/html";
const JSON: &str = "application/json";

/// The form that a caller likes best; of several the first, and plain text where it likes none of them.
fn form(accepted: &str) -> &'static str {
    let range = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
        (name, quality.unwrap_or_default())
    };
    let ranges: Vec<(String, f32)> = accepted.split(',').map(range).collect();
    let liked = |form: &str| {
        let kind = form.split('/').next().unwrap_or_default();
        let names = [form, &format!("{kind}/*"), "*/*"];
        let named = names.iter().find_map(|name| ranges.iter().find(|(range, _)| range == name));
        named.map_or(0.0, |(_, quality)| *quality)
    };
    let mut best = (PLAIN, liked(PLAIN));
    for form in [HTML, JSON] {
        if liked(form) > best.1 {
            best = (form, liked(form));
        }
    }
    best.0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_gets_the_form_that_it_likes_best() {
        for (accepted, expected) in [
            ("", PLAIN),
            ("*/*", PLAIN),
            ("nonsense", PLAIN),
            ("image/png", PLAIN),
            ("application/json", JSON),
            ("APPLICATION/JSON", JSON),
            ("text/html, application/xhtml+xml, */*;q=0.8", HTML),
            ("application/json;q=0.5, text/html", HTML),
            ("text/*", PLAIN),
            ("application/*", JSON),
            ("text/plain;q=0, */*;q=0.1", HTML),
            ("application/json;q=x", PLAIN),
        ] {
            assert_eq!(form(accepted), expected, "{accepted}");
        }
    }
}
