//! `DELETE /v1/quotas/{project}/{resource}`.

use axum::extract::State;
use http::StatusCode;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// Takes a project's own limit away, for administrators: everybody's holds again.
#[utoipa::path(delete, path = "/v1/quotas/{project}/{resource}", tag = "quotas",
    params(("project" = String, Path, description = "id of the project"),
           ("resource" = String, Path, description = "`Cluster`")),
    responses((status = 204), (status = 403), (status = 404)))]
pub(crate) async fn delete(
    State(app): State<App>,
    who: Who,
    Ident((project, resource)): Ident<(String, String)>,
    query: Query,
) -> ApiResult<StatusCode> {
    query.only(&[])?;
    app.service().quotas().delete(&who, &project, &resource).await?;
    Ok(StatusCode::NO_CONTENT)
}
