//! `GET /v1/clusters/{cluster}/nodegroups/{nodegroup}`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jeroboam_oslo::Microversion;

use super::NodeGroupView;
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::ApiResult;
use crate::v1::versions;
use crate::wire::Query;

/// One node group.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/nodegroups/{nodegroup}", tag = "nodegroups",
    params(("cluster" = String, Path, description = "uuid or name"),
           ("nodegroup" = String, Path, description = "uuid, name or number")),
    responses((status = 200, body = NodeGroupView), (status = 404), (status = 406)))]
pub(crate) async fn get(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    links: Links,
    Ident((cluster, nodegroup)): Ident<(String, String)>,
    query: Query,
) -> ApiResult<Response> {
    versions::since(versions::NODEGROUPS, version)?;
    query.only(&[])?;
    let both = app.service().nodegroups().get(&who, &cluster, &nodegroup).await?;
    Ok(Json(NodeGroupView::new(&both, &links)).into_response())
}
