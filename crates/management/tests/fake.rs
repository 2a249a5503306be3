//! An API server that behaves as the real one does at its worst: forgets where a watch was, refuses, is slow, is away.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, patch};
use axum::{Json, Router};
use futures::StreamExt as _;
use jeroboam_capi::{ClusterKey, CoreVersion, Object, Resources};
use jeroboam_management::{ErrorKind, KubeconfigSource, Management, ManagementConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the API server holds and how it behaves.
#[derive(Clone, Default)]
struct Fake {
    versions: Vec<&'static str>,
    clusters: Arc<Mutex<Vec<&'static str>>>,
    /// What the next watch of clusters comes to find: the list changes under it and its version is too old.
    meanwhile: Arc<Mutex<Option<Vec<&'static str>>>>,
    /// That is said by the status of the answer and not in the middle of it.
    at_once: bool,
    answer: Arc<Mutex<Option<(u16, &'static str)>>>,
    writes: Arc<Mutex<Vec<String>>>,
}

async fn groups(State(fake): State<Fake>) -> Json<Value> {
    let group = |name: &str| {
        let versions: Vec<_> = fake
            .versions
            .iter()
            .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
            .collect();
        json!({"name": name, "versions": versions, "preferredVersion": versions[0]})
    };
    Json(json!({
        "kind": "APIGroupList", "apiVersion": "v1",
        "groups": [group("cluster.x-k8s.io"), group("controlplane.cluster.x-k8s.io")],
    }))
}

async fn list_or_watch(
    State(fake): State<Fake>,
    Path((_, _, kind)): Path<(String, String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if query.contains_key("watch") {
        let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
            "reason": "Expired", "message": "too old resource version"});
        let changed = (kind == "clusters").then(|| fake.meanwhile.lock().expect("whole").take()).flatten();
        let expired = changed.map(|changed| *fake.clusters.lock().expect("whole") = changed).is_some();
        if expired && fake.at_once {
            return (StatusCode::GONE, Json(gone)).into_response();
        }
        let line = expired.then(|| Ok::<_, std::io::Error>(format!("{}\n", json!({"type": "ERROR", "object": gone}))));
        let rest = futures::stream::pending();
        return Body::from_stream(futures::stream::iter(line).chain(rest)).into_response();
    }
    let names = if kind == "clusters" { fake.clusters.lock().expect("whole").clone() } else { Vec::new() };
    let items: Vec<_> = names.iter().map(|name| json!({"metadata": {"namespace": "n", "name": name}})).collect();
    Json(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}))
        .into_response()
}

async fn write(State(fake): State<Fake>, Path(path): Path<Vec<(String, String)>>, body: String) -> Response {
    let name = path.last().map(|(_, name)| name.clone()).unwrap_or_default();
    fake.writes.lock().expect("whole").push(name);
    let answer = *fake.answer.lock().expect("whole");
    match answer {
        None => Json(serde_json::from_str::<Value>(&body).expect("JSON")).into_response(),
        Some((0, _)) => std::future::pending().await,
        Some((code, message)) => {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                "reason": "x", "message": message});
            (StatusCode::from_u16(code).expect("a code"), Json(status)).into_response()
        }
    }
}

/// Three machine sets that are being removed: one whose deployment is there, one with a machine, and one that is neither.
async fn of_namespace(
    Path((_, _, kind)): Path<(String, String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    let set = |name: &str| {
        let owner =
            json!({"apiVersion": "x/v1", "kind": "MachineDeployment", "name": format!("of-{name}"), "uid": "u"});
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {
            "namespace": "n", "name": name, "resourceVersion": "7", "deletionTimestamp": "2026-11-21T12:00:00Z",
            "ownerReferences": [owner], "finalizers": ["cluster.x-k8s.io/machineset", "example.org/other"]}})
    };
    let of_busy = query.get("labelSelector").is_some_and(|selector| selector.ends_with("=busy"));
    let items = match kind.as_str() {
        "machinesets" => vec![set("owned"), set("busy"), set("orphan")],
        "machines" if of_busy => vec![json!({"metadata": {"namespace": "n", "name": "m"}})],
        _ => vec![],
    };
    Json(json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": items}))
}

