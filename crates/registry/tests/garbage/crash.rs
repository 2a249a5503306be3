//! A process dies at every call that it makes of the place: every tag that is left can be pulled, and a push heals the rest.

use std::sync::Arc;
use std::time::Duration;

use jeroboam_blobs::{Directory, Fault, Faults, Memory, SharedBlobs, SyncPolicy, Told};
use jeroboam_model::{Clock, ManualClock, Timestamp};
use jeroboam_oci::Digest;
use jeroboam_oci::gc::Times;
use jeroboam_registry::gc::{Collector, GcConfig, Outcome};
use jeroboam_registry::inspect::{InspectOptions, inspect};
use jeroboam_registry::store::{Compat, Result, TagCondition};
use tokio_util::sync::CancellationToken;

use crate::bed::{Image, name, store, tag};

fn times() -> Times {
    let s = Duration::from_secs;
    Times::new(s(1000), s(100), s(10)).expect("they fit")
}

/// What a process does until it dies.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Pushes an image under a new tag.
    Push,
    /// Takes a layer from another repository and pushes an image with it.
    Mount,
    /// Moves a tag to another image.
    Move,
    /// Deletes a manifest.
    Delete,
    /// Deletes a tag.
    Untag,
    /// Announces, waits, and sweeps; with a trash.
    Collect,
}

async fn work(blobs: &SharedBlobs, clock: &Arc<ManualClock>, what: Work) -> Result<()> {
    let store = store(blobs, clock.clone(), times(), "works");
    let image = Image::of("first");
    match what {
        Work::Push => Image::of("second").push(&store, &name("team/app"), &tag("v2")).await,
        Work::Mount => {
            let layer = Digest::sha256(&image.layer);
            store.mount_blob(&name("other"), &name("team/app"), &layer).await?;
            image.push(&store, &name("other"), &tag("v1")).await
        }
        Work::Move => Image::of("second").push(&store, &name("team/app"), &tag("v1")).await,
        Work::Delete => store.delete_manifest(&name("team/app"), &image.digest()).await.map(|_| ()),
        Work::Untag => store.delete_tag(&name("team/app"), &tag("v1"), &TagCondition::Always).await.map(|_| ()),
        Work::Collect => {
            collect(blobs, clock, "collects").await;
            Ok(())
        }
    }
}

/// A whole collection, as far as the place lets it. `false`: it did not come to an end.
async fn collect(blobs: &SharedBlobs, clock: &Arc<ManualClock>, me: &str) -> bool {
    let trash = Some(Duration::from_secs(86_400));
    let config = GcConfig { times: times(), per_second: None, trash, tag_history: false, ..GcConfig::default() };
    let shared: Arc<dyn Clock> = clock.clone();
    let collector = Collector::new(blobs.clone(), shared, Compat::Exclusive, config, me.to_owned()).expect("exclusive");
    for _ in 0..4 {
        match collector.step(&CancellationToken::new()).await {
            Ok(Outcome::Announced(until, _) | Outcome::Waits(until) | Outcome::Taken(until)) => {
                let wait = until.duration_since(clock.now()).unsigned_abs() + Duration::from_secs(1);
                clock.advance(wait);
            }
            Ok(Outcome::Swept(_)) => return true,
            Ok(Outcome::Paused(_)) | Err(_) => return false,
        }
    }
    false
}

/// A store with an image, and garbage: another image whose manifest is deleted.
async fn begin(blobs: &SharedBlobs, clock: &Arc<ManualClock>) {
    let store = store(blobs, clock.clone(), times(), "begins");
    Image::of("first").push(&store, &name("team/app"), &tag("v1")).await.expect("pushed");
    let old = Image::of("old");
    old.push(&store, &name("team/app"), &tag("old")).await.expect("pushed");
    store.delete_manifest(&name("team/app"), &old.digest()).await.expect("deleted");
}

async fn die_at_every_call<F: Future<Output = SharedBlobs>>(what: Work, fresh: impl Fn(u64) -> F) {
    let clock = || Arc::new(ManualClock::at(Timestamp::from_second(1_700_000_000).expect("a time")));
    let counted = Faults::new(fresh(0).await);
    let counting: SharedBlobs = Arc::new(counted.clone());
    let at = clock();
    begin(&counting, &at).await;
    counted.plan(None);
    work(&counting, &at, what).await.expect("nothing goes wrong");
    let calls = counted.calls();
    assert!(calls >= 3, "{what:?} makes {calls} calls");
    for call in 1..=calls {
        for told in [Told::Before, Told::After] {
            let place = fresh(call * 2 + u64::from(told == Told::After)).await;
            let at = clock();
            begin(&place, &at).await;
            let faults = Faults::new(place.clone());
            faults.plan(Some(Fault { call, told, dies: true }));
            let dying: SharedBlobs = Arc::new(faults);
            let told_done = work(&dying, &at, what).await.is_ok();
            look(&place, &at, what, told_done, &format!("{what:?} dies at call {call}, {told:?}")).await;
        }
    }
}

/// What is left after a death.
async fn look(place: &SharedBlobs, clock: &Arc<ManualClock>, what: Work, told_done: bool, when: &str) {
    let found = inspect(place, InspectOptions { verify_percent: 100 }, clock.now()).await.expect("it can be read");
    assert!(found.is_fine(), "{when}: {found}");
    if told_done && matches!(what, Work::Push) {
        assert_eq!(found.tags, 2, "{when}: it was told to be done");
    }
    // The same again, by a process that lives.
    let again = work(place, clock, what).await;
    let gone = matches!(what, Work::Delete | Work::Untag);
    assert!(again.is_ok() || gone, "{when}: {again:?}");
    // A warrant of a collector that is dead holds until it is old.
    clock.advance(times().void() + Duration::from_secs(1));
    // And whatever was collected or half pushed comes back by a push, also beside a collection that was cut.
    let pushes = store(place, clock.clone(), times(), "pushes");
    for text in ["first", "second", "old"] {
        let pushed = Image::of(text).push(&pushes, &name("team/app"), &tag(text)).await;
        pushed.unwrap_or_else(|error| panic!("{when}: push of {text}: {error}"));
    }
    assert!(collect(place, clock, "comes after").await, "{when}: the next collector comes to an end");
    let found = inspect(place, InspectOptions { verify_percent: 100 }, clock.now()).await.expect("it can be read");
    assert!(found.is_fine() && found.problems.is_empty(), "{when}, and after a push: {found}");
}

async fn everything<F: Future<Output = SharedBlobs>>(fresh: impl Fn(u64) -> F) {
    let all = [Work::Push, Work::Mount, Work::Move, Work::Delete, Work::Untag, Work::Collect];
    for (number, what) in all.into_iter().enumerate() {
        die_at_every_call(what, |at| fresh(at + 1_000_000 * number as u64)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_memory_a_death_at_any_call_leaves_only_garbage() {
    everything(|_| async { Arc::new(Memory::default()) as SharedBlobs }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_directory_a_death_at_any_call_leaves_only_garbage() {
    let root = tempfile::tempdir().expect("a directory");
    everything(|number| {
        let root = root.path().join(number.to_string());
        async move { Arc::new(Directory::open_with(&root, SyncPolicy::Ordered).await.expect("opened")) as SharedBlobs }
    })
    .await;
}
