//! Brings one target to where this registry stands: some changes at a time, again after every failure.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::apply::{Became, apply};
use super::compare::compare_often;
use super::queue::Queue;
use super::target::Target;
use super::{Change, Shared};
use crate::background::keep_running;
use crate::client::{ClientError, Result};
use crate::http::failure::chain;
use crate::journal::BEAT;

/// Changes that are worked on at once.
const AT_ONCE: usize = 4;

/// Changes that are looked up in the store at once.
const PAGE: usize = 1000;

/// Shortest and longest pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// How long a target is left alone at most that says how long.
const LONGEST: Duration = Duration::from_secs(600);

pub(super) async fn run(shared: Arc<Shared>, target: Arc<Target>, cancel: CancellationToken) {
    let (shared_s, target_s) = (shared, target.clone());
    let begin = move || {
        // Whatever the one before had in memory is in the store.
        target_s.behind.store(true, Ordering::Release);
        everything(shared_s.clone(), target_s.clone())
    };
    let target_s = target.clone();
    let broke = move |why: &str| {
        error!(target.name = target_s.name, why, "what brings changes to a target broke, and begins again");
        target_s.set_trouble(Some(format!("it broke: {why}")));
    };
    tokio::select! {
        () = keep_running(&cancel, begin, broke) => {}
        () = cancel.cancelled() => {}
    }
    if let Err(error) = target.journal.leave().await {
        warn!(
            target.name = target.name,
            error = chain(&error),
            "what waits for this target is worked on only after some minutes"
        );
    }
}

/// All that is done for a target. It has no end.
async fn everything(shared: Arc<Shared>, target: Arc<Target>) {
    tokio::select! {
        () = work(&shared, &target) => {}
        () = compare_often(&shared, &target) => {}
        () = beat(&target) => {}
    }
}

