//! A value of the caller, or of the thing that something is to be done to.

use std::borrow::Cow;

use serde_json::Value;

use crate::python;

/// A value as Python would have it. Mostly borrowed: a request asks several rules.
#[derive(Clone, Debug)]
pub enum Attribute<'a> {
    /// `None`.
    Nothing,
    /// `True` or `False`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list of texts.
    Texts(&'a [String]),
    /// Anything else.
    Json(&'a Value),
}

impl<'a> From<&'a str> for Attribute<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Attribute<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<Option<&'a str>> for Attribute<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, Self::from)
    }
}

/// Python would raise an exception here, and the request would fail: nobody passes, not even under a `not`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

impl Attribute<'_> {
    /// Python's `bool()`.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Flag(flag) => *flag,
            Self::Number(number) => *number != 0,
            Self::Text(text) => !text.is_empty(),
            Self::Texts(texts) => !texts.is_empty(),
            Self::Json(value) => match value {
                Value::Null => false,
                Value::Bool(flag) => *flag,
                Value::Number(number) => number.as_f64() != Some(0.0),
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                Value::Object(entries) => !entries.is_empty(),
            },
        }
    }

    /// Python's `str()`.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Nothing => Cow::Borrowed("None"),
            Self::Flag(true) => Cow::Borrowed("True"),
            Self::Flag(false) => Cow::Borrowed("False"),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Texts(texts) => {
                let shown: Vec<_> = texts.iter().map(|text| python::quoted(text)).collect();
                Cow::Owned(format!("[{}]", shown.join(", ")))
            }
            Self::Json(value) => python::text(value),
        }
    }

    /// Python's `repr()`.
    pub(super) fn repr(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Owned(python::quoted(text)),
            Self::Json(value) => Cow::Owned(python::repr(value)),
            other => other.text(),
        }
    }

    /// What `%d` makes of it: numbers alone have one.
    pub(super) fn decimal(&self) -> Result<String, Refused> {
        match self {
            Self::Flag(flag) => Ok(u8::from(*flag).to_string()),
            Self::Number(number) => Ok(number.to_string()),
            Self::Json(Value::Bool(flag)) => Ok(u8::from(*flag).to_string()),
            Self::Json(Value::Number(number)) => match number.as_f64().filter(|_| number.is_f64()) {
                Some(value) if value.is_finite() => Ok(format!("{:.0}", value.trunc() + 0.0)),
                Some(_) => Err(Refused),
                None => Ok(number.to_string()),
            },
            Self::Nothing | Self::Text(_) | Self::Texts(_) | Self::Json(_) => Err(Refused),
        }
    }

    /// Whether one of the roles is this one, in lower case.
    pub(super) fn has_role(&self, wanted: &str) -> Result<bool, Refused> {
        match self {
            Self::Texts(texts) => Ok(texts.iter().any(|role| same_in_lower_case(role, wanted))),
            Self::Json(Value::Array(items)) => {
                let roles: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
                Ok(roles.ok_or(Refused)?.iter().any(|role| same_in_lower_case(role, wanted)))
            }
            // Python takes a text apart into letters.
            Self::Text(_) | Self::Json(Value::String(_)) => {
                Ok(self.text().chars().any(|letter| same_in_lower_case(&letter.to_string(), wanted)))
            }
            Self::Json(Value::Object(entries)) => Ok(entries.keys().any(|role| same_in_lower_case(role, wanted))),
            Self::Nothing | Self::Flag(_) | Self::Number(_) | Self::Json(_) => Err(Refused),
        }
    }

    /// Whether the value at a path below this one reads as `wanted`; for a list, whether that of any item does.
    pub(super) fn holds(&self, path: Option<&str>, wanted: &str) -> Result<bool, Refused> {
        match (self, path) {
            (Self::Json(value), path) => entry_holds(value, path, wanted),
            (Self::Texts(texts), None) => Ok(texts.iter().any(|text| text == wanted)),
            (Self::Texts([]), Some(_)) => Ok(false),
            (value, None) => Ok(value.text() == wanted),
            (_, Some(_)) => Err(Refused),
        }
    }
}

/// The first segment of a dotted path, and the rest.
pub(super) fn split_path(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)))
}

/// For a value that stands in a mapping: a list there means any of its items.
fn entry_holds(value: &Value, path: Option<&str>, wanted: &str) -> Result<bool, Refused> {
    let Value::Array(items) = value else { return value_holds(value, path, wanted) };
    for item in items {
        if value_holds(item, path, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn value_holds(value: &Value, path: Option<&str>, wanted: &str) -> Result<bool, Refused> {
    let Some(path) = path else { return Ok(python::text(value) == wanted) };
    let Value::Object(entries) = value else { return Err(Refused) };
    let (first, rest) = split_path(path);
    entries.get(first).map_or(Ok(false), |inner| entry_holds(inner, rest, wanted))
}

fn same_in_lower_case(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    one.to_lowercase() == other.to_lowercase()
}
