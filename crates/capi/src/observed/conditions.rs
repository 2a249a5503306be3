//! Conditions as both contracts write them.

use std::fmt;

use jeroboam_model::Timestamp;
use serde_json::Value;

/// What a condition says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows yet; never a failure.
    #[default]
    Unknown,
}

/// One condition of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its type, such as `Available`.
    pub kind: String,
    /// What it says.
    pub truth: Truth,
    /// One word.
    pub reason: String,
    /// For people; left out of what is true.
    pub message: String,
    /// Since when, in whole seconds.
    pub since: Option<Timestamp>,
    /// The generation that it speaks of; absent from conditions of the v1beta1 contract.
    pub observed_generation: Option<i64>,
    /// Whether the object's controller calls it an error and not a delay.
    pub error: bool,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, message) = (self.reason.as_str(), one_line(&self.message));
        match (reason.is_empty(), message.is_empty()) {
            (false, false) => write!(f, "{reason}: {message}"),
            (false, true) => f.write_str(reason),
            (true, _) => f.write_str(&message),
        }
    }
}

/// A message that is a list of points over many lines, in one.
pub(crate) fn one_line(message: &str) -> String {
    let mut line = String::new();
    for part in message.lines().map(|part| part.trim().trim_start_matches("* ")).filter(|part| !part.is_empty()) {
        match line.chars().last() {
            None => {}
            Some(':') => line.push(' '),
            Some(_) => line.push_str("; "),
        }
        line.push_str(part);
    }
    line
}

/// The conditions of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(Vec<Condition>);

impl Conditions {
    /// One condition by type.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&Condition> {
        self.0.iter().find(|condition| condition.kind == kind)
    }

    /// What one says; a condition that is not there is unknown.
    #[must_use]
    pub fn truth(&self, kind: &str) -> Truth {
        self.get(kind).map_or(Truth::Unknown, |condition| condition.truth)
    }

    /// Whether one is there and holds.
    #[must_use]
    pub fn is_true(&self, kind: &str) -> bool {
        self.truth(kind) == Truth::True
    }

    /// Whether one is there and does not hold.
    #[must_use]
    pub fn is_false(&self, kind: &str) -> bool {
        self.truth(kind) == Truth::False
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a list; entries that are none are left out.
    #[must_use]
    pub(super) fn read(list: Option<&Value>) -> Self {
        let items = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self(items.iter().filter_map(condition).collect())
    }
}

fn condition(value: &Value) -> Option<Condition> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let truth = match value.get("status").and_then(Value::as_str) {
        Some("True") => Truth::True,
        Some("False") => Truth::False,
        _ => Truth::Unknown,
    };
    let (kind, reason, message) = (text("type"), text("reason"), text("message"));
    if kind.is_empty() {
        return None;
    }
    let error = truth == Truth::False && is_error(value.get("severity").and_then(Value::as_str), &reason);
    // True conditions of a thousand clusters say "" or repeat themselves. What waits or scales is said where it is true.
    let message = if truth == Truth::True && !speaks_when_true(&kind) { String::new() } else { message };
    let since = value.get("lastTransitionTime").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let observed_generation = value.get("observedGeneration").and_then(Value::as_i64);
    Some(Condition { kind, truth, reason, message, since, observed_generation, error })
}

/// Conditions of the v1beta1 contract carry a severity; those of v1beta2 only a reason.
fn is_error(severity: Option<&str>, reason: &str) -> bool {
    match severity {
        Some("Error" | "Warning") => true,
        Some("Info") => false,
        _ => reason.ends_with("Failed") || reason.ends_with("Error"),
    }
}

fn speaks_when_true(kind: &str) -> bool {
    matches!(kind, "RollingOut" | "ScalingUp" | "ScalingDown" | "Remediating" | "Deleting" | "Paused" | "Updating")
}
