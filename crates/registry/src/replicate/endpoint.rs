//! What is answered to those who ask whether a manifest is everywhere, and to other regions that compare.

use std::collections::BTreeMap;

use futures::future::join_all;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tracing::debug;

use super::Shared;
use super::conflict::{Verdict, judge};
use super::target::Target;
use crate::client::{Result, Snapshot, TagState};
use crate::images::Images;

/// Tags that are looked at at once.
const AT_ONCE: usize = 8;

/// Tags of one manifest that a target is asked about. Where there are more, nothing may wait for it besides.
const MOST_TAGS: usize = 50;

/// In which places a manifest is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The manifest.
    pub digest: Digest,
    /// Whether it is in all of them, with its tags.
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
    /// It is there, and so are the tags that lead to it here, apart from those of which the place's own are right.
    Present,
    /// It or a tag of it is on its way.
    Pending,
    /// It is not there, and nothing waits; or the rule says of a tag of it that neither side is right.
    Absent,
    /// The place does not answer.
    Unknown,
}

pub(super) async fn report(shared: &Shared, repository: &RepositoryName, digest: &Digest) -> Report {
    // Its tags here: looked up once, and only if it is anywhere else.
    let tags = OnceCell::new();
    let asked = shared.targets_of(repository).map(|target| ask(shared, target, repository, digest, &tags));
    let targets = join_all(asked).await;
    let complete = targets.iter().all(|target| target.state == Whereabouts::Present);
    Report { digest: digest.clone(), complete, targets }
}

async fn ask(
    shared: &Shared,
    target: &Target,
    repository: &RepositoryName,
    digest: &Digest,
    tags: &OnceCell<Vec<Tag>>,
) -> TargetReport {
    let waiting = target.waiting();
    let state = match whereabouts(shared, target, repository, digest, tags, waiting).await {
        Ok(state) => state,
        Err(error) => {
            debug!(target.name = target.name, error = error.chain(), "a target was asked for a manifest in vain");
            Whereabouts::Unknown
        }
    };
    TargetReport { name: target.name.clone(), state, waiting }
}

async fn whereabouts(
    shared: &Shared,
    target: &Target,
    repository: &RepositoryName,
    digest: &Digest,
    tags: &OnceCell<Vec<Tag>>,
    waiting: usize,
) -> Result<Whereabouts> {
    // A registry takes no manifest without what it names, unless it is told to.
    if target.asked.head_manifest(repository, &Reference::Digest(digest.clone())).await?.is_none() {
        return Ok(if waiting > 0 { Whereabouts::Pending } else { Whereabouts::Absent });
    }
    // It comes there before its tags do. What waits in memory does not tell of them: another process may have queued them, or one before this one.
    let tags = tags.get_or_try_init(|| shared.local.store().tags_of(repository, digest)).await?;
    if tags.len() > MOST_TAGS && waiting > 0 {
        return Ok(Whereabouts::Pending);
    }
    let looked: Vec<Tag> = tags.iter().take(MOST_TAGS).cloned().collect();
    let verdicts = stream::iter(looked).map(|tag| verdict(shared, target, repository, tag).boxed());
    let verdicts: Vec<Verdict> = verdicts.buffered(AT_ONCE).try_collect().await?;
    Ok(if verdicts.contains(&Verdict::Ours) {
        Whereabouts::Pending
    } else if verdicts.contains(&Verdict::Conflict) {
        Whereabouts::Absent
    } else {
        Whereabouts::Present
    })
}

/// What is to be done about a tag at a target.
async fn verdict(shared: &Shared, target: &Target, repository: &RepositoryName, tag: Tag) -> Result<Verdict> {
    let ours = shared.state(repository, &tag).await?;
    if ours.digest.is_none() {
        // It has just been removed here, and nobody waits for that.
        return Ok(Verdict::Same);
    }
    let theirs = target.asked.tag_state(repository, &tag).await?;
    Ok(judge(shared.settings.rule_of(repository), &ours, &theirs))
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
