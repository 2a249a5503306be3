//! Labels and taints of a group's nodes, which kubelets set as they join.

use serde_json::{Value, json};

use super::{Feature, Given, Patch, Target, render, set};
use crate::contract::CoreVersion;
use crate::resolved::{ResolvedCluster, WorkerGroup};

const LABELS: &str = "nodeLabels";
const TAINTS: &str = "nodeTaints";

pub(super) const FEATURE: Feature = Feature { name: "node", variables, patches, cluster: |_| Vec::new(), group };

fn variables() -> Vec<Given> {
    let taint = json!({
        "type": "object",
        "required": ["key", "effect"],
        "properties": {
            "key": {"type": "string"},
            "value": {"type": "string"},
            "effect": {"type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
        },
    });
    vec![
        (LABELS, json!({"type": "string", "description": "key=value, separated by commas."})),
        (TAINTS, json!({"type": "array", "items": taint})),
    ]
}

fn patches(version: CoreVersion) -> Vec<Patch> {
    let at = "/spec/template/spec/joinConfiguration/nodeRegistration";
    let labels = match version {
        CoreVersion::V1Beta2 => {
            render(&format!("{at}/kubeletExtraArgs/-"), "name: node-labels\nvalue: {{ .nodeLabels | quote }}\n")
        }
        CoreVersion::V1Beta1 => set(&format!("{at}/kubeletExtraArgs/node-labels"), LABELS),
    };
    vec![
        Patch {
            name: "labels",
            condition: Some("{{ if .nodeLabels }}true{{ end }}"),
            changes: vec![(Target::WorkerBootstrap, vec![labels])],
        },
        Patch {
            name: "taints",
            condition: Some("{{ if .nodeTaints }}true{{ end }}"),
            changes: vec![(Target::WorkerBootstrap, vec![set(&format!("{at}/taints"), TAINTS)])],
        },
    ]
}

fn group(_: &ResolvedCluster, group: &WorkerGroup) -> Vec<Given> {
    let labels: Vec<_> = group
        .node_labels
        .iter()
        .filter(|(key, _)| a_kubelet_may_set(key))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let taints: Vec<Value> = group.node_taints.iter().filter_map(|taint| serde_json::to_value(taint).ok()).collect();
    let mut values = Vec::new();
    if !labels.is_empty() {
        values.push((LABELS, labels.join(",").into()));
    }
    if !taints.is_empty() {
        values.push((TAINTS, taints.into()));
    }
    values
}

/// Kubelets refuse to start with labels of Kubernetes' own domains but a few; Cluster API sets those by itself.
fn a_kubelet_may_set(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let of = |suffix: &str| domain == suffix || domain.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    !(of("kubernetes.io") || of("k8s.io")) || of("node.kubernetes.io") || of("kubelet.kubernetes.io")
}
