//! What a pass comes to: the status, the reasons, the groups, and when to look again. Pure; its tests are the table.

use std::time::Duration;

use jeroboam_capi::{Assessment, GroupAssessment, GroupState, Phase};
use jeroboam_model::{
    ClusterWithGroups, HealthStatus, NodeGroup, Operation, Progress, Removal, Stage, Status, Timestamp, Verb, Work,
};
use jeroboam_store::{ClusterSeen, GroupSeen, Recorded};

use crate::backoff::Backoff;
use crate::config::ReconcileConfig;
use crate::resolve::is_leaving;

/// `status_reason` is a TEXT column; nobody reads more than this of it.
const LONGEST_REASON: usize = 4000;
/// Failed looks in a row before a cluster's health counts as unknown.
const LOOKS: i32 = 3;

/// The rows that a pass began with, and the moment of judging.
#[derive(Clone, Copy)]
pub(crate) struct Situation<'a> {
    pub(crate) view: &'a ClusterWithGroups,
    pub(crate) work: &'a Work,
    pub(crate) config: &'a ReconcileConfig,
    pub(crate) now: Timestamp,
    /// In 0..1, for the jitter of pauses.
    pub(crate) chance: f64,
}

/// What a pass found out.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    /// The management cluster was asked for what is wanted, and this is what is seen of it.
    Seen(&'a Assessment),
    /// It did not come so far.
    Trouble(&'a Trouble),
}

/// Why a pass did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Something is away; the text reads after "waiting for".
    Waiting(String),
    /// The management cluster is known to be away; likewise. Once it is back the cluster's turn comes at once.
    Away(String),
    /// The management cluster did not do what it was asked, for reasons of its own; likewise.
    Unanswered(String),
    /// The management cluster refused an object, in its own words.
    Refused(String),
    /// The cluster can't be made as it is.
    Impossible(String),
}

/// What is written down, and when to look again.
#[derive(Clone, Debug)]
pub(crate) struct Next {
    pub(crate) recorded: Recorded,
    pub(crate) run_at: Timestamp,
}

/// Decides.
pub(crate) fn next(situation: Situation<'_>, found: Found<'_>) -> Next {
    match found {
        Found::Seen(seen) => situation.seen(seen),
        Found::Trouble(trouble) => situation.trouble(trouble),
    }
}

