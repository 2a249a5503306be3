use std::time::Duration;

use jeroboam_model::{DriverFamily, Keeper, Operation, Scope, Status, Timestamp};
use jeroboam_store::testing::{Engine, TestDatabase, execute, texts};
use jeroboam_store::{ClusterSeen, Gravity, Ident, Recorded, Store, samples};

/// Columns with their types, as the engine tells them.
async fn columns(db: &TestDatabase, store: &Store) -> Vec<Option<String>> {
    let sql = match db.engine {
        Engine::Sqlite => "SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'jeroboam%' ORDER BY name",
        Engine::MariaDb => {
            "SELECT CONCAT(table_name, '.', column_name, ' ', column_type, ' ', is_nullable, ' ', COALESCE(character_set_name, ''))
             FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name NOT LIKE 'jeroboam%' ORDER BY 1"
        }
        Engine::PostgreSql => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'jeroboam%' ORDER BY 1"
        }
    };
    texts(store, sql).await
}

const HEAD: &str = "b3e1cf4a2d5e";
const BEFORE: &str = "c0f832afc4fd";

/// A database as Magnum leaves it: none of our tables and indexes, and a column that newer ones lack.
async fn magnums_own(db: &TestDatabase, revision: &str) -> Store {
    let store = db.store().await;
    let ours = ["cluster", "secret", "credential", "project", "heartbeat", "process", "adoption", "migration"];
    for table in ours.into_iter().chain(["cluster_version", "template_version"]) {
        execute(&store, &format!("DROP TABLE jeroboam_{table}")).await;
    }
    for column in ["project_id", "status", "cluster_template_id"] {
        let on = if db.engine == Engine::MariaDb { " ON cluster" } else { "" };
        execute(&store, &format!("DROP INDEX jeroboam_cluster_{column}{on}")).await;
    }
    if revision == BEFORE {
        execute(&store, "ALTER TABLE nodegroup DROP COLUMN node_labels").await;
        execute(&store, "ALTER TABLE nodegroup DROP COLUMN node_taints").await;
        execute(&store, "ALTER TABLE cluster ADD COLUMN trust_id VARCHAR(255)").await;
    }
    execute(&store, &format!("UPDATE alembic_version SET version_num = '{revision}'")).await;
    store
}

fn now() -> Timestamp {
    samples::noon()
}

fn later(seconds: u64) -> Timestamp {
    now() + Duration::from_secs(seconds)
}

pub(crate) async fn magnums_tables_are_left_as_they_are(db: TestDatabase) {
    // Made while our tables are there: without them nothing is written.
    let template = db.store().await.create_template(&samples::template("p1", "small")).await.expect("a template");
    let store = magnums_own(&db, HEAD).await;
    let before = columns(&db, &store).await;
    assert!(before.len() >= 8);
    let refused = store.upgrade().await.expect_err("Magnum's alone").to_string();
    assert!(refused.contains("db adopt"), "{refused}");
    let foreseen = store.examine(now(), false).await.expect("an answer");
    assert!(foreseen.can_be_adopted() && !foreseen.done, "{foreseen}");
    assert_eq!(foreseen.changes.len(), 13, "{foreseen}");
    assert_eq!(store.check().await.expect("a report").pending.len(), 5, "looking changed something");
    let adopted = store.adopt(now(), false).await.expect("an answer");
    assert_eq!((adopted.done, adopted.changes), (true, foreseen.changes));
    assert_eq!(columns(&db, &store).await, before);
    assert_eq!(texts(&store, "SELECT version_num FROM alembic_version").await, [Some(HEAD.to_owned())]);
    let again = store.adopt(later(60), false).await.expect("an answer");
    assert_eq!((again.done, again.changes.len()), (true, 0));
    assert!(store.check().await.expect("a report").is_usable());
    store.upgrade().await.expect("it is ours now");
    super::create(&store, samples::new_cluster(&template, "p1", "first")).await;
}

