//! How large machines are.

use serde_json::json;

use super::{Feature, Given, Patch, Target, set};
use crate::contract::CoreVersion;
use crate::resolved::{ResolvedCluster, WorkerGroup};

const CONTROL_PLANE: &str = "controlPlaneFlavor";
const WORKERS: &str = "flavor";

pub(super) const FEATURE: Feature = Feature { name: "flavor", variables, patches, cluster, group };

fn variables() -> Vec<Given> {
    vec![
        (CONTROL_PLANE, json!({"type": "string", "description": "Name of the control plane's Nova flavor."})),
        (WORKERS, json!({"type": "string", "description": "Name of the workers' Nova flavor."})),
    ]
}

fn patches(_: CoreVersion) -> Vec<Patch> {
    let path = "/spec/template/spec/flavor";
    vec![
        Patch {
            name: "control-plane",
            condition: Some("{{ if .controlPlaneFlavor }}true{{ end }}"),
            changes: vec![(Target::ControlPlaneMachines, vec![set(path, CONTROL_PLANE)])],
        },
        Patch {
            name: "workers",
            condition: Some("{{ if .flavor }}true{{ end }}"),
            changes: vec![(Target::WorkerMachines, vec![set(path, WORKERS)])],
        },
    ]
}

/// Cluster wide the workers' flavor is the first group's, or the control plane's where there is none; every group says its
/// own.
fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    let control_plane = &cluster.control_plane.flavor;
    let workers = cluster.workers.first().map_or(control_plane, |group| &group.flavor);
    vec![(CONTROL_PLANE, control_plane.clone().into()), (WORKERS, workers.clone().into())]
}

fn group(_: &ResolvedCluster, group: &WorkerGroup) -> Vec<Given> {
    vec![(WORKERS, group.flavor.clone().into())]
}
