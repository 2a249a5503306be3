//! `POST /v1/quotas`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jeroboam_model::{CLUSTER_RESOURCE, ProjectId};
use utoipa::ToSchema;

use super::QuotaView;
use crate::App;
use crate::edge::Who;
use crate::error::{ApiError, ApiResult};
use crate::wire::{Argument, Body, Fields, Length, Query, Range};

const QUOTA: Argument = super::argument("quota");

/// A limit for a project that has none of its own yet.
#[derive(Debug, ToSchema)]
pub(crate) struct CreateQuota {
    /// Id of the project.
    #[schema(max_length = 255)]
    project_id: String,
    /// `Cluster`, which is also meant when absent.
    #[expect(dead_code, reason = "there is only one, so it is enough that no other was named")]
    resource: Option<String>,
    /// 1 when absent.
    #[schema(value_type = Option<i32>, minimum = 0)]
    hard_limit: i32,
}

impl CreateQuota {
    fn parse(fields: &Fields) -> ApiResult<Self> {
        fields.integer("id", Range::POSITIVE)?;
        Ok(Self {
            resource: fields.word("resource", &[CLUSTER_RESOURCE])?,
            hard_limit: hard_limit(fields)?,
            project_id: fields
                .text("project_id", Length::COLUMN)?
                .ok_or_else(|| ApiError::bad_request("Must provide a valid project ID."))?,
        })
    }
}

/// The limit; what is not said is 1. Magnum: the attribute's default, in a PATCH as well.
pub(super) fn hard_limit(fields: &Fields) -> ApiResult<i32> {
    fields.not_null("hard_limit")?;
    Ok(fields.integer("hard_limit", Range::NATURAL)?.unwrap_or(1))
}

/// Sets a limit for a project, for administrators.
#[utoipa::path(post, path = "/v1/quotas", tag = "quotas", request_body = CreateQuota,
    responses((status = 201, body = QuotaView), (status = 400), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn create(
    State(app): State<App>,
    who: Who,
    query: Query,
    body: Body,
) -> ApiResult<(StatusCode, Json<QuotaView>)> {
    query.only(&[])?;
    let wanted = CreateQuota::parse(&body.fields(&QUOTA)?)?;
    let quota = app.service().quotas().create(&who, ProjectId::from(wanted.project_id), wanted.hard_limit).await?;
    Ok((StatusCode::CREATED, Json(quota.into())))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(body: Value) -> Result<(String, i32), String> {
        let fields = Body::of(body).fields(&QUOTA).map_err(ApiError::into_detail)?;
        let wanted = CreateQuota::parse(&fields).map_err(ApiError::into_detail)?;
        Ok((wanted.project_id, wanted.hard_limit))
    }

    #[test]
    fn a_quota_is_read_or_refused_in_one_sentence() {
        assert_eq!(parse(json!({"project_id": "p"})), Ok(("p".to_owned(), 1)));
        assert_eq!(
            parse(json!({"project_id": "p", "resource": "Cluster", "hard_limit": "5"})),
            Ok(("p".to_owned(), 5))
        );
        let rows = [
            (json!({}), "Must provide a valid project ID."),
            (json!({"project_id": null}), "Must provide a valid project ID."),
            (
                json!({"project_id": "p", "hard_limit": -1}),
                "Invalid input for field/attribute hard_limit. Value: '-1'. Value should be greater or equal to 0",
            ),
            (
                json!({"project_id": "p", "hard_limit": null}),
                "Invalid input for field/attribute hard_limit. Value: 'None'. Value can not be null",
            ),
            (
                json!({"project_id": "p", "resource": "Nodes"}),
                "Invalid input for field/attribute resource. Value: 'Nodes'. Value should be one of: Cluster",
            ),
            (json!({"project_id": "p", "limit": 1}), "Unknown attribute for argument quota: limit"),
            (
                json!({"project_id": "p", "created_at": "x"}),
                "Invalid input for field/attribute created_at. Value: 'x'. Cannot set read only field.",
            ),
        ];
        for (body, expected) in rows {
            assert_eq!(parse(body.clone()), Err(expected.to_owned()), "{body}");
        }
    }
}