pub(crate) async fn an_older_magnum_gets_the_two_columns_and_loses_them_again(db: TestDatabase) {
    let store = magnums_own(&db, BEFORE).await;
    let before = columns(&db, &store).await;
    let foreseen = store.examine(now(), false).await.expect("an answer");
    assert!(foreseen.can_be_adopted(), "{foreseen}");
    assert!(
        foreseen.changes[0].contains("nodegroup.node_labels") && foreseen.changes[1].contains("nodegroup.node_taints")
    );
    assert_eq!(columns(&db, &store).await, before, "looking changed something");
    assert!(store.adopt(now(), false).await.expect("an answer").done);
    let report = store.check().await.expect("a report");
    assert!(report.is_usable(), "{report}");
    assert_eq!(report.magnum_revision.as_deref(), Some(BEFORE));
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    super::create(&store, samples::new_cluster(&template, "p1", "first")).await;
    let back = store.foresee_hand_back(now(), false, true).await.expect("an answer");
    assert!(back.changes.iter().any(|change| change.starts_with("drop column nodegroup.node_taints")), "{back}");
    assert!(store.hand_back(now(), false, true).await.expect("an answer").done);
    assert_eq!(columns(&db, &store).await.len(), before.len());
    assert!(!columns(&db, &store).await.iter().flatten().any(|column| column.contains("node_taints")));
}

pub(crate) async fn another_revision_is_refused_by_name(db: TestDatabase) {
    for (revision, words) in
        [("7da8489d6a68", "Magnum 13.0 to 17.0"), ("d7e6a4d39fe4", "broken off"), ("0123456789ab", "newer jeroboam")]
    {
        let store = db.store().await;
        execute(&store, &format!("UPDATE alembic_version SET version_num = '{revision}'")).await;
        let found = store.adopt(now(), false).await.expect("an answer");
        assert!(!found.done && found.changes.is_empty());
        let [obstacle] = &found.obstacles[..] else { panic!("{found}") };
        assert!(obstacle.contains(revision) && obstacle.contains(words) && obstacle.contains(HEAD), "{obstacle}");
    }
}

pub(crate) async fn columns_that_somebody_changed_are_refused_by_name(db: TestDatabase) {
    let store = magnums_own(&db, HEAD).await;
    execute(&store, "ALTER TABLE quotas DROP COLUMN hard_limit").await;
    let found = store.adopt(now(), false).await.expect("an answer");
    let [obstacle] = &found.obstacles[..] else { panic!("{found}") };
    assert!(obstacle.contains("quotas.hard_limit"), "{obstacle}");
    execute(&store, "ALTER TABLE quotas ADD COLUMN hard_limit VARCHAR(3)").await;
    let found = store.adopt(now(), false).await.expect("an answer");
    let [obstacle] = &found.obstacles[..] else { panic!("{found}") };
    assert!(obstacle.contains("quotas.hard_limit is of type"), "{obstacle}");
    // A pooled connection of SQLite would still know the column that another one dropped.
    if db.engine == Engine::Sqlite {
        return;
    }
    execute(&store, "ALTER TABLE quotas DROP COLUMN hard_limit").await;
    execute(&store, "ALTER TABLE quotas ADD COLUMN hard_limit INTEGER NOT NULL DEFAULT 0").await;
    if db.engine == Engine::MariaDb {
        execute(&store, "ALTER TABLE cluster MODIFY COLUMN name VARCHAR(100)").await;
        let found = store.adopt(now(), false).await.expect("an answer");
        let [obstacle] = &found.obstacles[..] else { panic!("{found}") };
        assert!(obstacle.contains("cluster.name holds 100 characters"), "{obstacle}");
        execute(&store, "ALTER TABLE cluster MODIFY COLUMN name VARCHAR(255)").await;
    }
    assert!(store.adopt(now(), false).await.expect("an answer").done);
}

