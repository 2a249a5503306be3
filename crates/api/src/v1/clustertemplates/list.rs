//! `GET /v1/clustertemplates` and `GET /v1/clustertemplates/detail`, which say the same.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jeroboam_service::Listing;
use serde::Serialize;
use utoipa::ToSchema;

use super::TemplateView;
use crate::App;
use crate::edge::{Links, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// A page of cluster templates.
#[derive(Serialize, ToSchema)]
pub(crate) struct TemplateList<'a> {
    clustertemplates: Vec<TemplateView<'a>>,
    /// Where the next page is; only on full pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The cluster templates that the caller may see.
#[utoipa::path(get, path = "/v1/clustertemplates", tag = "clustertemplates", params(crate::openapi::ListingParams),
    responses((status = 200, body = TemplateList)))]
pub(crate) async fn list(State(app): State<App>, who: Who, links: Links, query: Query) -> ApiResult<Response> {
    page(&app, &who, &links, &query, Listing::Short, "/v1/clustertemplates").await
}

/// The cluster templates that the caller may see, under a policy of its own.
#[utoipa::path(get, path = "/v1/clustertemplates/detail", tag = "clustertemplates",
    params(crate::openapi::ListingParams), responses((status = 200, body = TemplateList)))]
pub(crate) async fn detail(State(app): State<App>, who: Who, links: Links, query: Query) -> ApiResult<Response> {
    page(&app, &who, &links, &query, Listing::Detail, "/v1/clustertemplates/detail").await
}

async fn page(app: &App, who: &Who, links: &Links, query: &Query, kind: Listing, path: &str) -> ApiResult<Response> {
    let listing = query.listing(&[], app.config().max_limit)?;
    let _room = app.room().for_list(listing.page.limit).await;
    let templates = app.service().templates().list(who, kind, &listing.page).await?;
    let last = templates.last().map(|template| template.id.uuid());
    let next = listing.next(links.base(), path, "", templates.len(), last);
    let clustertemplates = templates.iter().map(|template| TemplateView::new(template, links)).collect();
    Ok(Json(TemplateList { clustertemplates, next }).into_response())
}