/// Says that this process lives, also while it is busy.
async fn beat(target: &Target) {
    loop {
        if let Err(error) = target.journal.beat().await {
            warn!(target.name = target.name, error = chain(&error), "a queue of changes cannot be written");
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// How a target has been lately.
struct Pace {
    /// Until then nothing is begun: while a target is away there is no need to try one change after the other.
    away_until: Instant,
    /// When something was begun last.
    tried: Instant,
    /// So often in a row something failed.
    failures: u32,
}

async fn work(shared: &Arc<Shared>, target: &Arc<Target>) {
    let mut look = tokio::time::interval(BEAT);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut queue = Queue::default();
    let mut pace = Pace { away_until: Instant::now(), tried: Instant::now(), failures: 0 };
    let mut at_work = JoinSet::new();
    loop {
        // Whoever pushes may wait for it: a target that was away a moment ago is worth a try, though not one for each push.
        if take(target, &mut queue) {
            pace.away_until = pace.away_until.min(pace.tried + PAUSE.0);
        }
        // Looked up again when there is room, or nothing else to do.
        if queue.names() < PAGE && target.behind.swap(false, Ordering::AcqRel) {
            look_up(target, &mut queue).await;
        }
        target.set_waiting(queue.len());
        let now = Instant::now();
        if now >= pace.away_until {
            // Whenever one is done the next begins: a large image takes one place of all, and keeps no others.
            for change in queue.due(now, AT_ONCE - at_work.len()) {
                pace.tried = now;
                queue.begin(&change);
                at_work.spawn(applied(shared.clone(), target.clone(), change));
            }
        }
        let next = if at_work.len() < AT_ONCE { next_try(&queue, &pace, now) } else { now + BEAT };
        let done = tokio::select! {
            // There may be something of a process that died.
            _ = look.tick() => {
                target.behind.store(true, Ordering::Release);
                None
            }
            () = target.wake.notified() => None,
            () = tokio::time::sleep_until(next) => None,
            Some(done) = at_work.join_next() => Some(done),
        };
        if let Some(done) = done {
            // A fault in it breaks all of this, which then begins again.
            let (change, outcome) = done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            settle(target, &mut queue, &mut pace, &change, outcome).await;
        }
    }
}

/// When there may be something to begin, if nothing happens before.
fn next_try(queue: &Queue, pace: &Pace, now: Instant) -> Instant {
    if queue.len() > 0 && now < pace.away_until {
        return pace.away_until.max(now + PAUSE.0);
    }
    queue.next().unwrap_or(now + BEAT)
}

/// Notes what became of a change that was worked on.
async fn settle(target: &Target, queue: &mut Queue, pace: &mut Pace, change: &Change, outcome: Result<Became>) {
    match outcome {
        Ok(became) => {
            pace.failures = 0;
            target.set_trouble(None);
            let names = queue.finish(change);
            if let Err(error) = target.journal.remove(&names).await {
                warn!(target.name = target.name, error = chain(&error), "a change is done and may be looked at again");
            }
            target.done(&names, became == Became::There);
        }
        Err(error) => {
            pace.failures += 1;
            let wait = put_off(target, queue, change, &error, pace.failures);
            // What is wrong with one image, or here, is no reason to leave the target alone.
            if error.is_silence() {
                pace.away_until = Instant::now() + wait;
            }
        }
    }
}

async fn applied(shared: Arc<Shared>, target: Arc<Target>, change: Change) -> (Change, Result<Became>) {
    let outcome = apply(&shared, &target, &change).await;
    (change, outcome)
}

/// Says what went wrong and when it is tried again.
fn put_off(target: &Target, queue: &mut Queue, change: &Change, error: &ClientError, failures: u32) -> Duration {
    let pause = PAUSE.0.saturating_mul(1 << queue.failed(change).min(10)).min(PAUSE.1);
    let wait = error.retry_after().unwrap_or_default().min(LONGEST).max(pause);
    queue.put_off(change, Instant::now() + wait);
    let said = error.chain();
    // Once is weather.
    if failures.is_power_of_two() && failures > 1 {
        let Change { repository, what } = change;
        warn!(target.name = target.name, repository = %repository, ?what, error = said, "a change does not get to a target; it waits");
    }
    target.set_trouble(Some(said));
    wait
}

/// Takes what is new. Gives whether there was anything.
fn take(target: &Target, queue: &mut Queue) -> bool {
    let fresh = target.take_fresh();
    let is_any = !fresh.is_empty();
    let mut lost = 0_usize;
    for (name, change) in fresh {
        let is_kept = name.is_some();
        if !queue.add(name, change) {
            if is_kept { target.behind.store(true, Ordering::Release) } else { lost += 1 }
        }
    }
    if lost > 0 {
        warn!(
            target.name = target.name,
            changes = lost,
            "there is no room for changes: they are found when tags are compared"
        );
    }
    is_any
}

/// Finds what a process left that is no more, and what did not fit into memory.
async fn look_up(target: &Target, queue: &mut Queue) {
    let most = queue.names() + PAGE;
    let names = match target.journal.pending(most).await {
        Ok(names) => names,
        Err(error) => {
            warn!(target.name = target.name, error = chain(&error), "a queue of changes cannot be read; trying again");
            return;
        }
    };
    if names.len() == most {
        target.behind.store(true, Ordering::Release);
    }
    for name in names {
        if queue.knows(&name) {
            continue;
        }
        if queue.is_full() {
            target.behind.store(true, Ordering::Release);
            return;
        }
        let change = match target.journal.read(&name).await {
            Ok(Some(bytes)) => serde_json::from_slice::<Change>(&bytes),
            Ok(None) => continue,
            Err(error) => {
                warn!(target.name = target.name, error = chain(&error), "a change cannot be read; trying again");
                continue;
            }
        };
        match change {
            Ok(change) => queue.found(name, change),
            Err(error) => {
                warn!(target.name = target.name, %error, "what is queued makes no sense, and is dropped");
                let _ = target.journal.remove(&[name]).await;
            }
        }
    }
}
