//! What Python's `str()` and `repr()` make of a value: rules compare such texts, and references in the configuration insert
//! them, and error messages show them.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

/// `str(value)`.
#[must_use]
pub fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(repr(other)),
    }
}

/// `repr(value)`.
#[must_use]
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(value) => float(value),
            None => number.to_string(),
        },
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let pairs = entries.iter().map(|(name, value)| format!("{}: {}", quoted(name), repr(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// `repr()` of a number that may have a fraction: always a dot or an exponent, two digits in the latter.
pub(crate) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let text = format!("{value:?}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// `repr()` of a text.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for c in text.chars() {
        let _ = match c {
            '\\' => write!(shown, "\\\\"),
            '\n' => write!(shown, "\\n"),
            '\r' => write!(shown, "\\r"),
            '\t' => write!(shown, "\\t"),
            c if c == quote => write!(shown, "\\{c}"),
            c if is_printable(c) => write!(shown, "{c}"),
            c => match u32::from(c) {
                code @ ..=0xff => write!(shown, "\\x{code:02x}"),
                code @ ..=0xffff => write!(shown, "\\u{code:04x}"),
                code => write!(shown, "\\U{code:08x}"),
            },
        };
    }
    shown.push(quote);
    shown
}

/// Python's `isprintable()` for what is likely: no control character, no white space but the space, nothing invisible.
fn is_printable(c: char) -> bool {
    let invisible = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_read_as_in_python() {
        for (value, shown) in [
            (json!(null), "None"),
            (json!([true, 1, 1.0, 0.5, -3]), "[True, 1, 1.0, 0.5, -3]"),
            (json!([1e16, 1e-5, 123456789.25, 1.5e300]), "[1e+16, 1e-05, 123456789.25, 1.5e+300]"),
            (json!({"a": ["it's", "\"", "'\"", "\n\u{1}é\u{a0}"]}), r#"{'a': ["it's", '"', '\'"', '\n\x01é\xa0']}"#),
        ] {
            assert_eq!(text(&value), shown);
        }
        assert_eq!(text(&json!("plain")), "plain");
    }
}
