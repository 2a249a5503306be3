//! The few objects that `kubectl create` sends as protobuf: decoded into the JSON they would have been.

use base64::Engine;
use serde_json::{Map, Value, json};

use super::ApiError;

/// What begins every such body.
const MAGIC: &[u8] = b"k8s\0";

/// How a field is written.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Bytes,
    Truth,
    Number,
    /// A time: seconds in its first field.
    Time,
    Message(&'static [Field]),
}

/// Whether a field holds one value, a list, or a map by text.
#[derive(Clone, Copy, PartialEq)]
enum Many {
    One,
    List,
    Map,
}

/// A field of a message: number, name, form.
type Field = (u64, &'static str, Form, Many);

const OWNER: &[Field] = &[
    (1, "kind", Form::Text, Many::One),
    (3, "name", Form::Text, Many::One),
    (4, "uid", Form::Text, Many::One),
    (5, "apiVersion", Form::Text, Many::One),
    (6, "controller", Form::Truth, Many::One),
    (7, "blockOwnerDeletion", Form::Truth, Many::One),
];

const METADATA: &[Field] = &[
    (1, "name", Form::Text, Many::One),
    (2, "generateName", Form::Text, Many::One),
    (3, "namespace", Form::Text, Many::One),
    (5, "uid", Form::Text, Many::One),
    (6, "resourceVersion", Form::Text, Many::One),
    (7, "generation", Form::Number, Many::One),
    (8, "creationTimestamp", Form::Time, Many::One),
    (11, "labels", Form::Text, Many::Map),
    (12, "annotations", Form::Text, Many::Map),
    (13, "ownerReferences", Form::Message(OWNER), Many::List),
    (14, "finalizers", Form::Text, Many::List),
];

const REFERENCE: &[Field] = &[(3, "name", Form::Text, Many::One)];
const LOCAL_REFERENCE: &[Field] = &[(1, "name", Form::Text, Many::One)];
const FINALIZERS: &[Field] = &[(1, "finalizers", Form::Text, Many::List)];
const RULE: &[Field] = &[
    (1, "verbs", Form::Text, Many::List),
    (2, "apiGroups", Form::Text, Many::List),
    (3, "resources", Form::Text, Many::List),
    (4, "resourceNames", Form::Text, Many::List),
    (5, "nonResourceURLs", Form::Text, Many::List),
];
const SUBJECT: &[Field] = &[
    (1, "kind", Form::Text, Many::One),
    (2, "apiGroup", Form::Text, Many::One),
    (3, "name", Form::Text, Many::One),
    (4, "namespace", Form::Text, Many::One),
];
const ROLE_REFERENCE: &[Field] =
    &[(1, "apiGroup", Form::Text, Many::One), (2, "kind", Form::Text, Many::One), (3, "name", Form::Text, Many::One)];
const PRECONDITIONS: &[Field] = &[(1, "uid", Form::Text, Many::One), (2, "resourceVersion", Form::Text, Many::One)];

const META: Field = (1, "metadata", Form::Message(METADATA), Many::One);
const NAMESPACE: &[Field] = &[META, (2, "spec", Form::Message(FINALIZERS), Many::One)];
const SECRET: &[Field] = &[
    META,
    (2, "data", Form::Bytes, Many::Map),
    (3, "type", Form::Text, Many::One),
    (4, "stringData", Form::Text, Many::Map),
    (5, "immutable", Form::Truth, Many::One),
];
const CONFIG_MAP: &[Field] = &[
    META,
    (2, "data", Form::Text, Many::Map),
    (3, "binaryData", Form::Bytes, Many::Map),
    (4, "immutable", Form::Truth, Many::One),
];
const SERVICE_ACCOUNT: &[Field] = &[
    META,
    (2, "secrets", Form::Message(REFERENCE), Many::List),
    (3, "imagePullSecrets", Form::Message(LOCAL_REFERENCE), Many::List),
    (4, "automountServiceAccountToken", Form::Truth, Many::One),
];
const ROLE: &[Field] = &[META, (2, "rules", Form::Message(RULE), Many::List)];
const BINDING: &[Field] = &[
    META,
    (2, "subjects", Form::Message(SUBJECT), Many::List),
    (3, "roleRef", Form::Message(ROLE_REFERENCE), Many::One),
];
const DELETE_OPTIONS: &[Field] = &[
    (1, "gracePeriodSeconds", Form::Number, Many::One),
    (2, "preconditions", Form::Message(PRECONDITIONS), Many::One),
    (4, "propagationPolicy", Form::Text, Many::One),
];
const BARE: &[Field] = &[META];

/// The object in a body; refused with the media type when it is of a kind that is not known here.
pub(crate) fn decode(body: &[u8]) -> Result<Value, ApiError> {
    object(body).ok_or_else(|| ApiError::unsupported_media_type("application/vnd.kubernetes.protobuf of this kind"))
}

fn object(body: &[u8]) -> Option<Value> {
    const KIND: &[Field] = &[(1, "apiVersion", Form::Text, Many::One), (2, "kind", Form::Text, Many::One)];
    const UNKNOWN: &[Field] = &[(1, "type", Form::Message(KIND), Many::One), (2, "raw", Form::Bytes, Many::One)];
    let envelope = message(body.strip_prefix(MAGIC)?, UNKNOWN)?;
    let raw = base64::engine::general_purpose::STANDARD.decode(envelope["raw"].as_str().unwrap_or_default()).ok()?;
    let fields = match envelope["type"]["kind"].as_str()? {
        "Namespace" => NAMESPACE,
        "Secret" => SECRET,
        "ConfigMap" => CONFIG_MAP,
        "ServiceAccount" => SERVICE_ACCOUNT,
        "Role" | "ClusterRole" => ROLE,
        "RoleBinding" | "ClusterRoleBinding" => BINDING,
        "DeleteOptions" => DELETE_OPTIONS,
        "SelfSubjectReview" | "SelfSubjectAccessReview" => BARE,
        _ => return None,
    };
    let mut object = message(&raw, fields)?;
    object["apiVersion"] = envelope["type"]["apiVersion"].clone();
    object["kind"] = envelope["type"]["kind"].clone();
    Some(object)
}

fn message(mut bytes: &[u8], fields: &[Field]) -> Option<Value> {
    let mut found = Map::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let (number, varied) = (tag >> 3, tag & 7);
        let (count, part): (u64, &[u8]) = match varied {
            0 => (varint(&mut bytes)?, &[]),
            1 => (0, take(&mut bytes, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                (0, take(&mut bytes, length)?)
            }
            5 => (0, take(&mut bytes, 4)?),
            _ => return None,
        };
        let Some((_, name, form, many)) = fields.iter().find(|(known, ..)| *known == number) else { continue };
        match many {
            Many::One => {
                let value = value(count, part, *form)?;
                // What is empty was not set: the wire does not tell the two apart.
                if value != "" && value != json!({}) && !value.is_null() {
                    found.insert((*name).to_owned(), value);
                }
            }
            Many::List => {
                let value = value(count, part, *form)?;
                let list = found.entry(*name).or_insert_with(|| json!([]));
                list.as_array_mut()?.push(value);
            }
            Many::Map => {
                let (key, value) = pair(part, *form)?;
                let map = found.entry(*name).or_insert_with(|| json!({}));
                map.as_object_mut()?.insert(key, value);
            }
        }
    }
    Some(Value::Object(found))
}

fn value(count: u64, part: &[u8], form: Form) -> Option<Value> {
    Some(match form {
        Form::Text => json!(std::str::from_utf8(part).ok()?),
        Form::Bytes => json!(base64::engine::general_purpose::STANDARD.encode(part)),
        Form::Truth => json!(count != 0),
        Form::Number => json!(count),
        Form::Time => Value::Null,
        Form::Message(fields) => message(part, fields)?,
    })
}

fn pair(part: &[u8], form: Form) -> Option<(String, Value)> {
    const TEXTS: &[Field] = &[(1, "key", Form::Text, Many::One), (2, "value", Form::Text, Many::One)];
    const BYTES: &[Field] = &[(1, "key", Form::Text, Many::One), (2, "value", Form::Bytes, Many::One)];
    let mut entry = message(part, if matches!(form, Form::Bytes) { BYTES } else { TEXTS })?;
    let key = entry["key"].as_str()?.to_owned();
    let value = entry["value"].take();
    Some((key, if value.is_null() { json!("") } else { value }))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (part, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, part: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(part.len()).unwrap()], part].concat()
    }

    #[test]
    fn a_secret_is_read_and_nonsense_is_refused() {
        let kind = [field(1, b"v1"), field(2, b"Secret")].concat();
        let metadata = [field(1, b"s"), field(2, b""), field(11, &[field(1, b"l"), field(2, b"")].concat())].concat();
        let data = [field(1, b"a"), field(2, b"b")].concat();
        let secret = [field(1, &metadata), field(2, &data), field(3, b"Opaque")].concat();
        let body = [MAGIC.to_vec(), field(1, &kind), field(2, &secret), field(3, b"")].concat();
        let expected = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"a": "Yg=="},
            "metadata": {"name": "s", "labels": {"l": ""}},
        });
        assert_eq!(decode(&body), Ok(expected));
        let whole = body.len() - field(3, b"").len() - field(2, &secret).len();
        for cut in whole + 1..body.len() - field(3, b"").len() {
            assert!(decode(&body[..cut]).is_err(), "cut at {cut}");
        }
        assert!(decode(b"{}").is_err());
    }
}
