//! Cluster API's `v1beta1` of objects that are kept as `v1beta2`: references, class names, and status as it used to be.

use serde_json::{Map, Value, json};

use super::Kind;
use super::kinds::{BOOTSTRAP, CONTROL_PLANE, CORE, INFRASTRUCTURE};
use super::object::{at, fields, list, namespace, set, text, unset};

/// The object as a client of `version` sees it.
pub(crate) fn to_served(kind: &Kind, version: &str, object: &Value) -> Value {
    let mut served = object.clone();
    served["apiVersion"] = json!(kind.api_version(version));
    if is_old(kind, version) {
        let namespace = namespace(object).to_owned();
        if let Some(spec) = served.get_mut("spec") {
            rename(spec, FORWARD_TO_OLD);
            old_references(spec, &namespace);
        }
        old_spec(kind, &mut served);
        if let Some(status) = object.get("status") {
            served["status"] = old_status(kind, status);
        }
    }
    served
}

/// The object as it is kept, from what a client of `version` sent.
pub(crate) fn to_stored(kind: &Kind, version: &str, object: &Value) -> Value {
    let mut stored = object.clone();
    stored["apiVersion"] = json!(kind.stored_version());
    if is_old(kind, version) {
        new_spec(kind, &mut stored);
        if let Some(spec) = stored.get_mut("spec") {
            let renames: Vec<(&str, &str)> = FORWARD_TO_OLD.iter().map(|(new, old)| (*old, *new)).collect();
            rename(spec, &renames);
            new_references(spec);
        }
        unset(&mut stored, &["status"]);
    }
    stored
}

/// Whether this version of this kind differs from the stored one by more than its name.
pub(crate) fn is_old(kind: &Kind, version: &str) -> bool {
    version == "v1beta1" && kind.versions.len() > 1 && kind.group != INFRASTRUCTURE
}

/// Field names that changed anywhere in a spec, new and old.
const FORWARD_TO_OLD: &[(&str, &str)] = &[("templateRef", "ref"), ("healthCheck", "machineHealthCheck")];

fn rename(value: &mut Value, names: &[(&str, &str)]) {
    match value {
        Value::Object(map) => {
            for (from, to) in names {
                if let Some(inner) = map.remove(*from) {
                    map.insert((*to).to_owned(), inner);
                }
            }
            // What a user put into a variable is not ours to rename.
            map.iter_mut()
                .filter(|(name, _)| !matches!(name.as_str(), "value" | "variables" | "template"))
                .for_each(|(_, inner)| rename(inner, names));
        }
        Value::Array(all) => all.iter_mut().for_each(|inner| rename(inner, names)),
        _ => {}
    }
}

const REFERENCES: [&str; 3] = ["infrastructureRef", "controlPlaneRef", "configRef"];

fn version_of_group(group: &str) -> &'static str {
    match group {
        CORE | CONTROL_PLANE | BOOTSTRAP | INFRASTRUCTURE => "v1beta1",
        _ => "v1",
    }
}

fn old_references(value: &mut Value, namespace: &str) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                if REFERENCES.contains(&name.as_str())
                    && let Some(group) = inner.get("apiGroup").and_then(Value::as_str).map(str::to_owned)
                {
                    unset(inner, &["apiGroup"]);
                    inner["apiVersion"] = json!(format!("{group}/{}", version_of_group(&group)));
                    inner["namespace"] = json!(namespace);
                }
                old_references(inner, namespace);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|inner| old_references(inner, namespace)),
        _ => {}
    }
}

fn new_references(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                if REFERENCES.contains(&name.as_str())
                    && let Some(group) = inner.get("apiVersion").and_then(Value::as_str).map(str::to_owned)
                {
                    for old in ["apiVersion", "namespace", "uid", "fieldPath", "resourceVersion"] {
                        unset(inner, &[old]);
                    }
                    inner["apiGroup"] = json!(group.split_once('/').map_or(group.as_str(), |(group, _)| group));
                }
                new_references(inner);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(new_references),
        _ => {}
    }
}

