//! What a project may have, and what there is.

use crate::{ProjectId, Timestamp};

/// What Magnum calls the one thing that is counted.
pub const CLUSTER_RESOURCE: &str = "Cluster";

/// How much of one resource a project may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Number of the row, shown to clients as `id`.
    pub serial: i64,
    /// The project.
    pub project: ProjectId,
    /// What is counted: `Cluster`.
    pub resource: String,
    /// How many there may be. Negative values, which only a foreign hand can have written, let nothing pass.
    pub hard_limit: i32,
    /// When it was set.
    pub created_at: Option<Timestamp>,
    /// Last change of the row.
    pub updated_at: Option<Timestamp>,
}

/// How much there is, whatever its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Clusters.
    pub clusters: u64,
    /// Nodes of all groups, control planes among them.
    pub nodes: u64,
}
