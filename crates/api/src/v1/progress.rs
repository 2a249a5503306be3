//! `GET /v1/jeroboam/clusters/{cluster}/progress`: phases and machines, for a client that watches. Ours, not Magnum's.

use axum::Json;
use axum::extract::State;
use jeroboam_model::{ClusterId, Progress};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// How far a cluster is.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProgressView {
    #[schema(value_type = String, format = "uuid")]
    uuid: ClusterId,
    status: &'static str,
    status_reason: Option<String>,
    /// Phase, machines that are ready and wanted, and each machine.
    #[schema(value_type = Object)]
    progress: Progress,
}

/// How far a cluster is, machine by machine.
#[utoipa::path(get, path = "/v1/jeroboam/clusters/{cluster}/progress", tag = "clusters",
    params(("cluster" = String, Path, description = "uuid or name")),
    responses((status = 200, body = ProgressView), (status = 404)))]
pub(crate) async fn progress(
    State(app): State<App>,
    who: Who,
    Ident(cluster): Ident<String>,
    query: Query,
) -> ApiResult<Json<ProgressView>> {
    query.only(&[])?;
    let seen = app.service().clusters().progress(&who, &cluster).await?;
    let (status, status_reason) = (seen.status.as_str(), seen.reason);
    Ok(Json(ProgressView { uuid: seen.cluster, status, status_reason, progress: seen.progress }))
}
