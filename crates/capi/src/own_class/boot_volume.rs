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

/// What is absent is said as well: a group without a volume or zone must not get the control plane's.
fn values(volume: Option<&BootVolume>) -> Vec<Given> {
    let mut value = json!({"size": volume.map_or(0, |volume| volume.size)});
    if let Some(kind) = volume.and_then(|volume| volume.volume_type.clone()) {
        value["type"] = Value::from(kind);
    }
    let zone = volume.and_then(|volume| volume.availability_zone.clone()).unwrap_or_default();
    vec![(VOLUME, value), (ZONE, zone.into())]
}

fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    values(cluster.control_plane.boot_volume.as_ref())
}

fn group(_: &ResolvedCluster, group: &WorkerGroup) -> Vec<Given> {
    values(group.boot_volume.as_ref())
}