fn old_spec(kind: &Kind, object: &mut Value) {
    match kind.kind {
        "Cluster" => {
            let class = at(object, &["spec", "topology", "classRef"]).clone();
            if class.is_object() {
                unset(object, &["spec", "topology", "classRef"]);
                set(object, &["spec", "topology", "class"], class["name"].clone());
                if !class["namespace"].is_null() {
                    set(object, &["spec", "topology", "classNamespace"], class["namespace"].clone());
                }
            }
        }
        "ClusterClass" => each_worker_class(object, |worker| {
            let mut template = Map::new();
            for field in ["metadata", "bootstrap", "infrastructure"] {
                if let Some(value) = fields(worker).remove(field) {
                    template.insert(field.to_owned(), value);
                }
            }
            worker["template"] = Value::Object(template);
        }),
        "KubeadmControlPlane" => {
            if let Some(inner) = fields(&mut object["spec"]["machineTemplate"]).remove("spec") {
                for (field, value) in inner.as_object().into_iter().flatten() {
                    set(object, &["spec", "machineTemplate", field], value.clone());
                }
            }
        }
        _ => {}
    }
}

fn new_spec(kind: &Kind, object: &mut Value) {
    match kind.kind {
        "Cluster" if at(object, &["spec", "topology"]).is_object() => {
            let topology = fields(&mut object["spec"]["topology"]);
            if let Some(class) = topology.remove("class") {
                let mut reference = json!({"name": class});
                if let Some(namespace) = topology.remove("classNamespace") {
                    reference["namespace"] = namespace;
                }
                topology.insert("classRef".to_owned(), reference);
            }
        }
        "ClusterClass" => each_worker_class(object, |worker| {
            if let Some(Value::Object(template)) = fields(worker).remove("template") {
                fields(worker).extend(template);
            }
        }),
        "KubeadmControlPlane" => {
            if let Some(reference) = fields(&mut object["spec"]["machineTemplate"]).remove("infrastructureRef") {
                set(object, &["spec", "machineTemplate", "spec", "infrastructureRef"], reference);
            }
        }
        _ => {}
    }
    rename_worker_references(kind, object);
}

/// `template` is left alone by the general renaming, as machine templates must be; class templates are renamed here.
fn rename_worker_references(kind: &Kind, object: &mut Value) {
    if kind.kind == "ClusterClass" {
        each_worker_class(object, |worker| rename(worker, &[("ref", "templateRef")]));
    }
}

fn each_worker_class(object: &mut Value, change: impl Fn(&mut Value)) {
    for field in ["machineDeployments", "machinePools"] {
        if let Some(Value::Array(classes)) = object.pointer_mut(&format!("/spec/workers/{field}")) {
            classes.iter_mut().for_each(&change);
        }
    }
}

