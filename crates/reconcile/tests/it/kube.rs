//! As much of a management cluster as a reconciler sees: an API server with discovery, apply, lists, watches and deletes,
//! and something that makes of each Cluster what Cluster API would have made of it after a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The management cluster.
#[derive(Clone)]
pub(crate) struct Kube {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    inside: Mutex<Inside>,
    version: watch::Sender<u64>,
}

/// Where an object lives: group and version, plural, namespace, name.
type Place = (String, String, String, String);

#[derive(Default)]
struct Inside {
    objects: BTreeMap<Place, Value>,
    events: Vec<(u64, Place, Value)>,
    writes: Vec<String>,
    /// What Cluster API would do is held back.
    held: bool,
    /// What every Cluster is answered with instead of being taken.
    refusal: Option<(StatusCode, String)>,
    away: bool,
    /// Namespaces that are on their way out and take nothing new.
    leaving: BTreeSet<String>,
}

const CORE: &str = "cluster.x-k8s.io/v1beta2";
const CONTROL_PLANE: &str = "controlplane.cluster.x-k8s.io/v1beta2";
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io/v1beta2";

impl Kube {
    pub(crate) async fn start(tasks: &mut JoinSet<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared { inside: Mutex::default(), version: watch::Sender::new(1) });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tasks.spawn(async move { axum::serve(listener, app).await.expect("serving") });
        Self { url, shared }
    }

    pub(crate) fn kubeconfig(&self) -> String {
        let url = &self.url;
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": url}}],
            "users": [{"name": "it", "user": {"token": "t"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        })
        .to_string()
    }

    /// Every write so far, as `PATCH clusters/blue`.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.inside().writes.clone()
    }

    /// Names of all objects of a kind.
    pub(crate) fn names(&self, plural: &str) -> Vec<String> {
        let of_kind = |(place, _): &(&Place, &Value)| place.1 == plural;
        self.inside().objects.iter().filter(of_kind).map(|(place, _)| place.3.clone()).collect()
    }

    /// All objects that belong to clusters or projects, one line each.
    pub(crate) fn left(&self) -> Vec<String> {
        let inside = self.inside();
        let ours = inside.objects.keys().filter(|place| place.2 != "magnum-system" && place.3 != "magnum-system");
        ours.map(|(_, plural, namespace, name)| format!("{plural} {namespace}/{name}")).collect()
    }

    /// Holds back what Cluster API would do.
    pub(crate) fn hold(&self) {
        self.inside().held = true;
    }

    /// Every Cluster gets infrastructure that waits without a word, and an Event that says why.
    pub(crate) fn complain(&self, reason: &str, message: &str) {
        let mut inside = self.inside();
        let clusters: Vec<_> = inside
            .objects
            .keys()
            .filter(|place| place.1 == "clusters")
            .map(|at| (at.2.clone(), at.3.clone()))
            .collect();
        for (namespace, cluster) in clusters {
            let labels = json!({"cluster.x-k8s.io/cluster-name": cluster, "topology.cluster.x-k8s.io/owned": ""});
            let metadata = |labels: Value| json!({"name": "stuck", "namespace": namespace, "labels": labels});
            let at = |group: &str, plural: &str| (group.into(), plural.into(), namespace.clone(), "stuck".into());
            let stuck = json!({"apiVersion": INFRASTRUCTURE, "kind": "DevCluster", "metadata": metadata(labels)});
            let event = json!({
                "apiVersion": "v1", "kind": "Event", "metadata": metadata(json!({})), "type": "Warning",
                "reason": reason, "message": message, "lastTimestamp": "2999-01-01T00:00:00Z",
            });
            self.shared.put(&mut inside, &at("v1", "events"), event);
            self.shared.put(&mut inside, &at(INFRASTRUCTURE, "devclusters"), stuck);
        }
    }

    /// Does what was held back, and no longer holds anything.
    pub(crate) fn settle(&self) {
        let mut inside = self.inside();
        inside.held = false;
        let clusters: Vec<_> =
            inside.objects.iter().filter(|(place, _)| place.1 == "clusters").map(|(p, _)| p.clone()).collect();
        for place in clusters {
            self.shared.reconcile(&mut inside, &place);
        }
    }

    /// Refuses every Cluster from now on with this message, as a webhook would.
    pub(crate) fn refuse(&self, message: Option<&str>) {
        self.inside().refusal = message.map(|message| (StatusCode::UNPROCESSABLE_ENTITY, message.to_owned()));
    }

    /// Answers every Cluster from now on with an error of the server's own.
    pub(crate) fn break_down(&self, message: &str) {
        self.inside().refusal = Some((StatusCode::INTERNAL_SERVER_ERROR, message.to_owned()));
    }

    /// A namespace that goes, and takes its time.
    pub(crate) fn begin_removal(&self, namespace: &str) {
        self.inside().leaving.insert(namespace.to_owned());
    }

    /// It is gone, with what was in it.
    pub(crate) fn end_removal(&self, namespace: &str) {
        let mut inside = self.inside();
        inside.leaving.remove(namespace);
        let within = |at: &Place| at.2 == namespace || (at.1 == "namespaces" && at.3 == namespace);
        let all: Vec<_> = inside.objects.keys().filter(|at| within(at)).cloned().collect();
        all.iter().for_each(|at| self.shared.remove(&mut inside, at));
    }

    /// Puts a secret there as somebody else would.
    pub(crate) fn add_secret(&self, namespace: &str, name: &str, labels: &Value) {
        let mut inside = self.inside();
        let place = ("v1".to_owned(), "secrets".to_owned(), namespace.to_owned(), name.to_owned());
        let metadata = json!({"name": name, "namespace": namespace, "labels": labels});
        self.shared.put(&mut inside, &place, json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}));
    }

    /// The text of a secret's entry.
    pub(crate) fn secret(&self, name: &str, entry: &str) -> Option<String> {
        use base64::Engine as _;
        let inside = self.inside();
        let (_, secret) = inside.objects.iter().find(|(at, _)| at.1 == "secrets" && at.3 == name)?;
        let encoded = secret["data"][entry].as_str()?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
        String::from_utf8(decoded).ok()
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.inside().away = away;
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.shared.lock()
    }
}

