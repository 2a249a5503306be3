//! Reading and writing parts of a Kubernetes object that is a JSON value.

use serde_json::{Map, Value, json};

/// The value below a path of field names, `Null` when something on the way is missing.
pub(crate) fn at<'a>(object: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(object, |value, name| &value[*name])
}

/// The text below a path, empty when there is none.
pub(crate) fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    at(object, path).as_str().unwrap_or_default()
}

/// The number below a path.
pub(crate) fn number(object: &Value, path: &[&str]) -> Option<i64> {
    at(object, path).as_i64()
}

/// The list below a path, empty when there is none.
pub(crate) fn list<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    at(object, path).as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

pub(crate) fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

pub(crate) fn generation(object: &Value) -> i64 {
    number(object, &["metadata", "generation"]).unwrap_or(0)
}

pub(crate) fn resource_version(object: &Value) -> &str {
    text(object, &["metadata", "resourceVersion"])
}

pub(crate) fn label<'a>(object: &'a Value, key: &str) -> &'a str {
    text(object, &["metadata", "labels", key])
}

pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    at(object, &["metadata", "annotations", key]).as_str()
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    !at(object, &["metadata", "deletionTimestamp"]).is_null()
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    list(object, &["metadata", "finalizers"]).iter().filter_map(Value::as_str).collect()
}

/// Adds a finalizer unless it is there.
pub(crate) fn add_finalizer(object: &mut Value, finalizer: &str) {
    if !finalizers(object).contains(&finalizer) {
        let all = entry(object, &["metadata", "finalizers"]);
        match all {
            Value::Array(all) => all.push(json!(finalizer)),
            other => *other = json!([finalizer]),
        }
    }
}

/// Takes a finalizer away.
pub(crate) fn remove_finalizer(object: &mut Value, finalizer: &str) {
    if let Value::Array(all) = &mut object["metadata"]["finalizers"] {
        all.retain(|one| one != finalizer);
        if all.is_empty() {
            fields(&mut object["metadata"]).remove("finalizers");
        }
    } else {
        fields(&mut object["metadata"]).remove("finalizers");
    }
}

/// The fields of a value, which becomes an object if it was none.
pub(crate) fn fields(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("the value was made an object above"),
    }
}

/// The place below a path, made on the way.
pub(crate) fn entry<'a>(object: &'a mut Value, path: &[&str]) -> &'a mut Value {
    path.iter().fold(object, |value, name| fields(value).entry((*name).to_owned()).or_insert(Value::Null))
}

/// Sets the value below a path.
pub(crate) fn set(object: &mut Value, path: &[&str], value: impl Into<Value>) {
    *entry(object, path) = value.into();
}

/// Takes the value below a path away.
pub(crate) fn unset(object: &mut Value, path: &[&str]) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut here = object;
    for parent in parents {
        match here.get_mut(*parent) {
            Some(next) => here = next,
            None => return,
        }
    }
    if let Value::Object(map) = here {
        map.remove(*last);
    }
}

/// A reference by which `owner` controls what carries it.
pub(crate) fn owner_reference(owner: &Value, controller: bool) -> Value {
    let mut reference = json!({
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name(owner), "uid": uid(owner),
    });
    if controller {
        reference["controller"] = json!(true);
        reference["blockOwnerDeletion"] = json!(true);
    }
    reference
}

/// Whether `object` names `owner` among its owners.
pub(crate) fn is_owned_by(object: &Value, owner: &Value) -> bool {
    list(object, &["metadata", "ownerReferences"]).iter().any(|reference| reference["uid"] == owner["metadata"]["uid"])
}
