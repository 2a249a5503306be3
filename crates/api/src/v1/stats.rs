//! `GET /v1/stats`: how much there is.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::edge::Who;
use crate::error::ApiResult;
use crate::wire::Query;

/// How much there is, whatever its status.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatsView {
    clusters: u64,
    /// Nodes of all groups, control planes among them.
    nodes: u64,
}

/// How many clusters and nodes a project has; the whole cloud's for administrators who name no project.
#[utoipa::path(get, path = "/v1/stats", tag = "stats",
    params(("project_id" = Option<String>, Query, description = "id of the project; the caller's own when absent"),
           ("type" = Option<String>, Query, description = "`cluster`")),
    responses((status = 200, body = StatsView), (status = 400), (status = 403)))]
pub(crate) async fn stats(State(app): State<App>, who: Who, query: Query) -> ApiResult<Json<StatsView>> {
    query.only(&["project_id", "type"])?;
    let kind = query.given("type").unwrap_or("cluster");
    let stats = app.service().stats(&who, query.get("project_id"), kind).await?;
    Ok(Json(StatsView { clusters: stats.clusters, nodes: stats.nodes }))
}
