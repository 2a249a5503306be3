//! Brings one target to where this registry stands: one change after the other, again after every failure, and now and then all tags.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{StreamExt, stream};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::conflict::{Verdict, judge};
use super::target::Target;
use super::{Change, Changed, Shared};
use crate::client::{ClientError, PutCondition, RawManifest, Result, TagState, Trouble};
use crate::copy::{Copy, Tally};
use crate::images::Images;
use crate::journal::{BEAT, EntryName};

/// Changes that are worked on at once.
const AT_ONCE: usize = 4;

/// Changes that are looked up in the store at once.
const PAGE: usize = 1000;

/// Shortest and longest pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// How often a tag is tried that somebody else moves meanwhile.
const TRIES: usize = 5;

/// What is left to do for one tag or manifest.
#[derive(Default)]
struct Work {
    /// Its entries in the store, which are done when it is.
    names: Vec<EntryName>,
    failures: u32,
    /// When it is worth to try again.
    not_before: Option<Instant>,
}

/// What came of a change.
enum Outcome {
    Done,
    Failed(ClientError),
}

pub(super) async fn run(shared: Arc<Shared>, target: Arc<Target>, cancel: CancellationToken) {
    let comparing = compare_often(&shared, &target);
    tokio::select! {
        () = work(&shared, &target) => {}
        () = comparing => {}
        () = cancel.cancelled() => {}
    }
    if let Err(error) = target.journal.leave().await {
        warn!(target.name = target.name, %error, "what waits for this target is worked on only after some minutes");
    }
}

