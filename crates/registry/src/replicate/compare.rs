//! Compares all tags now and then, and queues those that differ: whatever was lost on the way is found so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use jeroboam_oci::{RepositoryName, Tag};
use tracing::{info, warn};

use super::target::Target;
use super::{Change, Changed, Shared};
use crate::client::{Result, TagState};
use crate::images::Images;

/// Tags that are looked at at once.
const AT_ONCE: usize = 8;

/// Repositories one after the other that a target does not answer about before a comparison ends. One may be too large or too slow; all are an outage.
const SILENT: usize = 3;

pub(super) async fn compare_often(shared: &Arc<Shared>, target: &Arc<Target>) {
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
