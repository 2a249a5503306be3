//! The API over an empty database and a pretend cloud, and how to speak to it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use jeroboam_api::{ApiConfig, App, AppParts, HttpMetrics};
use jeroboam_model::{ClusterId, ManualClock, Status};
use jeroboam_openstack::{Auth, RetryPolicy, Scope, Session, SessionConfig, TokenValidator, UserRef, ValidatorConfig};
use jeroboam_oslo::{Enforcer, PolicySettings};
use jeroboam_service::{Service, ServiceConfig, ServiceParts};
use jeroboam_store::{ClusterSeen, GroupSeen, Recorded, Store, StoreConfig};
use jeroboam_telemetry::Metrics;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::cloud::Cloud;

/// The tenant of most tests.
pub(crate) const ANN: &str = "ann/blue/member,reader";
/// A tenant of another project.
pub(crate) const BOB: &str = "bob/red/member,reader";
/// Somebody of Ann's project who may only look.
pub(crate) const EVE: &str = "eve/blue/reader";
/// The cloud's administrator.
pub(crate) const ROOT: &str = "root/admin/admin,member,reader";

pub(crate) struct Bed {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) cloud: Cloud,
    pub(crate) metrics: Metrics,
    clock: Arc<ManualClock>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// A request that is being put together.
pub(crate) struct Asking<'a> {
    bed: &'a Bed,
    request: http::request::Builder,
    body: Vec<u8>,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl Fn(&mut ApiConfig)) -> Self {
        let mut config = StoreConfig::at("sqlite::memory:".to_owned().into());
        config.key = Some("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_owned().into());
        let store = Store::connect(&config).await.expect("store");
        store.upgrade().await.expect("tables");
        Self::on(store, change).await
    }

    /// On a database that a test brings.
    pub(crate) async fn on(store: Store, change: impl Fn(&mut ApiConfig)) -> Self {
        let cloud = Cloud::start().await;
        let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().expect("time")));
        let user = UserRef::Id("magnum".to_owned());
        let auth = Auth::Password { user, password: "none".to_owned().into(), scope: Scope::Unscoped };
        let mut session = SessionConfig::new(cloud.url.clone(), auth);
        let pause = Duration::from_millis(1);
        session.transport.retry = RetryPolicy { attempts: 2, base: pause, cap: pause };
        let session = Session::new(session, clock.clone()).expect("session");
        let policy = PolicySettings { enforce_new_defaults: true, ..PolicySettings::default() };
        let mut settings = ServiceConfig::default();
        settings.certificates.kind = "x509keypair".parse().expect("a place");
        let service = Service::new(ServiceParts {
            store: store.clone(),
            session: session.clone(),
            policy: Arc::new(Enforcer::new(policy).expect("policy")),
            settings,
            clock: clock.clone(),
            notifier: jeroboam_service::Notifier::silent(),
        });
        let auth = TokenValidator::new(session, ValidatorConfig::default(), clock.clone());
        let mut config = ApiConfig::new("http://keystone.example/");
        config.healthcheck_disabled_by = None;
        change(&mut config);
        let (metrics, http_metrics) = Metrics::with(HttpMetrics::register);
        let router = jeroboam_api::router(App::new(AppParts { service, auth, config, http_metrics }));
        Self { router, store, cloud, metrics, clock }
    }

    /// A request without a token.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Asking<'_> {
        let request = Request::builder().method(method).uri(path).header("host", "cloud:9511");
        Asking { bed: self, request, body: Vec::new() }
    }

    /// A request of Ann's in the newest version.
    pub(crate) fn ann(&self, method: &str, path: &str) -> Asking<'_> {
        self.ask(method, path).token(ANN).version("latest")
    }

    /// Ann's template; its id.
    pub(crate) async fn template(&self) -> String {
        let body = json!({
            "name": "plain", "coe": "kubernetes", "image_id": "ubuntu", "flavor_id": "small",
            "master_flavor_id": "small", "external_network_id": "public", "network_driver": "calico",
            "labels": {"both": "parent", "only": "1"}
        });
        let made = self.ann("POST", "/v1/clustertemplates").json(&body).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.value()["uuid"].as_str().expect("an id").to_owned()
    }

    /// Ann's cluster, accepted; its id.
    pub(crate) async fn cluster(&self, name: &str) -> String {
        let body = json!({"name": name, "cluster_template_id": self.template().await});
        let made = self.ann("POST", "/v1/clusters").json(&body).send().await;
        assert_eq!(made.status, 202, "{}", made.text);
        made.value()["uuid"].as_str().expect("an id").to_owned()
    }

    /// Does what a reconciler does at the end of an operation.
    pub(crate) async fn settle(&self, id: &str, status: Status, reason: Option<&str>) {
        let id: ClusterId = id.parse().expect("an id");
        let now = jeroboam_model::Clock::now(&*self.clock);
        let lease = self.store.claim(id, "test", now, Duration::from_secs(10)).await.expect("claim").expect("free");
        let loaded = self.store.load(&lease).await.expect("load").expect("there");
        let mut cluster = ClusterSeen::from(&loaded.view.cluster);
        cluster.status = status;
        cluster.status_reason = reason.map(str::to_owned);
        cluster.api_address = Some("https://192.0.2.1:6443".to_owned());
        let mut groups: Vec<GroupSeen> = loaded.view.groups.iter().map(GroupSeen::from).collect();
        for group in &mut groups {
            group.status = status;
            group.status_reason = reason.map(str::to_owned);
        }
        let seen = Recorded { cluster: Some(cluster), groups, ..Recorded::default() };
        assert!(self.store.record(&lease, loaded.work.revision, seen).await.expect("recorded"));
        assert!(self.store.release(&lease, now).await.expect("released"));
    }
}

impl Asking<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("x-auth-token", token)
    }

    /// `container-infra <version>`.
    pub(crate) fn version(self, version: &str) -> Self {
        let value = format!("container-infra {version}");
        self.header("openstack-api-version", &value)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string().as_bytes())
    }

    pub(crate) fn body(mut self, kind: &str, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.header("content-type", kind)
    }

    pub(crate) async fn send(self) -> Answer {
        let request = self.request.body(Body::from(self.body)).expect("a request");
        let response = self.bed.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }
}

impl Answer {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// What Magnum's clients show of an error.
    pub(crate) fn detail(&self) -> String {
        self.value()["errors"][0]["detail"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The keys of the answer, or of a part of it, in their order.
    pub(crate) fn keys(&self, part: &str) -> String {
        let start = if part.is_empty() { 0 } else { self.text.find(part).expect("the part is there") + part.len() };
        let mut keys = Vec::new();
        let (mut depth, mut inside, mut word) = (0, false, String::new());
        let mut chars = self.text[start..].chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if inside => {
                    inside = false;
                    if depth == 1 && chars.peek() == Some(&':') {
                        keys.push(word.clone());
                    }
                }
                '"' => {
                    inside = true;
                    word.clear();
                }
                _ if inside => word.push(c),
                '{' | '[' => depth += 1,
                '}' | ']' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                _ => {}
            }
        }
        keys.join(" ")
    }
}

/// So that a wrong status shows what was said.
pub(crate) fn is(answer: &Answer, status: StatusCode) {
    assert_eq!(answer.status, status.as_u16(), "{}", answer.text);
}
