//! A process dies at every call that it makes of the place: every tag that is left can be pulled, what it was at is done by doing it again, and a push heals
//! the rest.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_blobs::{Directory, Fault, Faults, Memory, SharedBlobs, SyncPolicy, Told};
use jeroboam_model::{Clock, ManualClock, Timestamp};
use jeroboam_registry::inspect::{InspectOptions, Inspection, inspect};

use crate::bed::{Image, name, store, tag};
use crate::client::Client;
use crate::seen::Seen;
use crate::work::{Work, begin, collect, times, work};

/// What a process is at, and what clients see before it and after it where nobody dies.
struct Course {
    what: Work,
    before: Seen,
    after: Seen,
}

async fn die_at_every_call<F: Future<Output = SharedBlobs>>(what: Work, fresh: impl Fn(u64) -> F) {
    let clock = || Arc::new(ManualClock::at(Timestamp::from_second(1_700_000_000).expect("a time")));
    let counted = Faults::new(fresh(0).await);
    let counting: SharedBlobs = Arc::new(counted.clone());
    let at = clock();
    begin(&counting, &at, what).await;
    let before = Seen::of(&counting, &at, &format!("before {what:?}")).await;
    counted.plan(None);
    work(&counting, &at, what, &mut Client::default()).await.expect("nothing goes wrong");
    let calls = counted.calls();
    assert!(calls >= 2, "{what:?} makes {calls} calls");
    let after = Seen::of(&counting, &at, &format!("after {what:?}")).await;
    let changes_nothing = matches!(what, Work::Cancel | Work::HandBack);
    assert_eq!(before == after, changes_nothing, "{what:?}: {before:?}, and then {after:?}");
    let course = Course { what, before, after };
    for call in 1..=calls {
        for told in [Told::Before, Told::After] {
            let place = fresh(call * 2 + u64::from(told == Told::After)).await;
            let (at, mut client) = (clock(), Client::default());
            begin(&place, &at, what).await;
            let faults = Faults::new(place.clone());
            faults.plan(Some(Fault { call, told, dies: true }));
            let dying: SharedBlobs = Arc::new(faults);
            let told_done = work(&dying, &at, what, &mut client).await.is_ok();
            let when = format!("{what:?} dies at call {call}, {told:?}");
            course.look(&place, &at, &mut client, told_done, &when).await;
        }
    }
}

async fn inspected(place: &SharedBlobs, clock: &ManualClock) -> Inspection {
    let options = InspectOptions { verify_percent: 100, ..InspectOptions::default() };
    inspect(place, options, clock.now()).await.expect("it can be read")
}

impl Course {
    /// What is there at least once it is said to be done. A collector that does not come to an end says nothing, and the next one goes on.
    fn done(&self) -> &Seen {
        if self.what == Work::Collect { &self.before } else { &self.after }
    }

    /// What is left after a death, and what comes of it.
    async fn look(
        &self,
        place: &SharedBlobs,
        clock: &Arc<ManualClock>,
        client: &mut Client,
        told_done: bool,
        when: &str,
    ) {
        let found = inspected(place, clock).await;
        // What is to be mended may be broken until it is.
        assert!(found.is_fine() || self.what == Work::Repair, "{when}: {found}");
        let seen = Seen::of(place, clock, when).await;
        let from = if told_done { self.done() } else { &self.before };
        assert!(seen.is_between(from, &self.after), "{when}: {seen:?}");
        let has_layer = seen.layers.is_superset(&self.after.layers);
        assert!(has_layer || !client.is_done, "{when}: a client was told that its layer is there");

        // The same again, by a process that lives.
        let again = work(place, clock, self.what, client).await;
        let gone = self.what.takes_away() && again.as_ref().is_err_and(|error| error.status() == 404);
        assert!(again.is_ok() || gone, "{when}: {again:?}");
        let found = inspected(place, clock).await;
        assert!(found.is_fine(), "{when}, and is done again: {found}");
        if matches!(self.what, Work::Cancel | Work::HandBack) {
            assert_eq!(found.uploads, 0, "{when}, and is done again: uploads are left");
        }
        let seen = Seen::of(place, clock, when).await;
        assert!(seen.is_between(self.done(), &self.after), "{when}, and is done again: {seen:?}");

        // A warrant of a collector that is dead holds until it is old.
        clock.advance(times().void() + Duration::from_secs(1));
        // And whatever was collected or half pushed comes back by a push, also beside a collection that was cut.
        let pushes = store(place, clock.clone(), times(), "pushes");
        for text in ["first", "second", "old"] {
            let pushed = Image::of(text).push(&pushes, &name("team/app"), &tag(text)).await;
            pushed.unwrap_or_else(|error| panic!("{when}: push of {text}: {error}"));
        }
        assert!(collect(place, clock, "comes after").await, "{when}: the next collector comes to an end");
        let found = inspected(place, clock).await;
        assert!(found.is_fine() && found.problems.is_empty(), "{when}, and after a push: {found}");
        let left = Seen::of(place, clock, when).await;
        let has_tags = self.after.tags.iter().all(|(tag, target)| left.tags.get(tag) == Some(target));
        assert!(has_tags && left.about == self.after.about, "{when}, and after a collection: {left:?}");
    }
}

async fn everything<F: Future<Output = SharedBlobs>>(fresh: impl Fn(u64) -> F) {
    for (number, what) in Work::ALL.into_iter().enumerate() {
        die_at_every_call(what, |at| fresh(at + 1_000_000 * number as u64)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_memory_a_death_at_any_call_leaves_only_garbage() {
    everything(|_| async { Arc::new(Memory::default()) as SharedBlobs }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_directory_a_death_at_any_call_leaves_only_garbage() {
    // In memory where there is such a file system: processes die here, and no power goes, so that syncs show nothing and take minutes.
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let root = root.expect("a directory");
    everything(|number| {
        // What was there before has been looked at.
        std::fs::remove_dir_all(root.path()).expect("removed");
        let root = root.path().join(number.to_string());
        async move { Arc::new(Directory::open_with(&root, SyncPolicy::Ordered).await.expect("opened")) as SharedBlobs }
    })
    .await;
}
