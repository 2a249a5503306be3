//! The key pair that lets people log in to nodes.

use serde_json::json;

use super::{Feature, Given, Patch, Target, same_as_cluster, set};
use crate::contract::CoreVersion;
use crate::resolved::ResolvedCluster;

const KEY: &str = "sshKeyName";

pub(super) const FEATURE: Feature = Feature { name: "ssh-key", variables, patches, cluster, group: same_as_cluster };

fn variables() -> Vec<Given> {
    vec![(KEY, json!({"type": "string", "description": "Nova key pair; nobody logs in without one."}))]
}

fn patches(_: CoreVersion) -> Vec<Patch> {
    vec![Patch {
        name: "name",
        condition: Some("{{ if .sshKeyName }}true{{ end }}"),
        changes: vec![(Target::Machines, vec![set("/spec/template/spec/sshKeyName", KEY)])],
    }]
}

fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    cluster.ssh_key.iter().map(|key| (KEY, key.clone().into())).collect()
}
