//! The deepest known cause: the server's before the machine's, the machine's before the group's, the group's before the
//! cluster's.

use jeroboam_model::Timestamp;

use crate::observed::{Condition, Conditions, InfrastructureSeen, MachineSeen, Observed, Truth, one_line};

/// Conditions whose falsehood is good news.
const GOOD_WHEN_FALSE: [&str; 7] =
    ["RollingOut", "ScalingUp", "ScalingDown", "Remediating", "Deleting", "Paused", "Updating"];
/// Conditions that repeat what others say.
const SUMMARIES: [&str; 2] = ["Ready", "Available"];

/// A machine that its provider has given up.
pub(super) fn of_failed_machine(observed: &Observed) -> Option<String> {
    observed.machines.iter().filter(|machine| !machine.meta.deleting).find_map(|machine| {
        let behind = observed.infrastructure_of(machine).and_then(|seen| seen.failure.clone());
        let failure = behind.or_else(|| machine.failure.clone())?;
        Some(format!("machine {}: {failure}", machine.meta.name))
    })
}

/// Why one machine is not ready; `None` when it is.
pub(super) fn of_machine(observed: &Observed, machine: &MachineSeen) -> Option<String> {
    if machine.is_ready() {
        return None;
    }
    let behind = observed.infrastructure_of(machine);
    let failure = behind.and_then(|seen| seen.failure.clone()).or_else(|| machine.failure.clone());
    let of_server = || behind.and_then(|seen| worst(&seen.conditions)).map(ToString::to_string);
    let deleting = || machine.conditions.get("Deleting").filter(|c| c.truth == Truth::True).map(ToString::to_string);
    let own = || worst(&machine.conditions).map(ToString::to_string);
    failure.or_else(deleting).or_else(of_server).or_else(own)
}

/// The deepest thing that is not as it should be, be it an error or only a delay.
pub(super) fn deepest(observed: &Observed) -> Option<String> {
    deepest_error(observed).or_else(|| {
        let machines = observed.machines.iter().filter(|machine| !machine.meta.deleting);
        let of_machines =
            machines.filter_map(|machine| Some(of_machine_named(machine, &of_machine(observed, machine)?)));
        of_infrastructure(observed, |_| true).or_else(|| of_machines.into_iter().next()).or_else(|| of_groups(observed))
    })
}

/// The deepest thing that its controller calls an error.
pub(super) fn deepest_error(observed: &Observed) -> Option<String> {
    let of_server = observed.machines.iter().find_map(|machine| {
        let behind = observed.infrastructure_of(machine)?;
        let wrong = behind.failure.clone().or_else(|| error_in(&behind.conditions).map(ToString::to_string))?;
        Some(of_machine_named(machine, &wrong))
    });
    let of_machine = || {
        observed.machines.iter().filter(|machine| !machine.meta.deleting).find_map(|machine| {
            let wrong = machine.failure.clone().or_else(|| error_in(&machine.conditions).map(ToString::to_string))?;
            Some(of_machine_named(machine, &wrong))
        })
    };
    let refused = || {
        let cluster = observed.cluster.as_ref()?;
        let condition = cluster.conditions.get("TopologyReconciled")?;
        let refused = condition.truth == Truth::False && condition.reason == "ReconcileFailed";
        refused.then(|| one_line(&condition.message)).or_else(|| cluster.failure.clone())
    };
    of_server.or_else(|| of_infrastructure(observed, |c| c.error)).or_else(of_machine).or_else(refused)
}

/// The object of the provider that holds things up without a word about why: no condition that is an error, no failure. The
/// cluster's before those of machines, and those only once they are old enough to be done.
pub(super) fn silent(observed: &Observed, made_before: Timestamp) -> Option<&InfrastructureSeen> {
    if deepest_error(observed).is_some() {
        return None;
    }
    let of_cluster = observed.infrastructure.as_ref().filter(|seen| !is_ready(seen) || seen.meta.deleting);
    of_cluster.or_else(|| {
        let is_old = |seen: &&InfrastructureSeen| seen.meta.created.is_none_or(|created| created <= made_before);
        observed.infrastructure_machines.iter().filter(is_old).find(|seen| !is_ready(seen))
    })
}

fn of_machine_named(machine: &MachineSeen, wrong: &str) -> String {
    format!("machine {}: {wrong}", machine.meta.name)
}

fn of_infrastructure(observed: &Observed, counts: impl Fn(&Condition) -> bool) -> Option<String> {
    let seen = observed.infrastructure.as_ref()?;
    let named = |wrong: String| format!("{} {}: {wrong}", seen.kind, seen.meta.name);
    if let Some(failure) = &seen.failure {
        return Some(named(failure.clone()));
    }
    let condition = worst(&seen.conditions).filter(|condition| !is_ready(seen) && counts(condition))?;
    Some(named(condition.to_string()))
}

fn is_ready(seen: &InfrastructureSeen) -> bool {
    seen.ready && !seen.conditions.is_false("Ready")
}

fn of_groups(observed: &Observed) -> Option<String> {
    let control_plane = observed.control_plane.as_ref().and_then(|control_plane| {
        let wrong =
            control_plane.failure.clone().or_else(|| worst(&control_plane.conditions).map(ToString::to_string))?;
        Some(format!("control plane: {wrong}"))
    });
    let deployments = || {
        observed.deployments.iter().find_map(|deployment| {
            let wrong = worst(&deployment.conditions)?;
            Some(format!("machine deployment {}: {wrong}", deployment.meta.name))
        })
    };
    let cluster = || {
        let cluster = observed.cluster.as_ref()?;
        cluster.failure.clone().or_else(|| worst(&cluster.conditions).map(ToString::to_string))
    };
    control_plane.or_else(deployments).or_else(cluster)
}

/// The condition that says most about what is wrong: errors first, single aspects before summaries, with a message first.
fn worst(conditions: &Conditions) -> Option<&Condition> {
    let wrong = conditions.iter().filter(|c| c.truth == Truth::False && !GOOD_WHEN_FALSE.contains(&&*c.kind));
    wrong.min_by_key(|c| (!c.error, SUMMARIES.contains(&&*c.kind), c.message.is_empty()))
}

fn error_in(conditions: &Conditions) -> Option<&Condition> {
    worst(conditions).filter(|condition| condition.error)
}