pub(crate) async fn nothing_is_adopted_while_a_conductor_reports(db: TestDatabase) {
    let store = magnums_own(&db, HEAD).await;
    execute(
        &store,
        "INSERT INTO magnum_service (host, binary, report_count, last_seen_up) VALUES ('node7', 'magnum-conductor', 3, '2026-11-21 17:59:30')"
            .replace("binary", if db.engine == Engine::MariaDb { "`binary`" } else { "\"binary\"" })
            .as_str(),
    )
    .await;
    assert_eq!(now().to_string(), "2026-11-21T18:00:00Z");
    let found = store.adopt(now(), false).await.expect("an answer");
    assert!(!found.done);
    let [obstacle] = &found.obstacles[..] else { panic!("{found}") };
    assert!(
        obstacle.starts_with("magnum-conductor on node7 reported 30 s ago") && obstacle.contains("wait 45 s"),
        "{obstacle}"
    );
    assert!(store.examine(later(45), false).await.expect("an answer").can_be_adopted());
    assert!(store.adopt(now(), true).await.expect("an answer").done);
    // From here on it is we who report, on the same machine.
    store.heartbeat("node7", "magnum-conductor", later(60)).await.expect("reported");
    assert!(store.adopt(later(61), false).await.expect("an answer").done);
    execute(&store, "UPDATE magnum_service SET last_seen_up = '2026-11-21 18:01:20'").await;
    assert!(!store.adopt(later(81), false).await.expect("an answer").done, "somebody else reports, too");
}

pub(crate) async fn every_row_that_is_not_served_is_named(db: TestDatabase) {
    let (store, template, view) = super::one_cluster(&db).await;
    let found = store.examine(now(), false).await.expect("an answer");
    assert_eq!((found.findings.len(), found.clusters.len()), (0, 1), "{found}");
    let (id, master) = (view.cluster.id.to_string(), view.groups[0].id.to_string());
    let (template, key) = (template.id.to_string(), view.cluster.certificates.ca.expect("a reference").to_string());
    for (sql, mend, gravity, row, what) in [
        ("cluster SET status = 'BORED'", "cluster SET status = 'CREATE_COMPLETE'", Gravity::Unreadable, &id, "status"),
        ("cluster SET labels = '[1]'", "cluster SET labels = '{}'", Gravity::Unreadable, &id, "labels"),
        (
            "nodegroup SET node_taints = '7' WHERE role = 'master'",
            "nodegroup SET node_taints = NULL",
            Gravity::Unreadable,
            &master,
            "node_taints",
        ),
        (
            "nodegroup SET status = NULL WHERE role = 'master'",
            "nodegroup SET status = 'CREATE_COMPLETE'",
            Gravity::Odd,
            &master,
            "status is NULL",
        ),
        (
            "cluster_template SET server_type = 'toaster'",
            "cluster_template SET server_type = 'vm'",
            Gravity::Unreadable,
            &template,
            "toaster",
        ),
        (
            "cluster_template SET coe = 'swarm'",
            "cluster_template SET coe = 'kubernetes'",
            Gravity::Limited,
            &template,
            "swarm",
        ),
        (
            "cluster_template SET driver = 'k8s_fedora_coreos_v1'",
            "cluster_template SET driver = NULL",
            Gravity::Limited,
            &template,
            "not one of ours",
        ),
        (
            "x509keypair SET certificate = NULL",
            "x509keypair SET certificate = 'x'",
            Gravity::Unreadable,
            &key,
            "certificate",
        ),
        (
            "nodegroup SET is_default = NULL WHERE role = 'worker'",
            "nodegroup SET is_default = (1 = 1)",
            Gravity::Limited,
            &id,
            "default node group for its worker",
        ),
    ] {
        execute(&store, &format!("UPDATE {sql}")).await;
        let found = store.examine(now(), false).await.expect("an answer");
        assert!(found.can_be_adopted(), "{sql}: {found}");
        let named = found.findings.iter().any(|f| f.gravity == gravity && f.id == *row && f.what.contains(what));
        assert!(named, "{sql}: {found}");
        execute(&store, &format!("UPDATE {mend}")).await;
        let found = store.examine(now(), false).await.expect("an answer");
        assert_eq!(found.findings.len(), 0, "{mend}: {found}");
    }
    for (sql, gravity, row, what) in [
        ("DELETE FROM x509keypair", Gravity::Odd, &id, "not in x509keypair"),
        ("DELETE FROM cluster_template", Gravity::Limited, &id, "its template"),
        ("DELETE FROM jeroboam_cluster", Gravity::Limited, &id, "nobody will finish that here"),
        ("DELETE FROM nodegroup WHERE role = 'worker'", Gravity::Limited, &id, "default node group for its worker"),
        ("DELETE FROM cluster", Gravity::Odd, &master, "nobody sees this group"),
    ] {
        execute(&store, "UPDATE cluster SET status = 'CREATE_IN_PROGRESS'").await;
        execute(&store, sql).await;
        let found = store.examine(now(), false).await.expect("an answer");
        let named = found.findings.iter().any(|f| f.gravity == gravity && f.id == *row && f.what.contains(what));
        assert!(named, "{sql}: {found}");
    }
}