async fn deployment(Path((_, _, _, name)): Path<(String, String, String, String)>) -> Response {
    if name == "of-owned" {
        return Json(json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"namespace": "n", "name": name, "uid": "u"}}))
        .into_response();
    }
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound"});
    (StatusCode::NOT_FOUND, Json(status)).into_response()
}

async fn release(
    State(fake): State<Fake>,
    Path((_, _, _, name)): Path<(String, String, String, String)>,
    body: String,
) -> Json<Value> {
    let patch: Value = serde_json::from_str(&body).expect("JSON");
    fake.writes.lock().expect("whole").push(format!("{name} {}", patch["metadata"]));
    Json(json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": name}}))
}

/// Events of namespace `n`, as far as they were asked for by their fields.
async fn events(Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let wanted = "type=Warning,involvedObject.kind=OpenStackCluster,involvedObject.name=stuck";
    let event = json!({"metadata": {"namespace": "n", "name": "stuck.1"}, "type": "Warning",
        "reason": "Failedcreatesecuritygrouprule", "message": "Quota exceeded", "lastTimestamp": "2026-11-21T12:00:00Z"});
    let bounded = query.contains_key("limit") && query.get("fieldSelector").is_some_and(|fields| fields == wanted);
    let items = if bounded { vec![event] } else { vec![] };
    Json(json!({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": items}))
}

fn router(fake: Fake) -> Router {
    Router::new()
        .route("/apis/{group}/{version}/namespaces/n/{kind}", get(of_namespace))
        .route("/apis/{group}/{version}/namespaces/n/{kind}/{name}", get(deployment).patch(release))
        .route("/apis", get(groups))
        .route("/apis/{group}/{version}/{kind}", get(list_or_watch))
        .route("/api/v1/namespaces/n/events", get(events))
        .route("/api/v1/namespaces/{name}", patch(write))
        .with_state(fake)
}

async fn management(listener: &TcpListener) -> Management {
    // Whichever test comes first installs it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let address = listener.local_addr().expect("bound");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "u", "user": {}}],
    });
    let mut config = ManagementConfig::new(KubeconfigSource::Text(kubeconfig.to_string().into()));
    config.call_timeout = Duration::from_millis(300);
    config.rediscover_every = Duration::from_millis(100);
    Management::new(config).await.expect("a kubeconfig")
}

async fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port")
}

fn serve(listener: TcpListener, fake: Fake) -> JoinSet<std::io::Result<()>> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router(fake)).await });
    tasks
}

fn key(name: &str) -> ClusterKey {
    ClusterKey { namespace: "n".into(), name: name.into() }
}

fn namespace(name: &str) -> Object {
    Object::new(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
}

/// Enough for a slow machine, and short enough to see a test that hangs.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("in time")
}

#[tokio::test]
async fn a_watch_that_was_forgotten_lists_again() {
    for at_once in [false, true] {
        forgotten(Fake { versions: vec!["v1beta2", "v1beta1"], at_once, ..Fake::default() }).await;
    }
}

async fn forgotten(fake: Fake) {
    *fake.clusters.lock().expect("whole") = vec!["stays", "goes"];
    *fake.meanwhile.lock().expect("whole") = Some(vec!["stays", "comes"]);
    let listener = listener().await;
    let management = management(&listener).await;
    let _server = serve(listener, fake.clone());
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    assert!(management.observe(&key("stays")).is_none(), "nothing is known before all kinds were listed");
    management.start(&tracker, token.clone());
    soon(management.wait_ready()).await;
    assert_eq!(management.served().await.ok(), Some(CoreVersion::V1Beta2));
    let mut changed = std::collections::BTreeSet::new();
    while !changed.contains(&key("comes")) {
        changed.extend(soon(management.dirty().next()).await);
    }
    let there = |name: &str| management.observe(&key(name)).is_some_and(|seen| seen.cluster.is_some());
    // What is gone is taken away when the list is complete, just after the last object of it.
    soon(async {
        while there("goes") {
            changed.extend(management.dirty().next().await);
        }
    })
    .await;
    assert!(there("stays") && there("comes"));
    token.cancel();
    tracker.close();
    soon(tracker.wait()).await;
}

