//! Killed at every step in turn: a fresh process comes to the same end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jeroboam_model::{Clock, ClusterId, ManualClock, Operation, Status, SystemClock};
use jeroboam_reconcile::StepHook;

use crate::world::{POLL, World, eventually};

/// Ends the pass at the step with this number the way a kill does: in the middle, with nothing given back.
fn killer(at: usize) -> (StepHook, Arc<AtomicUsize>) {
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&steps);
    let hook: StepHook = Arc::new(move |_, step| {
        if counted.fetch_add(1, Ordering::SeqCst) == at {
            std::panic::panic_any(format!("killed before {step}"));
        }
    });
    (hook, steps)
}

/// Everything that is the same however a cluster came to be what it is.
async fn end_state(world: &World, id: ClusterId) -> Vec<String> {
    let mut lines = world.kube.left();
    if let Some(view) = world.view(id).await {
        let cluster = &view.cluster;
        let name = cluster.stack_id.clone().unwrap_or_default();
        lines = lines.into_iter().map(|line| line.replace(&name, "<name>")).collect();
        lines.push(format!("{} {:?} {:?}", cluster.status, cluster.status_reason, cluster.api_address));
        lines.push(format!("{:?}", cluster.coe_version));
        lines.extend(view.groups.iter().map(|group| format!("{} {} {}", group.name, group.node_count, group.status)));
        lines.push(format!("{:?}", world.work(id).await.operation));
    }
    lines.push(format!("{} credentials", world.cloud.credentials().len()));
    lines.push(format!("{} floating IPs", world.cloud.floating_ips()));
    lines
}

/// Does `act` to a settled cluster (or makes one) with a process that dies at step `at`, and lets another one finish.
/// `None`: there is no such step.
async fn crash(operation: Operation, at: usize) -> Option<Vec<String>> {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let world = World::with_clock(Arc::clone(&clock) as Arc<dyn Clock>).await;
    let id = world.create("blue").await;
    if operation != Operation::Create {
        let before = world.start("before").await;
        world.until(id, Status::CREATE_COMPLETE).await;
        before.stop().await;
    }
    match operation {
        Operation::Delete => world.delete(id).await,
        Operation::Update => world.resize(id, 4).await,
        Operation::Upgrade => {
            world
                .change(id, Operation::Upgrade, Status::UPDATE_IN_PROGRESS, |was, change| {
                    let mut labels = was.cluster.labels.clone();
                    labels.set("kube_tag", "v1.34.1");
                    change.labels = Some(labels);
                })
                .await;
        }
        _ => {}
    }
    let (hook, steps) = killer(at);
    let dying = world.start_with("dying", world.settings(), Some(hook)).await;
    // The clock goes on as the real one does: a pause that a slow machine brings about ends.
    let came = eventually(async || {
        clock.advance(POLL);
        steps.load(Ordering::SeqCst) > at || is_done(&world, id, operation).await
    });
    let came = came.await;
    assert!(came, "{operation:?} neither came to step {at} nor to its end");
    dying.stop().await;
    if steps.load(Ordering::SeqCst) <= at {
        return None;
    }
    clock.advance(world.settings().lease + Duration::from_secs(1));
    let fresh = world.start("fresh").await;
    let done = eventually(async || {
        clock.advance(POLL);
        is_done(&world, id, operation).await
    });
    let done = done.await;
    fresh.stop().await;
    let state = end_state(&world, id).await;
    assert!(done, "{operation:?} killed at step {at} did not end: {state:?}");
    Some(state)
}

async fn is_done(world: &World, id: ClusterId, operation: Operation) -> bool {
    let status = world.view(id).await.map(|view| view.cluster.status);
    match operation {
        Operation::Delete => status.is_none(),
        Operation::Create => status == Some(Status::CREATE_COMPLETE),
        _ => status == Some(Status::UPDATE_COMPLETE),
    }
}

async fn killed_everywhere(operation: Operation, least: usize) {
    // Beyond every step of the operation nobody is killed: that is the plain case.
    let mut plain = None;
    let mut steps = 0;
    for at in 0..200 {
        let Some(state) = crash(operation, at).await else { break };
        let plain = plain.get_or_insert_with(|| state.clone());
        assert_eq!(&state, plain, "{operation:?} killed at step {at}");
        steps += 1;
    }
    assert!(steps >= least, "{operation:?} has {steps} steps");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_is_killed_anywhere_is_finished_by_another_process() {
    killed_everywhere(Operation::Create, 15).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resize_that_is_killed_anywhere_is_finished_by_another_process() {
    killed_everywhere(Operation::Update, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_killed_anywhere_is_finished_by_another_process() {
    killed_everywhere(Operation::Upgrade, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_is_killed_anywhere_is_finished_by_another_process() {
    killed_everywhere(Operation::Delete, 5).await;
}
