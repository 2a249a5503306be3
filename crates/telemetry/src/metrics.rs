//! What the process counts, in OpenMetrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

pub use prometheus_client::registry::Registry;

/// Content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How one run of the reconciler on one cluster ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// Everything is as wanted.
    Settled,
    /// Work is under way; there will be another run.
    Waiting,
    /// Something could not be reached; it will be tried again.
    Retried,
    /// The operation was given up.
    Failed,
    /// The cluster is gone.
    Removed,
    /// Somebody else holds the cluster.
    Fenced,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Run {
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Watch {
    kind: String,
}

/// A counter that somebody else keeps: it is read when the numbers are shown.
struct Kept<R> {
    name: &'static str,
    help: &'static str,
    read: R,
}

/// Registers a counter that somebody else keeps.
pub fn register_kept(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    read: impl Fn() -> u64 + Send + Sync + 'static,
) {
    registry.register_collector(Box::new(Kept { name, help, read }));
}

impl<R> fmt::Debug for Kept<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<R: Fn() -> u64 + Send + Sync + 'static> Collector for Kept<R> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = format!("{}.", self.help);
        let counter = encoder.encode_descriptor(self.name, &help, None, MetricType::Counter)?;
        ConstCounter::new((self.read)()).encode(counter)
    }
}

/// All counters of the process. Clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    runs: Family<Run, Counter>,
    run_time: Histogram,
    leases: Gauge,
    leases_lost: Counter,
    waiting: Gauge,
    watch_restarts: Family<Watch, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| ()).0
    }

    /// All counters at zero, and those that somebody else registers beside them.
    pub fn with<T>(register: impl FnOnce(&mut Registry) -> T) -> (Self, T) {
        let metrics = Self {
            registry: Arc::default(),
            runs: Family::default(),
            run_time: Histogram::new(RUN_BUCKETS),
            leases: Gauge::default(),
            leases_lost: Counter::default(),
            waiting: Gauge::default(),
            watch_restarts: Family::default(),
        };
        let mut registry = Registry::with_prefix("jeroboam");
        registry.register("reconcile_runs", "Runs of the reconciler on a cluster", metrics.runs.clone());
        let help = "Time of one run on one cluster";
        registry.register_with_unit("reconcile_run_duration", help, Unit::Seconds, metrics.run_time.clone());
        registry.register("leases_held", "Clusters this process may act on now", metrics.leases.clone());
        registry.register("leases_lost", "Leases that another process took over", metrics.leases_lost.clone());
        registry.register("clusters_waiting", "Clusters that are due and not taken", metrics.waiting.clone());
        let help = "Watches of the management cluster that began anew";
        registry.register("watch_restarts", help, metrics.watch_restarts.clone());
        let others = register(&mut registry);
        (Self { registry: Arc::new(registry), ..metrics }, others)
    }

    /// Counts a run of the reconciler.
    pub fn reconciled(&self, outcome: Outcome, took: Duration) {
        self.runs.get_or_create(&Run { outcome }).inc();
        self.run_time.observe(took.as_secs_f64());
    }

    /// Says how many clusters this process holds now.
    pub fn leases_held(&self, count: usize) {
        self.leases.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a lease that somebody else took over.
    pub fn lease_lost(&self) {
        self.leases_lost.inc();
    }

    /// Says how many clusters are due and not taken.
    pub fn clusters_waiting(&self, count: usize) {
        self.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a watch that had to list again.
    pub fn watch_restarted(&self, kind: &str) {
        self.watch_restarts.get_or_create(&Watch { kind: kind.to_owned() }).inc();
    }

    /// All of it as text, see [`CONTENT_TYPE`].
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

const RUN_BUCKETS: [f64; 9] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered() {
        let (metrics, requests) = Metrics::with(|registry| {
            let requests = Counter::<u64>::default();
            registry.register("http_requests", "Answered requests", requests.clone());
            register_kept(registry, "kept", "Kept elsewhere", || 7);
            requests
        });
        let clone = metrics.clone();
        requests.inc();
        clone.reconciled(Outcome::Settled, Duration::from_millis(30));
        clone.leases_held(4);
        clone.lease_lost();
        clone.watch_restarted("Machine");
        let text = metrics.render();
        for line in [
            "jeroboam_http_requests_total 1",
            "jeroboam_reconcile_runs_total{outcome=\"Settled\"} 1",
            "jeroboam_leases_held 4",
            "# HELP jeroboam_kept Kept elsewhere.",
            "# TYPE jeroboam_kept counter",
            "jeroboam_kept_total 7",
            "jeroboam_leases_lost_total 1",
            "jeroboam_watch_restarts_total{kind=\"Machine\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
