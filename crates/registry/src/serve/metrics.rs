//! What the registry counts, under the names that distribution has for it.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::house_metrics::HouseMetrics;
use super::indexing::Indexed;
use super::kept::Kept;
use super::measured::Hears;

/// A kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handled {
    handler: &'static str,
    method: String,
}

/// A kind of answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    handler: &'static str,
    method: String,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Running {
    handler: &'static str,
}

/// A kind of call to the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Action {
    action: &'static str,
    driver: &'static str,
}

/// A request that has ended.
pub(super) struct Ended<'a> {
    pub(super) handler: &'static str,
    pub(super) method: &'a http::Method,
    pub(super) code: u16,
    pub(super) took: Duration,
    /// Bytes of its body that came.
    pub(super) received: u64,
    /// Bytes of the answer that were sent.
    pub(super) sent: u64,
}

const TIMES: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const SIZES: [f64; 7] = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All counters. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<Answered, Counter>,
    times: Histograms<Handled>,
    received: Histograms<Handled>,
    sent: Histograms<Handled>,
    running: Family<Running, Gauge>,
    actions: Histograms<Action>,
    failures: Family<Action, Counter>,
    house: HouseMetrics,
    indexed: Indexed,
    kept: Kept,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

fn times() -> Histogram {
    Histogram::new(TIMES)
}

fn sizes() -> Histogram {
    Histogram::new(SIZES)
}

impl Metrics {
    /// All counters at zero.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            requests: Family::default(),
            times: Family::new_with_constructor(times),
            received: Family::new_with_constructor(sizes),
            sent: Family::new_with_constructor(sizes),
            running: Family::default(),
            actions: Family::new_with_constructor(times),
            failures: Family::default(),
            house: HouseMetrics::default(),
            indexed: Indexed::default(),
            kept: Kept::default(),
        };
        let mut registry = Registry::with_prefix("registry");
        let http = registry.sub_registry_with_prefix("http");
        http.register("requests", "Answered requests", metrics.requests.clone());
        http.register_with_unit(
            "request_duration",
            "Time until an answer was sent",
            Unit::Seconds,
            metrics.times.clone(),
        );
        http.register_with_unit("request_size", "Bytes of requests' bodies", Unit::Bytes, metrics.received.clone());
        http.register_with_unit("response_size", "Bytes of answers", Unit::Bytes, metrics.sent.clone());
        http.register("in_flight_requests", "Requests that are being answered", metrics.running.clone());
        let storage = registry.sub_registry_with_prefix("storage");
        storage.register_with_unit("action", "Time of calls to the store", Unit::Seconds, metrics.actions.clone());
        storage.register("action_errors", "Calls to the store that failed", metrics.failures.clone());
        metrics.house.register(&mut registry);
        metrics.indexed.register(&mut registry);
        let build = Info::new(vec![("version", version)]);
        registry.register_collector(Box::new(metrics.kept.clone()));
        registry.register("build", "The program", build);
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// Where those are noted who keep numbers of their own.
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// A request has begun.
    pub(super) fn begin(&self, handler: &'static str) {
        self.running.get_or_create(&Running { handler }).inc();
    }

    /// A request has ended.
    pub(super) fn end(&self, ended: &Ended<'_>) {
        let handler = ended.handler;
        self.running.get_or_create(&Running { handler }).dec();
        let method = word(ended.method).to_owned();
        self.requests.get_or_create(&Answered { handler, method: method.clone(), code: ended.code }).inc();
        let handled = Handled { handler, method };
        self.times.get_or_create(&handled).observe(ended.took.as_secs_f64());
        for (sizes, bytes) in [(&self.received, ended.received), (&self.sent, ended.sent)] {
            #[expect(clippy::cast_precision_loss, reason = "a histogram has buckets that are much wider")]
            sizes.get_or_create(&handled).observe(bytes as f64);
        }
    }

    /// The store was asked.
    pub(super) fn asked(&self, driver: &'static str, action: &'static str, took: Duration, failed: bool) {
        let action = Action { action, driver };
        self.actions.get_or_create(&action).observe(took.as_secs_f64());
        if failed {
            self.failures.get_or_create(&action).inc();
        }
    }

    /// Counts the calls to the store of a driver.
    pub(super) fn of_calls(&self, driver: &'static str) -> Hears {
        let metrics = self.clone();
        Box::new(move |action, took, failed| metrics.asked(driver, action, took, failed))
    }

    /// What keeping house counts.
    pub(super) fn house(&self) -> HouseMetrics {
        self.house.clone()
    }

    /// What comes of indexing what manifests are about.
    pub(super) fn indexed(&self) -> Indexed {
        self.indexed.clone()
    }

    /// All of it as text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// A method, or one word for all that nobody knows: a client must not make up labels.
fn word(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "get",
        "HEAD" => "head",
        "POST" => "post",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        _ => "other",
    }
}

/// The name of what answers a path. distribution: its route names, with underscores in the numbers.
pub(super) fn handler(path: &str) -> &'static str {
    use jeroboam_oci::Route;
    match jeroboam_oci::parse_route(path) {
        Ok(Route::Base | Route::BaseWithoutSlash) => "base",
        Ok(Route::Catalog) => "catalog",
        Ok(Route::Tags(_)) => "tags",
        Ok(Route::Manifest(..)) => "manifest",
        Ok(Route::Blob(..)) => "blob",
        Ok(Route::Uploads(_)) => "blob_upload",
        Ok(Route::Upload(..)) => "blob_upload_chunk",
        Ok(Route::Referrers(..)) => "referrers",
        Ok(_) => "extension",
        Err(_) => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_names_of_distribution() {
        let metrics = Metrics::new("1");
        metrics.begin("manifest");
        let (method, took) = (&http::Method::GET, Duration::from_millis(7));
        metrics.end(&Ended { handler: "manifest", method, code: 200, took, received: 50, sent: 500 });
        metrics.asked("swift", "Stat", Duration::from_millis(30), true);
        let text = metrics.render();
        for line in [
            r#"registry_http_requests_total{handler="manifest",method="get",code="200"} 1"#,
            r#"registry_http_in_flight_requests{handler="manifest"} 0"#,
            r#"registry_http_request_duration_seconds_count{handler="manifest",method="get"} 1"#,
            r#"registry_http_request_size_bytes_bucket{le="100.0",handler="manifest",method="get"} 1"#,
            r#"registry_http_response_size_bytes_bucket{le="1000.0",handler="manifest",method="get"} 1"#,
            r#"registry_storage_action_seconds_count{action="Stat",driver="swift"} 1"#,
            r#"registry_storage_action_errors_total{action="Stat",driver="swift"} 1"#,
            r#"registry_build_info{version="1"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_client_makes_up_no_labels() {
        assert_eq!(word(&http::Method::from_bytes(b"MADEUP").expect("a method")), "other");
        for (path, name) in [
            ("/v2/", "base"),
            ("/v2/a/b/manifests/latest", "manifest"),
            ("/v2/a/blobs/uploads/", "blob_upload"),
            ("/v2/a/blobs/uploads/9a3e2b1c-8d4f-4e5a-9b6c-7d8e9f0a1b2c", "blob_upload_chunk"),
            ("/v2/a/tags/list", "tags"),
            ("/other", "other"),
        ] {
            assert_eq!(handler(path), name, "{path}");
        }
    }
}
