//! Whether two reconcilers were ever at one cluster at the same time, from the steps that they logged: each is named with the
//! fence under which it was done, and a fence belongs to one process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What the logs tell.
#[derive(Debug, Default)]
pub(super) struct Fences {
    pub(super) steps: usize,
    pub(super) clusters: usize,
    pub(super) processes: usize,
    pub(super) overlaps: Vec<String>,
}

/// One step, ordered by time and then by fence: a log has milliseconds.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    at: String,
    fence: i64,
    process: String,
    name: String,
}

pub(super) fn check(logs: &[PathBuf]) -> Fences {
    let mut by_cluster: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for log in logs {
        let text = std::fs::read_to_string(log).expect("a log");
        for (cluster, step) in text.lines().filter_map(step_of) {
            by_cluster.entry(cluster).or_default().push(step);
        }
    }
    let mut found = Fences { clusters: by_cluster.len(), ..Fences::default() };
    let mut processes = BTreeSet::new();
    for (cluster, mut steps) in by_cluster {
        steps.sort();
        found.steps += steps.len();
        found.overlaps.extend(overlaps(&cluster, &steps));
        processes.extend(steps.into_iter().map(|step| step.process));
    }
    found.processes = processes.len();
    found
}

/// `<date> <time> <pid> DEBUG jeroboam_reconcile::lease [-] a pass goes on cluster.id=… fence=… step=…`
fn step_of(line: &str) -> Option<(String, Step)> {
    let (head, fields) = line.split_once(" DEBUG jeroboam_reconcile::lease [-] a pass goes on ")?;
    let (at, process) = head.rsplit_once(' ')?;
    let (cluster, rest) = fields.strip_prefix("cluster.id=")?.split_once(" fence=")?;
    let (fence, name) = rest.split_once(" step=")?;
    let step =
        Step { at: at.to_owned(), fence: fence.parse().ok()?, process: process.to_owned(), name: name.to_owned() };
    Some((cluster.to_owned(), step))
}

fn overlaps(cluster: &str, steps: &[Step]) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut owners: BTreeMap<i64, &str> = BTreeMap::new();
    let mut newest = i64::MIN;
    for step in steps {
        let owner = owners.entry(step.fence).or_insert(&step.process);
        if *owner != step.process {
            wrongs
                .push(format!("cluster {cluster}: process {} and {owner} both had fence {}", step.process, step.fence));
        }
        if step.fence < newest {
            wrongs.push(format!("cluster {cluster}: {step:?} after somebody had begun with fence {newest}"));
        }
        newest = newest.max(step.fence);
    }
    wrongs
}

#[test]
fn a_step_under_an_old_fence_and_a_fence_of_two_are_found() {
    let line = |at: &str, process: u32, fence: i64, step: &str| {
        let time = format!("2026-11-22 10:00:{at}");
        format!(
            "{time} {process} DEBUG jeroboam_reconcile::lease [-] a pass goes on cluster.id=c fence={fence} step={step}"
        )
    };
    let found = |lines: &[String]| {
        let mut steps: Vec<_> = lines.iter().map(|line| step_of(line).expect("a step").1).collect();
        steps.sort();
        overlaps("c", &steps)
    };
    let good = [line("01.000", 7, 1, "load"), line("01.500", 7, 1, "apply"), line("01.500", 8, 2, "load")];
    assert_eq!(found(&good), [] as [String; 0]);
    let late = [line("01.000", 7, 1, "load"), line("01.500", 8, 2, "load"), line("01.501", 7, 1, "apply")];
    assert_eq!(found(&late).len(), 1);
    let shared = [line("01.000", 7, 1, "load"), line("01.500", 8, 1, "load")];
    assert_eq!(found(&shared).len(), 1);
    assert_eq!(step_of("2026-11-22 10:00:01.000 7 DEBUG jeroboam_reconcile::lease [-] something else"), None);
}