fn status(code: StatusCode, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code.as_u16(),
        "reason": code.canonical_reason().unwrap_or_default().replace(' ', ""), "metadata": {},
    });
    (code, axum::Json(body)).into_response()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    body: Bytes,
) -> Response {
    if shared.lock().away {
        return status(StatusCode::SERVICE_UNAVAILABLE, "the API server is away");
    }
    let path: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    match path.as_slice() {
        ["version"] => axum::Json(json!({
            "major": "1", "minor": "34", "gitVersion": "v1.34.2", "gitCommit": "", "gitTreeState": "", "buildDate": "",
            "goVersion": "", "compiler": "", "platform": "",
        }))
        .into_response(),
        ["apis"] => axum::Json(groups()).into_response(),
        ["apis", group, version] => axum::Json(resources(&format!("{group}/{version}"))).into_response(),
        ["api", version, rest @ ..] => shared.resource(&method, version, rest, &query, &body),
        ["apis", group, version, rest @ ..] => {
            shared.resource(&method, &format!("{group}/{version}"), rest, &query, &body)
        }
        _ => status(StatusCode::NOT_FOUND, "no such path"),
    }
}

fn groups() -> Value {
    let group = |name: &str| {
        let version = json!({"groupVersion": format!("{name}/v1beta2"), "version": "v1beta2"});
        json!({"name": name, "versions": [version], "preferredVersion": version})
    };
    let names = ["cluster.x-k8s.io", "controlplane.cluster.x-k8s.io", "infrastructure.cluster.x-k8s.io"];
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": names.map(group)})
}

