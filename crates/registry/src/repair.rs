//! Mends what can be mended of a store, and says what cannot.
//!
//! Nothing is made up: a link is written again where its path, or what its tag once pointed to, says what it was. Blobs are never deleted: one that is
//! damaged is moved to quarantine, so that the next push brings it anew. Nothing runs that was not found by a scan just before.

use std::fmt;
use std::time::Duration;

use jeroboam_blobs::{Condition, Freshness, Result, SharedBlobs, Sweep};
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, Area};
use jeroboam_oci::{Algorithm, Digest, RepositoryName, Tag, link};
use serde::Serialize;

use crate::inspect::{InspectOptions, Problem, Scan, digest_of_bytes, is_still, scan};

/// What is younger may be somebody's that is at work now.
const SETTLED: Duration = Duration::from_secs(24 * 60 * 60);

/// What is done about a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "remedy")]
pub enum Remedy {
    /// A link is written.
    Link {
        /// Where.
        path: String,
        /// To what.
        to: Digest,
    },
    /// A link is removed that leads nowhere.
    Unlink {
        /// Where.
        path: String,
    },
    /// A blob is moved out of the way, so that the next push brings it anew.
    Quarantine {
        /// Which.
        digest: Digest,
    },
    /// Nothing can be done here.
    None {
        /// What somebody else can do.
        advice: String,
    },
}

/// A problem, and what is done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// What is wrong.
    pub problem: Problem,
    /// What is done about it.
    pub remedy: Remedy,
    /// Whether it was needed no more when its turn came: a push, or another remedy, had mended it.
    pub mended_before: bool,
}

/// What was mended, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repairs {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What is done about each problem.
    pub repairs: Vec<Repair>,
    /// Leftovers that were cleared away.
    pub leftovers: u64,
}

impl Repairs {
    /// Whether nothing is left that cannot be mended.
    #[must_use]
    pub fn is_all(&self) -> bool {
        !self.repairs.iter().any(|repair| !repair.mended_before && matches!(repair.remedy, Remedy::None { .. }))
    }
}

/// Mends a store, or says what would be done.
pub async fn repair(blobs: &SharedBlobs, options: InspectOptions, now: Timestamp, dry_run: bool) -> Result<Repairs> {
    let scan = scan(blobs, options).await?;
    let mut repairs = Repairs { dry_run, ..Repairs::default() };
    for problem in &scan.problems {
        let still = if dry_run { Some(true) } else { is_still(blobs, problem).await? };
        let (remedy, mended_before) = match still {
            // Nothing is done about what cannot be seen any more.
            None => (none("it cannot be looked at now: see what the disk or the store says of it"), false),
            Some(false) => (remedy(&scan, problem), true),
            Some(true) => {
                let remedy = remedy(&scan, problem);
                let done = dry_run || apply(blobs, &remedy).await?;
                (remedy, !done)
            }
        };
        repairs.repairs.push(Repair { problem: problem.clone(), remedy, mended_before });
    }
    let older_than = now.saturating_sub(SETTLED).unwrap_or(Timestamp::MIN);
    let swept = blobs.sweep(Sweep { older_than, live: &scan.uploads, dry_run }).await?;
    repairs.leftovers = swept.objects;
    Ok(repairs)
}

/// Decides what is done about a problem.
fn remedy(scan: &Scan, problem: &Problem) -> Remedy {
    match problem {
        Problem::TornTag { repository, tag, .. } => match newest_target(scan, repository, tag) {
            Some(to) => Remedy::Link { path: layout::tag_current(repository, tag), to },
            None => none("nothing says what it pointed to: push the tag again, or delete it"),
        },
        Problem::TagWithoutManifest { repository, manifest, bytes_are_there: true, .. } => {
            Remedy::Link { path: layout::revision(repository, manifest), to: manifest.clone() }
        }
        Problem::TagWithoutManifest { .. } => none("push the tag again, or delete it"),
        Problem::TagNotWhole { .. } | Problem::ManifestNotWhole { .. } => {
            none("push it again: what is missing comes back")
        }
        Problem::TornRevision { repository, digest, .. } => relink(scan, layout::revision(repository, digest), digest),
        Problem::TornLayer { repository, digest, .. } => relink(scan, layout::layer(repository, digest), digest),
        Problem::RevisionToNothing { repository, manifest } => {
            let tagged =
                scan.repositories.get(repository).is_some_and(|held| held.targets.values().any(|t| t == manifest));
            if tagged {
                none("a tag points to it: push the tag again, or delete it")
            } else {
                Remedy::Unlink { path: layout::revision(repository, manifest) }
            }
        }
        Problem::LayerToNothing { repository, digest } => Remedy::Unlink { path: layout::layer(repository, digest) },
        Problem::EmptyBlob { digest } | Problem::WrongBytes { digest, .. } => {
            Remedy::Quarantine { digest: digest.clone() }
        }
        Problem::Unreadable { .. } => none("see what the disk or the store says of it; a push may bring it anew"),
        Problem::Unlisted { repository, manifest } => {
            Remedy::Link { path: layout::layer(repository, manifest), to: manifest.clone() }
        }
    }
}

