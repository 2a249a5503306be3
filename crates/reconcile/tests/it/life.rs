//! The life of a cluster, and what may go wrong in it.

use std::time::Duration;

use jeroboam_model::{HealthStatus, NodeGroup, NodeGroupId, Operation, Removal, Status};
use jeroboam_store::PendingCredential;

use crate::world::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_resized_upgraded_and_deleted_to_nothing_left() {
    let world = World::new().await;
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;

    let made = world.until(id, Status::CREATE_COMPLETE).await;
    assert_eq!(made.cluster.status_reason, None);
    assert_eq!(world.cloud.floating_ips(), 1);
    assert_eq!(made.cluster.api_address.as_deref(), Some("https://192.0.2.10:6443"));
    assert_eq!(made.cluster.coe_version.as_deref(), Some("v1.33.4"));
    assert_eq!(made.cluster.health_status, Some(HealthStatus::Healthy));
    let name = made.cluster.stack_id.clone().expect("a name");
    assert!(made.groups.iter().all(|group| group.status == Status::CREATE_COMPLETE), "{:?}", made.groups);
    assert_eq!(made.default_worker().expect("workers").node_addresses.len(), 2);
    let work = world.work(id).await;
    assert_eq!((work.operation, work.deadline, work.progress.ready), (Operation::Observe, None, 3));
    let secrets = world.kube.names("secrets");
    for secret in ["ca", "etcd", "proxy", "sa"] {
        assert!(secrets.contains(&format!("{name}-{secret}")), "{secret} in {secrets:?}");
    }

    world.resize(id, 4).await;
    world.until(id, Status::UPDATE_COMPLETE).await;
    assert_eq!(world.kube.names("machines").len(), 5);

    world
        .change(id, Operation::Upgrade, Status::UPDATE_IN_PROGRESS, |was, change| {
            let mut labels = was.cluster.labels.clone();
            labels.set("kube_tag", "v1.34.1");
            change.labels = Some(labels);
        })
        .await;
    let upgraded = world.until_it(id, "the new release", |view| view.cluster.status == Status::UPDATE_COMPLETE).await;
    assert_eq!(upgraded.cluster.coe_version.as_deref(), Some("v1.34.1"));

    world.delete(id).await;
    world.until_gone(id).await;
    assert_eq!(world.cloud.floating_ips(), 0);
    assert_eq!(world.kube.left(), [] as [String; 0]);
    assert_eq!(world.cloud.credentials(), [] as [String; 0]);
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn named_nodes_are_marked_before_the_group_shrinks_and_are_the_ones_that_go() {
    let world = World::new().await;
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    world.until(id, Status::CREATE_COMPLETE).await;
    let workers = |world: &World| {
        world.kube.names("machines").into_iter().filter(|name| name.contains("default-worker")).collect::<Vec<_>>()
    };
    let (victim, survivor) = (workers(&world)[0].clone(), workers(&world)[1].clone());

    let before = world.kube.writes().len();
    world
        .change(id, Operation::Update, Status::UPDATE_IN_PROGRESS, |was, change| {
            let group = was.default_worker().expect("workers").clone();
            change.removals = vec![Removal { group: group.id, node: format!("server-of-{victim}") }];
            change.changed_groups = vec![NodeGroup { node_count: 1, status: Status::UPDATE_IN_PROGRESS, ..group }];
        })
        .await;
    world.until(id, Status::UPDATE_COMPLETE).await;
    assert_eq!(workers(&world), [survivor]);
    let writes = world.kube.writes().split_off(before);
    let at = |part: &str| writes.iter().position(|write| write.starts_with(part));
    assert!(at(&format!("PATCH machines/{victim}")).expect("marked") < at("PATCH clusters/").expect("shrunk"));
    assert!(world.work(id).await.removals.is_empty(), "what was asked for is done");
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_group_comes_and_goes_with_its_row() {
    let world = World::new().await;
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    world.until(id, Status::CREATE_COMPLETE).await;
    let group = NodeGroupId::random();
    world
        .change(id, Operation::Update, Status::UPDATE_IN_PROGRESS, |was, change| {
            let like = was.default_worker().expect("workers").clone();
            let status = Status::CREATE_IN_PROGRESS;
            let (name, is_default) = ("gpu".to_owned(), false);
            change.added_groups = vec![NodeGroup { id: group, name, is_default, node_count: 3, status, ..like }];
        })
        .await;
    let with = world.until(id, Status::UPDATE_COMPLETE).await;
    let added = with.groups.iter().find(|found| found.id == group).expect("the row");
    assert_eq!((added.status, added.node_addresses.len()), (Status::CREATE_COMPLETE, 3));

    world.kube.hold();
    world
        .change(id, Operation::Update, Status::UPDATE_IN_PROGRESS, |was, change| {
            let leaving = was.groups.iter().find(|found| found.id == group).expect("the row").clone();
            change.changed_groups = vec![NodeGroup { status: Status::DELETE_IN_PROGRESS, ..leaving }];
        })
        .await;
    let held = world.until_it(id, "a reason", |view| view.cluster.status_reason.is_some()).await;
    assert!(held.groups.iter().any(|found| found.id == group), "its machines are still there");
    world.kube.settle();
    let without = world.until(id, Status::UPDATE_COMPLETE).await;
    assert!(without.groups.iter().all(|found| found.id != group));
    assert!(world.kube.names("machines").iter().all(|name| !name.contains("gpu")));
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_which_nothing_was_ever_made_can_be_deleted() {
    let world = World::new().await;
    let id = world.create("blue").await;
    world.delete(id).await;
    world.cloud.credentials().iter().for_each(|id| assert!(id.starts_with("credential-")));
    let reconciler = world.start("one").await;
    world.until_gone(id).await;
    assert_eq!(world.cloud.credentials(), [] as [String; 0]);
    assert_eq!(world.kube.names("clusters"), [] as [String; 0]);
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_fails_the_operation_with_its_words_and_heals_when_it_ends() {
    let world = World::new().await;
    world.kube.refuse(Some("admission webhook denied the request: spec.topology.version: nope"));
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    let failed = world.until(id, Status::CREATE_FAILED).await;
    let reason = failed.cluster.status_reason.expect("a reason");
    assert!(reason.contains("spec.topology.version: nope"), "{reason}");
    world.kube.refuse(None);
    let healed = world.until(id, Status::CREATE_COMPLETE).await;
    assert_eq!(healed.cluster.status_reason, None);
    assert!(healed.groups.iter().all(|group| group.status == Status::CREATE_COMPLETE));
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flavor_that_is_gone_is_named_and_missed_no_more_when_it_is_back() {
    let world = World::new().await;
    world.cloud.remove_flavor("m1.medium");
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    let failed = world.until(id, Status::CREATE_FAILED).await;
    let reason = failed.cluster.status_reason.expect("a reason");
    assert!(reason.contains("m1.medium"), "{reason}");
    world.cloud.add_flavor("m1.medium");
    world.until(id, Status::CREATE_COMPLETE).await;
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_is_waited_for_without_a_failure() {
    let world = World::new().await;
    world.cloud.set_away(true);
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    let waiting = |part: &'static str| {
        move |view: &jeroboam_model::ClusterWithGroups| {
            let reason = view.cluster.status_reason.as_deref().unwrap_or_default();
            reason.starts_with("waiting for") && reason.contains(part)
        }
    };
    let view = world.until_it(id, "a wait for OpenStack", waiting("OpenStack")).await;
    assert_eq!(view.cluster.status, Status::CREATE_IN_PROGRESS);
    world.kube.set_away(true);
    world.cloud.set_away(false);
    let view = world.until_it(id, "a wait for the management cluster", waiting("management cluster")).await;
    assert_eq!(view.cluster.status, Status::CREATE_IN_PROGRESS);
    world.kube.set_away(false);
    world.until(id, Status::CREATE_COMPLETE).await;
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_come_in_time_fails_and_heals_later() {
    let world = World::new().await;
    world.kube.hold();
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    world.until(id, Status::CREATE_IN_PROGRESS).await;
    world
        .change(id, Operation::Create, Status::CREATE_IN_PROGRESS, |_, change| change.deadline = Some(change.began))
        .await;
    let late = world.until(id, Status::CREATE_FAILED).await;
    let reason = late.cluster.status_reason.expect("a reason");
    assert!(reason.starts_with("create did not finish within 0 minutes: "), "{reason}");
    world.kube.settle();
    world.until(id, Status::CREATE_COMPLETE).await;
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_complains_of_is_the_reason_where_no_status_says_why() {
    let world = World::new().await;
    world.kube.hold();
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    let has_object = |view: &jeroboam_model::ClusterWithGroups| view.cluster.stack_id.is_some();
    world.until_it(id, "a Cluster object", has_object).await;
    world.kube.complain("Failedcreatesecuritygrouprule", "Quota exceeded for security_group_rule");
    world
        .change(id, Operation::Create, Status::CREATE_IN_PROGRESS, |_, change| {
            change.began -= std::time::Duration::from_secs(60);
        })
        .await;
    let told = |view: &jeroboam_model::ClusterWithGroups| {
        let reason = view.cluster.status_reason.as_deref().unwrap_or_default();
        reason.ends_with("DevCluster stuck: Failedcreatesecuritygrouprule: Quota exceeded for security_group_rule")
    };
    world.until_it(id, "the provider's words", told).await;
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_whose_cluster_never_came_to_be_is_revoked() {
    let world = World::new().await;
    let pending = |name: &str, id: Option<&str>| PendingCredential {
        name: name.to_owned(),
        cluster: jeroboam_model::ClusterId::random(),
        project: "p1".into(),
        user: "user-1".into(),
        id: id.map(str::to_owned),
        secret: None,
        noted: world.clock.now() - Duration::from_secs(7200),
    };
    for id in ["noted", "only-named", "somebody-elses"] {
        world.cloud.add_credential(id);
    }
    for credential in [pending("one", Some("noted")), pending("name of only-named", None)] {
        world.store.note_credential(&credential).await.expect("noted");
    }
    let reconciler = world.start("one").await;
    assert!(
        eventually(async || world.cloud.credentials() == ["somebody-elses"]).await,
        "{:?}",
        world.cloud.credentials()
    );
    let left = async || world.store.pending_credentials(world.clock.now()).await.expect("the database").is_empty();
    assert!(eventually(left).await, "the notes go, too");
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_reports_that_it_is_up() {
    let world = World::new().await;
    let reconciler = world.start("one").await;
    let reported = async || {
        let rows = world.store.services().await.expect("the database");
        rows.iter().any(|row| row.binary.as_deref() == Some("magnum-conductor") && row.report_count >= 1)
    };
    assert!(eventually(reported).await);
    reconciler.stop().await;
}
