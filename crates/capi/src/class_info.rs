//! What a ClusterClass offers.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{CoreVersion, Object};

/// A ClusterClass as far as a cluster of it needs to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassInfo {
    /// The contract it was read in, and that its clusters are written in.
    pub version: CoreVersion,
    /// The namespace it lives in.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The variables it declares, by name.
    pub variables: BTreeMap<String, Variable>,
    /// Its classes of worker machines, the first one is used.
    pub workers: Vec<WorkerClass>,
    /// Whether it says itself when a control plane machine has failed.
    pub control_plane_health_check: bool,
    /// Whether Cluster API has looked at it in its present form.
    pub ready: bool,
    /// Why it is not ready.
    pub message: Option<String>,
}

/// A variable of a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variable {
    /// Whether a cluster has to give it.
    pub required: bool,
    /// Its OpenAPI schema.
    pub schema: Value,
}

impl Variable {
    /// The schema's `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.schema.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether a cluster may leave it out.
    #[must_use]
    pub fn may_be_absent(&self) -> bool {
        !self.required || self.schema.get("default").is_some()
    }
}

/// A class of worker machines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkerClass {
    /// Its name.
    pub name: String,
    /// Whether it says itself when a machine has failed.
    pub health_check: bool,
}

impl ClassInfo {
    /// Reads a ClusterClass of either contract; `None` for anything else.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let metadata = object.get("metadata")?;
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (ready, message) = readiness(object);
        let check = |value: &Value| value.get("healthCheck").or_else(|| value.get("machineHealthCheck")).is_some();
        let workers = list(object.pointer("/spec/workers/machineDeployments"))
            .map(|worker| WorkerClass { name: text(worker, "class"), health_check: check(worker) })
            .collect();
        let old = text(object, "apiVersion").ends_with("/v1beta1");
        Some(Self {
            version: if old { CoreVersion::V1Beta1 } else { CoreVersion::V1Beta2 },
            namespace: text(metadata, "namespace"),
            name: text(metadata, "name"),
            variables: variables(object),
            workers,
            control_plane_health_check: object.pointer("/spec/controlPlane").is_some_and(check),
            ready,
            message,
        })
    }

    /// Reads the ClusterClass among prepared or applied objects.
    #[must_use]
    pub fn of_object(object: &Object) -> Option<Self> {
        (object.kind() == "ClusterClass").then(|| Self::read(object.value())).flatten()
    }

    /// Whether it declares a variable.
    #[must_use]
    pub fn declares(&self, variable: &str) -> bool {
        self.variables.contains_key(variable)
    }
}

/// The variables of the specification and those that Cluster API found besides, from runtime extensions.
fn variables(object: &Value) -> BTreeMap<String, Variable> {
    let mut all = BTreeMap::new();
    for found in list(object.pointer("/status/variables")) {
        let definition = list(found.get("definitions")).next();
        all.extend(named(found).zip(definition.map(variable)));
    }
    let declared = list(object.pointer("/spec/variables"));
    all.extend(declared.filter_map(|declared| named(declared).map(|name| (name, variable(declared)))));
    all
}

fn variable(value: &Value) -> Variable {
    Variable {
        required: value.get("required").and_then(Value::as_bool).unwrap_or_default(),
        schema: value.pointer("/schema/openAPIV3Schema").cloned().unwrap_or_default(),
    }
}

fn named(value: &Value) -> Option<String> {
    value.get("name").and_then(Value::as_str).map(str::to_owned)
}

/// Whether the variables were read from the class as it is now. A class without a status has just been made.
fn readiness(object: &Value) -> (bool, Option<String>) {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    let observed = object.pointer("/status/observedGeneration").and_then(Value::as_i64).unwrap_or_default();
    let conditions =
        list(object.pointer("/status/conditions")).chain(list(object.pointer("/status/v1beta2/conditions")));
    let of_variables: Vec<_> = conditions
        .filter(|c| matches!(c.get("type").and_then(Value::as_str), Some("VariablesReady" | "VariablesReconciled")))
        .collect();
    let wrong = of_variables.iter().find(|c| c.get("status").and_then(Value::as_str) == Some("False"));
    let message = wrong.and_then(|c| c.get("message")).and_then(Value::as_str).map(str::to_owned);
    let ready = wrong.is_none() && !of_variables.is_empty() && observed >= generation;
    (ready, message)
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default().iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_class_tells_its_variables_and_workers() {
        let info = ClassInfo::read(&json!({
            "metadata": {"namespace": "magnum-system", "name": "memory", "generation": 2},
            "spec": {
                "controlPlane": {"healthCheck": {"checks": {"nodeStartupTimeoutSeconds": 60}}},
                "workers": {"machineDeployments": [{"class": "default-worker"}]},
                "variables": [
                    {"name": "boot", "required": false, "schema": {"openAPIV3Schema": {"type": "string"}}},
                ],
            },
            "status": {
                "observedGeneration": 2,
                "variables": [
                    {"name": "extra", "definitions": [
                        {"required": true, "schema": {"openAPIV3Schema": {"type": "integer"}}}]},
                ],
                "conditions": [{"type": "VariablesReady", "status": "True"}],
            },
        }))
        .expect("a class");
        assert!(info.ready && info.control_plane_health_check);
        assert_eq!(info.workers, [WorkerClass { name: "default-worker".into(), health_check: false }]);
        assert_eq!((info.variables["boot"].kind(), info.variables["boot"].may_be_absent()), ("string", true));
        assert_eq!((info.variables["extra"].kind(), info.variables["extra"].may_be_absent()), ("integer", false));
    }

    #[test]
    fn a_class_is_ready_once_its_present_form_was_looked_at() {
        let class = |observed: i64, status: &str| {
            json!({
                "metadata": {"name": "memory", "generation": 2}, "spec": {},
                "status": {"observedGeneration": observed,
                    "conditions": [{"type": "VariablesReady", "status": status, "message": "no extension"}]},
            })
        };
        let ready = |class: Value| ClassInfo::read(&class).map(|info| (info.ready, info.message));
        assert_eq!(ready(class(2, "True")), Some((true, None)));
        assert_eq!(ready(class(1, "True")), Some((false, None)));
        assert_eq!(ready(class(2, "False")), Some((false, Some("no extension".into()))));
        assert_eq!(ready(json!({"metadata": {"name": "memory"}, "spec": {}})), Some((false, None)));
    }
}
