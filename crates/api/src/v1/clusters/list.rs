//! `GET /v1/clusters` and `GET /v1/clusters/detail`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jeroboam_oslo::Microversion;
use jeroboam_service::Listing;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ClusterSummary, ClusterView};
use crate::App;
use crate::edge::{Links, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// A page of clusters.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClusterList<'a> {
    clusters: Vec<ClusterSummary<'a>>,
    /// Where the next page is; only on full pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A page of clusters with everything about each.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetailedClusterList<'a> {
    clusters: Vec<ClusterView<'a>>,
    /// Where the next page is; only on full pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The clusters that the caller may see.
#[utoipa::path(get, path = "/v1/clusters", tag = "clusters", params(crate::openapi::ListingParams),
    responses((status = 200, body = ClusterList)))]
pub(crate) async fn list(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    links: Links,
    query: Query,
) -> ApiResult<Response> {
    let listing = query.listing(&[], app.config().max_limit)?;
    let _room = app.room().for_list(listing.page.limit).await;
    let all = app.service().clusters().list(&who, Listing::Short, &listing.page).await?;
    let last = all.last().map(|one| one.cluster.id.uuid());
    let next = listing.next(links.base(), "/v1/clusters", "", all.len(), last);
    let clusters = all.iter().map(|one| ClusterSummary::new(one, version, &links)).collect();
    Ok(Json(ClusterList { clusters, next }).into_response())
}

/// The clusters that the caller may see, with everything about each.
#[utoipa::path(get, path = "/v1/clusters/detail", tag = "clusters", params(crate::openapi::ListingParams),
    responses((status = 200, body = DetailedClusterList)))]
pub(crate) async fn detail(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    links: Links,
    query: Query,
) -> ApiResult<Response> {
    let listing = query.listing(&[], app.config().max_limit)?;
    let _room = app.room().for_list(listing.page.limit).await;
    let all = app.service().clusters().list(&who, Listing::Detail, &listing.page).await?;
    let last = all.last().map(|one| one.cluster.id.uuid());
    let next = listing.next(links.base(), "/v1/clusters/detail", "", all.len(), last);
    let clusters = all.iter().map(|one| ClusterView::in_list(one, version, &links)).collect();
    Ok(Json(DetailedClusterList { clusters, next }).into_response())
}
