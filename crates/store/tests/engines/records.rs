use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::{MachineView, ManualClock, Operation, Progress, Scope, Status};
use jeroboam_store::testing::{TestDatabase, execute, texts};
use jeroboam_store::{Acceptance, ClusterSeen, GroupSeen, Ident, Recorded, samples};
use secrecy::ExposeSecret;

use super::one_cluster;

const TTL: Duration = Duration::from_secs(10);

pub(crate) async fn what_was_seen_is_written_once(db: TestDatabase) {
    let (store, template, view) = one_cluster(&db).await;
    let clock = Arc::new(ManualClock::at(samples::noon()));
    let store = store.with_clock(clock.clone());
    let id = view.cluster.id;
    let lease = store.claim(id, "a", samples::noon(), TTL).await.expect("an answer").expect("claimed");
    let loaded = store.load(&lease).await.expect("an answer").expect("held");
    assert_eq!((loaded.template.as_ref(), &loaded.view), (Some(&template), &view));

    let machine = MachineView { name: "m-1 🎉".to_owned(), ready: true, ..MachineView::default() };
    let progress =
        Progress { phase: "workers".to_owned(), ready: 1, wanted: 3, machines: vec![machine], ..Progress::default() };
    let mut cluster = ClusterSeen::from(&view.cluster);
    cluster.status = Status::CREATE_COMPLETE;
    cluster.stack_id = Some("first-abcde".to_owned());
    cluster.health_status_reason = [("api".to_owned(), "ok".to_owned())].into();
    let mut group = GroupSeen::from(&view.groups[1]);
    group.node_addresses = vec!["10.0.0.7".to_owned()];
    group.node_count = Some(4);
    let recorded = Recorded {
        cluster: Some(cluster.clone()),
        groups: vec![group.clone()],
        removed_groups: vec![view.groups[0].id],
        operation: Some(Operation::Observe),
        deadline: Some(None),
        attempts: Some(3),
        progress: Some(progress.clone()),
        removals: Some(Vec::new()),
        secrets: vec![("cloud-config".to_owned(), "new".into())],
    };
    assert!(store.record(&lease, 1, recorded.clone()).await.expect("an answer"));
    let read = store.load(&lease).await.expect("an answer").expect("held");
    assert_eq!(ClusterSeen::from(&read.view.cluster), cluster);
    assert_eq!(read.view.groups.len(), 1);
    assert_eq!((read.view.groups[0].node_count, &read.view.groups[0].node_addresses), (4, &group.node_addresses));
    let work = &read.work;
    assert_eq!((work.operation, work.deadline, work.attempts), (Operation::Observe, None, 3));
    assert_eq!(work.progress, progress);
    let secret = store.secret(id, "cloud-config").await.expect("opened").expect("there");
    assert_eq!(secret.expose_secret(), "new");
    assert_eq!(read.view.cluster.updated_at, Some(samples::noon()));

    // The same again changes nothing, not even the time of the last change.
    clock.advance(Duration::from_secs(60));
    assert!(store.record(&lease, 1, recorded).await.expect("an answer"));
    assert_eq!(store.load(&lease).await.expect("an answer"), Some(read));
}

pub(crate) async fn a_newer_request_refuses_the_record(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let lease = store.claim(view.cluster.id, "a", samples::noon(), TTL).await.expect("an answer").expect("claimed");
    let work = store.load(&lease).await.expect("an answer").expect("held").work;
    let delete = Acceptance::of(Operation::Delete, Status::DELETE_IN_PROGRESS, samples::noon());
    store.accept(&view, delete).await.expect("an answer").expect("accepted");
    let mut seen = ClusterSeen::from(&view.cluster);
    seen.status = Status::CREATE_COMPLETE;
    let recorded = Recorded { cluster: Some(seen), operation: Some(Operation::Observe), ..Recorded::default() };
    assert!(!store.record(&lease, work.revision, recorded).await.expect("an answer"));
    let read = store.load(&lease).await.expect("an answer").expect("held");
    assert_eq!((read.view.cluster.status, read.work.operation), (Status::DELETE_IN_PROGRESS, Operation::Delete));
}

