//! All figures of a run: tables for people, JSON for machines.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use jeroboam_model::{Clock, SystemClock};
use serde::Serialize;

use crate::figures::Spread;
use crate::life::LifeFigures;
use crate::machine::Machine;
use crate::requests::RequestFigures;
use crate::start::StartFigures;

/// What a run found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) at: String,
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
    pub(crate) starts: Vec<StartFigures>,
    pub(crate) requests: Vec<RequestFigures>,
    pub(crate) lives: Vec<LifeFigures>,
}

/// Rows of cells; the first row is the head.
pub(crate) struct Table(Vec<Vec<String>>);

impl Report {
    pub(crate) fn begin(quick: bool) -> Self {
        Self { at: now(), quick, machine: Machine::here(), starts: Vec::new(), requests: Vec::new(), lives: Vec::new() }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write_json(self, path)
    }

    /// Prints the tables.
    pub(crate) fn print(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        head(&mut out, &self.at, &self.machine, self.quick)?;
        for (title, table) in [
            ("Requests; shares are of the bare SELECT in the same rounds", self.requests()),
            ("Clusters: a 202 until there are objects, a change until GET shows it", self.lives()),
            ("Memory of api and reconcile in one process, MiB", self.memory()),
            ("Start of api and reconcile in one process", self.starts()),
            ("Budgets", self.budgets()),
        ] {
            table.write(&mut out, title)?;
        }
        Ok(())
    }

    fn requests(&self) -> Table {
        let mut table =
            Table::new(&["engine", "connections", "", "req/s", "share", "p50 ms", "p99 ms", "CPU µs", "× SELECT"]);
        for one in &self.requests {
            table.row([
                one.engine.to_owned(),
                one.connections.to_string(),
                one.what.to_owned(),
                format!("{:.0}", one.rate),
                format!("{:.0} %", one.of_select * 100.0),
                format!("{:.2}", one.latency.p50_ms),
                format!("{:.2}", one.latency.p99_ms),
                format!("{:.0}", one.cpu_us),
                format!("{:.2}", one.cpu_of_select),
            ]);
        }
        table
    }

    fn lives(&self) -> Table {
        let mut table = Table::new(&["engine", "clusters", "", "times", "p50 ms", "p99 ms", "most ms"]);
        for life in &self.lives {
            for size in &life.sizes {
                let of_which = "  of which its writing";
                for (what, spread) in
                    [("202 to objects", &size.applied), ("change to GET", &size.seen), (of_which, &size.written)]
                {
                    let mut row = vec![life.engine.to_owned(), size.clusters.to_string(), what.to_owned()];
                    row.push(spread.count.to_string());
                    row.extend(cells(spread));
                    table.0.push(row);
                }
            }
        }
        table
    }

    fn memory(&self) -> Table {
        let mut table = Table::new(&["engine", "clusters", "PSS", "RSS", "CPU at rest", "grown in"]);
        for life in &self.lives {
            let mib = |number: f64| format!("{number:.0}");
            let engine = life.engine.to_owned();
            table.row([
                engine.clone(),
                "0".into(),
                mib(life.idle.pss),
                mib(life.idle.rss),
                String::new(),
                String::new(),
            ]);
            for size in &life.sizes {
                table.row([
                    engine.clone(),
                    size.clusters.to_string(),
                    mib(size.memory.pss),
                    mib(size.memory.rss),
                    format!("{:.1} %", size.quiet_cpu * 100.0),
                    format!("{:.0} s", size.growing_s),
                ]);
            }
        }
        table
    }

    fn starts(&self) -> Table {
        let mut table = Table::new(&["engine", "", "times", "p50 ms", "p99 ms", "most ms"]);
        for start in &self.starts {
            for (what, spread) in
                [("first 200 of GET /", &start.first_answer), ("first 200 of GET /readyz", &start.ready)]
            {
                let mut row = vec![start.engine.to_owned(), what.to_owned(), spread.count.to_string()];
                row.extend(cells(spread));
                table.0.push(row);
            }
        }
        table
    }

