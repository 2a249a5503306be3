//! `GET /v1/clusters/{cluster}`.

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use jeroboam_oslo::Microversion;

use super::ClusterView;
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// One cluster.
#[utoipa::path(get, path = "/v1/clusters/{cluster}", tag = "clusters",
    params(("cluster" = String, Path, description = "uuid or name")),
    responses((status = 200, body = ClusterView), (status = 404), (status = 409)))]
pub(crate) async fn get(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    links: Links,
    Ident(cluster): Ident<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    query.only(&[])?;
    let all = app.service().clusters().get(&who, &cluster).await?;
    Ok(Json(ClusterView::alone(&all, version, &links)).into_response())
}
