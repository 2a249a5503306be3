//! What is served: `/api`, `/apis`, one document per group and version, and the aggregated form.

use serde_json::{Value, json};

use super::{Kind, Kinds};

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// `/api`
pub(crate) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`
pub(crate) fn groups(kinds: &Kinds) -> Value {
    let mut all = kinds.groups();
    all.extend(review_groups());
    let groups: Vec<Value> = all.iter().map(|(name, versions)| group(name, versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/{group}`
pub(crate) fn one_group(kinds: &Kinds, name: &str) -> Option<Value> {
    let mut all = kinds.groups();
    all.extend(review_groups());
    let (name, versions) = all.iter().find(|(group, _)| *group == name)?;
    let mut found = group(name, versions);
    found["kind"] = json!("APIGroup");
    found["apiVersion"] = json!("v1");
    Some(found)
}

/// `/api/v1` and `/apis/{group}/{version}`
pub(crate) fn resources(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for kind in kinds.all().filter(|kind| kind.group == group && kinds.versions(kind).contains(&version)) {
        resources.push(json!({
            "name": kind.plural, "singularName": kind.singular(), "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": VERBS, "shortNames": kind.short, "categories": categories(kind),
        }));
        for (part, part_kind) in parts(kind) {
            resources.push(json!({
                "name": format!("{}/{part}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
                "kind": part_kind, "verbs": ["get", "patch", "update"],
            }));
        }
    }
    for (review_group, plural, kind) in
        REVIEWS.iter().filter(|(review_group, _, _)| *review_group == group && version == "v1")
    {
        debug_assert_eq!(*review_group, group);
        resources.push(json!({
            "name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind, "verbs": ["create"],
        }));
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!resources.is_empty())
        .then(|| json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}))
}

/// The aggregated form of `/api` (`core`) or `/apis`.
pub(crate) fn aggregated(kinds: &Kinds, core: bool) -> Value {
    let groups: Vec<(&str, Vec<&str>)> =
        if core { vec![("", vec!["v1"])] } else { kinds.groups().into_iter().chain(review_groups()).collect() };
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> =
                versions.iter().map(|version| aggregated_version(kinds, group, version)).collect();
            json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated_version(kinds: &Kinds, group: &str, version: &str) -> Value {
    let response = |kind: &str, group: &str, version: &str| json!({"group": group, "version": version, "kind": kind});
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
    let mut resources: Vec<Value> = kinds
        .all()
        .filter(|kind| kind.group == group && kinds.versions(kind).contains(&version))
        .map(|kind| {
            let parts: Vec<Value> = parts(kind)
                .iter()
                .map(|(part, part_kind)| {
                    let (part_group, part_version) =
                        if *part == "scale" { ("autoscaling", "v1") } else { (group, version) };
                    json!({
                        "subresource": part, "responseKind": response(part_kind, part_group, part_version),
                        "verbs": ["get", "patch", "update"],
                    })
                })
                .collect();
            json!({
                "resource": kind.plural, "responseKind": response(kind.kind, group, version),
                "scope": scope(kind.namespaced), "singularResource": kind.singular(), "verbs": VERBS,
                "shortNames": kind.short, "categories": categories(kind), "subresources": parts,
            })
        })
        .collect();
    for (_, plural, kind) in REVIEWS.iter().filter(|(review_group, _, _)| *review_group == group && version == "v1") {
        resources.push(json!({
            "resource": plural, "responseKind": response(kind, group, version), "scope": "Cluster",
            "singularResource": kind.to_lowercase(), "verbs": ["create"],
        }));
    }
    json!({"version": version, "resources": resources, "freshness": "Current"})
}

/// Questions that are asked by creating them.
const REVIEWS: [(&str, &str, &str); 3] = [
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    ("authentication.k8s.io", "tokenreviews", "TokenReview"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
];

fn review_groups() -> [(&'static str, Vec<&'static str>); 2] {
    [("authentication.k8s.io", vec!["v1"]), ("authorization.k8s.io", vec!["v1"])]
}

fn group(name: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions[0]})
}

fn parts(kind: &Kind) -> Vec<(&'static str, &'static str)> {
    let mut parts = Vec::new();
    if kind.status {
        parts.push(("status", kind.kind));
    }
    if kind.scale {
        parts.push(("scale", "Scale"));
    }
    parts
}

fn categories(kind: &Kind) -> &'static [&'static str] {
    if kind.group.ends_with("cluster.x-k8s.io") { &["cluster-api"] } else { &[] }
}
