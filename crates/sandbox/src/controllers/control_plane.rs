//! The kubeadm control plane provider: certificates, one member after the other, a new one before an old one goes.

use base64::Engine;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::context::{CLUSTER_LABEL, CONTROL_PLANE_LABEL, Context, Provider, WORKLOAD, condition, find, holds};
use super::machine::{self, NewMachine, TEMPLATE};
use crate::kube::object::{
    add_finalizer, annotation, fields, generation, is_deleting, name, number, owner_reference, remove_finalizer, set,
    text,
};
use crate::kube::release;
use crate::state::Document;
use crate::tls::{self, Credential, TlsError};

const KIND: &str = "KubeadmControlPlane";
const FINALIZER: &str = "kubeadm.controlplane.cluster.x-k8s.io";
/// Cluster API's annotation for machines that go before others.
pub(super) const DELETE_FIRST: &str = "cluster.x-k8s.io/delete-machine";

pub(super) fn run(context: &mut Context<'_, '_>) {
    let Some(object) = context.mine(KIND).into_iter().next() else { return };
    let Some(cluster) = context.cluster() else { return };
    if cluster["spec"]["paused"] == true {
        return;
    }
    let object_name = name(&object).to_owned();
    if is_deleting(&object) {
        let machines = context.machines_of(&object);
        for machine in machines.iter().filter(|machine| !is_deleting(machine)) {
            context.delete("Machine", name(machine));
        }
        status(context, &object_name);
        if machines.is_empty() {
            context.change(KIND, &object_name, |object| remove_finalizer(object, FINALIZER));
        }
        return;
    }
    context.change(KIND, &object_name, |object| add_finalizer(object, FINALIZER));
    if cluster["status"]["initialization"]["infrastructureProvisioned"] == true {
        match certificates(context, &object, &cluster) {
            Ok(()) => {
                let now = context.now;
                context.change(KIND, &object_name, |object| {
                    condition(object, "CertificatesAvailable", "True", "Available", "", now);
                });
                members(context, &object);
            }
            Err(error) => {
                let now = context.now;
                let message = format!("failed to use the cluster's certificates: {}", chain(&error));
                context.change(KIND, &object_name, |object| {
                    condition(object, "CertificatesAvailable", "False", "InternalError", &message, now);
                });
            }
        }
    }
    status(context, &object_name);
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// The authorities, made where the user gave none, and the administrator's kubeconfig.
fn certificates(context: &mut Context<'_, '_>, object: &Value, cluster: &Value) -> Result<(), TlsError> {
    let key = context.key();
    let authority = authority(context, object, "ca")?;
    for purpose in ["etcd", "proxy", "sa"] {
        self::authority(context, object, purpose)?;
    }
    let version = text(object, &["spec", "version"]).to_owned();
    if let Some(workload) = context.writer.get(WORKLOAD, &key) {
        let mut known = Value::clone(&workload);
        known["certificate"] = json!(authority.certificate);
        known["key"] = json!(authority.key.expose_secret());
        known["version"] = match text(object, &["status", "version"]) {
            "" => json!(version),
            lowest => json!(lowest),
        };
        if known != *workload {
            context.writer.put(WORKLOAD, &key, known);
        }
    }
    let secret = format!("{}-kubeconfig", context.name);
    if context.get("Secret", &secret).is_none() {
        let endpoint = &cluster["spec"]["controlPlaneEndpoint"];
        let url = format!("https://{}:{}", text(endpoint, &["host"]), endpoint["port"]);
        let admin = tls::client(&authority, "kubernetes-admin", &["system:masters"])?;
        let config = tls::kubeconfig(&context.name, &url, &authority.certificate, &admin);
        put_secret(context, object, &secret, &[("value", &config)]);
    }
    Ok(())
}

fn authority(context: &mut Context<'_, '_>, object: &Value, purpose: &str) -> Result<Credential, TlsError> {
    let secret = format!("{}-{purpose}", context.name);
    if let Some(found) = context.get("Secret", &secret) {
        let text = |field: &str| {
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(text(&found, &["data", field])).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        return Ok(Credential { certificate: text("tls.crt"), key: text("tls.key").into() });
    }
    let made = tls::authority("kubernetes")?;
    put_secret(context, object, &secret, &[("tls.crt", &made.certificate), ("tls.key", made.key.expose_secret())]);
    Ok(made)
}

fn put_secret(context: &mut Context<'_, '_>, owner: &Value, secret_name: &str, data: &[(&str, &str)]) {
    let mut object = json!({
        "type": "cluster.x-k8s.io/secret",
        "metadata": {
            "name": secret_name, "labels": {CLUSTER_LABEL: context.name}, "ownerReferences": [owner_reference(owner, true)],
        },
    });
    for (key, value) in data {
        object["data"][*key] = json!(base64::engine::general_purpose::STANDARD.encode(value));
    }
    context.create("Secret", object);
}

fn is_current(object: &Value, machine: &Value) -> bool {
    let template = text(object, &["spec", "machineTemplate", "spec", "infrastructureRef", "name"]);
    machine["spec"]["version"] == object["spec"]["version"] && annotation(machine, TEMPLATE) == Some(template)
}

/// Makes or deletes at most one member.
fn members(context: &mut Context<'_, '_>, object: &Value) {
    let machines = context.machines_of(object);
    let leaving = machines.iter().any(|machine| is_deleting(machine));
    let mut active: Vec<Document> = machines.into_iter().filter(|machine| !is_deleting(machine)).collect();
    active.sort_by_key(|machine| {
        (text(machine, &["metadata", "creationTimestamp"]).to_owned(), crate::kube::space::version_of(machine))
    });
    let now = context.now;
    for machine in &active {
        let (status, reason) =
            if is_current(object, machine) { ("True", "UpToDate") } else { ("False", "NotUpToDate") };
        context.change("Machine", name(machine), |machine| condition(machine, "UpToDate", status, reason, "", now));
    }
    let desired = usize::try_from(number(object, &["spec", "replicas"]).unwrap_or(1)).unwrap_or(1);
    let initialized = object["status"]["initialization"]["controlPlaneInitialized"] == true;
    if active.is_empty() && !leaving {
        create(context, object);
        return;
    }
    if let Some(ill) =
        active.iter().find(|machine| find(machine, "OwnerRemediated").is_some_and(|one| one["status"] == "False"))
        && active.len() > 1
        && !leaving
    {
        remediate(context, name(ill));
        return;
    }
    let healthy = active.iter().all(|machine| holds(machine, "Available"));
    if !initialized || leaving || !healthy {
        return;
    }
    let outdated: Vec<&Document> = active.iter().filter(|machine| !is_current(object, machine)).collect();
    let first = active.iter().find(|machine| annotation(machine, DELETE_FIRST).is_some());
    match (outdated.first(), active.len().cmp(&desired)) {
        (Some(_), std::cmp::Ordering::Less | std::cmp::Ordering::Equal) | (None, std::cmp::Ordering::Less) => {
            create(context, object);
        }
        (Some(oldest), std::cmp::Ordering::Greater) => context.delete("Machine", name(first.unwrap_or(oldest))),
        (None, std::cmp::Ordering::Greater) => {
            if let Some(machine) = first.or(active.first()) {
                context.delete("Machine", name(machine));
            }
        }
        (None, std::cmp::Ordering::Equal) => {}
    }
}

/// Deletes a machine that its health check gave up.
pub(super) fn remediate(context: &mut Context<'_, '_>, machine: &str) {
    let now = context.now;
    context.change("Machine", machine, |machine| {
        condition(machine, "OwnerRemediated", "False", "MachineDeleting", "Machine is deleting", now);
    });
    context.delete("Machine", machine);
}

fn create(context: &mut Context<'_, '_>, object: &Value) {
    let template = &object["spec"]["machineTemplate"];
    let reference = &template["spec"]["infrastructureRef"];
    let provider = if text(reference, &["kind"]).starts_with("Dev") { Provider::Dev } else { Provider::OpenStack };
    let mut labels = template["metadata"]["labels"].clone();
    fields(&mut labels).insert(CONTROL_PLANE_LABEL.to_owned(), json!(""));
    fields(&mut labels).insert("cluster.x-k8s.io/control-plane-name".to_owned(), json!(name(object)));
    let number = context.writer.next_revision().to_string();
    let new = NewMachine {
        owner: object,
        name: format!("{}-{}", name(object), context.suffix(&[text(object, &["metadata", "uid"]), &number])),
        labels,
        version: text(object, &["spec", "version"]),
        template: text(reference, &["name"]),
        provider,
        failure_domain: &Value::Null,
        deletion: &template["spec"]["deletion"],
    };
    machine::create(context, new);
}

/// How many machines there are in which state: all, ready, available, of the present shape.
pub(super) struct Counts {
    pub(super) replicas: i64,
    pub(super) ready: i64,
    pub(super) available: i64,
    pub(super) up_to_date: i64,
}

impl Counts {
    pub(super) fn of(machines: &[Document]) -> Self {
        let count = |kind: &str| {
            i64::try_from(machines.iter().filter(|machine| holds(machine, kind)).count()).unwrap_or(i64::MAX)
        };
        Self {
            replicas: i64::try_from(machines.len()).unwrap_or(i64::MAX),
            ready: count("Ready"),
            available: count("Available"),
            up_to_date: count("UpToDate"),
        }
    }

    pub(super) fn write(&self, object: &mut Value) {
        for (field, value) in [
            ("replicas", self.replicas),
            ("readyReplicas", self.ready),
            ("availableReplicas", self.available),
            ("upToDateReplicas", self.up_to_date),
        ] {
            set(object, &["status", field], value);
        }
    }
}

/// The conditions that control planes and machine deployments share.
pub(super) fn common(object: &mut Value, machines: &[Document], now: jiff::Timestamp) {
    let counts = Counts::of(machines);
    let desired = number(object, &["spec", "replicas"]).unwrap_or(1);
    let deleting = is_deleting(object);
    let yes_no = |truth: bool| if truth { "True" } else { "False" };
    let scaling_up = !deleting && counts.replicas < desired;
    let scaling_down = counts.replicas > desired || deleting && counts.replicas > 0;
    let rolling = !deleting && counts.up_to_date < counts.replicas;
    let remediating =
        machines.iter().any(|machine| find(machine, "OwnerRemediated").is_some_and(|one| one["status"] == "False"));
    let flag = |object: &mut Value, kind: &str, truth: bool| {
        let reason = if truth { kind.to_owned() } else { format!("Not{kind}") };
        condition(object, kind, yes_no(truth), &reason, "", now);
    };
    flag(object, "RollingOut", rolling);
    flag(object, "ScalingUp", scaling_up);
    flag(object, "ScalingDown", scaling_down);
    flag(object, "Remediating", remediating);
    flag(object, "Deleting", deleting);
    condition(object, "Paused", "False", "NotPaused", "", now);
    let aggregate = |object: &mut Value, kind: &str, of: &str, good: &str, bad: &str| {
        let wrong: Vec<String> = machines
            .iter()
            .filter(|machine| !holds(machine, of))
            .map(|machine| {
                format!("* Machine {}: {}", name(machine), find(machine, of).map_or("", |one| text(one, &["message"])))
            })
            .collect();
        if machines.is_empty() {
            condition(object, kind, "True", "NoReplicas", "", now);
        } else if wrong.is_empty() {
            condition(object, kind, "True", good, "", now);
        } else {
            condition(object, kind, "False", bad, &wrong.join("\n"), now);
        }
    };
    aggregate(object, "MachinesReady", "Ready", "Ready", "NotReady");
    aggregate(object, "MachinesUpToDate", "UpToDate", "UpToDate", "NotUpToDate");
}

fn status(context: &mut Context<'_, '_>, object_name: &str) {
    let Some(object) = context.get(KIND, object_name) else { return };
    let machines = context.machines_of(&object);
    let now = context.now;
    let joined = machines.iter().any(|machine| !machine["status"]["nodeRef"].is_null());
    let available = machines.iter().filter(|machine| holds(machine, "Available")).count();
    let lowest =
        machines.iter().map(|machine| text(machine, &["spec", "version"])).min_by_key(|version| release(version));
    context.change(KIND, object_name, |object| {
        Counts::of(&machines).write(object);
        set(
            object,
            &["status", "selector"],
            format!("{CLUSTER_LABEL}={},{CONTROL_PLANE_LABEL}", text(object, &["metadata", "labels", CLUSTER_LABEL])),
        );
        if let Some(lowest) = lowest {
            set(object, &["status", "version"], lowest);
        }
        if joined {
            set(object, &["status", "initialization", "controlPlaneInitialized"], true);
        }
        let initialized = object["status"]["initialization"]["controlPlaneInitialized"] == true;
        if initialized {
            condition(object, "Initialized", "True", "Initialized", "", now);
        } else {
            condition(object, "Initialized", "False", "NotInitialized", "", now);
        }
        for kind in ["EtcdClusterHealthy", "ControlPlaneComponentsHealthy"] {
            match (initialized, available == machines.len() && available > 0) {
                (false, _) => {
                    let waits = "Waiting for Cluster control plane to be initialized";
                    condition(object, kind, "Unknown", "InspectionFailed", waits, now);
                }
                (true, true) => condition(object, kind, "True", "Healthy", "", now),
                (true, false) => condition(object, kind, "False", "NotHealthy", "", now),
            }
        }
        // A majority of the members is enough to answer.
        if initialized && available * 2 > machines.len() && !is_deleting(object) {
            condition(object, "Available", "True", "Available", "", now);
        } else {
            condition(
                object,
                "Available",
                "False",
                "NotAvailable",
                "* Control plane members are not available yet",
                now,
            );
        }
        common(object, &machines, now);
        if is_deleting(object) {
            condition(object, "Available", "False", "NotAvailable", "* Control plane is deleting", now);
        }
        let seen = generation(object);
        set(object, &["status", "observedGeneration"], seen);
    });
}
