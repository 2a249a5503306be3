//! `PATCH /v1/clustertemplates/{template}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jeroboam_model::ClusterTemplate;
use serde_json::Value;

use super::TemplateView;
use super::create::{ENGINES, PORTS, SERVER_TYPES, server_type};
use crate::App;
use crate::edge::{Ident, Links, Who};
use crate::error::{ApiError, ApiResult};
use crate::v1::refused;
use crate::wire::{Body, Fields, Length, Patch, PatchOperation, PatchRules, Query, Range};

const RULES: PatchRules = PatchRules {
    internal: &[],
    mandatory: &[
        "image_id",
        "coe",
        "network_driver",
        "external_network_id",
        "tls_disabled",
        "public",
        "server_type",
        "registry_enabled",
        "cluster_distro",
        "hidden",
    ],
    structured: &["labels"],
};

/// Changes a cluster template. One that clusters refer to changes only in its name, tags and visibility.
#[utoipa::path(patch, path = "/v1/clustertemplates/{template}", tag = "clustertemplates",
    params(("template" = String, Path, description = "uuid or name")), request_body = Vec<PatchOperation>,
    responses((status = 200, body = TemplateView), (status = 400), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    State(app): State<App>,
    who: Who,
    links: Links,
    Ident(template): Ident<String>,
    query: Query,
    body: Body,
) -> ApiResult<Response> {
    query.only(&[])?;
    let patch = Patch::parse(body, &RULES)?;
    let decide = |now: &ClusterTemplate| patched(&patch, now, &links).map_err(refused);
    let template = app.service().templates().update(&who, &template, decide).await?;
    Ok(Json(TemplateView::new(&template, &links)).into_response())
}

