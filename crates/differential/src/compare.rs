//! Where two answers differ.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::normal::Names;
use crate::play::Answer;

/// One place where they differ.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// `status`, `header vary`, `body.errors[0].detail`.
    pub(crate) name: String,
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n         ours   {}\n         theirs {}", self.name, self.ours, self.theirs)
    }
}

/// All places, the status first.
pub(crate) fn places(ours: &Answer, theirs: &Answer, known: &mut Names) -> Vec<Place> {
    let mut found = Vec::new();
    if ours.status != theirs.status {
        found.push(Place {
            name: "status".to_owned(),
            ours: ours.status.to_string(),
            theirs: theirs.status.to_string(),
        });
    }
    let names: BTreeSet<&String> = ours.headers.keys().chain(theirs.headers.keys()).collect();
    for name in names {
        let of = |answer: &Answer| answer.headers.get(name).cloned();
        let same = match (of(ours), of(theirs)) {
            (Some(ours), Some(theirs)) => known.same(&ours, &theirs),
            (ours, theirs) => ours == theirs,
        };
        if !same {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            found.push(Place { name: format!("header {name}"), ours: shown(of(ours)), theirs: shown(of(theirs)) });
        }
    }
    descend("body", &ours.body, &theirs.body, known, &mut found);
    found
}

fn descend(name: &str, ours: &Value, theirs: &Value, known: &mut Names, found: &mut Vec<Place>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let name = format!("{name}.{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => descend(&name, a, b, known, found),
                    (a, b) => {
                        let shown = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
                        found.push(Place { name, ours: shown(a), theirs: shown(b) });
                    }
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                descend(&format!("{name}[{place}]"), a, b, known, found);
            }
        }
        (Value::String(a), Value::String(b)) if known.same(a, b) => {}
        (a, b) if a != b || a.is_string() => {
            found.push(Place { name: name.to_owned(), ours: a.to_string(), theirs: b.to_string() });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_is_named() {
        let answer = |status, vary: Option<&str>, body| Answer {
            status,
            headers: vary.map(|vary| ("vary".to_owned(), vary.to_owned())).into_iter().collect(),
            body,
        };
        let ours = answer(200, Some("a"), json!({"x": [1, {"y": 2}], "same": null, "list": [1]}));
        let theirs = answer(202, None, json!({"x": [1, {"y": 3}], "same": null, "list": [1, 2], "new": 1}));
        let names: Vec<String> =
            places(&ours, &theirs, &mut Names::default()).into_iter().map(|place| place.name).collect();
        assert_eq!(names, ["status", "header vary", "body.list", "body.new", "body.x[1].y"]);
        assert!(places(&ours, &ours, &mut Names::default()).is_empty());
    }
}
