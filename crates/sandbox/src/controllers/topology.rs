//! The topology controller: turns `spec.topology` and its class into the cluster's objects, in the order in which the real
//! one lets a change have its effect: control plane first, then one machine deployment after the other.

use serde_json::{Value, json};

use super::context::{
    CLUSTER_LABEL, Context, Provider, TOPOLOGY_DEPLOYMENT_LABEL, TOPOLOGY_OWNED_LABEL, condition, find, holds,
};
use super::variables::{self, Of};
use crate::kube::object::{fields, is_deleting, label, list, name, number, owner_reference, set, text};
use crate::kube::{class_name, class_namespace, kinds};
use crate::random;

/// How the topology stands, for its condition.
enum Outcome {
    Reconciled,
    Waiting(&'static str, String),
    Failed(String),
}

pub(super) fn run(context: &mut Context<'_, '_>) {
    let Some(cluster) = context.cluster() else { return };
    if !cluster["spec"]["topology"].is_object() {
        return;
    }
    let now = context.now;
    let own = context.name.clone();
    if is_deleting(&cluster) {
        context.change("Cluster", &own, |cluster| {
            condition(cluster, "TopologyReconciled", "False", "Deleting", "Cluster is deleting", now);
        });
        return;
    }
    let outcome = if cluster["spec"]["paused"] == true {
        Outcome::Waiting("Paused", "Cluster spec.paused is set to true".to_owned())
    } else {
        reconcile(context, &cluster)
    };
    if matches!(outcome, Outcome::Failed(_)) {
        let again = context.takes(15.0, &["topology"]);
        context.again_after(again);
    }
    context.change("Cluster", &own, |cluster| match &outcome {
        Outcome::Reconciled => condition(cluster, "TopologyReconciled", "True", "ReconcileSucceeded", "", now),
        Outcome::Waiting(reason, message) => condition(cluster, "TopologyReconciled", "False", reason, message, now),
        Outcome::Failed(message) => condition(cluster, "TopologyReconciled", "False", "ReconcileFailed", message, now),
    });
}

fn reconcile(context: &mut Context<'_, '_>, cluster: &Value) -> Outcome {
    let Some(class) = context.class(cluster) else {
        let (namespace, name) = (class_namespace(cluster), class_name(cluster));
        return Outcome::Failed(format!(
            "error reconciling the Cluster topology: failed to get ClusterClass {namespace}/{name}: ClusterClass.cluster.x-k8s.io \"{name}\" not found"
        ));
    };
    if !holds(&class, "VariablesReady") {
        let message = format!("ClusterClass {} is not yet reconciled", name(&class));
        return Outcome::Waiting("ClusterClassNotReconciled", message);
    }
    let provider = context.provider();
    let topology = &cluster["spec"]["topology"];
    let infrastructure = infrastructure(context, cluster, &class, provider);
    let replicas = number(topology, &["controlPlane", "replicas"]).unwrap_or(1);
    if replicas < 1 || replicas % 2 == 0 {
        let why = if replicas < 1 { "cannot be 0" } else { "cannot be an even number when etcd is stacked" };
        return Outcome::Failed(format!(
            "error reconciling the Cluster topology: failed to create KubeadmControlPlane: admission webhook \"validation.kubeadmcontrolplane.controlplane.cluster.x-k8s.io\" denied the request: spec.replicas: Forbidden: {why}"
        ));
    }
    let control_plane = control_plane(context, cluster, &class, provider, replicas);
    let own = context.name.clone();
    context.change("Cluster", &own, |cluster| {
        let reference =
            |group: &str, object: &Value| json!({"apiGroup": group, "kind": object["kind"], "name": name(object)});
        set(cluster, &["spec", "infrastructureRef"], reference(kinds::INFRASTRUCTURE, &infrastructure));
        set(cluster, &["spec", "controlPlaneRef"], reference(kinds::CONTROL_PLANE, &control_plane));
        set(cluster, &["metadata", "labels", CLUSTER_LABEL], own.clone());
        set(cluster, &["metadata", "labels", TOPOLOGY_OWNED_LABEL], "");
    });
    let waiting = workers(context, cluster, &class, provider);
    if let Some(Outcome::Failed(message)) = waiting {
        return Outcome::Failed(message);
    }
    tidy(context, provider);
    upgrade(context, text(topology, &["version"])).or(waiting).unwrap_or(Outcome::Reconciled)
}

/// Labels of everything the topology makes, with those it is told to hand on.
fn labels(context: &Context<'_, '_>, part: &Value) -> Value {
    let mut labels = part["metadata"]["labels"].clone();
    let fields = fields(&mut labels);
    fields.insert(CLUSTER_LABEL.to_owned(), json!(context.name));
    fields.insert(TOPOLOGY_OWNED_LABEL.to_owned(), json!(""));
    labels
}

fn infrastructure(context: &mut Context<'_, '_>, cluster: &Value, class: &Value, provider: Provider) -> Value {
    let kind = provider.cluster_kind();
    let spec = variables::render(
        context,
        class,
        &format!("{kind}Template"),
        Of::Infrastructure,
        &variables::of(cluster, &Value::Null),
    );
    if let Some(found) = context.mine(kind).first() {
        let (found_name, wanted) = (name(found).to_owned(), spec);
        context.change(kind, &found_name, |object| {
            let endpoint = object["spec"]["controlPlaneEndpoint"].clone();
            object["spec"] = wanted;
            if !endpoint.is_null() {
                object["spec"]["controlPlaneEndpoint"] = endpoint;
            }
        });
        return context.get(kind, &found_name).map_or(Value::Null, |found| Value::clone(&found));
    }
    let suffix = context.suffix(&[text(cluster, &["metadata", "uid"]), "infrastructure"]);
    let object = json!({
        "metadata": {
            "name": format!("{}-{suffix}", context.name), "labels": labels(context, &Value::Null),
            "ownerReferences": [owner_reference(cluster, false)],
        },
        "spec": spec,
    });
    context.create(kind, object)
}

/// A template of a part's machines; its name changes with what is in it, which is what rolls machines.
fn template(context: &mut Context<'_, '_>, cluster: &Value, provider: Provider, part: &str, spec: &Value) -> String {
    let uid = text(cluster, &["metadata", "uid"]);
    let content = spec.to_string();
    let suffix = random::suffix(random::mix(context.setup.seed, &[uid, part, &content]), 5);
    let wanted = format!("{}-{part}-{suffix}", context.name);
    let object = json!({
        "metadata": {
            "name": wanted, "labels": labels(context, &Value::Null), "ownerReferences": [owner_reference(cluster, false)],
        },
        "spec": {"template": {"spec": spec}},
    });
    context.create(provider.template_kind(), object);
    wanted
}

fn machine_reference(provider: Provider, template: &str) -> Value {
    json!({"apiGroup": kinds::INFRASTRUCTURE, "kind": provider.template_kind(), "name": template})
}

fn control_plane(
    context: &mut Context<'_, '_>,
    cluster: &Value,
    class: &Value,
    provider: Provider,
    replicas: i64,
) -> Value {
    let part = &cluster["spec"]["topology"]["controlPlane"];
    let variables = variables::of(cluster, part);
    let machines = variables::render(context, class, provider.template_kind(), Of::ControlPlane, &variables);
    let version = text(cluster, &["spec", "topology", "version"]);
    let object_name = match context.mine("KubeadmControlPlane").first() {
        Some(found) => name(found).to_owned(),
        None => {
            let uid = text(cluster, &["metadata", "uid"]);
            format!("{}-{}", context.name, context.suffix(&[uid, "control plane"]))
        }
    };
    if context.get("KubeadmControlPlane", &object_name).is_none() {
        let mut spec = variables::render(context, class, "KubeadmControlPlaneTemplate", Of::ControlPlane, &variables);
        set(&mut spec, &["version"], version);
        set(&mut spec, &["replicas"], replicas);
        let object = json!({
            "metadata": {
                "name": object_name, "labels": labels(context, part), "ownerReferences": [owner_reference(cluster, true)],
            },
            "spec": spec,
        });
        context.create("KubeadmControlPlane", object);
    }
    // Workers that are still on the way to the last version go first.
    let busy = upgrading_workers(context);
    let template = (!busy).then(|| template(context, cluster, provider, "control-plane", &machines));
    let handed_on = labels(context, part);
    context.change("KubeadmControlPlane", &object_name, |object| {
        set(object, &["spec", "replicas"], replicas);
        set(object, &["spec", "machineTemplate", "metadata", "labels"], handed_on.clone());
        if let Some(template) = &template {
            let reference = machine_reference(provider, template);
            set(object, &["spec", "machineTemplate", "spec", "infrastructureRef"], reference);
            set(object, &["spec", "version"], version);
        }
        if !part["deletion"].is_null() {
            set(object, &["spec", "machineTemplate", "spec", "deletion"], part["deletion"].clone());
        }
    });
    let class_check = &class["spec"]["controlPlane"]["healthCheck"];
    let selector = json!({"cluster.x-k8s.io/cluster-name": context.name, "cluster.x-k8s.io/control-plane": ""});
    health_check(context, cluster, (&object_name, selector), &part["healthCheck"], class_check);
    context.get("KubeadmControlPlane", &object_name).map_or(Value::Null, |found| Value::clone(&found))
}

fn workers(context: &mut Context<'_, '_>, cluster: &Value, class: &Value, provider: Provider) -> Option<Outcome> {
    let wanted = list(cluster, &["spec", "topology", "workers", "machineDeployments"]);
    let version = text(cluster, &["spec", "topology", "version"]);
    let control_plane = context.mine("KubeadmControlPlane").first().cloned()?;
    let control_plane_done = is_rolled_out(&control_plane, version, &["spec", "version"]);
    let fresh = text(&control_plane, &["status", "version"]).is_empty();
    // Numbers and new groups wait for an upgrade of the control plane, not for it to grow.
    let reached = text(&control_plane, &["spec", "version"]) == version
        && text(&control_plane, &["status", "version"]) == version;
    let upgraded = fresh || reached;
    let mut outcome = None;
    // Only one is upgraded at a time.
    let mut upgrading = upgrading_workers(context);
    for part in wanted {
        let part_name = text(part, &["name"]);
        let class_name = text(part, &["class"]);
        let worker_class =
            list(class, &["spec", "workers", "machineDeployments"]).iter().find(|one| one["class"] == class_name);
        let Some(worker_class) = worker_class else {
            return Some(Outcome::Failed(format!(
                "error reconciling the Cluster topology: MachineDeployment class {class_name} not found in ClusterClass {}",
                name(class)
            )));
        };
        let found =
            context.mine("MachineDeployment").into_iter().find(|md| label(md, TOPOLOGY_DEPLOYMENT_LABEL) == part_name);
        if found.is_none() && !upgraded {
            let message =
                format!("MachineDeployment(s) {part_name} creation on hold. Control plane is upgrading to {version}");
            outcome = Some(Outcome::Waiting("MachineDeploymentsCreatePending", message));
            continue;
        }
        let variables = variables::of(cluster, part);
        let machines = variables::render(context, class, provider.template_kind(), Of::Worker(class_name), &variables);
        let old = found.as_ref().map_or(version, |found| text(found, &["spec", "template", "spec", "version"]));
        let may_upgrade = control_plane_done && !upgrading;
        // What is to be upgraded later gets its new template then, so that it rolls once.
        let rolls = old == version || may_upgrade;
        let template = rolls.then(|| template(context, cluster, provider, part_name, &machines));
        let object_name = if let Some(found) = &found {
            name(found).to_owned()
        } else {
            let uid = text(cluster, &["metadata", "uid"]);
            // The generation tells a group from an earlier one of the same name.
            let generation = context.writer.next_revision().to_string();
            format!("{}-{part_name}-{}", context.name, context.suffix(&[uid, part_name, &generation]))
        };
        let mut labels = labels(context, part);
        set(&mut labels, &[TOPOLOGY_DEPLOYMENT_LABEL], part_name);
        if found.is_none() {
            let object = json!({
                "metadata": {"name": object_name, "labels": labels, "ownerReferences": [owner_reference(cluster, false)]},
                "spec": {
                    "clusterName": context.name, "replicas": part["replicas"].as_i64().unwrap_or(1),
                    "selector": {"matchLabels": {CLUSTER_LABEL: context.name, TOPOLOGY_DEPLOYMENT_LABEL: part_name}},
                    "template": {"spec": {"clusterName": context.name, "version": version}},
                },
            });
            context.create("MachineDeployment", object);
        }
        upgrading |= rolls && old != version;
        context.change("MachineDeployment", &object_name, |object| {
            if upgraded {
                set(object, &["spec", "replicas"], part["replicas"].as_i64().unwrap_or(1));
            }
            set(object, &["spec", "template", "metadata", "labels"], labels.clone());
            let spec = ["spec", "template", "spec"];
            if let Some(template) = &template {
                set(object, &[&spec[..], &["infrastructureRef"]].concat(), machine_reference(provider, template));
                set(object, &[&spec[..], &["version"]].concat(), version);
            }
            for field in ["failureDomain", "deletion"] {
                if !part[field].is_null() {
                    set(object, &[&spec[..], &[field]].concat(), part[field].clone());
                }
            }
        });
        let selector = json!({CLUSTER_LABEL: context.name, TOPOLOGY_DEPLOYMENT_LABEL: part_name});
        health_check(context, cluster, (&object_name, selector), &part["healthCheck"], &worker_class["healthCheck"]);
    }
    for deployment in context.mine("MachineDeployment") {
        let part_name = label(&deployment, TOPOLOGY_DEPLOYMENT_LABEL);
        if !part_name.is_empty() && !wanted.iter().any(|part| part["name"] == part_name) && !is_deleting(&deployment) {
            context.delete("MachineHealthCheck", name(&deployment));
            context.delete("MachineDeployment", name(&deployment));
        }
    }
    outcome
}

/// Makes, changes or takes away the health check of a part.
fn health_check(
    context: &mut Context<'_, '_>,
    cluster: &Value,
    (object_name, selector): (&str, Value),
    wanted: &Value,
    of_class: &Value,
) {
    let checks = if wanted["checks"].is_object() { wanted } else { of_class };
    let enabled = wanted["enabled"].as_bool().unwrap_or_else(|| checks["checks"].is_object());
    if !enabled {
        context.delete("MachineHealthCheck", object_name);
        return;
    }
    let mut spec = json!({"clusterName": context.name, "selector": {"matchLabels": selector}});
    for field in ["checks", "remediation"] {
        if checks[field].is_object() {
            spec[field] = checks[field].clone();
        }
    }
    let object = json!({
        "metadata": {
            "name": object_name, "labels": labels(context, &Value::Null), "ownerReferences": [owner_reference(cluster, false)],
        },
        "spec": spec,
    });
    context.create("MachineHealthCheck", object);
    context.change("MachineHealthCheck", object_name, |object| object["spec"] = spec);
}

/// Whether everything of a control plane or machine deployment has the version and is up.
fn is_rolled_out(object: &Value, version: &str, path: &[&str]) -> bool {
    let desired = number(object, &["spec", "replicas"]).unwrap_or(1);
    let counts = ["replicas", "upToDateReplicas", "availableReplicas"];
    let current = number(object, &["status", "observedGeneration"]) == number(object, &["metadata", "generation"]);
    text(object, path) == version
        && current
        && counts.iter().all(|field| number(object, &["status", field]).unwrap_or(0) == desired)
}

fn upgrading_workers(context: &Context<'_, '_>) -> bool {
    context.mine("MachineDeployment").iter().any(|deployment| {
        let desired = number(deployment, &["spec", "replicas"]).unwrap_or(1);
        let current =
            number(deployment, &["status", "observedGeneration"]) == number(deployment, &["metadata", "generation"]);
        let behind = number(deployment, &["status", "upToDateReplicas"]).unwrap_or(0) < desired || !current;
        let rolling = find(deployment, "RollingOut").is_some_and(|one| one["status"] == "True");
        rolling && behind && !is_deleting(deployment)
    })
}

/// Whether a new version has not reached everything.
fn upgrade(context: &Context<'_, '_>, version: &str) -> Option<Outcome> {
    let control_plane = context.mine("KubeadmControlPlane").first().cloned()?;
    // What is only now being made has its version from the beginning.
    if text(&control_plane, &["status", "version"]).is_empty() {
        return None;
    }
    let of_members = context.mine("Machine");
    let old = |object: &Value| text(object, &["spec", "version"]) != version;
    let deployments = context.mine("MachineDeployment");
    let behind: Vec<&str> = deployments
        .iter()
        .filter(|one| !is_deleting(one) && text(one, &["spec", "template", "spec", "version"]) != version)
        .map(|one| name(one))
        .collect();
    if old(&control_plane) || of_members.iter().any(|machine| old(machine)) || !behind.is_empty() {
        let message = format!("Cluster is upgrading to {version}");
        return Some(Outcome::Waiting("ClusterUpgrading", message));
    }
    None
}

/// Takes templates away that nothing refers to any more.
fn tidy(context: &mut Context<'_, '_>, provider: Provider) {
    let mut used: Vec<String> = Vec::new();
    for object in context.mine("KubeadmControlPlane") {
        used.push(text(&object, &["spec", "machineTemplate", "spec", "infrastructureRef", "name"]).to_owned());
    }
    for kind in ["MachineDeployment", "MachineSet"] {
        for object in context.mine(kind) {
            used.push(text(&object, &["spec", "template", "spec", "infrastructureRef", "name"]).to_owned());
        }
    }
    for object in context.mine(provider.template_kind()) {
        if !used.iter().any(|used| used == name(&object)) {
            context.delete(provider.template_kind(), name(&object));
        }
    }
}
