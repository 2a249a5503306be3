//! Numbers that others keep, and that are looked up when somebody asks: what is remembered, quotas, notifications, caches, what waits for other regions.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::around::Around;
use crate::events::Counts;
use crate::hits::Hits;
use crate::mirror::CacheCounts;
use crate::store::{QuotaView, Store};

/// Whoever keeps them, once they are there. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<OnceLock<Keepers>>);

/// Whoever keeps numbers.
pub(super) struct Keepers {
    pub(super) store: Arc<Store>,
    pub(super) around: Around,
    /// The cache of a node, where this is one.
    pub(super) node: Option<Arc<Hits>>,
}

impl Kept {
    pub(super) fn by(&self, keepers: Keepers) {
        // There is one registry in a process.
        let _ = self.0.set(keepers);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Collector for Kept {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let Some(Keepers { store, around, node }) = self.0.get() else { return Ok(()) };
        if let Some(ahead) = store.place().seconds_ahead() {
            let help = "How far the store's clock is ahead of this machine's.";
            ConstGauge::new(ahead).encode(encoder.encode_descriptor(
                "clock_ahead_seconds",
                help,
                None,
                MetricType::Gauge,
            )?)?;
        }
        remembered(encoder, store.remembered())?;
        quotas(encoder, &store.quotas())?;
        caches(encoder, &around.mirror.counts())?;
        if let Some(node) = node {
            counter(encoder, "nodecache_hits", "Blobs that were read from the node's disk", node.hits())?;
            counter(encoder, "nodecache_misses", "Blobs that the store was asked for", node.misses())?;
        }
        if let Some(counts) = around.events.counts() {
            notifications(encoder, counts)?;
        }
        let backlog = around.replication.backlog();
        if !backlog.is_empty() {
            let waiting: Vec<_> =
                backlog.iter().map(|(target, waiting, _)| ([("target", target.as_str())], *waiting as u64)).collect();
            gauges(encoder, "replication_waiting", "Changes that wait for another region", &waiting)?;
            let trouble: Vec<_> = backlog
                .iter()
                .map(|(target, _, trouble)| ([("target", target.as_str())], u64::from(trouble.is_some())))
                .collect();
            gauges(encoder, "replication_trouble", "Whether it cannot be reached", &trouble)?;
        }
        Ok(())
    }
}

/// distribution: the cache of blobs' descriptors. Ours is in memory, where nothing fails.
fn remembered(encoder: &mut DescriptorEncoder<'_>, remembered: &Hits) -> fmt::Result {
    let (hits, misses) = (remembered.hits(), remembered.misses());
    counter(encoder, "storage_cache_requests", "Sizes of blobs that were asked for", hits + misses)?;
    counter(encoder, "storage_cache_hits", "Those that were remembered", hits)?;
    counter(encoder, "storage_cache_errors", "Those that could not be looked up in memory", 0)
}

fn quotas(encoder: &mut DescriptorEncoder<'_>, views: &[QuotaView]) -> fmt::Result {
    type Number = fn(&QuotaView) -> Option<u64>;
    let kinds: [(&str, &str, Number); 4] = [
        ("quota_used_bytes", "Bytes that a namespace has", |view| Some(view.bytes)),
        ("quota_limit_bytes", "Bytes that a namespace may have", |view| view.bytes_limit),
        ("quota_used_tags", "Tags that a namespace has", |view| Some(view.tags)),
        ("quota_limit_tags", "Tags that a namespace may have", |view| view.tags_limit),
    ];
    for (name, help, number) in kinds {
        let lines: Vec<_> =
            views.iter().filter_map(|view| Some(([("namespace", view.namespace.as_str())], number(view)?))).collect();
        gauges(encoder, name, help, &lines)?;
    }
    Ok(())
}

/// distribution: the names of its cache of another registry, of which it has one and we may have several.
fn caches(encoder: &mut DescriptorEncoder<'_>, counts: &[CacheCounts]) -> fmt::Result {
    type Number = fn(&CacheCounts) -> u64;
    let kinds: [(&str, &str, Number); 3] = [
        ("proxy_requests", "What caches of other registries were asked for and gave", |counts| {
            counts.hits + counts.misses
        }),
        ("proxy_hits", "What was here of it", |counts| counts.hits),
        ("proxy_misses", "What was fetched", |counts| counts.misses),
    ];
    for (name, help, number) in kinds {
        let lines: Vec<_> = counts
            .iter()
            .map(|counts| ([("type", counts.kind), ("prefix", counts.prefix.as_str())], number(counts)))
            .collect();
        counters(encoder, name, help, &lines)?;
    }
    Ok(())
}

/// distribution: its own names, and the words of its labels. `Lost` is ours.
fn notifications(encoder: &mut DescriptorEncoder<'_>, counts: &Counts) -> fmt::Result {
    let (mut events, mut pending, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
    for endpoint in counts.endpoints() {
        let name = ("endpoint", endpoint.name());
        for (kind, count) in [
            ("Events", endpoint.wanted()),
            ("Successes", endpoint.sent()),
            ("Failures", endpoint.refused()),
            ("Errors", endpoint.unanswered()),
            ("Lost", endpoint.lost() + counts.lost_before()),
        ] {
            events.push(([("type", kind), name], count));
        }
        pending.push(([name], endpoint.waiting()));
        statuses.extend(endpoint.statuses().into_iter().map(|(code, count)| (code, endpoint.name(), count)));
    }
    counters(encoder, "notifications_events", "Events for endpoints, and what became of them", &events)?;
    gauges(encoder, "notifications_pending_total", "Envelopes that wait in the store", &pending)?;
    let statuses: Vec<_> = statuses
        .iter()
        .map(|(code, endpoint, count)| ([("code", code.as_str()), ("endpoint", *endpoint)], *count))
        .collect();
    counters(encoder, "notifications_status", "Answers of endpoints", &statuses)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, count: u64) -> fmt::Result {
    let help = format!("{help}.");
    ConstCounter::new(count).encode(encoder.encode_descriptor(name, &help, None, MetricType::Counter)?)
}

fn gauges<const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    lines: &[([(&str, &str); LABELS], u64)],
) -> fmt::Result {
    family(encoder, (name, help, MetricType::Gauge), lines, ConstGauge::new)
}

fn counters<const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    lines: &[([(&str, &str); LABELS], u64)],
) -> fmt::Result {
    family(encoder, (name, help, MetricType::Counter), lines, ConstCounter::new)
}

/// Numbers of one kind, each with its labels.
fn family<M: EncodeMetric, const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, kind): (&str, &str, MetricType),
    lines: &[([(&str, &str); LABELS], u64)],
    number: fn(u64) -> M,
) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, &format!("{help}."), None, kind)?;
    for (labels, count) in lines {
        number(*count).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}
