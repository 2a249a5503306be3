//! `GET /v1/quotas/{project}/{resource}`.

use axum::Json;
use axum::extract::State;

use super::QuotaView;
use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::wire::Query;

/// How much a project may have: by a limit of its own, or by everybody's.
#[utoipa::path(get, path = "/v1/quotas/{project}/{resource}", tag = "quotas",
    params(("project" = String, Path, description = "id of the project"),
           ("resource" = String, Path, description = "`Cluster`")),
    responses((status = 200, body = QuotaView), (status = 403)))]
pub(crate) async fn get(
    State(app): State<App>,
    who: Who,
    Ident((project, resource)): Ident<(String, String)>,
    query: Query,
) -> ApiResult<Json<QuotaView>> {
    query.only(&[])?;
    Ok(Json(app.service().quotas().get(&who, &project, &resource).await?.into()))
}
