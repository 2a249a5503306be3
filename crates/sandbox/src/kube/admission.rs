//! What Cluster API's and its OpenStack provider's webhooks default and refuse.

use serde_json::{Value, json};

use super::kinds::{CONTROL_PLANE, CORE, INFRASTRUCTURE};
use super::object::{at, fields, list, name, namespace, set, text};
use super::{ApiError, Kind, Space};
use crate::state::{Document, Writer};

/// A path and what is wrong there.
type Cause = (String, String);

/// Defaults and checks an object about to be stored; returns warnings for the caller.
pub(crate) fn admit(
    space: &Space,
    writer: &Writer<'_>,
    kind: &Kind,
    old: Option<&Value>,
    new: &mut Value,
) -> Result<Vec<String>, ApiError> {
    let mut causes = Vec::new();
    let mut warnings = Vec::new();
    match (kind.group, kind.kind) {
        (CORE, "Cluster") if at(new, &["spec", "topology"]).is_object() => {
            version_prefix(new)?;
            let class = class_of(space, writer, new);
            match class {
                Some(class) => {
                    default_variables(new, &class);
                    variables(new, &class, &mut causes);
                    worker_classes(new, &class, &mut causes);
                }
                None => warnings.push(format!(
                    "Cluster refers to ClusterClass {} in the topology but it does not exist. Cluster topology has not been fully validated. The ClusterClass must be created to reconcile the Cluster",
                    class_name(new)
                )),
            }
            topology(space, writer, old, new, &mut causes);
        }
        (CONTROL_PLANE, "KubeadmControlPlane") => control_plane(old, new, &mut causes),
        (INFRASTRUCTURE, "OpenStackMachineTemplate" | "OpenStackClusterTemplate" | "DevMachineTemplate")
            if old.is_some_and(|old| old["spec"] != new["spec"]) =>
        {
            let why = format!(
                "Invalid value: {}: {} spec.template.spec field is immutable. Please create a new resource instead.",
                new["spec"], kind.kind
            );
            causes.push(("spec.template.spec".to_owned(), why));
        }
        (CORE, "MachineDeployment") if text(new, &["spec", "clusterName"]).is_empty() => {
            causes.push(("spec.clusterName".to_owned(), "Required value".to_owned()));
        }
        _ => {}
    }
    if causes.is_empty() { Ok(warnings) } else { Err(ApiError::invalid(kind.kind, kind.group, name(new), &causes)) }
}

/// Refuses to delete what is still needed.
pub(crate) fn admit_delete(space: &Space, writer: &Writer<'_>, kind: &Kind, object: &Value) -> Result<(), ApiError> {
    if (kind.group, kind.kind) != (CORE, "ClusterClass") {
        return Ok(());
    }
    let clusters = writer.list_prefix(&format!("{}clusters.{CORE}", space.prefix()), "");
    let users = clusters
        .iter()
        .filter(|(_, cluster)| class_name(cluster) == name(object) && class_namespace(cluster) == namespace(object))
        .count();
    if users == 0 {
        return Ok(());
    }
    let why = format!("ClusterClass cannot be deleted because it is used by {users} Cluster(s)");
    Err(ApiError::forbidden(&kind.collection(), name(object), &why))
}

/// The name of the class a cluster wants.
pub(crate) fn class_name(cluster: &Value) -> &str {
    text(cluster, &["spec", "topology", "classRef", "name"])
}

/// The namespace of the class a cluster wants.
pub(crate) fn class_namespace(cluster: &Value) -> &str {
    let given = text(cluster, &["spec", "topology", "classRef", "namespace"]);
    if given.is_empty() { namespace(cluster) } else { given }
}

fn class_of(space: &Space, writer: &Writer<'_>, cluster: &Value) -> Option<Document> {
    let id = format!("{}/{}", class_namespace(cluster), class_name(cluster));
    writer.get(&format!("{}clusterclasses.{CORE}", space.prefix()), &id)
}

fn version_prefix(cluster: &mut Value) -> Result<(), ApiError> {
    match at(cluster, &["spec", "topology", "version"]) {
        Value::String(version) if !version.is_empty() && !version.starts_with('v') => {
            let prefixed = format!("v{version}");
            set(cluster, &["spec", "topology", "version"], prefixed);
            Ok(())
        }
        Value::String(_) | Value::Null => Ok(()),
        other => Err(ApiError::bad_request(format!(
            "json: cannot unmarshal number into Go struct field Topology.spec.topology.version of type string: {other}"
        ))),
    }
}

/// Major, minor, patch of `v1.33.4`, with or without something behind.
pub(crate) fn release(version: &str) -> Option<(u32, u32, u32)> {
    let bare = version.strip_prefix('v')?;
    let bare = bare.split(['-', '+']).next()?;
    let mut parts = bare.split('.').map(|part| part.parse::<u32>().ok());
    let release = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(release)
}

