//! The figures of all turns: medians with what they lie between, for people and for machines.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::Backend;
use super::measure::Figure;
use crate::figures::median;
use crate::machine::Machine;
use crate::report::{Table, head, now, write_json};

/// What was measured of one registry, in every round.
#[derive(Debug, Serialize)]
struct Line {
    backend: &'static str,
    what: &'static str,
    unit: &'static str,
    /// By who was measured.
    values: BTreeMap<&'static str, Vec<f64>>,
}

/// What one operation cost the backend.
#[derive(Debug, Serialize)]
struct Cost {
    what: &'static str,
    /// By who was measured, by kind of request.
    requests: BTreeMap<&'static str, BTreeMap<String, u64>>,
}

/// What a run found out.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    at: String,
    quick: bool,
    machine: Machine,
    lines: Vec<Line>,
    costs: Vec<Cost>,
}

impl Report {
    pub(super) fn begin(quick: bool) -> Self {
        Self { at: now(), quick, machine: Machine::here(), lines: Vec::new(), costs: Vec::new() }
    }

    /// Takes what was measured in one turn.
    pub(super) fn take(&mut self, backend: Backend, who: &'static str, figures: Vec<Figure>) {
        let backend = backend.name();
        for (what, unit, value) in figures {
            let known = self.lines.iter_mut().find(|line| line.backend == backend && line.what == what);
            if let Some(line) = known {
                line.values.entry(who).or_default().push(value);
                continue;
            }
            self.lines.push(Line { backend, what, unit, values: BTreeMap::from([(who, vec![value])]) });
        }
    }

    /// Takes what operations cost the backend.
    pub(super) fn count(&mut self, who: &'static str, counted: Vec<(&'static str, BTreeMap<String, u64>)>) {
        for (what, kinds) in counted {
            if let Some(cost) = self.costs.iter_mut().find(|cost| cost.what == what) {
                cost.requests.insert(who, kinds);
                continue;
            }
            self.costs.push(Cost { what, requests: BTreeMap::from([(who, kinds)]) });
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        write_json(self, path)
    }

    /// Prints the tables.
    pub(super) fn print(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        head(&mut out, &self.at, &self.machine, self.quick)?;
        for backend in [Backend::Directory, Backend::Swift] {
            self.table(backend.name())
                .write(&mut out, &format!("On {}: medians, and the least and the most", backend.name()))?;
        }
        self.costs().write(&mut out, "Requests to Swift")
    }

    fn table(&self, backend: &str) -> Table {
        let lines: Vec<_> = self.lines.iter().filter(|line| line.backend == backend).collect();
        let mut who: Vec<&str> = Vec::new();
        for name in lines.iter().flat_map(|line| line.values.keys()) {
            if !who.contains(name) {
                who.push(name);
            }
        }
        // Ours first, the floor last.
        who.sort_by_key(|name| (name.starts_with("raw"), *name != "jeroboam", *name));
        let mut table = Table::new(&[&["", "unit"][..], &who].concat());
        for line in lines {
            let cells = who.iter().map(|name| line.values.get(name).map_or(String::new(), |values| cell(values)));
            table.add([line.what.to_owned(), line.unit.to_owned()].into_iter().chain(cells).collect());
        }
        table
    }

    fn costs(&self) -> Table {
        let mut who: Vec<&str> = self.costs.iter().flat_map(|cost| cost.requests.keys().copied()).collect();
        who.sort_by_key(|name| (*name != "jeroboam", *name));
        who.dedup();
        let mut table = Table::new(&[&[""][..], &who].concat());
        for cost in &self.costs {
            let cells = who.iter().map(|name| cost.requests.get(name).map_or(String::new(), kinds));
            table.add(std::iter::once(cost.what.to_owned()).chain(cells).collect());
        }
        table
    }
}

/// All requests, then how many of which kind.
fn kinds(kinds: &BTreeMap<String, u64>) -> String {
    let all: u64 = kinds.values().sum();
    let each: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if each.is_empty() { "0".to_owned() } else { format!("{all}: {}", each.join(", ")) }
}

fn cell(values: &[f64]) -> String {
    let digits = usize::from(values.iter().all(|value| *value < 100.0));
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let middle = median(values.to_vec());
    if values.len() < 2 {
        return format!("{middle:.digits$}");
    }
    format!("{middle:.digits$} ({least:.digits$} to {most:.digits$})")
}