impl Situation<'_> {
    fn seen(self, seen: &Assessment) -> Next {
        let complete = seen.complete && !self.deleting();
        let stage = self.stage(complete, seen.failed.is_some());
        let reason = self.reason_of(stage, seen);
        let mut cluster = self.cluster(stage, reason.clone());
        cluster.api_address = seen.api_address.clone().or(cluster.api_address);
        cluster.coe_version = seen.coe_version.clone().or(cluster.coe_version);
        if self.judges_health() && !(seen.health.status == HealthStatus::Unknown && cluster.health_status.is_none()) {
            cluster.health_status = Some(seen.health.status);
            cluster.health_status_reason = seen.health.reasons.clone();
        }
        // When the cluster goes, its groups go with it and not before.
        let is_gone = |group: &&NodeGroup| {
            let state = seen.group(group.id).map(|found| found.state);
            !self.deleting() && is_leaving(group) && state == Some(GroupState::Gone)
        };
        let (gone, staying): (Vec<_>, Vec<_>) = self.view.groups.iter().partition(|group| is_gone(group));
        let recorded = Recorded {
            cluster: Some(cluster),
            groups: staying.iter().map(|group| self.group(group, seen, complete, stage, reason.as_deref())).collect(),
            removed_groups: gone.iter().map(|group| group.id).collect(),
            operation: Some(if complete { Operation::Observe } else { self.work.operation }),
            deadline: Some(if complete { None } else { self.deadline() }),
            attempts: Some(0),
            progress: Some(self.progress(seen)),
            removals: Some(if complete { Vec::new() } else { self.removals(seen) }),
            secrets: Vec::new(),
        };
        let pause = if complete || self.work.operation == Operation::Observe {
            self.config.observe_interval
        } else if stage == Stage::Failed {
            self.config.observe_interval.min(self.config.backoff_max)
        } else {
            self.until_deadline(self.config.progress_interval)
        };
        Next { recorded, run_at: self.now + jittered(pause, self.chance) }
    }

    fn trouble(self, trouble: &Trouble) -> Next {
        let attempts = self.work.attempts.saturating_add(1);
        let hopeless = match trouble {
            Trouble::Waiting(_) | Trouble::Away(_) | Trouble::Unanswered(_) => false,
            Trouble::Refused(_) => attempts >= self.config.refusals,
            Trouble::Impossible(_) => true,
        };
        let stage = self.stage(false, hopeless && !self.deleting());
        let reason = self.reason_of_trouble(stage, trouble);
        let mut cluster = self.cluster(stage, reason.clone());
        if attempts >= LOOKS && self.judges_health() && cluster.health_status.is_some() {
            cluster.health_status = Some(HealthStatus::Unknown);
            cluster.health_status_reason = [("api".to_owned(), trouble.to_string())].into();
        }
        let failed = |group: &&NodeGroup| stage == Stage::Failed && group.status.in_progress();
        let groups = self.view.groups.iter().filter(failed).map(|group| GroupSeen {
            status: group.status.at(Stage::Failed),
            status_reason: reason.clone(),
            ..GroupSeen::from(group)
        });
        let recorded = Recorded {
            cluster: Some(cluster),
            groups: groups.collect(),
            deadline: Some(self.deadline()),
            attempts: Some(attempts),
            ..Recorded::default()
        };
        let pause = match trouble {
            Trouble::Impossible(_) => Backoff { first: self.config.backoff_max, ..self.backoff() },
            _ => self.backoff(),
        };
        Next { recorded, run_at: self.now + self.until_deadline(pause.after(attempts, self.chance)) }
    }

    fn deleting(self) -> bool {
        self.work.operation == Operation::Delete
    }

    fn backoff(self) -> Backoff {
        Backoff { first: self.config.backoff_first, max: self.config.backoff_max }
    }

    /// The verb that statuses are written with while this operation lasts.
    fn verb(self) -> Verb {
        match self.work.operation {
            Operation::Create => Verb::Create,
            Operation::Update | Operation::Upgrade => Verb::Update,
            Operation::Delete => Verb::Delete,
            Operation::Observe => self.view.cluster.status.verb(),
        }
    }

    /// How far the operation is. A failure stays one until everything is as wanted, and then it is none any more.
    fn stage(self, complete: bool, failed: bool) -> Stage {
        let before = self.view.cluster.status;
        match self.work.operation {
            _ if complete && before.verb() != Verb::Delete => Stage::Complete,
            _ if complete && !self.deleting() => before.stage(),
            Operation::Observe => before.stage(),
            _ if failed || self.is_overdue() || before.failed() => Stage::Failed,
            _ => Stage::InProgress,
        }
    }

    fn deadline(self) -> Option<Timestamp> {
        let given = self.config.timeout(self.work.operation, self.view.cluster.create_timeout);
        self.work.deadline.or_else(|| given.map(|timeout| self.work.began + timeout))
    }

    fn is_overdue(self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= self.now)
    }

    /// Not longer than until the deadline: it should be noticed when it passes.
    fn until_deadline(self, pause: Duration) -> Duration {
        let left = self.deadline().map(|deadline| deadline.duration_since(self.now));
        let left = left.and_then(|left| Duration::try_from(left).ok());
        left.filter(|left| !left.is_zero()).map_or(pause, |left| pause.min(left))
    }

    // Magnum: with the auto-healer in the cluster it is the healer that reports health, through the API.
    fn judges_health(self) -> bool {
        let labels = &self.view.cluster.labels;
        let healed = labels.boolean("auto_healing_enabled") == Ok(Some(true));
        !(healed && labels.text("auto_healing_controller") == Some("magnum-auto-healer"))
    }

    fn cluster(self, stage: Stage, reason: Option<String>) -> ClusterSeen {
        let status = match self.work.operation {
            Operation::Observe => self.view.cluster.status.at(stage),
            _ => plain(self.verb(), stage),
        };
        ClusterSeen { status, status_reason: reason, ..ClusterSeen::from(&self.view.cluster) }
    }

    fn reason_of(self, stage: Stage, seen: &Assessment) -> Option<String> {
        let line = Some(seen.reason.clone()).filter(|line| !line.is_empty());
        match stage {
            Stage::Complete => None,
            Stage::InProgress => line.map(cut),
            Stage::Failed => {
                let cause = seen.failed.clone().or_else(|| seen.cause.clone()).or(line);
                let before = self.view.cluster.status_reason.clone();
                match (self.overdue_line(), cause) {
                    (Some(late), Some(cause)) => Some(cut(format!("{late}: {cause}"))),
                    (Some(late), None) => Some(late),
                    (None, Some(cause)) => Some(cut(cause)),
                    (None, None) => before,
                }
            }
        }
    }

    fn reason_of_trouble(self, stage: Stage, trouble: &Trouble) -> Option<String> {
        let before = self.view.cluster.status_reason.clone();
        match (stage, trouble) {
            (Stage::Complete, _) => before,
            // A known cause says more than that something else is away just now.
            (Stage::Failed, Trouble::Waiting(_) | Trouble::Away(_) | Trouble::Unanswered(_))
                if self.view.cluster.status.failed() =>
            {
                before
            }
            (Stage::Failed, _) => Some(cut(match self.overdue_line() {
                Some(late) => format!("{late}: {trouble}"),
                None => trouble.to_string(),
            })),
            (Stage::InProgress, Trouble::Refused(_)) => Some(cut(format!("trying again: {trouble}"))),
            (Stage::InProgress, _) => Some(cut(trouble.to_string())),
        }
    }

    fn overdue_line(self) -> Option<String> {
        let deadline = self.deadline().filter(|deadline| *deadline <= self.now)?;
        let minutes = deadline.duration_since(self.work.began).as_secs() / 60;
        let doing = self.work.operation.as_str();
        Some(format!("{doing} did not finish within {minutes} minutes"))
    }

    fn group(
        self,
        group: &NodeGroup,
        seen: &Assessment,
        complete: bool,
        stage: Stage,
        reason: Option<&str>,
    ) -> GroupSeen {
        let found = seen.group(group.id);
        let state = found.map(|found| found.state);
        let late = stage == Stage::Failed;
        let after = match (group.status.stage(), state) {
            _ if complete && !is_leaving(group) => Stage::Complete,
            (_, Some(GroupState::Complete)) if !is_leaving(group) && !self.deleting() => Stage::Complete,
            (Stage::Complete, _) => Stage::Complete,
            (Stage::Failed, _) | (_, Some(GroupState::Failed)) => Stage::Failed,
            (Stage::InProgress, _) if late => Stage::Failed,
            (Stage::InProgress, _) => Stage::InProgress,
        };
        let own = found.and_then(|found| found.reason.clone());
        let said = match after {
            Stage::Complete => None,
            Stage::InProgress => own,
            Stage::Failed if state == Some(GroupState::Failed) => own.or_else(|| reason.map(str::to_owned)),
            Stage::Failed => reason.map(str::to_owned).or(own),
        };
        let addresses = found.map(|found| found.addresses.clone());
        GroupSeen {
            status: group.status.at(after),
            status_reason: said.map(cut),
            node_count: found.and_then(|found| self.autoscaled(group, found)),
            node_addresses: addresses.unwrap_or_else(|| group.node_addresses.clone()),
            stack_id: self.view.cluster.stack_id.clone().or_else(|| group.stack_id.clone()),
            ..GroupSeen::from(group)
        }
    }

    /// The size that an autoscaler chose, where one is at work and we are not.
    fn autoscaled(self, group: &NodeGroup, found: &GroupAssessment) -> Option<i32> {
        let enabled = self.view.cluster.labels.boolean("auto_scaling_enabled") == Ok(Some(true));
        let idle = self.work.operation == Operation::Observe;
        let desired = found.desired.and_then(|desired| i32::try_from(desired).ok())?;
        (enabled && idle && !group.is_control_plane() && desired != group.node_count).then_some(desired)
    }

    /// What is seen, with the time that each phase took. A phase began when those before it ended.
    fn progress(self, seen: &Assessment) -> Progress {
        let before = &self.work.progress;
        let mut took = before.took.clone();
        let was = before.phase.as_str();
        let elapsed = u64::try_from(self.now.duration_since(self.work.began).as_secs()).unwrap_or_default();
        let began_anew = was == Phase::Settled.as_str() || took.values().sum::<u64>() > elapsed;
        if self.work.operation == Operation::Observe {
            return Progress { took, ..seen.progress.clone() };
        }
        if began_anew {
            // These are the times of the operation before.
            took.clear();
        } else if !was.is_empty() && was != seen.progress.phase {
            let earlier: u64 = took.values().sum();
            *took.entry(was.to_owned()).or_default() += elapsed.saturating_sub(earlier);
        }
        Progress { took, ..seen.progress.clone() }
    }

    /// Named nodes that are still there.
    fn removals(self, seen: &Assessment) -> Vec<Removal> {
        let is_there = |removal: &&Removal| {
            let name = removal.node.trim();
            seen.progress.machines.iter().any(|machine| {
                machine.name == name
                    || machine.node.as_deref() == Some(name)
                    || machine.server.as_deref().is_some_and(|server| server.eq_ignore_ascii_case(name))
            })
        };
        self.work.removals.iter().filter(is_there).cloned().collect()
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Waiting(what) | Self::Away(what) | Self::Unanswered(what) => write!(f, "waiting for {what}"),
            Self::Refused(message) => write!(f, "the management cluster refused it: {message}"),
            Self::Impossible(message) => f.write_str(message),
        }
    }
}

/// One of Magnum's statuses from its parts.
fn plain(verb: Verb, stage: Stage) -> Status {
    match verb {
        Verb::Create => Status::CREATE_COMPLETE.at(stage),
        Verb::Delete => Status::DELETE_COMPLETE.at(stage),
        _ => Status::UPDATE_COMPLETE.at(stage),
    }
}

fn cut(text: String) -> String {
    if text.chars().count() <= LONGEST_REASON {
        return text;
    }
    let kept: String = text.chars().take(LONGEST_REASON).collect();
    format!("{kept}…")
}

/// Up to a tenth less, so that clusters made in one moment are not looked at in one moment for ever.
fn jittered(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 10.0)
}

#[cfg(test)]
#[path = "next_tests.rs"]
mod tests;
