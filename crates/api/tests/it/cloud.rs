//! Keystone, Nova, Glance and Neutron as far as the API asks them, on one loopback port.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How the cloud fails, and what it was asked.
#[derive(Default)]
pub(crate) struct Things {
    /// All requests, as `METHOD path`.
    pub(crate) asked: Vec<String>,
    /// The id by which each of them is known elsewhere.
    pub(crate) ids: Vec<String>,
    /// Requests whose path holds this get a 503.
    pub(crate) failing: Option<&'static str>,
    /// Requests whose path holds this are never answered.
    pub(crate) hanging: Option<&'static str>,
    made: u32,
}

pub(crate) struct Cloud {
    things: Arc<Mutex<Things>>,
    pub(crate) url: String,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Shared {
    things: Arc<Mutex<Things>>,
    url: String,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("port");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let things = Arc::new(Mutex::new(Things::default()));
        let shared = Shared { things: Arc::clone(&things), url: url.clone() };
        let app = Router::new().fallback(answer).with_state(shared);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.expect("served") });
        Self { things, url, _tasks: tasks }
    }

    pub(crate) fn things(&self) -> MutexGuard<'_, Things> {
        self.things.lock().expect("lock")
    }
}

async fn answer(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let hangs = shared.things.lock().expect("lock").hanging.is_some_and(|part| uri.path().contains(part));
    if hangs {
        std::future::pending::<()>().await;
    }
    let mut things = shared.things.lock().expect("lock");
    things.asked.push(format!("{method} {}", uri.path()));
    things.ids.push(header("x-openstack-request-id"));
    if things.failing.is_some_and(|part| uri.path().contains(part)) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    // As most web servers do before a service sees the path.
    let path = uri.path().replace("%2F", "/");
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let query = uri.query().unwrap_or_default();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["v3", "auth", "tokens"]) => {
            let body = token_body(&shared.url, "magnum/services/admin,service").expect("a token");
            ([("x-subject-token", "magnum/services/admin,service")], reply(201, &body)).into_response()
        }
        ("GET", ["v3", "auth", "tokens"]) => match token_body(&shared.url, &header("x-subject-token")) {
            Some(body) => reply(200, &body),
            None => missing(),
        },
        ("POST", ["v3", "users", _, "application_credentials"]) => {
            things.made += 1;
            let made = json!({"id": format!("credential-{}", things.made), "name": "c", "secret": "s3cret"});
            reply(201, &json!({"application_credential": made}))
        }
        ("GET", ["v3", "projects", id @ ("admin" | "blue" | "red")]) => {
            reply(200, &json!({"project": {"id": id, "name": id, "domain_id": "default", "enabled": true}}))
        }
        ("DELETE", ["v3", "users", _, "application_credentials", _]) => StatusCode::NO_CONTENT.into_response(),
        ("GET", ["compute", "v2.1", "flavors", "1"]) => reply(200, &json!({"flavor": flavor()})),
        ("GET", ["compute", "v2.1", "flavors"]) => reply(200, &json!({"flavors": [flavor()]})),
        ("GET", ["image", "v2", "images", "i-1"]) => reply(200, &image()),
        ("GET", ["image", "v2", "images", "i-1", "members"]) => reply(200, &json!({"members": []})),
        ("GET", ["image", "v2", "images"]) => {
            let found: Vec<Value> = if query.contains("name=ubuntu") { vec![image()] } else { Vec::new() };
            reply(200, &json!({"images": found}))
        }
        ("GET", ["network", "v2.0", "networks"]) => {
            let found = if query.contains("name=public") { vec![network()] } else { Vec::new() };
            reply(200, &json!({"networks": found}))
        }
        _ => missing(),
    }
}

fn reply(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("status");
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

fn missing() -> Response {
    reply(404, &json!({"error": {"code": 404, "message": "not here"}}))
}

fn flavor() -> Value {
    json!({"id": "1", "name": "small", "vcpus": 2, "ram": 4096, "disk": 20})
}

fn image() -> Value {
    json!({"id": "i-1", "name": "ubuntu", "status": "active", "os_distro": "ubuntu", "kube_version": "v1.33.4"})
}

fn network() -> Value {
    json!({"id": "n-0", "name": "public", "router:external": true})
}

/// Tokens are `<user>/<project>/<role,role>`; an empty project is none. `expired/…` has ended, `rules/…` may only list
/// clusters, and anything else is unknown.
fn token_body(url: &str, token: &str) -> Option<Value> {
    let mut parts = token.split('/');
    let (user, project, roles) = (parts.next()?, parts.next()?, parts.next()?);
    let roles: Vec<Value> = roles.split(',').map(|name| json!({"id": name, "name": name})).collect();
    let service = |kind: &str, path: &str| {
        json!({"type": kind, "name": kind, "endpoints": [
            {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": format!("{url}{path}")}]})
    };
    let domain = json!({"id": "default", "name": "Default"});
    let end = if user == "expired" { "2026-01-01T01:00:00.000000Z" } else { "2126-01-01T01:00:00.000000Z" };
    let mut token = json!({
        "methods": ["password"], "expires_at": end, "issued_at": "2026-01-01T00:00:00.000000Z",
        "user": {"id": user, "name": user, "domain": domain},
        "roles": roles,
        "catalog": [
            service("identity", "/v3"), service("compute", "/compute"), service("image", "/image"),
            service("network", "/network")
        ]
    });
    if !project.is_empty() {
        token["project"] = json!({"id": project, "name": project, "domain": domain});
    }
    if user == "rules" {
        token["application_credential"] = json!({"id": "a", "name": "a", "restricted": true, "access_rules": [
            {"id": "r", "service": "container-infra", "method": "GET", "path": "/v1/clusters"}]});
    }
    Some(json!({ "token": token }))
}
