//! Numbers about requests, by route.

use std::time::Duration;

use http::Method;
use jeroboam_telemetry::metrics::Registry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

/// What answers are counted by. Routes are patterns, so that names of clusters make no series.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: String,
    route: String,
}

/// Counters and durations of answered requests. Clones count together.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    answers: Family<Answer, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
}

const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

impl HttpMetrics {
    /// Registers the numbers where they will be read: `Metrics::with(HttpMetrics::register)`.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let metrics = Self { answers: Family::default(), durations };
        registry.register("http_requests", "Requests answered", metrics.answers.clone());
        let help = "Time from request to answer";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, metrics.durations.clone());
        metrics
    }

    /// Counts one answer. No route means that nothing matched the path.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: u16, took: Duration) {
        // Clients may invent methods; those are one series.
        let known = [Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::PUT].contains(method);
        let method = if known { method.as_str() } else { "other" };
        let of = Route { method: method.to_owned(), route: route.to_owned() };
        self.durations.get_or_create(&of).observe(took.as_secs_f64());
        let Route { method, route } = of;
        self.answers.get_or_create(&Answer { method, route, status }).inc();
    }
}
