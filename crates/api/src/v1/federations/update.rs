//! `PATCH /v1/federations/{federation}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::FederationView;
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::ApiResult;
use crate::wire::{Body, Patch, PatchOperation, PatchRules, Query};

const RULES: PatchRules = PatchRules { internal: &[], mandatory: &[], structured: &["properties", "member_ids"] };

/// Would change a federation.
#[utoipa::path(patch, path = "/v1/federations/{federation}", tag = "federations",
    params(("federation" = String, Path, description = "uuid or name"),
           ("rollback" = Option<bool>, Query, description = "accepted; nothing depends on it")),
    request_body = Vec<PatchOperation>,
    responses((status = 202, body = FederationView), (status = 400), (status = 404), (status = 409)))]
pub(crate) async fn update(
    State(app): State<App>,
    who: Who,
    links: Links,
    Ident(federation): Ident<String>,
    query: Query,
    body: Body,
) -> ApiResult<Response> {
    query.only(&["rollback"])?;
    query.boolean("rollback")?;
    Patch::parse(body, &RULES)?;
    let changed = app.service().federations().update(&who, &federation).await?;
    Ok((StatusCode::ACCEPTED, Json(FederationView::new(&changed, &links))).into_response())
}
