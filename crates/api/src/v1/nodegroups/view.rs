//! How a node group is shown: keys, their order and their nulls are Magnum's.

use std::collections::BTreeMap;

use jeroboam_model::{ClusterId, LabelDiff, Labels, NodeGroup, NodeGroupId, Taint};
use jeroboam_service::GroupInCluster;
use serde::Serialize;
use utoipa::ToSchema;

use crate::edge::{Link, Links};
use crate::v1::time;

/// A node group in a listing.
#[derive(Serialize, ToSchema)]
pub(crate) struct NodeGroupSummary<'a> {
    #[schema(value_type = String, format = "uuid")]
    uuid: NodeGroupId,
    name: &'a str,
    flavor_id: Option<&'a str>,
    image_id: Option<&'a str>,
    node_count: i32,
    role: &'a str,
    min_node_count: i32,
    max_node_count: Option<i32>,
    is_default: bool,
    stack_id: Option<&'a str>,
    status: &'static str,
    merge_labels: bool,
}

/// A node group by itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct NodeGroupView<'a> {
    id: i64,
    #[schema(value_type = String, format = "uuid")]
    uuid: NodeGroupId,
    name: &'a str,
    #[schema(value_type = String, format = "uuid")]
    cluster_id: ClusterId,
    project_id: &'a str,
    docker_volume_size: Option<i32>,
    #[schema(value_type = BTreeMap<String, String>)]
    labels: &'a Labels,
    links: [Link; 2],
    flavor_id: Option<&'a str>,
    image_id: Option<&'a str>,
    node_addresses: &'a [String],
    node_count: i32,
    role: &'a str,
    min_node_count: i32,
    max_node_count: Option<i32>,
    is_default: bool,
    stack_id: Option<&'a str>,
    status: &'static str,
    status_reason: Option<&'a str>,
    version: Option<&'a str>,
    merge_labels: bool,
    /// Labels that the cluster has too, with the cluster's value.
    #[schema(value_type = BTreeMap<String, String>)]
    labels_overridden: Labels,
    /// Labels that the cluster has not.
    #[schema(value_type = BTreeMap<String, String>)]
    labels_added: Labels,
    /// Labels of the cluster that the group has not.
    #[schema(value_type = BTreeMap<String, String>)]
    labels_skipped: Labels,
    /// Kubernetes labels of the nodes.
    node_labels: &'a BTreeMap<String, String>,
    /// Kubernetes taints of the nodes.
    #[schema(value_type = Vec<BTreeMap<String, String>>)]
    node_taints: &'a [Taint],
    created_at: String,
    updated_at: Option<String>,
}

impl<'a> NodeGroupSummary<'a> {
    /// One item of the listing.
    pub(crate) fn new(group: &'a NodeGroup) -> Self {
        Self {
            uuid: group.id,
            name: &group.name,
            flavor_id: group.flavor_id.as_deref(),
            image_id: group.image_id.as_deref(),
            node_count: group.node_count,
            role: &group.role,
            min_node_count: group.min_node_count,
            max_node_count: group.max_node_count,
            is_default: group.is_default,
            stack_id: group.stack_id.as_deref(),
            status: group.status.as_str(),
            merge_labels: false,
        }
    }
}

impl<'a> NodeGroupView<'a> {
    /// The group, compared with its cluster.
    pub(crate) fn new(both: &'a GroupInCluster, links: &Links) -> Self {
        let GroupInCluster { cluster, group } = both;
        let LabelDiff { overridden, added, skipped } = group.labels.diff(&cluster.labels);
        Self {
            id: group.serial,
            uuid: group.id,
            name: &group.name,
            cluster_id: group.cluster,
            project_id: group.project.as_str(),
            docker_volume_size: group.docker_volume_size,
            labels: &group.labels,
            links: links.pair(&format!("clusters/{}/nodegroups/{}", group.cluster, group.id)),
            flavor_id: group.flavor_id.as_deref(),
            image_id: group.image_id.as_deref(),
            node_addresses: &group.node_addresses,
            node_count: group.node_count,
            role: &group.role,
            min_node_count: group.min_node_count,
            max_node_count: group.max_node_count,
            is_default: group.is_default,
            stack_id: group.stack_id.as_deref(),
            status: group.status.as_str(),
            status_reason: group.status_reason.as_deref(),
            version: group.version.as_deref(),
            merge_labels: false,
            labels_overridden: overridden,
            labels_added: added,
            labels_skipped: skipped,
            node_labels: &group.node_labels,
            node_taints: &group.node_taints,
            created_at: time(group.created_at),
            updated_at: group.updated_at.map(time),
        }
    }
}
