//! Where nodes are connected: a network of the cluster's own, or one that is there already; and the way out.

use serde_json::json;

use super::{Feature, Given, Patch, Target, render, same_as_cluster};
use crate::contract::CoreVersion;
use crate::resolved::{Network, ResolvedCluster};

const CIDR: &str = "nodeCidr";
const EXTERNAL: &str = "externalNetworkId";
const NETWORK: &str = "fixedNetworkId";
const SUBNET: &str = "fixedSubnetId";

pub(super) const FEATURE: Feature = Feature { name: "network", variables, patches, cluster, group: same_as_cluster };

fn variables() -> Vec<Given> {
    let id = |of: &str| json!({"type": "string", "description": format!("Id of the {of}.")});
    vec![
        (CIDR, json!({"type": "string", "description": "Range of the subnet that is made for the cluster."})),
        (EXTERNAL, id("network with the way out")),
        (NETWORK, id("network that is there already")),
        (SUBNET, id("subnet that is there already")),
    ]
}

fn patches(_: CoreVersion) -> Vec<Patch> {
    let spec = |field: &str| format!("/spec/template/spec/{field}");
    vec![
        Patch {
            name: "managed",
            condition: Some("{{ if and .nodeCidr (not .fixedNetworkId) }}true{{ end }}"),
            // The provider opens the node ports to the subnet by itself, for load balancers of services; a rule of ours
            // that says the same is refused by Neutron as a double.
            changes: vec![(
                Target::Cluster,
                vec![render(&spec("managedSubnets"), "- cidr: {{ .nodeCidr | quote }}\n")],
            )],
        },
        Patch {
            name: "existing",
            condition: Some("{{ if .fixedNetworkId }}true{{ end }}"),
            changes: vec![(Target::Cluster, vec![render(&spec("network"), "id: {{ .fixedNetworkId | quote }}\n")])],
        },
        Patch {
            name: "subnet",
            condition: Some("{{ if and .fixedNetworkId .fixedSubnetId }}true{{ end }}"),
            changes: vec![(Target::Cluster, vec![render(&spec("subnets"), "- id: {{ .fixedSubnetId | quote }}\n")])],
        },
        Patch {
            name: "external",
            condition: Some("{{ if .externalNetworkId }}true{{ end }}"),
            changes: vec![(
                Target::Cluster,
                vec![render(&spec("externalNetwork"), "id: {{ .externalNetworkId | quote }}\n")],
            )],
        },
    ]
}

fn cluster(cluster: &ResolvedCluster) -> Vec<Given> {
    let mut values: Vec<Given> = match &cluster.network {
        Network::Managed { cidr, .. } => vec![(CIDR, cidr.clone().into())],
        Network::Existing { network, subnet, .. } => {
            let subnet = subnet.clone().map(|subnet| (SUBNET, subnet.into()));
            std::iter::once((NETWORK, network.clone().into())).chain(subnet).collect()
        }
    };
    values.extend(cluster.network.external().map(|network| (EXTERNAL, network.into())));
    values
}