    /// What was promised beside what was measured. A shared machine can miss one for reasons of its own: read the ratios.
    fn budgets(&self) -> Table {
        let mut table = Table::new(&["engine", "", "budget", "measured", ""]);
        let mut row = |engine: &str, what: String, budget: String, measured: String, kept: bool| {
            let kept = if kept { "kept" } else { "missed" };
            table.row([engine.to_owned(), what, budget, measured, kept.to_owned()]);
        };
        for one in &self.requests {
            let (engine, connections) = (one.engine, one.connections);
            match one.what {
                "GET one cluster" => {
                    let what = format!("GET one cluster, {connections} connections, of the bare SELECT's rate");
                    let share = one.of_select * 100.0;
                    row(engine, what, "at least 60 %".into(), format!("{share:.0} %"), share >= 60.0);
                }
                "list 1000" => {
                    let (what, ms) = (format!("list 1000, {connections} connections, CPU"), one.cpu_us / 1000.0);
                    row(engine, what, "at most 25 ms".into(), format!("{ms:.1} ms"), ms <= 25.0);
                }
                _ => {}
            }
        }
        for life in &self.lives {
            let (engine, idle) = (life.engine, life.idle.pss);
            row(engine, "memory, idle, PSS".into(), "at most 80 MiB".into(), format!("{idle:.0} MiB"), idle <= 80.0);
            for size in &life.sizes {
                let (clusters, pss) = (size.clusters, size.memory.pss);
                let what = format!("memory with {clusters} clusters, PSS");
                row(engine, what, "at most 250 MiB".into(), format!("{pss:.0} MiB"), pss <= 250.0);
                for (what, spread, most) in
                    [("202 to objects", &size.applied, 1000.0), ("change to GET", &size.seen, 2000.0)]
                {
                    let what = format!("{what} with {clusters} clusters, p99");
                    let p99 = spread.p99_ms;
                    row(engine, what, format!("at most {most:.0} ms"), format!("{p99:.0} ms"), p99 <= most);
                }
            }
        }
        for start in &self.starts {
            let most = start.first_answer.max_ms;
            let what = "start to first 200, the slowest".to_owned();
            row(start.engine, what, "at most 1000 ms".into(), format!("{most:.0} ms"), most <= 1000.0);
        }
        table
    }
}

/// When it is, as a report says it.
pub(crate) fn now() -> String {
    SystemClock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The first line of a report.
pub(crate) fn head(out: &mut impl Write, at: &str, machine: &Machine, quick: bool) -> Result<()> {
    writeln!(
        out,
        "{at}: {}, {} cores, {} GiB, {}, Linux {}, load {}{}",
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.system,
        machine.kernel,
        machine.load,
        if quick { "; quick run, not to be quoted" } else { "" },
    )?;
    Ok(())
}

/// Writes all figures to a file.
pub(crate) fn write_json(figures: &impl Serialize, path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(figures).context("write the figures")?;
    std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
}

fn cells(spread: &Spread) -> [String; 3] {
    [spread.p50_ms, spread.p99_ms, spread.max_ms].map(|ms| format!("{ms:.1}"))
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self(vec![head.iter().map(|&cell| cell.to_owned()).collect()])
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.into());
    }

    /// A row of as many cells as the head has.
    pub(crate) fn add(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }

    /// As Markdown, so that it can be pasted; nothing where there are no rows.
    pub(crate) fn write(&self, out: &mut impl Write, title: &str) -> Result<()> {
        if self.0.len() < 2 {
            return Ok(());
        }
        writeln!(out, "\n{title}\n")?;
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| self.0.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.0.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(
                    |(cell, &width)| {
                        if is_number(cell) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                    },
                )
                .collect();
            writeln!(out, "| {} |", cells.join(" | "))?;
            if number == 0 {
                let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
                writeln!(out, "| {} |", rules.join(" | "))?;
            }
        }
        Ok(())
    }
}

fn is_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_ascii_digit())
}
