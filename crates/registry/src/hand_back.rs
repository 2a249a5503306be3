//! Gives a store back to distribution: says whether it can go on with it, and does what makes it so.
//!
//! Everything that is pushed here lies where distribution looks for it. What it does not know of is all below `_x`, which it ignores. Nothing of ours that
//! is only good while we serve stays behind: uploads that nobody can go on with, what the garbage collection has announced, and what we noted of referrers, which
//! would be wrong when we come back. The trash and the quarantine stay.

use std::fmt;

use futures::{StreamExt, TryStreamExt, stream};
use jeroboam_blobs::{Condition, HandedBack, Result, SharedBlobs};
use jeroboam_model::Timestamp;
use jeroboam_oci::gc::{Epoch, Stage, paths};
use jeroboam_oci::layout::{self, Area};
use jeroboam_oci::{Digest, RepositoryName, link};
use serde::Serialize;
use tracing::info;

use crate::config::Prefix;
use crate::gc::documents::{ReadDocument, read};
use crate::gc::leftovers::discard;
use crate::gc::pages::all_objects;
use crate::inspect::{InspectOptions, Inspection, Problem, Scan, scan};
use crate::leases::Instance;
use crate::store::SessionRecord;

/// So many objects are looked at at once.
const AT_ONCE: usize = 16;

/// So many objects are removed in one go.
const BATCH: usize = 1_000;

/// How a store is handed back.
#[derive(Clone, Copy, Debug, Default)]
pub struct HandBackOptions<'a> {
    /// Whether nothing is changed.
    pub dry_run: bool,
    /// Whether somebody says that no registry of ours runs, whatever it said of itself a moment ago.
    pub all_stopped: bool,
    /// Repositories that are caches of other registries.
    pub caches: &'a [Prefix],
}

/// What distribution would find.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HandBack {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What is in the store, and what is wrong with it whoever serves it.
    pub inspection: Inspection,
    /// Registries of ours that seem to serve the store: they have to be stopped first, and nothing was changed.
    pub serving: Vec<String>,
    /// Repositories that distribution would not list, and whose manifests its garbage collection would take: each gets a link.
    pub unlisted: Vec<RepositoryName>,
    /// Manifests that distribution cannot read: its garbage collection ends at the first.
    pub unknown_manifests: Vec<Digest>,
    /// Tags that call their manifest by its SHA-512: distribution serves them, and its garbage collection would take what they point to for untagged. They are
    /// written as distribution writes them.
    pub renamed_tags: u64,
    /// Large objects of a kind whose parts its garbage collection would leave: they are written as distribution writes them.
    pub large_objects: u64,
    /// Such that stay as they are: distribution serves them, and leaves their parts when it removes them.
    pub kept_objects: u64,
    /// Uploads that are under way: they end, and their clients begin again.
    pub uploads: u64,
    /// Blobs in the trash: nobody brings them back any more.
    pub trash: u64,
    /// Blobs in quarantine.
    pub quarantined: u64,
    /// Whether a collection is under way, which ends here: what it has not removed is garbage for distribution's.
    pub collecting: bool,
    /// Objects that only mean something while we serve: they are removed.
    pub notes: u64,
}

impl HandBack {
    /// Whether distribution can go on, and its garbage collection with it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.inspection.is_fine() && self.unknown_manifests.is_empty() && self.serving.is_empty()
    }
}

/// Puts right what can be, or only says what there is.
pub async fn hand_back(blobs: &SharedBlobs, options: HandBackOptions<'_>, now: Timestamp) -> Result<HandBack> {
    let scan = scan(blobs, InspectOptions { caches: options.caches, ..InspectOptions::default() }).await?;
    let mut found =
        HandBack { dry_run: options.dry_run, inspection: scan.inspection(), ..look(blobs, &scan, now).await? };
    if options.all_stopped {
        found.serving.clear();
    }
    // Who serves would go on writing what we are about to remove.
    let changes = !options.dry_run && found.serving.is_empty();
    found.dry_run |= !changes;
    for problem in &scan.problems {
        if let Problem::Unlisted { repository, manifest } = problem {
            found.unlisted.push(repository.clone());
            if changes {
                let path = layout::layer(repository, manifest);
                blobs.put(&path, link::content(manifest).into(), Condition::Always).await?;
            }
        }
    }
    found.renamed_tags = rename_tags(blobs, &scan, changes).await?;
    found.uploads = end_uploads(blobs, changes).await?;
    found.notes = forget_notes(blobs, changes).await?;
    let HandedBack { rewritten, left } = rewrite(blobs, &scan, changes).await?;
    (found.large_objects, found.kept_objects) = (rewritten, left);
    Ok(found)
}

