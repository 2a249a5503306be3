//! Our own ClusterClass for OpenStack: one module per concern, each of which declares variables, says how they change the
//! templates, and knows their values for a cluster.
//!
//! The name of the class carries a version. A class that clusters use is never changed in a way that replaces their
//! machines: such a change gets the next number, and a cluster moves to it when it is upgraded.
//!
//! Variables are named as magnum-cluster-api names them wherever it has the same, so that an operator's class made for that
//! driver works here too.

mod api_endpoint;
mod availability;
mod boot_volume;
mod cloud_provider;
mod dns;
mod flavors;
mod identity;
mod image;
mod networks;
mod node_labels;
mod ssh_key;
mod templates;

use serde_json::{Value, json};

use crate::contract::CoreVersion;
use crate::resolved::{ResolvedCluster, WorkerGroup};
use crate::resources::{Object, Prepared, Resources};
use templates::{Target, class};

/// Name of our class and of its templates.
pub const OWN_CLASS: &str = "jeroboam-capo-v1";
/// Where our class lives unless the operator says otherwise.
pub const SYSTEM_NAMESPACE: &str = "magnum-system";

/// A variable's name and its value.
pub(crate) type Given = (&'static str, Value);

/// One concern of a cluster.
pub(crate) struct Feature {
    /// The patch's name within the class.
    name: &'static str,
    /// Names and OpenAPI schemas of its variables.
    variables: fn() -> Vec<Given>,
    /// What its variables do to the templates.
    patches: fn(CoreVersion) -> Vec<Patch>,
    /// Values for a cluster.
    pub(crate) cluster: fn(&ResolvedCluster) -> Vec<Given>,
    /// Values of one group, where they may differ from the cluster's.
    pub(crate) group: fn(&ResolvedCluster, &WorkerGroup) -> Vec<Given>,
}

impl Feature {
    /// Whether a variable is one of its own.
    pub(crate) fn knows(&self, variable: &str) -> bool {
        (self.variables)().iter().any(|(name, _)| *name == variable)
    }
}

/// The concerns, in the order in which their patches are applied.
pub(crate) const FEATURES: [Feature; 11] = [
    identity::FEATURE,
    image::FEATURE,
    flavors::FEATURE,
    boot_volume::FEATURE,
    ssh_key::FEATURE,
    networks::FEATURE,
    dns::FEATURE,
    api_endpoint::FEATURE,
    availability::FEATURE,
    cloud_provider::FEATURE,
    node_labels::FEATURE,
];

/// Changes to one kind of template, made when a condition holds.
pub(crate) struct Patch {
    name: &'static str,
    condition: Option<&'static str>,
    changes: Vec<(Target, Vec<Value>)>,
}

/// No values for groups: they are the cluster's.
fn same_as_cluster(_: &ResolvedCluster, _: &WorkerGroup) -> Vec<Given> {
    Vec::new()
}

/// The objects of our class: its namespace, the templates and the class.
#[must_use]
pub fn own_class(version: CoreVersion, namespace: &str) -> Resources<Prepared> {
    let variables = FEATURES.iter().flat_map(|feature| (feature.variables)());
    let variables: Vec<_> = variables
        .map(|(name, schema)| json!({"name": name, "required": false, "schema": {"openAPIV3Schema": schema}}))
        .collect();
    let patches: Vec<_> = FEATURES.iter().flat_map(|feature| patches(feature, version)).collect();
    let mut objects = vec![templates::namespace(namespace)];
    objects.extend(templates::all(version, namespace));
    objects.push(class(version, namespace, &variables, &patches));
    Resources::prepared(objects.into_iter().map(Object::new).collect())
}

fn patches(feature: &Feature, version: CoreVersion) -> Vec<Value> {
    let named = |patch: Patch| {
        let definitions: Vec<_> = patch
            .changes
            .into_iter()
            .map(|(target, changes)| json!({"selector": target.selector(version), "jsonPatches": changes}))
            .collect();
        let mut value = json!({"name": format!("{}-{}", feature.name, patch.name), "definitions": definitions});
        if let Some(condition) = patch.condition {
            value["enabledIf"] = condition.into();
        }
        value
    };
    (feature.patches)(version).into_iter().map(named).collect()
}

/// Sets a field to a variable.
fn set(path: &str, variable: &str) -> Value {
    json!({"op": "add", "path": path, "valueFrom": {"variable": variable}})
}

/// Sets a field to what a Go template makes.
fn render(path: &str, template: &str) -> Value {
    json!({"op": "add", "path": path, "valueFrom": {"template": template}})
}
