//! `GET /v1/clusters/{cluster}/nodegroups`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jeroboam_oslo::Microversion;
use serde::Serialize;
use utoipa::ToSchema;

use super::NodeGroupSummary;
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::ApiResult;
use crate::v1::versions;
use crate::wire::{Query, encoded};

/// A page of node groups.
#[derive(Serialize, ToSchema)]
pub(crate) struct NodeGroupList<'a> {
    nodegroups: Vec<NodeGroupSummary<'a>>,
    /// Where the next page is; only on full pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The node groups of a cluster.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/nodegroups", tag = "nodegroups",
    params(("cluster" = String, Path, description = "uuid or name"),
           ("role" = Option<String>, Query, description = "only groups of this role"),
           crate::openapi::ListingParams),
    responses((status = 200, body = NodeGroupList), (status = 404), (status = 406)))]
pub(crate) async fn list(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    links: Links,
    Ident(cluster): Ident<String>,
    query: Query,
) -> ApiResult<Response> {
    versions::since(versions::NODEGROUPS, version)?;
    let listing = query.listing(&["role"], app.config().max_limit)?;
    let _room = app.room().for_list(listing.page.limit).await;
    let role = query.get("role");
    let (id, groups) = app.service().nodegroups().list(&who, &cluster, role, &listing.page).await?;
    let last = groups.last().map(|group| group.id.uuid());
    let filter = role.map(|role| format!("role={}&", encoded(role))).unwrap_or_default();
    let path = format!("/v1/clusters/{id}/nodegroups");
    let next = listing.next(links.base(), &path, &filter, groups.len(), last);
    let nodegroups = groups.iter().map(NodeGroupSummary::new).collect();
    Ok(Json(NodeGroupList { nodegroups, next }).into_response())
}
