//! Sets of field paths, as `metadata.managedFields` keeps them: what a manager owns.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::object::fields;
use super::schema::{ListKind, is_atomic_map, list_kind};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A field of a map.
    Field(String),
    /// The element of a list with these keys, as compact JSON with sorted names.
    Key(String),
    /// The element of a set with this value, as JSON.
    Member(String),
}

/// A path from the root of an object.
pub(crate) type Path = Vec<Step>;

/// The fields one manager owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(pub(crate) BTreeSet<Path>);

// === impl FieldSet ===

impl FieldSet {
    /// Every leaf of an object, and every element of its keyed lists.
    pub(crate) fn of(object: &Value) -> Self {
        let mut set = BTreeSet::new();
        collect(object, &mut Vec::new(), &mut set);
        set.retain(|path| !is_identity(path));
        Self(set)
    }

    /// From the `fieldsV1` form.
    pub(crate) fn parse(stored: &Value) -> Self {
        let mut set = BTreeSet::new();
        parse_into(stored, &mut Vec::new(), &mut set);
        Self(set)
    }

    /// Into the `fieldsV1` form.
    pub(crate) fn to_fields_v1(&self) -> Value {
        let mut root = Value::Object(Map::new());
        for path in &self.0 {
            let mut here = &mut root;
            let mut is_element = false;
            for step in path {
                let name = match step {
                    Step::Field(name) => format!("f:{name}"),
                    Step::Key(key) => format!("k:{key}"),
                    Step::Member(value) => format!("v:{value}"),
                };
                is_element = matches!(step, Step::Key(_));
                here = fields(here).entry(name).or_insert_with(|| Value::Object(Map::new()));
            }
            let has_children = self.has_below(path);
            if is_element || has_children {
                fields(here).insert(".".to_owned(), Value::Object(Map::new()));
            }
        }
        root
    }

    /// Whether something strictly below `path` is in the set.
    pub(crate) fn has_below(&self, path: &[Step]) -> bool {
        self.0.range(path.to_vec()..).skip_while(|one| one.len() == path.len()).take(1).any(|one| one.starts_with(path))
    }

    /// Whether `path` itself or something below it is in the set.
    pub(crate) fn has_at_or_below(&self, path: &[Step]) -> bool {
        self.0.range(path.to_vec()..).next().is_some_and(|one| one.starts_with(path))
    }
}

fn is_identity(path: &[Step]) -> bool {
    let names: Vec<&str> = path.iter().filter_map(field_name).collect();
    matches!(
        names.as_slice(),
        ["apiVersion" | "kind" | "metadata"]
            | [
                "metadata",
                "name"
                    | "namespace"
                    | "uid"
                    | "resourceVersion"
                    | "generation"
                    | "creationTimestamp"
                    | "deletionTimestamp"
                    | "managedFields"
                    | "deletionGracePeriodSeconds"
                    | "selfLink",
                ..
            ]
    )
}

const fn field_name(step: &Step) -> Option<&str> {
    match step {
        Step::Field(name) => Some(name.as_str()),
        Step::Key(_) | Step::Member(_) => None,
    }
}

/// The field names of a path, elements left out: what the schema knows it by.
pub(crate) fn names(path: &[Step]) -> Vec<&str> {
    path.iter().filter_map(field_name).collect()
}

/// The key of a list element, if it has all its key fields.
pub(crate) fn key_of(element: &Value, keys: &[&str]) -> Option<String> {
    let mut sorted: Vec<&str> = keys.to_vec();
    sorted.sort_unstable();
    let mut found = Map::new();
    for key in sorted {
        // A missing protocol is TCP, the one defaulted key among the lists known here.
        let value = match &element[key] {
            Value::Null if key == "protocol" => Value::from("TCP"),
            Value::Null => return None,
            value => value.clone(),
        };
        found.insert(key.to_owned(), value);
    }
    Some(Value::Object(found).to_string())
}

/// The step to an element of a list at `path`; `None` when the list is one value.
pub(crate) fn element_step(kind: ListKind, element: &Value) -> Option<Step> {
    match kind {
        ListKind::Atomic => None,
        ListKind::Map(keys) => key_of(element, keys).map(Step::Key),
        ListKind::Set => Some(Step::Member(element.to_string())),
    }
}

