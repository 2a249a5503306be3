//! Tables for `kubectl get`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Kind;
use super::object::{at, list, text};

/// The table of some objects.
pub(crate) fn table(kind: &Kind, objects: &[Value], metadata: &Value, whole: bool, now: Timestamp) -> Value {
    let columns = columns(kind);
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|(_, _, _, source)| cell(object, source, now)).collect();
            let metadata = json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
            });
            json!({"cells": cells, "object": if whole { object.clone() } else { metadata }})
        })
        .collect();
    let definitions: Vec<Value> = columns
        .iter()
        .map(|(heading, kind, priority, _)| {
            let format = if *heading == "Name" { "name" } else { "" };
            json!({"name": heading, "type": kind, "format": format, "description": "", "priority": priority})
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}

type Definition = (&'static str, &'static str, u8, &'static str);

const AGE: Definition = ("Age", "string", 0, "@age");
const NAME: Definition = ("Name", "string", 0, "/metadata/name");

fn columns(kind: &Kind) -> Vec<Definition> {
    let inner: &[Definition] = match kind.kind {
        "Namespace" => &[("Status", "string", 0, "/status/phase")],
        "Secret" => &[("Type", "string", 0, "/type"), ("Data", "integer", 0, "@count:/data")],
        "ConfigMap" => &[("Data", "integer", 0, "@count:/data")],
        "Node" => &[
            ("Status", "string", 0, "@node"),
            ("Roles", "string", 0, "@roles"),
            AGE,
            ("Version", "string", 0, "/status/nodeInfo/kubeletVersion"),
            ("Internal-IP", "string", 1, "@address:InternalIP"),
            ("External-IP", "string", 1, "@address:ExternalIP"),
            ("OS-Image", "string", 1, "/status/nodeInfo/osImage"),
            ("Kernel-Version", "string", 1, "/status/nodeInfo/kernelVersion"),
            ("Container-Runtime", "string", 1, "/status/nodeInfo/containerRuntimeVersion"),
        ],
        "Pod" => &[
            ("Ready", "string", 0, "@ready"),
            ("Status", "string", 0, "/status/phase"),
            ("Restarts", "integer", 0, "@restarts"),
            AGE,
            ("IP", "string", 1, "/status/podIP"),
            ("Node", "string", 1, "/spec/nodeName"),
        ],
        "Service" => &[
            ("Type", "string", 0, "/spec/type"),
            ("Cluster-IP", "string", 0, "/spec/clusterIP"),
            ("Port(s)", "string", 0, "@ports"),
        ],
        "Deployment" | "DaemonSet" => &[("Available", "integer", 0, "/status/availableReplicas")],
        "Event" => &[
            ("Type", "string", 0, "/type"),
            ("Reason", "string", 0, "/reason"),
            ("Object", "string", 0, "/involvedObject/name"),
            ("Message", "string", 0, "/message"),
        ],
        _ => &[],
    };
    let mut all = vec![NAME];
    all.extend_from_slice(inner);
    all.extend(kind.columns.iter().map(|(heading, kind, source)| (*heading, *kind, 0, *source)));
    if !all.contains(&AGE) {
        all.push(AGE);
    }
    all
}

fn cell(object: &Value, source: &str, now: Timestamp) -> Value {
    if let Some(condition) = source.strip_prefix('?') {
        let found = list(object, &["status", "conditions"]).iter().find(|one| one["type"] == condition);
        return found.map_or(Value::Null, |one| one["status"].clone());
    }
    match source.split_once(':').unwrap_or((source, "")) {
        ("@age", _) => json!(age(text(object, &["metadata", "creationTimestamp"]), now)),
        ("@count", pointer) => {
            json!(object.pointer(pointer).and_then(Value::as_object).map_or(0, serde_json::Map::len))
        }
        ("@node", _) => json!(node_status(object)),
        ("@roles", _) => json!(roles(object)),
        ("@address", kind) => {
            let addresses = list(object, &["status", "addresses"]);
            let found = addresses.iter().find(|address| address["type"] == kind);
            json!(found.map_or("<none>", |address| text(address, &["address"])))
        }
        ("@ready", _) => {
            let all = list(object, &["status", "containerStatuses"]);
            let ready = all.iter().filter(|container| container["ready"] == true).count();
            json!(format!("{ready}/{}", all.len()))
        }
        ("@restarts", _) => {
            let all = list(object, &["status", "containerStatuses"]);
            json!(all.iter().filter_map(|container| container["restartCount"].as_i64()).sum::<i64>())
        }
        ("@ports", _) => {
            let ports = list(object, &["spec", "ports"]).iter();
            json!(
                ports
                    .map(|port| format!("{}/{}", port["port"], text(port, &["protocol"])))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        }
        _ => object.pointer(source).cloned().unwrap_or(Value::Null),
    }
}

fn node_status(node: &Value) -> String {
    let ready =
        list(node, &["status", "conditions"]).iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
    let mut status = if ready { "Ready".to_owned() } else { "NotReady".to_owned() };
    if at(node, &["spec", "unschedulable"]) == true {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn roles(node: &Value) -> String {
    let labels = at(node, &["metadata", "labels"]).as_object();
    let roles: Vec<&str> = labels
        .into_iter()
        .flat_map(|labels| labels.keys())
        .filter_map(|key| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }
}

/// How long ago, as `kubectl` says it.
fn age(since: &str, now: Timestamp) -> String {
    let Ok(since) = since.parse::<Timestamp>() else { return "<unknown>".to_owned() };
    let seconds = (now.as_second() - since.as_second()).max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Only what identifies objects, for clients that ask for metadata alone.
pub(crate) fn metadata_only(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
