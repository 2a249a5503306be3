use jeroboam_model::{Clock, NodeGroup, Operation, Page, Scope, ShownGroup, SystemClock};
use jeroboam_store::testing::{Engine, TestDatabase, execute};
use jeroboam_store::{Creation, Ident, StoreError, StoreErrorKind, samples};
use secrecy::ExposeSecret;

use super::{create, one_cluster};

pub(crate) async fn a_cluster_comes_back_as_it_was_written(db: TestDatabase) {
    let store = db.store().await;
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let mut new = samples::new_cluster(&template, "p1", "first");
    new.cluster.health_status_reason = [("api".to_owned(), "ok ✓".to_owned())].into();
    new.groups[1].node_labels = [("zone".to_owned(), "ä".to_owned())].into();
    new.groups[1].node_addresses = vec!["10.0.0.5".to_owned()];
    new.groups[1].node_taints = vec![jeroboam_model::Taint {
        key: "gpu".to_owned(),
        value: None,
        effect: jeroboam_model::TaintEffect::NoSchedule,
    }];
    let made = create(&store, new.clone()).await;
    let mut plain = made.clone();
    assert!(plain.cluster.serial > 0);
    plain.cluster.serial = 0;
    plain.groups.iter_mut().for_each(|group| group.serial = 0);
    assert_eq!((&plain.cluster, &plain.groups), (&new.cluster, &new.groups));
    assert_eq!(plain.template_labels.as_ref(), Some(&template.labels));

    let ident = Ident::Id(new.cluster.id.uuid());
    assert_eq!(store.cluster(&ident, &Scope::All).await.expect("read"), Some(made.clone()));
    let shown = store.shown_cluster(&ident, &Scope::All).await.expect("read").expect("there");
    assert_eq!((&shown.cluster, &shown.template_labels), (&made.cluster, &made.template_labels));
    let groups: Vec<_> = made.groups.iter().map(as_shown).collect();
    assert_eq!(shown.groups, groups);
    assert_eq!(store.shown_clusters(&Scope::All, &Page::first(10)).await.expect("listed"), [shown]);
    assert_eq!(store.clusters(&Scope::All, &Page::first(10)).await.expect("listed"), [made]);

    let work = store.work(new.cluster.id).await.expect("read").expect("there");
    assert_eq!((work.operation, work.revision, work.began), (Operation::Create, 1, samples::noon()));
    assert_eq!((work.deadline, work.attempts, work.removals), (new.deadline, 0, Vec::new()));

    let pair = store.keypair(new.key_pairs[0].id).await.expect("read").expect("there");
    assert_eq!(pair.certificate, new.key_pairs[0].certificate);
    assert_eq!(pair.private_key.expose_secret(), new.key_pairs[0].private_key.expose_secret());
    assert_eq!(pair.passphrase.expose_secret(), "abcdefghijkl");
    let secret = store.secret(new.cluster.id, "cloud-config").await.expect("opened").expect("there");
    assert_eq!(secret.expose_secret(), "clouds: {}");

    let again = store.create_cluster(new, 1000).await;
    assert!(matches!(again, Err(StoreError::Duplicate { what: "cluster" })), "{again:?}");
}

fn as_shown(group: &NodeGroup) -> ShownGroup {
    ShownGroup {
        name: group.name.clone(),
        role: group.role.clone(),
        node_count: group.node_count,
        node_addresses: group.node_addresses.clone(),
        status: group.status,
        status_reason: group.status_reason.clone(),
    }
}

pub(crate) async fn a_cluster_is_found_by_id_number_and_name_within_its_scope(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let id = view.cluster.id.to_string();
    for (ident, scope, found) in [
        (Ident::cluster(&id), Scope::All, true),
        (Ident::cluster(&id.to_uppercase().replace('-', "")), Scope::All, true),
        (Ident::cluster("first"), Scope::Project("p1".into()), true),
        (Ident::Serial(view.cluster.serial), Scope::User("user-1".into()), true),
        (Ident::cluster(&id), Scope::Project("p2".into()), false),
        (Ident::cluster("first"), Scope::User("user-2".into()), false),
        (Ident::cluster("second"), Scope::All, false),
        (Ident::cluster("first\0"), Scope::All, false),
        (Ident::cluster("😀"), Scope::All, false),
        (Ident::Serial(i64::MAX), Scope::All, false),
        (Ident::cluster(&jeroboam_model::ClusterId::random().to_string()), Scope::All, false),
    ] {
        let read = store.cluster(&ident, &scope).await.unwrap_or_else(|error| panic!("{ident:?}: {error:?}"));
        assert_eq!(read.is_some(), found, "{ident:?} {scope:?}");
    }
    // Magnum: on MariaDB names are compared without regard to case; we leave it to the database.
    let upper = store.cluster(&Ident::cluster("FIRST"), &Scope::All).await.expect("read");
    assert_eq!(upper.is_some(), db.engine == Engine::MariaDb);
}

