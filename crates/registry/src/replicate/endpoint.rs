//! What is answered to those who ask whether a manifest is everywhere, and to other regions that compare.

use std::collections::BTreeMap;

use futures::future::join_all;
use jeroboam_oci::{Digest, Reference, RepositoryName};
use serde::{Deserialize, Serialize};
use tracing::debug;

use super::Shared;
use super::target::Target;
use crate::client::{Result, Snapshot};
use crate::images::Images;

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
    /// It is there, with all that it names.
    Present,
    /// It is on its way.
    Pending,
    /// It is not there, and nothing waits.
    Absent,
    /// The place does not answer.
    Unknown,
}

pub(super) async fn report(shared: &Shared, repository: &RepositoryName, digest: &Digest) -> Report {
    let covering = shared.targets.iter().filter(|target| target.covers(repository));
    let targets = join_all(covering.map(|target| ask(target, repository, digest))).await;
    let complete = targets.iter().all(|target| target.state == Whereabouts::Present);
    Report { digest: digest.clone(), complete, targets }
}

async fn ask(target: &Target, repository: &RepositoryName, digest: &Digest) -> TargetReport {
    let waiting = target.waiting();
    let there = target.remote.head_manifest(repository, &Reference::Digest(digest.clone())).await;
    let state = match there {
        // No registry takes a manifest without what it names.
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

pub(super) async fn snapshot(shared: &Shared, repository: &RepositoryName) -> Result<Snapshot> {
    let mut tags = BTreeMap::new();
    for tag in shared.local.tags(repository).await? {
        let state = shared.state(repository, &tag).await?;
        tags.insert(tag, state);
    }
    Ok(Snapshot { tags })
}
