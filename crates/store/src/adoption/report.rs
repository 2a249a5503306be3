//! What is found in a database that Magnum made, for an operator to read.

use std::collections::BTreeMap;
use std::fmt;

use super::REVISION_BEFORE;
use crate::migrate::MAGNUM_REVISION;

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// The row can't be read: asking for it, or for a list that it is in, is answered with an error.
    Unreadable,
    /// The row is served, but not everything can be done with it.
    Limited,
    /// The row is served; something about it is worth knowing.
    Odd,
}

/// Something about one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it means.
    pub gravity: Gravity,
    /// The table.
    pub table: &'static str,
    /// The row's uuid, or its number.
    pub id: String,
    /// What was found and what follows from it.
    pub what: String,
}

/// What is found in a database before it is adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// `SQLite`, `MariaDB` or `PostgreSQL`.
    pub engine: &'static str,
    /// What `alembic_version` says.
    pub revision: Option<String>,
    /// Why it can't be adopted now; empty when it can.
    pub obstacles: Vec<String>,
    /// What adopting changes, or has changed; empty when all is as it is to be.
    pub changes: Vec<String>,
    /// Rows that are not served, not in full, or that are odd.
    pub findings: Vec<Finding>,
    /// How many clusters there are, by who made them.
    pub clusters: BTreeMap<String, u64>,
    /// Whether the changes were made.
    pub done: bool,
}

impl Examination {
    /// Whether nothing stands in the way.
    #[must_use]
    pub fn can_be_adopted(&self) -> bool {
        self.obstacles.is_empty()
    }
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = self.revision.as_deref().unwrap_or("none");
        write!(f, "{}, Magnum's revision {revision}", self.engine)?;
        for obstacle in &self.obstacles {
            write!(f, "\nin the way: {obstacle}")?;
        }
        for (by, count) in &self.clusters {
            write!(f, "\n{count} clusters: {by}")?;
        }
        for finding in &self.findings {
            let Finding { gravity, table, id, what } = finding;
            let gravity = match gravity {
                Gravity::Unreadable => "not served",
                Gravity::Limited => "served in part",
                Gravity::Odd => "odd",
            };
            write!(f, "\n{gravity}: {table} {id}: {what}")?;
        }
        let (made, none) = match self.done {
            true => ("done", "nothing had to be changed"),
            false => ("to do", "nothing has to be changed"),
        };
        if !self.obstacles.is_empty() {
            return f.write_str("\nnot adopted, nothing was changed");
        }
        for change in &self.changes {
            write!(f, "\n{made}: {change}")?;
        }
        if self.changes.is_empty() {
            write!(f, "\n{none}")?;
        }
        f.write_str(if self.done { "\nadopted: ready to be served" } else { "\ncan be adopted" })
    }
}

/// Columns that revision b3e1cf4a2d5e added.
pub(super) fn is_later_column(name: &str) -> bool {
    matches!(name, "nodegroup.node_labels" | "nodegroup.node_taints")
}

/// Why a revision can't be adopted, and what to do about it.
pub(super) fn unknown_revision(revision: &str) -> String {
    let magnum = match revision {
        "c04e925e65c2" => Some("Magnum 10.0 (Ussuri)"),
        "95096e2334ee" => Some("Magnum 11.0 (Victoria)"),
        "f1d8b0ab8b8d" => Some("Magnum 12.0 (Wallaby)"),
        "7da8489d6a68" => Some("Magnum 13.0 to 17.0 (Xena to 2023.2)"),
        "d7e6a4d39fe4" => Some("an upgrade to Magnum 23.0 that was broken off, or a version between releases"),
        _ => None,
    };
    let adopted = format!("{REVISION_BEFORE} (Magnum 18.0 to 22.0) and {MAGNUM_REVISION} (Magnum 23.0) can be adopted");
    match magnum {
        Some(magnum) => format!(
            "Magnum's tables are at revision {revision}, which is {magnum}; {adopted}. \
             Upgrade Magnum to 18.0 or newer with `magnum-db-manage upgrade` and come again"
        ),
        None => format!(
            "Magnum's tables are at revision {revision}, which is not known here; {adopted}. An older Magnum is upgraded with \
             `magnum-db-manage upgrade` first; a newer one needs a newer jeroboam"
        ),
    }
}
