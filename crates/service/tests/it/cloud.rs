//! Keystone, Nova, Glance and Neutron as far as the service asks them, on one loopback port.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What the cloud holds and how it fails.
#[derive(Default)]
pub(crate) struct Things {
    /// Application credentials by id.
    pub(crate) credentials: BTreeMap<String, Value>,
    /// What Barbican keeps, by path.
    pub(crate) kept: BTreeMap<String, Value>,
    /// All requests, as `METHOD path`.
    pub(crate) asked: Vec<String>,
    /// Requests whose path holds this get this status.
    pub(crate) failing: Option<(&'static str, u16)>,
    /// What happens before the first POST whose path holds this is answered.
    pub(crate) meanwhile: Option<(&'static str, Meanwhile)>,
    next: u32,
}

/// Something that somebody else does.
pub(crate) type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

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

async fn answer(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let said = decide(&shared, &method, &uri, &headers, &body);
    let meant = |meanwhile: &mut (&'static str, Meanwhile)| method == Method::POST && uri.path().contains(meanwhile.0);
    let meanwhile = shared.things.lock().expect("lock").meanwhile.take_if(meant);
    if let Some((_, happening)) = meanwhile {
        happening.await;
    }
    said
}

fn decide(shared: &Shared, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let token = headers.get("x-auth-token").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let query = uri.query().unwrap_or_default();
    let mut things = shared.things.lock().expect("lock");
    things.asked.push(format!("{method} {}", uri.path()));
    if let Some((part, status)) = things.failing
        && uri.path().contains(part)
    {
        return reply(status, &json!({"error": {"code": status, "message": "no"}}));
    }
    if (method, uri.path()) == (&Method::POST, "/v3/auth/tokens") {
        return log_in(&things, &shared.url, body);
    }
    let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let (status, body) = match (method.as_str(), parts.as_slice()) {
        ("GET", ["v3", "auth", "tokens"]) => (200, token_body(&shared.url, &token)),
        (_, ["v3", "users", user, "application_credentials", rest @ ..]) => {
            credentials(&mut things, method, user, rest, &token, body)
        }
        ("GET", ["compute", "v2.1", "flavors", id]) => {
            one("flavor", flavors().into_iter().find(|flavor| flavor["id"] == *id))
        }
        ("GET", ["compute", "v2.1", "flavors"]) => (200, json!({"flavors": flavors()})),
        ("GET", ["compute", "v2.1", "os-keypairs", "mine"]) => {
            (200, json!({"keypair": {"name": "mine", "public_key": "ssh-rsa AAAA"}}))
        }
        ("GET", ["image", "v2", "images", id]) => match images().into_iter().find(|image| image["id"] == *id) {
            Some(image) => (200, image),
            None => missing(),
        },
        ("GET", ["image", "v2", "images"]) => (200, json!({"images": images_named(query)})),
        ("GET", ["volume", "v3", "types"]) => (200, json!({"volume_types": [{"id": "v-1", "name": "fast"}]})),
        ("GET", ["network", "v2.0", collection @ ("networks" | "subnets")]) => {
            (200, json!({*collection: filtered(networks(collection), query)}))
        }
        (_, ["keys", "v1", kind @ ("secrets" | "containers"), rest @ ..]) => {
            keys(&mut things, method, &format!("{}/keys/v1/{kind}", shared.url), rest, body)
        }
        _ => missing(),
    };
    reply(status, &body)
}

/// Takes the application credentials that there are.
fn log_in(things: &Things, url: &str, body: &[u8]) -> Response {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if body.pointer("/auth/identity/password/user/id").is_some_and(|user| user == "magnum") {
        let token = "magnum/service/admin";
        let mut answer = reply(201, &token_body(url, token));
        answer.headers_mut().insert("x-subject-token", axum::http::HeaderValue::from_static(token));
        return answer;
    }
    let id = body.pointer("/auth/identity/application_credential/id").and_then(Value::as_str).unwrap_or_default();
    if !things.credentials.contains_key(id) {
        return reply(401, &json!({"error": {"code": 401, "message": "unknown"}}));
    }
    let mut answer = reply(201, &token_body(url, "restricted/ann/blue/member"));
    answer.headers_mut().insert("x-subject-token", axum::http::HeaderValue::from_static("restricted/ann/blue/member"));
    answer
}

fn reply(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("status");
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    // A secret's payload is the one text that is no JSON.
    let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    (status, [("content-type", "application/json")], text).into_response()
}

fn missing() -> (u16, Value) {
    (404, json!({"itemNotFound": {"code": 404, "message": "not here"}}))
}

fn one(name: &str, found: Option<Value>) -> (u16, Value) {
    found.map_or_else(missing, |found| (200, json!({name: found})))
}

/// Tokens are `<user>/<project>/<role,role>`, and `restricted/…` for one of an application credential.
fn token_body(url: &str, token: &str) -> Value {
    let mut parts = token.trim_start_matches("restricted/").split('/');
    let (user, project) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let roles: Vec<Value> =
        parts.next().unwrap_or_default().split(',').map(|name| json!({"id": name, "name": name})).collect();
    let service = |kind: &str, path: &str| {
        json!({"type": kind, "name": kind, "endpoints": [
            {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": format!("{url}{path}")}]})
    };
    let domain = json!({"id": "default", "name": "Default"});
    json!({"token": {
        "methods": ["password"], "expires_at": "2126-01-01T01:00:00.000000Z", "issued_at": "2026-01-01T00:00:00.000000Z",
        "user": {"id": user, "name": user, "domain": domain},
        "project": {"id": project, "name": project, "domain": domain},
        "roles": roles,
        "catalog": [service("identity", "/v3"), service("compute", "/compute/v2.1"), service("image", "/image"), service("network", "/network"), service("block-storage", "/volume/v3"), service("key-manager", "/keys")]
    }})
}

/// Barbican: what is posted is kept under the next number.
fn keys(things: &mut Things, method: &Method, base: &str, rest: &[&str], body: &[u8]) -> (u16, Value) {
    let address = |id: &str| format!("{base}/{id}");
    match (method.as_str(), rest) {
        ("POST", []) => {
            things.next += 1;
            let address = address(&things.next.to_string());
            things.kept.insert(address.clone(), serde_json::from_slice(body).unwrap_or_default());
            (201, json!({"secret_ref": address, "container_ref": address}))
        }
        ("GET", [id, "payload"]) => {
            let payload = things.kept.get(&address(id)).map(|secret| secret["payload"].clone());
            payload.map_or_else(missing, |payload| (200, payload))
        }
        ("GET", [id]) => things.kept.get(&address(id)).map_or_else(missing, |found| (200, found.clone())),
        ("DELETE", [id]) => match things.kept.remove(&address(id)) {
            Some(_) => (204, Value::Null),
            None => missing(),
        },
        _ => missing(),
    }
}

fn credentials(
    things: &mut Things,
    method: &Method,
    user: &str,
    rest: &[&str],
    token: &str,
    body: &[u8],
) -> (u16, Value) {
    match (method.as_str(), rest) {
        ("POST", []) if token.starts_with("restricted/") => {
            (403, json!({"error": {"code": 403, "message": "restricted"}}))
        }
        ("POST", []) => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let mut made = body["application_credential"].clone();
            things.next += 1;
            let id = format!("credential-{}", things.next);
            made["id"] = json!(id);
            made["user"] = json!(user);
            made["secret"] = json!("s3cret");
            things.credentials.insert(id, made.clone());
            (201, json!({"application_credential": made}))
        }
        ("DELETE", [id]) => match things.credentials.remove(*id) {
            Some(_) => (204, Value::Null),
            None => missing(),
        },
        _ => missing(),
    }
}

fn flavors() -> Vec<Value> {
    let flavor =
        |id: &str, name: &str, disk: u64| json!({"id": id, "name": name, "vcpus": 2, "ram": 4096, "disk": disk});
    vec![flavor("1", "small", 20), flavor("2", "large", 80), flavor("3", "diskless", 0)]
}

fn images() -> Vec<Value> {
    let image = |id: &str, name: &str, more: Value| {
        let mut image = json!({"id": id, "name": name, "status": "active"});
        for (key, value) in more.as_object().expect("object") {
            image[key] = value.clone();
        }
        image
    };
    let distro = |version: &str| json!({"os_distro": "ubuntu", "kube_version": version});
    vec![
        image("i-133", "ubuntu-v1.33.4", distro("v1.33.4")),
        image("i-134", "ubuntu-v1.34.1", distro("v1.34.1")),
        image("i-135", "ubuntu-v1.35.0", distro("v1.35.0")),
        image("i-plain", "ubuntu", json!({"os_distro": "ubuntu"})),
        image("i-none", "nothing", json!({})),
        image("i-bad", "strange", distro("latest")),
        image("i-fcos", "fedora", json!({"os_distro": "fedora-coreos", "kube_version": "v1.33.4"})),
        image("i-named", "named", json!({"os_distro": "ubuntu", "magnum_driver": "k8s_cluster_api_debian"})),
        image("i-twin-1", "twin", distro("v1.33.4")),
        image("i-twin-2", "twin", distro("v1.33.4")),
    ]
}

fn images_named(query: &str) -> Vec<Value> {
    let name = query.split('&').find_map(|part| part.strip_prefix("name=")).unwrap_or_default();
    images().into_iter().filter(|image| image["name"] == name).collect()
}

fn networks(collection: &str) -> Vec<Value> {
    if collection == "subnets" {
        return vec![
            json!({"id": "s-1", "name": "blue", "network_id": "n-1", "cidr": "10.0.0.0/24"}),
            json!({"id": "s-2", "name": "red", "network_id": "n-2", "cidr": "10.1.0.0/24"}),
        ];
    }
    let network = |id: &str, name: &str, external: bool| json!({"id": id, "name": name, "router:external": external});
    vec![
        network("n-1", "private", false),
        network("n-2", "other", false),
        network("n-3", "twin", false),
        network("n-4", "twin", false),
        network("n-0", "public", true),
    ]
}

fn filtered(all: Vec<Value>, query: &str) -> Vec<Value> {
    let mut left = all;
    for (name, wanted) in query.split('&').filter_map(|part| part.split_once('=')) {
        let name = name.replace("%3A", ":");
        left.retain(|item| match &item[&name] {
            Value::Bool(value) => value.to_string() == wanted,
            Value::String(value) => value == wanted,
            _ => true,
        });
    }
    left
}
