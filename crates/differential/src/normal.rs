//! What must differ between two services that do the same is given the same name: identifiers by the order in which they
//! are first seen, times, request ids, names that nobody chose, certificates.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// The names given so far in one sequence, to what one service said.
#[derive(Debug, Default)]
pub(crate) struct Normal {
    uuids: BTreeMap<String, usize>,
    serials: BTreeMap<i64, usize>,
}

impl Normal {
    /// A body, which may be no JSON.
    pub(crate) fn body(&mut self, text: &str) -> Value {
        match serde_json::from_str(text) {
            Ok(value) => self.value("", &value),
            Err(_) => Value::String(self.text("", text)),
        }
    }

    fn value(&mut self, key: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(key, text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.value("", item)).collect()),
            Value::Object(members) => {
                // By name, so that identifiers are first seen in the same order.
                let sorted: BTreeMap<_, _> = members.iter().collect();
                let mut out: serde_json::Map<String, Value> =
                    sorted.into_iter().map(|(name, value)| (name.clone(), self.value(name, value))).collect();
                // A driver that touches the row after it was made changes this and nothing else.
                if let Some(changed) = out.get_mut("updated_at").filter(|value| value.is_null()) {
                    *changed = Value::String("<time>".to_owned());
                }
                Value::Object(out)
            }
            Value::Number(number) if key == "id" => match number.as_i64() {
                Some(serial) => Value::String(self.serial(serial)),
                None => value.clone(),
            },
            other => other.clone(),
        }
    }

    fn serial(&mut self, serial: i64) -> String {
        let next = self.serials.len() + 1;
        format!("<serial {}>", self.serials.entry(serial).or_insert(next))
    }

    /// A text under a name of an object.
    pub(crate) fn text(&mut self, key: &str, text: &str) -> String {
        if key == "request_id" && (text.is_empty() || text.starts_with("req-")) {
            return "<request id>".to_owned();
        }
        if is_time(text) {
            return "<time>".to_owned();
        }
        if is_generated(text) {
            return "<generated>".to_owned();
        }
        if let Some(rest) = text.strip_prefix("-----BEGIN CERTIFICATE-----") {
            let whole = rest.trim_end().ends_with("-----END CERTIFICATE-----");
            let end = if text.ends_with('\n') { " and a line end" } else { "" };
            return format!("<certificate{}{end}>", if whole { "" } else { ", cut off" });
        }
        if matches!(key, "stack_id" | "cluster_id") && !text.is_empty() && !is_uuid(text) {
            return "<orchestration id>".to_owned();
        }
        self.uuids_in(text)
    }

    /// Replaces each dashed uuid within a text.
    fn uuids_in(&mut self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut out = String::new();
        let (mut from, mut at) = (0, 0);
        while at + 36 <= bytes.len() {
            let candidate = text.get(at..at + 36).filter(|candidate| is_uuid(candidate));
            let Some(candidate) = candidate else {
                at += 1;
                continue;
            };
            let next = self.uuids.len() + 1;
            let name = *self.uuids.entry(candidate.to_lowercase()).or_insert(next);
            out.push_str(&text[from..at]);
            let _ = write!(out, "<uuid {name}>");
            at += 36;
            from = at;
        }
        out.push_str(&text[from..]);
        out
    }
}

/// `8-4-4-4-12` hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `2026-11-20T23:46:59+00:00`, with or without a fraction.
fn is_time(text: &str) -> bool {
    let Some(rest) = text.strip_suffix("+00:00") else { return false };
    let bytes = rest.as_bytes();
    bytes.len() >= 19
        && bytes[10] == b'T'
        && bytes.iter().enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'-',
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            19 => *byte == b'.',
            _ => byte.is_ascii_digit(),
        })
}

/// A Greek letter, a number and what it is: the name of what was made without one.
fn is_generated(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(letter), Some(number), Some(kind), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    letter.bytes().all(|byte| byte.is_ascii_lowercase())
        && number.parse::<u8>().is_ok_and(|number| (1..=24).contains(&number))
        && matches!(kind, "cluster" | "template")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_one_chose_and_the_other_chose_otherwise_looks_the_same() {
        let (a, b) = ("6f5d1c3e-0b1f-4d4e-9c3f-2f6f8d7a1b2c", "0A0A0A0A-0b1f-4d4e-9c3f-2f6f8d7a1b2c");
        let look = |first: &str, second: &str, time: &str, name: &str, serial: i64| {
            let mut normal = Normal::default();
            let links = format!("http://cloud/v1/clusters/{first}/x");
            normal.body(
                &json!({"uuid": first, "links": links, "other": second, "t": time, "name": name, "id": serial,
                    "stack_id": name, "updated_at": null})
                .to_string(),
            )
        };
        let one = look(a, b, "2026-11-20T23:46:59+00:00", "phi-3-cluster", 7);
        assert_eq!(one, look(b, a, "2026-11-20T23:46:59.123+00:00", "chi-24-cluster", 12));
        assert_eq!(one["links"], "http://cloud/v1/clusters/<uuid 1>/x");
        assert_eq!((&one["id"], &one["updated_at"]), (&json!("<serial 1>"), &json!("<time>")));
    }

    #[test]
    fn what_somebody_chose_stays() {
        let mut normal = Normal::default();
        for text in
            ["phi-25-cluster", "2026-11-20T23:46:59Z", "6f5d1c3e-0b1f-4d4e-9c3f", "naïve ✓ text that is long enough"]
        {
            assert_eq!(normal.text("name", text), text);
        }
        assert_eq!(normal.body("no JSON"), json!("no JSON"));
        assert_eq!(normal.text("pem", "-----BEGIN CERTIFICATE-----\nMII"), "<certificate, cut off>");
    }
}
