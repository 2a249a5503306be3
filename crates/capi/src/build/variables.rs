//! Values for the variables of a class: of all that we could say, what the class declares.

use serde_json::{Value, json};

use super::{BuildError, title};
use crate::class_info::ClassInfo;
use crate::own_class::FEATURES;
use crate::resolved::{ResolvedCluster, WorkerGroup};

/// Variables of the whole cluster in the order of their names.
pub(super) fn of_cluster(cluster: &ResolvedCluster, class: &ClassInfo) -> Result<Vec<Value>, BuildError> {
    let known: Vec<_> = FEATURES.iter().flat_map(|feature| (feature.cluster)(cluster)).collect();
    let mut values = Vec::new();
    for (name, variable) in &class.variables {
        let ours = known.iter().find(|(ours, _)| ours == name).map(|(_, value)| value);
        let given = cluster.extra_variables.get(name).or(ours);
        // What we know of and have no value for is "" to classes that insist on it, as magnum-cluster-api's do.
        let is_known = FEATURES.iter().any(|feature| feature.knows(name));
        let empty = Value::String(String::new());
        let value = match given {
            Some(value) => value,
            None if variable.may_be_absent() => continue,
            None if is_known && variable.kind() == "string" => &empty,
            None => return Err(BuildError::NoValue { class: title(class), variable: name.clone() }),
        };
        values.push(json!({"name": name, "value": value}));
    }
    Ok(values)
}

/// Variables in which one group differs from the cluster.
pub(super) fn overrides(cluster: &ResolvedCluster, group: &WorkerGroup, class: &ClassInfo) -> Vec<Value> {
    let mut known: Vec<_> = FEATURES.iter().flat_map(|feature| (feature.group)(cluster, group)).collect();
    known.sort_by_key(|(name, _)| *name);
    let declared = known.into_iter().filter(|(name, _)| class.declares(name));
    declared.map(|(name, value)| json!({"name": name, "value": value})).collect()
}
