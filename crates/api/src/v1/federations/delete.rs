//! `DELETE /v1/federations/{federation}`.

use axum::extract::State;
use http::StatusCode;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// Would delete a federation.
#[utoipa::path(delete, path = "/v1/federations/{federation}", tag = "federations",
    params(("federation" = String, Path, description = "uuid or name")),
    responses((status = 204), (status = 400), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    State(app): State<App>,
    who: Who,
    Ident(federation): Ident<String>,
    query: Query,
) -> ApiResult<StatusCode> {
    query.only(&[])?;
    app.service().federations().delete(&who, &federation).await?;
    Ok(StatusCode::NO_CONTENT)
}