pub(crate) async fn a_name_that_two_clusters_have_is_ambiguous(db: TestDatabase) {
    let (store, template, view) = one_cluster(&db).await;
    create(&store, samples::new_cluster(&template, "p1", "first")).await;
    create(&store, samples::new_cluster(&template, "p2", "first")).await;
    let found = store.cluster(&Ident::cluster("first"), &Scope::Project("p1".into())).await;
    assert!(matches!(found, Err(StoreError::Ambiguous { what: "cluster" })), "{found:?}");
    let found = store.cluster(&Ident::cluster("first"), &Scope::Project("p2".into())).await.expect("only one");
    assert_ne!(found.map(|found| found.cluster.id), Some(view.cluster.id));
}

pub(crate) async fn a_cluster_without_its_template_is_still_shown(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let ident = Ident::Id(view.cluster.id.uuid());
    execute(&store, "UPDATE cluster_template SET labels = NULL").await;
    let read = store.cluster(&ident, &Scope::All).await.expect("read").expect("there");
    assert_eq!(read.template_labels, Some(jeroboam_model::Labels::default()));
    execute(&store, "DELETE FROM cluster_template").await;
    execute(&store, "DELETE FROM nodegroup").await;
    let read = store.cluster(&ident, &Scope::All).await.expect("read").expect("there");
    assert_eq!((read.template_labels, read.groups.len()), (None, 0));
    assert_eq!(store.clusters(&Scope::All, &Page::first(1)).await.expect("listed").len(), 1);
}

pub(crate) async fn text_that_the_database_cannot_hold_is_a_clear_error(db: TestDatabase) {
    let store = db.store().await;
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let long = "x".repeat(300);
    let (too_long, odd) = ("it is too long", "it has characters that the database does not know");
    for (name, refused_by, why) in [
        ("naïve ✓", &[][..], ""),
        ("party 🎉", &[Engine::MariaDb], odd),
        (&long, &[Engine::MariaDb, Engine::PostgreSql], too_long),
        ("nul \0", &[Engine::PostgreSql], odd),
    ] {
        let made = store.create_cluster(samples::new_cluster(&template, "p1", name), 1000).await;
        match made {
            Ok(Creation::Created(_)) => assert!(!refused_by.contains(&db.engine), "{name} was taken"),
            Err(error) => {
                assert!(refused_by.contains(&db.engine), "{name}: {error:?}");
                assert_eq!(error.kind(), StoreErrorKind::BadInput, "{name}: {error:?}");
                // In our words: the database's name tables, columns and itself.
                assert_eq!(error.to_string(), format!("the database cannot hold a text: {why}"));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let left = store.clusters(&Scope::All, &Page::first(10)).await.expect("listed");
    assert!(left.iter().all(|view| view.groups.len() == 2), "nothing is half written");
}

pub(crate) async fn each_accepted_cluster_is_announced(db: TestDatabase) {
    let (store, template, _) = one_cluster(&db).await;
    let mut changes = store.changes();
    changes.mark_unchanged();
    create(&store, samples::new_cluster(&template, "p1", "second")).await;
    assert!(changes.has_changed().expect("the store is there"));
    changes.mark_unchanged();
    let over = store.create_cluster(samples::new_cluster(&template, "p1", "third"), 1).await.expect("refused");
    assert_eq!(over, Creation::OverQuota { limit: 1 });
    assert!(!changes.has_changed().expect("the store is there"));
}

pub(crate) async fn processes_report_and_are_listed(db: TestDatabase) {
    let store = db.store().await;
    let now = SystemClock.now();
    store.heartbeat("a", "jeroboam-api", samples::noon()).await.expect("reported");
    store.heartbeat("b", "jeroboam-api", samples::noon()).await.expect("reported");
    store.heartbeat("a", "jeroboam-api", now).await.expect("reported");
    let rows = store.services().await.expect("listed");
    let seen: Vec<_> = rows.iter().map(|row| (row.host.as_deref(), row.report_count)).collect();
    assert_eq!(seen, [(Some("a"), 2), (Some("b"), 1)]);
    assert_eq!(rows[0].last_seen_up.map(jeroboam_model::Timestamp::as_second), Some(now.as_second()));
    assert_eq!((rows[0].created_at, rows[1].updated_at), (Some(samples::noon()), None));
}
