//! The machine controller: bootstrap data, infrastructure, node - and back, when a machine is deleted.

use base64::Engine;
use serde_json::{Value, json};

use super::context::{CLUSTER_LABEL, CONTROL_PLANE_LABEL, Context, Provider, condition, find, says};
use super::node::{self, NodeState};
use super::server::{self, Server};
use crate::kube::kinds::{BOOTSTRAP, INFRASTRUCTURE};
use crate::kube::object::{at, generation, is_deleting, name, owner_reference, remove_finalizer, set, text};

const FINALIZER: &str = "machine.cluster.x-k8s.io";
/// The annotation that keeps the name of the template a machine was made of.
pub(super) const TEMPLATE: &str = "cluster.x-k8s.io/cloned-from-name";

/// What a machine is made of.
pub(super) struct NewMachine<'a> {
    pub(super) owner: &'a Value,
    pub(super) name: String,
    pub(super) labels: Value,
    pub(super) version: &'a str,
    /// The name of the template of its infrastructure.
    pub(super) template: &'a str,
    pub(super) provider: Provider,
    pub(super) failure_domain: &'a Value,
    pub(super) deletion: &'a Value,
}

/// Makes a machine.
pub(super) fn create(context: &mut Context<'_, '_>, new: NewMachine<'_>) {
    let mut labels = new.labels;
    labels[CLUSTER_LABEL] = json!(context.name);
    let mut spec = json!({
        "clusterName": context.name, "version": new.version,
        "bootstrap": {"configRef": {"apiGroup": BOOTSTRAP, "kind": "KubeadmConfig", "name": new.name}},
        "infrastructureRef": {"apiGroup": INFRASTRUCTURE, "kind": new.provider.machine_kind(), "name": new.name},
    });
    for (field, value) in [("failureDomain", new.failure_domain), ("deletion", new.deletion)] {
        if !value.is_null() {
            spec[field] = value.clone();
        }
    }
    let object = json!({
        "metadata": {
            "name": new.name, "labels": labels, "annotations": {TEMPLATE: new.template}, "finalizers": [FINALIZER],
            "ownerReferences": [owner_reference(new.owner, true)],
        },
        "spec": spec,
    });
    let machine = context.create("Machine", object);
    let now = context.now;
    context.change("Machine", &new.name, |machine| {
        set(machine, &["status", "phase"], "Pending");
        condition(machine, "BootstrapConfigReady", "False", "NotReady", "KubeadmConfig is not ready", now);
        condition(machine, "InfrastructureReady", "False", "NotReady", "Waiting for bootstrap data", now);
        condition(
            machine,
            "NodeHealthy",
            "Unknown",
            "InspectionFailed",
            "Waiting for Cluster control plane to be initialized",
            now,
        );
        condition(
            machine,
            "NodeReady",
            "Unknown",
            "InspectionFailed",
            "Waiting for Cluster control plane to be initialized",
            now,
        );
        condition(machine, "UpToDate", "True", "UpToDate", "", now);
        condition(machine, "Ready", "False", "NotReady", "* BootstrapConfigReady: KubeadmConfig is not ready", now);
        condition(machine, "Available", "False", "NotReady", "", now);
        condition(machine, "Updating", "False", "NotUpdating", "", now);
        condition(machine, "Deleting", "False", "NotDeleting", "", now);
        condition(machine, "Paused", "False", "NotPaused", "", now);
    });
    if !machine.is_null() {
        prepare(context, new.provider, &machine);
    }
}

/// Makes what a machine refers to.
fn prepare(context: &mut Context<'_, '_>, provider: Provider, machine: &Value) {
    let config = json!({
        "metadata": {
            "name": name(machine), "labels": machine["metadata"]["labels"], "ownerReferences": [owner_reference(machine, true)],
        },
        "spec": {"format": "cloud-config"},
    });
    context.create("KubeadmConfig", config);
    let template = text(machine, &["metadata", "annotations", TEMPLATE]).to_owned();
    server::prepare(context, provider, machine, &template);
}

pub(super) fn run(context: &mut Context<'_, '_>) {
    let Some(cluster) = context.cluster() else { return };
    if cluster["spec"]["paused"] == true {
        return;
    }
    let provider = context.provider();
    let initialized = cluster["status"]["initialization"]["controlPlaneInitialized"] == true;
    for machine in context.mine("Machine") {
        if is_deleting(&machine) {
            remove(context, provider, &machine);
        } else {
            reconcile(context, provider, &machine, initialized);
        }
    }
}

