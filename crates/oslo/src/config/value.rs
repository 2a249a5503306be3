//! From text to the kind that an option declares, as the types of oslo.config do it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::python;

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
    /// Some of these words, separated by commas.
    ListOf(&'static [&'static str]),
    /// `name:value` pairs separated by commas.
    Dict,
    /// An address of the internet protocol, 4 or 6.
    Ip,
    /// Such an address or the name of a host.
    Host,
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
            Self::Float(least) if least.is_infinite() => "a number".to_owned(),
            Self::Float(least) => format!("a number, at least {least}"),
            Self::Bool => "true or false".to_owned(),
            Self::List => "a list separated by commas".to_owned(),
            Self::ListOf(words) => format!("a list, separated by commas, out of {}", words.join(", ")),
            Self::Dict => "name:value pairs separated by commas".to_owned(),
            Self::Ip => "an IP address".to_owned(),
            Self::Host => "an IP address or the name of a host".to_owned(),
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
            Self::ListOf(words) => list(value).iter().all(|item| words.contains(&item.as_str())),
            Self::Int(least, most) => empty || int(value).is_some_and(|n| n >= least && n <= most),
            // Not a number is neither less nor more than anything.
            Self::Float(least) => empty || float(value).is_some_and(|n| n.is_nan() || n >= least),
            Self::Bool => boolean(value).is_some(),
            Self::Dict => dict(value).is_some(),
            Self::Ip => value.parse::<IpAddr>().is_ok(),
            Self::Host => value.parse::<IpAddr>().is_ok() || is_host_name(value),
        }
    }

    /// What a reference to an option of this kind inserts: Python's `str()` of its value; `None` when the value cannot be
    /// used.
    pub(super) fn inserted(self, texts: &[String]) -> Option<String> {
        let listed = |items: Vec<String>| {
            let items: Vec<_> = items.iter().map(|item| python::quoted(item)).collect();
            format!("[{}]", items.join(", "))
        };
        if self == Self::Multi {
            return Some(listed(texts.to_vec()));
        }
        let Some(value) = texts.last() else { return Some(String::new()) };
        if !self.accepts(value) {
            return None;
        }
        Some(match self {
            Self::Int(..) => int(value).map(|number| number.to_string()).unwrap_or_default(),
            Self::Float(_) => float(value).map(python::float).unwrap_or_default(),
            Self::Bool => if boolean(value)? { "True" } else { "False" }.to_owned(),
            Self::List | Self::ListOf(_) => listed(list(value)),
            Self::Dict => {
                let pair =
                    |(name, value): &(String, String)| format!("{}: {}", python::quoted(name), python::quoted(value));
                format!("{{{}}}", pairs(value)?.iter().map(pair).collect::<Vec<_>>().join(", "))
            }
            Self::Host => host(value).to_owned(),
            Self::Text | Self::OneOf(_) | Self::Multi | Self::Ip => value.clone(),
        })
    }
}

/// A whole number as Python's `int()` reads it: a sign, digits, single underscores between them.
pub(super) fn int(value: &str) -> Option<i64> {
    let text = value.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits_and_underscores(digits).then(|| text.replace('_', "").parse().ok()).flatten()
}

/// A number as Python's `float()` reads it.
pub(super) fn float(value: &str) -> Option<f64> {
    let text = value.trim();
    let bytes = text.as_bytes();
    let between = |at: usize| {
        let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    let grouped = text.match_indices('_').all(|(at, _)| between(at));
    grouped.then(|| text.replace('_', "").parse().ok()).flatten()
}

fn digits_and_underscores(text: &str) -> bool {
    text.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
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
    Some(pairs(value)?.into_iter().collect())
}

/// Pairs in their order. A piece without a colon is the beginning of the next name, commas and all.
fn pairs(value: &str) -> Option<Vec<(String, String)>> {
    let text = value.trim();
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut begun = String::new();
    if text.is_empty() {
        return Some(pairs);
    }
    for piece in text.split(',') {
        begun.push_str(piece);
        match begun.split_once(':') {
            None => begun.push(','),
            Some((name, value)) => {
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                if name.is_empty() || pairs.iter().any(|(other, _)| *other == name) {
                    return None;
                }
                pairs.push((name, value));
                begun.clear();
            }
        }
    }
    begun.is_empty().then_some(pairs)
}

/// The name of a host without the dot that ends it.
pub(super) fn host(value: &str) -> &str {
    value.strip_suffix('.').unwrap_or(value)
}

/// Segments of letters, digits and inner hyphens; the last one is no number.
fn is_host_name(value: &str) -> bool {
    let name = host(value);
    let good = |segment: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&segment.len())
            && segment.chars().all(known)
            && !segment.starts_with('-')
            && !segment.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    value.len() <= 253 && name.split('.').all(good) && last.contains(|c: char| c.is_ascii_alphabetic() || c == '-')
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
            (Kind::Int(i64::MIN, i64::MAX), "-1_0", "-_1"),
            (Kind::Int(0, i64::MAX), "", "-1"),
            (Kind::Float(0.0), "0.5", "-0.5"),
            (Kind::Float(0.0), "1_0.5", "1_.5"),
            (Kind::Bool, "Yes", "maybe"),
            (Kind::OneOf(&["a", "b"]), "a", "A"),
            (Kind::ListOf(&["a", "b"]), "b, a,", "a,c"),
            (Kind::Dict, "a:1, b:2", "a"),
            (Kind::Dict, "a,b:2", "a:1,b"),
            (Kind::Dict, "a:1:2", "a:1,a:2"),
            (Kind::Ip, "::1", "localhost"),
            (Kind::Host, "node-1.example.org.", "-a.b"),
            (Kind::Host, "127.0.0.1", "127.0.0.256"),
        ] {
            assert!(kind.accepts(good), "{kind:?} {good}");
            assert!(!kind.accepts(bad), "{kind:?} {bad}");
        }
    }
}
