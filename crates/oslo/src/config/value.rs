//! From text to the kind that an option declares.

use std::collections::BTreeMap;

/// What an option's value has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Text that may be given several times.
    Multi,
    /// A whole number between two bounds, both allowed.
    Int(i64, i64),
    /// A number, not less than the bound.
    Float(f64),
    /// `true`, `1`, `on`, `yes` or their opposites, in any case.
    Bool,
    /// Text separated by commas.
    List,
    /// `name:value` pairs separated by commas.
    Dict,
}

impl Kind {
    /// What to write, in words.
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Text | Self::Multi => "text".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Int(i64::MIN, i64::MAX) => "a whole number".to_owned(),
            Self::Int(least, i64::MAX) => format!("a whole number, at least {least}"),
            Self::Int(least, most) => format!("a whole number from {least} to {most}"),
            Self::Float(least) => format!("a number, at least {least}"),
            Self::Bool => "true or false".to_owned(),
            Self::List => "a list separated by commas".to_owned(),
            Self::Dict => "name:value pairs separated by commas".to_owned(),
        }
    }

    /// Whether a value is of this kind.
    #[must_use]
    pub(super) fn accepts(self, value: &str) -> bool {
        // oslo.config: an empty number is as good as none.
        let empty = value.trim().is_empty();
        match self {
            Self::Text | Self::Multi | Self::List => true,
            Self::OneOf(words) => words.contains(&value),
            Self::Int(least, most) => empty || int(value).is_some_and(|n| n >= least && n <= most),
            Self::Float(least) => empty || value.trim().parse::<f64>().is_ok_and(|n| n >= least),
            Self::Bool => boolean(value).is_some(),
            Self::Dict => dict(value).is_some(),
        }
    }
}

/// A whole number as Python's `int()` reads it: a sign, digits, single underscores between them.
pub(super) fn int(value: &str) -> Option<i64> {
    let text = value.trim();
    let grouped = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    if grouped { None } else { text.replace('_', "").parse().ok() }
}

pub(super) fn boolean(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Some(true),
        "false" | "0" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// Items between commas, white space around them gone; commas at the end are forgiven. Quotes mean nothing, as in
/// oslo.config.
pub(super) fn list(value: &str) -> Vec<String> {
    let text = value.trim().trim_end_matches(',');
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

pub(super) fn dict(value: &str) -> Option<BTreeMap<String, String>> {
    let pair = |item: String| {
        let (name, value) = item.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    list(value).into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_oslo_s_eight_words() {
        for (text, value) in
            [("True", Some(true)), ("YES", Some(true)), ("on", Some(true)), ("1", Some(true)), ("t", None), ("", None)]
        {
            assert_eq!(boolean(text), value, "{text}");
        }
        for text in ["false", "No", "OFF", "0"] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
    }

    #[test]
    fn lists_split_at_every_comma() {
        for (text, items) in [
            ("", vec![]),
            ("a", vec!["a"]),
            (" a , b,", vec!["a", "b"]),
            ("a,\nb", vec!["a", "b"]),
            ("\"a,b\", c", vec!["\"a", "b\"", "c"]),
            ("it's,fine", vec!["it's", "fine"]),
        ] {
            assert_eq!(list(text), items, "{text}");
        }
    }

    #[test]
    fn kinds_accept_what_they_say() {
        for (kind, good, bad) in [
            (Kind::Int(1, 65535), "9511", "65536"),
            (Kind::Int(0, i64::MAX), " 5 ", "five"),
            (Kind::Int(0, i64::MAX), "1_000", "1__0"),
            (Kind::Int(0, i64::MAX), "", "-1"),
            (Kind::Float(0.0), "0.5", "-0.5"),
            (Kind::Bool, "Yes", "maybe"),
            (Kind::OneOf(&["a", "b"]), "a", "A"),
            (Kind::Dict, "a:1, b:2", "a"),
        ] {
            assert!(kind.accepts(good), "{kind:?} {good}");
            assert!(!kind.accepts(bad), "{kind:?} {bad}");
        }
    }
}