fn topology(space: &Space, writer: &Writer<'_>, old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    let path = || "spec.topology.version".to_owned();
    let wanted = text(new, &["spec", "topology", "version"]);
    let Some(next) = release(wanted) else {
        causes.push((path(), format!("Invalid value: \"{wanted}\": version must be a valid semantic version")));
        return;
    };
    if class_name(new).is_empty() {
        causes.push(("spec.topology.classRef.name".to_owned(), "Required value: class cannot be empty".to_owned()));
    }
    let mut seen = std::collections::BTreeSet::new();
    for (index, deployment) in list(new, &["spec", "topology", "workers", "machineDeployments"]).iter().enumerate() {
        let name = text(deployment, &["name"]);
        if !seen.insert(name) {
            let path = format!("spec.topology.workers.machineDeployments[{index}].name");
            causes.push((path, format!("Duplicate value: \"{name}\"")));
        }
    }
    let Some(before) = old.and_then(|old| release(text(old, &["spec", "topology", "version"]))) else { return };
    let invalid = |why: &str| format!("Invalid value: \"{wanted}\": {why}");
    if next < before {
        causes.push((path(), invalid("version cannot be decreased")));
    } else if next.0 > before.0 || next.1 > before.1 + 1 {
        causes.push((path(), invalid("version cannot be increased from one minor to more than the next")));
    } else if next != before && is_upgrading(space, writer, new) {
        causes.push((
            path(),
            invalid(
                "version cannot be changed while the control plane or workers are still being upgraded or provisioned",
            ),
        ));
    }
}

fn is_upgrading(space: &Space, writer: &Writer<'_>, cluster: &Value) -> bool {
    let prefix = format!("{}/{}", namespace(cluster), name(cluster));
    let current = |kind: &str, version: &[&str]| {
        writer.list_prefix(&format!("{}{kind}", space.prefix()), &prefix).into_iter().any(|(_, object)| {
            let mine = at(&object, &["metadata", "labels", "cluster.x-k8s.io/cluster-name"]) == name(cluster);
            let replicas = at(&object, &["spec", "replicas"]).as_i64().unwrap_or(0);
            let behind = at(&object, &["status", "upToDateReplicas"]).as_i64().unwrap_or(0) < replicas;
            let old = text(&object, version) != text(cluster, &["spec", "topology", "version"]);
            mine && (behind && old)
        })
    };
    // The object is new here, so whatever still differs from the old version is looked up by the stored one.
    let Some(stored) = writer.get(&format!("{}clusters.{CORE}", space.prefix()), &prefix) else { return false };
    let reconciled = list(&stored, &["status", "conditions"])
        .iter()
        .find(|condition| condition["type"] == "TopologyReconciled")
        .map(|condition| text(condition, &["reason"]).to_owned());
    reconciled.as_deref() == Some("ClusterUpgrading")
        && (current("kubeadmcontrolplanes.controlplane.cluster.x-k8s.io", &["spec", "version"])
            || current("machinedeployments.cluster.x-k8s.io", &["spec", "template", "spec", "version"]))
}

fn control_plane(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    if let Some(replicas) = at(new, &["spec", "replicas"]).as_i64() {
        if replicas == 0 {
            causes.push(("spec.replicas".to_owned(), "Forbidden: cannot be 0".to_owned()));
        } else if replicas % 2 == 0 {
            let why = "Forbidden: cannot be an even number when etcd is stacked".to_owned();
            causes.push(("spec.replicas".to_owned(), why));
        }
    }
    let version = text(new, &["spec", "version"]);
    let Some(next) = release(version) else {
        causes.push((
            "spec.version".to_owned(),
            format!("Invalid value: \"{version}\": must be a valid semantic version"),
        ));
        return;
    };
    if let Some(before) = old.and_then(|old| release(text(old, &["spec", "version"])))
        && (next < before || next.1 > before.1 + 1)
    {
        let why = format!(
            "Forbidden: cannot update Kubernetes version from {}.{}.{} to {version}",
            before.0, before.1, before.2
        );
        causes.push(("spec.version".to_owned(), why));
    }
}

fn worker_classes(cluster: &Value, class: &Value, causes: &mut Vec<Cause>) {
    let known = list(class, &["spec", "workers", "machineDeployments"]);
    for (index, deployment) in list(cluster, &["spec", "topology", "workers", "machineDeployments"]).iter().enumerate()
    {
        let wanted = text(deployment, &["class"]);
        if !known.iter().any(|one| one["class"] == wanted) {
            let path = format!("spec.topology.workers.machineDeployments[{index}].class");
            let why = format!(
                "Invalid value: \"{wanted}\": MachineDeploymentClass with name \"{wanted}\" does not exist in ClusterClass \"{}\"",
                name(class)
            );
            causes.push((path, why));
        }
    }
}

fn schema_of<'a>(class: &'a Value, variable: &str) -> Option<&'a Value> {
    let declared = list(class, &["spec", "variables"]).iter().find(|one| one["name"] == variable)?;
    Some(at(declared, &["schema", "openAPIV3Schema"]))
}

