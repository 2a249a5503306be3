//! JSON Patch as Magnum knows it: three operations on the attributes of one object.
//!
//! Magnum: `magnum/api/controllers/v1/types.py JsonPatchType` and `magnum/api/utils.py apply_jsonpatch`. Unlike Magnum,
//! objects and arrays may also be written as JSON.

use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::body::{Body, UNSTORABLE, has_unstorable_text};
use super::fields::{Fields, cut, shown};
use super::python;
use crate::error::{ApiError, ApiResult};

/// Attributes that nobody changes.
const INTERNAL: [&str; 7] = ["created_at", "id", "links", "updated_at", "uuid", "project_id", "user_id"];

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    /// Sets what was null, or one entry of an object.
    Add,
    /// Sets what is there.
    Replace,
    /// Goes back to the default.
    Remove,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
struct Operation {
    op: Op,
    /// As it came: `/labels/foo`.
    path: String,
    value: Value,
}

/// One operation, as it is written.
#[derive(ToSchema)]
#[expect(dead_code, reason = "this is only described: operations are read by hand, for their error messages")]
pub(crate) struct PatchOperation {
    /// `add`, `replace` or `remove`.
    #[schema(pattern = "^(add|replace|remove)$")]
    op: String,
    /// `/name`, `/labels/foo`.
    #[schema(pattern = r"^(/[A-Za-z0-9_-]+)+$")]
    path: String,
    /// A text, a whole number, a boolean, an object or an array. Objects and arrays may also be written as text, as JSON
    /// or as a Python literal.
    value: Option<Value>,
}

/// Operations in their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Patch(Vec<Operation>);

/// What a resource lets nobody change or take away.
pub(crate) struct PatchRules {
    /// Beyond those that all resources have.
    pub(crate) internal: &'static [&'static str],
    /// These can be replaced but not removed.
    pub(crate) mandatory: &'static [&'static str],
    /// Objects and lists, that may come as text.
    pub(crate) structured: &'static [&'static str],
}

impl Operation {
    fn parse(item: &Value, rules: &PatchRules) -> ApiResult<Self> {
        let Value::Object(map) = item else {
            return Err(ApiError::invalid("patch", &shown(item), "Value should be an object"));
        };
        if let Some(unknown) = map.keys().find(|name| !["op", "path", "value"].contains(&name.as_str())) {
            let unknown = cut(unknown.clone());
            return Err(ApiError::bad_request(format!("Unknown attribute for argument patch: {unknown}")));
        }
        let text = |name: &str| match map.get(name) {
            None | Some(Value::Null) => Err(Fields::missing(name)),
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(other) => Err(ApiError::invalid(name, &shown(other), "Value should be string")),
        };
        let path = text("path")?;
        let op = match map.get("op") {
            None | Some(Value::Null) => return Err(Fields::missing("op")),
            Some(Value::String(op)) if op == "add" => Op::Add,
            Some(Value::String(op)) if op == "replace" => Op::Replace,
            Some(Value::String(op)) if op == "remove" => Op::Remove,
            Some(other) => {
                return Err(ApiError::invalid("op", &shown(other), "Value should be one of: add, replace, remove"));
            }
        };
        if !is_path(path) {
            return Err(ApiError::invalid(
                "path",
                &cut(path.to_owned()),
                r"Value should match the pattern ^(/[\w-]+)+$",
            ));
        }
        let operation = Self { op, path: path.to_owned(), value: map.get("value").cloned().unwrap_or(Value::Null) };
        let root = operation.root();
        let path = cut(path.to_owned());
        if INTERNAL.contains(&root) || rules.internal.contains(&root) {
            let sentence = format!("'{path}' is an internal attribute and can not be updated");
            return Err(ApiError::bad_request(sentence));
        }
        let whole = operation.segments().count() == 1;
        if op == Op::Remove {
            if whole && rules.mandatory.contains(&root) {
                let sentence = format!("'{path}' is a mandatory attribute and can not be removed");
                return Err(ApiError::bad_request(sentence));
            }
            return Ok(operation);
        }
        if operation.value.is_null() {
            return Err(ApiError::bad_request("'add' and 'replace' operations needs value"));
        }
        if operation.value.is_f64() {
            let type_name = python::type_name(&operation.value);
            let why = format!("Wrong type. Expected '(<class 'str'>, <class 'int'>)', got '<class '{type_name}'>'");
            return Err(ApiError::invalid("value", &shown(&operation.value), &why));
        }
        Ok(operation)
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').skip(1)
    }

