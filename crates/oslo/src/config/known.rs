//! Every option that Magnum 23 registers, its libraries' included, as Magnum itself lists them.
//!
//! The table beside this file is made by a test from a real Magnum, and compared with one.

use std::sync::LazyLock;

use super::Kind;

/// An option of Magnum 23.
#[derive(Clone, Debug)]
pub struct Known {
    /// The group.
    pub group: &'static str,
    /// The name.
    pub name: &'static str,
    /// What its value has to be, in the words of the table.
    pub kind: &'static str,
    /// What holds when it is not set.
    pub default: Option<&'static str>,
    /// Former places.
    pub deprecated: Vec<(&'static str, &'static str)>,
    /// Whether Magnum wants to do without it.
    pub going: bool,
}

impl Known {
    /// The kind, its bounds and words left out: nobody reads the value but another option that refers to it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let is = |words: &str| self.kind.starts_with(words);
        match self.kind {
            "text, may be repeated" => Kind::Multi,
            "true or false" => Kind::Bool,
            _ if is("a whole number") => Kind::Int(i64::MIN, i64::MAX),
            _ if is("a number") => Kind::Float(f64::NEG_INFINITY),
            _ if is("a list") => Kind::List,
            _ if is("name:value") => Kind::Dict,
            _ => Kind::Text,
        }
    }
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| include_str!("magnum-23.tsv").lines().filter_map(read).collect());

/// All of them.
#[must_use]
pub fn known() -> &'static [Known] {
    &KNOWN
}

/// The option of this group and name.
pub(super) fn find(group: &str, name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.group == group && known.name == name)
}

/// The option that this group and name stood for once.
pub(super) fn formerly(group: &str, name: &str) -> Option<&'static Known> {
    let same = |(g, n): &(&str, &str)| super::ini::group_name(g) == group && *n == name;
    KNOWN.iter().find(|known| known.deprecated.iter().any(same))
}

/// A line: group, name, kind, default (`-` for none), former places, `going`.
fn read(line: &'static str) -> Option<Known> {
    let mut cells = line.split('\t');
    let (group, name, kind, default) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let deprecated = cells.next()?.split(' ').filter_map(|place| place.split_once('.')).collect();
    let default = (default != "-").then_some(default);
    Some(Known { group, name, kind, default, deprecated, going: cells.next() == Some("going") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_an_option() {
        let lines = include_str!("magnum-23.tsv").lines().count();
        assert_eq!(known().len(), lines);
        assert!(lines > 300, "{lines}");
        let timeout = find("oslo_messaging_rabbit", "kombu_missing_consumer_retry_timeout").expect("an option");
        assert_eq!((timeout.kind, timeout.default, timeout.going), ("a whole number", Some("60"), false));
        assert_eq!(timeout.deprecated, [("oslo_messaging_rabbit", "kombu_reconnect_timeout")]);
    }
}
