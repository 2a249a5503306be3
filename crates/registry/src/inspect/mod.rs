//! What is in a store, and what is wrong with it. Reads only.
//!
//! What is found is either damage, which somebody will meet who pulls, or garbage, which only takes room. A store is fine when each of its tags leads
//! to a manifest all of whose parts its repository has; garbage never makes it less so.

mod again;
mod problem;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use jeroboam_blobs::{SharedBlobs, Sweep};
use jeroboam_model::Timestamp;
use serde::Serialize;

use crate::config::Prefix;

pub(crate) use again::{is_still, of_one};
pub use problem::{Problem, Severity};
pub(crate) use scan::{Scan, digest_of_bytes, scan};

/// How a store is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectOptions<'a> {
    /// So many blobs of a hundred are read and their digests compared.
    pub verify_percent: u8,
    /// Repositories that are caches of other registries, whoever filled them.
    pub caches: &'a [Prefix],
    /// Whether an image may name blobs that its repository never had: then nobody gives them to it.
    pub sparse_images: bool,
}

/// What is in a store, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inspection {
    /// Repositories.
    pub repositories: u64,
    /// Tags.
    pub tags: u64,
    /// Manifests that repositories link.
    pub manifests: u64,
    /// Of these, such of Docker's first form.
    pub schema1: u64,
    /// Tags that say what a manifest is about, from before there was an API for it.
    pub fallback_tags: u64,
    /// Blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that no manifest refers to.
    pub unreferenced: u64,
    /// Their bytes.
    pub unreferenced_bytes: u64,
    /// Uploads that are under way, or were given up.
    pub uploads: u64,
    /// Temporary files, segments that no path leads to, and bytes of uploads of which nothing is written down.
    pub leftovers: u64,
    /// Their bytes.
    pub leftover_bytes: u64,
    /// Whether the store hides which segments its objects have, so that none were looked for that no path leads to.
    pub hidden_segments: bool,
    /// Blobs whose bytes were read and whose digests were compared.
    pub verified: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Inspection {
    /// Whether each tag leads to a manifest all of whose parts are there.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        !self.problems.iter().any(|problem| problem.severity() == Severity::Damage)
    }
}

/// Looks at a whole store.
pub async fn inspect(
    blobs: &SharedBlobs,
    options: InspectOptions<'_>,
    now: Timestamp,
) -> jeroboam_blobs::Result<Inspection> {
    let scan = scan(blobs, options).await?;
    let mut inspection = scan.inspection();
    let swept = blobs.sweep(Sweep { older_than: now, live: &scan.uploads, dry_run: true }).await?;
    inspection.leftovers += swept.objects;
    inspection.leftover_bytes += swept.bytes;
    inspection.hidden_segments = swept.hidden;
    Ok(inspection)
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repositories, tags, manifests, blobs, bytes, .. } = self;
        writeln!(
            f,
            "{repositories} repositories, {tags} tags, {manifests} manifests, {blobs} blobs with {bytes} bytes"
        )?;
        let others = [
            (self.schema1, "manifests of Docker's first form"),
            (self.fallback_tags, "tags that say what a manifest is about"),
            (self.uploads, "uploads under way, or given up"),
            (self.verified, "blobs read and compared"),
        ];
        for (count, what) in others.iter().filter(|(count, _)| *count > 0) {
            writeln!(f, "{count} {what}")?;
        }
        let garbage = [
            (self.unreferenced, self.unreferenced_bytes, "blobs that no manifest refers to"),
            (self.leftovers, self.leftover_bytes, "temporary files and segments that no path leads to"),
        ];
        for (count, bytes, what) in garbage.iter().filter(|(count, ..)| *count > 0) {
            writeln!(f, "garbage: {count} {what}, with {bytes} bytes")?;
        }
        if self.hidden_segments {
            writeln!(
                f,
                "the store does not show the segments of static large objects: garbage among segments was not looked for"
            )?;
        }
        let mut by_severity: BTreeMap<Severity, Vec<&Problem>> = BTreeMap::new();
        for problem in &self.problems {
            by_severity.entry(problem.severity()).or_default().push(problem);
        }
        for (severity, problems) in by_severity {
            for problem in problems {
                writeln!(f, "{severity}: {problem}")?;
            }
        }
        writeln!(f, "{}", if self.is_fine() { "every tag can be pulled" } else { "not every tag can be pulled" })
    }
}