fn old_status(kind: &Kind, status: &Value) -> Value {
    let mut old = status.clone();
    let conditions = list(status, &["conditions"]);
    let mut newer = Map::new();
    for field in ["conditions", "controlPlane", "workers", "readyReplicas", "availableReplicas", "upToDateReplicas"] {
        if let Some(value) = fields(&mut old).remove(field) {
            newer.insert(field.to_owned(), value);
        }
    }
    let initialization = fields(&mut old).remove("initialization").unwrap_or_default();
    unset(&mut old, &["deprecated"]);
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    let names: &[(&str, &str)] = match kind.kind {
        "Cluster" => {
            old["infrastructureReady"] = json!(initialization["infrastructureProvisioned"] == true);
            old["controlPlaneReady"] = json!(is_true(conditions, "ControlPlaneAvailable"));
            &[
                ("Ready", "Available"),
                ("ControlPlaneInitialized", "ControlPlaneInitialized"),
                ("ControlPlaneReady", "ControlPlaneAvailable"),
                ("InfrastructureReady", "InfrastructureReady"),
                ("TopologyReconciled", "TopologyReconciled"),
            ]
        }
        "KubeadmControlPlane" => {
            old["initialized"] = json!(initialization["controlPlaneInitialized"] == true);
            old["ready"] = json!(number("readyReplicas") > 0);
            old["readyReplicas"] = json!(number("readyReplicas"));
            old["updatedReplicas"] = json!(number("upToDateReplicas"));
            old["unavailableReplicas"] = json!(number("replicas") - number("availableReplicas"));
            &[
                ("Ready", "Available"),
                ("Available", "Initialized"),
                ("CertificatesAvailable", "CertificatesAvailable"),
                ("MachinesReady", "MachinesReady"),
            ]
        }
        "MachineDeployment" | "MachineSet" => {
            old["readyReplicas"] = json!(number("readyReplicas"));
            old["availableReplicas"] = json!(number("availableReplicas"));
            old["updatedReplicas"] = json!(number("upToDateReplicas"));
            old["unavailableReplicas"] = json!(number("replicas") - number("availableReplicas"));
            &[("Ready", "Available"), ("Available", "Available")]
        }
        "Machine" => {
            old["bootstrapReady"] = json!(initialization["bootstrapDataSecretCreated"] == true);
            old["infrastructureReady"] = json!(initialization["infrastructureProvisioned"] == true);
            &[
                ("Ready", "Ready"),
                ("BootstrapReady", "BootstrapConfigReady"),
                ("InfrastructureReady", "InfrastructureReady"),
                ("NodeHealthy", "NodeHealthy"),
                ("HealthCheckSucceeded", "HealthCheckSucceeded"),
                ("OwnerRemediated", "OwnerRemediated"),
            ]
        }
        _ => &[("Ready", "Ready"), ("VariablesReconciled", "VariablesReady")],
    };
    let old_conditions: Vec<Value> = names
        .iter()
        .filter_map(|(old, new)| {
            let found = conditions.iter().find(|condition| condition["type"] == *new)?;
            let mut condition = json!({
                "type": old, "status": found["status"], "lastTransitionTime": found["lastTransitionTime"],
            });
            if found["status"] != "True" {
                condition["reason"] = found["reason"].clone();
                condition["message"] = found["message"].clone();
                let failed = matches!(text(found, &["reason"]), "ReconcileFailed" | "InstanceCreateFailed");
                condition["severity"] = json!(if failed { "Error" } else { "Info" });
            }
            Some(condition)
        })
        .collect();
    old["conditions"] = json!(old_conditions);
    old["v1beta2"] = Value::Object(newer);
    old
}

fn is_true(conditions: &[Value], name: &str) -> bool {
    conditions.iter().any(|condition| condition["type"] == name && condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::super::Kinds;
    use super::*;

    #[test]
    fn a_spec_survives_the_way_there_and_back() {
        let kinds = Kinds::management(super::super::kinds::ServedVersions::Both);
        for (kind, spec) in [
            (
                "Cluster",
                json!({
                    "infrastructureRef": {"apiGroup": INFRASTRUCTURE, "kind": "OpenStackCluster", "name": "a"},
                    "topology": {
                        "classRef": {"name": "c", "namespace": "n"}, "version": "v1.33.1",
                        "controlPlane": {"replicas": 1, "healthCheck": {"enabled": true}},
                        "variables": [{"name": "x", "value": {"ref": "kept", "healthCheck": 1}}],
                    },
                }),
            ),
            (
                "ClusterClass",
                json!({
                    "infrastructure": {"templateRef": {"kind": "T", "name": "t", "apiVersion": "g/v1beta1"}},
                    "workers": {"machineDeployments": [{
                        "class": "w", "bootstrap": {"templateRef": {"name": "b"}}, "infrastructure": {"templateRef": {"name": "i"}},
                    }]},
                }),
            ),
            (
                "KubeadmControlPlane",
                json!({"machineTemplate": {"spec": {"infrastructureRef": {"apiGroup": INFRASTRUCTURE, "kind": "M", "name": "m"}}}}),
            ),
        ] {
            let kind = kinds.all().find(|one| one.kind == kind).unwrap();
            let object = json!({"apiVersion": kind.stored_version(), "kind": kind.kind, "metadata": {"namespace": "n"}, "spec": spec});
            let old = to_served(kind, "v1beta1", &object);
            assert_ne!(old["spec"], object["spec"]);
            assert_eq!(to_stored(kind, "v1beta1", &old), object, "by way of {old}");
        }
    }
}
