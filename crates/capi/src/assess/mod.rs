//! What an observed cluster means: one pure function from objects to phase, completion, reasons and health.
//!
//! The rules follow what Cluster API's status says and when. The ones that matter most: a change has been taken up only
//! when `TopologyReconciled` speaks of the present generation; `Available` alone comes seconds early and flaps; Unknown is
//! "not yet" and never a failure; a refusal counts as failed only when it lasts, as conflicts heal by themselves.

mod cause;
mod groups;
mod health;

use std::time::Duration;

use jeroboam_model::{HealthStatus, KubeRelease, MachineView, NodeGroupId, Operation, Progress, Timestamp};

pub use groups::{GroupAssessment, GroupState};
pub use health::Health;

use crate::observed::{ClusterSeen, InfrastructureSeen, Observed, Truth, one_line};

/// What the rows ask for, as far as it can be compared with what is seen.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is being done.
    pub operation: Operation,
    /// The release of every machine; `None` compares with what the Cluster object asks for.
    pub release: Option<KubeRelease>,
    /// The control plane.
    pub control_plane: WantedGroup,
    /// The worker groups that are to be there.
    pub workers: Vec<WantedGroup>,
    /// Worker groups that are to go.
    pub leaving: Vec<WantedGroup>,
    /// Generation of the Cluster object after it was last applied; an older one that is seen is history.
    pub generation: Option<i64>,
    /// How long a refusal may last before it is a failure.
    pub grace: Duration,
}

/// A node group as the rows want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedGroup {
    /// Its id.
    pub id: NodeGroupId,
    /// Its name, as the tenant gave it.
    pub name: String,
    /// How many machines.
    pub count: u32,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is no Cluster object yet, or nobody has looked at it.
    Pending,
    /// Networks and load balancer are being made.
    Infrastructure,
    /// The control plane is on its way.
    ControlPlane,
    /// Worker machines are on their way.
    Workers,
    /// Machines are being replaced.
    RollingOut,
    /// All is as wanted.
    Settled,
    /// It is being removed.
    Deleting,
    /// Nothing is left of it.
    Gone,
}

impl Phase {
    /// For people, and the value of `Progress::phase`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "waiting for cluster api",
            Self::Infrastructure => "infrastructure",
            Self::ControlPlane => "control plane",
            Self::Workers => "workers",
            Self::RollingOut => "rolling out",
            Self::Settled => "complete",
            Self::Deleting => "deleting",
            Self::Gone => "deleted",
        }
    }
}

/// What was made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// Where the operation stands.
    pub phase: Phase,
    /// Whether everything is as wanted; for a deletion, whether nothing is left.
    pub complete: bool,
    /// Why it will not become so by itself. It may heal all the same: keep looking.
    pub failed: Option<String>,
    /// One line for `status_reason` while work is under way.
    pub reason: String,
    /// The deepest thing known to be wrong, for when the deadline passes.
    pub cause: Option<String>,
    /// `https://host:port`, as soon as it is known.
    pub api_address: Option<String>,
    /// The lowest Kubernetes release of the control plane.
    pub coe_version: Option<String>,
    /// The wanted groups, control plane first, and then the leaving ones.
    pub groups: Vec<GroupAssessment>,
    /// Whether the cluster works.
    pub health: Health,
    /// Machine by machine.
    pub progress: Progress,
}

/// Compares what is wanted with what is seen.
#[must_use]
pub fn assess(wanted: &Wanted, observed: &Observed, now: Timestamp) -> Assessment {
    let deleting = wanted.operation == Operation::Delete;
    let release = wanted.release.clone().or_else(|| observed.cluster.as_ref()?.wanted_release.clone());
    let groups = groups::assess(wanted, release.as_ref(), observed);
    let complete = if deleting { observed.is_gone() } else { is_complete(wanted, release.as_ref(), observed, &groups) };
    let phase = phase(wanted, complete, observed);
    let failed = if complete { None } else { failure(wanted, observed, now) };
    let cause = if complete { None } else { failed.clone().or_else(|| cause::deepest(observed)) };
    let progress = progress(phase, wanted, release.as_ref(), observed);
    Assessment {
        phase,
        complete,
        reason: line(phase, &progress, observed, failed.as_deref()),
        failed,
        cause,
        api_address: observed.cluster.as_ref().and_then(api_address),
        coe_version: observed.control_plane.as_ref().and_then(|c| c.release.as_ref()).map(ToString::to_string),
        groups,
        health: health::assess(observed),
        progress,
    }
}

