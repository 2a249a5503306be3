//! `jeroboam cluster nodes`: what `kubectl get nodes` shows, for whoever has no kubectl.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Certificate, Client, Identity};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::OutputArgs;
use crate::client::Api;
use crate::kubeconfig::Access;
use crate::{Failure, Surroundings, output};

const COLUMNS: [&str; 5] = ["name", "status", "roles", "version", "internal_ip"];

#[derive(Deserialize)]
struct Nodes {
    items: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    creation_timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    unschedulable: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    conditions: Vec<Condition>,
    addresses: Vec<Address>,
    node_info: NodeInfo,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

#[derive(Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeInfo {
    kubelet_version: String,
}

pub(super) async fn run(
    api: &Api,
    cluster: &str,
    args: &OutputArgs,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let access = Access::request(api, cluster).await?;
    let nodes = read(&access).await.map_err(|error| failed(&access, &error))?;
    let nodes: Vec<_> = nodes.items.iter().map(shown).collect();
    surroundings.print(&output::list(&nodes, &COLUMNS, args, surroundings.screen)?)
}

async fn read(access: &Access) -> reqwest::Result<Nodes> {
    let identity = format!("{}\n{}", access.key.expose_secret().trim_end(), access.certificate);
    let client = Client::builder()
        .tls_certs_only(Certificate::from_pem_bundle(access.authority.as_bytes())?)
        .identity(Identity::from_pem(identity.as_bytes())?)
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(30))
        .build()?;
    let url = format!("{}/api/v1/nodes", access.server.trim_end_matches('/'));
    client.get(url).send().await?.error_for_status()?.json().await
}

fn failed(access: &Access, error: &reqwest::Error) -> Failure {
    let mut why = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        why = source.to_string();
        next = source.source();
    }
    let message = match error.status() {
        Some(status) => format!("cluster {} answered {status} at {}", access.name, access.server),
        None => format!("read the nodes of cluster {} at {}: {why}", access.name, access.server),
    };
    let failure = Failure::new(message);
    if error.is_connect() || error.is_timeout() {
        return failure.hint("its API may not be reachable from here, or not yet");
    }
    failure
}

fn shown(node: &Node) -> Value {
    let ready = node.status.conditions.iter().any(|c| c.kind == "Ready" && c.status == "True");
    let status = match (ready, node.spec.unschedulable) {
        (true, false) => "Ready",
        (true, true) => "Ready,SchedulingDisabled",
        (false, false) => "NotReady",
        (false, true) => "NotReady,SchedulingDisabled",
    };
    let roles = node.metadata.labels.keys().filter_map(|label| label.strip_prefix("node-role.kubernetes.io/"));
    let roles: Vec<_> = roles.filter(|role| !role.is_empty()).collect();
    let internal = node.status.addresses.iter().find(|address| address.kind == "InternalIP");
    json!({
        "name": node.metadata.name,
        "status": status,
        "roles": if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") },
        "version": node.status.node_info.kubelet_version,
        "internal_ip": internal.map(|address| address.address.as_str()),
        "created_at": node.metadata.creation_timestamp,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_shown_as_kubectl_shows_it() {
        let node = json!({
            "metadata": {"name": "kube-cp-1", "creationTimestamp": "2026-11-21T18:00:00Z",
                         "labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/os": "linux"}},
            "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
                       "addresses": [{"type": "Hostname", "address": "x"}, {"type": "InternalIP", "address": "10.0.0.5"}],
                       "nodeInfo": {"kubeletVersion": "v1.33.4"}}
        });
        let node: Node = serde_json::from_value(node).expect("a node");
        assert_eq!(
            shown(&node),
            json!({"name": "kube-cp-1", "status": "Ready,SchedulingDisabled", "roles": "control-plane",
                   "version": "v1.33.4", "internal_ip": "10.0.0.5", "created_at": "2026-11-21T18:00:00Z"})
        );
        let bare: Node = serde_json::from_value(json!({"metadata": {"name": "new"}})).expect("a node");
        assert_eq!(shown(&bare)["status"], "NotReady");
        assert_eq!(shown(&bare)["roles"], "<none>");
    }
}
