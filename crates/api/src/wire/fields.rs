//! Attributes of a POST body, converted as WSME does: clients send numbers and booleans as text.

use std::collections::BTreeMap;

use jeroboam_model::Labels;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::body::Argument;
use super::python;
use crate::error::{ApiError, ApiResult};

/// An object whose attributes are all known.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

/// How long a text may be, in characters.
#[derive(Clone, Copy)]
pub(crate) struct Length(pub(crate) usize, pub(crate) usize);

/// Between what a number may be.
#[derive(Clone, Copy)]
pub(crate) struct Range(pub(crate) i32, pub(crate) i32);

impl Length {
    /// What most columns hold.
    pub(crate) const COLUMN: Self = Self(1, 255);
}

impl Range {
    /// No negative numbers.
    pub(crate) const NATURAL: Self = Self(0, i32::MAX);
    /// At least one.
    pub(crate) const POSITIVE: Self = Self(1, i32::MAX);
}

impl Fields {
    /// Refuses unknown attributes, then those that may not be set.
    pub(super) fn new(argument: &Argument, value: Value) -> ApiResult<Self> {
        let Value::Object(map) = value else {
            return Err(ApiError::invalid(argument.name, &shown(&value), "Value should be an object"));
        };
        let known = |name: &str| argument.known.contains(&name) || argument.read_only.contains(&name);
        let unknown: Vec<&str> = map.keys().map(String::as_str).filter(|name| !known(name)).collect();
        if !unknown.is_empty() {
            let argument = argument.name;
            let names = cut(unknown.join(", "));
            return Err(ApiError::bad_request(format!("Unknown attribute for argument {argument}: {names}")));
        }
        if let Some(name) = argument.read_only.iter().find(|name| map.contains_key(**name)) {
            return Err(ApiError::invalid(name, &shown(&map[*name]), "Cannot set read only field."));
        }
        Ok(Self(map))
    }

    /// The attributes of something that was checked before.
    pub(crate) fn of(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// An object or a list, unless it is more than a column holds.
    fn structure(&self, name: &str) -> ApiResult<Option<&Value>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        if stored_size(value) > LARGEST_STRUCTURE {
            return Err(ApiError::invalid(name, &shown(value), "Value is larger than can be stored"));
        }
        Ok(Some(value))
    }

    /// The value, unless it is absent or null.
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Refuses null where Magnum's own answer is a crash.
    pub(crate) fn not_null(&self, name: &str) -> ApiResult<()> {
        match self.0.get(name) {
            Some(Value::Null) => Err(ApiError::invalid(name, "None", "Value can not be null")),
            _ => Ok(()),
        }
    }

