//! JSON in text columns: written as Python's `json.dumps` writes it, read with patience.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sea_orm::prelude::DateTime;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde_json::Value;

/// Writes as Python does: a blank after `:` and `,`, and nothing outside of ASCII.
///
/// Magnum: `magnum/db/sqlalchemy/models.py JsonEncodedType`. That nothing but ASCII is written also lets a utf8mb3 column hold any text.
pub(crate) fn dumps(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

/// Writes a map of texts.
pub(crate) fn dumps_map<'a>(items: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in items.enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_text(&mut out, name);
        out.push_str(": ");
        write_text(&mut out, value);
    }
    out.push('}');
    out
}

/// Reads a map of texts. Nothing and `null` are an empty map; values that are no texts become what Python's `str` makes of them.
pub(crate) fn loads_map(text: Option<&str>) -> Result<BTreeMap<String, String>, String> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(BTreeMap::new()) };
    // Nearly every row holds texts alone, which need no detour.
    if let Ok(texts) = serde_json::from_str::<BTreeMap<String, String>>(text) {
        return Ok(texts);
    }
    match parse(text)? {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(items) => Ok(items.into_iter().map(|(name, value)| (name, python_text(value))).collect()),
        _ => Err("expected a JSON object".to_owned()),
    }
}

/// Reads a list. Nothing and `null` are an empty list.
pub(crate) fn loads_list(text: Option<&str>) -> Result<Vec<Value>, String> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Vec::new()) };
    match parse(text)? {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => Ok(items),
        _ => Err("expected a JSON array".to_owned()),
    }
}

/// What Python's `str` makes of a value.
pub(crate) fn python_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

/// Reads a time out of a row that the database wrote as JSON: with a blank or a `T` in the middle, with or without fractions.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let time = text.replacen(' ', "T", 1).parse::<DateTime>();
    time.map(Some).map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &"a time"))
}

/// Reads a boolean out of a row that the database wrote as JSON: PostgreSQL has booleans, the others have 0 and 1.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    deserializer.deserialize_any(Flag)
}

struct Flag;

impl Visitor<'_> for Flag {
    type Value = Option<bool>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a boolean, a number or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Some(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number != 0))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number != 0))
    }
}

fn parse(text: &str) -> Result<Value, String> {
    // The parser's message has a position and never the text.
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(items) => {
            out.push('{');
            for (index, (name, item)) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_text(out, name);
                out.push_str(": ");
                write_value(out, item);
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").expect("a string takes all that is written to it");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_written_as_python_writes_it() {
        for (value, text) in [
            (json!({}), "{}"),
            (json!([]), "[]"),
            (json!({"a": "1", "b": "2"}), r#"{"a": "1", "b": "2"}"#),
            (json!(["10.0.0.1", "10.0.0.2"]), r#"["10.0.0.1", "10.0.0.2"]"#),
            (json!({"é": "😀\u{7f}\u{1}"}), r#"{"\u00e9": "\ud83d\ude00\u007f\u0001"}"#),
            (json!(["a\"b\\c\n\t\r\u{8}\u{c}/"]), r#"["a\"b\\c\n\t\r\b\f/"]"#),
            (
                json!([{"key": "k", "value": null, "n": 1, "t": true}]),
                r#"[{"key": "k", "n": 1, "t": true, "value": null}]"#,
            ),
        ] {
            assert_eq!(dumps(&value), text);
            assert_eq!(serde_json::from_str::<Value>(text).expect("valid JSON"), value);
        }
        assert_eq!(dumps_map([("a", "1"), ("ö", "\"")].into_iter()), r#"{"a": "1", "\u00f6": "\""}"#);
    }

    #[test]
    fn maps_are_read_with_patience() {
        let read = |text| loads_map(text).map(|map| dumps_map(map.iter().map(|(k, v)| (k.as_str(), v.as_str()))));
        for (text, expected) in [
            (None, "{}"),
            (Some(""), "{}"),
            (Some("null"), "{}"),
            (Some(r#"{"a":"1"}"#), r#"{"a": "1"}"#),
            (
                Some(r#"{"a": true, "b": false, "c": null, "d": 1, "e": 1.5}"#),
                r#"{"a": "True", "b": "False", "c": "None", "d": "1", "e": "1.5"}"#,
            ),
        ] {
            assert_eq!(read(text), Ok(expected.to_owned()), "{text:?}");
        }
        assert_eq!(read(Some("[]")), Err("expected a JSON object".to_owned()));
        assert!(read(Some("{a")).is_err_and(|problem| problem.starts_with("not JSON")));
        assert_eq!(loads_list(Some("{}")), Err("expected a JSON array".to_owned()));
        assert_eq!(loads_list(None), Ok(Vec::new()));
    }
}
