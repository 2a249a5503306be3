//! `DELETE /v1/clusters/{cluster}/nodegroups/{nodegroup}`.

use axum::Extension;
use axum::extract::State;
use http::StatusCode;
use jeroboam_oslo::Microversion;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::v1::versions;
use crate::wire::Query;

/// Deletes a node group. May be repeated until it is gone.
#[utoipa::path(delete, path = "/v1/clusters/{cluster}/nodegroups/{nodegroup}", tag = "nodegroups",
    params(("cluster" = String, Path, description = "uuid or name"),
           ("nodegroup" = String, Path, description = "uuid, name or number")),
    responses((status = 204), (status = 400), (status = 404), (status = 406)))]
pub(crate) async fn delete(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    Ident((cluster, nodegroup)): Ident<(String, String)>,
    query: Query,
) -> ApiResult<StatusCode> {
    versions::since(versions::NODEGROUPS, version)?;
    query.only(&[])?;
    app.service().nodegroups().delete(&who, &cluster, &nodegroup).await?;
    Ok(StatusCode::NO_CONTENT)
}
