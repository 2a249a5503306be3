//! What keeping house counts.

use std::sync::{Arc, Mutex, PoisonError};

use jeroboam_model::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::gc::{Collected, GcError, LeftOver, Outcome, Report, Sweeping};

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Run {
    result: &'static str,
}

/// What was removed because nobody wants to keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// Counters of what is done beside serving. Clones count together.
#[derive(Clone, Default)]
pub(super) struct HouseMetrics {
    runs: Family<Run, Counter>,
    last: Family<Run, Gauge>,
    well: Gauge,
    removed: Counter,
    bytes: Counter,
    spared: Counter,
    candidates: Gauge,
    done: Gauge,
    /// What is counted of the sweep that is under way.
    counted: Arc<Mutex<Collected>>,
    unreferenced: Gauge,
    unreferenced_bytes: Gauge,
    unreadable: Gauge,
    left_over: Counter,
    uploads: Counter,
    retained: Family<Kind, Counter>,
    scrubbed: Counter,
    scrubbed_bytes: Counter,
    wrong: Counter,
}

impl HouseMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let gc = registry.sub_registry_with_prefix("gc");
        gc.register("runs", "Steps of the garbage collection", self.runs.clone());
        gc.register_with_unit("last_run_timestamp", "When a step last ended so", Unit::Seconds, self.last.clone());
        gc.register("last_run_success", "Whether the last step did what it had to do", self.well.clone());
        gc.register("removed_blobs", "Blobs that were removed, or moved to the trash", self.removed.clone());
        gc.register_with_unit("removed_size", "Their bytes", Unit::Bytes, self.bytes.clone());
        gc.register("spared_blobs", "Candidates that somebody relies on", self.spared.clone());
        gc.register("sweep_candidates", "What was announced and is being swept, or was last", self.candidates.clone());
        gc.register("sweep_done", "How many of them are decided", self.done.clone());
        gc.register("unreferenced_blobs", "Blobs that nothing referred to at the last look", self.unreferenced.clone());
        gc.register_with_unit("unreferenced_size", "Their bytes", Unit::Bytes, self.unreferenced_bytes.clone());
        gc.register("unreadable_manifests", "Manifests that could not be read then", self.unreadable.clone());
        gc.register("leftovers", "Temporary files, segments and parts that were removed", self.left_over.clone());
        registry.register("purged_uploads", "Uploads that nobody went on with", self.uploads.clone());
        registry.register("retention_removed", "What no rule of retention kept", self.retained.clone());
        let scrub = registry.sub_registry_with_prefix("scrub");
        scrub.register("blobs", "Blobs that were compared with their digests", self.scrubbed.clone());
        scrub.register_with_unit("size", "Their bytes", Unit::Bytes, self.scrubbed_bytes.clone());
        scrub.register("wrong_blobs", "Blobs that have other bytes, or cannot be read", self.wrong.clone());
    }

    /// A step of the garbage collection has ended.
    pub(super) fn collected(&self, outcome: &Result<Outcome, GcError>, now: Timestamp) {
        let result = match outcome {
            Ok(Outcome::Announced(_, report)) => {
                self.looked(report);
                "announced"
            }
            Ok(Outcome::Swept(_)) => "swept",
            Ok(Outcome::Paused(_)) => "paused",
            // Nothing was due, or somebody else does it.
            Ok(Outcome::Waits(_)) => "waiting",
            Ok(Outcome::Taken(_)) => "elsewhere",
            Err(_) => "failed",
        };
        let run = Run { result };
        self.runs.get_or_create(&run).inc();
        self.last.get_or_create(&run).set(now.as_second());
        self.well.set(i64::from(outcome.is_ok()));
    }

    /// Nothing refers to so much.
    pub(super) fn looked(&self, report: &Report) {
        self.unreferenced.set(whole(report.found.unreferenced));
        self.unreferenced_bytes.set(whole(report.found.unreferenced_bytes));
        self.unreadable.set(whole(report.unreadable.len() as u64));
        if !report.dry_run {
            self.left_over.inc_by(report.left_over.objects);
            self.uploads.inc_by(report.left_over.uploads);
        }
    }

    /// A sweep is so far. Counts what it has collected since it was last told.
    pub(super) fn sweeping(&self, now: Sweeping) {
        self.candidates.set(whole(now.candidates));
        self.done.set(whole(now.done));
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, collected) = (std::mem::replace(&mut *counted, now.collected), now.collected);
        let spared = |of: Collected| of.leased + of.interrupted;
        // A step begins with nothing.
        self.removed.inc_by(collected.removed.saturating_sub(before.removed));
        self.bytes.inc_by(collected.bytes.saturating_sub(before.bytes));
        self.spared.inc_by(spared(collected).saturating_sub(spared(before)));
    }

    /// Uploads were removed.
    pub(super) fn purged(&self, uploads: u64) {
        self.uploads.inc_by(uploads);
    }

    /// What uploads had left was removed.
    pub(super) fn cleared(&self, left_over: LeftOver) {
        self.left_over.inc_by(left_over.objects);
    }

    /// A tag or a manifest was removed.
    pub(super) fn retained(&self, kind: &'static str) {
        self.retained.get_or_create(&Kind { kind }).inc();
    }

    /// Blobs were compared with their digests.
    pub(super) fn scrubbed(&self, blobs: u64, bytes: u64, wrong: u64) {
        self.scrubbed.inc_by(blobs);
        self.scrubbed_bytes.inc_by(bytes);
        self.wrong.inc_by(wrong);
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_counted_while_it_goes_on_and_nothing_twice() {
        let metrics = HouseMetrics::default();
        let told = |done: u64, removed: u64, leased: u64| {
            let collected = Collected { removed, bytes: 10 * removed, leased, ..Collected::default() };
            metrics.sweeping(Sweeping { candidates: 1000, done, collected });
            let counters = [&metrics.removed, &metrics.bytes, &metrics.spared].map(Counter::get);
            (metrics.candidates.get(), metrics.done.get(), counters)
        };
        assert_eq!(told(0, 0, 0), (1000, 0, [0, 0, 0]));
        assert_eq!(told(500, 499, 1), (1000, 500, [499, 4990, 1]));
        assert_eq!(told(600, 598, 2), (1000, 600, [598, 5980, 2]));
        // Another step goes on there.
        assert_eq!(told(600, 0, 0), (1000, 600, [598, 5980, 2]));
        assert_eq!(told(1000, 400, 0), (1000, 1000, [998, 9980, 2]));
        let ended = Ok(Outcome::Swept(Box::default()));
        metrics.collected(&ended, Timestamp::UNIX_EPOCH);
        assert_eq!(metrics.removed.get(), 998);
    }
}
