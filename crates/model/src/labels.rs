//! Labels: the free-form settings that a template hands to its clusters and a cluster to its node groups.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::excerpt;

/// Label names and their values, both text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

/// A label whose value is not of the kind that its name asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("label {name} is {value:?}, expected {expected}")]
pub struct BadLabel {
    /// The label's name.
    pub name: String,
    /// What it holds, or how that begins.
    pub value: String,
    /// What would be right.
    pub expected: &'static str,
}

/// How labels differ from those they were derived from. Magnum: `magnum/api/utils.py get_labels_diff`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelDiff {
    /// In both with different values; the value here is the **parent's**.
    pub overridden: Labels,
    /// Only in the child.
    pub added: Labels,
    /// Only in the parent.
    pub skipped: Labels,
}

impl Labels {
    /// The raw value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value, unless it is absent or empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// A boolean as oslo.utils reads one: `true`, `1`, `yes`, `on`, `t`, `y` and their opposites, in any case.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, BadLabel> {
        self.text(name).map(|value| parse_bool(value).ok_or_else(|| self.bad(name, "a boolean"))).transpose()
    }

    /// A whole number.
    pub fn integer<N: FromStr>(&self, name: &str) -> Result<Option<N>, BadLabel> {
        self.text(name).map(|value| value.parse().map_err(|_| self.bad(name, "a whole number"))).transpose()
    }

    /// A comma-separated list without its empty items.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let items = self.text(name).unwrap_or_default().split(',');
        items.map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// Sets one label.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Takes one label out.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// These labels with `over` laid on top.
    #[must_use]
    pub fn merged(&self, over: &Self) -> Self {
        let mut all = self.0.clone();
        all.extend(over.0.clone());
        Self(all)
    }

    /// How these differ from `parent`.
    #[must_use]
    pub fn diff(&self, parent: &Self) -> LabelDiff {
        let only = |these: &Self, others: &Self| these.iter().filter(|(name, _)| others.get(name).is_none()).collect();
        let differs = |(name, value): &(&str, &str)| self.get(name).is_some_and(|ours| ours != *value);
        LabelDiff {
            overridden: parent.iter().filter(differs).collect(),
            added: only(self, parent),
            skipped: only(parent, self),
        }
    }

    fn bad(&self, name: &str, expected: &'static str) -> BadLabel {
        BadLabel { name: name.to_owned(), value: excerpt(self.get(name).unwrap_or_default()), expected }
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(items: I) -> Self {
        Self(items.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

/// Reads a boolean as oslo.utils `strutils.bool_from_string` does with `strict=True`.
fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_the_parents_value() {
        let parent: Labels = [("a", "1"), ("b", "1"), ("c", "1")].into_iter().collect();
        let child: Labels = [("a", "1"), ("b", "2"), ("d", "1")].into_iter().collect();
        let diff = child.diff(&parent);
        assert_eq!(diff.overridden, [("b", "1")].into_iter().collect());
        assert_eq!(diff.added, [("d", "1")].into_iter().collect());
        assert_eq!(diff.skipped, [("c", "1")].into_iter().collect());
    }

    #[test]
    fn values_are_read_as_openstack_reads_them() {
        let labels: Labels =
            [("on", "Yes"), ("junk", "maybe"), ("size", " 20 "), ("zones", "a, b,,")].into_iter().collect();
        assert_eq!(labels.boolean("on"), Ok(Some(true)));
        assert_eq!(labels.boolean("none"), Ok(None));
        assert_eq!(
            labels.boolean("junk").map_err(|e| e.to_string()),
            Err("label junk is \"maybe\", expected a boolean".to_owned())
        );
        assert_eq!(labels.integer::<u32>("size"), Ok(Some(20)));
        assert_eq!(labels.list("zones"), ["a", "b"]);
    }
}
