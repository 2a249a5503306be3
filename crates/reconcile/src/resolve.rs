//! Turns a stored cluster and what was looked up for it into everything that the build step needs, or says why not.
//!
//! No I/O and no clock here: the same inputs always give the same result.

use std::collections::{BTreeMap, BTreeSet};

use jeroboam_capi::{
    ApiEndpoint, Autoscaling, BootVolume, Certificates, ClusterKey, ClusterNetwork, ControlPlaneGroup, Credential,
    Healing, Image, Network, OperatingSystem, ResolvedCluster, WorkerGroup,
};
use jeroboam_model::{
    BadLabel, Cluster, ClusterTemplate, ClusterWithGroups, KubeRelease, Labels, NodeGroup, NodeGroupId, Verb,
};
use serde_json::Value;

use crate::config::ReconcileConfig;

/// What a cluster names in the cloud and what has to be looked up before its objects can be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    pub(crate) images: BTreeSet<String>,
    pub(crate) flavors: BTreeSet<String>,
    pub(crate) fixed_network: Option<String>,
    pub(crate) fixed_subnet: Option<String>,
    pub(crate) external_network: Option<String>,
}

/// What was found for the [`References`], by the text that the tenant wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) images: BTreeMap<String, ImageFacts>,
    /// Names of flavors: Cluster API's provider knows them by nothing else.
    pub(crate) flavors: BTreeMap<String, String>,
    pub(crate) fixed_network: Option<String>,
    pub(crate) fixed_subnet: Option<String>,
    pub(crate) external_network: Option<String>,
    /// The address that was taken for the API.
    pub(crate) floating_ip: Option<String>,
    /// Groups of which the management cluster has something already.
    pub(crate) deployed: BTreeSet<NodeGroupId>,
}

/// What we need to know of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    pub(crate) id: String,
    pub(crate) os_distro: Option<String>,
    pub(crate) kube_version: Option<String>,
}

/// The cluster's secrets, as far as its objects need them.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) credential: Credential,
    pub(crate) certificates: Certificates,
}

/// A stored cluster that can't be made as it is. The text goes to the tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unresolvable {
    #[error("the cluster template {0} is gone")]
    NoTemplate(String),
    #[error("the cluster has no control plane node group")]
    NoControlPlane,
    #[error("node group {group} has no {what}")]
    NotGiven { group: String, what: &'static str },
    #[error("{what} {name} was not found")]
    NotFound { what: &'static str, name: String },
    #[error("image {image} has the os_distro {distro:?}, which can not be set up; ubuntu, debian and flatcar can")]
    Distro { image: String, distro: String },
    #[error("image {0} has no property os_distro")]
    NoDistro(String),
    #[error(
        "no Kubernetes version is known: set the label kube_tag, or the property kube_version of image {0}, to something like v1.33.4"
    )]
    NoRelease(String),
    #[error(transparent)]
    BadRelease(#[from] jeroboam_model::BadRelease),
    #[error(
        "image {image} holds Kubernetes {holds}, but the label kube_tag asks for {wanted}: the two have to be the same"
    )]
    WrongImage { image: String, holds: KubeRelease, wanted: KubeRelease },
    #[error(transparent)]
    Label(#[from] BadLabel),
    #[error("node group {group} is to have {count} nodes")]
    Count { group: String, count: i32 },
}

/// Whether a group is on its way out and belongs into no topology any more.
pub(crate) fn is_leaving(group: &NodeGroup) -> bool {
    group.status.verb() == Verb::Delete
}

/// The groups that the topology is to have, without the control plane.
pub(crate) fn workers(view: &ClusterWithGroups) -> impl Iterator<Item = &NodeGroup> {
    view.groups.iter().filter(|group| !group.is_control_plane() && !is_leaving(group))
}

/// The bounds within which an autoscaler chooses a group's size; `None` where nobody does.
// Magnum: magnum-capi-helm lets the labels speak for the default workers, whose own minimum of 1 nobody chose, and a group
// whose bounds are one number is not scaled.
pub(crate) fn autoscaling(cluster: &Cluster, group: &NodeGroup) -> Result<Option<(u32, u32)>, BadLabel> {
    if group.is_control_plane() || cluster.labels.boolean("auto_scaling_enabled")? != Some(true) {
        return Ok(None);
    }
    let chosen = |bound: i32| u32::try_from(bound).ok().filter(|bound| *bound > 0);
    let (mut min, mut max) = (chosen(group.min_node_count), group.max_node_count.and_then(chosen));
    if group.is_default {
        min = min.filter(|min| *min != 1).or(cluster.labels.integer("min_node_count")?);
        max = max.or(cluster.labels.integer("max_node_count")?);
    }
    let min = min.unwrap_or(1);
    Ok(max.filter(|max| min < *max).map(|max| (min, max)))
}

