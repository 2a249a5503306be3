//! `PATCH /v1/clusters/{cluster}`.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use jeroboam_model::{ClusterWithGroups, HealthStatus};
use jeroboam_oslo::Microversion;
use jeroboam_service::ClusterChange;
use serde_json::Value;

use super::ClusterView;
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::{ApiError, ApiResult};
use crate::v1::{Accepted, refused, versions};
use crate::wire::{Body, Fields, Patch, PatchOperation, PatchRules, Query, Range};

const RULES: PatchRules = PatchRules {
    internal: &[
        "api_address",
        "node_addresses",
        "master_addresses",
        "stack_id",
        "cluster_id",
        "ca_cert_ref",
        "magnum_cert_ref",
        "etcd_ca_cert_ref",
        "front_proxy_ca_cert_ref",
    ],
    mandatory: &["cluster_template_id"],
    structured: &["labels", "health_status_reason"],
};

/// What may change; everything else has its own operations or none.
const CHANGEABLE: [&str; 3] = ["node_count", "health_status", "health_status_reason"];

/// Changes the size of the default worker group, or the health that an outside healer sees.
#[utoipa::path(patch, path = "/v1/clusters/{cluster}", tag = "clusters",
    params(("cluster" = String, Path, description = "uuid or name"),
           ("rollback" = Option<bool>, Query, description = "accepted from 1.3 on; nothing depends on it")),
    request_body = Vec<PatchOperation>,
    responses((status = 202, body = Accepted), (status = 400), (status = 404)))]
pub(crate) async fn update(
    State(app): State<App>,
    who: Who,
    Extension(version): Extension<Microversion>,
    links: Links,
    Ident(cluster): Ident<String>,
    query: Query,
    body: Body,
) -> ApiResult<(StatusCode, Json<Accepted>)> {
    query.only(if version >= versions::ROLLBACK { &["rollback"] } else { &[] })?;
    query.boolean("rollback")?;
    let patch = Patch::parse(body, &RULES)?;
    let decide = |all: &ClusterWithGroups| change(&patch, all, version, &links).map_err(refused);
    let id = app.service().clusters().update(&who, &cluster, decide).await?;
    Ok((StatusCode::ACCEPTED, Json(id.into())))
}

/// What the patch makes of the cluster as it is.
fn change(patch: &Patch, all: &ClusterWithGroups, version: Microversion, links: &Links) -> ApiResult<ClusterChange> {
    let view = serde_json::to_value(ClusterView::to_patch(all, version, links)).map_err(ApiError::internal)?;
    let Value::Object(before) = view else { return Err(ApiError::internal("a view that is no object")) };
    let after = patch.apply(before.clone(), &RULES)?;
    // Magnum: what is taken away is changed, also where there was nothing.
    let stays = |name: &str, value: &Value| after.get(name).is_some_and(|after| same(after, value));
    let others = before.iter().filter(|(name, value)| !CHANGEABLE.contains(&name.as_str()) && !stays(name, value));
    let others: Vec<&str> = others.map(|(name, _)| name.as_str()).collect();
    if !others.is_empty() {
        let sentence = format!("cannot change cluster property(ies) {}.", others.join(", "));
        return Err(ApiError::bad_request(sentence));
    }
    let fields = Fields::of(after);
    let mut change = ClusterChange { before_1_10: version < versions::ZERO_NODES, ..ClusterChange::default() };
    if patch.touches("node_count") {
        // Magnum: a removed count is the attribute's default.
        change.node_count = Some(fields.integer("node_count", Range::NATURAL)?.unwrap_or(1));
    }
    if patch.touches("health_status") {
        let word = fields.word("health_status", &["HEALTHY", "UNHEALTHY", "UNKNOWN"])?;
        change.health_status = Some(word.and_then(|word| word.parse::<HealthStatus>().ok()));
    }
    if patch.touches("health_status_reason") {
        change.health_status_reason = Some(fields.map("health_status_reason")?.unwrap_or_default());
    }
    Ok(change)
}