async fn work(shared: &Shared, target: &Target) {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut queue: BTreeMap<Change, Work> = BTreeMap::new();
    // While the target is away there is no need to try one change after the other.
    let (mut away_until, mut tried, mut failures) = (Instant::now(), Instant::now(), 0_u32);
    loop {
        // Whoever pushes may wait for it: a target that was away a moment ago is worth a try, though not one for each push.
        if take(target, &mut queue) {
            away_until = away_until.min(tried + PAUSE.0);
        }
        if target.behind.swap(false, Ordering::AcqRel) {
            look_up(target, &mut queue).await;
        }
        target.set_waiting(queue.len());
        let now = Instant::now();
        let due: Vec<Change> = if now < away_until {
            Vec::new()
        } else {
            let is_due = |work: &Work| work.not_before.is_none_or(|at| at <= now);
            queue.iter().filter(|(_, work)| is_due(work)).map(|(change, _)| change.clone()).take(AT_ONCE * 8).collect()
        };
        if due.is_empty() {
            let next = queue.values().filter_map(|work| work.not_before).min().filter(|_| now >= away_until);
            let next = if queue.is_empty() { now + BEAT } else { next.unwrap_or(away_until.max(now + PAUSE.0)) };
            tokio::select! {
                _ = beat.tick() => {
                    if let Err(error) = target.journal.beat().await {
                        warn!(target.name = target.name, %error, "a queue of changes cannot be written");
                    }
                    target.behind.store(true, Ordering::Release);
                }
                () = target.wake.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
            continue;
        }
        tried = Instant::now();
        let outcomes = stream::iter(due).map(|change| async move {
            let outcome = match apply(shared, target, &change).await {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Failed(error),
            };
            (change, outcome)
        });
        let mut outcomes = outcomes.buffer_unordered(AT_ONCE);
        while let Some((change, outcome)) = outcomes.next().await {
            match outcome {
                Outcome::Done => {
                    failures = 0;
                    target.set_trouble(None);
                    let Some(work) = queue.remove(&change) else { continue };
                    if let Err(error) = target.journal.remove(&work.names).await {
                        warn!(target.name = target.name, %error, "a change is done and may be looked at again");
                    }
                    target.done(&work.names);
                }
                Outcome::Failed(error) => {
                    let wait = put_off(target, &mut queue, &change, &error, &mut failures);
                    if matches!(error.trouble(), Trouble::Away | Trouble::TooMany) {
                        away_until = Instant::now() + wait;
                    }
                }
            }
        }
    }
}

/// Says what went wrong and when it is tried again.
fn put_off(
    target: &Target,
    queue: &mut BTreeMap<Change, Work>,
    change: &Change,
    error: &ClientError,
    failures: &mut u32,
) -> Duration {
    *failures += 1;
    let work = queue.entry(change.clone()).or_default();
    work.failures += 1;
    let pause = PAUSE.0.saturating_mul(1 << work.failures.min(10)).min(PAUSE.1);
    let wait = error.retry_after().unwrap_or_default().max(pause);
    work.not_before = Some(Instant::now() + wait);
    let said = error.chain();
    // Once is weather.
    if failures.is_power_of_two() && *failures > 1 {
        let Change { repository, what } = change;
        warn!(target.name = target.name, repository = %repository, ?what, error = said, "a change does not get to a target; it waits");
    }
    target.set_trouble(Some(said));
    wait
}

/// Takes what is new. Gives whether there was anything.
fn take(target: &Target, queue: &mut BTreeMap<Change, Work>) -> bool {
    let fresh = target.take_fresh();
    let is_any = !fresh.is_empty();
    for (name, change) in fresh {
        let work = queue.entry(change).or_default();
        // Something new is worth a try.
        work.not_before = None;
        work.names.extend(name);
    }
    is_any
}

/// Finds what a process left that is no more, and what did not fit into memory.
async fn look_up(target: &Target, queue: &mut BTreeMap<Change, Work>) {
    let names = match target.journal.pending(PAGE).await {
        Ok(names) => names,
        Err(error) => {
            warn!(target.name = target.name, %error, "a queue of changes cannot be read; trying again");
            return;
        }
    };
    let full = names.len() == PAGE;
    for name in names {
        if queue.values().any(|work| work.names.contains(&name)) {
            continue;
        }
        let change = match target.journal.read(&name).await {
            Ok(Some(bytes)) => serde_json::from_slice::<Change>(&bytes),
            Ok(None) => continue,
            Err(error) => {
                warn!(target.name = target.name, %error, "a change cannot be read; trying again");
                continue;
            }
        };
        match change {
            Ok(change) => match queue.entry(change) {
                Entry::Occupied(mut known) => known.get_mut().names.push(name),
                Entry::Vacant(new) => new.insert(Work::default()).names.push(name),
            },
            Err(error) => {
                warn!(target.name = target.name, %error, "what is queued makes no sense, and is dropped");
                let _ = target.journal.remove(&[name]).await;
            }
        }
    }
    if full {
        target.behind.store(true, Ordering::Release);
    }
}

/// Brings the target to where this registry stands about one tag or manifest.
async fn apply(shared: &Shared, target: &Target, change: &Change) -> Result<()> {
    match &change.what {
        Changed::Tag(tag) => apply_tag(shared, target, &change.repository, tag).await,
        Changed::Manifest(digest) => apply_manifest(shared, target, &change.repository, digest).await,
    }
}

async fn apply_tag(shared: &Shared, target: &Target, repository: &RepositoryName, tag: &Tag) -> Result<()> {
    for _ in 0..TRIES {
        let ours = shared.state(repository, tag).await?;
        let theirs = target.remote.tag_state(repository, tag).await?;
        let verdict = judge(&shared.settings.rule, &ours, &theirs);
        debug!(target.name = target.name, repository = %repository, %tag, ?verdict, "a tag was compared");
        let done = match verdict {
            Verdict::Same => return shared.common(repository, tag, &ours).await,
            Verdict::Theirs => return Ok(()),
            Verdict::Conflict => {
                warn!(
                    target.name = target.name, repository = %repository, %tag, ?ours, ?theirs,
                    "a tag was moved in two regions, and the rule says that neither wins"
                );
                return Ok(());
            }
            Verdict::Ours => match &ours.digest {
                Some(digest) => move_tag(shared, target, repository, tag, digest, &ours, &theirs).await,
                None if shared.settings.deletes => {
                    target.remote.delete_manifest(repository, &Reference::Tag(tag.clone()), ours.stamp.as_ref()).await
                }
                None => return Ok(()),
            },
        };
        match done {
            Ok(()) => return shared.common(repository, tag, &ours).await,
            // Somebody moved it meanwhile: it is judged again.
            Err(error) if error.trouble() == Trouble::Conflict => {}
            other => return other,
        }
    }
    Err(ClientError::Source(format!("tag {tag} of {repository} is moved faster than it can be copied")))
}

async fn move_tag(
    shared: &Shared,
    target: &Target,
    repository: &RepositoryName,
    tag: &Tag,
    digest: &Digest,
    ours: &TagState,
    theirs: &TagState,
) -> Result<()> {
    let Some(raw) = copy(shared, target, repository, digest).await? else {
        // It was removed meanwhile; that is a change of its own.
        return Ok(());
    };
    let condition = match &theirs.digest {
        None => PutCondition::Absent,
        Some(digest) => PutCondition::PointsTo(digest.clone()),
    };
    target.remote.put_manifest(repository, Some(tag), &raw, &condition, ours.stamp.as_ref()).await
}

async fn apply_manifest(shared: &Shared, target: &Target, repository: &RepositoryName, digest: &Digest) -> Result<()> {
    if copy(shared, target, repository, digest).await?.is_some() || !shared.settings.deletes {
        return Ok(());
    }
    target.remote.delete_manifest(repository, &Reference::Digest(digest.clone()), Some(&shared.stamp_now())).await
}

async fn copy(
    shared: &Shared,
    target: &Target,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<RawManifest>> {
    let (tally, stamp) = (Tally::default(), shared.stamp_now());
    let copy = Copy {
        from: &shared.local,
        from_repository: repository,
        to: &target.remote,
        to_repository: repository,
        mount_from: &[],
        referrers: true,
        stamp: Some(&stamp),
        tally: &tally,
    };
    let raw = copy.closure(digest).await?;
    if tally.manifests() > 0 {
        info!(
            target.name = target.name, repository = %repository, %digest,
            manifests = tally.manifests(), blobs = tally.blobs(), bytes = tally.bytes(),
            "copied a manifest to {}", target.name
        );
    }
    Ok(raw)
}

async fn compare_often(shared: &Shared, target: &Target) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(shared.settings.interval) => {}
            () = target.compare.notified() => {}
        }
        match compare(shared, target).await {
            Ok(0) => {}
            Ok(count) => info!(target.name = target.name, tags = count, "tags differ: they are looked at one by one"),
            Err(error) => warn!(target.name = target.name, error = error.chain(), "tags could not be compared"),
        }
    }
}

/// Compares all tags, and queues those that differ. Gives how many.
async fn compare(shared: &Shared, target: &Target) -> Result<usize> {
    let mut differ = 0;
    for repository in shared.local.repositories().await?.into_iter().filter(|repository| target.covers(repository)) {
        let theirs = target.remote.snapshot(&repository).await?;
        let tags = shared.local.tags(&repository).await?;
        for tag in tags {
            let ours = shared.local.store().tag_target(&repository, &tag).await?;
            let their = match &theirs {
                Some(theirs) => theirs.get(&tag).cloned().unwrap_or_default(),
                None => target.remote.tag_state(&repository, &tag).await?,
            };
            if ours == their.digest {
                continue;
            }
            differ += 1;
            target.remember(None, Change { repository: repository.clone(), what: Changed::Tag(tag) });
            target.wake.notify_one();
        }
    }
    Ok(differ)
}
