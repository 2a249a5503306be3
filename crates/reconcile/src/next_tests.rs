//! The table: operation, what is seen, deadline; and what becomes of the rows.

use std::collections::BTreeMap;

use jeroboam_capi::Health;
use jeroboam_model::{MachineView, NodeGroupId};

use super::*;
use crate::samples;

fn group_seen(id: NodeGroupId, state: GroupState) -> GroupAssessment {
    GroupAssessment {
        id,
        state,
        reason: (state != GroupState::Complete).then(|| "0 of 2 machines ready".to_owned()),
        addresses: vec!["10.0.0.5".into()],
        desired: Some(2),
        present: 0,
        ready: 0,
    }
}

/// What is seen when every group of `view` is in one state.
fn assessment(view: &ClusterWithGroups, state: GroupState) -> Assessment {
    let complete = state == GroupState::Complete;
    Assessment {
        phase: if complete { Phase::Settled } else { Phase::Workers },
        complete,
        failed: None,
        reason: if complete { String::new() } else { "workers: 1 of 3 machines ready".into() },
        cause: None,
        api_address: Some("https://192.0.2.7:6443".into()),
        coe_version: Some("v1.33.4".into()),
        groups: view.groups.iter().map(|group| group_seen(group.id, state)).collect(),
        health: Health { status: HealthStatus::Healthy, reasons: BTreeMap::from([("api".into(), "ok".into())]) },
        progress: Progress {
            phase: if complete { "complete" } else { "workers" }.into(),
            ready: 1,
            wanted: 3,
            ..Progress::default()
        },
    }
}

/// One situation that is changed and judged.
struct Case {
    view: ClusterWithGroups,
    work: Work,
    now: Timestamp,
}

impl Case {
    fn new(status: Status, operation: Operation) -> Self {
        let view = samples::view(status);
        let work = samples::work(view.cluster.id, operation);
        Self { view, work, now: samples::now() }
    }

    fn late(mut self) -> Self {
        self.now = self.work.deadline.expect("an operation") + Duration::from_secs(1);
        self
    }

    fn judge(&self, found: Found<'_>) -> Next {
        let config = ReconcileConfig::default();
        let (view, work, now) = (&self.view, &self.work, self.now);
        next(Situation { view, work, config: &config, now, chance: 0.0 }, found)
    }

    fn seen(&self, seen: &Assessment) -> Next {
        self.judge(Found::Seen(seen))
    }

    fn says(next: &Next) -> (String, String) {
        let cluster = next.recorded.cluster.as_ref().expect("a cluster");
        (cluster.status.to_string(), cluster.status_reason.clone().unwrap_or_default())
    }

    fn pause(&self, next: &Next) -> u64 {
        u64::try_from(next.run_at.duration_since(self.now).as_secs()).expect("later")
    }
}

