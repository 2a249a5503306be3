//! The cluster controller: what a Cluster says about everything below it.

use serde_json::{Value, json};

use super::context::{Context, Provider, condition, find, holds, says};
use crate::kube::object::{add_finalizer, generation, is_deleting, name, number, set, text};
use crate::state::Document;

/// The finalizer that holds a Cluster until all below it is gone.
pub(super) const FINALIZER: &str = "cluster.cluster.x-k8s.io";

/// What a Cluster's status is made of.
struct Parts {
    infrastructure: Option<Document>,
    control_plane: Option<Document>,
    deployments: Vec<Document>,
    provider: Provider,
}

pub(super) fn run(context: &mut Context<'_, '_>) {
    let Some(cluster) = context.cluster() else { return };
    if is_deleting(&cluster) {
        return;
    }
    let own = context.name.clone();
    context.change("Cluster", &own, |cluster| add_finalizer(cluster, FINALIZER));
    let provider = context.provider();
    let parts = Parts {
        infrastructure: context.mine(provider.cluster_kind()).into_iter().next(),
        control_plane: context.mine("KubeadmControlPlane").into_iter().next(),
        deployments: context.mine("MachineDeployment"),
        provider,
    };
    let has_topology = cluster["spec"]["topology"].is_object();
    if has_topology && parts.infrastructure.is_none() && context.class(&cluster).is_none() {
        return;
    }
    let ready = parts.infrastructure.as_ref().is_some_and(|found| found["status"]["ready"] == true);
    if ready && let Some(infrastructure) = &parts.infrastructure {
        let endpoint = infrastructure["spec"]["controlPlaneEndpoint"].clone();
        context.change("Cluster", &own, |cluster| set(cluster, &["spec", "controlPlaneEndpoint"], endpoint));
    }
    let now = context.now;
    context.change("Cluster", &own, |cluster| write(cluster, &parts, ready, now));
}

fn write(cluster: &mut Value, parts: &Parts, ready: bool, now: jiff::Timestamp) {
    let paused = cluster["spec"]["paused"] == true;
    condition(
        cluster,
        "Paused",
        if paused { "True" } else { "False" },
        if paused { "Paused" } else { "NotPaused" },
        "",
        now,
    );
    let phase = match (&parts.infrastructure, ready) {
        (_, true) => "Provisioned",
        (Some(_), false) => "Provisioning",
        (None, false) => "Pending",
    };
    set(cluster, &["status", "phase"], phase);
    if ready {
        set(cluster, &["status", "initialization", "infrastructureProvisioned"], true);
        condition(cluster, "InfrastructureReady", "True", "Ready", "", now);
    } else if let Some(infrastructure) = &parts.infrastructure {
        let kind = parts.provider.cluster_kind();
        let message = match find(infrastructure, "Ready") {
            Some(found) if !text(found, &["message"]).is_empty() => text(found, &["message"]).to_owned(),
            _ => format!("{kind} status.initialization.provisioned is false"),
        };
        condition(cluster, "InfrastructureReady", "False", "NotReady", &message, now);
    } else {
        let kind = parts.provider.cluster_kind();
        condition(
            cluster,
            "InfrastructureReady",
            "False",
            "ObjectDoesNotExist",
            &format!("{kind} does not exist"),
            now,
        );
    }
    control_plane(cluster, parts, now);
    workers(cluster, parts, now);
    flags(cluster, parts, now);
    availability(cluster, now);
    let seen = generation(cluster);
    set(cluster, &["status", "observedGeneration"], seen);
}

fn control_plane(cluster: &mut Value, parts: &Parts, now: jiff::Timestamp) {
    let Some(control_plane) = &parts.control_plane else {
        let missing = "KubeadmControlPlane does not exist";
        condition(cluster, "ControlPlaneAvailable", "False", "ObjectDoesNotExist", missing, now);
        condition(cluster, "ControlPlaneInitialized", "Unknown", "ObjectDoesNotExist", missing, now);
        condition(
            cluster,
            "RemoteConnectionProbe",
            "False",
            "ProbeFailed",
            "Remote connection not established yet",
            now,
        );
        for kind in ["ControlPlaneMachinesReady", "ControlPlaneMachinesUpToDate"] {
            condition(cluster, kind, "Unknown", "InternalError", "Please check controller logs for errors", now);
        }
        return;
    };
    let initialized = control_plane["status"]["initialization"]["controlPlaneInitialized"] == true;
    if initialized {
        set(cluster, &["status", "initialization", "controlPlaneInitialized"], true);
        condition(cluster, "RemoteConnectionProbe", "True", "ProbeSucceeded", "", now);
        // Said once and never again: it keeps the generation it was said of.
        if !holds(cluster, "ControlPlaneInitialized") {
            condition(cluster, "ControlPlaneInitialized", "True", "Initialized", "", now);
        }
    } else {
        condition(
            cluster,
            "RemoteConnectionProbe",
            "False",
            "ProbeFailed",
            "Remote connection not established yet",
            now,
        );
        condition(
            cluster,
            "ControlPlaneInitialized",
            "False",
            "NotInitialized",
            "Control plane not yet initialized",
            now,
        );
    }
    mirror(cluster, control_plane, "Available", "ControlPlaneAvailable", now);
    mirror(cluster, control_plane, "MachinesReady", "ControlPlaneMachinesReady", now);
    mirror(cluster, control_plane, "MachinesUpToDate", "ControlPlaneMachinesUpToDate", now);
    let counts = counts(std::slice::from_ref(control_plane));
    set(cluster, &["status", "controlPlane"], counts);
}

