//! `GET /v1/clustertemplates/{template}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::TemplateView;
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// One cluster template.
#[utoipa::path(get, path = "/v1/clustertemplates/{template}", tag = "clustertemplates",
    params(("template" = String, Path, description = "uuid or name")),
    responses((status = 200, body = TemplateView), (status = 404), (status = 409)))]
pub(crate) async fn get(
    State(app): State<App>,
    who: Who,
    links: Links,
    Ident(template): Ident<String>,
    query: Query,
) -> ApiResult<Response> {
    query.only(&[])?;
    let template = app.service().templates().get(&who, &template).await?;
    Ok(Json(TemplateView::new(&template, &links)).into_response())
}