/// Whether the topology controller speaks of the present specification, and we see it.
fn is_current(cluster: &ClusterSeen, generation: Option<i64>) -> bool {
    let Some(condition) = cluster.conditions.get("TopologyReconciled") else { return false };
    // Conditions of the v1beta1 contract do not say of which generation they speak.
    let spoken_of = condition.observed_generation.unwrap_or(cluster.observed_generation);
    let current = cluster.meta.generation;
    spoken_of == current && generation.is_none_or(|applied| applied <= current)
}

/// All of: taken up, available, nothing rolling or scaling, every count as wanted, every machine of the wanted release.
fn is_complete(
    wanted: &Wanted,
    release: Option<&KubeRelease>,
    observed: &Observed,
    groups: &[GroupAssessment],
) -> bool {
    let Some(cluster) = &observed.cluster else { return false };
    let taken_up = is_current(cluster, wanted.generation) && cluster.conditions.is_true("TopologyReconciled");
    if cluster.meta.deleting || !taken_up {
        return false;
    }
    let settled = if cluster.modern {
        let still = ["RollingOut", "ScalingUp", "ScalingDown"].iter().all(|kind| cluster.conditions.is_false(kind));
        let workers: u32 = wanted.workers.iter().map(|group| group.count).sum();
        let is = |counts: Option<crate::Counts>, number: u32| counts.unwrap_or_default().all_are(i64::from(number));
        cluster.conditions.is_true("Available")
            && still
            && is(cluster.control_plane, wanted.control_plane.count)
            && is(cluster.workers, workers)
    } else {
        cluster.conditions.is_true("Ready")
    };
    let machines = observed.machines.iter().all(|machine| release.is_none_or(|r| machine.release.as_ref() == Some(r)));
    settled && machines && groups.iter().all(|group| matches!(group.state, GroupState::Complete | GroupState::Gone))
}

fn phase(wanted: &Wanted, complete: bool, observed: &Observed) -> Phase {
    if wanted.operation == Operation::Delete {
        return if complete { Phase::Gone } else { Phase::Deleting };
    }
    let Some(cluster) = &observed.cluster else { return Phase::Pending };
    let rolling = |kind: &str| cluster.conditions.is_true(kind);
    let upgrading = cluster.conditions.get("TopologyReconciled").is_some_and(|c| c.reason == "ClusterUpgrading");
    match () {
        () if complete => Phase::Settled,
        () if cluster.meta.deleting => Phase::Deleting,
        () if cluster.phase.is_empty() => Phase::Pending,
        () if !cluster.infrastructure_provisioned => Phase::Infrastructure,
        () if !cluster.control_plane_initialized => Phase::ControlPlane,
        () if rolling("RollingOut") || upgrading => Phase::RollingOut,
        () if !is_current(cluster, wanted.generation) && cluster.conditions.is_true("Available") => Phase::Pending,
        () if control_plane_is_short(observed) => Phase::ControlPlane,
        () => Phase::Workers,
    }
}

fn control_plane_is_short(observed: &Observed) -> bool {
    observed.control_plane.as_ref().is_none_or(|control_plane| {
        let counts = control_plane.counts;
        counts.available.unwrap_or_default() < counts.desired.unwrap_or(1)
    })
}

/// What does not heal by waiting: a refusal that lasts, or infrastructure that gave up.
fn failure(wanted: &Wanted, observed: &Observed, now: Timestamp) -> Option<String> {
    if wanted.operation == Operation::Delete {
        return None;
    }
    let lasting = |since: Option<Timestamp>| {
        let age = since.and_then(|since| Duration::try_from(now.duration_since(since)).ok()).unwrap_or_default();
        age >= wanted.grace
    };
    let cluster = observed.cluster.as_ref();
    let refused = cluster.and_then(|cluster| cluster.conditions.get("TopologyReconciled")).filter(|condition| {
        condition.truth == Truth::False && condition.reason == "ReconcileFailed" && lasting(condition.since)
    });
    let infrastructure = observed.infrastructure.as_ref().and_then(|seen| Some((seen, seen.failure.as_ref()?)));
    cause::of_failed_machine(observed)
        .or_else(|| infrastructure.map(|(seen, failure)| format!("{} {}: {failure}", seen.kind, seen.meta.name)))
        .or_else(|| refused.map(|condition| one_line(&condition.message)))
        .or_else(|| cluster.and_then(|cluster| cluster.failure.clone()))
}

fn api_address(cluster: &ClusterSeen) -> Option<String> {
    let (host, port) = cluster.endpoint.as_ref()?;
    // An address of the sixth version holds colons itself.
    if host.contains(':') { Some(format!("https://[{host}]:{port}")) } else { Some(format!("https://{host}:{port}")) }
}

