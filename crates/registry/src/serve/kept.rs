//! Numbers that others keep, and that are looked up when somebody asks: quotas, notifications, what waits for other regions.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::around::Around;
use crate::store::{QuotaView, Store};

/// Whoever keeps them, once they are there. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<OnceLock<(Arc<Store>, Around)>>);

impl Kept {
    pub(super) fn of(&self, store: &Arc<Store>, around: &Around) {
        // There is one registry in a process.
        let _ = self.0.set((Arc::clone(store), around.clone()));
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Collector for Kept {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some((store, around)) = self.0.get() else { return Ok(()) };
        quotas(&mut encoder, &store.quotas())?;
        if let Some(counts) = around.events.counts() {
            // distribution: the words of its own label.
            let events = [
                ("Events", counts.told()),
                ("Successes", counts.sent()),
                ("Failures", counts.failed()),
                ("Lost", counts.lost()),
            ];
            counters(
                &mut encoder,
                "notifications_events",
                "Events for endpoints, and what became of them",
                "type",
                &events,
            )?;
        }
        let backlog = around.replication.backlog();
        if !backlog.is_empty() {
            let waiting: Vec<_> =
                backlog.iter().map(|(target, waiting, _)| (target.as_str(), *waiting as u64)).collect();
            gauges(&mut encoder, "replication_waiting", "Changes that wait for another region", "target", &waiting)?;
            let trouble: Vec<_> =
                backlog.iter().map(|(target, _, trouble)| (target.as_str(), u64::from(trouble.is_some()))).collect();
            gauges(&mut encoder, "replication_trouble", "Whether it cannot be reached", "target", &trouble)?;
        }
        Ok(())
    }
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
        let lines: Vec<_> = views.iter().filter_map(|view| Some((view.namespace.as_str(), number(view)?))).collect();
        gauges(encoder, name, help, "namespace", &lines)?;
    }
    Ok(())
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    lines: &[(&str, u64)],
) -> fmt::Result {
    family(encoder, (name, help, MetricType::Gauge), label, lines, ConstGauge::new)
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    lines: &[(&str, u64)],
) -> fmt::Result {
    family(encoder, (name, help, MetricType::Counter), label, lines, ConstCounter::new)
}

fn family<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, kind): (&str, &str, MetricType),
    label: &str,
    lines: &[(&str, u64)],
    number: fn(u64) -> M,
) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, &format!("{help}."), None, kind)?;
    for (value, count) in lines {
        number(*count).encode(family.encode_family(&[(label, *value)])?)?;
    }
    Ok(())
}
