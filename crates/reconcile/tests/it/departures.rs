//! Clusters that go under difficulties, and clusters that come just then.

use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::{Operation, Status, secrets};
use jeroboam_reconcile::{ReconcileConfig, StepHook};
use serde_json::json;

use crate::world::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_credential_was_revoked_goes_with_another_one() {
    let world = World::new().await;
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    let made = world.until(id, Status::CREATE_COMPLETE).await;
    let config = format!("{}-cloud-config", made.cluster.stack_id.as_deref().expect("a name"));
    world.cloud.revoke(&format!("credential-{id}"));

    // The provider has things to take away, and no key to do it with.
    world.kube.hold();
    world.delete(id).await;
    let told = |view: &jeroboam_model::ClusterWithGroups| {
        let reason = view.cluster.status_reason.as_deref().unwrap_or_default();
        reason.contains("no longer accepts the cluster's application credential")
            && reason.contains("delete the cluster again with a token of the project p1")
    };
    let stuck = world.until_it(id, "what to do", told).await;
    assert_eq!(stuck.cluster.status, Status::DELETE_IN_PROGRESS);

    world.cloud.add_credential("another");
    world
        .change(id, Operation::Delete, Status::DELETE_IN_PROGRESS, |_, change| {
            change.secrets = vec![
                (secrets::APPLICATION_CREDENTIAL_ID.to_owned(), "another".into()),
                (secrets::APPLICATION_CREDENTIAL_SECRET.to_owned(), "hush".into()),
                (secrets::APPLICATION_CREDENTIAL_USER.to_owned(), "user-2".into()),
            ];
        })
        .await;
    let handed = async || world.kube.secret(&config, "clouds.yaml").is_some_and(|text| text.contains("another"));
    assert!(eventually(handed).await, "the provider gets the new one while it still has something to do");
    world.until_it(id, "no complaint", |view| !told(view)).await;
    world.kube.settle();
    world.until_gone(id).await;
    assert_eq!(world.cloud.credentials(), [] as [String; 0]);
    assert_eq!(world.cloud.floating_ips(), 0);
    assert_eq!(world.kube.left(), [] as [String; 0]);
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_only_bears_the_clusters_name_keeps_nothing_from_going() {
    let world = World::new().await;
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    let made = world.until(id, Status::CREATE_COMPLETE).await;
    let name = made.cluster.stack_id.expect("a name");
    world.kube.add_secret("magnum-p1", "somebody-elses", &json!({"cluster.x-k8s.io/cluster-name": name}));
    world.delete(id).await;
    world.until_gone(id).await;
    reconciler.stop().await;
}

/// Stops at the first occurrence of a step until it is let go.
fn gate(at: &'static str) -> (StepHook, std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<()>) {
    let (reached, is_reached) = std::sync::mpsc::channel();
    let (let_go, go) = std::sync::mpsc::channel::<()>();
    let once = std::sync::Mutex::new(Some((reached, go)));
    let hook: StepHook = Arc::new(move |_, step| {
        if step == at
            && let Some((reached, go)) = once.lock().expect("a gate").take()
        {
            reached.send(()).expect("somebody waits");
            // It ends with an error when the test is over, which lets go as well.
            let _ = go.recv();
        }
    });
    (hook, is_reached, let_go)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_that_comes_while_the_last_one_goes_keeps_the_namespace() {
    for step in ["look at namespace", "delete namespace"] {
        let world = World::new().await;
        let patient = ReconcileConfig { lease: Duration::from_secs(600), ..world.settings() };
        let (hook, is_reached, let_go) = gate(step);
        let one = world.start_with("one", patient.clone(), Some(hook)).await;
        let first = world.create("first").await;
        world.until(first, Status::CREATE_COMPLETE).await;
        world.delete(first).await;
        let reached = tokio::task::spawn_blocking(move || is_reached.recv_timeout(Duration::from_secs(60)));
        reached.await.expect("a thread").expect("the step is taken");

        let two = world.start_with("two", patient, None).await;
        let second = world.create("second").await;
        world.until(second, Status::CREATE_COMPLETE).await;
        let before = world.kube.names("machines");
        drop(let_go);
        world.until_gone(first).await;
        assert_eq!(world.kube.names("machines"), before, "after {step}");
        assert!(world.kube.names("namespaces").contains(&"magnum-p1".to_owned()), "after {step}");
        world.delete(second).await;
        world.until_gone(second).await;
        assert_eq!(world.kube.left(), [] as [String; 0], "after {step}");
        one.stop().await;
        two.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_clusters_that_go_together_the_last_one_takes_the_namespace_along() {
    let world = World::new().await;
    let reconciler = world.start("one").await;
    let mut clusters = Vec::new();
    for name in ["a", "b", "c", "d"] {
        clusters.push(world.create(name).await);
    }
    for id in &clusters {
        world.until(*id, Status::CREATE_COMPLETE).await;
    }
    for id in &clusters {
        world.delete(*id).await;
    }
    for id in &clusters {
        world.until_gone(*id).await;
    }
    assert_eq!(world.kube.left(), [] as [String; 0]);
    reconciler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_waits_for_a_namespace_that_is_on_its_way_out() {
    let world = World::new().await;
    world.kube.begin_removal("magnum-p1");
    let reconciler = world.start("one").await;
    let id = world.create("blue").await;
    let told = |view: &jeroboam_model::ClusterWithGroups| {
        let reason = view.cluster.status_reason.as_deref().unwrap_or_default();
        reason.starts_with("waiting for the project's namespace magnum-p1 to be gone")
    };
    let waits = world.until_it(id, "a reason", told).await;
    assert_eq!(waits.cluster.status, Status::CREATE_IN_PROGRESS);
    world.kube.end_removal("magnum-p1");
    world.until(id, Status::CREATE_COMPLETE).await;
    reconciler.stop().await;
}
