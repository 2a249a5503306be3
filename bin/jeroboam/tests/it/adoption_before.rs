//! A database of Magnum 22, of the revision before the newest: adopted, served, handed back, and then upgraded by Magnum itself.

use jeroboam_store::testing::Engine;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::adoption::{Place, TOPOLOGY, left_by_magnum, paths, plain, terminate};

const BEFORE: &str = "c0f832afc4fd";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_magnum_22_is_adopted_and_given_back_so_that_magnum_23_can_upgrade_it() {
    let Some(place) = Place::new(Engine::MariaDb).await else { return };
    let made = place.magnum.run(&place.db.url, &["upgrade", BEFORE], &Value::Null);
    assert_eq!(made, json!({"revision": BEFORE}), "Magnum's own alembic");
    let demo = place.who(place.cloud.demo().await, "member,reader").await;
    let admin = place.who(place.cloud.admin().await, "admin,member,reader").await;
    let left = with_trusts(left_by_magnum(&demo, &admin));
    let stored = place.ask_magnum("insert", &left);
    assert_eq!(stored["cluster"][0]["trustee_username"], "trustee-0", "rows as Magnum 22 writes them");
    assert!(stored["nodegroup"][0].get("node_labels").is_none());

    let foreseen = place.db_well(&["adopt", "--dry-run", "--all-stopped"]);
    for words in [BEFORE, "can be adopted", "add column nodegroup.node_labels", "add column nodegroup.node_taints"] {
        assert!(foreseen.contains(words), "{words}: {foreseen}");
    }
    assert_eq!(place.ask_magnum("dump", &Value::Null), stored, "looking changed something");
    place.db_well(&["adopt", "--yes", "--all-stopped"]);
    let mut adopted = place.ask_magnum("dump", &Value::Null);
    for group in adopted["nodegroup"].as_array_mut().expect("rows") {
        let group = group.as_object_mut().expect("columns");
        assert_eq!((group.remove("node_labels"), group.remove("node_taints")), (Some(Value::Null), Some(Value::Null)));
    }
    assert_eq!(adopted, stored, "all else is as it was, the revision and the trusts too");

    let mut service = place.serve().await;
    let all = paths(&left, &demo.project);
    let said = place.we_say(&demo, "1.14", &all).await;
    for (path, answer) in &said {
        let elsewhere = path.contains("000000000021");
        let expected = if path.ends_with("/nobody") || elsewhere { 404 } else { 200 };
        assert_eq!(answer["status"], expected, "{path}: {}", answer["body"]);
    }
    let body = json!({"name": "ours", "cluster_template_id": TOPOLOGY, "keypair": "demo"});
    let ours = demo.tenant.must(Method::POST, "/clusters", Some(body), 202).await;
    let ours = format!("/clusters/{}", ours["uuid"].as_str().expect("a uuid"));
    demo.tenant.until_status(ours.trim_start_matches("/clusters/"), "CREATE_COMPLETE").await;
    demo.tenant.must(Method::DELETE, &ours, None, 204).await;
    demo.tenant.until_gone(ours.trim_start_matches("/clusters/")).await;
    terminate(&mut service).await;

    // Without --drop-tables the columns stay, and it is said what that means.
    let foreseen = place.db_well(&["hand-back", "--dry-run"]);
    assert!(foreseen.contains("will refuse to add again: use --drop-tables"), "{foreseen}");
    place.db_well(&["hand-back", "--yes", "--drop-tables"]);
    assert_eq!(
        place.ask_magnum("dump", &Value::Null),
        stored,
        "nothing of ours is left, and nothing of Magnum's is gone"
    );

    // The operator goes on with Magnum, to its next release, which says what we said.
    assert_eq!(place.ask_magnum("upgrade", &Value::Null), json!({"revision": "b3e1cf4a2d5e"}));
    let theirs = place.magnum_says(&demo, "1.14", &all);
    assert_eq!(comparable(&said), comparable(&theirs));
}

/// Answers without what may differ. Columns that are new hold NULL, which Magnum shows as such and we as none.
fn comparable(said: &Map<String, Value>) -> Map<String, Value> {
    let mut all = said.clone();
    for answer in all.values_mut() {
        *answer = plain(answer);
        for (name, none) in [("node_labels", json!({})), ("node_taints", json!([]))] {
            if let Some(shown) = answer["body"].get_mut(name).filter(|shown| shown.is_null()) {
                *shown = none;
            }
        }
    }
    all
}

/// What Magnum had of every cluster before it gave up trusts.
fn with_trusts(mut left: Value) -> Value {
    for (index, cluster) in left["Cluster"].as_array_mut().expect("rows").iter_mut().enumerate() {
        let more = json!({"trust_id": format!("trust-{index}"), "trustee_username": format!("trustee-{index}"),
            "trustee_user_id": format!("user-{index}"), "trustee_password": "secret"});
        let cluster = cluster.as_object_mut().expect("columns");
        cluster.extend(more.as_object().expect("columns").clone());
        // Magnum writes no NULL here.
        cluster.entry("health_status_reason").or_insert_with(|| json!({}));
    }
    left
}