#[tokio::test]
async fn an_api_server_that_is_away_at_first_is_waited_for() {
    let listener = listener().await;
    let management = management(&listener).await;
    // Bound and not served: connections are made and nobody answers.
    let error = management.served().await.expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    management.start(&tracker, token.clone());
    assert!(!management.ready());
    let fake = Fake { versions: vec!["v1beta1"], ..Fake::default() };
    let _server = serve(listener, fake);
    soon(management.wait_ready()).await;
    assert_eq!(management.served().await.ok(), Some(CoreVersion::V1Beta1), "the older contract is spoken too");
    token.cancel();
    tracker.close();
    soon(tracker.wait()).await;
}

#[tokio::test]
async fn every_answer_to_a_write_has_its_kind_and_words() {
    let fake = Fake { versions: vec!["v1beta2"], ..Fake::default() };
    let listener = listener().await;
    let points = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&points);
    let management =
        management(&listener).await.with_faults(Arc::new(move |point| noted.lock().expect("whole").push(point)));
    let _server = serve(listener, fake.clone());
    for (answer, expected) in [
        (None, Ok(2)),
        (Some((409, "the object has been modified")), Err((ErrorKind::Conflict, "the object has been modified"))),
        (Some((422, "replicas must be odd")), Err((ErrorKind::Refused, "replicas must be odd"))),
        (Some((404, "no such kind")), Err((ErrorKind::NotFound, "not found"))),
        (Some((429, "slow down")), Err((ErrorKind::Unavailable, "unavailable"))),
        (Some((500, "etcd")), Err((ErrorKind::Unavailable, "unavailable"))),
        (Some((0, "")), Err((ErrorKind::Unavailable, "no answer"))),
    ] {
        *fake.answer.lock().expect("whole") = answer;
        points.lock().expect("whole").clear();
        fake.writes.lock().expect("whole").clear();
        let resources = Resources::prepared(vec![namespace("a"), namespace("b")]);
        let applied = soon(management.apply(resources)).await;
        match (applied, expected) {
            (Ok(applied), Ok(number)) => {
                assert_eq!(applied.len(), number);
                assert_eq!(*fake.writes.lock().expect("whole"), ["a", "b"], "in their order");
                assert_eq!(*points.lock().expect("whole"), ["apply"; 4], "before and after each write");
            }
            (Err(error), Err((kind, words))) => {
                assert_eq!(error.kind(), kind, "{answer:?}: {error}");
                assert!(error.to_string().contains(words), "{answer:?}: {error}");
                assert_eq!(*fake.writes.lock().expect("whole"), ["a"], "nothing is sent after a failure");
            }
            (applied, _) => panic!("{answer:?}: {applied:?}"),
        }
    }
}

#[tokio::test]
async fn only_machine_sets_that_nothing_holds_are_let_go() {
    let fake = Fake { versions: vec!["v1beta2"], ..Fake::default() };
    let listener = listener().await;
    let management = management(&listener).await;
    let _server = serve(listener, fake.clone());
    soon(management.release_orphans(&key("c"))).await.expect("looked at");
    let writes = fake.writes.lock().expect("whole").clone();
    assert_eq!(writes, [r#"orphan {"finalizers":["example.org/other"],"resourceVersion":"7"}"#]);
}

#[tokio::test]
async fn the_newest_warning_of_one_object_is_asked_for() {
    let listener = listener().await;
    let management = management(&listener).await;
    let _server = serve(listener, Fake { versions: vec!["v1beta2"], ..Fake::default() });
    let since = "2026-11-21T11:00:00Z".parse().expect("a time");
    let ask =
        async |name: &str| management.warning(&key("c"), "OpenStackCluster", name, since).await.expect("answered");
    assert_eq!(soon(ask("stuck")).await.as_deref(), Some("Failedcreatesecuritygrouprule: Quota exceeded"));
    assert_eq!(soon(ask("well")).await, None);
}