/// What there is to say besides what is wrong with the store.
async fn look(blobs: &SharedBlobs, scan: &Scan, now: Timestamp) -> Result<HandBack> {
    let mut found =
        HandBack { unknown_manifests: scan.unknown_manifests().into_iter().collect(), ..HandBack::default() };
    for entry in all_objects(blobs, &paths::instances()).await? {
        let ReadDocument::Is(Instance { read, times, .. }) = read::<Instance>(blobs, &entry.path).await? else {
            continue;
        };
        // It reads what is announced at least so often.
        if read.saturating_add(times.fence()).unwrap_or(Timestamp::MAX) > now {
            found.serving.push(entry.path.rsplit('/').next().unwrap_or_default().to_owned());
        }
    }
    let count = async |area: Area, ending: &str| -> Result<u64> {
        let all = all_objects(blobs, &layout::area(area)).await?;
        Ok(all.iter().filter(|entry| entry.path.ends_with(ending)).count() as u64)
    };
    found.trash = count(Area::Trash, "/label").await?;
    found.quarantined = count(Area::Quarantine, "").await?;
    let epoch: Option<Epoch> = read(blobs, &paths::epoch()).await?.sound(&paths::epoch())?;
    found.collecting = epoch.is_some_and(|epoch| !matches!(epoch.stage, Stage::Closed { .. }));
    Ok(found)
}

/// Tags point to manifests by the digest that distribution sorts those by. Gives how many did not.
async fn rename_tags(blobs: &SharedBlobs, scan: &Scan, changes: bool) -> Result<u64> {
    let mut count = 0;
    for (repository, held) in &scan.repositories {
        for tag in &held.renaming {
            let Some(target) = held.targets.get(tag) else { continue };
            count += 1;
            if changes {
                let path = layout::tag_current(repository, tag);
                blobs.put(&path, link::content(target).into(), Condition::Always).await?;
            }
        }
    }
    Ok(count)
}

/// Uploads end with their bytes: distribution cannot go on with them, and does not know where those are. Gives how many.
async fn end_uploads(blobs: &SharedBlobs, changes: bool) -> Result<u64> {
    let mut count = 0;
    for entry in all_objects(blobs, &layout::area(Area::Sessions)).await? {
        if !entry.path.ends_with("/state") {
            continue;
        }
        // Of one that cannot be read nobody knows where its bytes are; they stay until `repair`.
        let ReadDocument::Is(record) = read::<SessionRecord>(blobs, &entry.path).await? else { continue };
        count += 1;
        if changes {
            discard(blobs, &record, &entry.path).await?;
        }
    }
    Ok(count)
}

/// What is only good while we serve. Gives how many objects.
async fn forget_notes(blobs: &SharedBlobs, changes: bool) -> Result<u64> {
    let mut count = 0;
    for area in [Area::Gc, Area::Leases, Area::Referrers] {
        let all: Vec<String> =
            all_objects(blobs, &layout::area(area)).await?.into_iter().map(|entry| entry.path).collect();
        count += all.len() as u64;
        if changes {
            // What says that a list is complete goes before the list: a batch is removed in any order, and may fail half way.
            let (marks, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|path| layout::is_referrers_complete(path));
            for batch in marks.chunks(BATCH).chain(rest.chunks(BATCH)) {
                blobs.delete(batch).await?;
            }
        }
    }
    Ok(count)
}

/// Large objects become such as distribution writes.
async fn rewrite(blobs: &SharedBlobs, scan: &Scan, changes: bool) -> Result<HandedBack> {
    let all = stream::iter(scan.blobs.keys().map(layout::blob))
        .map(|path| async move { blobs.hand_back(&path, !changes).await })
        .buffer_unordered(AT_ONCE)
        .try_fold(HandedBack::default(), |all, one| async move { Ok(all + one) })
        .await?;
    if all != HandedBack::default() {
        info!(objects.rewritten = all.rewritten, objects.left = all.left, "large objects were looked at");
    }
    Ok(all)
}

impl fmt::Display for HandBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inspection)?;
        let did = |would: &'static str, did: &'static str| if self.dry_run { would } else { did };
        for repository in &self.unlisted {
            writeln!(f, "{repository} {}, so that distribution lists it", did("would get a link", "got a link"))?;
        }
        for digest in &self.unknown_manifests {
            writeln!(f, "manifest {digest} is none that distribution reads: its garbage collection would end there")?;
        }
        for (count, what) in [
            (
                self.renamed_tags,
                did(
                    "tags that name a SHA-512 would be written as distribution writes them",
                    "tags that named a SHA-512 were written as distribution writes them",
                ),
            ),
            (
                self.large_objects,
                did(
                    "large objects would be written as distribution writes them",
                    "large objects were written as distribution writes them",
                ),
            ),
            (
                self.kept_objects,
                "large objects stay as they are: distribution serves them, and leaves their segments when it removes them",
            ),
            (
                self.uploads,
                did("uploads under way would end, and begin again", "uploads under way were ended, and begin again"),
            ),
            (self.notes, did("notes of ours would be removed", "notes of ours were removed")),
            (self.trash, "blobs are in the trash, and stay there"),
            (self.quarantined, "blobs are in quarantine, and stay there"),
        ] {
            if count > 0 {
                writeln!(f, "{count} {what}")?;
            }
        }
        if self.collecting {
            writeln!(
                f,
                "a collection is under way, and ends with this: what is left of its garbage is distribution's"
            )?;
        }
        for instance in &self.serving {
            writeln!(f, "the registry {instance} serves this store, or did a moment ago: stop it first")?;
        }
        writeln!(f, "{}", if self.is_ready() { "distribution can go on" } else { "distribution cannot go on yet" })
    }
}
