//! `DELETE /v1/clustertemplates/{template}`.

use axum::extract::State;
use http::StatusCode;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// Deletes a cluster template that no cluster refers to.
#[utoipa::path(delete, path = "/v1/clustertemplates/{template}", tag = "clustertemplates",
    params(("template" = String, Path, description = "uuid or name")),
    responses((status = 204), (status = 400), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    State(app): State<App>,
    who: Who,
    Ident(template): Ident<String>,
    query: Query,
) -> ApiResult<StatusCode> {
    query.only(&[])?;
    app.service().templates().delete(&who, &template).await?;
    Ok(StatusCode::NO_CONTENT)
}