/// Hands a condition of something below on.
fn mirror(cluster: &mut Value, of: &Value, from: &str, to: &str, now: jiff::Timestamp) {
    match find(of, from) {
        Some(found) => {
            let (status, reason, message) =
                (text(found, &["status"]), text(found, &["reason"]), text(found, &["message"]));
            condition(cluster, to, status, reason, message, now);
        }
        None => condition(cluster, to, "Unknown", "InternalError", "Please check controller logs for errors", now),
    }
}

fn counts(objects: &[Document]) -> Value {
    let sum = |path: &[&str]| objects.iter().map(|object| number(object, path).unwrap_or(0)).sum::<i64>();
    json!({
        "desiredReplicas": sum(&["spec", "replicas"]), "replicas": sum(&["status", "replicas"]),
        "readyReplicas": sum(&["status", "readyReplicas"]), "availableReplicas": sum(&["status", "availableReplicas"]),
        "upToDateReplicas": sum(&["status", "upToDateReplicas"]),
    })
}

fn workers(cluster: &mut Value, parts: &Parts, now: jiff::Timestamp) {
    let all = &parts.deployments;
    let known = parts.control_plane.is_some();
    if known {
        set(cluster, &["status", "workers"], counts(all));
    }
    for (to, from, none) in [
        ("WorkersAvailable", "Available", "NoWorkers"),
        ("WorkerMachinesReady", "MachinesReady", "NoReplicas"),
        ("WorkerMachinesUpToDate", "MachinesUpToDate", "NoReplicas"),
    ] {
        if !known {
            condition(cluster, to, "Unknown", "InternalError", "Please check controller logs for errors", now);
            continue;
        }
        let wrong: Vec<&Document> = all.iter().filter(|object| !holds(object, from)).collect();
        let messages: Vec<String> = wrong
            .iter()
            .map(|object| {
                let message = find(object, from).map_or("", |found| text(found, &["message"]));
                format!("* MachineDeployment {}: {message}", name(object))
            })
            .collect();
        let good = from.trim_start_matches("Machines");
        if all.is_empty() {
            condition(cluster, to, "True", none, "", now);
        } else if wrong.is_empty() {
            let nothing = all.iter().all(|object| number(object, &["status", "replicas"]).unwrap_or(0) == 0);
            let reason = if nothing && from != "Available" { none } else { good };
            condition(cluster, to, "True", reason, "", now);
        } else if wrong.iter().any(|object| says(object, from) == "False") {
            condition(cluster, to, "False", &format!("Not{good}"), &messages.join("\n"), now);
        } else {
            condition(cluster, to, "Unknown", &format!("{good}Unknown"), &messages.join("\n"), now);
        }
    }
}

/// The conditions that are good when they are false.
fn flags(cluster: &mut Value, parts: &Parts, now: jiff::Timestamp) {
    let objects: Vec<&Document> = parts.control_plane.iter().chain(&parts.deployments).collect();
    for kind in ["RollingOut", "ScalingUp", "ScalingDown", "Remediating"] {
        let is = |status: &str| objects.iter().any(|object| says(object, kind) == status);
        if parts.control_plane.is_none() {
            condition(cluster, kind, "Unknown", "InternalError", "Please check controller logs for errors", now);
        } else if is("True") {
            condition(cluster, kind, "True", kind, "", now);
        } else if is("") || is("Unknown") {
            condition(cluster, kind, "Unknown", &format!("{kind}Unknown"), "", now);
        } else {
            condition(cluster, kind, "False", &format!("Not{kind}"), "", now);
        }
    }
    condition(cluster, "Deleting", "False", "NotDeleting", "", now);
}

/// `Available` from the others.
pub(super) fn availability(cluster: &mut Value, now: jiff::Timestamp) {
    let mut wrong: Vec<String> =
        ["RemoteConnectionProbe", "InfrastructureReady", "ControlPlaneAvailable", "WorkersAvailable"]
            .iter()
            .filter(|part| !holds(cluster, part))
            .map(|part| format!("* {part}: {}", find(cluster, part).map_or("", |found| text(found, &["message"]))))
            .collect();
    let refused = find(cluster, "TopologyReconciled").filter(|found| found["reason"] == "ReconcileFailed");
    wrong.extend(refused.map(|found| format!("* TopologyReconciled: {}", text(found, &["message"]))));
    if wrong.is_empty() {
        condition(cluster, "Available", "True", "Available", "", now);
    } else {
        condition(cluster, "Available", "False", "NotAvailable", &wrong.join("\n"), now);
    }
}
