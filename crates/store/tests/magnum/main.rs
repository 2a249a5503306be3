//! One database, two programs: what Magnum 23's objects write is read here, and the other way round, column by column.
//!
//! On MariaDB the tables are made by Magnum's own alembic. On PostgreSQL and SQLite Magnum's alembic stops half-way, at statements
//! that only MySQL knows, and its own models make the tables instead.

mod rows;

use jeroboam_model::{ClusterWithGroups, Scope};
use jeroboam_store::oracle::Magnum;
use jeroboam_store::testing::{Engine, TestDatabase};
use jeroboam_store::{Creation, Ident, Store, samples};
use serde_json::{Map, Value, json};

use rows::{cluster_fields, group_fields, key_pair_fields, rich_template, rich_text, template_fields};

/// A database whose tables Magnum made, adopted.
struct Shared {
    db: TestDatabase,
    magnum: Magnum,
    store: Store,
}

impl Shared {
    async fn new(engine: Engine) -> Option<Self> {
        let magnum = Magnum::provided().filter(|_| engine.is_wanted())?;
        let db = TestDatabase::new(engine).await;
        let command = if engine == Engine::MariaDb { "upgrade" } else { "tables" };
        let made = magnum.run(&db.url, &[command], &Value::Null);
        assert_eq!(made, json!({"revision": "b3e1cf4a2d5e"}));
        let store = db.bare().await;
        let adopted = store.adopt(samples::noon(), false).await.expect("an answer");
        assert!(adopted.done && adopted.findings.is_empty(), "{adopted}");
        Some(Self { db, magnum, store })
    }

    fn ask(&self, command: &str, input: &Value) -> Value {
        self.magnum.run(&self.db.url, &[command], input)
    }

    async fn cluster(&self, id: &str) -> ClusterWithGroups {
        self.store.cluster(&Ident::cluster(id), &Scope::All).await.expect("read").expect("it is there")
    }

    /// What our side says of everything that Magnum's said something of.
    async fn as_we_see(&self, said: &Value) -> Value {
        let mut ours = Map::new();
        let of = |kind: &str| said[kind].as_array().cloned().unwrap_or_default();
        let mut templates = Vec::new();
        for row in of("ClusterTemplate") {
            let id = row["uuid"].as_str().and_then(|id| id.parse().ok()).expect("a uuid");
            let template = self.store.template_unfiltered(id).await.expect("read").expect("it is there");
            templates.push(template_fields(&template));
        }
        let (mut clusters, mut groups) = (Vec::new(), Vec::new());
        for row in of("Cluster") {
            let view = self.cluster(row["uuid"].as_str().expect("a uuid")).await;
            clusters.push(cluster_fields(&view.cluster));
            groups.extend(view.groups.iter().map(group_fields));
        }
        let mut pairs = Vec::new();
        for row in of("X509KeyPair") {
            let id = row["uuid"].as_str().and_then(|id| id.parse().ok()).expect("a uuid");
            let pair = self.store.keypair(id).await.expect("read").expect("it is there");
            pairs.push(key_pair_fields(&pair));
        }
        ours.insert("ClusterTemplate".to_owned(), templates.into());
        ours.insert("Cluster".to_owned(), clusters.into());
        ours.insert("NodeGroup".to_owned(), groups.into());
        ours.insert("X509KeyPair".to_owned(), pairs.into());
        ours.into()
    }

    /// Compares, field by field, and says which one differs.
    fn same(&self, theirs: &Value, ours: &Value) {
        for (kind, ours) in ours.as_object().expect("kinds") {
            let (ours, theirs) = (ours.as_array().expect("rows"), theirs[kind].as_array().expect("rows"));
            assert_eq!(ours.len(), theirs.len(), "{kind}");
            for (ours, theirs) in ours.iter().zip(theirs) {
                let (ours, theirs) = (ours.as_object().expect("fields"), theirs.as_object().expect("fields"));
                let unseen = ["id", "created_at", "updated_at"];
                for (name, theirs) in theirs {
                    match ours.get(name) {
                        Some(ours) => assert_eq!(ours, &seconds(name, theirs), "{kind}.{name}"),
                        None => assert!(
                            kind == "X509KeyPair" && unseen.contains(&name.as_str()),
                            "{kind}.{name} is not compared"
                        ),
                    }
                }
                for name in ours.keys() {
                    assert!(theirs.contains_key(name), "Magnum has no {kind}.{name}");
                }
            }
        }
    }
}

/// PostgreSQL and SQLite keep fractions of seconds, MariaDB and we do not.
fn seconds(name: &str, value: &Value) -> Value {
    match value.as_str().filter(|_| name.ends_with("_at")) {
        Some(text) if text.contains('.') => format!("{}+00:00", text.split('.').next().expect("a first part")).into(),
        _ => value.clone(),
    }
}