    /// Whether an attribute is there as empty text.
    pub(crate) fn is_blank(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value == "")
    }

    /// The error for an attribute that must be there.
    pub(crate) fn missing(name: &str) -> ApiError {
        ApiError::invalid(name, "None", "Mandatory field missing.")
    }

    /// A text. Where one character is the least, none at all is "not given": Horizon and gophercloud send that.
    pub(crate) fn text(&self, name: &str, length: Length) -> ApiResult<Option<String>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let Value::String(text) = value else {
            return Err(ApiError::invalid(name, &shown(value), "Value should be string"));
        };
        let Length(min, max) = length;
        if text.is_empty() && min > 0 {
            return Ok(None);
        }
        let characters = text.chars().count();
        if characters < min {
            let why = format!("Value should have a minimum character requirement of {min}");
            return Err(ApiError::invalid(name, &shown(value), &why));
        }
        if characters > max {
            let why = format!("Value should have a maximum character requirement of {max}");
            return Err(ApiError::invalid(name, &shown(value), &why));
        }
        Ok(Some(text.clone()))
    }

    /// A text that must be there.
    pub(crate) fn mandatory_text(&self, name: &str, length: Length) -> ApiResult<String> {
        self.text(name, length)?.ok_or_else(|| Self::missing(name))
    }

    /// One of a few words.
    pub(crate) fn word(&self, name: &str, words: &[&str]) -> ApiResult<Option<String>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_str() {
            Some("") => Ok(None),
            Some(text) if words.contains(&text) => Ok(Some(text.to_owned())),
            _ => {
                let why = format!("Value should be one of: {}", words.join(", "));
                Err(ApiError::invalid(name, &shown(value), &why))
            }
        }
    }

    /// A uuid in any of the forms that OpenStack takes.
    pub(crate) fn uuid(&self, name: &str) -> ApiResult<Option<Uuid>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let text = value.as_str().unwrap_or_default();
        if text.is_empty() && value.is_string() {
            return Ok(None);
        }
        let id: Result<jeroboam_model::TemplateId, _> = text.parse();
        // Magnum: `magnum/api/controllers/v1/types.py UuidType` names neither attribute nor argument.
        let bad = |_| ApiError::bad_request(format!("Expected a uuid but received {}.", shown(value)));
        id.map(jeroboam_model::TemplateId::uuid).map(Some).map_err(bad)
    }

    /// A whole number; `Some(None)` when it is null.
    pub(crate) fn integer_or_null(&self, name: &str, range: Range) -> ApiResult<Option<Option<i32>>> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(value) => integer(name, value, range).map(|number| Some(Some(number))),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &str, range: Range) -> ApiResult<Option<i32>> {
        Ok(self.integer_or_null(name, range)?.flatten())
    }

    /// A boolean; `Some(None)` when it is null.
    pub(crate) fn boolean_or_null(&self, name: &str) -> ApiResult<Option<Option<bool>>> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(value) => boolean(name, &python::display(value)).map(|flag| Some(Some(flag))),
        }
    }

    /// A boolean.
    pub(crate) fn boolean(&self, name: &str) -> ApiResult<Option<bool>> {
        Ok(self.boolean_or_null(name)?.flatten())
    }

    /// Names and values; numbers and booleans become text as Python writes them.
    pub(crate) fn map(&self, name: &str) -> ApiResult<Option<BTreeMap<String, String>>> {
        let Some(value) = self.structure(name)? else { return Ok(None) };
        let Value::Object(map) = value else {
            return Err(ApiError::invalid(name, &shown(value), "Value should be an object"));
        };
        let text = |(key, value): (&String, &Value)| match value {
            Value::Null | Value::Array(_) | Value::Object(_) => {
                let why = format!("Value of '{}' should be a string, a number or a boolean", cut(key.clone()));
                Err(ApiError::invalid(name, &shown(value), &why))
            }
            plain => Ok((key.clone(), python::display(plain))),
        };
        map.iter().map(text).collect::<ApiResult<_>>().map(Some)
    }

    /// Labels.
    pub(crate) fn labels(&self, name: &str) -> ApiResult<Option<Labels>> {
        Ok(self.map(name)?.map(|map| map.into_iter().collect()))
    }

    /// A list of texts; numbers become text.
    pub(crate) fn texts(&self, name: &str) -> ApiResult<Option<Vec<String>>> {
        let Some(value) = self.structure(name)? else { return Ok(None) };
        let bad = |value: &Value| ApiError::invalid(name, &shown(value), "Value should be a list of strings");
        let Value::Array(items) = value else { return Err(bad(value)) };
        let text = |item: &Value| match item {
            Value::String(_) | Value::Number(_) => Ok(python::display(item)),
            _ => Err(bad(item)),
        };
        items.iter().map(text).collect::<ApiResult<_>>().map(Some)
    }

    /// A list of objects of texts.
    pub(crate) fn maps(&self, name: &str) -> ApiResult<Option<Vec<BTreeMap<String, String>>>> {
        let Some(value) = self.structure(name)? else { return Ok(None) };
        let bad =
            |value: &Value| ApiError::invalid(name, &shown(value), "Value should be a list of objects of strings");
        let Value::Array(items) = value else { return Err(bad(value)) };
        let map = |item: &Value| {
            let entries = item.as_object().ok_or_else(|| bad(item))?;
            let text = |(key, value): (&String, &Value)| {
                let text = value.as_str().ok_or_else(|| bad(item))?;
                Ok((key.clone(), text.to_owned()))
            };
            entries.iter().filter(|(_, value)| !value.is_null()).map(text).collect()
        };
        items.iter().map(map).collect::<ApiResult<_>>().map(Some)
    }
}

/// What MariaDB's `TEXT` holds, less some room for what is merged in.
const LARGEST_STRUCTURE: usize = 50_000;

/// No less than the bytes that a value takes as JSON, where everything odd may be written as `\uxxxx`.
fn stored_size(value: &Value) -> usize {
    let text = |text: &str| text.chars().map(|c| if c.is_ascii_graphic() { 2 } else { 6 }).sum::<usize>() + 4;
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().map(|item| stored_size(item) + 2).sum::<usize>() + 2,
        Value::Object(map) => map.iter().map(|(key, value)| text(key) + stored_size(value) + 2).sum::<usize>() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 24,
    }
}

