//! Compares all tags soon after the start and then now and then, and queues those that differ: whatever was lost on the way is found so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jeroboam_oci::{RepositoryName, Tag};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::target::Target;
use super::{Change, Changed, Shared};
use crate::client::{Result, TagState};
use crate::images::Images;

/// Tags that are looked at at once.
const AT_ONCE: usize = 8;

/// Repositories one after the other that a target does not answer about before a comparison ends. One may be too large or too slow; all are an outage.
const SILENT: usize = 3;

/// How soon after the start tags are compared first, at the earliest; at the latest it is twice that.
const SOON: Duration = Duration::from_secs(5);

pub(super) async fn compare_often(shared: &Arc<Shared>, target: &Arc<Target>) {
    soon_and_often(shared.settings.interval, &target.compare, || compared(shared.clone(), target.clone())).await;
}

/// Does something soon, since a process that died before this one may have left something to find, then after each interval, and whenever somebody wants it.
async fn soon_and_often<F: Future<Output = ()>>(interval: Duration, wanted: &Notify, work: impl Fn() -> F) {
    // Processes that begin together do not all come at once.
    let mut pause = SOON.mul_f64(1.0 + rand::random::<f64>()).min(interval);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = wanted.notified() => {}
        }
        pause = interval;
        work().await;
    }
}

async fn compared(shared: Arc<Shared>, target: Arc<Target>) {
    match compare(&shared, &target).await {
        Ok(0) => {}
        Ok(count) => info!(target.name = target.name, tags = count, "tags differ: they are looked at one by one"),
        Err(error) => warn!(target.name = target.name, error = error.chain(), "tags could not be compared"),
    }
}

/// Compares all tags, and queues those that differ. Gives how many. A repository that cannot be compared does not keep the others.
async fn compare(shared: &Arc<Shared>, target: &Arc<Target>) -> Result<usize> {
    let (mut differ, mut silent) = (0, 0);
    for repository in shared.local.repositories().await? {
        if !shared.covers(target, &repository) {
            continue;
        }
        match differing(shared, target, &repository).await {
            Ok(tags) => {
                silent = 0;
                differ += tags.len();
                for tag in tags {
                    target.remember(None, Change { repository: repository.clone(), what: Changed::Tag(tag) });
                    target.wake.notify_one();
                }
            }
            Err(error) => {
                silent = if error.is_silence() { silent + 1 } else { 0 };
                if silent == SILENT {
                    return Err(error);
                }
                warn!(target.name = target.name, repository = %repository, error = error.chain(), "the tags of a repository could not be compared");
            }
        }
    }
    Ok(differ)
}

/// The tags of a repository that differ.
async fn differing(shared: &Arc<Shared>, target: &Arc<Target>, repository: &RepositoryName) -> Result<BTreeSet<Tag>> {
    let theirs = target.remote.snapshot(repository).await?.map(Arc::new);
    let tags = shared.local.tags(repository).await?.unwrap_or_default();
    let (shared_s, target_s, repository_s, theirs_s) =
        (shared.clone(), target.clone(), repository.clone(), theirs.clone());
    let looked = stream::iter(tags.clone())
        .map(move |tag| differs(shared_s.clone(), target_s.clone(), repository_s.clone(), tag, theirs_s.clone()));
    let looked: Vec<_> = looked.buffered(AT_ONCE).try_collect().await?;
    let mut differ: BTreeSet<Tag> = looked.into_iter().flatten().collect();
    if shared.settings.deletes {
        // What was removed here while nobody could write that down for the target.
        let here: BTreeSet<&Tag> = tags.iter().collect();
        let only_there = theirs
            .iter()
            .flat_map(|theirs| theirs.iter())
            .filter(|(tag, state)| state.digest.is_some() && !here.contains(tag));
        for (tag, _) in only_there {
            if shared.state(repository, tag).await?.stamp.is_some() {
                differ.insert(tag.clone());
            }
        }
    }
    Ok(differ)
}

/// A tag, if it differs. `theirs` is what the target said of all its tags, where it is one that does.
async fn differs(
    shared: Arc<Shared>,
    target: Arc<Target>,
    repository: RepositoryName,
    tag: Tag,
    theirs: Option<Arc<BTreeMap<Tag, TagState>>>,
) -> Result<Option<Tag>> {
    let ours = shared.local.store().tag_target(&repository, &tag).await?;
    let their = match theirs {
        Some(theirs) => theirs.get(&tag).and_then(|state| state.digest.clone()),
        None => target.remote.tag_state(&repository, &tag).await?.digest,
    };
    Ok((ours != their).then_some(tag))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::time::Instant;

    use super::*;

    /// In which seconds after the start something was done, up to a time.
    async fn seconds(interval: Duration, wanted: &Notify, until: Duration) -> Vec<u64> {
        let (begun, seconds) = (Instant::now(), RefCell::new(Vec::new()));
        let work = || {
            seconds.borrow_mut().push(begun.elapsed().as_secs());
            std::future::ready(())
        };
        let often = soon_and_often(interval, wanted, work);
        assert!(tokio::time::timeout(until, often).await.is_err(), "it has no end");
        seconds.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn tags_are_compared_soon_after_the_start_and_then_at_each_interval() {
        let (wanted, minutes) = (Notify::new(), |count: u64| Duration::from_secs(60 * count));
        let found = seconds(minutes(10), &wanted, minutes(25)).await;
        let first = found[0];
        assert!((SOON.as_secs()..=2 * SOON.as_secs()).contains(&first), "{found:?}");
        assert!(found.len() == 3 && found[1] - first >= 600 && found[2] - found[1] >= 600, "{found:?}");
        // Whoever wants it need not wait, and a short interval is not made longer.
        wanted.notify_one();
        assert_eq!(seconds(minutes(10), &wanted, minutes(1)).await, [0]);
        let short = seconds(Duration::from_secs(2), &wanted, Duration::from_secs(5)).await;
        assert_eq!(short, [2, 4]);
    }
}
