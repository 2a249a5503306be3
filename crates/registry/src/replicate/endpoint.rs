//! What is answered to those who ask whether a manifest is everywhere, and to other regions that compare.

use std::collections::BTreeMap;

use futures::future::join_all;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use tracing::debug;

use super::Shared;
use super::target::Target;
use crate::client::{Result, Snapshot, TagState};
use crate::images::Images;

/// Tags that are looked at at once.
const AT_ONCE: usize = 8;

/// In which places a manifest is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The manifest.
    pub digest: Digest,
    /// Whether it is in all of them.
    pub complete: bool,
    /// Each place that its repository is copied to.
    pub targets: Vec<TargetReport>,
}

/// Whether a manifest is in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetReport {
    /// The place.
    pub name: String,
    /// Whether it is there.
    pub state: Whereabouts,
    /// Changes that wait for this place.
    pub waiting: usize,
}

/// Whether a manifest is in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whereabouts {
    /// It is there.
    Present,
    /// It is on its way.
    Pending,
    /// It is not there, and nothing waits.
    Absent,
    /// The place does not answer.
    Unknown,
}

pub(super) async fn report(shared: &Shared, repository: &RepositoryName, digest: &Digest) -> Report {
    let targets = join_all(shared.targets_of(repository).map(|target| ask(target, repository, digest))).await;
    let complete = targets.iter().all(|target| target.state == Whereabouts::Present);
    Report { digest: digest.clone(), complete, targets }
}

async fn ask(target: &Target, repository: &RepositoryName, digest: &Digest) -> TargetReport {
    let waiting = target.waiting();
    let there = target.asked.head_manifest(repository, &Reference::Digest(digest.clone())).await;
    let state = match there {
        // A registry takes no manifest without what it names, unless it is told to.
        Ok(Some(_)) => Whereabouts::Present,
        Ok(None) if waiting > 0 => Whereabouts::Pending,
        Ok(None) => Whereabouts::Absent,
        Err(error) => {
            debug!(target.name = target.name, error = error.chain(), "a target was asked for a manifest in vain");
            Whereabouts::Unknown
        }
    };
    TargetReport { name: target.name.clone(), state, waiting }
}

/// Where some tags point: those after `after`, and which of them is the last if there are more.
pub(super) async fn snapshot(
    shared: &Shared,
    repository: &RepositoryName,
    after: Option<&Tag>,
    most: usize,
) -> Result<Snapshot> {
    let all = shared.local.tags(repository).await?.unwrap_or_default();
    let mut wanted = all.into_iter().filter(|tag| after.is_none_or(|after| tag > after));
    let page: Vec<Tag> = wanted.by_ref().take(most).collect();
    let next = page.last().filter(|_| wanted.next().is_some()).cloned();
    let states = stream::iter(page).map(|tag| state(shared, repository, tag).boxed());
    Ok(Snapshot { tags: states.buffered(AT_ONCE).try_collect::<BTreeMap<_, _>>().await?, next })
}

async fn state(shared: &Shared, repository: &RepositoryName, tag: Tag) -> Result<(Tag, TagState)> {
    let state = shared.state(repository, &tag).await?;
    Ok((tag, state))
}
