//! `PATCH /v1/credentials/{cluster}`.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use jeroboam_oslo::Microversion;

use crate::App;
use crate::edge::{Ident, Who};
use crate::error::ApiResult;
use crate::v1::{Accepted, versions};
use crate::wire::Query;

/// Gives a cluster another application credential, where its driver can. A body is not looked at.
#[utoipa::path(patch, path = "/v1/credentials/{cluster}", tag = "credentials",
    params(("cluster" = String, Path, description = "uuid or name")),
    responses((status = 202, body = Accepted), (status = 400), (status = 403), (status = 404), (status = 406)))]
pub(crate) async fn rotate(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    Ident(cluster): Ident<String>,
    query: Query,
) -> ApiResult<(StatusCode, Json<Accepted>)> {
    versions::since(versions::CREDENTIALS, version)?;
    query.only(&[])?;
    let id = app.service().clusters().rotate_credential(&who, &cluster).await?;
    Ok((StatusCode::ACCEPTED, Json(id.into())))
}
