//! Whether distribution can go on with a store, and what makes it so.
//!
//! Everything that is pushed here lies where distribution looks for it. What it does not know of is all below `_x`, which it ignores; what of that is lost
//! to its clients is told, and what can be put right is.

use std::fmt;

use jeroboam_blobs::{Condition, Freshness, Result, SharedBlobs};
use jeroboam_oci::gc::{Epoch, Stage, paths};
use jeroboam_oci::layout::{self, Area};
use jeroboam_oci::{Algorithm, Digest, RepositoryName, link};
use serde::Serialize;

use crate::gc::documents::{read, read_bytes};
use crate::gc::pages::all_objects;
use crate::inspect::{InspectOptions, Inspection, Problem, scan};

/// What distribution would find.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HandBack {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What is in the store, and what is wrong with it whoever serves it.
    pub inspection: Inspection,
    /// Repositories that distribution would not list, and whose manifests its garbage collection would take: each gets a link.
    pub unlisted: Vec<RepositoryName>,
    /// Manifests that distribution cannot read: its garbage collection ends at the first.
    pub unknown_manifests: Vec<Digest>,
    /// Uploads that are under way: their clients begin again.
    pub uploads: u64,
    /// Blobs in the trash: nobody brings them back any more.
    pub trash: u64,
    /// Blobs in quarantine.
    pub quarantined: u64,
    /// Whether a sweep is under way: let it come to its end first.
    pub sweeping: bool,
}

impl HandBack {
    /// Whether distribution can go on, and its garbage collection with it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let listed = self.unlisted.is_empty() || !self.dry_run;
        self.inspection.is_fine() && listed && self.unknown_manifests.is_empty() && !self.sweeping
    }
}

/// Puts right what can be, or only says what there is.
pub async fn hand_back(blobs: &SharedBlobs, dry_run: bool) -> Result<HandBack> {
    let scan = scan(blobs, InspectOptions::default()).await?;
    let mut found = HandBack { dry_run, inspection: scan.inspection(), ..HandBack::default() };
    for problem in &scan.problems {
        if let Problem::Unlisted { repository, manifest } = problem {
            found.unlisted.push(repository.clone());
            if !dry_run {
                let path = layout::layer(repository, manifest);
                blobs.put(&path, link::content(manifest).into(), Condition::Always).await?;
            }
        }
    }
    let revisions = scan.repositories.values().flat_map(|held| held.revisions.keys());
    for digest in revisions.filter(|digest| digest.algorithm() == Algorithm::Sha256 && scan.blobs.contains_key(digest))
    {
        let bytes = read_bytes(blobs, &layout::blob(digest), Freshness::Any).await?;
        if bytes.is_some_and(|bytes| jeroboam_oci::manifest::Manifest::stored(&bytes).is_err()) {
            found.unknown_manifests.push(digest.clone());
        }
    }
    found.unknown_manifests.sort();
    found.unknown_manifests.dedup();
    let count = async |area: Area, ending: &str| -> Result<u64> {
        let all = all_objects(blobs, &layout::area(area)).await?;
        Ok(all.iter().filter(|entry| entry.path.ends_with(ending)).count() as u64)
    };
    found.uploads = count(Area::Sessions, "/state").await?;
    found.trash = count(Area::Trash, "/label").await?;
    found.quarantined = count(Area::Quarantine, "").await?;
    let epoch: Option<Epoch> = read(blobs, &paths::epoch()).await?.sound(&paths::epoch())?;
    found.sweeping = epoch.is_some_and(|epoch| matches!(epoch.stage, Stage::Sweeping { .. }));
    Ok(found)
}

impl fmt::Display for HandBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inspection)?;
        let links = if self.dry_run { "would get" } else { "got" };
        for repository in &self.unlisted {
            writeln!(f, "{repository} {links} a link, so that distribution lists it")?;
        }
        for digest in &self.unknown_manifests {
            writeln!(f, "manifest {digest} is none that distribution reads: its garbage collection would end there")?;
        }
        for (count, what) in [
            (self.uploads, "uploads are under way, and begin again"),
            (self.trash, "blobs are in the trash, and stay there"),
            (self.quarantined, "blobs are in quarantine, and stay there"),
        ] {
            if count > 0 {
                writeln!(f, "{count} {what}")?;
            }
        }
        if self.sweeping {
            writeln!(f, "a sweep is under way: let it come to its end first")?;
        }
        writeln!(f, "{}", if self.is_ready() { "distribution can go on" } else { "distribution cannot go on yet" })
    }
}
