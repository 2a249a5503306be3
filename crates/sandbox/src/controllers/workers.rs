//! Machine deployments and their machine sets: as many machines as wanted, a new one before an old one goes.

use serde_json::{Value, json};

use super::context::{CLUSTER_LABEL, Context, DEPLOYMENT_LABEL, Provider, condition, find, holds};
use super::control_plane::{Counts, DELETE_FIRST, common, remediate};
use super::machine::{self, NewMachine};
use crate::kube::object::{
    add_finalizer, annotation, fields, generation, is_deleting, label, name, number, owner_reference, remove_finalizer,
    set, text,
};
use crate::random;
use crate::state::Document;

const KIND: &str = "MachineDeployment";
const FINALIZER: &str = "cluster.x-k8s.io/machinedeployment";
const SET_LABEL: &str = "cluster.x-k8s.io/set-name";

pub(super) fn run(context: &mut Context<'_, '_>) {
    let Some(cluster) = context.cluster() else { return };
    if cluster["spec"]["paused"] == true {
        return;
    }
    let initialized = cluster["status"]["initialization"]["controlPlaneInitialized"] == true;
    for deployment in context.mine(KIND) {
        let object_name = name(&deployment).to_owned();
        if is_deleting(&deployment) {
            remove(context, &deployment);
            continue;
        }
        context.change(KIND, &object_name, |object| add_finalizer(object, FINALIZER));
        if deployment["status"]["observedGeneration"].is_null() {
            let now = context.now;
            context.change(KIND, &object_name, |object| {
                set(object, &["status", "phase"], "ScalingUp");
                set(object, &["status", "replicas"], 0);
                condition(
                    object,
                    "Available",
                    "Unknown",
                    "WaitingForAvailableReplicasSet",
                    "Waiting for spec.replicas set",
                    now,
                );
                common(object, &[], now);
            });
        }
        reconcile(context, &deployment, initialized);
        status(context, &object_name);
    }
}

fn machines(context: &Context<'_, '_>, deployment: &Value) -> Vec<Document> {
    let mut machines = context.mine("Machine");
    machines.retain(|machine| label(machine, DEPLOYMENT_LABEL) == name(deployment));
    machines
}

fn remove(context: &mut Context<'_, '_>, deployment: &Value) {
    let machines = machines(context, deployment);
    for machine in machines.iter().filter(|machine| !is_deleting(machine)) {
        context.delete("Machine", name(machine));
    }
    status(context, name(deployment));
    if machines.is_empty() {
        for set in sets(context, deployment) {
            context.delete("MachineSet", name(&set));
        }
        context.change(KIND, name(deployment), |object| remove_finalizer(object, FINALIZER));
    }
}

fn sets(context: &Context<'_, '_>, deployment: &Value) -> Vec<Document> {
    let mut sets = context.mine("MachineSet");
    sets.retain(|set| label(set, DEPLOYMENT_LABEL) == name(deployment));
    sets
}

/// The machine set of the deployment's present template, made if missing.
fn current_set(context: &mut Context<'_, '_>, deployment: &Value) -> Value {
    let template = &deployment["spec"]["template"];
    let spec = &template["spec"];
    let shape = [text(spec, &["version"]), text(spec, &["infrastructureRef", "name"])];
    let suffix = random::suffix(random::mix(context.setup.seed, &shape), 5);
    let mut labels = template["metadata"]["labels"].clone();
    let fields = fields(&mut labels);
    fields.insert(CLUSTER_LABEL.to_owned(), json!(context.name));
    fields.insert(DEPLOYMENT_LABEL.to_owned(), json!(name(deployment)));
    let object = json!({
        "metadata": {
            "name": format!("{}-{suffix}", name(deployment)), "labels": labels,
            "ownerReferences": [owner_reference(deployment, true)],
        },
        "spec": {
            "clusterName": context.name, "replicas": 0, "selector": deployment["spec"]["selector"], "template": template,
        },
    });
    context.create("MachineSet", object)
}

