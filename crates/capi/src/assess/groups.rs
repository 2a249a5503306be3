//! Node groups: how many of their machines are as wanted, where they are, and what holds them up.

use jeroboam_model::{KubeRelease, NodeGroupId, Operation};

use super::{Wanted, WantedGroup, cause};
use crate::names::group_name;
use crate::observed::{Counts, DeploymentSeen, MachineSeen, Observed};

/// Where a node group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// Not yet as wanted.
    InProgress,
    /// As wanted.
    Complete,
    /// One of its machines was given up by the infrastructure.
    Failed,
    /// Nothing is left of it.
    Gone,
}

/// What was made of a node group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAssessment {
    /// The group.
    pub id: NodeGroupId,
    /// Where it stands.
    pub state: GroupState,
    /// What it waits for.
    pub reason: Option<String>,
    /// Internal addresses of its machines, in the order of the machines' names.
    pub addresses: Vec<String>,
    /// Machines that the management cluster wants to have now; an autoscaler may have changed it.
    pub desired: Option<u32>,
    /// Machines that are there.
    pub present: u32,
    /// Machines that are ready.
    pub ready: u32,
}

/// The wanted groups, the control plane first, and then those that are to go.
pub(super) fn assess(wanted: &Wanted, release: Option<&KubeRelease>, observed: &Observed) -> Vec<GroupAssessment> {
    let view = View { wanted, release, observed };
    let mut groups = vec![view.control_plane()];
    groups.extend(wanted.workers.iter().map(|group| view.workers(group, false)));
    groups.extend(wanted.leaving.iter().map(|group| view.workers(group, true)));
    groups
}

/// Whether a machine is of a group.
pub(super) fn belongs(machine: &MachineSeen, group: &WantedGroup, control_plane: &WantedGroup) -> bool {
    if machine.meta.control_plane {
        return group.id == control_plane.id;
    }
    match machine.meta.nodegroup.as_deref() {
        Some(label) => label.parse() == Ok(group.id),
        None => machine.meta.deployment.as_deref() == Some(&*group_name(&group.name, group.id)),
    }
}

struct View<'a> {
    wanted: &'a Wanted,
    release: Option<&'a KubeRelease>,
    observed: &'a Observed,
}

impl View<'_> {
    fn control_plane(&self) -> GroupAssessment {
        let group = &self.wanted.control_plane;
        let Some(seen) = &self.observed.control_plane else { return self.assessment(group, None, false) };
        let current = seen.observed_generation == seen.meta.generation;
        let right = self.release.is_none_or(|release| seen.release.as_ref() == Some(release));
        self.assessment(group, Some(seen.counts), current && right && !seen.meta.deleting)
    }

    fn workers(&self, group: &WantedGroup, leaving: bool) -> GroupAssessment {
        let seen = self.observed.deployments.iter().find(|seen| is_deployment_of(seen, group));
        let current = seen.is_some_and(|seen| {
            let right = self.release.is_none_or(|release| seen.wanted_release.as_ref() == Some(release));
            seen.observed_generation == seen.meta.generation && right && !seen.meta.deleting
        });
        let mut assessment = self.assessment(group, seen.map(|seen| seen.counts), current && !leaving);
        if leaving && seen.is_none() && assessment.present == 0 {
            assessment.state = GroupState::Gone;
            assessment.reason = None;
        }
        assessment
    }

    fn assessment(&self, group: &WantedGroup, counts: Option<Counts>, current: bool) -> GroupAssessment {
        let of_group = |machine: &&MachineSeen| belongs(machine, group, &self.wanted.control_plane);
        let mut machines: Vec<_> = self.observed.machines.iter().filter(of_group).collect();
        machines.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
        let staying = machines.iter().filter(|machine| !machine.meta.deleting);
        let given_up = staying.clone().find_map(|machine| self.failure(machine));
        let ready = number(machines.iter().filter(|machine| machine.is_ready()).count());
        let present = number(machines.len());
        let right = |machine: &&MachineSeen| {
            machine.is_ready() && self.release.is_none_or(|release| machine.release.as_ref() == Some(release))
        };
        let counted = counts.is_some_and(|counts| counts.all_are(i64::from(group.count)));
        let complete = current && counted && machines.iter().all(right) && present == group.count;
        let state = match (complete, &given_up) {
            (true, _) => GroupState::Complete,
            (false, Some(_)) => GroupState::Failed,
            (false, None) => GroupState::InProgress,
        };
        let waiting = || {
            let wrong = machines.iter().find_map(|machine| {
                let why = cause::of_machine(self.observed, machine)?;
                Some(format!("machine {}: {why}", machine.meta.name))
            });
            let as_wanted = machines.iter().filter(|machine| right(machine)).count();
            let stands = match self.wanted.operation {
                Operation::Delete => format!("{present} machines left"),
                _ => format!("{as_wanted} of {} machines ready", group.count),
            };
            Some(wrong.map_or_else(|| stands.clone(), |wrong| format!("{stands}; {wrong}")))
        };
        GroupAssessment {
            id: group.id,
            state,
            reason: if complete { None } else { given_up.or_else(waiting) },
            addresses: machines.iter().filter_map(|machine| machine.address.clone()).collect(),
            desired: counts.and_then(|counts| counts.desired).and_then(|desired| u32::try_from(desired).ok()),
            present,
            ready,
        }
    }

    fn failure(&self, machine: &MachineSeen) -> Option<String> {
        let behind = self.observed.infrastructure_of(machine).and_then(|seen| seen.failure.clone());
        let failure = behind.or_else(|| machine.failure.clone())?;
        Some(format!("machine {}: {failure}", machine.meta.name))
    }
}

fn is_deployment_of(seen: &DeploymentSeen, group: &WantedGroup) -> bool {
    match seen.meta.nodegroup.as_deref() {
        Some(label) => label.parse() == Ok(group.id),
        None => seen.meta.deployment.as_deref() == Some(&*group_name(&group.name, group.id)),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
