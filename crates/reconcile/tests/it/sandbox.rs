//! The same life in the sandbox: our own class, simulated controllers that take their time, servers in a pretended Nova.

use jeroboam_model::{HealthStatus, Operation, Status};
use jeroboam_sandbox::{Sandbox, SandboxConfig};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn in_the_sandbox_a_cluster_is_made_resized_upgraded_and_deleted_to_nothing_left() {
    let sandbox = Sandbox::start(SandboxConfig { speed: 200.0, ..SandboxConfig::default() }).await.expect("a sandbox");
    let world = World::on_sandbox(&sandbox).await;
    let reconciler = world.start("one").await;
    let servers = || sandbox.state().list("server").len();

    let id = world.create("blue").await;
    let made = world.until(id, Status::CREATE_COMPLETE).await;
    assert_eq!(made.cluster.coe_version.as_deref(), Some("v1.33.5"));
    assert_eq!(made.cluster.health_status, Some(HealthStatus::Healthy), "{:?}", made.cluster.health_status_reason);
    assert!(made.cluster.api_address.as_ref().is_some_and(|address| address.starts_with("https://")));
    assert_eq!(servers(), 3);
    let took = world.work(id).await.progress.took;
    assert!(took.contains_key("infrastructure"), "{took:?}");

    world.resize(id, 3).await;
    world.until(id, Status::UPDATE_COMPLETE).await;
    assert_eq!(servers(), 4);

    let newer = world.add_template("newer", "ubuntu-kube-v1.34.2").await;
    world
        .change(id, Operation::Upgrade, Status::UPDATE_IN_PROGRESS, |was, change| {
            change.template = Some(newer.id);
            change.changed_groups = was.groups.clone();
            for group in &mut change.changed_groups {
                group.image_id.clone_from(&newer.image_id);
                group.status = Status::UPDATE_IN_PROGRESS;
            }
        })
        .await;
    let upgraded = world.until(id, Status::UPDATE_COMPLETE).await;
    assert_eq!(upgraded.cluster.coe_version.as_deref(), Some("v1.34.2"));
    assert_eq!(servers(), 4);

    world.delete(id).await;
    world.until_gone(id).await;
    assert_eq!(servers(), 0);
    assert_eq!(world.credentials().await, [] as [String; 0]);
    reconciler.stop().await;
    sandbox.stop().await;
}