    /// The attribute that it changes, or whose entry it changes.
    fn root(&self) -> &str {
        self.segments().next().unwrap_or_default()
    }

    /// The value that is written: what stands for a whole structure may come as text, in Python's words.
    fn written(&self, structured: &[&str]) -> Result<Value, String> {
        let whole = self.segments().count() == 1 && structured.contains(&self.root()) && self.op != Op::Remove;
        let Value::String(text) = &self.value else { return Ok(self.value.clone()) };
        if !whole {
            return Ok(self.value.clone());
        }
        let value =
            python::literal(text).ok_or_else(|| format!("malformed node or string: {}", python::repr(&self.value)))?;
        // What stood for a character in the text is one by now.
        if has_unstorable_text(&value) {
            return Err(format!("the value holds {UNSTORABLE}"));
        }
        Ok(value)
    }

    /// Why the attribute cannot be added to the object as it was.
    fn cannot_be_added(&self, document: &Map<String, Value>) -> Option<String> {
        if self.op != Op::Add || self.segments().count() != 1 {
            return None;
        }
        let path = cut(self.path.clone());
        match document.get(self.root()) {
            None => Some(format!("Adding a new attribute {path} to the root of the resource is not allowed.")),
            Some(Value::Null) => None,
            Some(_) => Some(format!("The attribute {path} has existed, please use 'replace' operation instead.")),
        }
    }

    fn apply(&self, document: &mut Map<String, Value>, value: Value) -> Result<(), String> {
        let mut segments: Vec<&str> = self.segments().collect();
        let Some(last) = segments.pop() else { return Err("the path is empty".to_owned()) };
        let mut parent = document;
        for segment in segments {
            let Some(Value::Object(next)) = parent.get_mut(segment) else {
                return Err(format!("member '{segment}' not found"));
            };
            parent = next;
        }
        match self.op {
            Op::Add => {
                parent.insert(last.to_owned(), value);
            }
            Op::Replace => match parent.get_mut(last) {
                Some(old) => *old = value,
                None => return Err(format!("can't replace a non-existent object '{last}'")),
            },
            Op::Remove => {
                if parent.remove(last).is_none() {
                    return Err(format!("can't remove a non-existent object '{last}'"));
                }
            }
        }
        Ok(())
    }
}

impl Patch {
    /// Reads a body; everything that can be said without the object is said here.
    pub(crate) fn parse(body: Body, rules: &PatchRules) -> ApiResult<Self> {
        let value = body.value("patch")?;
        let Value::Array(items) = value else {
            let value = shown(&value);
            return Err(ApiError::invalid("patch", &value, &format!("Value not a valid list: {value}")));
        };
        items.iter().map(|item| Operation::parse(item, rules)).collect::<ApiResult<_>>().map(Self)
    }

    /// Whether an operation is about this attribute.
    pub(crate) fn touches(&self, attribute: &str) -> bool {
        self.0.iter().any(|operation| operation.root() == attribute)
    }

    /// What the object becomes; a removed attribute is gone from it. One that is refused half-way is given to nobody.
    pub(crate) fn apply(&self, mut document: Map<String, Value>, rules: &PatchRules) -> ApiResult<Map<String, Value>> {
        let refused = |reason: String| {
            let patch = cut(self.shown());
            ApiError::bad_request(format!("Couldn't apply patch '{patch}'. Reason: {}", cut(reason)))
        };
        // Magnum: `apply_jsonpatch` looks at every operation before it applies the first.
        let mut values = Vec::with_capacity(self.0.len());
        for operation in &self.0 {
            if let Some(sentence) = operation.cannot_be_added(&document) {
                return Err(ApiError::bad_request(sentence));
            }
            values.push(operation.written(rules.structured).map_err(refused)?);
        }
        for (operation, value) in self.0.iter().zip(values) {
            operation.apply(&mut document, value).map_err(refused)?;
        }
        Ok(document)
    }

