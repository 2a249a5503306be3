//! What is to be done to a cluster, and who may do it now.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ClusterId, NodeGroupId, Timestamp};

/// What the newest accepted request wants. `Observe` is what remains when all is done: keep looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Make the cluster.
    Create,
    /// Bring sizes, node groups and settings to what the rows say.
    Update,
    /// Bring the Kubernetes version and images to what the template says.
    Upgrade,
    /// Remove everything.
    Delete,
    /// Nothing is wanted; status and health follow what is seen.
    Observe,
}

impl Operation {
    /// The column form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Upgrade => "upgrade",
            Self::Delete => "delete",
            Self::Observe => "observe",
        }
    }
}

/// A node that a resize named: a Nova server id, a machine name or a node name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The group it was asked to leave.
    pub group: NodeGroupId,
    /// What the tenant wrote.
    pub node: String,
}

/// The product's own state of one cluster: a row of `jeroboam_cluster`.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The cluster.
    pub cluster: ClusterId,
    /// What is wanted.
    pub operation: Operation,
    /// Counts accepted requests; a write that starts from an older one is refused.
    pub revision: i64,
    /// When the operation was accepted.
    pub began: Timestamp,
    /// When it will be given up; `None` for `Observe`.
    pub deadline: Option<Timestamp>,
    /// Failed attempts in a row, for the back-off.
    pub attempts: i32,
    /// Nodes to take away first when a group shrinks.
    pub removals: Vec<Removal>,
    /// What was last seen of the machines.
    pub progress: Progress,
}

/// The counter that grows each time a lease changes hands; a holder of an older one can write nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub i64);

/// The right to act on one cluster until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The cluster.
    pub cluster: ClusterId,
    /// The process that holds it.
    pub owner: String,
    /// What its writes must show.
    pub fence: Fence,
    /// When others may take it.
    pub expires: Timestamp,
}

/// How far a cluster is, machine by machine; stored as JSON and shown by the client's progress display.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is going on now, in the field's words: `infrastructure`, `control plane`, `workers`, `rolling out`, `deleting`.
    pub phase: String,
    /// Machines that are as wanted.
    pub ready: u32,
    /// Machines that are wanted.
    pub wanted: u32,
    /// All machines that are there.
    pub machines: Vec<MachineView>,
    /// Seconds each phase took, in the order they were passed.
    #[serde(default)]
    pub took: BTreeMap<String, u64>,
}

/// One machine as last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineView {
    /// Name of the Machine object.
    pub name: String,
    /// Name of the node group.
    pub group: String,
    /// Name of the Kubernetes node, once it joined.
    pub node: Option<String>,
    /// Id of the server behind it.
    pub server: Option<String>,
    /// Cluster API's phase.
    pub phase: String,
    /// Kubernetes version.
    pub version: Option<String>,
    /// Internal address.
    pub address: Option<String>,
    /// Whether it is ready.
    pub ready: bool,
    /// The deepest reason why it is not.
    pub reason: Option<String>,
}
