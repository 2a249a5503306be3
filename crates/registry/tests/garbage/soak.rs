//! Pushes, deletions and collections at once, with a grace time of moments: no push fails, and no blob of a tag is missing.
//!
//! Sixteen seconds unless `JEROBOAM_SOAK` says how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jeroboam_blobs::{Directory, Faults, Memory, SharedBlobs, SyncPolicy};
use jeroboam_model::{Clock, SystemClock};
use jeroboam_oci::gc::Times;
use jeroboam_registry::gc::{Collector, GcConfig, Outcome};
use jeroboam_registry::inspect::{InspectOptions, inspect};
use jeroboam_registry::store::{Compat, Store, StoreError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bed::{Image, name, store, tag};

/// Clients of each process.
const CLIENTS: u64 = 3;

/// Images that all push again and again, so that what is deleted by one is pushed by another a moment later.
const COMMON: u64 = 12;

/// Images of which each is pushed seldom, so that there is something to collect, and at times something that is pushed while it is collected.
const RARE: u64 = 2_000;

/// How long after its time a soak waits for something to be collected.
const PATIENCE: Duration = Duration::from_secs(120);

/// A grace time of moments; a push takes much less, and a write to the disk less than the slack, also on a busy machine.
fn times() -> Times {
    let ms = Duration::from_millis;
    Times::new(ms(2_000), ms(400), ms(900)).expect("they fit")
}

#[derive(Default)]
struct Tally {
    pushed: AtomicU64,
    deleted: AtomicU64,
    later: AtomicU64,
    removed: AtomicU64,
    spared: AtomicU64,
    sweeps: AtomicU64,
}

#[expect(clippy::disallowed_methods, reason = "how long a soak takes is the business of whoever starts it")]
fn duration() -> Duration {
    let seconds = std::env::var("JEROBOAM_SOAK").ok().filter(|text| !text.is_empty());
    Duration::from_secs(seconds.map_or(16, |text| text.parse().expect("JEROBOAM_SOAK is a number of seconds")))
}

async fn soak(place: SharedBlobs, collected_from: SharedBlobs) -> Arc<Tally> {
    let stop = CancellationToken::new();
    let tally = Arc::new(Tally::default());
    let mut tasks = JoinSet::new();
    for process in 0..2u64 {
        let serves = Arc::new(store(&place, Arc::new(SystemClock), times(), &format!("serves-{process}")));
        for client in 0..CLIENTS {
            let (serves, stop, tally) = (serves.clone(), stop.clone(), tally.clone());
            tasks.spawn(async move { push_and_delete(&serves, process * CLIENTS + client, &stop, &tally).await });
        }
    }
    for number in 0..2 {
        let (place, stop, tally) = (collected_from.clone(), stop.clone(), tally.clone());
        tasks.spawn(async move { collect(place, &format!("collects-{number}"), &stop, &tally).await });
    }
    tokio::time::sleep(duration()).await;
    // On a busy machine a collection may take longer than all of that.
    let _ = tokio::time::timeout(PATIENCE, async {
        while tally.removed.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no push fails and nothing is missing");
    }
    let options = InspectOptions { verify_percent: 100, ..InspectOptions::default() };
    let found = inspect(&place, options, SystemClock.now()).await.expect("it is read");
    assert!(found.is_fine(), "{found}");
    tally
}

/// One client: pushes an image, looks whether all of it is there, and perhaps deletes it.
async fn push_and_delete(store: &Store, client: u64, stop: &CancellationToken, tally: &Tally) {
    let mut turn = client * 7_919;
    while !stop.is_cancelled() {
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = turn >> 33;
        let image = Image::of(&(if turn & 1 == 0 { number % COMMON } else { COMMON + number % RARE }).to_string());
        // A repository of its own, so that no other client deletes what this one has just pushed; the blobs are those of all.
        let (repository, tag) = (name(&format!("team/app{client}")), tag("latest"));
        match image.push(store, &repository, &tag).await {
            Ok(()) => {}
            // It is being collected at this moment, says the registry, and clients come again.
            Err(StoreError::Unavailable(_)) => {
                tally.later.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            Err(error) if error.status() == 503 => {
                tally.later.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            Err(error) => panic!("a push failed: {error:?}"),
        }
        tally.pushed.fetch_add(1, Ordering::Relaxed);
        let layer = jeroboam_oci::Digest::sha256(&image.layer);
        let blob = store.find_blob(&repository, &layer).await.expect("the layer of a tag is there");
        drop(store.open_blob(&blob, None).await.expect("and can be read"));
        if turn.is_multiple_of(3) {
            tokio::time::sleep(Duration::from_millis((turn >> 20) % 1_500)).await;
            store.find_blob(&repository, &layer).await.expect("and is there later");
        }
        if !turn.is_multiple_of(5) {
            store.delete_manifest(&repository, &image.digest()).await.expect("it was there");
            tally.deleted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn collect(place: SharedBlobs, me: &str, stop: &CancellationToken, tally: &Tally) {
    let config = GcConfig { times: times(), per_second: None, tag_history: false, ..GcConfig::default() };
    let collector =
        Collector::new(place, Arc::new(SystemClock), Compat::Exclusive, config, me.to_owned()).expect("exclusive");
    while !stop.is_cancelled() {
        match collector.step(stop).await {
            Ok(Outcome::Swept(report)) => {
                tally.sweeps.fetch_add(1, Ordering::Relaxed);
                tally.removed.fetch_add(report.collected.removed, Ordering::Relaxed);
                tally.spared.fetch_add(report.collected.leased, Ordering::Relaxed);
            }
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            // It was too slow to be the collector, or a call failed: as a process, it tries again.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[expect(clippy::print_stderr, reason = "what a soak did is worth reading")]
fn tell(what: &str, tally: &Tally) {
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    eprintln!(
        "{what}: {} pushed, {} told to come later, {} deleted, {} sweeps, {} blobs removed, {} spared",
        count(&tally.pushed),
        count(&tally.later),
        count(&tally.deleted),
        count(&tally.sweeps),
        count(&tally.removed),
        count(&tally.spared)
    );
    assert!(count(&tally.removed) > 0, "something was collected");
    assert!(count(&tally.pushed) > 20, "something was pushed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_no_push_fails_beside_two_collectors_of_which_calls_fail() {
    let place: SharedBlobs = Arc::new(Memory::default());
    let faults = Faults::new(place.clone());
    faults.fail_one_in(200, 7);
    let tally = soak(place, Arc::new(faults)).await;
    tell("memory", &tally);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_directory_no_push_fails_beside_two_collectors() {
    let root = tempfile::tempdir().expect("a directory");
    // Nobody cuts the power here, and pushes are to be quick beside the grace time.
    let place: SharedBlobs = Arc::new(Directory::open_with(root.path(), SyncPolicy::Ordered).await.expect("opened"));
    let tally = soak(place.clone(), place).await;
    tell("directory", &tally);
}