pub(crate) async fn what_is_unfinished_goes_back_as_a_failure_and_is_taken_up_again(db: TestDatabase) {
    let (store, template, creating) = super::one_cluster(&db).await;
    let ttl = Duration::from_secs(10);
    let settled = super::create(&store, samples::new_cluster(&template, "p1", "second")).await;
    let lease = store.claim(settled.cluster.id, "us", now(), ttl).await.expect("an answer").expect("a lease");
    let complete = ClusterSeen { status: Status::CREATE_COMPLETE, ..ClusterSeen::from(&settled.cluster) };
    let groups = settled.groups.iter().map(|group| jeroboam_store::GroupSeen {
        status: Status::CREATE_COMPLETE,
        ..jeroboam_store::GroupSeen::from(group)
    });
    let seen = Recorded {
        cluster: Some(complete),
        groups: groups.collect(),
        operation: Some(Operation::Observe),
        ..Recorded::default()
    };
    assert!(store.record(&lease, 1, seen).await.expect("an answer"));
    assert!(store.release(&lease, later(3000)).await.expect("an answer"));
    let held = store.claim(creating.cluster.id, "us", now(), ttl).await.expect("an answer").expect("a lease");
    store.heartbeat("node1", "magnum-conductor", now()).await.expect("reported");
    store.announce("node1:7", "all", now()).await.expect("announced");

    let refused = store.hand_back(later(1), false, false).await.expect("an answer");
    assert!(!refused.done && refused.obstacles[0].contains("jeroboam all"), "{refused}");
    store.depart("node1:7").await.expect("departed");
    let refused = store.hand_back(later(1), false, false).await.expect("an answer");
    assert!(!refused.done && refused.obstacles[0].contains("works on cluster"), "{refused}");
    let foreseen = store.foresee_hand_back(later(11), false, false).await.expect("an answer");
    assert!(foreseen.is_possible() && foreseen.changes.len() == 3, "{foreseen}");
    let read = |id: jeroboam_model::ClusterId| {
        let store = store.clone();
        async move { store.cluster(&Ident::Id(id.uuid()), &Scope::All).await.expect("read").expect("there") }
    };
    assert_eq!(read(creating.cluster.id).await.cluster.status, Status::CREATE_IN_PROGRESS, "looking changed something");
    let done = store.hand_back(later(11), false, false).await.expect("an answer");
    assert_eq!((done.done, done.changes), (true, foreseen.changes));

    let failed = read(creating.cluster.id).await;
    assert_eq!(failed.cluster.status, Status::CREATE_FAILED);
    assert!(failed.cluster.status_reason.is_some_and(|reason| reason.contains("handed back to Magnum")));
    assert!(failed.groups.iter().all(|group| group.status == Status::CREATE_FAILED));
    assert_eq!(read(settled.cluster.id).await.cluster.status, Status::CREATE_COMPLETE);
    assert!(!store.record(&held, 1, Recorded::default()).await.expect("an answer"), "an old holder writes no more");
    assert_eq!(store.services().await.expect("listed").len(), 0);
    let report = store.check().await.expect("a report");
    assert!(!report.is_usable() && report.handed_back == Some(later(11)), "{report}");
    assert!(store.upgrade().await.expect_err("handed back").to_string().contains("handed back"));

    // Somebody removes a cluster with Magnum; then the database comes back.
    execute(&store, &format!("DELETE FROM cluster WHERE uuid = '{}'", settled.cluster.id)).await;
    let adopted = store.adopt(later(100), false).await.expect("an answer");
    assert!(adopted.done && adopted.changes[0].starts_with("take up what was left"), "{adopted}");
    assert!(store.check().await.expect("a report").is_usable());
    assert_eq!(store.due(later(100), 9).await.expect("due"), [creating.cluster.id]);
    let work = store.work(creating.cluster.id).await.expect("an answer").expect("work");
    assert_eq!((work.operation, work.revision), (Operation::Create, 1));
}

