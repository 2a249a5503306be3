use jeroboam_model::{Page, Scope};
use jeroboam_store::testing::{TestDatabase, execute};
use jeroboam_store::{Creation, Ident, StoreError, samples};
use tokio::task::JoinSet;

pub(crate) async fn fifty_creates_at_once_make_exactly_as_many_as_allowed(db: TestDatabase) {
    let store = db.store().await;
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let mut creates = JoinSet::new();
    for number in 0..50 {
        let (store, new) = (store.clone(), samples::new_cluster(&template, "p1", &format!("c{number}")));
        creates.spawn(async move { store.create_cluster(new, 5).await.expect("an answer") });
    }
    let answers = creates.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Creation::Created(_))).count(), 5);
    assert_eq!(answers.iter().filter(|answer| **answer == Creation::OverQuota { limit: 5 }).count(), 45);
    assert_eq!(store.clusters(&Scope::All, &Page::first(100)).await.expect("listed").len(), 5);
    for (project, count) in [("p1", 5), ("p2", 0)] {
        assert_eq!(store.cluster_count(&project.into()).await.expect("counted"), count, "{project}");
    }
}

pub(crate) async fn a_projects_own_quota_goes_before_the_default(db: TestDatabase) {
    let store = db.store().await;
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    for (project, limit) in [("p1", 1), ("p2", -1)] {
        let row =
            format!("INSERT INTO quotas (project_id, resource, hard_limit) VALUES ('{project}', 'Cluster', {limit})");
        execute(&store, &row).await;
    }
    for (project, quota) in [("p1", Some(1)), ("p2", Some(0)), ("p3", None)] {
        assert_eq!(store.quota(&project.into()).await.expect("read"), quota, "{project}");
    }
    for (project, expected) in
        [("p1", None), ("p1", Some(1)), ("p2", Some(0)), ("p3", None), ("p3", None), ("p3", Some(2))]
    {
        let made = store.create_cluster(samples::new_cluster(&template, project, "c"), 2).await.expect("an answer");
        let limit = if let Creation::OverQuota { limit } = made { Some(limit) } else { None };
        assert_eq!(limit, expected, "{project}");
    }
}

pub(crate) async fn a_quota_is_set_changed_listed_and_taken_away(db: TestDatabase) {
    let store = db.store().await;
    let now = samples::noon();
    for (project, limit) in [("p1", 3), ("p2", 0), ("p3", 7)] {
        let made = store.create_quota(&project.into(), "Cluster", limit, now).await.expect("made");
        assert_eq!((made.project.as_str(), made.hard_limit, made.created_at), (project, limit, Some(now)));
        assert_eq!(made.updated_at, None);
    }
    let again = store.create_quota(&"p1".into(), "Cluster", 1, now).await;
    assert!(matches!(again, Err(StoreError::Duplicate { what: "quota" })), "{again:?}");
    let changed = store.update_quota(&"p1".into(), "Cluster", 9).await.expect("written").expect("there");
    assert!(changed.hard_limit == 9 && changed.updated_at.is_some());
    // The same once more is found, too, where an engine counts only rows that became others.
    assert!(store.update_quota(&"p1".into(), "Cluster", 9).await.expect("written").is_some());
    assert_eq!(store.quota_row(&"p1".into(), "Cluster").await.expect("read"), Some(changed));
    for (project, resource) in [("p9", "Cluster"), ("p1", "Nodes"), ("\0", "Cluster")] {
        let project = project.into();
        assert_eq!(store.quota_row(&project, resource).await.expect("read"), None);
        if resource != "Cluster" || project != "\0".into() {
            assert_eq!(store.update_quota(&project, resource, 1).await.expect("read"), None);
            assert!(!store.delete_quota(&project, resource).await.expect("read"));
        }
    }

    let page = |limit| Page { sort_key: "hard_limit".to_owned(), ..Page::first(limit) };
    let all = store.quotas(None, None, &page(10)).await.expect("listed");
    let limits = |quotas: &[jeroboam_model::Quota]| quotas.iter().map(|quota| quota.hard_limit).collect::<Vec<_>>();
    assert_eq!(limits(&all), [0, 7, 9]);
    let rest = store.quotas(None, Some(all[0].serial), &page(1)).await.expect("listed");
    assert_eq!(limits(&rest), [7]);
    let own = store.quotas(Some(&"p2".into()), None, &page(10)).await.expect("listed");
    assert_eq!(limits(&own), [0]);
    let stranger = store.quotas(None, Some(99), &page(10)).await;
    assert!(matches!(&stranger, Err(StoreError::UnknownMarker(marker)) if marker == "99"), "{stranger:?}");

    assert!(store.delete_quota(&"p1".into(), "Cluster").await.expect("deleted"));
    assert!(!store.delete_quota(&"p1".into(), "Cluster").await.expect("gone"));
    assert_eq!(store.quota(&"p1".into()).await.expect("read"), None);
}

pub(crate) async fn what_there_is_is_counted_by_project_and_in_all(db: TestDatabase) {
    let store = db.store().await;
    let stats = |clusters, nodes| jeroboam_model::Stats { clusters, nodes };
    assert_eq!(store.stats(None).await.expect("counted"), stats(0, 0));
    let template = store.create_template(&samples::template("p1", "small")).await.expect("a template");
    let mut nodes = std::collections::BTreeMap::<&str, u64>::new();
    for (project, name) in [("p1", "a"), ("p1", "b"), ("p2", "c")] {
        let new = samples::new_cluster(&template, project, name);
        let count: i32 = new.groups.iter().map(|group| group.node_count).sum();
        *nodes.entry(project).or_default() += u64::try_from(count).expect("not negative");
        super::create(&store, new).await;
    }
    let of = async |project: Option<&str>| {
        let project = project.map(jeroboam_model::ProjectId::from);
        store.stats(project.as_ref()).await.expect("counted")
    };
    assert_eq!(of(Some("p1")).await, stats(2, nodes["p1"]));
    assert_eq!(of(Some("p2")).await, stats(1, nodes["p2"]));
    assert_eq!(of(Some("p3")).await, stats(0, 0));
    assert_eq!(of(None).await, stats(3, nodes["p1"] + nodes["p2"]));
}

pub(crate) async fn federations_of_others_are_out_of_sight(db: TestDatabase) {
    let store = db.store().await;
    for (number, project) in [(1, "p1"), (2, "p2")] {
        let row = format!(
            "INSERT INTO federation (project_id, uuid, name, hostcluster_id, member_ids, status, properties) VALUES \
             ('{project}', '00000000-0000-0000-0000-00000000000{number}', 'one', 'h', '[\"m\"]', 'CREATE_COMPLETE', \
             '{{\"dns-zone\": \"example.com\"}}')"
        );
        execute(&store, &row).await;
    }
    let listed = store.federations(&"p1".into(), &Page::first(10)).await.expect("listed");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].members.as_slice(), listed[0].properties["dns-zone"].as_str()),
        (&["m".to_owned()][..], "example.com")
    );
    let named = |project: &str, name: &str| {
        let (store, project, ident) = (store.clone(), project.into(), Ident::cluster(name));
        async move { store.federation(&ident, &project).await.expect("read") }
    };
    assert_eq!(named("p1", "one").await.as_ref(), listed.first());
    assert_eq!(named("p1", "00000000-0000-0000-0000-000000000001").await.as_ref(), listed.first());
    assert_eq!(named("p1", "00000000-0000-0000-0000-000000000002").await, None);
    assert_eq!(named("p3", "one").await, None);
}