fn reconcile(context: &mut Context<'_, '_>, deployment: &Value, initialized: bool) {
    let now = context.now;
    let set = current_set(context, deployment);
    let all = machines(context, deployment);
    let mut active: Vec<Document> = all.iter().filter(|machine| !is_deleting(machine)).cloned().collect();
    for machine in &active {
        let is_new = label(machine, SET_LABEL) == name(&set);
        let (status, reason) = if is_new { ("True", "UpToDate") } else { ("False", "NotUpToDate") };
        context.change("Machine", name(machine), |machine| condition(machine, "UpToDate", status, reason, "", now));
        if find(machine, "OwnerRemediated").is_some_and(|one| one["status"] == "False") {
            remediate(context, name(machine));
        }
    }
    active.retain(|machine| find(machine, "OwnerRemediated").is_none_or(|one| one["status"] != "False"));
    // Those that are named go first, then those that do not work, then the oldest.
    active.sort_by_key(|machine| {
        let named = annotation(machine, DELETE_FIRST).is_some();
        (
            !named,
            holds(machine, "Ready"),
            text(machine, &["metadata", "creationTimestamp"]).to_owned(),
            name(machine).to_owned(),
        )
    });
    let (new, old): (Vec<_>, Vec<_>) =
        active.iter().cloned().partition(|machine| label(machine, SET_LABEL) == name(&set));
    let desired = usize::try_from(number(deployment, &["spec", "replicas"]).unwrap_or(1)).unwrap_or(0);
    if initialized {
        let limit = desired + usize::from(!old.is_empty());
        let missing = desired.saturating_sub(new.len()).min(limit.saturating_sub(active.len()));
        for _ in 0..missing {
            create(context, deployment, &set);
        }
    }
    // As many stay available as are wanted; what is not available may go at any time.
    let available = active.iter().filter(|machine| holds(machine, "Available")).count();
    let mut spare = available.saturating_sub(desired);
    for machine in &old {
        if !holds(machine, "Available") && active.len() > desired {
            context.delete("Machine", name(machine));
        } else if spare > 0 {
            spare -= 1;
            context.delete("Machine", name(machine));
        }
    }
    let surplus = new.len().saturating_sub(desired);
    for machine in new.iter().take(surplus) {
        context.delete("Machine", name(machine));
    }
    let of_set = |wanted: &Value| -> Vec<Document> {
        all.iter().filter(|machine| label(machine, SET_LABEL) == name(wanted)).cloned().collect()
    };
    for one in sets(context, deployment) {
        let members = of_set(&one);
        if members.is_empty() && name(&one) != name(&set) {
            context.delete("MachineSet", name(&one));
            continue;
        }
        let wanted = if name(&one) == name(&set) { desired } else { old.len().min(members.len()) };
        context
            .change("MachineSet", name(&one), |object| crate::kube::object::set(object, &["spec", "replicas"], wanted));
        context.change("MachineSet", name(&one), |object| {
            Counts::of(&members).write(object);
            let seen = generation(object);
            crate::kube::object::set(object, &["status", "observedGeneration"], seen);
        });
    }
}

fn create(context: &mut Context<'_, '_>, deployment: &Value, set: &Value) {
    let template = &deployment["spec"]["template"];
    let reference = &template["spec"]["infrastructureRef"];
    let provider = if text(reference, &["kind"]).starts_with("Dev") { Provider::Dev } else { Provider::OpenStack };
    let mut labels = set["metadata"]["labels"].clone();
    fields(&mut labels).insert(SET_LABEL.to_owned(), json!(name(set)));
    let number = context.writer.next_revision().to_string();
    let new = NewMachine {
        owner: set,
        name: format!("{}-{}", name(set), context.suffix(&[text(set, &["metadata", "uid"]), &number])),
        labels,
        version: text(template, &["spec", "version"]),
        template: text(reference, &["name"]),
        provider,
        failure_domain: &template["spec"]["failureDomain"],
        deletion: &template["spec"]["deletion"],
    };
    machine::create(context, new);
}

fn status(context: &mut Context<'_, '_>, object_name: &str) {
    let Some(deployment) = context.get(KIND, object_name) else { return };
    let machines = machines(context, &deployment);
    let now = context.now;
    context.change(KIND, object_name, |object| {
        let counts = Counts::of(&machines);
        counts.write(object);
        let desired = number(object, &["spec", "replicas"]).unwrap_or(1);
        let phase = match (is_deleting(object), counts.replicas.cmp(&desired)) {
            (true, _) => "ScalingDown",
            (_, std::cmp::Ordering::Less) => "ScalingUp",
            (_, std::cmp::Ordering::Greater) => "ScalingDown",
            (_, std::cmp::Ordering::Equal) => "Running",
        };
        set(object, &["status", "phase"], phase);
        if is_deleting(object) {
            condition(object, "Available", "False", "NotAvailable", "Deletion in progress", now);
        } else if counts.available >= desired {
            condition(object, "Available", "True", "Available", "", now);
        } else {
            let message = format!("{} available replicas, at least {desired} required", counts.available);
            condition(object, "Available", "False", "NotAvailable", &message, now);
        }
        common(object, &machines, now);
        let seen = generation(object);
        set(object, &["status", "observedGeneration"], seen);
    });
}