fn reconcile(context: &mut Context<'_, '_>, provider: Provider, machine: &Value, initialized: bool) {
    prepare(context, provider, machine);
    let control_plane = !at(machine, &["metadata", "labels", CONTROL_PLANE_LABEL]).is_null();
    let has_data = !text(machine, &["spec", "bootstrap", "dataSecretName"]).is_empty();
    if !has_data {
        if control_plane || initialized {
            bootstrap(context, machine);
        }
        return;
    }
    let server = server::run(context, provider, machine);
    let was_joined = !at(machine, &["status", "nodeRef"]).is_null();
    if let Server::Active { provider_id, address, joins: Some(joins) } = &server
        && !was_joined
        && context.is_over(*joins)
    {
        node::join(context, machine, provider_id, address);
    }
    if was_joined {
        node::relabel(context, machine);
    }
    let node = node::state(context, machine);
    let now = context.now;
    context.change("Machine", name(machine), |machine| {
        if let Server::Active { provider_id, .. } = &server {
            set(machine, &["spec", "providerID"], provider_id.clone());
        }
    });
    context.change("Machine", name(machine), |machine| {
        let phase = match (&server, node) {
            (_, NodeState::Ready | NodeState::NotReady) => "Running",
            _ if was_joined => "Running",
            (Server::Active { .. }, NodeState::Missing) => "Provisioned",
            _ => "Provisioning",
        };
        set(machine, &["status", "phase"], phase);
        match &server {
            Server::Active { address, .. } => {
                set(machine, &["status", "initialization", "infrastructureProvisioned"], true);
                set(machine, &["status", "addresses"], json!([{"type": "InternalIP", "address": address}]));
                condition(machine, "InfrastructureReady", "True", "Ready", "", now);
            }
            Server::Failed(message) => condition(machine, "InfrastructureReady", "False", "NotReady", message, now),
            Server::Waiting => {
                let message = format!("{} status.initialization.provisioned is false", provider.machine_kind());
                condition(machine, "InfrastructureReady", "False", "NotReady", &message, now);
            }
        }
        let (status, reason, message) = match node {
            NodeState::Ready => ("True", "NodeHealthy", ""),
            NodeState::NotReady => ("False", "NodeNotHealthy", "* Node.Ready: kubelet stopped posting node status."),
            NodeState::Missing if was_joined => ("False", "NodeDeleted", "Node is gone"),
            NodeState::Missing => ("Unknown", "InspectionFailed", "Waiting for the node to join"),
        };
        condition(machine, "NodeHealthy", status, reason, message, now);
        let reason = if status == "True" { "NodeReady" } else { reason };
        condition(machine, "NodeReady", status, reason, message, now);
        if node != NodeState::Missing {
            set(machine, &["status", "nodeRef"], json!({"name": name(machine)}));
            let version = machine["spec"]["version"].clone();
            set(machine, &["status", "nodeInfo"], json!({"kubeletVersion": version, "osImage": "Ubuntu 24.04.3 LTS"}));
        }
        summarize(machine, now);
        let seen = generation(machine);
        set(machine, &["status", "observedGeneration"], seen);
    });
}

/// `Ready` and `Available` from the others.
pub(super) fn summarize(machine: &mut Value, now: jiff::Timestamp) {
    let parts = ["BootstrapConfigReady", "InfrastructureReady", "NodeHealthy", "HealthCheckSucceeded"];
    let wrong: Vec<String> = parts
        .iter()
        .filter(|part| find(machine, part).is_some() && says(machine, part) != "True")
        .map(|part| format!("* {part}: {}", find(machine, part).map_or("", |one| text(one, &["message"]))))
        .collect();
    if wrong.is_empty() {
        condition(machine, "Ready", "True", "Ready", "", now);
        condition(machine, "Available", "True", "Available", "", now);
    } else {
        let unknown = parts.iter().all(|part| says(machine, part) != "False");
        let (status, reason) = if unknown { ("Unknown", "ReadyUnknown") } else { ("False", "NotReady") };
        condition(machine, "Ready", status, reason, &wrong.join("\n"), now);
        condition(machine, "Available", "False", "NotReady", "", now);
    }
}

/// Writes the data a machine starts with.
fn bootstrap(context: &mut Context<'_, '_>, machine: &Value) {
    let now = context.now;
    let object_name = name(machine).to_owned();
    let Some(config) = context.get("KubeadmConfig", &object_name) else { return };
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let secret = json!({
        "type": "cluster.x-k8s.io/secret",
        "metadata": {
            "name": object_name, "labels": {CLUSTER_LABEL: context.name}, "ownerReferences": [owner_reference(&config, true)],
        },
        "data": {"value": encode("#cloud-config\n"), "format": encode("cloud-config")},
    });
    context.create("Secret", secret);
    context.change("KubeadmConfig", &object_name, |config| {
        set(config, &["status", "dataSecretName"], object_name.clone());
        set(config, &["status", "initialization", "dataSecretCreated"], true);
        condition(config, "DataSecretAvailable", "True", "Available", "", now);
        condition(config, "CertificatesAvailable", "True", "Available", "", now);
        condition(config, "Ready", "True", "Ready", "", now);
    });
    context.change("Machine", &object_name, |machine| {
        set(machine, &["spec", "bootstrap", "dataSecretName"], object_name.clone());
    });
    context.change("Machine", &object_name, |machine| {
        set(machine, &["status", "phase"], "Provisioning");
        set(machine, &["status", "initialization", "bootstrapDataSecretCreated"], true);
        condition(machine, "BootstrapConfigReady", "True", "Ready", "", now);
    });
}

/// Takes a machine apart: server, bootstrap data, node.
fn remove(context: &mut Context<'_, '_>, provider: Provider, machine: &Value) {
    let now = context.now;
    let say = |context: &mut Context<'_, '_>, reason: &str| {
        context.change("Machine", name(machine), |machine| {
            set(machine, &["status", "phase"], "Deleting");
            condition(machine, "Deleting", "True", reason, "", now);
            condition(machine, "Ready", "False", "NotReady", "* Deleting: Machine deletion in progress", now);
            condition(machine, "Available", "False", "NotReady", "", now);
        });
    };
    if !server::remove(context, provider, machine) {
        say(context, "WaitingForInfrastructureDeletion");
        return;
    }
    if context.get("KubeadmConfig", name(machine)).is_some() {
        say(context, "WaitingForBootstrapDeletion");
        context.delete("KubeadmConfig", name(machine));
        context.delete("Secret", name(machine));
        return;
    }
    node::leave(context, machine);
    say(context, "DeletionCompleted");
    context.change("Machine", name(machine), |machine| remove_finalizer(machine, FINALIZER));
}