/// Reads a number as Python's `int()` does: `3`, `"3"`, `2.7` (2), `true` (1).
fn integer(name: &str, value: &Value, range: Range) -> ApiResult<i32> {
    let number = match value {
        Value::Bool(flag) => i64::from(*flag),
        #[expect(clippy::cast_possible_truncation, reason = "int() cuts the fraction, and `as` stops at the bounds")]
        Value::Number(number) => number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or(f64::MAX) as i64),
        other => {
            let why = || format!("invalid literal for int() with base 10: {}", cut(python::repr(other)));
            let text = other.as_str().map(str::trim).unwrap_or_default();
            text.parse().map_err(|_| ApiError::invalid(name, &shown(other), &why()))?
        }
    };
    let Range(min, max) = range;
    if number < i64::from(min) {
        let why = format!("Value should be greater or equal to {min}");
        return Err(ApiError::invalid(name, &shown(value), &why));
    }
    i32::try_from(number).ok().filter(|number| *number <= max).ok_or_else(|| {
        let why = format!("Value should be lower or equal to {max}");
        ApiError::invalid(name, &shown(value), &why)
    })
}

/// Reads a boolean as oslo.utils does with `strict`.
pub(super) fn boolean(name: &str, text: &str) -> ApiResult<bool> {
    match text.trim().to_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Ok(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Ok(false),
        _ => {
            let words = "'0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'";
            let text = cut(text.to_owned());
            let why = format!("Unrecognized value '{text}', acceptable values are: {words}");
            Err(ApiError::invalid(name, &text, &why))
        }
    }
}

/// A value as an error message shows it.
pub(super) fn shown(value: &Value) -> String {
    cut(python::display(value))
}

