//! `GET /v1/quotas`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::QuotaView;
use crate::App;
use crate::edge::{Links, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// A page of quotas.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuotaList {
    quotas: Vec<QuotaView>,
    /// Where the next page is; only on full pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The limits that were set, for administrators.
#[utoipa::path(get, path = "/v1/quotas", tag = "quotas",
    params(("all_tenants" = Option<bool>, Query, description = "those of all projects"),
           ("marker" = Option<i64>, Query, description = "number of the last quota of the page before"),
           ("limit" = Option<u64>, Query, description = "how many at most", minimum = 1),
           ("sort_key" = Option<String>, Query, description = "a column; `id` when absent"),
           ("sort_dir" = Option<String>, Query, description = "`asc` or `desc`", pattern = "^(asc|desc)$")),
    responses((status = 200, body = QuotaList), (status = 400), (status = 403), (status = 404)))]
pub(crate) async fn list(State(app): State<App>, who: Who, links: Links, query: Query) -> ApiResult<Json<QuotaList>> {
    let (marker, listing) = query.listing_by_number(&["all_tenants"], app.config().max_limit)?;
    let all = query.boolean("all_tenants")?.unwrap_or(false);
    let quotas = app.service().quotas().list(&who, all, marker, &listing.page).await?;
    let last = quotas.last().map(|quota| quota.serial);
    // Magnum forgets the argument here, and the second page is of another listing.
    let filter = if all { "all_tenants=True&" } else { "" };
    let next = listing.next(links.base(), "/v1/quotas", filter, quotas.len(), last);
    Ok(Json(QuotaList { quotas: quotas.into_iter().map(QuotaView::from).collect(), next }))
}
