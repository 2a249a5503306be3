//! Name servers of the subnet that is made for the cluster.

use serde_json::json;

use super::{Feature, Given, Patch, Target, same_as_cluster, set};
use crate::contract::CoreVersion;
use crate::resolved::{Network, ResolvedCluster};

const SERVERS: &str = "dnsNameservers";

pub(super) const FEATURE: Feature = Feature { name: "dns", variables, patches, cluster, group: same_as_cluster };

fn variables() -> Vec<Given> {
    vec![(SERVERS, json!({"type": "array", "items": {"type": "string"}}))]
}

/// After the networks' patches: the subnet has to be there.
fn patches(_: CoreVersion) -> Vec<Patch> {
    vec![Patch {
        name: "servers",
        condition: Some("{{ if and .dnsNameservers .nodeCidr (not .fixedNetworkId) }}true{{ end }}"),
        changes: vec![(Target::Cluster, vec![set("/spec/template/spec/managedSubnets/0/dnsNameservers", SERVERS)])],
    }]
}

/// A network that is there already brings its own.
fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    match cluster.network {
        Network::Managed { .. } => vec![(SERVERS, json!(cluster.dns_nameservers))],
        Network::Existing { .. } => Vec::new(),
    }
}
