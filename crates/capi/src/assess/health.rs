//! Whether a cluster works: its API answers the management cluster and every node is healthy.

use std::collections::BTreeMap;

use jeroboam_model::HealthStatus;

use crate::observed::{MachineSeen, Observed, Truth};

/// Whether a cluster works, and what was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The verdict.
    pub status: HealthStatus,
    /// `api` and `<node>.Ready`; every value is text. Magnum: clients show it as it is.
    pub reasons: BTreeMap<String, String>,
}

/// Reasons of `NodeHealthy` by which Cluster API says that the node itself stopped reporting, in the words of its releases. Any
/// other Unknown says that nobody could look, which is the API's fault and not the node's.
const SILENT_NODE: [&str; 3] = ["NodeHealthyUnknown", "NodeHealthUnknown", "NodeConditionsFailed"];

pub(super) fn assess(observed: &Observed) -> Health {
    let mut reasons = BTreeMap::new();
    let Some(cluster) = &observed.cluster else {
        return Health { status: HealthStatus::Unknown, reasons };
    };
    // Before the first control plane machine answers there is nothing to be ill.
    if !cluster.control_plane_initialized || cluster.meta.deleting {
        return Health { status: HealthStatus::Unknown, reasons };
    }
    let said = |kind: &str| cluster.conditions.get(kind);
    let unreachable = said("RemoteConnectionProbe").filter(|condition| condition.truth == Truth::False);
    let down = said("ControlPlaneAvailable").filter(|condition| condition.truth == Truth::False);
    let healing = said("Remediating").filter(|condition| condition.truth == Truth::True);
    let api_wrong = unreachable.or(down);
    let api = api_wrong.map_or_else(|| "ok".to_owned(), |condition| format!("nok: {condition}"));
    reasons.insert("api".to_owned(), api);
    let mut ill = api_wrong.is_some() || healing.is_some();
    for machine in observed.machines.iter().filter(|machine| !machine.meta.deleting) {
        // A machine that has not become a node yet is on its way, not ill.
        let Some(node) = &machine.node else { continue };
        let healthy = is_healthy(machine);
        reasons.insert(format!("{node}.Ready"), if healthy { "True" } else { "False" }.to_owned());
        ill |= !healthy;
    }
    Health { status: if ill { HealthStatus::Unhealthy } else { HealthStatus::Healthy }, reasons }
}

/// Whether a machine that became a node is a good one.
fn is_healthy(machine: &MachineSeen) -> bool {
    match machine.conditions.get("NodeHealthy") {
        None => !machine.conditions.is_false("Ready"),
        Some(condition) if condition.truth == Truth::Unknown => !SILENT_NODE.contains(&condition.reason.as_str()),
        Some(condition) => condition.truth == Truth::True,
    }
}
