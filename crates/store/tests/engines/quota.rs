use jeroboam_model::{Page, Scope};
use jeroboam_store::testing::{TestDatabase, execute};
use jeroboam_store::{Creation, samples};
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
