//! Who may do what.

use std::fs;

use jeroboam_model::{Caller, NodeGroup};
use jeroboam_oslo::{Enforcer, PolicySettings};
use jeroboam_service::{
    ClusterChange, Error, Kind, NewCluster, NewNodeGroup, NodeGroupChange, Resize, Upgrade, credentials,
};
use serde_json::Value;

use crate::bed::{Bed, refused, template};

/// Every request that changes something, with the rule that it asks.
async fn changes(bed: &Bed, who: &Caller, cluster: &str, followed: &str) -> Vec<(&'static str, Result<(), Error>)> {
    let (clusters, templates, groups) = (bed.service.clusters(), bed.service.templates(), bed.service.nodegroups());
    let new = NewCluster { template: followed.to_owned(), ..NewCluster::default() };
    let resize = Resize { node_count: 4, ..Resize::default() };
    let upgrade = Upgrade { template: followed.to_owned(), ..Upgrade::default() };
    let group = NewNodeGroup { name: "extra".to_owned(), ..NewNodeGroup::default() };
    let bounds = |_: &NodeGroup| Ok(NodeGroupChange { max_node_count: Some(Some(9)), ..NodeGroupChange::default() });
    vec![
        ("clustertemplate:create", templates.create(who, template()).await.map(drop)),
        ("clustertemplate:update", templates.update(who, followed, |was| Ok(was.clone())).await.map(drop)),
        ("clustertemplate:delete", templates.delete(who, followed).await),
        ("cluster:create", clusters.create(who, new).await.map(drop)),
        ("cluster:update", clusters.update(who, cluster, |_| Ok(ClusterChange::default())).await.map(drop)),
        ("cluster:resize", clusters.resize(who, cluster, resize).await.map(drop)),
        ("nodegroup:create", groups.create(who, cluster, group).await.map(drop)),
        ("nodegroup:update", groups.update(who, cluster, "default-worker", bounds).await.map(drop)),
        ("nodegroup:delete", groups.delete(who, cluster, "extra").await),
        ("cluster:upgrade", clusters.upgrade(who, cluster, upgrade).await.map(drop)),
        ("cluster:delete", clusters.delete(who, cluster).await),
    ]
}

#[tokio::test]
async fn readers_read_and_members_change() {
    let bed = Bed::new().await;
    let made = bed.running().await.cluster;
    let (cluster, followed) = (made.id.to_string(), made.template.to_string());
    let reader = bed.caller("cid", "blue", &["reader"]);
    for (rule, answer) in changes(&bed, &reader, &cluster, &followed).await {
        let words = format!("Policy doesn't allow {rule} to be performed.");
        assert_eq!(refused(answer), (Kind::Forbidden, words));
    }
    assert!(bed.service.clusters().get(&reader, &cluster).await.is_ok());
    let nobody = bed.caller("dot", "blue", &[]);
    let words = "Policy doesn't allow cluster:get to be performed.";
    assert_eq!(refused(bed.service.clusters().get(&nobody, &cluster).await), (Kind::Forbidden, words.to_owned()));
}

#[tokio::test]
async fn another_project_knows_of_nothing_and_an_administrator_of_all() {
    let bed = Bed::new().await;
    let made = bed.running().await.cluster;
    let (cluster, followed) = (made.id.to_string(), made.template.to_string());
    let bob = bed.caller("bob", "red", &["member", "reader"]);
    for (rule, answer) in changes(&bed, &bob, &cluster, &followed).await {
        if rule != "clustertemplate:create" {
            assert_eq!(refused(answer).0, Kind::NotFound, "{rule}");
        }
    }
    for (rule, answer) in changes(&bed, &bed.admin(), &cluster, &followed).await {
        match (rule, answer) {
            ("clustertemplate:delete", answer) => assert_eq!(refused(answer).0, Kind::BadRequest, "it is in use"),
            // An upgrade has to wait until the changes before it are done.
            ("cluster:upgrade", answer) => assert_eq!(refused(answer).0, Kind::BadRequest),
            (rule, answer) => answer.unwrap_or_else(|error| panic!("{rule}: {error}")),
        }
    }
}

