//! A cluster as far as its own view tells of it.

use crate::{Cluster, Labels, NodeGroup, Role, Status};

/// All that a GET of a cluster needs.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownCluster {
    /// The cluster.
    pub cluster: Cluster,
    /// Its node groups, oldest first.
    pub groups: Vec<ShownGroup>,
    /// Labels of its template, read without regard to who may see the template; `None` when the template is gone.
    pub template_labels: Option<Labels>,
}

impl ShownCluster {
    /// Sum over the control plane groups. Magnum: `master_count`.
    #[must_use]
    pub fn control_plane_count(&self) -> i32 {
        self.groups.iter().filter(|group| group.is_control_plane()).map(|group| group.node_count).sum()
    }

    /// Sum over all other groups. Magnum: `node_count`.
    #[must_use]
    pub fn worker_count(&self) -> i32 {
        self.groups.iter().filter(|group| !group.is_control_plane()).map(|group| group.node_count).sum()
    }
}

/// What a cluster's view tells of one of its node groups.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownGroup {
    /// Unique within its cluster.
    pub name: String,
    /// `master`, `worker` or free text.
    pub role: Role,
    /// How many nodes are wanted.
    pub node_count: i32,
    /// Internal addresses of the nodes that are there.
    pub node_addresses: Vec<String>,
    /// State of the last operation.
    pub status: Status,
    /// Progress or cause.
    pub status_reason: Option<String>,
}

impl ShownGroup {
    /// Whether its nodes run the control plane.
    #[must_use]
    pub fn is_control_plane(&self) -> bool {
        self.role == NodeGroup::CONTROL_PLANE_ROLE
    }
}
