//! How a cluster is shown: keys, their order and their nulls are Magnum's.

use std::collections::BTreeMap;

use jeroboam_model::{Cluster, ClusterId, ClusterWithGroups, LabelDiff, Labels, ShownCluster, ShownGroup, TemplateId};
use jeroboam_oslo::Microversion;
use serde::Serialize;
use utoipa::ToSchema;

use crate::edge::{Link, Links};
use crate::v1::{time, versions};

/// A cluster in a listing.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClusterSummary<'a> {
    #[schema(value_type = String, format = "uuid")]
    uuid: ClusterId,
    name: Option<&'a str>,
    #[schema(value_type = String, format = "uuid")]
    cluster_template_id: TemplateId,
    keypair: Option<&'a str>,
    /// Sum over all worker groups.
    node_count: i32,
    /// Sum over the control plane groups.
    master_count: i32,
    docker_volume_size: Option<i32>,
    #[schema(value_type = BTreeMap<String, String>)]
    labels: &'a Labels,
    master_flavor_id: Option<&'a str>,
    flavor_id: Option<&'a str>,
    /// Minutes.
    create_timeout: Option<i32>,
    links: [Link; 2],
    /// Before 1.13.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    stack_id: Option<Option<&'a str>>,
    /// From 1.13 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cluster_id: Option<Option<&'a str>>,
    status: &'static str,
    health_status: Option<&'static str>,
    merge_labels: bool,
}

/// A cluster by itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClusterView<'a> {
    #[schema(value_type = String, format = "uuid")]
    uuid: ClusterId,
    name: Option<&'a str>,
    #[schema(value_type = String, format = "uuid")]
    cluster_template_id: TemplateId,
    keypair: Option<&'a str>,
    /// Sum over all worker groups.
    node_count: i32,
    /// Sum over the control plane groups.
    master_count: i32,
    docker_volume_size: Option<i32>,
    #[schema(value_type = BTreeMap<String, String>)]
    labels: &'a Labels,
    master_flavor_id: Option<&'a str>,
    flavor_id: Option<&'a str>,
    /// Minutes.
    create_timeout: Option<i32>,
    links: [Link; 2],
    /// Before 1.13.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    stack_id: Option<Option<&'a str>>,
    /// From 1.13 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cluster_id: Option<Option<&'a str>>,
    status: &'static str,
    status_reason: Option<&'a str>,
    health_status: Option<&'static str>,
    health_status_reason: &'a BTreeMap<String, String>,
    discovery_url: Option<&'a str>,
    api_address: Option<&'a str>,
    coe_version: Option<&'a str>,
    container_version: Option<&'a str>,
    project_id: &'a str,
    user_id: &'a str,
    /// Addresses of the workers.
    node_addresses: Vec<&'a str>,
    /// Addresses of the control plane.
    master_addresses: Vec<&'a str>,
    /// Reasons by node group, when the last operation failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<BTreeMap<&'a str, Option<&'a str>>>,
    fixed_network: Option<&'a str>,
    fixed_subnet: Option<&'a str>,
    floating_ip_enabled: bool,
    merge_labels: bool,
    /// Labels that the template has too, with the template's value.
    #[schema(value_type = BTreeMap<String, String>)]
    labels_overridden: Labels,
    /// Labels that the template has not.
    #[schema(value_type = BTreeMap<String, String>)]
    labels_added: Labels,
    /// Labels of the template that the cluster has not.
    #[schema(value_type = BTreeMap<String, String>)]
    labels_skipped: Labels,
    master_lb_enabled: bool,
    created_at: String,
    updated_at: Option<String>,
}

impl<'a> ClusterSummary<'a> {
    /// One item of `GET /v1/clusters`.
    pub(crate) fn new(all: &'a ShownCluster, version: Microversion, links: &Links) -> Self {
        let cluster = &all.cluster;
        let (stack_id, cluster_id) = orchestration_id(cluster, version);
        Self {
            uuid: cluster.id,
            name: cluster.name.as_deref(),
            cluster_template_id: cluster.template,
            keypair: cluster.keypair.as_deref(),
            node_count: all.worker_count(),
            master_count: all.control_plane_count(),
            docker_volume_size: cluster.docker_volume_size,
            labels: &cluster.labels,
            master_flavor_id: cluster.master_flavor_id.as_deref(),
            flavor_id: cluster.flavor_id.as_deref(),
            create_timeout: cluster.create_timeout,
            links: links.pair(&format!("clusters/{}", cluster.id)),
            stack_id,
            cluster_id,
            status: cluster.status.as_str(),
            health_status: cluster.health_status.map(jeroboam_model::HealthStatus::as_str),
            merge_labels: false,
        }
    }
}

