use std::sync::{Arc, Mutex};
use std::time::Duration;

use jeroboam_store::testing::{Engine, TestDatabase, execute, texts};
use jeroboam_store::{Store, StoreConfig, StoreErrorKind, samples};

pub(crate) async fn upgrades_can_be_repeated(db: TestDatabase) {
    let store = db.bare().await;
    let before = store.check().await.expect("a report");
    assert!(!before.is_usable());
    assert_eq!((before.magnum_revision, before.pending.len()), (None, 5));
    assert!(before.missing.contains(&"cluster".to_owned()));
    let first = store.upgrade().await.expect("tables");
    assert_eq!((first.created_magnum, first.applied), (true, before.pending));
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let second = store.upgrade().await.expect("nothing to do");
    assert_eq!((second.created_magnum, second.applied.len()), (false, 0));
    let report = store.check().await.expect("a report");
    assert!(report.is_usable(), "{report:?}");
    assert_eq!(report.magnum_revision.as_deref(), Some("b3e1cf4a2d5e"));
    assert_eq!(store.template_unfiltered(template.id).await.expect("read"), Some(template));
}

pub(crate) async fn upgrades_at_once_agree(db: TestDatabase) {
    let mut upgrades = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = db.bare().await;
        upgrades.spawn(async move { store.upgrade().await.map(drop) });
    }
    for result in upgrades.join_all().await {
        result.expect("tables");
    }
    assert!(db.bare().await.check().await.expect("a report").is_usable());
    let revisions = texts(&db.bare().await, "SELECT version_num FROM alembic_version").await;
    assert_eq!(revisions, [Some("b3e1cf4a2d5e".to_owned())]);
}

pub(crate) async fn tables_are_changed_for_longer_than_a_request_may_take(db: TestDatabase) {
    let (index, hold, waiting) = match db.engine {
        // A file has one writer, who is asked nothing.
        Engine::Sqlite => return,
        Engine::MariaDb => (
            "DROP INDEX jeroboam_cluster_status ON cluster",
            "SELECT * FROM cluster",
            "SELECT info FROM information_schema.processlist WHERE info LIKE 'CREATE INDEX%' AND time_ms > 2500",
        ),
        Engine::PostgreSql => (
            "DROP INDEX jeroboam_cluster_status",
            "LOCK TABLE cluster IN ROW EXCLUSIVE MODE",
            "SELECT query FROM pg_stat_activity
             WHERE query LIKE 'CREATE INDEX%' AND datname = current_database() AND now() - query_start > interval '2.5 s'",
        ),
    };
    let store = db.store().await;
    execute(&store, index).await;
    execute(&store, "DELETE FROM jeroboam_migration WHERE version = 'm003_indexes'").await;
    let holder = Store::connect(&StoreConfig { max_connections: 1, ..db.config() }).await.expect("a store");
    execute(&holder, "BEGIN").await;
    execute(&holder, hold).await;

    let hasty = StoreConfig { time_limit: Duration::from_secs(1), ..db.config() };
    let hasty = Store::connect(&hasty).await.expect("a store");
    let seen_waiting = async {
        let looks = tokio::time::timeout(Duration::from_secs(30), async {
            while texts(&store, waiting).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let seen = looks.await;
        execute(&holder, "ROLLBACK").await;
        seen
    };
    let (upgraded, seen) = tokio::join!(hasty.upgrade(), seen_waiting);
    assert_eq!(upgraded.expect("upgraded").applied, ["m003_indexes"]);
    seen.expect("the index was waited for");
}

pub(crate) async fn every_write_passes_the_fault_hook_twice(db: TestDatabase) {
    let (store, template, view) = super::one_cluster(&db).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let store = store.with_faults(Arc::new(move |name| sink.lock().expect("a lock").push(name)));
    let ttl = Duration::from_secs(10);
    let lease = store.claim(view.cluster.id, "a", samples::noon(), ttl).await.expect("an answer").expect("claimed");
    assert!(store.claim(view.cluster.id, "b", samples::noon(), ttl).await.expect("an answer").is_none());
    store.record(&lease, 1, jeroboam_store::Recorded::default()).await.expect("an answer");
    store.create_cluster(samples::new_cluster(&template, "p1", "no"), 0).await.expect("refused");
    store.release(&lease, samples::noon()).await.expect("an answer");
    let names = seen.lock().expect("a lock").clone();
    assert_eq!(names, ["claim lease", "claim lease", "record", "record", "release lease", "release lease"]);
}

#[tokio::test]
async fn a_database_that_is_away_is_said_to_be_away() {
    for url in [
        "mysql+pymysql://u:hidden@127.0.0.1:1/magnum",
        "postgresql://u:hidden@127.0.0.1:1/magnum",
        "sqlite:////nonexistent/folder/magnum.sqlite",
    ] {
        let config = StoreConfig { acquire_timeout: Duration::from_millis(300), ..StoreConfig::at(url.into()) };
        let store = Store::connect(&config).await.expect("nothing is asked of it yet");
        let errors = [
            store.ping().await.expect_err(url),
            store.due(samples::noon(), 1).await.expect_err(url),
            store.heartbeat("a", "b", samples::noon()).await.expect_err(url),
            store.check().await.expect_err(url),
            store.upgrade().await.expect_err(url),
        ];
        for error in errors {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{url}: {error:?}");
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_database_in_memory_lives_as_long_as_its_store() {
    let store = Store::connect(&StoreConfig::at("sqlite://".into())).await.expect("a store");
    store.upgrade().await.expect("tables");
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let scope = jeroboam_model::Scope::All;
    let listed = store.clone().templates(&scope, &jeroboam_model::Page::first(5)).await.expect("listed");
    assert_eq!(listed, [Arc::new(template)]);
    // Everything that is awaited here must be able to move between threads.
    fn can_move(_: impl Send) {}
    let lease = jeroboam_model::Lease {
        cluster: jeroboam_model::ClusterId::random(),
        owner: String::new(),
        fence: jeroboam_model::Fence(0),
        expires: samples::noon(),
    };
    can_move(store.record(&lease, 1, jeroboam_store::Recorded::default()));
    can_move(store.claim(lease.cluster, "a", samples::noon(), Duration::ZERO));
    can_move(store.upgrade());
}