/// What has to be looked up for a cluster.
pub(crate) fn references(view: &ClusterWithGroups, template: &ClusterTemplate) -> References {
    let cluster = &view.cluster;
    let groups = || view.groups.iter().filter(|group| !is_leaving(group));
    References {
        images: groups().filter_map(|group| image_of(group, template)).collect(),
        flavors: groups().filter_map(|group| flavor_of(group, cluster, template)).collect(),
        fixed_network: given(cluster.fixed_network.as_ref(), template.fixed_network.as_ref()),
        fixed_subnet: given(cluster.fixed_subnet.as_ref(), template.fixed_subnet.as_ref()),
        external_network: given(template.external_network_id.as_ref(), None),
    }
}

/// Puts the cluster's rows and what was found together.
pub(crate) fn resolve(
    view: &ClusterWithGroups,
    template: &ClusterTemplate,
    inputs: &Inputs,
    keys: &Keys,
    key: ClusterKey,
    config: &ReconcileConfig,
) -> Result<ResolvedCluster, Unresolvable> {
    let cluster = &view.cluster;
    let labels = &cluster.labels;
    let control_plane = view.default_control_plane().ok_or(Unresolvable::NoControlPlane)?;
    let look = Look { cluster, template, inputs, config };
    let release = look.release(control_plane)?;
    let workers = workers(view).map(|group| look.worker(group)).collect::<Result<_, _>>()?;
    Ok(ResolvedCluster {
        key,
        id: cluster.id,
        project: cluster.project.clone(),
        user: cluster.user.clone(),
        release,
        control_plane: look.control_plane(control_plane)?,
        workers,
        network: look.network(),
        dns_nameservers: name_servers(template.dns_nameserver.as_deref()),
        api: api_endpoint(cluster, inputs.floating_ip.clone())?,
        ssh_key: given(cluster.keypair.as_ref(), template.keypair_id.as_ref()),
        cluster_network: cluster_network(labels, template.network_driver.as_deref()),
        healing: labels.boolean("auto_healing_enabled")?.unwrap_or(true).then(Healing::default),
        credential: keys.credential.clone(),
        certificates: keys.certificates.clone(),
        extra_variables: labels.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect(),
    })
}

/// Everything that the rows of one node group are read against.
struct Look<'a> {
    cluster: &'a Cluster,
    template: &'a ClusterTemplate,
    inputs: &'a Inputs,
    config: &'a ReconcileConfig,
}

impl Look<'_> {
    fn control_plane(&self, group: &NodeGroup) -> Result<ControlPlaneGroup, Unresolvable> {
        Ok(ControlPlaneGroup {
            id: group.id,
            count: count(group)?,
            flavor: self.flavor(group)?,
            image: self.image(group)?,
            boot_volume: self.boot_volume(group)?,
            availability_zones: self.cluster.labels.list("control_plane_availability_zones"),
        })
    }

    fn worker(&self, group: &NodeGroup) -> Result<WorkerGroup, Unresolvable> {
        Ok(WorkerGroup {
            id: group.id,
            name: group.name.clone(),
            role: group.role.clone(),
            count: count(group)?,
            autoscaling: autoscaling(self.cluster, group)?.map(|(min, max)| Autoscaling {
                min,
                max,
                begun: self.inputs.deployed.contains(&group.id),
            }),
            flavor: self.flavor(group)?,
            image: self.image(group)?,
            boot_volume: self.boot_volume(group)?,
            availability_zone: self.label(group, "availability_zone").map(str::to_owned),
            node_labels: group.node_labels.clone(),
            node_taints: group.node_taints.clone(),
        })
    }

    fn facts(&self, group: &NodeGroup) -> Result<(String, &ImageFacts), Unresolvable> {
        let name = image_of(group, self.template)
            .ok_or_else(|| Unresolvable::NotGiven { group: group.name.clone(), what: "image" })?;
        let facts = self.inputs.images.get(&name);
        match facts {
            Some(facts) => Ok((name, facts)),
            None => Err(Unresolvable::NotFound { what: "image", name }),
        }
    }

    fn image(&self, group: &NodeGroup) -> Result<Image, Unresolvable> {
        let (name, facts) = self.facts(group)?;
        let distro = facts.os_distro.clone().or_else(|| self.template.cluster_distro.clone());
        let distro = distro.filter(|distro| !distro.is_empty()).ok_or(Unresolvable::NoDistro(name.clone()))?;
        let operating_system =
            OperatingSystem::from_distro(&distro).ok_or(Unresolvable::Distro { image: name, distro })?;
        Ok(Image { id: facts.id.clone(), operating_system })
    }

    fn flavor(&self, group: &NodeGroup) -> Result<String, Unresolvable> {
        let name = flavor_of(group, self.cluster, self.template)
            .ok_or_else(|| Unresolvable::NotGiven { group: group.name.clone(), what: "flavor" })?;
        let found = self.inputs.flavors.get(&name).cloned();
        found.ok_or(Unresolvable::NotFound { what: "flavor", name })
    }

    /// The label `kube_tag`, and the version that the image says it holds: one is enough, two have to agree.
    fn release(&self, group: &NodeGroup) -> Result<KubeRelease, Unresolvable> {
        let (image, facts) = self.facts(group)?;
        let parse = |text: Option<&str>| text.map(str::parse::<KubeRelease>).transpose();
        let wanted = parse(self.label(group, "kube_tag"))?;
        let holds = parse(facts.kube_version.as_deref().filter(|text| !text.is_empty()))?;
        match (wanted, holds) {
            (Some(wanted), Some(holds)) if wanted != holds => Err(Unresolvable::WrongImage { image, holds, wanted }),
            (Some(release), _) | (None, Some(release)) => Ok(release),
            (None, None) => Err(Unresolvable::NoRelease(image)),
        }
    }

    fn boot_volume(&self, group: &NodeGroup) -> Result<Option<BootVolume>, Unresolvable> {
        let size = match group.labels.integer("boot_volume_size")? {
            Some(size) => Some(size),
            None => self.cluster.labels.integer("boot_volume_size")?,
        };
        let size: u32 = size.unwrap_or(self.config.boot_volume_size);
        let volume_type = self.label(group, "boot_volume_type").map(str::to_owned);
        let zone =
            self.label(group, "boot_volume_availability_zone").or_else(|| self.label(group, "availability_zone"));
        Ok((size > 0).then(|| BootVolume {
            size,
            volume_type: volume_type.or_else(|| self.config.boot_volume_type.clone()),
            availability_zone: zone.map(str::to_owned),
        }))
    }

    fn network(&self) -> Network {
        let external = self.inputs.external_network.clone();
        match self.inputs.fixed_network.clone() {
            Some(network) => Network::Existing { network, subnet: self.inputs.fixed_subnet.clone(), external },
            None => {
                let cidr = self.cluster.labels.text("fixed_subnet_cidr").unwrap_or("10.0.0.0/24").to_owned();
                Network::Managed { cidr, external }
            }
        }
    }

    /// A group's own label, else the cluster's.
    fn label<'a>(&'a self, group: &'a NodeGroup, name: &str) -> Option<&'a str> {
        group.labels.text(name).or_else(|| self.cluster.labels.text(name))
    }
}

