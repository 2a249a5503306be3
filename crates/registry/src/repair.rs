//! Mends what can be mended of a store, and says what cannot.
//!
//! Nothing is made up: a link is written again where its path, a manifest of its repository, or what its tag once pointed to, says what it was. Blobs are
//! never deleted: one that is damaged is moved to quarantine, so that the next push brings it anew. Nothing runs that was not found by a scan just before.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jeroboam_blobs::{Condition, Freshness, Result, SharedBlobs, Sweep};
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, Area, InRepository, Meaning};
use jeroboam_oci::{Algorithm, Digest, RepositoryName, Tag, link};
use serde::Serialize;

use crate::inspect::{InspectOptions, Problem, Scan, digest_of_bytes, is_still, scan};

/// What is younger may be somebody's that is at work now.
const SETTLED: Duration = Duration::from_secs(24 * 60 * 60);

/// What to do about something that is missing.
const PUSH_AGAIN: &str = "push it again: what is missing comes back";

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
pub async fn repair(
    blobs: &SharedBlobs,
    options: InspectOptions<'_>,
    now: Timestamp,
    dry_run: bool,
) -> Result<Repairs> {
    let scan = scan(blobs, options).await?;
    let mut repairs = Repairs { dry_run, ..Repairs::default() };
    let mut plan = Plan::of(&scan, options.sparse_images);
    // Tags come last: what they pointed to may be linked again before.
    let is_tag = |problem: &&Problem| matches!(problem, Problem::TornTag { .. });
    let (tags, rest): (Vec<&Problem>, Vec<&Problem>) = scan.problems.iter().partition(is_tag);
    for problem in rest.into_iter().chain(tags) {
        let still = if dry_run { Some(true) } else { is_still(blobs, problem).await? };
        let (remedy, mended_before) = match still {
            // Nothing is done about what cannot be seen any more.
            None => (none("it cannot be looked at now: see what the disk or the store says of it"), false),
            Some(false) => (plan.remedy(problem), true),
            Some(true) => {
                let remedy = plan.remedy(problem);
                let done = dry_run || apply(blobs, &remedy).await?;
                (remedy, !done)
            }
        };
        plan.note(&remedy);
        repairs.repairs.push(Repair { problem: problem.clone(), remedy, mended_before });
    }
    let older_than = now.saturating_sub(SETTLED).unwrap_or(Timestamp::MIN);
    let swept = blobs.sweep(Sweep { older_than, live: &scan.uploads, dry_run }).await?;
    repairs.leftovers = swept.objects;
    Ok(repairs)
}

/// Decides what is done about problems, one after the other.
struct Plan<'a> {
    scan: &'a Scan,
    /// Blobs that have no bytes, or other ones.
    damaged: BTreeSet<&'a Digest>,
    /// Whether an image may name what its repository never had.
    sparse_images: bool,
    /// Links to manifests that are written again.
    linked: BTreeSet<(RepositoryName, Digest)>,
}

impl<'a> Plan<'a> {
    fn of(scan: &'a Scan, sparse_images: bool) -> Self {
        let damaged = scan.problems.iter().filter_map(|problem| match problem {
            Problem::EmptyBlob { digest } | Problem::WrongBytes { digest, .. } => Some(digest),
            _ => None,
        });
        Self { scan, damaged: damaged.collect(), sparse_images, linked: BTreeSet::new() }
    }

    /// Decides what is done about a problem.
    fn remedy(&self, problem: &Problem) -> Remedy {
        match problem {
            Problem::TornTag { repository, tag, .. } => match self.newest_target(repository, tag) {
                Some(to) => Remedy::Link { path: layout::tag_current(repository, tag), to },
                None => none("nothing says what it pointed to: push the tag again, or delete it"),
            },
            Problem::TagWithoutManifest { repository, manifest, bytes_are_there: true, .. } => {
                let to = self.scan.called.get(manifest).unwrap_or(manifest).clone();
                Remedy::Link { path: layout::revision(repository, manifest), to }
            }
            Problem::TagWithoutManifest { .. } => none("push the tag again, or delete it"),
            Problem::TagNotWhole { .. } | Problem::ManifestNotWhole { .. } => none(PUSH_AGAIN),
            Problem::PartWithoutLink { repository, digest, is_manifest, .. } => {
                let path: fn(&RepositoryName, &Digest) -> String =
                    if *is_manifest { layout::revision } else { layout::layer };
                // What belongs to another repository is not to be given here.
                let may_be_anothers = self.sparse_images && !is_manifest;
                if self.says_itself(digest) && !self.damaged.contains(digest) && !may_be_anothers {
                    Remedy::Link { path: path(repository, digest), to: digest.clone() }
                } else {
                    none(PUSH_AGAIN)
                }
            }
            Problem::TornRevision { repository, digest, .. } => {
                let path = layout::revision(repository, digest);
                match self.scan.called.get(digest) {
                    Some(to) => Remedy::Link { path, to: to.clone() },
                    None => self.relink(path, digest),
                }
            }
            Problem::TornLayer { repository, digest, .. } => self.relink(layout::layer(repository, digest), digest),
            Problem::RevisionToNothing { repository, manifest } => {
                let held = self.scan.repositories.get(repository);
                if held.is_some_and(|held| held.targets.values().any(|target| target == manifest)) {
                    none("a tag points to it: push the tag again, or delete it")
                } else {
                    Remedy::Unlink { path: layout::revision(repository, manifest) }
                }
            }
            Problem::LayerToNothing { repository, digest } => {
                Remedy::Unlink { path: layout::layer(repository, digest) }
            }
            Problem::EmptyBlob { digest } | Problem::WrongBytes { digest, .. } => {
                Remedy::Quarantine { digest: digest.clone() }
            }
            Problem::WrongSize { .. } => {
                none("what has a digest cannot be changed: push an image that says the right size, or delete this one")
            }
            Problem::Unreadable { .. } => none("see what the disk or the store says of it; a push may bring it anew"),
            Problem::Unlisted { repository, manifest } => {
                Remedy::Link { path: layout::layer(repository, manifest), to: manifest.clone() }
            }
        }
    }

    /// Notes what is done.
    fn note(&mut self, remedy: &Remedy) {
        if let Remedy::Link { path, .. } = remedy
            && let Meaning::Repository(name, InRepository::Revision(digest)) = layout::meaning(path)
        {
            self.linked.insert((name, digest));
        }
    }

    /// The newest manifest that a tag ever pointed to and that the repository still has, or has again.
    fn newest_target(&self, repository: &RepositoryName, tag: &Tag) -> Option<Digest> {
        let held = self.scan.repositories.get(repository)?;
        let is_linked = |digest: &Digest| {
            held.revisions.contains_key(digest) || self.linked.contains(&(repository.clone(), digest.clone()))
        };
        let once = held.once.get(tag)?.iter();
        let there = once.filter(|(_, digest)| self.scan.blobs.contains_key(digest) && is_linked(digest));
        there.max().map(|(_, digest)| digest.clone())
    }

    /// Whether a link to something that is there can only say what its path says: one under another algorithm than the store's own could say anything.
    fn says_itself(&self, digest: &Digest) -> bool {
        digest.algorithm() == Algorithm::Sha256 && self.scan.blobs.contains_key(digest)
    }

    fn relink(&self, path: String, digest: &Digest) -> Remedy {
        if self.says_itself(digest) { Remedy::Link { path, to: digest.clone() } } else { Remedy::Unlink { path } }
    }
}

fn none(advice: &str) -> Remedy {
    Remedy::None { advice: advice.to_owned() }
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
