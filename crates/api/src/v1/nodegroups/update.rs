//! `PATCH /v1/clusters/{cluster}/nodegroups/{nodegroup}`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use jeroboam_model::NodeGroup;
use jeroboam_oslo::Microversion;
use jeroboam_service::NodeGroupChange;
use serde_json::{Map, Value, json};

use super::NodeGroupView;
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::ApiResult;
use crate::v1::{refused, versions};
use crate::wire::{Body, Fields, Patch, PatchOperation, PatchRules, Query, Range};

const RULES: PatchRules = PatchRules {
    internal: &[
        "name",
        "cluster_id",
        "docker_volume_size",
        "labels",
        "flavor_id",
        "image_id",
        "node_addresses",
        "node_count",
        "role",
        "is_default",
        "stack_id",
        "status",
        "status_reason",
        "version",
    ],
    mandatory: &[],
    structured: &["node_labels", "node_taints"],
};

/// Changes the bounds, the Kubernetes labels or the taints of a node group.
#[utoipa::path(patch, path = "/v1/clusters/{cluster}/nodegroups/{nodegroup}", tag = "nodegroups",
    params(("cluster" = String, Path, description = "uuid or name"),
           ("nodegroup" = String, Path, description = "uuid, name or number")),
    request_body = Vec<PatchOperation>,
    responses((status = 202, body = NodeGroupView), (status = 400), (status = 404), (status = 406), (status = 409)))]
pub(crate) async fn update(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    links: Links,
    Ident((cluster, nodegroup)): Ident<(String, String)>,
    query: Query,
    body: Body,
) -> ApiResult<Response> {
    versions::since(versions::NODEGROUPS, version)?;
    query.only(&[])?;
    let patch = Patch::parse(body, &RULES)?;
    let decide = |group: &NodeGroup| change(&patch, group).map_err(refused);
    let both = app.service().nodegroups().update(&who, &cluster, &nodegroup, decide).await?;
    Ok((StatusCode::ACCEPTED, Json(NodeGroupView::new(&both, &links))).into_response())
}

/// What the patch makes of the group as it is.
fn change(patch: &Patch, group: &NodeGroup) -> ApiResult<NodeGroupChange> {
    let document = Map::from_iter([
        ("min_node_count".to_owned(), Value::from(group.min_node_count)),
        ("max_node_count".to_owned(), Value::from(group.max_node_count)),
        ("node_labels".to_owned(), json!(group.node_labels)),
        ("node_taints".to_owned(), json!(group.node_taints)),
    ]);
    let fields = Fields::of(patch.apply(document, &RULES)?);
    let mut change = NodeGroupChange::default();
    if patch.touches("min_node_count") {
        change.min_node_count = Some(fields.integer("min_node_count", Range::NATURAL)?.unwrap_or(0));
    }
    if patch.touches("max_node_count") {
        change.max_node_count = Some(fields.integer("max_node_count", Range::NATURAL)?);
    }
    if patch.touches("node_labels") {
        change.node_labels = Some(fields.map("node_labels")?.unwrap_or_default());
    }
    if patch.touches("node_taints") {
        change.node_taints = Some(fields.maps("node_taints")?.unwrap_or_default());
    }
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;
    use crate::tests::samples;

    fn check(patch: Value) -> Result<NodeGroupChange, String> {
        let group = samples::cluster().groups.remove(1);
        let patch = Patch::parse(Body::of(patch), &RULES).map_err(ApiError::into_detail)?;
        change(&patch, &group).map_err(ApiError::into_detail)
    }

    #[test]
    fn bounds_labels_and_taints_may_change() {
        let rows = [
            (
                json!([{"op": "replace", "path": "/min_node_count", "value": "1"}]),
                NodeGroupChange { min_node_count: Some(1), ..Default::default() },
            ),
            (
                json!([{"op": "remove", "path": "/min_node_count"}]),
                NodeGroupChange { min_node_count: Some(0), ..Default::default() },
            ),
            (
                json!([{"op": "add", "path": "/max_node_count", "value": 5}]),
                NodeGroupChange { max_node_count: Some(Some(5)), ..Default::default() },
            ),
            (
                json!([{"op": "remove", "path": "/max_node_count"}]),
                NodeGroupChange { max_node_count: Some(None), ..Default::default() },
            ),
            (
                json!([{"op": "replace", "path": "/node_labels", "value": "{'a': 'b'}"}]),
                NodeGroupChange { node_labels: Some([("a".to_owned(), "b".to_owned())].into()), ..Default::default() },
            ),
            (
                json!([{"op": "replace", "path": "/node_taints", "value": "[{'key': 'k', 'effect': 'NoExecute'}]"}]),
                NodeGroupChange {
                    node_taints: Some(vec![
                        [("key".to_owned(), "k".to_owned()), ("effect".to_owned(), "NoExecute".to_owned())].into(),
                    ]),
                    ..Default::default()
                },
            ),
        ];
        for (patch, expected) in rows {
            assert_eq!(check(patch.clone()), Ok(expected), "{patch}");
        }
    }

    #[test]
    fn nothing_else_may() {
        for name in ["name", "node_count", "labels", "role", "is_default", "uuid", "project_id"] {
            let path = format!("/{name}");
            let refusal = check(json!([{"op": "replace", "path": path, "value": "x"}])).expect_err("internal");
            assert_eq!(refusal, format!("'{path}' is an internal attribute and can not be updated"));
        }
        assert!(check(json!([{"op": "replace", "path": "/merge_labels", "value": true}])).is_err());
    }
}
