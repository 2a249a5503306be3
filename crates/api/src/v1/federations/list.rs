//! `GET /v1/federations` and `GET /v1/federations/detail`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jeroboam_service::Listing;
use serde::Serialize;
use utoipa::ToSchema;

use super::{FederationSummary, FederationView};
use crate::App;
use crate::edge::{Links, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// A page of federations.
#[derive(Serialize, ToSchema)]
pub(crate) struct FederationList<'a> {
    federations: Vec<FederationSummary<'a>>,
    /// Where the next page is; only on full pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A page of federations with everything about each.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetailedFederationList<'a> {
    federations: Vec<FederationView<'a>>,
    /// Where the next page is; only on full pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The federations of the caller's project. There are none, unless somebody wrote rows by hand.
#[utoipa::path(get, path = "/v1/federations", tag = "federations", params(crate::openapi::ListingParams),
    responses((status = 200, body = FederationList)))]
pub(crate) async fn list(State(app): State<App>, who: Who, links: Links, query: Query) -> ApiResult<Response> {
    let listing = query.listing(&[], app.config().max_limit)?;
    let all = app.service().federations().list(&who, Listing::Short, &listing.page).await?;
    let last = all.last().map(|federation| federation.id);
    let next = listing.next(links.base(), "/v1/federations", "", all.len(), last);
    let federations = all.iter().map(|federation| FederationSummary::new(federation, &links)).collect();
    Ok(Json(FederationList { federations, next }).into_response())
}

/// The federations of the caller's project, with everything about each.
#[utoipa::path(get, path = "/v1/federations/detail", tag = "federations", params(crate::openapi::ListingParams),
    responses((status = 200, body = DetailedFederationList)))]
pub(crate) async fn detail(State(app): State<App>, who: Who, links: Links, query: Query) -> ApiResult<Response> {
    let listing = query.listing(&[], app.config().max_limit)?;
    let all = app.service().federations().list(&who, Listing::Detail, &listing.page).await?;
    let last = all.last().map(|federation| federation.id);
    let next = listing.next(links.base(), "/v1/federations/detail", "", all.len(), last);
    let federations = all.iter().map(|federation| FederationView::new(federation, &links)).collect();
    Ok(Json(DetailedFederationList { federations, next }).into_response())
}
