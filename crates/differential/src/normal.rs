//! What must differ between two services that do the same is given a name: identifiers keep theirs for the comparison, times,
//! request ids, names that nobody chose and certificates are as good as any other.

use std::collections::BTreeMap;

use serde_json::Value;

/// A body, which may be no JSON.
pub(crate) fn body(said: &str) -> Value {
    match serde_json::from_str(said) {
        Ok(whole) => value("", &whole),
        Err(_) => Value::String(text("", said)),
    }
}

fn value(key: &str, given: &Value) -> Value {
    match given {
        Value::String(given) => Value::String(text(key, given)),
        Value::Array(items) => Value::Array(items.iter().map(|item| value("", item)).collect()),
        Value::Object(members) => {
            let mut out: serde_json::Map<String, Value> =
                members.iter().map(|(name, member)| (name.clone(), value(name, member))).collect();
            // A driver that touches the row after it was made changes this and nothing else.
            if let Some(changed) = out.get_mut("updated_at").filter(|changed| changed.is_null()) {
                *changed = Value::String("<time>".to_owned());
            }
            Value::Object(out)
        }
        Value::Number(number) if key == "id" => Value::String(format!("<serial {number}>")),
        other => other.clone(),
    }
}

/// A text under a name of an object.
pub(crate) fn text(key: &str, given: &str) -> String {
    if key == "request_id" && (given.is_empty() || given.starts_with("req-")) {
        return "<request id>".to_owned();
    }
    if is_time(given) {
        return "<time>".to_owned();
    }
    if is_generated(given) {
        return "<generated>".to_owned();
    }
    if let Some(rest) = given.strip_prefix("-----BEGIN CERTIFICATE-----") {
        let whole = rest.trim_end().ends_with("-----END CERTIFICATE-----");
        let end = if given.ends_with('\n') { " and a line end" } else { "" };
        return format!("<certificate{}{end}>", if whole { "" } else { ", cut off" });
    }
    if matches!(key, "stack_id" | "cluster_id") && !given.is_empty() && !is_uuid(given) {
        return "<orchestration id>".to_owned();
    }
    mark_uuids(given)
}

/// Marks each dashed uuid within a text.
fn mark_uuids(given: &str) -> String {
    let mut out = String::new();
    let (mut from, mut at) = (0, 0);
    while at + 36 <= given.len() {
        let Some(found) = given.get(at..at + 36).filter(|found| is_uuid(found)) else {
            at += 1;
            continue;
        };
        out.push_str(&given[from..at]);
        out.push_str(&format!("<uuid {}>", found.to_lowercase()));
        at += 36;
        from = at;
    }
    out.push_str(&given[from..]);
    out
}

/// Which identifier of one service stands for which of the other, as far as was seen.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ours: BTreeMap<String, String>,
    theirs: BTreeMap<String, String>,
}

impl Names {
    /// Whether two texts say the same, each with its own identifiers.
    pub(crate) fn same(&mut self, ours: &str, theirs: &str) -> bool {
        let (a, b) = (pieces(ours), pieces(theirs));
        let marked = |piece: &str| piece.starts_with("<uuid ") || piece.starts_with("<serial ");
        let alike = |(a, b): (&&str, &&str)| a == b || (marked(a) && marked(b));
        if a.len() != b.len() || !a.iter().zip(&b).all(alike) {
            return false;
        }
        a.iter().zip(&b).filter(|(a, _)| marked(a)).all(|(a, b)| self.bind(a, b))
    }

    fn bind(&mut self, ours: &str, theirs: &str) -> bool {
        match (self.ours.get(ours), self.theirs.get(theirs)) {
            (None, None) => {
                self.ours.insert(ours.to_owned(), theirs.to_owned());
                self.theirs.insert(theirs.to_owned(), ours.to_owned());
                true
            }
            (Some(known), _) => known == theirs,
            (None, Some(_)) => false,
        }
    }
}

/// The text, cut before and after each marked identifier.
fn pieces(given: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = given;
    while let Some(start) = rest.find("<uuid ").into_iter().chain(rest.find("<serial ")).min() {
        let Some(length) = rest[start..].find('>') else { break };
        out.extend([&rest[..start], &rest[start..=start + length]]);
        rest = &rest[start + length + 1..];
    }
    out.push(rest);
    out
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

    const A: &str = "6f5d1c3e-0b1f-4d4e-9c3f-2f6f8d7a1b2c";
    const B: &str = "0A0A0A0A-0b1f-4d4e-9c3f-2f6f8d7a1b2c";

    #[test]
    fn what_one_chose_and_the_other_chose_otherwise_looks_the_same() {
        let look = |time: &str, name: &str| {
            body(&json!({"t": time, "name": name, "stack_id": name, "updated_at": null}).to_string())
        };
        let one = look("2026-11-20T23:46:59+00:00", "phi-3-cluster");
        assert_eq!(one, look("2026-11-20T23:46:59.123+00:00", "chi-24-cluster"));
        assert_eq!(one["updated_at"], "<time>");
    }

    #[test]
    fn identifiers_stand_for_each_other_once_and_for_all() {
        let mut names = Names::default();
        let link = |id: &str| text("", &format!("http://cloud/v1/clusters/{id}/x"));
        assert!(names.same(&link(A), &link(B)));
        assert!(names.same(&text("", A), &text("", B)));
        assert!(!names.same(&text("", A), &text("", A)), "it stands for the other one");
        assert!(!names.same(&link(A), &text("", B)), "the text around differs");
        assert!(names.same("<serial 7>", "<serial 12>"));
        assert!(!names.same("<serial 8>", "<serial 12>"));
        assert!(names.same("plain", "plain") && !names.same("plain", "other"));
    }

    #[test]
    fn what_somebody_chose_stays() {
        for kept in
            ["phi-25-cluster", "2026-11-20T23:46:59Z", "6f5d1c3e-0b1f-4d4e-9c3f", "naïve ✓ text that is long enough"]
        {
            assert_eq!(text("name", kept), kept);
        }
        assert_eq!(body("no JSON"), json!("no JSON"));
        assert_eq!(text("pem", "-----BEGIN CERTIFICATE-----\nMII"), "<certificate, cut off>");
    }
}
