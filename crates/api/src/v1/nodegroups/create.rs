//! `POST /v1/clusters/{cluster}/nodegroups`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use jeroboam_model::Labels;
use jeroboam_oslo::Microversion;
use jeroboam_service::{NewNodeGroup, RawTaint};
use utoipa::ToSchema;

use super::NodeGroupView;
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::ApiResult;
use crate::v1::versions;
use crate::wire::{Argument, Body, Fields, Length, Query, Range};

const NODEGROUP: Argument = Argument {
    name: "nodegroup",
    known: &[
        "name",
        "node_count",
        "min_node_count",
        "max_node_count",
        "role",
        "flavor_id",
        "image_id",
        "docker_volume_size",
        "labels",
        "merge_labels",
        "node_labels",
        "node_taints",
        // Accepted and not looked at.
        "status",
        "status_reason",
        "version",
        "is_default",
        "uuid",
        "id",
        "cluster_id",
        "labels_overridden",
        "labels_added",
        "labels_skipped",
    ],
    read_only: &["project_id", "links", "node_addresses", "stack_id", "created_at", "updated_at"],
};

/// A node group that is to be made. Numbers and booleans may come as text.
#[derive(Debug, ToSchema)]
pub(crate) struct CreateNodeGroup {
    /// Unique within its cluster.
    #[schema(max_length = 255)]
    name: String,
    /// 1 when absent.
    #[schema(minimum = 0)]
    node_count: Option<i32>,
    /// 0 when absent.
    #[schema(minimum = 0)]
    min_node_count: Option<i32>,
    /// Absent and 0 are no bound.
    #[schema(minimum = 0)]
    max_node_count: Option<i32>,
    /// `worker` when absent.
    role: Option<String>,
    /// The cluster's when absent.
    flavor_id: Option<String>,
    /// The template's when absent.
    image_id: Option<String>,
    /// GiB.
    #[schema(minimum = 1)]
    docker_volume_size: Option<i32>,
    /// The cluster's when absent.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    labels: Option<Labels>,
    /// Whether the labels are laid over the cluster's instead of replacing them.
    merge_labels: Option<bool>,
    /// Kubernetes labels of the nodes.
    node_labels: Option<BTreeMap<String, String>>,
    /// Kubernetes taints of the nodes: `key`, `effect` and perhaps `value`.
    #[schema(value_type = Option<Vec<BTreeMap<String, String>>>)]
    node_taints: Option<Vec<RawTaint>>,
}

impl CreateNodeGroup {
    fn parse(fields: &Fields) -> ApiResult<Self> {
        Ok(Self {
            name: fields.mandatory_text("name", Length::COLUMN)?,
            node_count: fields.integer("node_count", Range::NATURAL)?,
            min_node_count: fields.integer("min_node_count", Range::NATURAL)?,
            max_node_count: fields.integer("max_node_count", Range::NATURAL)?,
            role: fields.text("role", Length::COLUMN)?,
            flavor_id: fields.text("flavor_id", Length::COLUMN)?,
            image_id: fields.text("image_id", Length::COLUMN)?,
            docker_volume_size: fields.integer("docker_volume_size", Range::POSITIVE)?,
            labels: fields.labels("labels")?,
            merge_labels: fields.boolean("merge_labels")?,
            node_labels: fields.map("node_labels")?,
            node_taints: fields.maps("node_taints")?,
        })
    }
}

impl From<CreateNodeGroup> for NewNodeGroup {
    fn from(wire: CreateNodeGroup) -> Self {
        Self {
            name: wire.name,
            node_count: wire.node_count,
            min_node_count: wire.min_node_count,
            max_node_count: wire.max_node_count,
            role: wire.role,
            flavor_id: wire.flavor_id,
            image_id: wire.image_id,
            docker_volume_size: wire.docker_volume_size,
            labels: wire.labels,
            merge_labels: wire.merge_labels.unwrap_or_default(),
            node_labels: wire.node_labels.unwrap_or_default(),
            node_taints: wire.node_taints.unwrap_or_default(),
        }
    }
}

/// Adds a node group.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/nodegroups", tag = "nodegroups",
    params(("cluster" = String, Path, description = "uuid or name")), request_body = CreateNodeGroup,
    responses((status = 202, body = NodeGroupView), (status = 400), (status = 404), (status = 406), (status = 409)))]
pub(crate) async fn create(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    links: Links,
    Ident(cluster): Ident<String>,
    query: Query,
    body: Body,
) -> ApiResult<Response> {
    versions::since(versions::NODEGROUPS, version)?;
    query.only(&[])?;
    let wanted = CreateNodeGroup::parse(&body.fields(&NODEGROUP)?)?;
    let both = app.service().nodegroups().create(&who, &cluster, wanted.into()).await?;
    Ok((StatusCode::ACCEPTED, Json(NodeGroupView::new(&both, &links))).into_response())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::ApiError;

    fn parse(body: Value) -> Result<NewNodeGroup, String> {
        let fields = Body::of(body).fields(&NODEGROUP);
        fields.and_then(|fields| CreateNodeGroup::parse(&fields)).map(Into::into).map_err(ApiError::into_detail)
    }

    #[test]
    fn a_group_is_read_with_its_labels_and_taints() {
        let group = parse(json!({
            "name": "gpu", "node_count": "2", "max_node_count": 0, "role": "", "merge_labels": "yes",
            "labels": {"a": 1}, "node_labels": {"tier": "gpu"},
            "node_taints": [{"key": "gpu", "effect": "NoSchedule", "value": null}], "status": "CREATE_COMPLETE"
        }));
        let group = group.expect("a good body");
        assert_eq!((group.name.as_str(), group.node_count, group.max_node_count), ("gpu", Some(2), Some(0)));
        assert_eq!((group.role, group.merge_labels), (None, true));
        assert_eq!(group.labels.as_ref().and_then(|labels| labels.get("a")), Some("1"));
        assert_eq!(group.node_labels.get("tier").map(String::as_str), Some("gpu"));
        assert_eq!(group.node_taints[0].len(), 2);
    }

    #[test]
    fn bad_values_are_named() {
        let rows = [
            (json!({}), "name. Value: 'None'. Mandatory field missing."),
            (json!({"name": ""}), "name. Value: 'None'. Mandatory field missing."),
            (json!({"name": "a", "node_count": -1}), "node_count. Value: '-1'. Value should be greater or equal to 0"),
            (json!({"name": "a", "node_labels": ["x"]}), "node_labels. Value: '['x']'. Value should be an object"),
            (json!({"name": "a", "stack_id": "x"}), "stack_id. Value: 'x'. Cannot set read only field."),
        ];
        for (body, expected) in rows {
            let expected = format!("Invalid input for field/attribute {expected}");
            assert_eq!(parse(body.clone()).expect_err(&expected), expected, "{body}");
        }
    }
}