/// Ends a text where an error message gets tiresome.
pub(super) fn cut(mut text: String) -> String {
    const ENOUGH: usize = 300;
    if let Some((at, _)) = text.char_indices().nth(ENOUGH) {
        text.truncate(at);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static ARGUMENT: Argument = Argument { name: "thing", known: &["a"], read_only: &["links"] };

    fn of(value: Value) -> Fields {
        let body = Map::from_iter([("a".to_owned(), value)]);
        Fields::new(&ARGUMENT, body.into()).expect("only known attributes")
    }

    #[test]
    fn unknown_and_read_only_attributes_are_refused_in_that_order() {
        let rows = [
            (json!({"b": 1, "c": 2, "links": []}), "Unknown attribute for argument thing: b, c"),
            (
                json!({"a": 1, "links": []}),
                "Invalid input for field/attribute links. Value: '[]'. Cannot set read only field.",
            ),
            (json!([]), "Invalid input for field/attribute thing. Value: '[]'. Value should be an object"),
            (json!("x"), "Invalid input for field/attribute thing. Value: 'x'. Value should be an object"),
        ];
        for (body, expected) in rows {
            assert_eq!(Fields::new(&ARGUMENT, body).expect_err(expected).detail(), expected);
        }
    }

    #[test]
    fn numbers_are_converted_as_python_does() {
        let rows = [
            (json!(3), Ok(Some(Some(3)))),
            (json!("3"), Ok(Some(Some(3)))),
            (json!(" 3 "), Ok(Some(Some(3)))),
            (json!(2.7), Ok(Some(Some(2)))),
            (json!(true), Ok(Some(Some(1)))),
            (json!(null), Ok(Some(None))),
            (json!(""), Ok(None)),
            (json!(-1), Err("Value: '-1'. Value should be greater or equal to 0")),
            (json!(11), Err("Value: '11'. Value should be lower or equal to 10")),
            (json!(1e300), Err("Value: '1e+300'. Value should be lower or equal to 10")),
            (json!(u64::MAX), Err("Value: '18446744073709551615'. Value should be lower or equal to 10")),
            (json!("x"), Err("Value: 'x'. invalid literal for int() with base 10: 'x'")),
            (json!("2.5"), Err("Value: '2.5'. invalid literal for int() with base 10: '2.5'")),
            (json!([1]), Err("Value: '[1]'. invalid literal for int() with base 10: [1]")),
            (json!({}), Err("Value: '{}'. invalid literal for int() with base 10: {}")),
        ];
        for (value, expected) in rows {
            let read = of(value.clone()).integer_or_null("a", Range(0, 10));
            let read = read.map_err(|error| error.detail().to_owned());
            let expected = expected.map_err(|why| format!("Invalid input for field/attribute a. {why}"));
            assert_eq!(read, expected, "{value}");
        }
    }

    #[test]
    fn booleans_are_converted_as_oslo_does() {
        for value in [
            json!(true),
            json!("true"),
            json!("True"),
            json!("1"),
            json!(1),
            json!("YES"),
            json!("on"),
            json!("t"),
            json!("y"),
        ] {
            assert_eq!(of(value.clone()).boolean("a").expect("a boolean"), Some(true), "{value}");
        }
        for value in
            [json!(false), json!("false"), json!("0"), json!(0), json!("No"), json!("off"), json!("f"), json!("n")]
        {
            assert_eq!(of(value.clone()).boolean("a").expect("a boolean"), Some(false), "{value}");
        }
        assert_eq!(of(json!(null)).boolean_or_null("a").expect("null"), Some(None));
        for value in [json!("maybe"), json!(2), json!([]), json!({})] {
            let error = of(value.clone()).boolean("a").expect_err("no boolean");
            assert!(error.detail().contains("Unrecognized value"), "{value}: {}", error.detail());
        }
    }

    #[test]
    fn texts_have_their_lengths_and_are_never_made_of_something_else() {
        let rows = [
            (json!("ab"), Ok(Some("ab".to_owned()))),
            (json!(null), Ok(None)),
            (json!(""), Ok(None)),
            (json!("äöü"), Ok(Some("äöü".to_owned()))),
            (json!("abcd"), Err("Value: 'abcd'. Value should have a maximum character requirement of 3")),
            (json!("a"), Err("Value: 'a'. Value should have a minimum character requirement of 2")),
            (json!(5), Err("Value: '5'. Value should be string")),
            (json!(["a"]), Err("Value: '['a']'. Value should be string")),
        ];
        for (value, expected) in rows {
            let read = of(value.clone()).text("a", Length(2, 3)).map_err(|error| error.detail().to_owned());
            let expected = expected.map_err(|why| format!("Invalid input for field/attribute a. {why}"));
            assert_eq!(read, expected, "{value}");
        }
    }

    #[test]
    fn uuids_and_words_are_refused_as_magnum_refuses_them() {
        for (value, shown) in [(json!("x"), "x"), (json!(5), "5"), (json!([]), "[]")] {
            let error = of(value).uuid("a").expect_err("no uuid");
            assert_eq!(error.detail(), format!("Expected a uuid but received {shown}."));
        }
        let id = "6f5d1c3e0b1f4d4e9c3f2f6f8d7a1b2c";
        assert_eq!(of(json!(id)).uuid("a").expect("a uuid").map(|id| id.simple().to_string()).as_deref(), Some(id));
        for (value, shown) in [(json!("x"), "x"), (json!(true), "True")] {
            let error = of(value).word("a", &["vm", "bm"]).expect_err("another word");
            let why = "Value should be one of: vm, bm";
            assert_eq!(error.detail(), format!("Invalid input for field/attribute a. Value: '{shown}'. {why}"));
        }
        assert_eq!(of(json!("")).word("a", &["vm"]).expect("not given"), None);
    }

    #[test]
    fn label_values_become_text_as_python_writes_it() {
        let labels = of(json!({"b": true, "i": 1, "f": 1.5, "s": "x"})).map("a").expect("labels");
        let labels: Vec<_> = labels.expect("given").into_iter().collect();
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(labels, [text("b", "True"), text("f", "1.5"), text("i", "1"), text("s", "x")]);
        let large = json!({"a": "x".repeat(60_000)});
        assert!(of(large).map("a").expect_err("too large").detail().ends_with("Value is larger than can be stored"));
        for value in [json!({"a": null}), json!({"a": []}), json!({"a": {}}), json!([]), json!("a=b"), json!(1)] {
            assert!(of(value.clone()).map("a").is_err(), "{value}");
        }
    }

    #[test]
    fn lists_are_checked_item_by_item() {
        assert_eq!(of(json!(["x", 1])).texts("a").expect("a list"), Some(vec!["x".to_owned(), "1".to_owned()]));
        assert_eq!(of(json!(null)).texts("a").expect("null"), None);
        for value in [json!("x"), json!([null]), json!([["x"]]), json!({})] {
            assert!(of(value.clone()).texts("a").is_err(), "{value}");
        }
        assert_eq!(of(json!([{"key": "k", "value": null}])).maps("a").expect("maps").map(|maps| maps.len()), Some(1));
        for value in [json!(["x"]), json!([{"key": 1}]), json!({"key": "k"})] {
            assert!(of(value.clone()).maps("a").is_err(), "{value}");
        }
    }
}