impl<'a> ClusterView<'a> {
    /// What a patch is applied to.
    pub(crate) fn to_patch(all: &'a ClusterWithGroups, version: Microversion, links: &Links) -> Self {
        let groups = all.groups.iter().map(|group| Nodes {
            control_plane: group.is_control_plane(),
            count: group.node_count,
            addresses: &group.node_addresses,
        });
        Self::new(&all.cluster, groups, all.template_labels.as_ref(), version, links)
    }

    /// One item of `GET /v1/clusters/detail`.
    pub(crate) fn in_list(all: &'a ShownCluster, version: Microversion, links: &Links) -> Self {
        let groups = all.groups.iter().map(|group| Nodes {
            control_plane: group.is_control_plane(),
            count: group.node_count,
            addresses: &group.node_addresses,
        });
        Self::new(&all.cluster, groups, all.template_labels.as_ref(), version, links)
    }

    /// `GET /v1/clusters/{ident}`, which also says what failed.
    pub(crate) fn alone(all: &'a ShownCluster, version: Microversion, links: &Links) -> Self {
        Self { faults: faults(all), ..Self::in_list(all, version, links) }
    }

    fn new(
        cluster: &'a Cluster,
        groups: impl Iterator<Item = Nodes<'a>>,
        template_labels: Option<&Labels>,
        version: Microversion,
        links: &Links,
    ) -> Self {
        let (stack_id, cluster_id) = orchestration_id(cluster, version);
        // A template that is gone has no labels to compare with.
        let LabelDiff { overridden, added, skipped } =
            template_labels.map(|parent| cluster.labels.diff(parent)).unwrap_or_default();
        let (mut masters, mut workers) = (Sum::default(), Sum::default());
        for group in groups {
            let sum = if group.control_plane { &mut masters } else { &mut workers };
            sum.count += group.count;
            sum.addresses.extend(group.addresses.iter().map(String::as_str));
        }
        Self {
            uuid: cluster.id,
            name: cluster.name.as_deref(),
            cluster_template_id: cluster.template,
            keypair: cluster.keypair.as_deref(),
            node_count: workers.count,
            master_count: masters.count,
            docker_volume_size: cluster.docker_volume_size,
            labels: &cluster.labels,
            master_flavor_id: cluster.master_flavor_id.as_deref(),
            flavor_id: cluster.flavor_id.as_deref(),
            create_timeout: cluster.create_timeout,
            links: links.pair(&format!("clusters/{}", cluster.id)),
            stack_id,
            cluster_id,
            status: cluster.status.as_str(),
            status_reason: cluster.status_reason.as_deref(),
            health_status: cluster.health_status.map(jeroboam_model::HealthStatus::as_str),
            health_status_reason: &cluster.health_status_reason,
            discovery_url: cluster.discovery_url.as_deref(),
            api_address: cluster.api_address.as_deref(),
            coe_version: cluster.coe_version.as_deref(),
            container_version: cluster.container_version.as_deref(),
            project_id: cluster.project.as_str(),
            user_id: cluster.user.as_str(),
            node_addresses: workers.addresses,
            master_addresses: masters.addresses,
            faults: None,
            fixed_network: cluster.fixed_network.as_deref(),
            fixed_subnet: cluster.fixed_subnet.as_deref(),
            floating_ip_enabled: cluster.floating_ip_enabled,
            merge_labels: false,
            labels_overridden: overridden,
            labels_added: added,
            labels_skipped: skipped,
            master_lb_enabled: cluster.master_lb_enabled,
            created_at: time(cluster.created_at),
            updated_at: cluster.updated_at.map(time),
        }
    }
}

/// What a view adds up of a node group.
struct Nodes<'a> {
    control_plane: bool,
    count: i32,
    addresses: &'a [String],
}

#[derive(Default)]
struct Sum<'a> {
    count: i32,
    addresses: Vec<&'a str>,
}

/// The same value under the name that the client's version has for it.
type OrchestrationId<'a> = (Option<Option<&'a str>>, Option<Option<&'a str>>);

fn orchestration_id(cluster: &Cluster, version: Microversion) -> OrchestrationId<'_> {
    let id = cluster.stack_id.as_deref();
    if version >= versions::CLUSTER_ID { (None, Some(id)) } else { (Some(id), None) }
}

/// Magnum: `magnum/api/controllers/v1/cluster.py _collect_fault_info`.
fn faults(all: &ShownCluster) -> Option<BTreeMap<&str, Option<&str>>> {
    const SHOWN: [&str; 5] = ["CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED", "ROLLBACK_FAILED", "RESUME_FAILED"];
    if !SHOWN.contains(&all.cluster.status.as_str()) {
        return None;
    }
    let failed = |group: &&ShownGroup| group.status.as_str().ends_with("FAILED");
    let groups = all.groups.iter().filter(failed);
    Some(groups.map(|group| (group.name.as_str(), group.status_reason.as_deref())).collect())
}
