//! Python values: as old clients write them into text, and as error messages show them.

use jeroboam_oslo::python;
use serde_json::{Map, Number, Value};

pub(super) use jeroboam_oslo::python::repr;

/// Reads JSON text, or a Python literal: dictionaries, lists, tuples, texts, numbers, `True`, `False`, `None`.
///
/// Magnum: `magnum/api/utils.py apply_jsonpatch` calls `ast.literal_eval` on such values.
pub(super) fn literal(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value()?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

/// How Python's `str()` shows a value.
pub(super) fn display(value: &Value) -> String {
    python::text(value).into_owned()
}

/// Name of a value's type in Python.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: u8,
}

impl Reader<'_> {
    /// As deep as serde_json goes.
    const DEEPEST: u8 = 120;

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        let first = self.rest.chars().next()?;
        match first {
            '{' => self.nested(Self::dictionary),
            '[' => self.nested(|reader| reader.items("[", "]")),
            '(' => self.nested(|reader| reader.items("(", ")")),
            '\'' | '"' => self.text().map(Value::String),
            'u' | 'b' if self.rest[1..].starts_with(['\'', '"']) => {
                self.rest = &self.rest[1..];
                self.text().map(Value::String)
            }
            _ => self.word(),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Value>) -> Option<Value> {
        if self.depth == Self::DEEPEST {
            return None;
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn dictionary(&mut self) -> Option<Value> {
        self.eat("{");
        let mut map = Map::new();
        while !self.eat("}") {
            let key = display(&self.value()?);
            if !self.eat(":") {
                return None;
            }
            let value = self.value()?;
            map.insert(key, value);
            if !self.eat(",") && !self.rest.starts_with('}') {
                return None;
            }
        }
        Some(Value::Object(map))
    }

    fn items(&mut self, open: &str, close: &str) -> Option<Value> {
        self.eat(open);
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(self.value()?);
            if !self.eat(",") && !self.rest.starts_with(close) {
                return None;
            }
        }
        Some(Value::Array(items))
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, next)) = chars.next() {
            match next {
                _ if next == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Some(text);
                }
                '\n' => return None,
                '\\' => match chars.next()?.1 {
                    '\n' => {}
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    '0' => text.push('\0'),
                    'x' => text.push(hexadecimal(&mut chars, 2)?),
                    'u' => text.push(hexadecimal(&mut chars, 4)?),
                    'U' => text.push(hexadecimal(&mut chars, 8)?),
                    escaped @ ('\\' | '\'' | '"') => text.push(escaped),
                    other => text.extend(['\\', other]),
                },
                plain => text.push(plain),
            }
        }
        None
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find([',', '}', ']', ')', ':', ' ', '\t', '\n']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "True" | "true" => Some(Value::Bool(true)),
            "False" | "false" => Some(Value::Bool(false)),
            "None" | "null" => Some(Value::Null),
            number => match (number.parse::<i64>(), number.parse::<u64>()) {
                (Ok(whole), _) => Some(whole.into()),
                (_, Ok(large)) => Some(large.into()),
                _ if number.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') => {
                    number.parse().ok().and_then(Number::from_f64).map(Value::Number)
                }
                _ => None,
            },
        }
    }
}

fn hexadecimal(chars: &mut impl Iterator<Item = (usize, char)>, digits: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..digits {
        code = code * 16 + chars.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_are_read_as_python_and_as_json() {
        let rows = [
            (r"{'a': 'b'}", Some(json!({"a": "b"}))),
            (r#"{"a": "b"}"#, Some(json!({"a": "b"}))),
            (r#"{"a": true, "b": null}"#, Some(json!({"a": true, "b": null}))),
            (
                "{'a': True, 'n': None, 'x': [1, 2.5, -3], 't': (1, 'z',)}",
                Some(json!({"a": true, "n": null, "x": [1, 2.5, -3], "t": [1, "z"]})),
            ),
            (r"{u'a': 'it\'s', 'q': 'say \x41\u00e9'}", Some(json!({"a": "it's", "q": "say Aé"}))),
            (r#"[{'key': 'k', "effect": 'NoSchedule'}]"#, Some(json!([{"key": "k", "effect": "NoSchedule"}]))),
            ("{ }", Some(json!({}))),
            ("[]", Some(json!([]))),
            ("{'n': 18446744073709551615}", Some(json!({"n": u64::MAX}))),
            ("{1: 2}", Some(json!({"1": 2}))),
            ("plain", None),
            ("{'a'}", None),
            ("{'a': }", None),
            ("{'a': 'b'", None),
            ("{'a': 'b'} x", None),
            ("__import__('os')", None),
            ("'é", None),
            ("u", None),
            ("é", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(literal(text), expected, "{text}");
        }
    }

    #[test]
    fn a_deep_literal_is_refused_and_not_followed() {
        assert_eq!(literal(&"[".repeat(100_000)), None);
        assert_eq!(literal(&"{'a':".repeat(100_000)), None);
    }

    #[test]
    fn values_are_shown_as_python_shows_them() {
        let rows = [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!("a"), "a"),
            (json!({"a": ["b", 1, false, "it's"]}), "{'a': ['b', 1, False, \"it's\"]}"),
            (json!({"it's": ["\\ it's", "a\tb"]}), r#"{"it's": ["\\ it's", 'a\tb']}"#),
            (json!(1.0), "1.0"),
            (json!(1e16), "1e+16"),
        ];
        for (value, expected) in rows {
            assert_eq!(display(&value), expected);
        }
    }
}
