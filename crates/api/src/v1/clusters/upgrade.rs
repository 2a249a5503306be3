//! `POST /v1/clusters/{cluster}/actions/upgrade`.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use jeroboam_oslo::Microversion;
use jeroboam_service::Upgrade;
use utoipa::ToSchema;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::{ApiError, ApiResult};
use crate::v1::{Accepted, versions};
use crate::wire::{Argument, Body, Fields, Length, Query, Range};

const UPGRADE: Argument = Argument {
    name: "cluster_upgrade_req",
    known: &["cluster_template", "max_batch_size", "nodegroup"],
    read_only: &["links", "created_at", "updated_at"],
};

/// A move to another template.
#[derive(Debug, ToSchema)]
pub(crate) struct UpgradeCluster {
    /// uuid or name of the template.
    cluster_template: String,
    /// How many nodes at a time; 1 when absent.
    #[schema(minimum = 1)]
    max_batch_size: Option<i32>,
    /// uuid, name or number; the default worker when absent.
    nodegroup: Option<String>,
}

impl UpgradeCluster {
    fn parse(fields: &Fields) -> ApiResult<Self> {
        Ok(Self {
            cluster_template: fields.mandatory_text("cluster_template", Length::COLUMN)?,
            max_batch_size: fields.integer("max_batch_size", Range::POSITIVE)?,
            nodegroup: fields.text("nodegroup", Length::COLUMN)?,
        })
    }
}

/// Moves a cluster to another template: another Kubernetes version, another image.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/actions/upgrade", tag = "clusters",
    params(("cluster" = String, Path, description = "uuid or name")), request_body = UpgradeCluster,
    responses((status = 202, body = Accepted), (status = 400), (status = 404), (status = 406), (status = 409)))]
pub(crate) async fn upgrade(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    Ident(cluster): Ident<String>,
    query: Query,
    body: Body,
) -> ApiResult<(StatusCode, Json<Accepted>)> {
    versions::since(versions::RESIZE, version)?;
    if version < versions::UPGRADE {
        return Err(ApiError::bad_request("Cluster upgrade is not supported in the provided microversion."));
    }
    query.only(&[])?;
    let wanted = UpgradeCluster::parse(&body.fields(&UPGRADE)?)?;
    let UpgradeCluster { cluster_template: template, max_batch_size, nodegroup } = wanted;
    let upgrade = Upgrade { template, max_batch_size, nodegroup };
    let id = app.service().clusters().upgrade(&who, &cluster, upgrade).await?;
    Ok((StatusCode::ACCEPTED, Json(id.into())))
}