fn collect(value: &Value, path: &mut Path, into: &mut BTreeSet<Path>) {
    match value {
        Value::Object(map) if !map.is_empty() && !is_atomic_map(&names(path)) => {
            for (name, value) in map {
                path.push(Step::Field(name.clone()));
                collect(value, path, into);
                path.pop();
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            let kind = list_kind(&names(path));
            if elements.iter().any(|element| element_step(kind, element).is_none()) {
                into.insert(path.clone());
                return;
            }
            for element in elements {
                path.extend(element_step(kind, element));
                into.insert(path.clone());
                if element.is_object() {
                    collect(element, path, into);
                }
                path.pop();
            }
        }
        _ => {
            into.insert(path.clone());
        }
    }
}

fn parse_into(stored: &Value, path: &mut Path, into: &mut BTreeSet<Path>) {
    let Value::Object(map) = stored else { return };
    if map.is_empty() && !path.is_empty() {
        into.insert(path.clone());
    }
    for (name, value) in map {
        if name == "." {
            into.insert(path.clone());
            continue;
        }
        let step = match name.split_once(':') {
            Some(("f", name)) => Step::Field(name.to_owned()),
            Some(("k", key)) => Step::Key(key.to_owned()),
            Some(("v", value)) => Step::Member(value.to_owned()),
            _ => continue,
        };
        path.push(step);
        parse_into(value, path, into);
        path.pop();
    }
}

/// What stands at a path of an object.
pub(crate) fn look<'a>(object: &'a Value, path: &[Step]) -> Option<&'a Value> {
    let mut here = object;
    let mut walked: Vec<&str> = Vec::new();
    for step in path {
        here = match step {
            Step::Field(name) => {
                walked.push(name);
                here.get(name)?
            }
            Step::Key(_) | Step::Member(_) => {
                let kind = list_kind(&walked);
                here.as_array()?.iter().find(|element| element_step(kind, element).as_ref() == Some(step))?
            }
        };
    }
    Some(here)
}

/// Takes away what stands at a path of an object, and maps and lists that this leaves empty.
pub(crate) fn remove(object: &mut Value, path: &[Step]) {
    remove_below(object, path, &mut Vec::new());
}

fn remove_below<'a>(here: &mut Value, path: &'a [Step], walked: &mut Vec<&'a str>) -> bool {
    let Some((step, rest)) = path.split_first() else { return true };
    match (step, &mut *here) {
        (Step::Field(name), Value::Object(map)) => {
            walked.push(name);
            if let Some(child) = map.get_mut(name)
                && remove_below(child, rest, walked)
            {
                map.remove(name);
            }
            map.is_empty()
        }
        (Step::Key(_) | Step::Member(_), Value::Array(elements)) => {
            let kind = list_kind(walked);
            if let Some(at) = elements.iter().position(|element| element_step(kind, element).as_ref() == Some(step))
                && (rest.is_empty() || remove_below(&mut elements[at], rest, walked))
            {
                elements.remove(at);
            }
            elements.is_empty()
        }
        _ => false,
    }
}

/// A path as people read it: `.spec.list[name="a"].field`.
pub(crate) fn display(path: &[Step]) -> String {
    path.iter()
        .map(|step| match step {
            Step::Field(name) => format!(".{name}"),
            Step::Key(key) => {
                let parsed: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let keys: Vec<String> = parsed.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
            Step::Member(value) => format!("[={value}]"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_survives_its_stored_form() {
        let object = json!({
            "metadata": {"name": "a", "labels": {"x": "1"}, "finalizers": ["f"]},
            "spec": {"topology": {"version": "v1", "variables": [{"name": "v", "value": {"a": [1]}}]}, "empty": {}},
        });
        let set = FieldSet::of(&object);
        assert_eq!(FieldSet::parse(&set.to_fields_v1()), set);
        assert!(!set.0.contains(&vec![Step::Field("metadata".into()), Step::Field("name".into())]));
        let variable = vec![
            Step::Field("spec".into()),
            Step::Field("topology".into()),
            Step::Field("variables".into()),
            Step::Key(r#"{"name":"v"}"#.into()),
        ];
        assert!(set.0.contains(&variable) && set.has_below(&variable));
        assert_eq!(display(&variable), r#".spec.topology.variables[name="v"]"#);
        assert_eq!(look(&object, &variable), Some(&json!({"name": "v", "value": {"a": [1]}})));
    }

    #[test]
    fn removing_leaves_no_empty_shells() {
        let mut object = json!({"spec": {"a": {"b": {"c": 1}}, "d": 2}});
        remove(&mut object, &["spec", "a", "b", "c"].map(|name| Step::Field(name.into())));
        assert_eq!(object, json!({"spec": {"d": 2}}));
    }
}
