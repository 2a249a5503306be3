//! What was asked and answered, and what should not have been.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::fence::Fences;
use crate::bed::{Answer, writeln};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Status(u16),
    /// Nobody listened; another was asked.
    Refused,
    /// The connection ended before the answer.
    Cut,
}

struct Failure {
    sent: Instant,
    answered: Instant,
    status: u16,
    request: String,
    words: String,
}

impl Failure {
    fn is_while(&self, (from, to): &(Instant, Instant)) -> bool {
        self.sent <= *to && self.answered >= *from
    }
}

#[derive(Default)]
struct Inside {
    ends: BTreeMap<(&'static str, End), usize>,
    /// How long the slowest request of each kind took.
    slowest: BTreeMap<&'static str, Duration>,
    /// Answers of 500 and more.
    failures: Vec<Failure>,
    away: Vec<(Instant, Instant)>,
    wrongs: Vec<String>,
}

#[derive(Default)]
pub(super) struct Ledger(Mutex<Inside>);

impl Ledger {
    pub(super) fn ended(&self, what: &'static str, sent: Instant, end: End) {
        let mut inside = self.inside();
        *inside.ends.entry((what, end)).or_default() += 1;
        let slowest = inside.slowest.entry(what).or_default();
        *slowest = sent.elapsed().max(*slowest);
    }

    pub(super) fn failed(&self, sent: Instant, answer: &Answer, request: &str) {
        let (status, detail) = (answer.status, answer.body["errors"][0]["detail"].as_str());
        let words = detail.map_or_else(|| answer.body.to_string(), str::to_owned);
        let failure = Failure { sent, answered: Instant::now(), status, request: request.to_owned(), words };
        self.inside().failures.push(failure);
    }

    pub(super) fn wrong(&self, words: String) {
        self.inside().wrongs.push(words);
    }

    pub(super) fn database_was_away(&self, from: Instant, to: Instant) {
        self.inside().away.push((from, to));
    }

    /// Everything that should not have been, failures included that nothing excuses.
    pub(super) fn wrongs(&self) -> Vec<String> {
        let inside = self.inside();
        let mut wrongs = inside.wrongs.clone();
        for failure in &inside.failures {
            let excused = failure.status == 503 && inside.away.iter().any(|away| failure.is_while(away));
            if !excused {
                let Failure { sent, status, request, words, .. } = failure;
                let back = inside.away.iter().filter(|(_, to)| to < sent).map(|(_, to)| sent.duration_since(*to)).min();
                let back = back.map(|back| format!(", {back:?} after the database was back")).unwrap_or_default();
                wrongs.push(format!("{request}: {status} {words}{back}"));
            }
        }
        wrongs
    }

    /// Says what happened.
    pub(super) fn report(&self, what: &str, converged: Duration, fences: &Fences) {
        let inside = self.inside();
        let mut lines = format!("two of everything on {what}:\n");
        let mut kinds: BTreeMap<&str, String> = BTreeMap::new();
        for ((kind, end), count) in &inside.ends {
            let end = match end {
                End::Status(status) => status.to_string(),
                End::Refused => "refused".to_owned(),
                End::Cut => "cut".to_owned(),
            };
            let _ = write!(kinds.entry(kind).or_default(), "  {count} × {end}");
        }
        for (kind, ends) in kinds {
            let slowest = inside.slowest.get(kind).map(Duration::as_secs_f64).unwrap_or_default();
            let _ = writeln!(lines, "  {kind:<18}{ends}  (up to {slowest:.1} s)");
        }
        let total: usize = inside.ends.values().sum();
        let away: Duration = inside.away.iter().map(|(from, to)| to.duration_since(*from)).sum();
        let mut failures: BTreeMap<_, usize> = BTreeMap::new();
        for failure in &inside.failures {
            *failures.entry((failure.status, failure.words.as_str())).or_default() += 1;
        }
        let _ = writeln!(lines, "  {total} requests; without a database {:.1} s", away.as_secs_f64());
        for ((status, words), count) in failures {
            let _ = writeln!(lines, "  {count} × {status} {words}");
        }
        let _ = write!(
            lines,
            "  {} steps of {} reconcilers on {} clusters; all converged {:.1} s after the last request",
            fences.steps,
            fences.processes,
            fences.clusters,
            converged.as_secs_f64()
        );
        writeln(&lines);
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
