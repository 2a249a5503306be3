//! `GET /`, and the answers of routes that are not there.

use std::any::Any;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::edge::{Link, Links};
use crate::error::{ApiError, ApiResult};
use crate::wire::Query;

/// The versions of the API.
#[derive(Serialize, ToSchema)]
pub(crate) struct Versions {
    name: &'static str,
    description: &'static str,
    versions: [Version; 1],
}

/// One version.
#[derive(Serialize, ToSchema)]
struct Version {
    id: &'static str,
    links: [Link; 1],
    status: &'static str,
    max_version: String,
    min_version: String,
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/", get(versions))
}

/// The versions of the API. Needs no token.
#[utoipa::path(get, path = "/", tag = "versions", responses((status = 200, body = Versions)))]
pub(crate) async fn versions(State(app): State<App>, links: Links, query: Query) -> ApiResult<Json<Versions>> {
    query.only(&[])?;
    let range = app.config().versions;
    let links = [Link::new(format!("{}/v1/", links.base()), "self")];
    let (max_version, min_version) = (range.max.to_string(), range.min.to_string());
    Ok(Json(Versions {
        name: "OpenStack Magnum API",
        description: "Magnum is an OpenStack project which aims to provide container cluster management.",
        versions: [Version { id: "v1", links, status: "CURRENT", max_version, min_version }],
    }))
}

pub(crate) async fn not_found() -> ApiError {
    ApiError::routing(StatusCode::NOT_FOUND)
}

pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::routing(StatusCode::METHOD_NOT_ALLOWED)
}

/// A handler panicked: a defect. The caller learns only that.
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| "no message".to_owned(), |text| (*text).to_owned()),
    };
    ApiError::internal(format!("a handler panicked: {text}")).into_response()
}

#[cfg(test)]
mod tests {
    use crate::error::Carried;

    #[test]
    fn a_panic_is_told_to_the_log_and_not_to_the_caller() {
        let panics: [Box<dyn std::any::Any + Send>; 2] = [Box::new("secret path"), Box::new("secret path".to_owned())];
        for panic in panics {
            let response = super::panicked(panic);
            assert_eq!(response.status(), 500);
            let Carried(refusal) = response.extensions().get::<Carried>().expect("a refusal");
            assert_eq!(refusal.chain(), "a handler panicked: secret path");
            assert!(!refusal.detail().contains("secret"));
        }
    }
}
