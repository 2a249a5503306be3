//! Booting from a Cinder volume instead of the flavor's disk.

use serde_json::{Value, json};

use super::{Feature, Given, Patch, Target, render};
use crate::contract::CoreVersion;
use crate::resolved::{BootVolume, ResolvedCluster, WorkerGroup};

const VOLUME: &str = "bootVolume";
const ZONE: &str = "bootVolumeAvailabilityZone";

pub(super) const FEATURE: Feature = Feature { name: "boot-volume", variables, patches, cluster, group };

fn variables() -> Vec<Given> {
    let size = json!({"type": "integer", "minimum": 0, "description": "In GiB; 0 boots from the flavor's disk."});
    let volume = json!({
        "type": "object",
        "required": ["size"],
        "properties": {"size": size, "type": {"type": "string"}},
    });
    vec![(VOLUME, volume), (ZONE, json!({"type": "string"}))]
}

fn patches(_: CoreVersion) -> Vec<Patch> {
    let template = "sizeGiB: {{ .bootVolume.size }}\n\
                    {{ if .bootVolume.type }}type: {{ .bootVolume.type | quote }}\n{{ end }}\
                    {{ if .bootVolumeAvailabilityZone }}availabilityZone:\n  name: {{ .bootVolumeAvailabilityZone | quote }}\n{{ end }}";
    vec![Patch {
        name: "root",
        condition: Some("{{ if .bootVolume }}{{ if .bootVolume.size }}true{{ end }}{{ end }}"),
        changes: vec![(Target::Machines, vec![render("/spec/template/spec/rootVolume", template)])],
    }]
}

/// A size of 0 is said as well: a group without a volume must not get the cluster's.
fn values(volume: Option<&BootVolume>) -> Vec<Given> {
    let Some(volume) = volume else { return vec![(VOLUME, json!({"size": 0}))] };
    let mut value = json!({"size": volume.size});
    if let Some(kind) = &volume.volume_type {
        value["type"] = Value::from(kind.clone());
    }
    let zone = volume.availability_zone.clone().map(|zone| (ZONE, zone.into()));
    std::iter::once((VOLUME, value)).chain(zone).collect()
}

fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    values(cluster.control_plane.boot_volume.as_ref())
}

fn group(_: &ResolvedCluster, group: &WorkerGroup) -> Vec<Given> {
    values(group.boot_volume.as_ref())
}
