//! Server-side apply, and who manages which field after any other write.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::ApiError;
use super::fields::{FieldSet, Step, display, element_step, look, names, remove};
use super::object::{fields, list, set, unset};
use super::schema::{is_atomic_map, list_kind};

/// Who writes, as `managedFields` tells managers apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) subresource: String,
    pub(crate) api_version: String,
}

struct Entry {
    manager: Manager,
    applies: bool,
    time: Value,
    set: FieldSet,
}

/// The object after `applied` was merged into `live` on behalf of `manager`.
pub(crate) fn apply(
    live: Option<&Value>,
    applied: &Value,
    manager: &Manager,
    force: bool,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let wanted = FieldSet::of(applied);
    let mut entries = live.map(read).unwrap_or_default();
    let mine = entries.iter().position(|entry| entry.applies && entry.manager == *manager);
    let owned = mine.map(|at| entries.remove(at));
    let mut merged = live.cloned().unwrap_or_else(|| json!({}));

    let mut conflicts = Vec::new();
    for path in &wanted.0 {
        let (old, new) = (look(&merged, path), look(applied, path));
        let same = old == new || matches!(path.last(), Some(Step::Key(_))) && old.is_some();
        if same || old.is_none() {
            continue;
        }
        for entry in entries.iter_mut().filter(|entry| entry.set.0.contains(path)) {
            if force {
                entry.set.0.remove(path);
            } else {
                conflicts.push((entry.manager.name.clone(), display(path)));
            }
        }
    }
    if !conflicts.is_empty() {
        return Err(ApiError::apply_conflict(&conflicts));
    }

    merge(&mut merged, applied, &mut Vec::new());
    if let Some(owned) = &owned {
        // An element goes as a whole; one that stays keeps what it is found by.
        let mut dropped: Vec<_> = owned.set.0.iter().filter(|path| !wanted.has_at_or_below(path)).collect();
        dropped.sort_by_key(|path| path.len());
        for path in dropped {
            if !is_key_field(path) && !entries.iter().any(|entry| entry.set.has_at_or_below(path)) {
                remove(&mut merged, path);
            }
        }
    }

    let unchanged = owned.as_ref().filter(|owned| owned.set == wanted).map(|owned| owned.time.clone());
    let time = unchanged.unwrap_or_else(|| json!(seconds(now)));
    entries.push(Entry { manager: manager.clone(), applies: true, time, set: wanted });
    write(&mut merged, entries);
    Ok(merged)
}

/// Notes in `new` that `manager` changed what differs from `old` by a write that was not an apply.
pub(crate) fn track(old: Option<&Value>, new: &mut Value, manager: &Manager, now: Timestamp) {
    let mut entries = old.map(read).unwrap_or_default();
    let (before, after) = (old.map(FieldSet::of).unwrap_or_default(), FieldSet::of(new));
    let changed: Vec<_> = after
        .0
        .iter()
        .filter(|path| {
            let is_element = matches!(path.last(), Some(Step::Key(_)));
            !before.0.contains(*path) || !is_element && old.and_then(|old| look(old, path)) != look(new, path)
        })
        .cloned()
        .collect();
    for entry in &mut entries {
        entry.set.0.retain(|path| after.0.contains(path) || after.has_below(path));
        for path in &changed {
            entry.set.0.remove(path);
        }
    }
    if !changed.is_empty() {
        let at = entries.iter().position(|entry| !entry.applies && entry.manager == *manager).unwrap_or_else(|| {
            let manager = manager.clone();
            entries.push(Entry { manager, applies: false, time: Value::Null, set: FieldSet::default() });
            entries.len() - 1
        });
        entries[at].time = json!(seconds(now));
        entries[at].set.0.extend(changed);
    }
    entries.retain(|entry| !entry.set.0.is_empty());
    write(new, entries);
}

/// Whether the path is a field by which its element is found.
fn is_key_field(path: &[Step]) -> bool {
    match path {
        [.., Step::Key(key), Step::Field(name)] => {
            serde_json::from_str::<Map<String, Value>>(key).is_ok_and(|keys| keys.contains_key(name))
        }
        _ => false,
    }
}

/// A time as Kubernetes writes it, whole seconds.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn read(object: &Value) -> Vec<Entry> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list(object, &["metadata", "managedFields"])
        .iter()
        .map(|stored| Entry {
            manager: Manager {
                name: text(&stored["manager"]),
                subresource: text(&stored["subresource"]),
                api_version: text(&stored["apiVersion"]),
            },
            applies: stored["operation"] == "Apply",
            time: stored["time"].clone(),
            set: FieldSet::parse(&stored["fieldsV1"]),
        })
        .collect()
}

