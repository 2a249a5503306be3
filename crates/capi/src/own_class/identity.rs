//! Who the cluster's controllers are to OpenStack.

use serde_json::{Value, json};

use super::{Feature, Given, Patch, Target, same_as_cluster, set};
use crate::build::identity_secret;
use crate::contract::CoreVersion;
use crate::resolved::ResolvedCluster;

const NAME: &str = "clusterIdentityRefName";

pub(super) const FEATURE: Feature = Feature { name: "identity", variables, patches, cluster, group: same_as_cluster };

fn variables() -> Vec<Given> {
    vec![(NAME, json!({"type": "string", "description": "Secret with clouds.yaml in the cluster's namespace."}))]
}

fn patches(_: CoreVersion) -> Vec<Patch> {
    let change = || -> Vec<Value> { vec![set("/spec/template/spec/identityRef/name", NAME)] };
    vec![Patch {
        name: "secret",
        condition: Some("{{ if .clusterIdentityRefName }}true{{ end }}"),
        changes: vec![(Target::Cluster, change()), (Target::Machines, change())],
    }]
}

fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    vec![(NAME, identity_secret(&cluster.key.name).into())]
}
