use jeroboam_model::{HealthStatus, Operation, Removal, Scope, Status, TemplateId};
use jeroboam_store::testing::{TestDatabase, execute};
use jeroboam_store::{Acceptance, ClusterSeen, Ident, Recorded, StoreError, samples};
use std::time::Duration;
use tokio::task::JoinSet;

use super::one_cluster;

fn resize(view: &jeroboam_model::ClusterWithGroups, count: i32) -> Acceptance {
    let mut worker = view.default_worker().expect("a worker group").clone();
    worker.node_count = count;
    worker.status = Status::UPDATE_IN_PROGRESS;
    let later = samples::noon() + Duration::from_secs(60);
    Acceptance { changed_groups: vec![worker], ..Acceptance::of(Operation::Update, Status::UPDATE_IN_PROGRESS, later) }
}

pub(crate) async fn of_requests_at_once_one_is_accepted(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let mut requests = JoinSet::new();
    for count in 3..23 {
        let (store, view) = (store.clone(), view.clone());
        requests.spawn(async move { store.accept(&view, resize(&view, count)).await.expect("an answer") });
    }
    let accepted: Vec<_> = requests.join_all().await.into_iter().flatten().collect();
    assert_eq!(accepted.len(), 1);
    let read = store.cluster(&Ident::Id(view.cluster.id.uuid()), &Scope::All).await.expect("read").expect("there");
    assert_eq!(read, accepted[0]);
    assert_eq!(store.work(view.cluster.id).await.expect("read").expect("there").revision, 2);
}

pub(crate) async fn an_accepted_request_writes_rows_and_work(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let other = store.create_template(&samples::template("p1", "next")).await.expect("a template");
    let gpu = samples::group(&view.cluster, "gpu", "worker", 1);
    let worker = view.default_worker().expect("a worker group").id;
    let removal = |node: &str| Removal { group: worker, node: node.to_owned() };
    let mut change = resize(&view, 7);
    change.template = Some(other.id);
    change.labels = Some([("kube_tag", "v1.34.0")].into_iter().collect());
    change.added_groups = vec![gpu.clone()];
    change.removals = vec![removal("node-1")];
    change.status_reason = Some("resizing".to_owned());
    change.secrets = vec![("cloud-config".to_owned(), "other".into())];
    let mut changes = store.changes();
    changes.mark_unchanged();
    let now = store.accept(&view, change).await.expect("an answer").expect("accepted");
    assert!(changes.has_changed().expect("the store is there"));
    assert_eq!(now.cluster.status, Status::UPDATE_IN_PROGRESS);
    assert_eq!((now.cluster.template, now.cluster.labels.get("kube_tag")), (other.id, Some("v1.34.0")));
    assert_eq!((now.worker_count(), now.groups.len()), (8, 3));
    assert_eq!(now.groups[2].id, gpu.id);
    assert!(now.cluster.updated_at.is_some() && now.groups[1].updated_at.is_some());
    assert_eq!(now.groups[0].updated_at, None, "nothing was asked of it");

    let mut again = resize(&now, 8);
    again.removals = vec![removal("node-1"), removal("node-2")];
    again.deadline = Some(samples::noon());
    store.accept(&now, again).await.expect("an answer").expect("accepted");
    let work = store.work(view.cluster.id).await.expect("read").expect("there");
    assert_eq!((work.operation, work.revision, work.deadline), (Operation::Update, 3, Some(samples::noon())));
    assert_eq!(work.removals, [removal("node-1"), removal("node-2")]);

    let mut lost = Acceptance::of(Operation::Upgrade, Status::UPDATE_IN_PROGRESS, samples::noon());
    lost.template = Some(TemplateId::random());
    assert_eq!(store.accept(&now, lost).await.expect("an answer"), None, "that template is not there");
}

