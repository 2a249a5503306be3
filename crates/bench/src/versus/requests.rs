//! What both are asked, and what their answers may differ in.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use http::StatusCode;
use serde_json::Value;

use crate::bed::Tenant;
use crate::floor;
use crate::load::{Make, Shot};
use crate::requests::{POSTS, get, post_template};

/// How many times as fast the service shall be where one thing is read, or a few.
const READ: f64 = 100.0;
/// The same of lists of a hundred and more.
const LONG_LIST: f64 = 200.0;
/// What is new in each answer about what was posted.
const NEW: [&str; 4] = ["uuid", "name", "created_at", "links"];

/// A request.
pub(super) struct Request {
    pub(super) what: &'static str,
    /// As many as are sent in one go.
    pub(super) most: u64,
    /// Whether every answer is the same.
    pub(super) same: bool,
    /// How many times Magnum's rate it shall have.
    pub(super) goal: Option<f64>,
    make: Make,
    expected: StatusCode,
}

/// What both are asked.
pub(super) fn all(tenant: &Tenant, id: &str) -> Result<Vec<Request>> {
    let read = |what, path: &str, goal| {
        let make = get(path, Some(&tenant.token))?;
        Ok::<_, anyhow::Error>(Request {
            what,
            most: u64::MAX,
            same: true,
            goal: Some(goal),
            make,
            expected: StatusCode::OK,
        })
    };
    Ok(vec![
        read("GET one cluster", &format!("/v1/clusters/{id}"), READ)?,
        read("list 10", "/v1/clusters?limit=10", READ)?,
        read("list 100", "/v1/clusters?limit=100", LONG_LIST)?,
        read("list 1000", "/v1/clusters?limit=1000", LONG_LIST)?,
        read("list templates", "/v1/clustertemplates", READ)?,
        Request {
            what: "POST template",
            most: POSTS,
            same: false,
            goal: None,
            make: post_template(tenant),
            expected: StatusCode::CREATED,
        },
    ])
}

/// What the bare routes are asked.
pub(super) fn bare() -> Result<Vec<Request>> {
    [("bare: nothing", floor::NOTHING), ("bare: one SELECT", floor::SELECT)]
        .into_iter()
        .map(|(what, path)| {
            let make = get(path, None)?;
            Ok(Request { what, most: u64::MAX, same: true, goal: None, make, expected: StatusCode::OK })
        })
        .collect()
}

impl Request {
    /// The request to somebody, all of whose answers have a length.
    pub(super) fn shot(&self, address: SocketAddr, length: Option<usize>) -> Shot {
        Shot { address, make: self.make.clone(), expected: self.expected, length }
    }

    /// Refuses answers that do not say the same.
    pub(super) fn compare(&self, theirs: &Value, ours: &Value) -> Result<()> {
        if let Some((place, theirs, ours)) = difference(theirs, ours, if self.same { &[] } else { &NEW }) {
            bail!("{}: at {place} Magnum says {theirs} and the service {ours}", self.what);
        }
        Ok(())
    }
}

/// The first place where two documents differ, and what they have there.
fn difference(theirs: &Value, ours: &Value, but: &[&str]) -> Option<(String, Value, Value)> {
    let keys: Vec<String> = match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => theirs.keys().chain(ours.keys()).cloned().collect(),
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            (0..theirs.len()).map(|place| place.to_string()).collect()
        }
        _ if theirs == ours => return None,
        _ => return Some((String::new(), theirs.clone(), ours.clone())),
    };
    let inner = |of: &Value, key: &str| match of {
        Value::Array(items) => key.parse::<usize>().ok().and_then(|place| items.get(place)).cloned(),
        _ => of.get(key).cloned(),
    };
    keys.iter().filter(|key| !but.contains(&key.as_str())).find_map(|key| {
        match (inner(theirs, key), inner(ours, key)) {
            (Some(theirs), Some(ours)) => {
                difference(&theirs, &ours, but).map(|(place, theirs, ours)| (format!("/{key}{place}"), theirs, ours))
            }
            (theirs, ours) => {
                let said = |value: Option<Value>| value.unwrap_or_else(|| "nothing".into());
                Some((format!("/{key}"), said(theirs), said(ours)))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_place_of_a_difference_is_named() {
        for (theirs, ours, but, place) in [
            (json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 2}]}), &[][..], None),
            (json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 3}]}), &[], Some("/a/1/b")),
            (json!({"a": 1}), json!({"a": 1, "c": null}), &[], Some("/c")),
            (json!({"a": [1]}), json!({"a": [1, 2]}), &[], Some("/a")),
            (json!({"uuid": 1, "a": 1}), json!({"uuid": 2, "a": 1}), &["uuid"], None),
            (json!({"uuid": 1, "a": 1}), json!({"uuid": 2, "a": "1"}), &["uuid"], Some("/a")),
        ] {
            let found = difference(&theirs, &ours, but).map(|(place, ..)| place);
            assert_eq!(found.as_deref(), place, "{theirs} {ours}");
        }
    }
}
