//! `GET /v1/mservices`: the processes that do the work.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jeroboam_service::Process;
use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::App;
use crate::edge::Who;
use crate::error::ApiResult;
use crate::wire::Query;

/// A process as last heard of.
#[derive(Serialize, ToSchema)]
struct ServiceView {
    host: Option<String>,
    binary: Option<String>,
    state: &'static str,
    id: i64,
    report_count: i32,
    disabled: bool,
    disabled_reason: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// All processes.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceList {
    mservices: Vec<ServiceView>,
}

/// The processes that do the work, for administrators.
#[utoipa::path(get, path = "/v1/mservices", tag = "mservices",
    responses((status = 200, body = ServiceList), (status = 403)))]
pub(crate) async fn list(State(app): State<App>, who: Who, query: Query) -> ApiResult<Response> {
    query.only(&[])?;
    let services = app.service().processes(&who).await?;
    let mservices = services.into_iter().map(|Process { row, up }| ServiceView {
        host: row.host,
        binary: row.binary,
        state: if up { "up" } else { "down" },
        id: row.serial,
        report_count: row.report_count,
        disabled: row.disabled,
        disabled_reason: row.disabled_reason,
        created_at: row.created_at.map(time),
        updated_at: row.updated_at.map(time),
    });
    Ok(Json(ServiceList { mservices: mservices.collect() }).into_response())
}