fn resources(group_version: &str) -> Value {
    let resource = |kind: &str| {
        let plural = format!("{}s", kind.to_lowercase());
        json!({"name": plural, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["get", "list", "watch"]})
    };
    let kinds: Vec<_> = match group_version {
        INFRASTRUCTURE => ["DevCluster", "DevMachine"].map(resource).into(),
        _ => Vec::new(),
    };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": kinds})
}

/// `a=b,c` against an object's labels.
fn selected(object: &Value, selector: Option<&String>) -> bool {
    let label = |name: &str| object.pointer("/metadata/labels")?.get(name)?.as_str();
    selector.is_none_or(|selector| {
        selector.split(',').filter(|part| !part.is_empty()).all(|part| match part.split_once('=') {
            Some((name, value)) => label(name) == Some(value.trim_start_matches('=')),
            None => label(part).is_some(),
        })
    })
}

/// Lays `over` on `object`: enough of server-side apply for whole objects of one manager.
fn lay(object: &mut Value, over: Value) {
    match (object, over) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                lay(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resource(
        self: &Arc<Self>,
        method: &Method,
        group: &str,
        rest: &[&str],
        query: &BTreeMap<String, String>,
        body: &Bytes,
    ) -> Response {
        let (namespace, plural, name) = match rest {
            ["namespaces", name] => ("", "namespaces", Some(*name)),
            ["namespaces", namespace, plural] => (*namespace, *plural, None),
            ["namespaces", namespace, plural, name] => (*namespace, *plural, Some(*name)),
            [plural] => ("", *plural, None),
            [plural, name] => ("", *plural, Some(*name)),
            _ => return status(StatusCode::NOT_FOUND, "no such resource"),
        };
        let place = |name: &str| (group.to_owned(), plural.to_owned(), namespace.to_owned(), name.to_owned());
        match (method, name) {
            (&Method::GET, Some(name)) => match self.lock().objects.get(&place(name)) {
                Some(object) => axum::Json(object.clone()).into_response(),
                None => status(StatusCode::NOT_FOUND, &format!("{plural} {name} not found")),
            },
            (&Method::GET, None) if query.get("watch").is_some_and(|watch| watch == "true" || watch == "1") => {
                self.watch(place(""), query)
            }
            (&Method::GET, None) => self.list(&place(""), query),
            (&Method::PATCH, Some(name)) => self.patch(&place(name), body),
            (&Method::DELETE, Some(name)) => self.delete(&place(name), body),
            _ => status(StatusCode::METHOD_NOT_ALLOWED, "not here"),
        }
    }

    fn list(&self, place: &Place, query: &BTreeMap<String, String>) -> Response {
        let inside = self.lock();
        let items: Vec<_> = inside
            .objects
            .iter()
            .filter(|(at, object)| is_in(at, place) && selected(object, query.get("labelSelector")))
            .map(|(_, object)| object.clone())
            .collect();
        let version = self.version.borrow().to_string();
        axum::Json(json!({
            "kind": "List", "apiVersion": place.0, "metadata": {"resourceVersion": version}, "items": items,
        }))
        .into_response()
    }

    fn watch(self: &Arc<Self>, place: Place, query: &BTreeMap<String, String>) -> Response {
        let from: u64 = query.get("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or_default();
        let selector = query.get("labelSelector").cloned();
        let shared = Arc::clone(self);
        let changes = self.version.subscribe();
        let lines = futures::stream::unfold((from, changes), move |(mut seen, mut changes)| {
            let (shared, place, selector) = (Arc::clone(&shared), place.clone(), selector.clone());
            async move {
                loop {
                    let mut lines = String::new();
                    {
                        let inside = shared.lock();
                        let from = seen;
                        let fresh = inside.events.iter().filter(|(version, ..)| *version > from);
                        for (version, at, event) in fresh {
                            if is_in(at, &place) && selected(&event["object"], selector.as_ref()) {
                                lines.push_str(&event.to_string());
                                lines.push('\n');
                            }
                            seen = seen.max(*version);
                        }
                    }
                    if !lines.is_empty() {
                        return Some((Ok::<_, std::convert::Infallible>(lines), (seen, changes)));
                    }
                    changes.changed().await.ok()?;
                }
            }
        });
        Response::new(Body::from_stream(lines))
    }

    fn patch(&self, place: &Place, body: &Bytes) -> Response {
        let mut inside = self.lock();
        let Ok(over) = serde_json::from_slice::<Value>(body) else {
            return status(StatusCode::BAD_REQUEST, "not JSON");
        };
        if place.1 == "clusters"
            && let Some((code, message)) = inside.refusal.clone()
        {
            return status(code, &message);
        }
        if inside.leaving.contains(&place.2) && !inside.objects.contains_key(place) {
            let words = format!(
                "{} \"{}\" is forbidden: unable to create new content in namespace {} because it is being terminated",
                place.1, place.3, place.2
            );
            return status(StatusCode::FORBIDDEN, &words);
        }
        inside.writes.push(format!("PATCH {}/{}", place.1, place.3));
        let before = inside.objects.get(place).cloned();
        let mut object = before.clone().unwrap_or_else(|| {
            json!({"metadata": {"generation": 1, "uid": uuid::Uuid::new_v4().to_string(),
                "creationTimestamp": "2026-11-21T12:00:00Z"}})
        });
        lay(&mut object, over);
        if before.as_ref().is_some_and(|before| before.get("spec") != object.get("spec")) {
            let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
            object["metadata"]["generation"] = (generation + 1).into();
        }
        if place.1 == "clusterclasses" {
            let names: Vec<_> = object["spec"]["variables"].as_array().into_iter().flatten().collect();
            let variables: Vec<_> = names
                .into_iter()
                .map(|variable| {
                    json!({"name": variable["name"], "definitions": [{"from": "inline", "required": variable["required"],
                        "schema": variable["schema"]}]})
                })
                .collect();
            let generation = object["metadata"]["generation"].clone();
            object["status"] = json!({
                "observedGeneration": generation, "variables": variables,
                "conditions": [
                    {"type": "VariablesReady", "status": "True", "reason": "Ready", "message": "",
                        "observedGeneration": generation, "lastTransitionTime": "2026-11-21T12:00:00Z"},
                    {"type": "RefVersionsUpToDate", "status": "True", "reason": "Ready", "message": "",
                        "observedGeneration": generation, "lastTransitionTime": "2026-11-21T12:00:00Z"},
                ],
            });
        }
        if before.as_ref() != Some(&object) {
            self.put(&mut inside, place, object.clone());
            if place.1 == "clusters" && !inside.held {
                self.reconcile(&mut inside, place);
            }
        }
        axum::Json(inside.objects.get(place).cloned().unwrap_or(object)).into_response()
    }

    fn delete(&self, place: &Place, body: &Bytes) -> Response {
        let mut inside = self.lock();
        let Some(mut object) = inside.objects.get(place).cloned() else {
            return status(StatusCode::NOT_FOUND, "not found");
        };
        let options: Value = serde_json::from_slice(body).unwrap_or_default();
        let wanted = options.pointer("/preconditions/resourceVersion").filter(|version| !version.is_null());
        if wanted.is_some_and(|wanted| *wanted != object["metadata"]["resourceVersion"]) {
            return status(StatusCode::CONFLICT, "the object has been modified");
        }
        inside.writes.push(format!("DELETE {}/{}", place.1, place.3));
        match place.1.as_str() {
            "clusters" => {
                object["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z".into();
                self.put(&mut inside, place, object.clone());
                if !inside.held {
                    self.reconcile(&mut inside, place);
                }
            }
            "namespaces" => {
                let within: Vec<_> = inside.objects.keys().filter(|at| at.2 == place.3).cloned().collect();
                for at in within {
                    self.remove(&mut inside, &at);
                }
                self.remove(&mut inside, place);
            }
            _ => self.remove(&mut inside, place),
        }
        axum::Json(object).into_response()
    }

    fn put(&self, inside: &mut Inside, place: &Place, mut object: Value) {
        let version = *self.version.borrow() + 1;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let kind = if inside.objects.contains_key(place) { "MODIFIED" } else { "ADDED" };
        inside.events.push((version, place.clone(), json!({"type": kind, "object": object.clone()})));
        inside.objects.insert(place.clone(), object);
        self.version.send_replace(version);
    }

    fn remove(&self, inside: &mut Inside, place: &Place) {
        let Some(object) = inside.objects.remove(place) else { return };
        let version = *self.version.borrow() + 1;
        inside.events.push((version, place.clone(), json!({"type": "DELETED", "object": object})));
        self.version.send_replace(version);
    }

    /// What Cluster API makes of a Cluster in the end.
    fn reconcile(&self, inside: &mut Inside, place: &Place) {
        let Some(cluster) = inside.objects.get(place).cloned() else { return };
        let name = place.3.as_str();
        let children: Vec<Place> = inside
            .objects
            .iter()
            .filter(|(at, object)| {
                at.2 == place.2
                    && object.pointer("/metadata/ownerReferences/0/name").and_then(Value::as_str) == Some(name)
            })
            .map(|(at, _)| at.clone())
            .collect();
        if cluster.pointer("/metadata/deletionTimestamp").is_some() {
            for child in children {
                self.remove(inside, &child);
            }
            self.remove(inside, place);
            return;
        }
        let mut wanted = made_of(&cluster, place, inside);
        for child in children {
            if !wanted.contains_key(&child) {
                self.remove(inside, &child);
            }
        }
        while let Some((at, object)) = wanted.pop_first() {
            self.put(inside, &at, object);
        }
        let mut done = cluster;
        done["spec"]["controlPlaneEndpoint"] = json!({"host": "192.0.2.10", "port": 6443});
        done["status"] = cluster_status(&done);
        self.put(inside, place, done);
    }
}

fn is_in(at: &Place, place: &Place) -> bool {
    at.0 == place.0 && at.1 == place.1 && (place.2.is_empty() || at.2 == place.2)
}

fn condition(kind: &str, status: bool, reason: &str, generation: &Value) -> Value {
    json!({
        "type": kind, "status": if status { "True" } else { "False" }, "reason": reason, "message": "",
        "observedGeneration": generation, "lastTransitionTime": "2026-11-21T12:00:00Z",
    })
}

fn counts(number: i64) -> Value {
    json!({"desiredReplicas": number, "replicas": number, "readyReplicas": number, "availableReplicas": number,
        "upToDateReplicas": number})
}

fn groups_of(cluster: &Value) -> Vec<Value> {
    cluster.pointer("/spec/topology/workers/machineDeployments").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn cluster_status(cluster: &Value) -> Value {
    let generation = &cluster["metadata"]["generation"];
    let control_plane = cluster.pointer("/spec/topology/controlPlane/replicas").and_then(Value::as_i64).unwrap_or(1);
    let workers = groups_of(cluster).iter().filter_map(|group| group["replicas"].as_i64()).sum();
    json!({
        "phase": "Provisioned", "observedGeneration": generation,
        "initialization": {"infrastructureProvisioned": true, "controlPlaneInitialized": true},
        "controlPlane": counts(control_plane), "workers": counts(workers),
        "conditions": [
            condition("TopologyReconciled", true, "ReconcileSucceeded", generation),
            condition("Available", true, "Available", generation),
            condition("RollingOut", false, "NotRollingOut", generation),
            condition("ScalingUp", false, "NotScalingUp", generation),
            condition("ScalingDown", false, "NotScalingDown", generation),
            condition("RemoteConnectionProbe", true, "ProbeSucceeded", generation),
            condition("ControlPlaneAvailable", true, "Available", generation),
        ],
    })
}

/// Control plane, machine deployments and machines of a settled Cluster. Machines that are there and wanted stay; those
/// that are marked go first.
fn made_of(cluster: &Value, place: &Place, inside: &Inside) -> BTreeMap<Place, Value> {
    let mut made = BTreeMap::new();
    let name = place.3.as_str();
    let version = cluster.pointer("/spec/topology/version").cloned().unwrap_or_default();
    let at = |group: &str, plural: &str, child: &str| {
        (group.to_owned(), plural.to_owned(), place.2.clone(), child.to_owned())
    };
    let metadata = |child: &str, labels: &Value, more: Value| {
        let mut all = json!({"cluster.x-k8s.io/cluster-name": name, "topology.cluster.x-k8s.io/owned": ""});
        lay(&mut all, labels.clone());
        lay(&mut all, more);
        json!({"name": child, "namespace": place.2, "labels": all, "generation": 1,
            "ownerReferences": [{"kind": "Cluster", "name": name, "apiVersion": CORE, "uid": "u"}]})
    };
    let topology = &cluster["spec"]["topology"];
    let control_plane = topology.pointer("/controlPlane/replicas").and_then(Value::as_i64).unwrap_or(1);
    let mut status = counts(control_plane);
    lay(&mut status, json!({"observedGeneration": 1, "version": version}));
    let labels = &topology["controlPlane"]["metadata"]["labels"];
    made.insert(
        at(CONTROL_PLANE, "kubeadmcontrolplanes", &format!("{name}-cp")),
        json!({
            "apiVersion": CONTROL_PLANE, "kind": "KubeadmControlPlane",
            "metadata": metadata(&format!("{name}-cp"), labels, json!({})),
            "spec": {"replicas": control_plane, "version": version}, "status": status,
        }),
    );
    let mut machines = |stem: String, count: i64, labels: &Value, more: Value| {
        let marked = |machine: &str| {
            let object = inside.objects.get(&at(CORE, "machines", machine));
            object.is_some_and(|o| o.pointer("/metadata/annotations/cluster.x-k8s.io~1delete-machine").is_some())
        };
        let all = (0..20).map(|number| format!("{stem}-{number}")).filter(|machine| !marked(machine));
        for machine in all.take(usize::try_from(count).unwrap_or_default()) {
            let condition = |kind: &str| condition(kind, true, kind, &json!(1));
            made.insert(
                at(CORE, "machines", &machine),
                json!({
                    "apiVersion": CORE, "kind": "Machine", "metadata": metadata(&machine, labels, more.clone()),
                    "spec": {"clusterName": name, "version": version, "providerID": format!("openstack:///server-of-{machine}")},
                    "status": {
                        "phase": "Running", "nodeRef": {"name": machine},
                        "addresses": [{"type": "InternalIP", "address": format!("10.0.0.{}", machine.len())}],
                        "conditions": [condition("Ready"), condition("NodeHealthy"), condition("Available")],
                    },
                }),
            );
        }
    };
    machines(format!("{name}-cp"), control_plane, labels, json!({"cluster.x-k8s.io/control-plane": ""}));
    for group in groups_of(cluster) {
        let (title, count) =
            (group["name"].as_str().unwrap_or_default(), group["replicas"].as_i64().unwrap_or_default());
        let more = json!({"topology.cluster.x-k8s.io/deployment-name": title});
        machines(format!("{name}-{title}"), count, &group["metadata"]["labels"], more);
    }
    for group in groups_of(cluster) {
        let (title, count) =
            (group["name"].as_str().unwrap_or_default(), group["replicas"].as_i64().unwrap_or_default());
        let more = json!({"topology.cluster.x-k8s.io/deployment-name": title});
        let child = format!("{name}-{title}");
        let mut status = counts(count);
        lay(&mut status, json!({"observedGeneration": 1}));
        made.insert(
            at(CORE, "machinedeployments", &child),
            json!({
                "apiVersion": CORE, "kind": "MachineDeployment", "metadata": metadata(&child, &group["metadata"]["labels"], more),
                "spec": {"replicas": count, "template": {"spec": {"version": version}}}, "status": status,
            }),
        );
    }
    made
}