fn write(object: &mut Value, entries: Vec<Entry>) {
    let stored: Vec<Value> = entries
        .into_iter()
        .filter(|entry| !entry.set.0.is_empty() || entry.applies)
        .map(|entry| {
            let mut stored = json!({
                "manager": entry.manager.name, "operation": if entry.applies { "Apply" } else { "Update" },
                "apiVersion": entry.manager.api_version, "time": entry.time, "fieldsType": "FieldsV1",
                "fieldsV1": entry.set.to_fields_v1(),
            });
            if !entry.manager.subresource.is_empty() {
                stored["subresource"] = json!(entry.manager.subresource);
            }
            stored
        })
        .collect();
    if stored.is_empty() {
        unset(object, &["metadata", "managedFields"]);
    } else {
        set(object, &["metadata", "managedFields"], Value::Array(stored));
    }
}

fn merge(live: &mut Value, applied: &Value, path: &mut Vec<Step>) {
    match applied {
        Value::Object(map) if !is_atomic_map(&names(path)) => {
            if !live.is_object() {
                *live = Value::Object(Map::new());
            }
            for (name, value) in map {
                if value.is_null() {
                    continue;
                }
                path.push(Step::Field(name.clone()));
                merge(fields(live).entry(name.clone()).or_insert(Value::Null), value, path);
                path.pop();
            }
        }
        Value::Array(elements) => {
            let kind = list_kind(&names(path));
            let keyed = elements.iter().all(|element| element_step(kind, element).is_some());
            let Value::Array(there) = live else {
                *live = applied.clone();
                return;
            };
            if !keyed {
                *live = applied.clone();
                return;
            }
            for element in elements {
                let step = element_step(kind, element);
                match there.iter_mut().find(|one| element_step(kind, one) == step) {
                    Some(one) if element.is_object() => {
                        path.extend(step);
                        merge(one, element, path);
                        path.pop();
                    }
                    Some(_) => {}
                    None => there.push(element.clone()),
                }
            }
        }
        _ => *live = applied.clone(),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn manager(name: &str) -> Manager {
        Manager { name: name.into(), subresource: String::new(), api_version: "v1".into() }
    }

    fn without_management(mut object: Value) -> Value {
        unset(&mut object, &["metadata", "managedFields"]);
        if object["metadata"] == json!({}) {
            unset(&mut object, &["metadata"]);
        }
        object
    }

    #[test]
    fn what_is_no_longer_applied_goes_and_what_others_set_stays() {
        let now = Timestamp::UNIX_EPOCH;
        let variables =
            |names: &[&str]| -> Value { names.iter().map(|name| json!({"name": name, "value": 1})).collect() };
        let first = json!({"spec": {"topology": {"version": "v1", "variables": variables(&["a", "b"])}, "x": 1}});
        let one = apply(None, &first, &manager("me"), false, now).unwrap();
        let mut two = one.clone();
        two["spec"]["topology"]["variables"].as_array_mut().unwrap().push(json!({"name": "c", "value": 2}));
        two["spec"]["paused"] = json!(true);
        track(Some(&one), &mut two, &manager("other"), now);
        let second = json!({"spec": {"topology": {"version": "v1", "variables": variables(&["b"])}}});
        let three = apply(Some(&two), &second, &manager("me"), false, now).unwrap();
        assert_eq!(
            without_management(three.clone()),
            json!({"spec": {"paused": true, "topology": {"version": "v1", "variables": [{"name": "b", "value": 1}, {"name": "c", "value": 2}]}}})
        );
        assert_eq!(apply(Some(&three), &second, &manager("me"), false, Timestamp::MAX).unwrap(), three);
    }

    #[test]
    fn another_managers_value_is_a_conflict_unless_forced() {
        let now = Timestamp::UNIX_EPOCH;
        let one = apply(None, &json!({"spec": {"replicas": 1}}), &manager("a"), false, now).unwrap();
        let same = apply(Some(&one), &json!({"spec": {"replicas": 1}}), &manager("b"), false, now).unwrap();
        let other = json!({"spec": {"replicas": 2}});
        let refused = apply(Some(&same), &other, &manager("c"), false, now).unwrap_err();
        assert_eq!(refused.code(), StatusCode::CONFLICT);
        assert!(refused.to_string().contains(".spec.replicas"), "{refused}");
        let forced = apply(Some(&same), &other, &manager("c"), true, now).unwrap();
        assert_eq!(forced["spec"]["replicas"], 2);
        // The losers no longer own it: leaving it out does not take it away.
        let left = apply(Some(&forced), &json!({}), &manager("a"), false, now).unwrap();
        assert_eq!(left["spec"]["replicas"], 2);
    }

    #[test]
    fn a_shared_field_stays_until_the_last_owner_lets_go() {
        let now = Timestamp::UNIX_EPOCH;
        let labels = json!({"metadata": {"labels": {"x": "1"}}});
        let one = apply(None, &labels, &manager("a"), false, now).unwrap();
        let two = apply(Some(&one), &labels, &manager("b"), false, now).unwrap();
        let three = apply(Some(&two), &json!({}), &manager("a"), false, now).unwrap();
        assert_eq!(three["metadata"]["labels"]["x"], "1");
        let four = apply(Some(&three), &json!({}), &manager("b"), false, now).unwrap();
        assert_eq!(four["metadata"]["labels"], Value::Null);
    }
}
