//! Availability zones of the control plane. A worker group's zone is a field of the topology and needs no variable.

use serde_json::json;

use super::{Feature, Given, Patch, Target, same_as_cluster, set};
use crate::contract::CoreVersion;
use crate::resolved::ResolvedCluster;

const ZONES: &str = "controlPlaneAvailabilityZones";

pub(super) const FEATURE: Feature =
    Feature { name: "availability", variables, patches, cluster, group: same_as_cluster };

fn variables() -> Vec<Given> {
    vec![(ZONES, json!({"type": "array", "items": {"type": "string"}}))]
}

fn patches(_: CoreVersion) -> Vec<Patch> {
    vec![Patch {
        name: "zones",
        condition: Some("{{ if .controlPlaneAvailabilityZones }}true{{ end }}"),
        changes: vec![(Target::Cluster, vec![set("/spec/template/spec/controlPlaneAvailabilityZones", ZONES)])],
    }]
}

fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    let zones = &cluster.control_plane.availability_zones;
    if zones.is_empty() { Vec::new() } else { vec![(ZONES, json!(zones))] }
}