pub(crate) async fn a_cluster_that_is_gone_leaves_no_row(db: TestDatabase) {
    let (store, template, view) = one_cluster(&db).await;
    let other = super::create(&store, samples::new_cluster(&template, "p1", "other")).await;
    let lease = store.claim(view.cluster.id, "a", samples::noon(), TTL).await.expect("an answer").expect("claimed");
    assert!(!store.forget(&lease, 0, false).await.expect("an answer"), "a newer request came");
    assert!(store.forget(&lease, 1, false).await.expect("an answer"));
    for (table, column) in [
        ("cluster", "uuid"),
        ("nodegroup", "cluster_id"),
        ("jeroboam_cluster", "cluster"),
        ("jeroboam_secret", "cluster"),
    ] {
        let rows = texts(&store, &format!("SELECT DISTINCT {column} FROM {table}")).await;
        assert_eq!(rows, [Some(other.cluster.id.to_string())], "{table}");
    }
    let pairs = texts(&store, "SELECT uuid FROM x509keypair").await;
    assert_eq!(pairs, [other.cluster.certificates.ca.as_ref().map(ToString::to_string)]);
    let ident = Ident::Id(view.cluster.id.uuid());
    assert_eq!(store.cluster(&ident, &Scope::All).await.expect("read"), None);
    assert!(!store.forget(&lease, 1, false).await.expect("an answer"));
}

pub(crate) async fn the_last_cluster_of_a_project_is_told_that_it_is(db: TestDatabase) {
    let (store, template, view) = one_cluster(&db).await;
    let other = super::create(&store, samples::new_cluster(&template, "p1", "other")).await;
    let claim = async |view: &jeroboam_model::ClusterWithGroups| {
        store.claim(view.cluster.id, "a", samples::noon(), TTL).await.expect("an answer").expect("claimed")
    };
    let (first, last) = (claim(&view).await, claim(&other).await);
    // Both go at once, and each left to the other what they share.
    let (one, two) = tokio::join!(store.forget(&first, 1, true), store.forget(&last, 1, true));
    let went = [one.expect("an answer"), two.expect("an answer")];
    assert_eq!(went.iter().filter(|went| **went).count(), 1, "{went:?}");
    let last = if went[0] { last } else { first };
    assert!(store.forget(&last, 1, false).await.expect("an answer"));
}

pub(crate) async fn our_rows_follow_a_cluster_that_somebody_else_removed(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    execute(&store, "DELETE FROM nodegroup").await;
    execute(&store, "DELETE FROM cluster").await;
    let lease = store.claim(view.cluster.id, "a", samples::noon(), TTL).await.expect("an answer").expect("claimed");
    assert_eq!(store.load(&lease).await.expect("an answer"), None);
    assert_eq!(store.work(view.cluster.id).await.expect("read"), None);
    assert!(store.secret(view.cluster.id, "cloud-config").await.expect("read").is_none());
}

pub(crate) async fn reasons_are_kept_also_where_the_tables_have_less_room(db: TestDatabase) {
    let (store, _, view) = super::one_cluster(&db).await;
    if db.engine == jeroboam_store::testing::Engine::MariaDb {
        for table in ["cluster", "nodegroup"] {
            let sql = format!("ALTER TABLE {table} CONVERT TO CHARACTER SET latin1");
            jeroboam_store::testing::execute(&store, &sql).await;
        }
    }
    let ttl = Duration::from_secs(10);
    let lease = store.claim(view.cluster.id, "us", samples::noon(), ttl).await.expect("an answer").expect("a lease");
    let reason = Some("no valid host: größe \u{65e5}\u{672c} \u{1f600}".to_owned());
    let cluster = ClusterSeen { status_reason: reason, ..ClusterSeen::from(&view.cluster) };
    let seen = Recorded { cluster: Some(cluster), ..Recorded::default() };
    assert!(store.record(&lease, 1, seen).await.expect("an answer"));
    let read = store.cluster(&Ident::Id(view.cluster.id.uuid()), &Scope::All).await.expect("read").expect("there");
    let kept = read.cluster.status_reason.expect("a reason");
    assert!(kept.starts_with("no valid host: gr"), "{kept}");
}
