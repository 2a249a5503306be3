//! How a quota is shown: keys, their order and their absence are Magnum's.

use jeroboam_model::{CLUSTER_RESOURCE, Quota};
use jeroboam_service::Limit;
use serde::Serialize;
use utoipa::ToSchema;

use crate::v1::time;

/// How much of a resource a project may have.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuotaView {
    /// Absent when the limit is everybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    hard_limit: i64,
    project_id: String,
    resource: String,
    /// Absent when the limit is everybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Option<String>>,
    /// Absent when the limit is everybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Option<String>>,
}

impl From<Quota> for QuotaView {
    fn from(quota: Quota) -> Self {
        Self {
            id: Some(quota.serial),
            hard_limit: quota.hard_limit.into(),
            project_id: quota.project.to_string(),
            resource: quota.resource,
            created_at: Some(quota.created_at.map(time)),
            updated_at: Some(quota.updated_at.map(time)),
        }
    }
}

impl From<Limit> for QuotaView {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Own(quota) => quota.into(),
            Limit::Default { project, hard_limit } => Self {
                id: None,
                hard_limit: hard_limit.into(),
                project_id: project.to_string(),
                resource: CLUSTER_RESOURCE.to_owned(),
                created_at: None,
                updated_at: None,
            },
        }
    }
}
