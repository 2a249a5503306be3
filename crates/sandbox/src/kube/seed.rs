//! What a new cluster has from the beginning: namespaces, and the definitions of the custom kinds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Kind, Kinds, Space};
use crate::state::Writer;

/// Puts what every cluster has, unless it is there.
pub(crate) fn namespaces(space: &Space, writer: &mut Writer<'_>, now: Timestamp) {
    let Some(kind) = space.kinds().by_kind("", "Namespace").copied() else { return };
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        // A restart finds them there.
        let _ = space.create(writer, &kind, namespace, now);
    }
}

/// Puts the definitions of the custom kinds that are served.
pub(crate) fn definitions(space: &Space, writer: &mut Writer<'_>, now: Timestamp) {
    let kinds = space.kinds().clone();
    let Some(of) = kinds.by_kind("apiextensions.k8s.io", "CustomResourceDefinition") else { return };
    for kind in kinds.all().filter(|kind| kind.custom) {
        let wanted = definition(&kinds, kind);
        match space.get(writer, of, "", &kind.collection()) {
            None => {
                let _ = space.create(writer, of, wanted, now);
            }
            Some(old) => {
                let mut new = Value::clone(&old);
                new["spec"] = wanted["spec"].clone();
                space.replace(writer, of, &old, new);
            }
        }
    }
}

fn definition(kinds: &Kinds, kind: &Kind) -> Value {
    let served = kinds.versions(kind);
    let versions: Vec<Value> = served
        .iter()
        .enumerate()
        .map(|(index, version)| {
            let mut version = json!({
                "name": version, "served": true, "storage": index == 0,
                "deprecated": index > 0,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            });
            if kind.status {
                version["subresources"] = json!({"status": {}});
            }
            version
        })
        .collect();
    let contract = served[0];
    let scope = if kind.namespaced { "Namespaced" } else { "Cluster" };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": kind.collection(),
            "labels": {format!("cluster.x-k8s.io/{contract}"): contract, "cluster.x-k8s.io/v1beta1": "v1beta1"},
        },
        "spec": {
            "group": kind.group, "scope": scope, "versions": versions,
            "names": {
                "plural": kind.plural, "singular": kind.singular(), "kind": kind.kind, "listKind": format!("{}List", kind.kind),
                "shortNames": kind.short, "categories": ["cluster-api"],
            },
        },
        "status": {
            "conditions": [
                {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"},
                {"type": "Established", "status": "True", "reason": "InitialNamesAccepted", "message": "the initial names have been accepted"},
            ],
            "storedVersions": [served[0]],
        },
    })
}