    /// The patch as Python shows it.
    fn shown(&self) -> String {
        let shown = |operation: &Operation| {
            let op = match operation.op {
                Op::Add => "add",
                Op::Replace => "replace",
                Op::Remove => "remove",
            };
            let value = match operation.op {
                Op::Remove => String::new(),
                _ => format!(", 'value': {}", python::repr(&operation.value)),
            };
            format!("{{'path': '{}', 'op': '{op}'{value}}}", operation.path)
        };
        format!("[{}]", self.0.iter().map(shown).collect::<Vec<_>>().join(", "))
    }
}

/// Whether a text is a path as Magnum's pattern has it.
fn is_path(text: &str) -> bool {
    let word =
        |segment: &str| !segment.is_empty() && segment.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: PatchRules =
        PatchRules { internal: &["stack_id"], mandatory: &["image_id"], structured: &["labels", "node_taints"] };

    fn run(patch: Value) -> Result<Value, String> {
        let document = json!({
            "name": "a", "size": null, "image_id": "i", "labels": {"x": "1"}, "node_taints": [], "flag": false
        });
        let Value::Object(document) = document else { panic!("it is an object") };
        let patch = Patch::parse(Body::of(patch), &RULES).map_err(ApiError::into_detail)?;
        patch.apply(document, &RULES).map(Value::Object).map_err(ApiError::into_detail)
    }

    #[test]
    fn operations_change_attributes_and_entries() {
        let rows = [
            (json!([]), json!({})),
            (json!([{"op": "replace", "path": "/name", "value": "b"}]), json!({"name": "b"})),
            (json!([{"op": "replace", "path": "/name", "value": "3"}]), json!({"name": "3"})),
            (json!([{"op": "add", "path": "/size", "value": 3}]), json!({"size": 3})),
            (json!([{"op": "replace", "path": "/flag", "value": true}]), json!({"flag": true})),
            (
                json!([{"op": "replace", "path": "/labels", "value": "{'a': 'b', 'c': True}"}]),
                json!({"labels": {"a": "b", "c": true}}),
            ),
            (json!([{"op": "replace", "path": "/labels", "value": "{\"a\": \"b\"}"}]), json!({"labels": {"a": "b"}})),
            (json!([{"op": "replace", "path": "/labels", "value": {"a": "b"}}]), json!({"labels": {"a": "b"}})),
            (json!([{"op": "add", "path": "/labels/y", "value": "2"}]), json!({"labels": {"x": "1", "y": "2"}})),
            (json!([{"op": "replace", "path": "/labels/x", "value": "2"}]), json!({"labels": {"x": "2"}})),
            (json!([{"op": "remove", "path": "/labels/x"}]), json!({"labels": {}})),
            (
                json!([{"op": "replace", "path": "/node_taints", "value": "[{'key': 'k', 'effect': 'NoExecute'}]"}]),
                json!({"node_taints": [{"key": "k", "effect": "NoExecute"}]}),
            ),
            (
                json!([{"op": "replace", "path": "/node_taints", "value": [{"key": "k"}]}]),
                json!({"node_taints": [{"key": "k"}]}),
            ),
        ];
        for (patch, expected) in rows {
            let document = run(patch.clone()).expect("a good patch");
            for (name, value) in expected.as_object().expect("an object") {
                assert_eq!(&document[name], value, "{patch}");
            }
        }
        let removed = run(json!([{"op": "remove", "path": "/name"}])).expect("a good patch");
        assert_eq!(removed.get("name"), None);
    }

    #[test]
    fn everything_else_is_refused_in_one_sentence() {
        let rows = [
            (json!({}), "Invalid input for field/attribute patch. Value: '{}'. Value not a valid list: {}"),
            (json!(["x"]), "Invalid input for field/attribute patch. Value: 'x'. Value should be an object"),
            (
                json!([{"path": "/name"}]),
                "Invalid input for field/attribute op. Value: 'None'. Mandatory field missing.",
            ),
            (
                json!([{"op": "add", "value": 1}]),
                "Invalid input for field/attribute path. Value: 'None'. Mandatory field missing.",
            ),
            (
                json!([{"op": "move", "path": "/name"}]),
                "Invalid input for field/attribute op. Value: 'move'. Value should be one of: add, replace, remove",
            ),
            (
                json!([{"op": 5, "path": "/name"}]),
                "Invalid input for field/attribute op. Value: '5'. Value should be one of: add, replace, remove",
            ),
            (
                json!([{"op": "add", "path": "name", "value": 1}]),
                r"Invalid input for field/attribute path. Value: 'name'. Value should match the pattern ^(/[\w-]+)+$",
            ),
            (
                json!([{"op": "add", "path": " /name ", "value": 1}]),
                r"Invalid input for field/attribute path. Value: ' /name '. Value should match the pattern ^(/[\w-]+)+$",
            ),
            (
                json!([{"op": "add", "path": "/labels/a.b", "value": 1}]),
                r"Invalid input for field/attribute path. Value: '/labels/a.b'. Value should match the pattern ^(/[\w-]+)+$",
            ),
            (
                json!([{"op": "add", "path": "/", "value": 1}]),
                r"Invalid input for field/attribute path. Value: '/'. Value should match the pattern ^(/[\w-]+)+$",
            ),
            (json!([{"op": "add", "path": "/name", "extra": 1}]), "Unknown attribute for argument patch: extra"),
            (json!([{"op": "replace", "path": "/name"}]), "'add' and 'replace' operations needs value"),
            (json!([{"op": "replace", "path": "/name", "value": null}]), "'add' and 'replace' operations needs value"),
            (
                json!([{"op": "replace", "path": "/name", "value": 1.5}]),
                "Invalid input for field/attribute value. Value: '1.5'. Wrong type. Expected '(<class 'str'>, <class 'int'>)', got '<class 'float'>'",
            ),
            (
                json!([{"op": "replace", "path": "/uuid", "value": "x"}]),
                "'/uuid' is an internal attribute and can not be updated",
            ),
            (
                json!([{"op": "replace", "path": "/stack_id", "value": "x"}]),
                "'/stack_id' is an internal attribute and can not be updated",
            ),
            (
                json!([{"op": "remove", "path": "/image_id"}]),
                "'/image_id' is a mandatory attribute and can not be removed",
            ),
            (
                json!([{"op": "add", "path": "/nope", "value": "x"}]),
                "Adding a new attribute /nope to the root of the resource is not allowed.",
            ),
            (
                json!([{"op": "add", "path": "/name", "value": "x"}]),
                "The attribute /name has existed, please use 'replace' operation instead.",
            ),
            // Looked at before anything is applied.
            (
                json!([{"op": "replace", "path": "/labels/a/b", "value": "x"}, {"op": "add", "path": "/name", "value": "x"}]),
                "The attribute /name has existed, please use 'replace' operation instead.",
            ),
            (
                json!([{"op": "remove", "path": "/name"}, {"op": "add", "path": "/name", "value": "x"}]),
                "The attribute /name has existed, please use 'replace' operation instead.",
            ),
            (
                json!([{"op": "replace", "path": "/nope", "value": "x"}]),
                "Couldn't apply patch '[{'path': '/nope', 'op': 'replace', 'value': 'x'}]'. Reason: can't replace a non-existent object 'nope'",
            ),
            (
                json!([{"op": "remove", "path": "/labels/y"}]),
                "Couldn't apply patch '[{'path': '/labels/y', 'op': 'remove'}]'. Reason: can't remove a non-existent object 'y'",
            ),
            (
                json!([{"op": "add", "path": "/name/x", "value": 1}]),
                "Couldn't apply patch '[{'path': '/name/x', 'op': 'add', 'value': 1}]'. Reason: member 'name' not found",
            ),
            (
                json!([{"op": "replace", "path": "/labels", "value": "a=b"}]),
                "Couldn't apply patch '[{'path': '/labels', 'op': 'replace', 'value': 'a=b'}]'. Reason: malformed node or string: 'a=b'",
            ),
            (
                json!([{"op": "replace", "path": "/labels", "value": "{'a': '\\0'}"}]),
                "Couldn't apply patch '[{'path': '/labels', 'op': 'replace', 'value': \"{'a': '\\\\0'}\"}]'. Reason: the value holds characters that can not be stored: NUL, or others outside the Basic Multilingual Plane",
            ),
        ];
        for (patch, expected) in rows {
            assert_eq!(run(patch.clone()), Err(expected.to_owned()), "{patch}");
        }
    }
}
