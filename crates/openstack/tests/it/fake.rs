//! One HTTP server that answers for all services as a test's closure says, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::response::IntoResponse;
use futures::stream;
use jeroboam_model::{Clock, ManualClock};
use jeroboam_openstack::{Auth, DomainRef, Named, RetryPolicy, Scope, Session, SessionConfig};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A request as the fake saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// How often this method and path were asked before.
    pub(crate) nth: usize,
    /// Where the fake listens.
    pub(crate) url: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn is(&self, what: &str) -> bool {
        format!("{} {}", self.method, self.path) == what
    }
}

/// What the fake does.
pub(crate) enum Reply {
    Json(u16, Value),
    Headers(u16, Vec<(&'static str, String)>, Value),
    /// The beginning of an answer, then the connection breaks.
    Half,
    /// Nothing for a long time.
    Slow,
    /// An answer of so many bytes.
    Huge(usize),
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

struct Inner {
    handler: Box<Handler>,
    seen: Mutex<Vec<Seen>>,
    url: String,
}

pub(crate) struct Fake {
    inner: Arc<Inner>,
    _tasks: JoinSet<()>,
}

impl Fake {
    pub(crate) async fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner { handler: Box::new(handler), seen: Mutex::default(), url });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { inner, _tasks: tasks }
    }

    /// Keystone, which accepts every login, and whatever `handler` says for the rest.
    pub(crate) async fn cloud(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(move |seen| if seen.is("POST /v3/auth/tokens") { login(seen) } else { handler(seen) }).await
    }

    pub(crate) fn url(&self) -> &str {
        &self.inner.url
    }

    /// A session with quick retries.
    pub(crate) fn session(&self) -> Session {
        self.session_with(|_| {})
    }

    pub(crate) fn session_with(&self, change: impl Fn(&mut SessionConfig)) -> Session {
        let mut config = SessionConfig::new(self.url(), password());
        config.transport.retry = quick();
        change(&mut config);
        Session::new(config, clock()).unwrap()
    }

    /// How often a method and path were asked.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.seen().iter().filter(|seen| seen.is(what)).count()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = uri.path().to_owned();
    let seen = {
        let mut all = inner.seen.lock().unwrap();
        let seen = Seen {
            nth: all.iter().filter(|seen| seen.method == method && seen.path == path).count(),
            method,
            path,
            query: uri.query().unwrap_or_default().to_owned(),
            headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
            url: inner.url.clone(),
        };
        all.push(seen.clone());
        seen
    };
    match (inner.handler)(&seen) {
        Reply::Json(status, body) => respond(status, &[], body.to_string()),
        Reply::Headers(status, headers, body) => respond(status, &headers, body.to_string()),
        Reply::Half => {
            let parts: [Result<&str, std::io::Error>; 2] =
                [Ok("{\"flavor\": {\"id\": "), Err(std::io::ErrorKind::ConnectionReset.into())];
            Body::from_stream(stream::iter(parts)).into_response()
        }
        Reply::Slow => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            respond(200, &[], String::new())
        }
        Reply::Huge(bytes) => respond(200, &[], "x".repeat(bytes)),
    }
}

fn respond(status: u16, headers: &[(&'static str, String)], body: String) -> Response<Body> {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body)).unwrap()
}

/// Half past nothing on the day of the tests.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(manual_clock())
}

pub(crate) fn manual_clock() -> ManualClock {
    ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap())
}

pub(crate) fn quick() -> RetryPolicy {
    RetryPolicy { attempts: 4, base: Duration::from_millis(1), cap: Duration::from_millis(5) }
}

pub(crate) fn password() -> Auth {
    let user = Named::Name { name: "demo".into(), domain: DomainRef::default() };
    let project = Named::Name { name: "demo".into(), domain: DomainRef::default() };
    Auth::Password { user, password: "hunter2".into(), scope: Scope::Project(project) }
}

/// A login that gives `token-<nth>`.
pub(crate) fn login(seen: &Seen) -> Reply {
    Reply::Headers(201, vec![("x-subject-token", format!("token-{}", seen.nth))], token_body(&seen.url))
}

/// What Keystone says about a token of the project `p1`, good for an hour.
pub(crate) fn token_body(url: &str) -> Value {
    let service = |kind: &str, path: &str| {
        json!({"type": kind, "name": kind, "endpoints": [
            {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": format!("{url}{path}")}]})
    };
    json!({"token": {
        "methods": ["password"], "expires_at": "2026-01-01T01:00:00.000000Z", "issued_at": "2026-01-01T00:00:00.000000Z",
        "user": {"id": "u1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": "p1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": "r1", "name": "member"}, {"id": "r2", "name": "reader"}],
        "catalog": [service("identity", "/v3"), service("compute", "/compute/v2.1"), service("image", "/image"),
            service("network", "/network/"), service("load-balancer", "/lb"), service("volumev3", "/volume/v3/p1"),
            service("key-manager", "/keys")]
    }})
}

pub(crate) fn not_found() -> Reply {
    Reply::Json(404, json!({"itemNotFound": {"code": 404, "message": "not here"}}))
}
