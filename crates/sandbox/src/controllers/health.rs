//! Machine health checks: a machine whose node is not ready for too long, or never came, is given up to its owner.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::{Context, condition, find, says};
use super::machine::summarize;
use crate::kube::object::{annotation, at, generation, is_deleting, label, list, name, number, set, text};
use crate::state::Document;

/// Seconds a node may take to join where the check does not say.
const STARTUP: i64 = 600;

pub(super) fn run(context: &mut Context<'_, '_>) {
    let Some(cluster) = context.cluster() else { return };
    if is_deleting(&cluster) || cluster["spec"]["paused"] == true {
        return;
    }
    for check in context.mine("MachineHealthCheck") {
        look(context, &check);
    }
}

fn targets(context: &Context<'_, '_>, check: &Value) -> Vec<Document> {
    let wanted = at(check, &["spec", "selector", "matchLabels"]).as_object();
    let mut machines = context.mine("Machine");
    machines.retain(|machine| {
        let labels = at(machine, &["metadata", "labels"]);
        let chosen = wanted.is_some_and(|wanted| {
            wanted
                .iter()
                .all(|(key, value)| !labels[key].is_null() && label(machine, key) == value.as_str().unwrap_or_default())
        });
        chosen && !is_deleting(machine) && annotation(machine, "cluster.x-k8s.io/skip-remediation").is_none()
    });
    machines
}

fn look(context: &mut Context<'_, '_>, check: &Value) {
    let machines = targets(context, check);
    let now = context.now;
    let mut ill: Vec<(String, String)> = Vec::new();
    for machine in &machines {
        if let Some(why) = diagnose(context, check, machine) {
            ill.push((name(machine).to_owned(), why));
        }
    }
    let allowed = match at(check, &["spec", "remediation", "triggerIf", "unhealthyLessThanOrEqualTo"]) {
        Value::String(percent) => {
            let percent: usize = percent.trim_end_matches('%').parse().unwrap_or(100);
            machines.len() * percent / 100
        }
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX),
        _ => machines.len(),
    };
    for machine in &machines {
        let why = ill.iter().find(|(ill, _)| ill == name(machine)).map(|(_, why)| why.clone());
        context.change("Machine", name(machine), |machine| {
            match &why {
                None => condition(machine, "HealthCheckSucceeded", "True", "HealthCheckSucceeded", "", now),
                Some(why) => {
                    condition(machine, "HealthCheckSucceeded", "False", "UnhealthyNode", why, now);
                    if ill.len() <= allowed && find(machine, "OwnerRemediated").is_none() {
                        let waits = "Waiting for remediation";
                        condition(machine, "OwnerRemediated", "False", "WaitingForRemediation", waits, now);
                    }
                }
            }
            summarize(machine, now);
        });
    }
    context.change("MachineHealthCheck", name(check), |check| {
        set(check, &["status", "expectedMachines"], machines.len());
        set(check, &["status", "currentHealthy"], machines.len() - ill.len());
        set(check, &["status", "remediationsAllowed"], allowed.saturating_sub(ill.len()));
        set(check, &["status", "targets"], json!(machines.iter().map(|machine| name(machine)).collect::<Vec<_>>()));
        condition(check, "RemediationAllowed", "True", "RemediationAllowed", "", now);
        let seen = generation(check);
        set(check, &["status", "observedGeneration"], seen);
    });
}

/// What is wrong with a machine for longer than it may be.
fn diagnose(context: &mut Context<'_, '_>, check: &Value, machine: &Value) -> Option<String> {
    let checks = &check["spec"]["checks"];
    if at(machine, &["status", "nodeRef"]).is_null() {
        let limit = number(checks, &["nodeStartupTimeoutSeconds"]).unwrap_or(STARTUP);
        let since = text(machine, &["metadata", "creationTimestamp"]).to_owned();
        return is_past(context, &since, limit).then(|| format!("Node failed to report startup in {limit}s"));
    }
    let status = says(machine, "NodeReady").to_owned();
    let since = find(machine, "NodeReady").map_or("", |found| text(found, &["lastTransitionTime"])).to_owned();
    for rule in list(checks, &["unhealthyNodeConditions"]) {
        // A node that is gone says nothing, which is as bad as saying it is not ready.
        if rule["type"] != "Ready" || rule["status"] != status.as_str() {
            continue;
        }
        let limit = number(rule, &["timeoutSeconds"]).unwrap_or(300);
        if is_past(context, &since, limit) {
            return Some(format!("Condition Ready on node is reporting status {status} for more than {limit}s"));
        }
    }
    None
}

/// Whether so many seconds of the real world have passed since; if not, the controller looks again then.
fn is_past(context: &mut Context<'_, '_>, since: &str, seconds: i64) -> bool {
    let Ok(since) = since.parse::<Timestamp>() else { return false };
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "time-outs are small")]
    let wait = (seconds as f64 * 1_000.0 / context.setup.speed) as i64;
    context.is_over(since.as_millisecond() + wait)
}