pub(crate) async fn our_tables_go_when_that_is_wanted(db: TestDatabase) {
    let (store, _, view) = super::one_cluster(&db).await;
    let before = columns(&db, &store).await;
    let foreseen = store.foresee_hand_back(now(), false, true).await.expect("an answer");
    assert!(foreseen.notes.iter().any(|note| note.starts_with("1 clusters lose the credentials")), "{foreseen}");
    assert!(store.hand_back(now(), false, true).await.expect("an answer").done);
    assert_eq!(columns(&db, &store).await, before);
    let left = match db.engine {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE name LIKE '%jeroboam%'",
        Engine::MariaDb => {
            "SELECT CONVERT(table_name USING utf8mb4) FROM information_schema.statistics WHERE table_schema = DATABASE() \
             AND (table_name LIKE 'jeroboam%' OR index_name LIKE 'jeroboam%')"
        }
        Engine::PostgreSql => "SELECT CAST(relname AS text) FROM pg_class WHERE relname LIKE '%jeroboam%'",
    };
    assert_eq!(texts(&store, left).await, [] as [Option<String>; 0]);
    let again = store.hand_back(now(), false, true).await.expect("an answer");
    assert!(again.obstacles[0].contains("nothing of ours"), "{again}");
    assert!(store.adopt(now(), false).await.expect("an answer").done);
    let keeper = store.keeper(&view.cluster).await.expect("an answer");
    let driver = Some("k8s_cluster_api_ubuntu".to_owned());
    assert_eq!(keeper, Keeper::Other { driver, family: DriverFamily::Topology });
}

pub(crate) async fn a_record_goes_alone_and_only_where_it_is_not_ours(db: TestDatabase) {
    let (store, _, view) = super::one_cluster(&db).await;
    assert_eq!(store.keeper(&view.cluster).await.expect("an answer"), Keeper::Us);
    assert!(!store.forget_record(&view).await.expect("an answer"), "it is ours");
    execute(&store, "DELETE FROM jeroboam_cluster").await;
    execute(&store, "UPDATE cluster_template SET driver = NULL, cluster_distro = 'fedora-coreos'").await;
    let keeper = store.keeper(&view.cluster).await.expect("an answer");
    assert_eq!(keeper, Keeper::Other { driver: None, family: DriverFamily::Heat });
    assert!(store.forget_record(&view).await.expect("an answer"));
    assert!(!store.forget_record(&view).await.expect("an answer"), "once is enough");
    for table in ["cluster", "nodegroup", "x509keypair"] {
        assert_eq!(texts(&store, &format!("SELECT uuid FROM {table}")).await, [] as [Option<String>; 0], "{table}");
    }
    assert_eq!(texts(&store, "SELECT uuid FROM cluster_template").await.len(), 1);
}