fn progress(phase: Phase, wanted: &Wanted, release: Option<&KubeRelease>, observed: &Observed) -> Progress {
    let name_of = |machine: &crate::MachineSeen| {
        let all = std::iter::once(&wanted.control_plane).chain(&wanted.workers).chain(&wanted.leaving);
        let found = all.into_iter().find(|group| groups::belongs(machine, group, &wanted.control_plane));
        found.map(|group| group.name.clone()).or_else(|| machine.meta.deployment.clone()).unwrap_or_default()
    };
    let as_wanted = |machine: &crate::MachineSeen| {
        machine.is_ready() && release.is_none_or(|release| machine.release.as_ref() == Some(release))
    };
    let mut machines: Vec<_> = observed
        .machines
        .iter()
        .map(|machine| {
            let view = MachineView {
                name: machine.meta.name.clone(),
                group: name_of(machine),
                node: machine.node.clone(),
                server: machine.server().map(str::to_owned),
                phase: machine.phase.clone(),
                version: machine.release.as_ref().map(ToString::to_string),
                address: machine.address.clone(),
                ready: machine.is_ready(),
                reason: cause::of_machine(observed, machine),
            };
            (!machine.meta.control_plane, view)
        })
        .collect();
    machines.sort_by(|(a_worker, a), (b_worker, b)| (a_worker, &a.group, &a.name).cmp(&(b_worker, &b.group, &b.name)));
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let wanted_machines = wanted.control_plane.count + wanted.workers.iter().map(|group| group.count).sum::<u32>();
    Progress {
        phase: phase.as_str().to_owned(),
        ready: count(observed.machines.iter().filter(|machine| as_wanted(machine)).count()),
        wanted: if wanted.operation == Operation::Delete { 0 } else { wanted_machines },
        machines: machines.into_iter().map(|(_, view)| view).collect(),
        took: std::collections::BTreeMap::new(),
    }
}

/// The sentence for `status_reason`: where it stands, how many machines, and what is wrong if anything is.
fn line(phase: Phase, progress: &Progress, observed: &Observed, failed: Option<&str>) -> String {
    let (ready, wanted) = (progress.ready, progress.wanted);
    let stands = match phase {
        Phase::Pending => "waiting for Cluster API".to_owned(),
        Phase::Infrastructure => "infrastructure: waiting for network and API endpoint".to_owned(),
        Phase::ControlPlane | Phase::Workers | Phase::RollingOut => {
            let name = phase.as_str();
            let there = u32::try_from(progress.machines.len()).unwrap_or(u32::MAX);
            match there.saturating_sub(wanted) {
                surplus if surplus > 0 && phase == Phase::Workers => format!("{name}: {surplus} machines to remove"),
                _ if ready == wanted => format!("{name}: {wanted} machines ready, waiting for the cluster to settle"),
                _ => format!("{name}: {ready} of {wanted} machines ready"),
            }
        }
        Phase::Settled | Phase::Gone => return String::new(),
        Phase::Deleting => deletion(observed),
    };
    let wrong = match phase {
        // Why it could not be made no longer matters; why its machines do not go does.
        Phase::Deleting => cause::of_failed_machine(observed),
        _ => failed.map(str::to_owned).or_else(|| cause::deepest_error(observed)),
    };
    wrong.map_or_else(|| stands.clone(), |wrong| format!("{stands}; {wrong}"))
}

fn deletion(observed: &Observed) -> String {
    let left = observed.machines.len();
    let waits = observed.cluster.as_ref().and_then(|cluster| cluster.conditions.get("Deleting")).map(|c| &*c.reason);
    match waits {
        Some("WaitingForBeforeDeleteHook") => "deleting: waiting for a hook".to_owned(),
        Some("WaitingForWorkersDeletion") => format!("deleting: workers, {left} machines left"),
        Some("WaitingForControlPlaneDeletion") => format!("deleting: control plane, {left} machines left"),
        Some("WaitingForInfrastructureDeletion") => "deleting: network and load balancer".to_owned(),
        _ if observed.cluster.is_none() => "deleting: last objects".to_owned(),
        _ => format!("deleting: {left} machines left"),
    }
}

/// The provider's object that holds an operation up and whose status does not say why; machines count once they were made
/// before that time. CAPO 0.13 tells the reason in Events alone while a cluster's network is not ready.
#[must_use]
pub fn silent_infrastructure(observed: &Observed, made_before: Timestamp) -> Option<&InfrastructureSeen> {
    cause::silent(observed, made_before)
}

impl Assessment {
    /// Notes what was found out elsewhere about why it gets no further: the deepest cause that is known.
    pub fn blame(&mut self, cause: String) {
        self.reason = format!("{}; {cause}", self.reason);
        self.cause = Some(cause);
    }

    /// The one group's assessment.
    #[must_use]
    pub fn group(&self, id: NodeGroupId) -> Option<&GroupAssessment> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// Whether the cluster is known to work.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.health.status == HealthStatus::Healthy
    }
}