#[tokio::test]
async fn a_token_without_a_project_makes_nothing() {
    let bed = Bed::new().await;
    let followed = bed.template(|_| {}).await.id.to_string();
    let mut admin = bed.admin();
    admin.project = None;
    let new = NewCluster { template: followed, ..NewCluster::default() };
    let (kind, words) = refused(bed.service.clusters().create(&admin, new).await);
    assert_eq!((kind, words.as_str()), (Kind::Forbidden, "A project-scoped token is needed to do this."));
    let mut system = bed.admin();
    (system.project, system.system_scope) = (None, Some("all".to_owned()));
    let (kind, _) = refused(bed.service.templates().create(&system, template()).await);
    assert_eq!(kind, Kind::Forbidden);
}

/// `tests/oracle/caller.json` is what Magnum itself tells its rules of a caller with these headers.
#[tokio::test]
async fn rules_are_told_of_a_caller_what_magnum_tells_them() {
    let said: Value = serde_json::from_str(include_str!("../../../../tests/oracle/caller.json")).expect("JSON");
    let bed = Bed::new().await;
    let mut caller = bed.caller("u1", "p1", &["member", "Reader"]);
    (caller.user_name, caller.project_name) = ("ann".to_owned(), Some("blue".to_owned()));
    (caller.domain, caller.system_scope) = (Some("d1".to_owned()), Some("all".to_owned()));
    let dir = tempfile::tempdir().expect("a directory");
    for (name, value) in said["told"].as_object().expect("an object") {
        let texts: Vec<_> = match value {
            Value::Null => vec!["None".to_owned()],
            Value::Bool(flag) => vec![if *flag { "True" } else { "False" }.to_owned()],
            Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            other => vec![other.as_str().expect("a text").to_owned()],
        };
        for text in texts {
            let file = dir.path().join("policy.yaml");
            fs::write(&file, format!("same: {name}:{text}\ncluster:create: rule:same\n")).expect("a file");
            let settings = PolicySettings { file: Some(file), ..PolicySettings::default() };
            let rules = Enforcer::new(settings).expect("rules");
            let holds = rules.authorize("cluster:create", &|_: &str| None, &credentials(&caller));
            // Tokens are looked at for ids, not for the names of domains.
            assert_eq!(holds, name != "user_domain_name", "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn rules_compare_with_what_magnum_tells_them_of_the_thing() {
    let owner = "user_id:%(user_id)s and project_id:%(project_id)s and not 0:%(id)d and not None:%(uuid)s";
    let cluster = "'True':%(floating_ip_enabled)s and 'CREATE_COMPLETE':%(status)s and None:%(health_status)s";
    let template = "'False':%(public)s and 'False':%(hidden)s and not 'CREATE_COMPLETE':%(status)s";
    let other = "'production':%(name)s or 'x':%(labels_of_nobody)s";
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("policy.yaml");
    let rules = serde_json::json!({
        "cluster:get": format!("{owner} and {cluster} and not ({other})"),
        "clustertemplate:get": format!("{owner} and {template} and not ({other})"),
    });
    fs::write(&file, rules.to_string()).expect("a file");
    let bed = Bed::ruled_by(file).await;
    let (ann, made) = (bed.ann(), bed.running().await.cluster);
    let got = bed.service.clusters().get(&ann, &made.id.to_string()).await;
    assert!(got.is_ok(), "{:?}", got.err());
    let got = bed.service.templates().get(&ann, &made.template.to_string()).await;
    assert!(got.is_ok(), "{:?}", got.err());
    let mut stranger = bed.ann();
    stranger.user = "bob".into();
    assert_eq!(refused(bed.service.clusters().get(&stranger, &made.id.to_string()).await).0, Kind::Forbidden);
}
