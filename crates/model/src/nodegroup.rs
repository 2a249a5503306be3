//! A group of nodes that are alike.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ClusterId, Labels, NodeGroupId, ProjectId, Status, Timestamp};

/// What a node group is for: `master`, `worker`, or any word of the tenant's.
pub type Role = String;

/// Nodes of one flavor and image within a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeGroup {
    /// Number of the row, shown to clients as `id`.
    pub serial: i64,
    /// Its id for good.
    pub id: NodeGroupId,
    /// Unique within its cluster.
    pub name: String,
    /// The cluster it belongs to.
    pub cluster: ClusterId,
    /// The project that owns the cluster.
    pub project: ProjectId,
    /// `master`, `worker` or free text; everything but `master` works.
    pub role: Role,
    /// One of the two groups that a cluster is made with; these can't be deleted.
    pub is_default: bool,
    /// How many nodes are wanted.
    pub node_count: i32,
    /// Fewer are refused.
    pub min_node_count: i32,
    /// More are refused; `None` and 0 mean no bound.
    pub max_node_count: Option<i32>,
    /// Flavor, name or id as given.
    pub flavor_id: Option<String>,
    /// Image, name or id as given.
    pub image_id: Option<String>,
    /// Size of the container volume in GiB.
    pub docker_volume_size: Option<i32>,
    /// Settings for the driver.
    pub labels: Labels,
    /// Kubernetes labels of the nodes.
    pub node_labels: BTreeMap<String, String>,
    /// Kubernetes taints of the nodes.
    pub node_taints: Vec<Taint>,
    /// Internal addresses of the nodes that are there.
    pub node_addresses: Vec<String>,
    /// Shown to clients; the cluster's.
    pub stack_id: Option<String>,
    /// State of the last operation.
    pub status: Status,
    /// Progress or cause.
    pub status_reason: Option<String>,
    /// Never set by Cluster API drivers.
    pub version: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Last change of the row.
    pub updated_at: Option<Timestamp>,
}

impl NodeGroup {
    /// Magnum's word for the control plane.
    pub const CONTROL_PLANE_ROLE: &'static str = "master";
    /// Role of a group that was given none.
    pub const WORKER_ROLE: &'static str = "worker";

    /// Whether its nodes run the control plane.
    #[must_use]
    pub fn is_control_plane(&self) -> bool {
        self.role == Self::CONTROL_PLANE_ROLE
    }

    /// Whether so many nodes are allowed. A maximum of 0 is none.
    #[must_use]
    pub fn allows(&self, count: i32) -> bool {
        let below = self.max_node_count.is_none_or(|max| max == 0 || count <= max);
        count >= self.min_node_count && below
    }
}

/// A Kubernetes taint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// The taint's key.
    pub key: String,
    /// Its value, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What it does to pods that do not tolerate it.
    pub effect: TaintEffect,
}

/// What a taint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaintEffect {
    /// No new pods.
    NoSchedule,
    /// Rather no new pods.
    PreferNoSchedule,
    /// No new pods, and out with the present ones.
    NoExecute,
}

impl FromStr for TaintEffect {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "NoSchedule" => Ok(Self::NoSchedule),
            "PreferNoSchedule" => Ok(Self::PreferNoSchedule),
            "NoExecute" => Ok(Self::NoExecute),
            _ => Err(()),
        }
    }
}