/// Status, operation, state of the groups, failure, deadline passed; status and reason afterwards.
type Row = (Status, Operation, GroupState, Option<&'static str>, bool, &'static str, &'static str);

#[test]
fn every_operation_moves_with_what_is_seen_and_with_its_deadline() {
    use GroupState::{Complete, InProgress};
    use Operation::{Create, Delete, Observe, Update, Upgrade};
    const LINE: &str = "workers: 1 of 3 machines ready";
    #[rustfmt::skip]
    let table: &[Row] = &[
        (Status::CREATE_IN_PROGRESS, Create,  InProgress, None,          false, "CREATE_IN_PROGRESS", LINE),
        (Status::CREATE_IN_PROGRESS, Create,  Complete,   None,          false, "CREATE_COMPLETE",    ""),
        (Status::CREATE_IN_PROGRESS, Create,  InProgress, Some("quota"), false, "CREATE_FAILED",      "quota"),
        (Status::CREATE_IN_PROGRESS, Create,  InProgress, None,          true,  "CREATE_FAILED",      "create did not finish within 60 minutes: workers: 1 of 3 machines ready"),
        (Status::CREATE_IN_PROGRESS, Create,  InProgress, Some("quota"), true,  "CREATE_FAILED",      "create did not finish within 60 minutes: quota"),
        (Status::CREATE_IN_PROGRESS, Create,  Complete,   None,          true,  "CREATE_COMPLETE",    ""),
        (Status::CREATE_FAILED,      Create,  InProgress, None,          false, "CREATE_FAILED",      LINE),
        (Status::CREATE_FAILED,      Create,  Complete,   None,          true,  "CREATE_COMPLETE",    ""),
        (Status::UPDATE_IN_PROGRESS, Update,  InProgress, None,          false, "UPDATE_IN_PROGRESS", LINE),
        (Status::UPDATE_IN_PROGRESS, Update,  Complete,   None,          false, "UPDATE_COMPLETE",    ""),
        (Status::UPDATE_IN_PROGRESS, Upgrade, Complete,   None,          false, "UPDATE_COMPLETE",    ""),
        (Status::UPDATE_IN_PROGRESS, Upgrade, InProgress, Some("image"), false, "UPDATE_FAILED",      "image"),
        (Status::UPDATE_FAILED,      Update,  Complete,   None,          true,  "UPDATE_COMPLETE",    ""),
        (Status::DELETE_IN_PROGRESS, Delete,  InProgress, None,          false, "DELETE_IN_PROGRESS", LINE),
        (Status::DELETE_IN_PROGRESS, Delete,  InProgress, None,          true,  "DELETE_FAILED",      "delete did not finish within 60 minutes: workers: 1 of 3 machines ready"),
        (Status::DELETE_FAILED,      Delete,  InProgress, None,          true,  "DELETE_FAILED",      "delete did not finish within 60 minutes: workers: 1 of 3 machines ready"),
        (Status::CREATE_COMPLETE,    Observe, InProgress, Some("ill"),   false, "CREATE_COMPLETE",    ""),
        (Status::UPDATE_COMPLETE,    Observe, Complete,   None,          false, "UPDATE_COMPLETE",    ""),
        (Status::UPDATE_FAILED,      Observe, InProgress, None,          false, "UPDATE_FAILED",      LINE),
        (Status::UPDATE_FAILED,      Observe, Complete,   None,          false, "UPDATE_COMPLETE",    ""),
    ];
    for (status, operation, state, failed, late, wanted, reason) in table {
        let case = Case::new(*status, *operation);
        let case = if *late { case.late() } else { case };
        let seen = Assessment { failed: failed.map(str::to_owned), ..assessment(&case.view, *state) };
        let said = Case::says(&case.seen(&seen));
        let wanted = ((*wanted).to_owned(), (*reason).to_owned());
        assert_eq!(said, wanted, "{status} {operation:?} {state:?} {failed:?} late: {late}");
    }
}

#[test]
fn a_finished_operation_leaves_nothing_to_do_but_to_look() {
    let case = Case::new(Status::CREATE_IN_PROGRESS, Operation::Create);
    let next = case.seen(&assessment(&case.view, GroupState::Complete));
    assert_eq!(next.recorded.operation, Some(Operation::Observe));
    assert_eq!(next.recorded.deadline, Some(None));
    assert_eq!(next.recorded.removals, Some(Vec::new()));
    assert_eq!(case.pause(&next), 60);
    let cluster = next.recorded.cluster.expect("a cluster");
    assert_eq!(cluster.api_address.as_deref(), Some("https://192.0.2.7:6443"));
    assert_eq!(cluster.coe_version.as_deref(), Some("v1.33.4"));
    assert_eq!(cluster.health_status, Some(HealthStatus::Healthy));
    assert!(next.recorded.groups.iter().all(|group| group.status == Status::CREATE_COMPLETE));
    assert!(next.recorded.groups.iter().all(|group| group.node_addresses == ["10.0.0.5"]));
}

#[test]
fn troubles_wait_until_the_deadline_and_refusals_have_a_short_grace() {
    let waiting = || Trouble::Waiting("the management cluster".into());
    let refused = || Trouble::Refused("spec.version: can't go back".into());
    let impossible = || Trouble::Impossible("flavor m9 was not found".into());
    #[rustfmt::skip]
    let table: &[(Operation, Trouble, i32, bool, &str, &str)] = &[
        (Operation::Create, waiting(),    0,  false, "CREATE_IN_PROGRESS", "waiting for the management cluster"),
        (Operation::Create, waiting(),    50, false, "CREATE_IN_PROGRESS", "waiting for the management cluster"),
        (Operation::Create, waiting(),    50, true,  "CREATE_FAILED",      "create did not finish within 60 minutes: waiting for the management cluster"),
        (Operation::Update, refused(),    0,  false, "UPDATE_IN_PROGRESS", "trying again: the management cluster refused it: spec.version: can't go back"),
        (Operation::Update, refused(),    2,  false, "UPDATE_FAILED",      "the management cluster refused it: spec.version: can't go back"),
        (Operation::Create, impossible(), 0,  false, "CREATE_FAILED",      "flavor m9 was not found"),
        (Operation::Delete, refused(),    9,  false, "DELETE_IN_PROGRESS", "trying again: the management cluster refused it: spec.version: can't go back"),
        (Operation::Delete, waiting(),    9,  true,  "DELETE_FAILED",      "delete did not finish within 60 minutes: waiting for the management cluster"),
        (Operation::Observe, waiting(),   0,  false, "CREATE_COMPLETE",    ""),
    ];
    for (operation, trouble, attempts, late, wanted, reason) in table {
        let status = match operation {
            Operation::Create => Status::CREATE_IN_PROGRESS,
            Operation::Update | Operation::Upgrade => Status::UPDATE_IN_PROGRESS,
            Operation::Delete => Status::DELETE_IN_PROGRESS,
            Operation::Observe => Status::CREATE_COMPLETE,
        };
        let mut case = Case::new(status, *operation);
        case.work.attempts = *attempts;
        let case = if *late { case.late() } else { case };
        let next = case.judge(Found::Trouble(trouble));
        assert_eq!(
            Case::says(&next),
            ((*wanted).to_owned(), (*reason).to_owned()),
            "{operation:?} {trouble} {attempts}"
        );
        assert_eq!(next.recorded.attempts, Some(attempts + 1));
        assert_eq!(next.recorded.operation, None, "what is wanted stays wanted");
    }
}

#[test]
fn pauses_after_troubles_grow_and_are_bounded() {
    let pauses: Vec<u64> = [0, 1, 2, 3, 20]
        .map(|attempts| {
            let mut case = Case::new(Status::CREATE_IN_PROGRESS, Operation::Create);
            case.work.attempts = attempts;
            case.pause(&case.judge(Found::Trouble(&Trouble::Waiting("it".into()))))
        })
        .into();
    assert_eq!(pauses, [1, 2, 4, 8, 120]);
    let case = Case::new(Status::CREATE_IN_PROGRESS, Operation::Create);
    let hopeless = case.judge(Found::Trouble(&Trouble::Impossible("no such flavor".into())));
    assert_eq!(case.pause(&hopeless), 120);
}

#[test]
fn a_deadline_is_noticed_when_it_passes_also_in_a_long_pause() {
    let mut case = Case::new(Status::CREATE_IN_PROGRESS, Operation::Create);
    case.work.attempts = 20;
    case.now = case.work.deadline.expect("an operation") - Duration::from_secs(7);
    assert_eq!(case.pause(&case.judge(Found::Trouble(&Trouble::Waiting("it".into())))), 7);
    let late = case.late();
    assert_eq!(late.pause(&late.judge(Found::Trouble(&Trouble::Waiting("it".into())))), 120, "it has passed");
}

#[test]
fn a_known_cause_is_not_covered_by_something_that_is_away_just_now() {
    let mut case = Case::new(Status::CREATE_FAILED, Operation::Create);
    case.view.cluster.status_reason = Some("quota exceeded".into());
    let next = case.judge(Found::Trouble(&Trouble::Waiting("the management cluster".into())));
    assert_eq!(Case::says(&next), ("CREATE_FAILED".into(), "quota exceeded".into()));
}

#[test]
fn groups_finish_one_by_one_and_fail_with_their_cluster() {
    let case = Case::new(Status::CREATE_IN_PROGRESS, Operation::Create);
    let mut seen = assessment(&case.view, GroupState::InProgress);
    seen.groups[0] = group_seen(case.view.groups[0].id, GroupState::Complete);
    let statuses = |next: &Next| next.recorded.groups.iter().map(|group| group.status.to_string()).collect::<Vec<_>>();
    let next = case.seen(&seen);
    assert_eq!(statuses(&next), ["CREATE_COMPLETE", "CREATE_IN_PROGRESS"]);
    assert_eq!(next.recorded.groups[1].status_reason.as_deref(), Some("0 of 2 machines ready"));

    let case = case.late();
    let next = case.seen(&seen);
    assert_eq!(statuses(&next), ["CREATE_COMPLETE", "CREATE_FAILED"]);
    assert!(next.recorded.groups[1].status_reason.as_ref().is_some_and(|reason| reason.contains("did not finish")));

    let refused = case.judge(Found::Trouble(&Trouble::Impossible("no such flavor".into())));
    assert_eq!(statuses(&refused), ["CREATE_FAILED", "CREATE_FAILED"]);
}

#[test]
fn a_group_that_did_not_take_part_keeps_its_state() {
    let mut case = Case::new(Status::UPDATE_IN_PROGRESS, Operation::Update);
    case.view.groups[0].status = Status::CREATE_COMPLETE;
    let next = case.seen(&assessment(&case.view, GroupState::InProgress));
    assert_eq!(next.recorded.groups[0].status, Status::CREATE_COMPLETE);
}

#[test]
fn a_leaving_group_loses_its_row_when_nothing_of_it_is_left_and_not_before() {
    let mut case = Case::new(Status::UPDATE_IN_PROGRESS, Operation::Update);
    case.view.groups[1].status = Status::DELETE_IN_PROGRESS;
    let leaving = case.view.groups[1].id;
    let mut seen = assessment(&case.view, GroupState::InProgress);
    assert!(case.seen(&seen).recorded.removed_groups.is_empty());
    let late = Case { now: case.work.deadline.expect("set"), ..case };
    assert_eq!(late.seen(&seen).recorded.groups[1].status, Status::DELETE_FAILED);
    seen.groups[1] = group_seen(leaving, GroupState::Gone);
    let next = late.seen(&seen);
    assert_eq!(next.recorded.removed_groups, [leaving]);
    assert_eq!(next.recorded.groups.len(), 1);

    let case = Case { work: Work { operation: Operation::Delete, ..late.work }, ..late };
    assert!(case.seen(&seen).recorded.removed_groups.is_empty(), "the rows go with the cluster");
}

#[test]
fn only_an_autoscaler_changes_the_wanted_number_and_only_between_operations() {
    let count = |label: &str, operation, role| {
        let mut case = Case::new(Status::CREATE_COMPLETE, operation);
        case.view.cluster.labels.set("auto_scaling_enabled", label);
        let at = usize::from(role == "worker");
        let mut seen = assessment(&case.view, GroupState::Complete);
        seen.groups[at].desired = Some(7);
        case.seen(&seen).recorded.groups[at].node_count
    };
    assert_eq!(count("true", Operation::Observe, "worker"), Some(7));
    assert_eq!(count("true", Operation::Observe, "master"), None);
    assert_eq!(count("false", Operation::Observe, "worker"), None);
    assert_eq!(count("true", Operation::Update, "worker"), None);
}

#[test]
fn health_is_unknown_after_several_looks_that_saw_nothing() {
    let mut case = Case::new(Status::CREATE_COMPLETE, Operation::Observe);
    case.view.cluster.health_status = Some(HealthStatus::Healthy);
    let health = |case: &Case| {
        let next = case.judge(Found::Trouble(&Trouble::Waiting("the management cluster".into())));
        next.recorded.cluster.expect("a cluster").health_status
    };
    assert_eq!(health(&case), Some(HealthStatus::Healthy));
    case.work.attempts = 2;
    assert_eq!(health(&case), Some(HealthStatus::Unknown));
    case.view.cluster.labels.set("auto_healing_enabled", "true");
    case.view.cluster.labels.set("auto_healing_controller", "magnum-auto-healer");
    assert_eq!(health(&case), Some(HealthStatus::Healthy), "the healer inside the cluster says how it is");
}

#[test]
fn nodes_that_were_named_are_forgotten_when_their_machines_are_gone() {
    let mut case = Case::new(Status::UPDATE_IN_PROGRESS, Operation::Update);
    let group = case.view.groups[1].id;
    case.work.removals = ["S-1", "m-2", "n-3"].map(|node| Removal { group, node: node.into() }).into();
    let mut seen = assessment(&case.view, GroupState::InProgress);
    let machine = |name: &str, server: &str, node: &str| MachineView {
        name: name.into(),
        server: Some(server.into()),
        node: Some(node.into()),
        ..MachineView::default()
    };
    seen.progress.machines = vec![machine("m-1", "s-1", "n-1"), machine("m-3", "s-3", "n-3")];
    let left = case.seen(&seen).recorded.removals.expect("a list");
    assert_eq!(left.iter().map(|removal| removal.node.as_str()).collect::<Vec<_>>(), ["S-1", "n-3"]);
}

#[test]
fn each_phase_is_charged_with_the_time_since_the_one_before_ended() {
    let mut case = Case::new(Status::CREATE_IN_PROGRESS, Operation::Create);
    case.work.progress.phase = "control plane".into();
    case.work.progress.took = [("infrastructure".to_owned(), 400)].into();
    let next = case.seen(&assessment(&case.view, GroupState::InProgress));
    let took = next.recorded.progress.expect("progress").took;
    assert_eq!(took, [("control plane".to_owned(), 200), ("infrastructure".to_owned(), 400)].into());

    case.work.progress.phase = "complete".into();
    let next = case.seen(&assessment(&case.view, GroupState::InProgress));
    assert!(next.recorded.progress.expect("progress").took.is_empty(), "another operation has begun");
}

#[test]
fn a_reason_is_cut_where_nobody_reads_on() {
    let case = Case::new(Status::CREATE_IN_PROGRESS, Operation::Create);
    let next = case.judge(Found::Trouble(&Trouble::Impossible("ä".repeat(70_000))));
    assert_eq!(Case::says(&next).1.chars().count(), LONGEST_REASON + 1);
}
