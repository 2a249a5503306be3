//! ClusterClass: says that the variables are known, and shows them.

use serde_json::{Value, json};

use super::context::{Context, condition};
use crate::kube::object::{generation, list, set};

/// Looks at one class; the key is its own.
pub(super) fn run(context: &mut Context<'_, '_>) {
    let name = context.name.clone();
    let now = context.now;
    context.change("ClusterClass", &name, |class| {
        let variables: Vec<Value> = list(class, &["spec", "variables"])
            .iter()
            .map(|variable| {
                let definition =
                    json!({"from": "inline", "required": variable["required"] == true, "schema": variable["schema"]});
                json!({"name": variable["name"], "definitionsConflict": false, "definitions": [definition]})
            })
            .collect();
        set(class, &["status", "variables"], variables);
        condition(class, "Paused", "False", "NotPaused", "", now);
        condition(class, "RefVersionsUpToDate", "True", "RefVersionsUpToDate", "", now);
        condition(class, "VariablesReady", "True", "VariablesReady", "", now);
        let seen = generation(class);
        set(class, &["status", "observedGeneration"], seen);
    });
}