fn given(own: Option<&String>, inherited: Option<&String>) -> Option<String> {
    own.filter(|text| !text.is_empty()).or_else(|| inherited.filter(|text| !text.is_empty())).cloned()
}

fn image_of(group: &NodeGroup, template: &ClusterTemplate) -> Option<String> {
    given(group.image_id.as_ref(), template.image_id.as_ref())
}

fn flavor_of(group: &NodeGroup, cluster: &Cluster, template: &ClusterTemplate) -> Option<String> {
    let (own, inherited) = if group.is_control_plane() {
        (&cluster.master_flavor_id, &template.master_flavor_id)
    } else {
        (&cluster.flavor_id, &template.flavor_id)
    };
    given(group.flavor_id.as_ref(), own.as_ref()).or_else(|| given(inherited.as_ref(), template.flavor_id.as_ref()))
}

fn count(group: &NodeGroup) -> Result<u32, Unresolvable> {
    u32::try_from(group.node_count)
        .map_err(|_| Unresolvable::Count { group: group.name.clone(), count: group.node_count })
}

fn name_servers(text: Option<&str>) -> Vec<String> {
    let servers = text.unwrap_or_default().split(',').map(str::trim);
    servers.filter(|server| !server.is_empty()).map(str::to_owned).collect()
}

/// Whether an address has to be taken for the API: it is to have one, and the tenant has named none.
pub(crate) fn wants_floating_ip(cluster: &Cluster) -> Result<bool, Unresolvable> {
    let api = api_endpoint(cluster, None)?;
    Ok(api.floating_ip && api.floating_ip_address.is_none())
}

fn api_endpoint(cluster: &Cluster, taken: Option<String>) -> Result<ApiEndpoint, Unresolvable> {
    let labels = &cluster.labels;
    let text = |name: &str| labels.text(name).map(str::to_owned);
    let floating_ip = labels.boolean("master_lb_floating_ip_enabled")?.unwrap_or(cluster.floating_ip_enabled);
    Ok(ApiEndpoint {
        // With neither, the provider finds no address for the API and the cluster never comes up: a balancer inside its network has one.
        load_balancer: cluster.master_lb_enabled || !floating_ip,
        floating_ip,
        floating_ip_address: text("api_server_floating_ip").or(taken),
        provider: text("octavia_provider"),
        lb_flavor: text("api_server_lb_flavor"),
        lb_availability_zone: text("api_server_lb_availability_zone"),
        allowed_cidrs: labels.list("api_master_lb_allowed_cidrs"),
        cert_sans: labels.list("api_server_cert_sans"),
    })
}

fn cluster_network(labels: &Labels, driver: Option<&str>) -> ClusterNetwork {
    let default = ClusterNetwork::default();
    let pods = match driver {
        Some("cilium") => labels.text("cilium_ipv4pool"),
        _ => labels.text("calico_ipv4pool"),
    };
    ClusterNetwork {
        pods: pods.map_or(default.pods, str::to_owned),
        services: labels.text("service_cluster_ip_range").map_or(default.services, str::to_owned),
        domain: labels.text("dns_cluster_domain").map_or(default.domain, str::to_owned),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
