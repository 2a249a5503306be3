//! `POST /v1/clusters/{cluster}/actions/resize`.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use jeroboam_oslo::Microversion;
use jeroboam_service::Resize;
use utoipa::ToSchema;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::v1::{Accepted, versions};
use crate::wire::{Argument, Body, Fields, Length, Query, Range};

const RESIZE: Argument = Argument {
    name: "cluster_resize_req",
    known: &["node_count", "nodes_to_remove", "nodegroup"],
    read_only: &["links", "created_at", "updated_at"],
};

/// A new size for a node group.
#[derive(Debug, ToSchema)]
pub(crate) struct ResizeCluster {
    #[schema(minimum = 0)]
    node_count: i32,
    /// Nova server ids, machine names or node names that are to go first.
    nodes_to_remove: Option<Vec<String>>,
    /// uuid, name or number; the default worker when absent.
    nodegroup: Option<String>,
}

impl ResizeCluster {
    fn parse(fields: &Fields) -> ApiResult<Self> {
        Ok(Self {
            node_count: fields.integer("node_count", Range::NATURAL)?.ok_or_else(|| Fields::missing("node_count"))?,
            nodes_to_remove: fields.texts("nodes_to_remove")?,
            nodegroup: fields.text("nodegroup", Length::COLUMN)?,
        })
    }
}

/// Changes the size of a node group.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/actions/resize", tag = "clusters",
    params(("cluster" = String, Path, description = "uuid or name")), request_body = ResizeCluster,
    responses((status = 202, body = Accepted), (status = 400), (status = 404), (status = 406)))]
pub(crate) async fn resize(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    Ident(cluster): Ident<String>,
    query: Query,
    body: Body,
) -> ApiResult<(StatusCode, Json<Accepted>)> {
    versions::since(versions::RESIZE, version)?;
    query.only(&[])?;
    let ResizeCluster { node_count, nodes_to_remove, nodegroup } = ResizeCluster::parse(&body.fields(&RESIZE)?)?;
    let nodes_to_remove = nodes_to_remove.unwrap_or_default();
    let resize = Resize { node_count, nodes_to_remove, nodegroup, before_1_10: version < versions::ZERO_NODES };
    let id = app.service().clusters().resize(&who, &cluster, resize).await?;
    Ok((StatusCode::ACCEPTED, Json(id.into())))
}
