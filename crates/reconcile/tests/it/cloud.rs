//! As much of OpenStack as a reconciler asks: tokens, one image, flavors, one network, application credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, body::Bytes};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The cloud.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) url: String,
    state: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    url: String,
    credentials: BTreeSet<String>,
    away: bool,
    flavors: BTreeSet<String>,
    /// Descriptions by id.
    floating_ips: BTreeMap<String, String>,
    /// Counts the floating IPs that ever were.
    taken: usize,
}

type Shared = State<Arc<Mutex<Inside>>>;

impl Cloud {
    pub(crate) async fn start(tasks: &mut JoinSet<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let inside = Inside {
            url: url.clone(),
            flavors: ["m1.medium", "m1.large"].map(str::to_owned).into(),
            ..Inside::default()
        };
        let state = Arc::new(Mutex::new(inside));
        let app = Router::new()
            .route("/v3/auth/tokens", post(log_in))
            .route("/v3/users/{user}/application_credentials", get(credentials))
            .route("/v3/users/{user}/application_credentials/{id}", delete(revoke))
            .route("/v2/images/{id}", get(image))
            .route("/v2.1/flavors", get(flavors))
            .route("/v2.1/flavors/{id}", get(flavor))
            .route("/v2.0/networks", get(networks))
            .route("/v2.0/floatingips", get(floating_ips).post(take_floating_ip))
            .route("/v2.0/floatingips/{id}", delete(give_floating_ip_back))
            .with_state(Arc::clone(&state));
        tasks.spawn(async move { axum::serve(listener, app).await.expect("serving") });
        Self { url, state }
    }

    pub(crate) fn add_credential(&self, id: &str) {
        self.inside().credentials.insert(id.to_owned());
    }

    pub(crate) fn credentials(&self) -> Vec<String> {
        self.inside().credentials.iter().cloned().collect()
    }

    /// Takes a credential back behind everybody's back.
    pub(crate) fn revoke(&self, id: &str) {
        self.inside().credentials.remove(id);
    }

    /// How many floating IPs are taken.
    pub(crate) fn floating_ips(&self) -> usize {
        self.inside().floating_ips.len()
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.inside().away = away;
    }

    pub(crate) fn remove_flavor(&self, name: &str) {
        self.inside().flavors.remove(name);
    }

    pub(crate) fn add_flavor(&self, name: &str) {
        self.inside().flavors.insert(name.to_owned());
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        locked(&self.state)
    }
}

fn locked(state: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"error": {"message": "not found"}}))).into_response()
}

async fn log_in(State(state): Shared, body: Bytes) -> Response {
    let inside = locked(&state);
    if inside.away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let credential = body.pointer("/auth/identity/application_credential/id").and_then(Value::as_str);
    if credential.is_some_and(|id| !inside.credentials.contains(id)) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": {"message": "unknown credential"}}))).into_response();
    }
    let service = |kind: &str, path: &str| {
        let endpoint = json!({"interface": "public", "region_id": "RegionOne", "url": format!("{}{path}", inside.url)});
        json!({"type": kind, "name": kind, "endpoints": [endpoint]})
    };
    let token = json!({"token": {
        "methods": ["password"],
        "user": {"id": "u1", "name": "u1", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": "p1", "name": "p1", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": "r", "name": "admin"}],
        "issued_at": "2026-11-21T12:00:00.000000Z",
        "expires_at": "2126-11-21T12:00:00.000000Z",
        "catalog": [
            service("identity", "/v3"), service("image", "/v2"), service("compute", "/v2.1"), service("network", "/v2.0"),
        ],
    }});
    (StatusCode::CREATED, [("X-Subject-Token", "a-token")], Json(token)).into_response()
}

async fn credentials(State(state): Shared) -> Json<Value> {
    let inside = locked(&state);
    let listed: Vec<_> = inside
        .credentials
        .iter()
        .map(|id| json!({"id": id, "name": format!("name of {id}"), "project_id": "p1"}))
        .collect();
    Json(json!({"application_credentials": listed}))
}

async fn revoke(State(state): Shared, Path((_, id)): Path<(String, String)>) -> Response {
    let mut inside = locked(&state);
    if inside.away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if inside.credentials.remove(&id) { StatusCode::NO_CONTENT.into_response() } else { nothing() }
}

async fn image(State(state): Shared, Path(id): Path<String>) -> Response {
    if locked(&state).away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(json!({"id": id, "name": id, "status": "active", "os_distro": "ubuntu"})).into_response()
}

async fn flavors(State(state): Shared) -> Json<Value> {
    let listed: Vec<_> = locked(&state).flavors.iter().map(|name| json!({"id": name, "name": name})).collect();
    Json(json!({"flavors": listed}))
}

async fn flavor(State(state): Shared, Path(id): Path<String>) -> Response {
    let inside = locked(&state);
    if !inside.flavors.contains(&id) {
        return nothing();
    }
    Json(json!({"flavor": {"id": id, "name": id, "vcpus": 2, "ram": 4096, "disk": 20}})).into_response()
}

async fn networks() -> Json<Value> {
    Json(json!({"networks": [{"id": "net-public", "name": "public", "router:external": true, "subnets": []}]}))
}

fn floating_ip(id: &str, description: &str) -> Value {
    json!({"id": id, "floating_ip_address": id, "description": description, "port_id": null})
}

async fn floating_ips(State(state): Shared, Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let inside = locked(&state);
    let wanted = |description: &String| query.get("description").is_none_or(|wanted| wanted == description);
    let found = inside.floating_ips.iter().filter(|(_, description)| wanted(description));
    Json(json!({"floatingips": found.map(|(id, text)| floating_ip(id, text)).collect::<Vec<_>>()}))
}

async fn take_floating_ip(State(state): Shared, Json(body): Json<Value>) -> Response {
    let mut inside = locked(&state);
    inside.taken += 1;
    let id = format!("192.0.2.{}", inside.taken);
    let description = body["floatingip"]["description"].as_str().unwrap_or_default().to_owned();
    let made = json!({"floatingip": floating_ip(&id, &description)});
    inside.floating_ips.insert(id, description);
    (StatusCode::CREATED, Json(made)).into_response()
}

async fn give_floating_ip_back(State(state): Shared, Path(id): Path<String>) -> Response {
    if locked(&state).floating_ips.remove(&id).is_some() { StatusCode::NO_CONTENT.into_response() } else { nothing() }
}
