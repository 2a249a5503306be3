//! What a ClusterClass makes of its templates: copies with the patches applied that a reader without Go's template engine
//! understands - plain values, variables, `{{ .name }}` with or without `quote`, and conditions of `and`, `not`, `eq`.
//! A patch beyond that is left out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::context::Context;
use crate::kube::object::{entry, list, text};

/// The values of a cluster's variables for one of its parts.
pub(super) type Variables<'a> = BTreeMap<&'a str, &'a Value>;

/// Which template a patch is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of<'a> {
    Infrastructure,
    ControlPlane,
    /// Machines of a worker class.
    Worker(&'a str),
}

/// The cluster's variables, with the overrides of one part of the topology.
pub(super) fn of<'a>(cluster: &'a Value, part: &'a Value) -> Variables<'a> {
    let all = list(cluster, &["spec", "topology", "variables"]).iter().chain(list(part, &["variables", "overrides"]));
    all.map(|variable| (text(variable, &["name"]), &variable["value"])).collect()
}

/// The `spec.template.spec` that the class has for a kind of template, with its patches.
pub(super) fn render(
    context: &Context<'_, '_>,
    class: &Value,
    kind: &str,
    of: Of<'_>,
    variables: &Variables<'_>,
) -> Value {
    let reference = reference(class, kind, of);
    let mut template = context
        .setup
        .space
        .kinds()
        .named(kind)
        .and_then(|kind| {
            let (namespace, name) = (text(class, &["metadata", "namespace"]), text(reference, &["name"]));
            context.space().get(context.writer, &kind, namespace, name)
        })
        .map_or_else(|| json!({}), |found| Value::clone(&found));
    if !template["spec"]["template"]["spec"].is_object() {
        *entry(&mut template, &["spec", "template", "spec"]) = json!({});
    }
    for patch in list(class, &["spec", "patches"]) {
        if patch["enabledIf"].as_str().is_some_and(|condition| !enabled(condition, variables)) {
            continue;
        }
        for definition in list(patch, &["definitions"]) {
            if !selects(&definition["selector"], kind, of) {
                continue;
            }
            for change in list(definition, &["jsonPatches"]) {
                // One that does not fit is left out, and so is only what it would have set.
                let _ = apply(&mut template, change, variables);
            }
        }
    }
    template["spec"]["template"]["spec"].take()
}

fn reference<'a>(class: &'a Value, kind: &str, of: Of<'_>) -> &'a Value {
    let spec = &class["spec"];
    match of {
        Of::Infrastructure => &spec["infrastructure"]["templateRef"],
        Of::ControlPlane if kind.starts_with("Kubeadm") => &spec["controlPlane"]["templateRef"],
        Of::ControlPlane => &spec["controlPlane"]["machineInfrastructure"]["templateRef"],
        Of::Worker(wanted) => {
            let found = list(spec, &["workers", "machineDeployments"]).iter().find(|one| one["class"] == wanted);
            let part = if kind.starts_with("Kubeadm") { "bootstrap" } else { "infrastructure" };
            found.map_or(&Value::Null, |found| &found[part]["templateRef"])
        }
    }
}

fn selects(selector: &Value, kind: &str, of: Of<'_>) -> bool {
    let matches = &selector["matchResources"];
    selector["kind"] == kind
        && match of {
            Of::Infrastructure => matches["infrastructureCluster"] == true,
            Of::ControlPlane => matches["controlPlane"] == true,
            Of::Worker(class) => {
                list(matches, &["machineDeploymentClass", "names"]).iter().any(|name| name == class || name == "*")
            }
        }
}

fn apply(template: &mut Value, change: &Value, variables: &Variables<'_>) -> Option<()> {
    let value = if let Some(name) = change["valueFrom"]["variable"].as_str() {
        lookup(name, variables)?.clone()
    } else if let Some(text) = change["valueFrom"]["template"].as_str() {
        fill(text, variables)?
    } else {
        change["value"].clone()
    };
    let path = text(change, &["path"]);
    if change["op"] != "remove" {
        // Parents that the template lacks are made, as the real controller wants them there already.
        let parents: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (_, parents) = parents.split_last()?;
        if parents.iter().all(|parent| parent.parse::<usize>().is_err()) && entry(template, parents).is_null() {
            *entry(template, parents) = json!({});
        }
    }
    let mut operation = json!({"op": change["op"], "path": path});
    if change["op"] != "remove" {
        operation["value"] = value;
        operation["op"] = json!("add");
    }
    let patch: json_patch::Patch = serde_json::from_value(json!([operation])).ok()?;
    json_patch::patch(template, &patch).ok()
}

fn lookup<'a>(path: &str, variables: &Variables<'a>) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = *variables.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// Fills the variables of a template in; `None` for anything cleverer.
fn fill(template: &str, variables: &Variables<'_>) -> Option<Value> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after.split_once("}}")?;
        filled.push_str(before);
        let (name, quoted) = match inside.split_once('|') {
            None => (inside.trim(), false),
            Some((name, function)) if function.trim() == "quote" => (name.trim(), true),
            Some(_) => return None,
        };
        let value = lookup(name.strip_prefix('.')?, variables)?;
        match value {
            Value::String(text) if !quoted => filled.push_str(text),
            other => filled.push_str(&other.to_string()),
        }
        rest = behind;
    }
    filled.push_str(rest);
    serde_saphyr::from_str(&filled).ok()
}

/// Whether a condition holds: every variable it names is there and neither empty nor false, but for those behind `not`.
fn enabled(condition: &str, variables: &Variables<'_>) -> bool {
    let truthy = |name: &str| {
        !matches!(lookup(name, variables), None | Some(Value::Null | Value::Bool(false)))
            && lookup(name, variables).is_some_and(|value| *value != "" && *value != json!([]))
    };
    let words: Vec<&str> =
        condition.split(|c: char| c.is_whitespace() || "{}()".contains(c)).filter(|w| !w.is_empty()).collect();
    words.iter().enumerate().all(|(index, word)| {
        let Some(name) = word.strip_prefix('.') else { return true };
        let before = index.checked_sub(1).map_or("", |index| words[index]);
        match before {
            "not" => !truthy(name),
            "eq" => {
                let wanted = words.get(index + 1).map_or("", |word| word.trim_matches('"'));
                lookup(name, variables).is_some_and(|value| *value == wanted)
            }
            _ => truthy(name),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_templates_read_variables() {
        let (cidr, off, list) = (json!("10.0.0.0/24"), json!(false), json!({"enabled": true}));
        let variables: Variables<'_> = [("nodeCidr", &cidr), ("off", &off), ("lb", &list)].into();
        for (condition, expected) in [
            ("{{ if and .nodeCidr (not .network) }}true{{ end }}", true),
            ("{{ if and .nodeCidr .network }}true{{ end }}", false),
            ("{{ if .off }}true{{ end }}", false),
            ("{{ if .lb.enabled }}true{{ end }}", true),
            (r#"{{ eq .nodeCidr "x" }}"#, false),
        ] {
            assert_eq!(enabled(condition, &variables), expected, "{condition}");
        }
        assert_eq!(fill("- cidr: {{ .nodeCidr | quote }}\n", &variables), Some(json!([{"cidr": "10.0.0.0/24"}])));
        assert_eq!(fill("{{ range .lb }}x{{ end }}", &variables), None);
    }
}
