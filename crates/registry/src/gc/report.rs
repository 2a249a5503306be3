//! What a run found and did, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use jeroboam_blobs::Swept;
use jeroboam_model::Timestamp;
use jeroboam_oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};

use super::mark::Marking;

/// What a run found and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The epoch that it was about.
    pub epoch: Option<u64>,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What a mark found.
    pub found: Found,
    /// What a sweep did.
    pub collected: Collected,
    /// What else was cleared away.
    pub left_over: LeftOver,
    /// Manifests that could not be read; all that their repositories link was kept.
    pub unreadable: Vec<Unreadable>,
    /// Unreferenced blobs of each repository, where it was asked for.
    pub repositories: BTreeMap<RepositoryName, RepositoryShare>,
}

/// What a mark found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Blobs, and their bytes as listings have them.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Repositories.
    pub repositories: u64,
    /// Manifests that repositories link.
    pub manifests: u64,
    /// Blobs that nothing refers to.
    pub unreferenced: u64,
    /// Their bytes.
    pub unreferenced_bytes: u64,
    /// Blobs of which that is not known.
    pub kept: u64,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Blobs that are gone, or in the trash.
    pub removed: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Links to them that are gone.
    pub links: u64,
    /// Candidates that somebody was promised.
    pub leased: u64,
    /// Candidates with which another collector had begun.
    pub interrupted: u64,
    /// Candidates that had gone before.
    pub gone: u64,
}

/// What else was cleared away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOver {
    /// Uploads that nobody went on with.
    pub uploads: u64,
    /// Temporary files, segments and parts that no path led to.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs whose time in the trash was over.
    pub trash: u64,
}

/// Blobs of a repository that nothing refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryShare {
    /// So many.
    pub blobs: u64,
    /// Their bytes; those of a blob that several repositories link count for each.
    pub bytes: u64,
}

/// A manifest that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Whose it is.
    pub repository: RepositoryName,
    /// Which.
    pub manifest: Digest,
    /// Why.
    pub why: String,
}

impl Report {
    pub(super) fn of(marking: &Marking, began: Timestamp, ended: Timestamp) -> Self {
        let (blobs, bytes) = marking.mark.all();
        let (kept, _) = marking.mark.kept();
        let unreferenced = marking.mark.unreferenced();
        let (count, size) = unreferenced.fold((0, 0), |(count, bytes), blob| (count + 1, bytes + blob.size));
        let found = Found {
            blobs,
            bytes,
            repositories: marking.repositories.len() as u64,
            manifests: marking.manifests,
            unreferenced: count,
            unreferenced_bytes: size,
            kept,
        };
        Self { began, ended, found, unreadable: marking.unreadable.clone(), ..Self::default() }
    }

    pub(super) fn begun(epoch: u64, now: Timestamp) -> Self {
        Self { epoch: Some(epoch), began: now, ended: now, ..Self::default() }
    }
}

impl LeftOver {
    pub(super) fn add(&mut self, swept: Swept) {
        self.objects += swept.objects;
        self.bytes += swept.bytes;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { blobs, bytes, repositories, manifests, unreferenced, unreferenced_bytes, kept } = self.found;
        if blobs > 0 || self.epoch.is_none() {
            writeln!(f, "{blobs} blobs with {bytes} bytes, {manifests} manifests in {repositories} repositories")?;
            writeln!(f, "{unreferenced} blobs with {unreferenced_bytes} bytes are referred to by nothing")?;
            if kept > 0 {
                writeln!(f, "{kept} blobs are kept because a manifest that may refer to them cannot be read:")?;
            }
        }
        for Unreadable { repository, manifest, why } in &self.unreadable {
            writeln!(f, "  {repository}@{manifest}: {why}")?;
        }
        for (repository, RepositoryShare { blobs, bytes }) in &self.repositories {
            writeln!(f, "  {repository}: {blobs} blobs with {bytes} bytes")?;
        }
        let Collected { removed, bytes, links, leased, interrupted, gone } = self.collected;
        if removed + leased + interrupted + gone > 0 {
            writeln!(f, "removed {removed} blobs with {bytes} bytes, and {links} links to them")?;
            writeln!(f, "spared {leased} that somebody relies on, {interrupted} with which another collector began")?;
        }
        let LeftOver { uploads, objects, bytes, trash } = self.left_over;
        let cleared = if self.dry_run { "to be cleared away" } else { "cleared away" };
        if uploads + objects + trash > 0 {
            writeln!(
                f,
                "{cleared}: {uploads} uploads, {objects} leftovers with {bytes} bytes, {trash} blobs of the trash"
            )?;
        }
        Ok(())
    }
}