pub(crate) async fn nodes_that_were_named_are_forgotten_when_their_group_grows(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let worker = view.default_worker().expect("a worker group");
    let id = view.cluster.id;
    let named = async || -> Vec<String> {
        let work = store.work(id).await.expect("read").expect("there");
        work.removals.into_iter().map(|removal| removal.node).collect()
    };
    let size = worker.node_count;
    let mut now = view.clone();
    for (count, node, left) in [
        (size - 1, Some("a"), &["a"][..]),
        (size - 1, None, &["a"]),
        (size - 2, Some("b"), &["a", "b"]),
        (size + 1, None, &[]),
        (size, Some("c"), &["c"]),
        (size + 3, Some("d"), &["d"]),
    ] {
        let mut change = resize(&now, count);
        change.removals = node.iter().map(|node| Removal { group: worker.id, node: (*node).to_owned() }).collect();
        now = store.accept(&now, change).await.expect("an answer").expect("accepted");
        assert_eq!(named().await, left, "{count} {node:?}");
    }
    // A request about something else leaves them.
    let other = Acceptance::of(Operation::Update, Status::UPDATE_IN_PROGRESS, samples::noon());
    store.accept(&now, other).await.expect("an answer").expect("accepted");
    assert_eq!(named().await, ["d"]);
}

pub(crate) async fn reports_make_no_request_fail(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let lease = store
        .claim(view.cluster.id, "worker", samples::noon(), Duration::from_secs(60))
        .await
        .expect("an answer")
        .expect("claimed");
    let mut seen = ClusterSeen::from(&view.cluster);
    seen.status_reason = Some("1 of 3 machines".to_owned());
    seen.api_address = Some("https://10.0.0.1:6443".to_owned());
    let recorded = Recorded { cluster: Some(seen), ..Recorded::default() };
    assert!(store.record(&lease, 1, recorded).await.expect("an answer"));
    let now = store.accept(&view, resize(&view, 4)).await.expect("an answer").expect("accepted");
    assert_eq!(now.cluster.api_address.as_deref(), Some("https://10.0.0.1:6443"), "what was reported stays");
}

pub(crate) async fn a_request_for_an_old_cluster_begins_its_work(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    execute(&store, "DELETE FROM jeroboam_cluster").await;
    let delete = Acceptance::of(Operation::Delete, Status::DELETE_IN_PROGRESS, samples::noon());
    store.accept(&view, delete.clone()).await.expect("an answer").expect("accepted");
    let work = store.work(view.cluster.id).await.expect("read").expect("there");
    assert_eq!((work.operation, work.revision), (Operation::Delete, 1));
    assert_eq!(store.due(samples::noon(), 10).await.expect("read"), [view.cluster.id]);

    execute(&store, "DELETE FROM cluster").await;
    execute(&store, "DELETE FROM jeroboam_cluster").await;
    assert_eq!(store.accept(&view, delete).await.expect("an answer"), None);
    assert_eq!(store.work(view.cluster.id).await.expect("read"), None, "nothing is begun for what is gone");
}

pub(crate) async fn a_group_name_is_taken_once(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let mut change = Acceptance::of(Operation::Update, Status::UPDATE_IN_PROGRESS, samples::noon());
    change.added_groups = vec![samples::group(&view.cluster, "default-worker", "worker", 1)];
    let answer = store.accept(&view, change).await;
    assert!(matches!(answer, Err(StoreError::Duplicate { what: "node group" })), "{answer:?}");
    assert_eq!(store.work(view.cluster.id).await.expect("read").expect("there").revision, 1, "nothing was written");
}

pub(crate) async fn health_is_written_in_the_same_state_only(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let reason = [("api".to_owned(), "ok".to_owned())];
    let healthy = Some(HealthStatus::Healthy);
    assert!(store.set_health(&view.cluster, healthy, reason.clone().into()).await.expect("an answer"));
    let read = store.cluster(&Ident::Id(view.cluster.id.uuid()), &Scope::All).await.expect("read").expect("there");
    assert_eq!((read.cluster.health_status, read.cluster.health_status_reason), (healthy, reason.into()));
    store.accept(&view, resize(&view, 5)).await.expect("an answer").expect("accepted");
    assert!(!store.set_health(&view.cluster, None, [].into()).await.expect("an answer"));
}
