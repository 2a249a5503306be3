//! Label and field selectors.

use serde_json::Value;

use super::ApiError;
use super::object::{at, label};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

/// What a list or watch is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, String, bool)>,
}

// === impl Selector ===

impl Selector {
    /// Reads the two selectors as they stand in a query.
    pub(crate) fn parse(labels: Option<&str>, fields: Option<&str>) -> Result<Self, ApiError> {
        let labels = split_outside_brackets(labels.unwrap_or_default())
            .into_iter()
            .map(|part| requirement(part.trim()))
            .collect::<Result<_, _>>()?;
        let fields = fields
            .unwrap_or_default()
            .split(',')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (path, value) = part.split_once('=').ok_or_else(|| {
                    ApiError::bad_request(format!("invalid selector: '{part}'; can't understand '{part}'"))
                })?;
                let negative = path.ends_with('!');
                let path = path.trim_end_matches('!');
                Ok((path.to_owned(), value.trim_start_matches('=').to_owned(), !negative))
            })
            .collect::<Result<_, ApiError>>()?;
        Ok(Self { labels, fields })
    }

    /// Whether the object is wanted.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = self.labels.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => has(object, key) && values.iter().any(|value| value == label(object, key)),
            Requirement::NotIn(key, values) => {
                !has(object, key) || values.iter().all(|value| value != label(object, key))
            }
            Requirement::Exists(key) => has(object, key),
            Requirement::Missing(key) => !has(object, key),
        });
        labels && self.fields.iter().all(|(path, value, equal)| (field(object, path) == *value) == *equal)
    }
}

fn has(object: &Value, key: &str) -> bool {
    !at(object, &["metadata", "labels", key]).is_null()
}

fn field(object: &Value, path: &str) -> String {
    let path: Vec<&str> = path.split('.').collect();
    match at(object, &path) {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn requirement(text: &str) -> Result<Requirement, ApiError> {
    let wrong = || ApiError::bad_request(format!("unable to parse requirement: found '{text}'"));
    let set = |key: &str, rest: &str| -> Result<(String, Vec<String>), ApiError> {
        let inside = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(wrong)?;
        Ok((key.trim().to_owned(), inside.split(',').map(|value| value.trim().to_owned()).collect()))
    };
    if let Some((key, rest)) = text.split_once(" notin ") {
        return set(key, rest).map(|(key, values)| Requirement::NotIn(key, values));
    }
    if let Some((key, rest)) = text.split_once(" in ") {
        return set(key, rest).map(|(key, values)| Requirement::In(key, values));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = text.split_once('=') {
        return Ok(Requirement::In(key.trim().to_owned(), vec![value.trim_start_matches('=').trim().to_owned()]));
    }
    let (key, wrapped): (&str, fn(String) -> Requirement) =
        text.strip_prefix('!').map_or((text, Requirement::Exists), |key| (key, Requirement::Missing));
    if key.is_empty() || key.contains(|c: char| !(c.is_ascii_alphanumeric() || "-_./".contains(c))) {
        return Err(wrong());
    }
    Ok(wrapped(key.to_owned()))
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (index, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_read_like_kubectl_writes_them() {
        let object = json!({"metadata": {"name": "a", "labels": {"x": "1", "cluster.x-k8s.io/cluster-name": "c"}}});
        for (labels, fields, expected) in [
            ("", "", true),
            ("x=1", "", true),
            ("x==1,cluster.x-k8s.io/cluster-name in (b, c)", "", true),
            ("x!=1", "", false),
            ("y!=1", "", true),
            ("x notin (2,3)", "metadata.name=a", true),
            ("!y,x", "metadata.name!=a", false),
            ("y", "", false),
            ("", "metadata.name=b", false),
        ] {
            let selector = Selector::parse(Some(labels), Some(fields)).unwrap();
            assert_eq!(selector.matches(&object), expected, "{labels} {fields}");
        }
        assert!(Selector::parse(Some("a b"), None).is_err());
    }
}
