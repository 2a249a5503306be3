//! A management cluster that goes away and comes back, or answers with an error of its own.

use std::time::Duration;

use jeroboam_model::Status;
use jeroboam_reconcile::ReconcileConfig;
use jeroboam_store::testing::execute;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_at_once_and_ends_the_pauses_when_it_ends() {
    let world = World::new().await;
    // Longer than any test: what goes on before that was woken.
    let long = Duration::from_secs(3000);
    let settings = ReconcileConfig {
        backoff_first: long,
        backoff_max: long,
        progress_interval: long,
        observe_interval: long,
        ..world.settings()
    };
    let reconciler = world.start_with("one", settings, None).await;
    let settled = world.create("settled").await;
    world.until(settled, Status::CREATE_COMPLETE).await;
    world.kube.hold();
    let waiting = world.create("waiting").await;
    world.until_it(waiting, "an object", |view| view.cluster.stack_id.is_some()).await;

    world.kube.set_away(true);
    let told = |view: &jeroboam_model::ClusterWithGroups| {
        let reason = view.cluster.status_reason.as_deref().unwrap_or_default();
        reason.starts_with("waiting for the management cluster, which does not answer since 20")
    };
    world.until_it(waiting, "the outage", told).await;
    let asked = world.create("asked for meanwhile").await;
    world.until_it(asked, "the outage", told).await;
    let still = world.view(settled).await.expect("a cluster").cluster;
    assert_eq!((still.status, still.status_reason), (Status::CREATE_COMPLETE, None), "nothing was wanted of it");

    world.kube.settle();
    world.kube.set_away(false);
    world.until(waiting, Status::CREATE_COMPLETE).await;
    world.until(asked, Status::CREATE_COMPLETE).await;
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_error_of_the_server_says_is_the_reason() {
    let world = World::new().await;
    let words = "Internal error occurred: failed calling webhook \"default.cluster\": connection refused";
    world.kube.break_down(words);
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    let told = |view: &jeroboam_model::ClusterWithGroups| {
        view.cluster.status_reason.as_deref().unwrap_or_default().contains(words)
    };
    let view = world.until_it(id, "the server's words", told).await;
    assert_eq!(view.cluster.status, Status::CREATE_IN_PROGRESS, "it may pass");

    world.kube.break_down("admission webhook \"v.cluster\" denied the request: too many");
    let failed = world.until(id, Status::CREATE_FAILED).await;
    let reason = failed.cluster.status_reason.expect("a reason");
    assert!(reason.contains("denied the request: too many"), "{reason}");
    world.kube.refuse(None);
    world.until(id, Status::CREATE_COMPLETE).await;
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_work_is_unreadable_says_so_until_it_is_mended() {
    let world = World::new().await;
    let id = world.create("blue").await;
    let spoil = |value: &str| format!("UPDATE jeroboam_cluster SET removals = {value}");
    execute(&world.store, &spoil("'no list'")).await;
    let reconciler = world.start("one").await;
    let told = |view: &jeroboam_model::ClusterWithGroups| {
        let reason = view.cluster.status_reason.as_deref().unwrap_or_default();
        reason.starts_with("waiting for the operator: row ")
            && reason.contains("of jeroboam_cluster has a bad removals: ")
    };
    world.until_it(id, "what is wrong", told).await;
    execute(&world.store, &spoil("NULL")).await;
    let mended = world.until(id, Status::CREATE_COMPLETE).await;
    assert_eq!(mended.cluster.status_reason, None);
    reconciler.stop().await;
}