/// Whether two values are stored alike. Labels are texts: a patch may bring the number 2 for the label "2".
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
            number.to_string() == *text
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tests::samples;

    #[test]
    fn a_label_that_is_a_number_is_its_text() {
        let labels = json!({"a": "1", "b": "2"});
        assert!(same(&json!({"a": "1", "b": 2}), &labels));
        assert!(!same(&json!({"a": "1", "b": 3}), &labels));
        assert!(!same(&json!({"b": "2"}), &labels));
        assert!(!same(&json!({"a": "1", "b": true}), &labels));
    }

    fn check(patch: Value) -> Result<ClusterChange, String> {
        let all = samples::cluster();
        let patch = Patch::parse(Body::of(patch), &RULES).map_err(ApiError::into_detail)?;
        change(&patch, &all, Microversion::MAX, &samples::links()).map_err(ApiError::into_detail)
    }

    #[test]
    fn size_and_health_may_change() {
        let rows = [
            (json!([]), ClusterChange::default()),
            (
                json!([{"op": "replace", "path": "/node_count", "value": 4}]),
                ClusterChange { node_count: Some(4), ..Default::default() },
            ),
            (
                json!([{"op": "replace", "path": "/node_count", "value": "4"}]),
                ClusterChange { node_count: Some(4), ..Default::default() },
            ),
            (
                json!([{"op": "remove", "path": "/node_count"}]),
                ClusterChange { node_count: Some(1), ..Default::default() },
            ),
            (
                json!([{"op": "replace", "path": "/health_status", "value": "UNHEALTHY"},
                       {"op": "replace", "path": "/health_status_reason", "value": "{'api': 'down', 'n': True}"}]),
                ClusterChange {
                    health_status: Some(Some(HealthStatus::Unhealthy)),
                    health_status_reason: Some(
                        [("api".to_owned(), "down".to_owned()), ("n".to_owned(), "True".to_owned())].into(),
                    ),
                    ..Default::default()
                },
            ),
            (
                json!([{"op": "remove", "path": "/health_status"}]),
                ClusterChange { health_status: Some(None), ..Default::default() },
            ),
            (
                json!([{"op": "remove", "path": "/health_status_reason"}]),
                ClusterChange { health_status_reason: Some([].into()), ..Default::default() },
            ),
            (json!([{"op": "replace", "path": "/name", "value": "one"}]), ClusterChange::default()),
        ];
        for (patch, expected) in rows {
            assert_eq!(check(patch.clone()), Ok(expected), "{patch}");
        }
    }

    #[test]
    fn nothing_else_may() {
        let rows = [
            (json!([{"op": "replace", "path": "/name", "value": "two"}]), "cannot change cluster property(ies) name."),
            (
                json!([{"op": "remove", "path": "/docker_volume_size"}]),
                "cannot change cluster property(ies) docker_volume_size.",
            ),
            (json!([{"op": "add", "path": "/labels/x", "value": "y"}]), "cannot change cluster property(ies) labels."),
            (
                json!([{"op": "remove", "path": "/name"}, {"op": "replace", "path": "/master_count", "value": 3}]),
                "cannot change cluster property(ies) name, master_count.",
            ),
            (
                json!([{"op": "replace", "path": "/api_address", "value": "x"}]),
                "'/api_address' is an internal attribute and can not be updated",
            ),
            (
                json!([{"op": "remove", "path": "/cluster_template_id"}]),
                "'/cluster_template_id' is a mandatory attribute and can not be removed",
            ),
            (
                json!([{"op": "replace", "path": "/node_count", "value": -1}]),
                "Invalid input for field/attribute node_count. Value: '-1'. Value should be greater or equal to 0",
            ),
            (
                json!([{"op": "replace", "path": "/node_count", "value": "x"}]),
                "Invalid input for field/attribute node_count. Value: 'x'. invalid literal for int() with base 10: 'x'",
            ),
            (
                json!([{"op": "replace", "path": "/health_status", "value": "FINE"}]),
                "Invalid input for field/attribute health_status. Value: 'FINE'. Value should be one of: HEALTHY, UNHEALTHY, UNKNOWN",
            ),
        ];
        for (patch, expected) in rows {
            let refusal = check(patch.clone()).expect_err(expected);
            let sorted = |text: &str| {
                let mut words: Vec<_> = text.trim_end_matches('.').split([' ', ',']).map(str::to_owned).collect();
                words.sort();
                words
            };
            assert_eq!(sorted(&refusal), sorted(expected), "{patch}");
        }
    }
}
