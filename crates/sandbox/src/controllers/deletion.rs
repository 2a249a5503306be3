//! The end of a cluster, in Cluster API's order: workers, control plane, infrastructure, the Cluster itself.

use super::cluster::FINALIZER;
use super::context::{Context, SIMULATION, WORKLOAD, condition};
use super::node;
use crate::kube::object::{generation, is_deleting, name, remove_finalizer, set};

pub(super) fn run(context: &mut Context<'_, '_>) {
    let Some(cluster) = context.cluster() else {
        leftovers(context);
        return;
    };
    if !is_deleting(&cluster) {
        return;
    }
    let provider = context.provider();
    for check in context.mine("MachineHealthCheck") {
        context.delete("MachineHealthCheck", name(&check));
    }
    let stages = [
        ("MachineDeployment", "WaitingForWorkersDeletion"),
        ("KubeadmControlPlane", "WaitingForControlPlaneDeletion"),
        (provider.cluster_kind(), "WaitingForInfrastructureDeletion"),
    ];
    let mut waiting = None;
    for (kind, reason) in stages {
        let left = context.mine(kind);
        if !left.is_empty() {
            for object in left.iter().filter(|object| !is_deleting(object)) {
                context.delete(kind, name(object));
            }
            waiting = Some(reason);
            break;
        }
    }
    let now = context.now;
    let own = context.name.clone();
    context.change("Cluster", &own, |cluster| {
        set(cluster, &["status", "phase"], "Deleting");
        condition(cluster, "Available", "False", "NotAvailable", "* Deleting: Cluster deletion in progress", now);
        condition(cluster, "Deleting", "True", waiting.unwrap_or("DeletionCompleted"), "", now);
        match waiting {
            Some("WaitingForWorkersDeletion") => {}
            Some("WaitingForControlPlaneDeletion") => {
                condition(cluster, "WorkersAvailable", "True", "NoWorkers", "", now);
            }
            Some(_) => condition(
                cluster,
                "ControlPlaneAvailable",
                "False",
                "ObjectDeleted",
                "KubeadmControlPlane has been deleted",
                now,
            ),
            None => {
                let gone = "infrastructure has been deleted";
                condition(cluster, "InfrastructureReady", "False", "ObjectDeleted", gone, now);
            }
        }
        let seen = generation(cluster);
        set(cluster, &["status", "observedGeneration"], seen);
    });
    if waiting.is_none() {
        context.change("Cluster", &own, |cluster| remove_finalizer(cluster, FINALIZER));
        leftovers(context);
    }
}

/// Forgets what is kept about a cluster that is gone.
fn leftovers(context: &mut Context<'_, '_>) {
    let key = context.key();
    node::forget(context);
    context.writer.remove(SIMULATION, &key);
    context.writer.remove(WORKLOAD, &key);
}
