//! The patches that are not server-side apply: merge, JSON and strategic merge.

use serde_json::{Map, Value};

use super::ApiError;
use super::fields::element_step;
use super::object::fields;
use super::schema::{ListKind, list_kind};

/// A merge patch (RFC 7386).
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    json_patch::merge(target, patch);
}

/// A JSON patch (RFC 6902).
pub(crate) fn json(target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let patch: json_patch::Patch =
        serde_json::from_value(patch.clone()).map_err(|error| ApiError::bad_request(error.to_string()))?;
    json_patch::patch(target, &patch).map_err(|error| {
        let message = format!("the server rejected our request due to an error in our request: {error}");
        ApiError::invalid("", "", "", &[("patch".to_owned(), message)])
    })
}

/// A strategic merge patch, for the lists whose keys are known; other lists are replaced.
pub(crate) fn strategic(target: &mut Value, patch: &Value) {
    strategic_below(target, patch, &mut Vec::new());
}

fn strategic_below<'a>(target: &mut Value, patch: &'a Value, path: &mut Vec<&'a str>) {
    match patch {
        Value::Object(map) => {
            if map.get("$patch").is_some_and(|directive| directive == "replace") {
                let kept: Map<String, Value> =
                    map.iter().filter(|(name, _)| *name != "$patch").map(|(n, v)| (n.clone(), v.clone())).collect();
                *target = Value::Object(kept);
                return;
            }
            for (name, value) in map {
                if name.starts_with("$setElementOrder/") || name.starts_with("$retainKeys") {
                    continue;
                }
                if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
                    if let (Some(Value::Array(there)), Value::Array(gone)) = (target.get_mut(list), value) {
                        there.retain(|one| !gone.contains(one));
                    }
                    continue;
                }
                if value.is_null() {
                    fields(target).remove(name);
                    continue;
                }
                path.push(name);
                strategic_below(fields(target).entry(name.clone()).or_insert(Value::Null), value, path);
                path.pop();
            }
        }
        Value::Array(elements) => {
            let kind = list_kind(path);
            let keyed = kind != ListKind::Atomic && elements.iter().all(|one| element_step(kind, one).is_some());
            let (Value::Array(there), true) = (&mut *target, keyed) else {
                *target = patch.clone();
                return;
            };
            for element in elements {
                let step = element_step(kind, element);
                let at = there.iter().position(|one| element_step(kind, one) == step);
                match at {
                    Some(at) if element["$patch"] == "delete" => {
                        there.remove(at);
                    }
                    Some(at) if element.is_object() => strategic_below(&mut there[at], element, path),
                    Some(_) => {}
                    None if element["$patch"] == "delete" => {}
                    None => there.push(element.clone()),
                }
            }
        }
        _ => *target = patch.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_strategic_patch_merges_conditions_by_type() {
        let mut node = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Disk", "status": "False"}]}});
        strategic(&mut node, &json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}));
        assert_eq!(
            node,
            json!({"status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "Disk", "status": "False"}]}})
        );
    }
}