/// The template as the patch wants it. What the patch does not mention stays, whatever old rows hold.
fn patched(patch: &Patch, now: &ClusterTemplate, links: &Links) -> ApiResult<ClusterTemplate> {
    let view = serde_json::to_value(TemplateView::new(now, links)).map_err(ApiError::internal)?;
    let Value::Object(document) = view else { return Err(ApiError::internal("a view that is no object")) };
    let fields = Fields::of(patch.apply(document, &RULES)?);
    let mut template = now.clone();
    let texts = [
        ("name", &mut template.name),
        ("image_id", &mut template.image_id),
        ("flavor_id", &mut template.flavor_id),
        ("master_flavor_id", &mut template.master_flavor_id),
        ("dns_nameserver", &mut template.dns_nameserver),
        ("keypair_id", &mut template.keypair_id),
        ("external_network_id", &mut template.external_network_id),
        ("fixed_network", &mut template.fixed_network),
        ("fixed_subnet", &mut template.fixed_subnet),
        ("network_driver", &mut template.network_driver),
        ("cluster_distro", &mut template.cluster_distro),
        ("http_proxy", &mut template.http_proxy),
        ("https_proxy", &mut template.https_proxy),
        ("no_proxy", &mut template.no_proxy),
        ("volume_driver", &mut template.volume_driver),
        ("insecure_registry", &mut template.insecure_registry),
        ("docker_storage_driver", &mut template.docker_storage_driver),
        ("driver", &mut template.driver),
    ];
    for (name, slot) in texts {
        if patch.touches(name) {
            let was = std::mem::replace(slot, fields.text(name, Length::COLUMN)?);
            // An emptied mandatory attribute is as good as removed.
            if slot.is_none() && was.is_some() && RULES.mandatory.contains(&name) {
                return Err(Fields::missing(name));
            }
        }
    }
    if patch.touches("tags") {
        template.tags = fields.text("tags", Length(0, 255))?;
    }
    let flags = [
        ("registry_enabled", &mut template.registry_enabled, false),
        ("tls_disabled", &mut template.tls_disabled, false),
        ("public", &mut template.public, false),
        ("hidden", &mut template.hidden, false),
        ("master_lb_enabled", &mut template.master_lb_enabled, false),
        ("floating_ip_enabled", &mut template.floating_ip_enabled, true),
    ];
    for (name, slot, default) in flags {
        if patch.touches(name) {
            *slot = fields.boolean(name)?.unwrap_or(default);
        }
    }
    if patch.touches("apiserver_port") {
        template.apiserver_port = fields.integer("apiserver_port", PORTS)?;
    }
    if patch.touches("docker_volume_size") {
        template.docker_volume_size = fields.integer("docker_volume_size", Range::POSITIVE)?;
    }
    if patch.touches("labels") {
        template.labels = fields.labels("labels")?.unwrap_or_default();
    }
    if patch.touches("coe") {
        template.coe = fields.word("coe", &ENGINES)?.ok_or_else(|| Fields::missing("coe"))?;
    }
    if patch.touches("server_type") {
        template.server_type = server_type(fields.word("server_type", &SERVER_TYPES)?.as_deref());
    }
    Ok(template)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tests::samples;

    fn check(patch: Value) -> Result<Value, String> {
        let patch = Patch::parse(Body::of(patch), &RULES).map_err(ApiError::into_detail)?;
        let template = patched(&patch, &samples::template(), &samples::links()).map_err(ApiError::into_detail)?;
        Ok(serde_json::to_value(TemplateView::new(&template, &samples::links())).expect("a view"))
    }

    #[test]
    fn every_dialect_of_the_clients_changes_what_it_means() {
        let rows = [
            (json!([]), json!({"name": "small"})),
            (json!([{"op": "replace", "path": "/name", "value": "big"}]), json!({"name": "big"})),
            (json!([{"op": "replace", "path": "/public", "value": "True"}]), json!({"public": true})),
            (
                json!([{"op": "replace", "path": "/floating_ip_enabled", "value": "false"}]),
                json!({"floating_ip_enabled": false}),
            ),
            (json!([{"op": "remove", "path": "/floating_ip_enabled"}]), json!({"floating_ip_enabled": true})),
            (json!([{"op": "add", "path": "/docker_volume_size", "value": "5"}]), json!({"docker_volume_size": 5})),
            (json!([{"op": "replace", "path": "/labels", "value": "{'a': 'b'}"}]), json!({"labels": {"a": "b"}})),
            (
                json!([{"op": "add", "path": "/labels/new", "value": true}]),
                json!({"labels": {"kube_tag": "v1.33.4", "new": "True"}}),
            ),
            (json!([{"op": "remove", "path": "/labels"}]), json!({"labels": {}})),
            (json!([{"op": "replace", "path": "/dns_nameserver", "value": ""}]), json!({"dns_nameserver": null})),
        ];
        for (patch, expected) in rows {
            let view = check(patch.clone()).expect("a good patch");
            for (name, value) in expected.as_object().expect("an object") {
                assert_eq!(&view[name], value, "{patch}");
            }
        }
    }

    #[test]
    fn bad_values_are_named() {
        let rows = [
            (
                json!([{"op": "replace", "path": "/docker_volume_size", "value": "x"}]),
                "docker_volume_size. Value: 'x'. invalid literal",
            ),
            (
                json!([{"op": "add", "path": "/docker_volume_size", "value": "x"}]),
                "docker_volume_size. Value: 'x'. invalid literal",
            ),
            (
                json!([{"op": "replace", "path": "/public", "value": "maybe"}]),
                "public. Value: 'maybe'. Unrecognized value",
            ),
            (json!([{"op": "replace", "path": "/coe", "value": "swarm"}]), "Value should be one of: kubernetes"),
            (
                json!([{"op": "replace", "path": "/image_id", "value": ""}]),
                "image_id. Value: 'None'. Mandatory field missing.",
            ),
            (
                json!([{"op": "replace", "path": "/external_network_id", "value": ""}]),
                "external_network_id. Value: 'None'. Mandatory field missing.",
            ),
            (json!([{"op": "remove", "path": "/image_id"}]), "is a mandatory attribute and can not be removed"),
            (
                json!([{"op": "replace", "path": "/project_id", "value": "x"}]),
                "is an internal attribute and can not be updated",
            ),
            (
                json!([{"op": "replace", "path": "/labels", "value": 5}]),
                "labels. Value: '5'. Value should be an object",
            ),
        ];
        for (patch, expected) in rows {
            let refusal = check(patch.clone()).expect_err(expected);
            assert!(refusal.contains(expected), "{patch}: {refusal}");
        }
    }
}