fn none(advice: &str) -> Remedy {
    Remedy::None { advice: advice.to_owned() }
}

/// The newest manifest that a tag ever pointed to and that the repository still has.
fn newest_target(scan: &Scan, repository: &RepositoryName, tag: &Tag) -> Option<Digest> {
    let held = scan.repositories.get(repository)?;
    let once = held.once.get(tag)?;
    let there =
        once.iter().filter(|(_, digest)| scan.blobs.contains_key(digest) && held.revisions.contains_key(digest));
    there.max().map(|(_, digest)| digest.clone())
}

/// A link under the store's own algorithm can only have said one thing; one under another could have said anything.
fn relink(scan: &Scan, path: String, digest: &Digest) -> Remedy {
    if digest.algorithm() == Algorithm::Sha256 && scan.blobs.contains_key(digest) {
        Remedy::Link { path, to: digest.clone() }
    } else {
        Remedy::Unlink { path }
    }
}

/// `false`: there was nothing to do any more.
async fn apply(blobs: &SharedBlobs, remedy: &Remedy) -> Result<bool> {
    match remedy {
        Remedy::Link { path, to } => {
            blobs.put(path, link::content(to).into(), Condition::Always).await?;
        }
        Remedy::Unlink { path } => blobs.delete(std::slice::from_ref(path)).await?,
        Remedy::Quarantine { digest } => return quarantine(blobs, digest).await,
        Remedy::None { .. } => {}
    }
    Ok(true)
}

/// Moves a blob out of the way whose bytes are not those of its digest: looked at once more, and only as it was then. `false`: it is fine, or somebody has
/// pushed it anew.
pub(crate) async fn quarantine(blobs: &SharedBlobs, digest: &Digest) -> Result<bool> {
    let path = layout::blob(digest);
    let before = blobs.head(&path, Freshness::Newest).await?;
    // A disk or a network that is wrong once is not always.
    if before.is_none() || digest_of_bytes(blobs, digest).await?.is_none_or(|found| found == *digest) {
        return Ok(false);
    }
    if blobs.head(&path, Freshness::Newest).await? != before {
        return Ok(false);
    }
    let to = layout::own(Area::Quarantine, &[digest.algorithm().name(), digest.hex()]);
    blobs.relocate(&path, &to).await?;
    Ok(true)
}

impl fmt::Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Repair { problem, remedy, mended_before } in &self.repairs {
            writeln!(f, "{problem}")?;
            if *mended_before {
                writeln!(f, "  was mended meanwhile")?;
                continue;
            }
            let would = if self.dry_run { "would " } else { "" };
            match remedy {
                Remedy::Link { to, .. } => writeln!(f, "  {would}link {to}")?,
                Remedy::Unlink { path } => writeln!(f, "  {would}remove {path}")?,
                Remedy::Quarantine { digest } => writeln!(f, "  {would}move {digest} to quarantine")?,
                Remedy::None { advice } => writeln!(f, "  cannot be mended here: {advice}")?,
            }
        }
        let cleared = if self.dry_run { "to be cleared away" } else { "cleared away" };
        if self.leftovers > 0 {
            writeln!(f, "{} leftovers {cleared}", self.leftovers)?;
        }
        if self.repairs.is_empty() { writeln!(f, "nothing to mend") } else { Ok(()) }
    }
}
