//! Several processes on one database: never two at one cluster, and none after its time.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jeroboam_model::{Clock, ClusterId, ManualClock, Status, SystemClock};
use jeroboam_reconcile::StepHook;
use jeroboam_store::testing::Engine;

use crate::world::{World, eventually};

/// Who works on which cluster, and how often two did at once.
#[derive(Default)]
struct Ledger {
    at_work: HashMap<ClusterId, &'static str>,
    acts: HashMap<&'static str, usize>,
    overlaps: Vec<String>,
}

fn recorder(ledger: &Arc<Mutex<Ledger>>, owner: &'static str) -> StepHook {
    let ledger = Arc::clone(ledger);
    Arc::new(move |cluster, step| {
        let mut ledger = ledger.lock().expect("a ledger");
        *ledger.acts.entry(owner).or_default() += 1;
        match step {
            "load" => {
                if let Some(other) = ledger.at_work.insert(cluster, owner) {
                    ledger.overlaps.push(format!("{owner} began with {cluster} while {other} was at it"));
                }
            }
            "release" | "forget" => {
                ledger.at_work.remove(&cluster);
            }
            _ => {
                if ledger.at_work.get(&cluster) != Some(&owner) {
                    ledger.overlaps.push(format!("{owner} did {step} to {cluster} of somebody else"));
                }
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reconcilers_never_act_on_one_cluster_at_a_time() {
    for engine in Engine::ALL.into_iter().filter(|engine| engine.is_wanted()) {
        two_at_work(&World::on(engine).await).await;
    }
}

async fn two_at_work(world: &World) {
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let one = world.start_with("one", world.settings(), Some(recorder(&ledger, "one"))).await;
    let two = world.start_with("two", world.settings(), Some(recorder(&ledger, "two"))).await;
    let mut clusters = Vec::new();
    for number in 0..6 {
        clusters.push(world.create(&format!("c{number}")).await);
    }
    for id in &clusters {
        world.until(*id, Status::CREATE_COMPLETE).await;
        world.resize(*id, 3).await;
    }
    for id in &clusters {
        world.until(*id, Status::UPDATE_COMPLETE).await;
        world.delete(*id).await;
    }
    for id in &clusters {
        world.until_gone(*id).await;
    }
    one.stop().await;
    two.stop().await;
    let ledger = ledger.lock().expect("a ledger");
    assert_eq!(ledger.overlaps, [] as [String; 0]);
    assert!(ledger.acts.values().sum::<usize>() > clusters.len() * 10, "{:?}", ledger.acts);
    assert_eq!(world.kube.left(), [] as [String; 0]);
}

/// Stops the world at the first occurrence of a step, until it is let go.
fn gate(at: &'static str) -> (StepHook, Receiver<()>, Sender<()>) {
    let (reached, is_reached) = channel();
    let (let_go, go) = channel::<()>();
    let once = Mutex::new(Some((reached, go)));
    let hook: StepHook = Arc::new(move |_, step| {
        if step != at {
            return;
        }
        let Some((reached, go)) = once.lock().expect("a gate").take() else { return };
        reached.send(()).expect("somebody waits");
        // It ends with an error when the test is over, which lets go as well.
        let _ = go.recv();
    });
    (hook, is_reached, let_go)
}

async fn reached(gate: Receiver<()>) -> bool {
    tokio::task::spawn_blocking(move || gate.recv_timeout(Duration::from_secs(30)).is_ok()).await.expect("a thread")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_that_is_paused_beyond_its_lease_writes_nothing_when_it_goes_on() {
    for step in ["apply", "record", "read secrets"] {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let world = World::with_clock(Arc::clone(&clock) as Arc<dyn Clock>).await;
        let (hook, is_reached, let_go) = gate(step);
        let paused = world.start_with("paused", world.settings(), Some(hook)).await;
        let id = world.create("blue").await;
        assert!(reached(is_reached).await, "{step} is never done");

        clock.advance(world.settings().lease + Duration::from_secs(1));
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let other = world.start_with("other", world.settings(), Some(recorder(&ledger, "other"))).await;
        world.until(id, Status::CREATE_COMPLETE).await;
        other.stop().await;
        let (writes, row) = (world.kube.writes(), world.view(id).await);

        drop(let_go);
        paused.stop().await;
        assert_eq!(world.kube.writes(), writes, "after {step}");
        let now = world.view(id).await;
        assert_eq!(now, row, "after {step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_gives_its_clusters_back_at_once() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let world = World::with_clock(Arc::clone(&clock) as Arc<dyn Clock>).await;
    let first = world.start("first").await;
    let id = world.create("blue").await;
    world.until(id, Status::CREATE_COMPLETE).await;
    first.stop().await;
    // The clock stands still: only a lease that was given back can be had.
    world.resize(id, 3).await;
    let second = world.start("second").await;
    world.until(id, Status::UPDATE_COMPLETE).await;
    second.stop().await;
    assert!(eventually(async || world.kube.names("machines").len() == 4).await);
}