macro_rules! on_all_engines {
    ($($test:ident),+) => {
        on_all_engines!(mariadb MariaDb $($test),+);
        on_all_engines!(postgresql PostgreSql $($test),+);
        on_all_engines!(sqlite Sqlite $($test),+);
    };
    ($name:ident $engine:ident $($test:ident),+) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    if let Some(shared) = super::Shared::new(super::Engine::$engine).await {
                        super::$test(shared).await;
                    }
                }
            )+
        }
    };
}

on_all_engines!(what_magnum_writes_is_read_here, what_is_written_here_magnum_reads, what_magnum_changes_is_read_here);

async fn what_magnum_writes_is_read_here(shared: Shared) {
    let written = shared.ask("write", &rows::magnums_own());
    shared.same(&written, &shared.as_we_see(&written).await);
    let quota = &written["Quota"][0];
    let project = quota["project_id"].as_str().expect("a project").into();
    assert_eq!(shared.store.quota(&project).await.expect("read").map(i64::from), quota["hard_limit"].as_i64());
    let services = shared.store.services().await.expect("read");
    assert_eq!(services[0].host.as_deref(), written["MagnumService"][0]["host"].as_str());
    assert_eq!(services[0].binary.as_deref(), written["MagnumService"][0]["binary"].as_str());
    assert_eq!(
        i64::from(services[0].report_count),
        written["MagnumService"][0]["report_count"].as_i64().expect("a number")
    );
    let found = shared.store.examine(samples::noon(), true).await.expect("an answer");
    let strange: Vec<_> = found.findings.iter().filter(|f| f.gravity == jeroboam_store::Gravity::Unreadable).collect();
    assert!(strange.is_empty(), "{found}");
}

async fn what_is_written_here_magnum_reads(shared: Shared) {
    let store = &shared.store;
    let plain = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let rich = store.create_template(&rich_template()).await.expect("a template");
    let now = jeroboam_model::ClusterTemplate { tags: Some("a,ü".to_owned()), ..rich.clone() };
    let written = store.update_template(&rich, &now, true).await.expect("an answer");
    assert_eq!(written, jeroboam_store::TemplateUpdate::Written);
    for new in [samples::new_cluster(&plain, "p1", "plain"), rows::rich_cluster(&rich)] {
        let Creation::Created(view) = store.create_cluster(new, 99).await.expect("an answer") else {
            panic!("refused")
        };
        let lease = store.claim(view.cluster.id, "us", samples::noon(), std::time::Duration::from_secs(9)).await;
        let lease = lease.expect("an answer").expect("a lease");
        assert!(store.record(&lease, 1, rows::seen(&view)).await.expect("an answer"));
        let change = rows::change(&view);
        let now = shared.cluster(&view.cluster.id.to_string()).await;
        store.accept(&now, change).await.expect("an answer").expect("nobody was faster");
    }
    store.heartbeat("node1", "magnum-conductor", samples::noon()).await.expect("reported");
    store.heartbeat("node1", "magnum-conductor", samples::noon()).await.expect("reported");
    let theirs = shared.ask("read", &Value::Null);
    shared.same(&theirs, &shared.as_we_see(&theirs).await);
    assert_eq!(theirs["Cluster"].as_array().map(Vec::len), Some(2));
    let service = &theirs["MagnumService"][0];
    assert_eq!((&service["report_count"], &service["last_seen_up"]), (&json!(2), &json!("2026-11-21T18:00:00+00:00")));

    // What Magnum writes of the same values is the same down to the text in the column.
    let twins = rows::twins(&theirs);
    let _ = shared.ask("write", &twins.rows);
    for (table, ours, theirs) in &twins.pairs {
        let (ours, theirs) = (rows::raw(&shared, table, ours).await, rows::raw(&shared, table, theirs).await);
        assert!(!ours.is_empty());
        for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{table}.{name}");
        }
    }
}

async fn what_magnum_changes_is_read_here(shared: Shared) {
    let store = &shared.store;
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let new = samples::new_cluster(&template, "p1", "first");
    let Creation::Created(view) = store.create_cluster(new, 99).await.expect("an answer") else { panic!("refused") };
    let id = view.cluster.id.to_string();
    let text = rich_text(shared.db.engine, 300);
    let cluster = json!({"status": "RESTORE_COMPLETE", "status_reason": text, "labels": {"größe": "😀", "n": "1"},
        "health_status": "UNHEALTHY", "health_status_reason": {"api": text}, "api_address": "https://[::1]:6443"});
    let group = json!({"status": "CHECK_COMPLETE", "node_addresses": ["10.0.0.1", "::1"], "node_count": 7,
        "node_labels": {"a.b/c": ""},
        "node_taints": [{"key": "k", "value": "v", "effect": "NoExecute"}, {"key": "l", "effect": "NoSchedule"}]});
    let wanted = json!({"Cluster": {&id: cluster}, "NodeGroup": {view.groups[0].id.to_string(): group}});
    let theirs = shared.ask("save", &wanted);
    assert_eq!(theirs["Cluster"][0]["status"], "RESTORE_COMPLETE");
    assert_eq!(theirs["NodeGroup"][0]["node_count"], 7);
    shared.same(&theirs, &shared.as_we_see(&theirs).await);
}
