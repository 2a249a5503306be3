//! Just enough OpenAPI for `kubectl apply`: which kinds there are, and that the server itself checks fields.

use serde_json::{Map, Value, json};

use super::{Kind, Kinds};

/// `/openapi/v3`
pub(crate) fn index(kinds: &Kinds) -> Value {
    let mut paths = Map::new();
    paths.insert("api/v1".to_owned(), json!({"serverRelativeURL": "/openapi/v3/api/v1?hash=1"}));
    for (group, versions) in kinds.groups() {
        for version in versions {
            let path = format!("apis/{group}/{version}");
            let url = format!("/openapi/v3/{path}?hash=1");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// `/openapi/v3/api/v1` and `/openapi/v3/apis/{group}/{version}`
pub(crate) fn group(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for kind in kinds.all().filter(|kind| kind.group == group && kinds.versions(kind).contains(&version)) {
        let known = json!({"group": group, "version": version, "kind": kind.kind});
        let schema = schema_name(kind, version);
        let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        schemas.insert(
            schema.clone(),
            json!({
                "type": "object",
                "properties": {
                    "apiVersion": {"type": "string"}, "kind": {"type": "string"},
                    "metadata": any, "spec": any, "status": any, "data": any,
                },
                "x-kubernetes-preserve-unknown-fields": true,
                "x-kubernetes-group-version-kind": [known],
            }),
        );
        let body = json!({"schema": {"$ref": format!("#/components/schemas/{schema}")}});
        let parameter =
            |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
        let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation", "force"].map(parameter).into();
        let operation = |action: &str, types: &[&str]| {
            let content: Map<String, Value> = types.iter().map(|kind| ((*kind).to_owned(), body.clone())).collect();
            json!({
                "x-kubernetes-action": action, "x-kubernetes-group-version-kind": known,
                "parameters": parameters,
                "requestBody": {"content": content}, "responses": {"200": {"description": "OK", "content": {"application/json": body}}},
            })
        };
        let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let scope = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let merge_patch = "application/merge-patch+json";
        paths.insert(format!("{root}{scope}/{}", kind.plural), json!({"post": operation("post", &["*/*"])}));
        paths.insert(
            format!("{root}{scope}/{}/{{name}}", kind.plural),
            json!({"put": operation("put", &["*/*"]), "patch": operation("patch", &[merge_patch, "application/apply-patch+yaml"])}),
        );
    }
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "unversioned"},
            "paths": paths, "components": {"schemas": schemas},
        })
    })
}

/// `/openapi/v2` as JSON: the kinds by name, without their fields.
pub(crate) fn version_two(kinds: &Kinds) -> Value {
    let definitions: Map<String, Value> = kinds
        .all()
        .flat_map(|kind| kinds.versions(kind).iter().map(move |version| (kind, *version)))
        .map(|(kind, version)| {
            let known = json!([{"group": kind.group, "version": version, "kind": kind.kind}]);
            (schema_name(kind, version), json!({"type": "object", "x-kubernetes-group-version-kind": known}))
        })
        .collect();
    json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": "unversioned"}, "paths": {}, "definitions": definitions,
    })
}

fn schema_name(kind: &Kind, version: &str) -> String {
    let group = if kind.group.is_empty() { "io.k8s.api.core".to_owned() } else { reversed(kind.group) };
    format!("{group}.{version}.{}", kind.kind)
}

fn reversed(group: &str) -> String {
    group.split('.').rev().collect::<Vec<_>>().join(".")
}