fn default_variables(cluster: &mut Value, class: &Value) {
    for declared in list(class, &["spec", "variables"]) {
        let schema = at(declared, &["schema", "openAPIV3Schema"]);
        if schema["default"].is_null() {
            continue;
        }
        let given = list(cluster, &["spec", "topology", "variables"]).iter().any(|one| one["name"] == declared["name"]);
        if !given {
            let topology = fields(&mut cluster["spec"]["topology"]);
            let all = topology.entry("variables").or_insert_with(|| json!([]));
            if let Value::Array(all) = all {
                all.push(json!({"name": declared["name"], "value": schema["default"]}));
            }
        }
    }
    if let Some(Value::Array(all)) = cluster.pointer_mut("/spec/topology/variables") {
        for variable in all {
            let name = text(variable, &["name"]).to_owned();
            if let Some(schema) = schema_of(class, &name) {
                default_value(&mut variable["value"], schema);
            }
        }
    }
}

fn default_value(value: &mut Value, schema: &Value) {
    let (Value::Object(map), Value::Object(properties)) = (value, &schema["properties"]) else { return };
    for (property, schema) in properties {
        match map.get_mut(property) {
            Some(inner) => default_value(inner, schema),
            None if !schema["default"].is_null() => {
                map.insert(property.clone(), schema["default"].clone());
            }
            None => {}
        }
    }
}

fn variables(cluster: &Value, class: &Value, causes: &mut Vec<Cause>) {
    let given = list(cluster, &["spec", "topology", "variables"]);
    check_all(given, class, "spec.topology.variables", causes);
    for declared in list(class, &["spec", "variables"]) {
        if declared["required"] == true && !given.iter().any(|one| one["name"] == declared["name"]) {
            let why = format!("Required value: required variable {} is missing", declared["name"]);
            causes.push(("spec.topology.variables".to_owned(), why));
        }
    }
    let control_plane = list(cluster, &["spec", "topology", "controlPlane", "variables", "overrides"]);
    check_all(control_plane, class, "spec.topology.controlPlane.variables.overrides", causes);
    for (index, deployment) in list(cluster, &["spec", "topology", "workers", "machineDeployments"]).iter().enumerate()
    {
        let path = format!("spec.topology.workers.machineDeployments[{index}].variables.overrides");
        check_all(list(deployment, &["variables", "overrides"]), class, &path, causes);
    }
}

fn check_all(given: &[Value], class: &Value, path: &str, causes: &mut Vec<Cause>) {
    for variable in given {
        let name = text(variable, &["name"]);
        match schema_of(class, name) {
            Some(schema) => check(&variable["value"], schema, &format!("{path}[{name}].value"), causes),
            None => {
                let why = format!("Invalid value: \"{name}\": variable is not defined");
                causes.push((format!("{path}[{name}]"), why));
            }
        }
    }
}

/// Checks a value against the part of a structural schema that classes use.
fn check(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut wrong = |why: String| causes.push((path.to_owned(), format!("Invalid value: {value}: {why}")));
    let wanted = text(schema, &["type"]);
    let fits = match wanted {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    let absent = value.is_null() && schema["nullable"] == true;
    if !fits && !absent {
        wrong(format!("must be of type {wanted}"));
        return;
    }
    if let Value::Array(allowed) = &schema["enum"]
        && !allowed.contains(value)
    {
        wrong(format!("supported values: {}", Value::Array(allowed.clone())));
    }
    if let (Some(limit), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < limit
    {
        wrong(format!("should be greater than or equal to {limit}"));
    }
    if let (Some(limit), Some(number)) = (schema["maximum"].as_f64(), value.as_f64())
        && number > limit
    {
        wrong(format!("should be less than or equal to {limit}"));
    }
    if let (Some(limit), Some(text)) = (schema["minLength"].as_u64(), value.as_str())
        && (text.chars().count() as u64) < limit
    {
        wrong(format!("should be at least {limit} chars long"));
    }
    if let (Some(limit), Some(text)) = (schema["maxLength"].as_u64(), value.as_str())
        && text.chars().count() as u64 > limit
    {
        wrong(format!("may not be more than {limit} bytes"));
    }
    match value {
        Value::Array(elements) if schema["items"].is_object() => {
            for (index, element) in elements.iter().enumerate() {
                check(element, &schema["items"], &format!("{path}[{index}]"), causes);
            }
        }
        Value::Object(map) => {
            for required in list(schema, &["required"]).iter().filter_map(Value::as_str) {
                if !map.contains_key(required) {
                    causes.push((format!("{path}.{required}"), "Required value".to_owned()));
                }
            }
            for (property, inner) in map {
                let below = format!("{path}.{property}");
                match (&schema["properties"][property], &schema["additionalProperties"]) {
                    (known @ Value::Object(_), _) | (_, known @ Value::Object(_)) => {
                        check(inner, known, &below, causes);
                    }
                    (_, Value::Bool(true)) => {}
                    _ if schema["x-kubernetes-preserve-unknown-fields"] == true => {}
                    _ => causes.push((below, "Invalid value: field is not specified in the schema".to_owned())),
                }
            }
        }
        _ => {}
    }
}
