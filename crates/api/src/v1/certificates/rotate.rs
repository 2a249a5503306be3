//! `PATCH /v1/certificates/{cluster}`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::v1::Accepted;
use crate::wire::Query;

/// Replaces a cluster's certificate authorities, where its driver can. A body is not looked at.
#[utoipa::path(patch, path = "/v1/certificates/{cluster}", tag = "certificates",
    params(("cluster" = String, Path, description = "uuid or name")),
    responses((status = 202, body = Accepted), (status = 400), (status = 403), (status = 404)))]
pub(crate) async fn rotate(
    State(app): State<App>,
    who: Who,
    Ident(cluster): Ident<String>,
    query: Query,
) -> ApiResult<(StatusCode, Json<Accepted>)> {
    query.only(&[])?;
    let id = app.service().certificates().rotate(&who, &cluster).await?;
    Ok((StatusCode::ACCEPTED, Json(id.into())))
}
