//! What must hold whatever a body says: the tests try what is kept in `fuzz/seeds`, the fuzzers look for more.

use jeroboam_model::Labels;
use jeroboam_service::properties::LONGEST_REFUSAL;
use serde_json::{Map, Value, json};

use super::body::{Body, has_unstorable_text};
use super::fields::Fields;
use super::patch::{Patch, PatchRules};
use super::python;
use crate::error::ApiResult;

/// MariaDB's `TEXT`, in bytes.
const COLUMN: usize = 65_535;

const RULES: PatchRules =
    PatchRules { internal: &["stack_id"], mandatory: &["image_id", "public"], structured: &["labels", "node_taints"] };

/// A PATCH of an object that has something of every kind.
pub fn patch(input: &[u8]) {
    let read = || Body::parse("application/json", input).and_then(|body| Patch::parse(body, &RULES));
    let patch = match read() {
        Ok(patch) => patch,
        Err(refusal) => return is_short(&refusal.into_detail()),
    };
    assert_eq!(read().ok().as_ref(), Some(&patch), "a body says the same at every look");
    let before = object();
    let (once, twice) = (patch.apply(before.clone(), &RULES), patch.apply(before.clone(), &RULES));
    let after = match (once, twice) {
        (Ok(after), Ok(again)) => {
            assert_eq!(after, again, "a patch does the same every time");
            after
        }
        (Err(one), Err(other)) => {
            let (one, other) = (one.into_detail(), other.into_detail());
            assert_eq!(one, other, "a patch is refused in the same words every time");
            return is_short(&one);
        }
        _ => panic!("a patch is applied or refused, not now this and then that"),
    };
    for name in after.keys() {
        assert!(before.contains_key(name), "{name} is new");
    }
    for (name, value) in &before {
        let fixed = ["uuid", "links", "stack_id"].contains(&name.as_str());
        assert!(!fixed || !patch.touches(name), "nobody may change {name}");
        assert!(patch.touches(name) || after.get(name) == Some(value), "nobody wanted to change {name}");
    }
    for name in RULES.mandatory {
        assert!(after.contains_key(*name), "{name} is gone");
    }
    let after = Value::Object(after);
    assert!(!has_unstorable_text(&after), "{after}");
    if depth(&after) < 100 {
        let shown = python::repr(&after);
        assert_eq!(python::literal(&shown), Some(after), "{shown}");
    }
}

/// Labels of a POST.
pub fn labels(input: &[u8]) {
    let read = |value: Value| Fields::of(Map::from_iter([("labels".to_owned(), value)])).labels("labels");
    let body = Body::parse("application/json", input).and_then(|body| body.value("cluster"));
    let labels: ApiResult<Option<Labels>> = body.and_then(read);
    let labels = match labels {
        Ok(labels) => labels.unwrap_or_default(),
        Err(refusal) => return is_short(&refusal.into_detail()),
    };
    let stored = json!(labels);
    assert!(!has_unstorable_text(&stored), "{stored}");
    assert!(stored.to_string().len() <= COLUMN, "labels are larger than their column");
    assert_eq!(read(stored).ok().flatten(), Some(labels.clone()), "labels are read as they were written");
    let parent = [("kube_tag", "v1.33.4"), ("boot_volume_size", "20"), ("calico_tag", "v3.30"), ("empty", "")];
    jeroboam_service::properties::labels(&labels, &parent.into_iter().collect());
}

/// Nothing that a caller sends makes for a long answer.
fn is_short(said: &str) {
    assert!(said.chars().count() <= LONGEST_REFUSAL, "{said}");
}

fn object() -> Map<String, Value> {
    let object = json!({
        "uuid": "6f5d1c3e-0b1f-4d4e-9c3f-2f6f8d7a1b2c", "links": [], "stack_id": null, "name": "a", "tags": "",
        "image_id": "i", "public": false, "size": 3, "flavor_id": null, "labels": {"x": "1", "kube_tag": "v1.33.4"},
        "node_taints": [{"key": "k", "value": null, "effect": "NoSchedule"}],
    });
    let Value::Object(object) = object else { panic!("it is an object") };
    object
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use jeroboam_oslo::properties::replay;

    use super::*;

    #[test]
    fn what_is_kept_of_patches_and_labels_holds() {
        replay("patch", patch);
        replay("labels", labels);
    }
}
