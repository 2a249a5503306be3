//! Both beside each other: tables for people, JSON for machines.

use anyhow::Result;
use serde::Serialize;

use super::requests::Request;
use super::{Match, Side};
use crate::figures::{Spread, median};
use crate::load::Tally;
use crate::machine::Machine;
use crate::report::{Table, head, now};

/// What part of Magnum's memory the service may use at most.
const MEMORY_GOAL: f64 = 0.2;

/// What a run found out.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    at: String,
    quick: bool,
    machine: Machine,
    /// Processes that wanted to run, on average over the last minute of the run.
    load_after: String,
    rounds: usize,
    requests: Vec<Pair>,
    floors: Vec<Figures>,
    sides: Vec<SideFigures>,
}

/// One kind of request to one of them, at one number of connections.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    what: &'static str,
    connections: usize,
    /// Requests per second, the median of the rounds.
    rate: f64,
    /// The same in each round.
    rates: Vec<f64>,
    latency: Spread,
    cpu_us: f64,
}

/// The same request to both.
#[derive(Debug, Serialize)]
struct Pair {
    ours: Figures,
    theirs: Figures,
    /// Our rate as a multiple of theirs, the median of the rounds.
    times: f64,
    /// Their CPU time as a multiple of ours.
    cpu_times: f64,
    goal: Option<f64>,
}

/// One of them as a whole.
#[derive(Debug, Serialize)]
struct SideFigures {
    name: &'static str,
    processes: usize,
    start: Spread,
    /// Proportional set size in MiB, the median of the rounds.
    idle_mib: f64,
    busy_mib: f64,
}

impl Figures {
    fn of(what: &'static str, connections: usize, tally: &Tally) -> Self {
        Self {
            what,
            connections,
            rate: median(tally.rates.clone()),
            rates: tally.rates.clone(),
            latency: Spread::of(tally.latencies.clone()),
            cpu_us: tally.cpu_us(),
        }
    }

    fn all(tallies: &[Vec<Tally>], requests: &[Request], connections: &[usize]) -> Vec<Self> {
        let rows = connections.iter().zip(tallies).flat_map(|(&connections, tallies)| {
            requests.iter().zip(tallies).map(move |(request, tally)| Self::of(request.what, connections, tally))
        });
        rows.collect()
    }
}

impl Report {
    pub(super) fn begin(quick: bool) -> Self {
        Self {
            at: now(),
            quick,
            machine: Machine::here(),
            load_after: String::new(),
            rounds: 0,
            requests: Vec::new(),
            floors: Vec::new(),
            sides: Vec::new(),
        }
    }

    pub(super) fn end(self, all: &Match, sides: &[Side; 2], bare: &[Request], floors: &[Vec<Tally>]) -> Self {
        let [theirs, ours] = sides;
        let figures = |side: &Side| Figures::all(&side.tallies, &all.requests, &all.connections);
        let goals = all.requests.iter().map(|request| request.goal).cycle();
        let pairs = figures(ours).into_iter().zip(figures(theirs)).zip(goals);
        Self {
            load_after: Machine::here().load,
            rounds: ours.starts.len(),
            requests: pairs.map(|((ours, theirs), goal)| Pair::of(ours, theirs, goal)).collect(),
            floors: Figures::all(floors, bare, &all.connections),
            sides: [ours, theirs].map(SideFigures::of).into(),
            ..self
        }
    }

    /// Prints the tables.
    pub(super) fn print(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        head(&mut out, &self.at, &self.machine, self.quick)?;
        let title = format!(
            "Requests to the service and to Magnum, in turns, {} rounds; load {} after it",
            self.rounds, self.load_after
        );
        self.table().write(&mut out, &title)?;
        self.sides_table().write(&mut out, "Start, and memory of all processes of each (PSS)")
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            "connections",
            "",
            "req/s",
            "Magnum",
            "times",
            "goal",
            "p50 ms",
            "Magnum",
            "p99 ms",
            "Magnum",
            "CPU ms",
            "Magnum",
            "times",
        ]);
        let none = String::new;
        let mut connections = None;
        for pair in &self.requests {
            let (ours, theirs) = (&pair.ours, &pair.theirs);
            if connections.replace(ours.connections) != Some(ours.connections) {
                for floor in self.floors.iter().filter(|floor| floor.connections == ours.connections) {
                    table.row([
                        floor.connections.to_string(),
                        floor.what.to_owned(),
                        rate(floor.rate),
                        none(),
                        none(),
                        none(),
                        ms(floor.latency.p50_ms),
                        none(),
                        ms(floor.latency.p99_ms),
                        none(),
                        ms(floor.cpu_us / 1000.0),
                        none(),
                        none(),
                    ]);
                }
            }
            table.row([
                ours.connections.to_string(),
                ours.what.to_owned(),
                rate(ours.rate),
                rate(theirs.rate),
                format!("{:.0}", pair.times),
                pair.goal.map_or_else(none, |goal| format!("{goal:.0}: {}", kept(pair.times >= goal))),
                ms(ours.latency.p50_ms),
                ms(theirs.latency.p50_ms),
                ms(ours.latency.p99_ms),
                ms(theirs.latency.p99_ms),
                ms(ours.cpu_us / 1000.0),
                ms(theirs.cpu_us / 1000.0),
                format!("{:.0}", pair.cpu_times),
            ]);
        }
        table
    }

    fn sides_table(&self) -> Table {
        let mut table = Table::new(&["", "service", "Magnum", "share", "goal"]);
        let [ours, theirs] = self.sides.as_slice() else { return table };
        let goal = |share: f64| format!("{:.0} %: {}", MEMORY_GOAL * 100.0, kept(share <= MEMORY_GOAL));
        table.row([
            "processes".into(),
            ours.processes.to_string(),
            theirs.processes.to_string(),
            String::new(),
            String::new(),
        ]);
        for (what, ours, theirs) in
            [("idle, MiB", ours.idle_mib, theirs.idle_mib), ("after the load, MiB", ours.busy_mib, theirs.busy_mib)]
        {
            let share = ours / theirs;
            table.row([
                what.into(),
                format!("{ours:.0}"),
                format!("{theirs:.0}"),
                format!("{:.0} %", share * 100.0),
                goal(share),
            ]);
        }
        let (ours, theirs) = (ours.start.p50_ms, theirs.start.p50_ms);
        let share = format!("{:.1} %", ours / theirs * 100.0);
        table.row([
            "first 200 of GET /, ms".into(),
            format!("{ours:.0}"),
            format!("{theirs:.0}"),
            share,
            String::new(),
        ]);
        table
    }
}

impl Pair {
    fn of(ours: Figures, theirs: Figures, goal: Option<f64>) -> Self {
        let times = ours.rates.iter().zip(&theirs.rates).map(|(ours, theirs)| ours / theirs).collect();
        Self { times: median(times), cpu_times: theirs.cpu_us / ours.cpu_us, goal, ours, theirs }
    }
}

impl SideFigures {
    fn of(side: &Side) -> Self {
        Self {
            name: side.name,
            processes: side.processes,
            start: Spread::of(side.starts.clone()),
            idle_mib: median(side.idle.iter().map(|memory| memory.pss).collect()),
            busy_mib: median(side.busy.iter().map(|memory| memory.pss).collect()),
        }
    }
}

fn kept(kept: bool) -> &'static str {
    if kept { "kept" } else { "missed" }
}

/// Slow ones have digits after the point.
fn rate(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.2}") } else { format!("{rate:.0}") }
}

fn ms(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}
