//! `GET /v1/federations/{federation}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::FederationView;
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// One federation.
#[utoipa::path(get, path = "/v1/federations/{federation}", tag = "federations",
    params(("federation" = String, Path, description = "uuid or name")),
    responses((status = 200, body = FederationView), (status = 404), (status = 409)))]
pub(crate) async fn get(
    State(app): State<App>,
    who: Who,
    links: Links,
    Ident(federation): Ident<String>,
    query: Query,
) -> ApiResult<Response> {
    query.only(&[])?;
    let found = app.service().federations().get(&who, &federation).await?;
    Ok(Json(FederationView::new(&found, &links)).into_response())
}
