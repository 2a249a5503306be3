//! `PATCH /v1/quotas/{project}/{resource}`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use utoipa::ToSchema;

use super::QuotaView;
use super::create::hard_limit;
use crate::App;
use crate::edge::{Ident, Who};
use crate::error::{ApiError, ApiResult};
use crate::wire::{Argument, Body, Fields, Length, Query};

const QUOTA: Argument = super::argument("quotapatch");

/// Another limit. This is an object and no JSON Patch; project and resource are those of the path.
#[derive(ToSchema)]
#[expect(dead_code, reason = "this is only described: the one field is read by hand")]
pub(crate) struct UpdateQuota {
    /// 1 when absent.
    #[schema(minimum = 0)]
    hard_limit: Option<i32>,
}

/// Changes the limit of a project, for administrators.
#[utoipa::path(patch, path = "/v1/quotas/{project}/{resource}", tag = "quotas",
    params(("project" = String, Path, description = "id of the project"),
           ("resource" = String, Path, description = "`Cluster`")), request_body = UpdateQuota,
    responses((status = 202, body = QuotaView), (status = 400), (status = 403), (status = 404)))]
pub(crate) async fn update(
    State(app): State<App>,
    who: Who,
    Ident((project, resource)): Ident<(String, String)>,
    query: Query,
    body: Body,
) -> ApiResult<(StatusCode, Json<QuotaView>)> {
    query.only(&[])?;
    let fields = body.fields(&QUOTA)?;
    fields.text("project_id", Length::COLUMN)?;
    fields.text("resource", Length::COLUMN)?;
    let quota = app.service().quotas().update(&who, &project, &resource, new_limit(&fields)?).await?;
    Ok((StatusCode::ACCEPTED, Json(quota.into())))
}

/// As in a POST, but for empty text: nobody who left the field empty meant to lower the limit to 1.
fn new_limit(fields: &Fields) -> ApiResult<i32> {
    if fields.is_blank("hard_limit") {
        return Err(ApiError::invalid("hard_limit", "", "invalid literal for int() with base 10: ''"));
    }
    hard_limit(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_limit_is_none() {
        for (limit, expected) in [(json!(5), Some(5)), (json!("5"), Some(5)), (json!(""), None), (json!(null), None)] {
            let fields = Body::of(json!({"hard_limit": limit})).fields(&QUOTA).expect("an object");
            assert_eq!(new_limit(&fields).ok(), expected, "{limit}");
        }
        let fields = Body::of(json!({})).fields(&QUOTA).expect("an object");
        assert_eq!(new_limit(&fields).ok(), Some(1));
    }
}
