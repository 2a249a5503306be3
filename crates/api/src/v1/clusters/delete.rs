//! `DELETE /v1/clusters/{cluster}`.

use axum::extract::State;
use http::StatusCode;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// Deletes a cluster. May be repeated until it is gone.
#[utoipa::path(delete, path = "/v1/clusters/{cluster}", tag = "clusters",
    params(("cluster" = String, Path, description = "uuid or name")),
    responses((status = 204), (status = 404), (status = 409)))]
pub(crate) async fn delete(
    State(app): State<App>,
    who: Who,
    Ident(cluster): Ident<String>,
    query: Query,
) -> ApiResult<StatusCode> {
    query.only(&[])?;
    app.service().clusters().delete(&who, &cluster).await?;
    Ok(StatusCode::NO_CONTENT)
}
