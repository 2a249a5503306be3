//! What nobody goes on with: uploads, temporary files, segments, old trash, and what earlier epochs left.

use std::collections::BTreeMap;

use jeroboam_blobs::{Result, SharedBlobs, Sweep};
use jeroboam_model::Timestamp;
use jeroboam_oci::gc::paths;
use jeroboam_oci::layout::{self, Area, InRepository, Meaning};
use jeroboam_oci::{RepositoryName, UploadId};
use tracing::warn;

use super::documents::{ReadDocument, read};
use super::pages::{all_objects, each_object};
use super::{GcConfig, LeftOver, trash};
use crate::store::SessionRecord;

/// Removes in one go.
const BATCH: usize = 1_000;

/// Clears away what nobody goes on with.
pub(super) async fn clear(blobs: &SharedBlobs, config: &GcConfig, now: Timestamp, dry_run: bool) -> Result<LeftOver> {
    let mut left_over = LeftOver::default();
    let live = uploads(blobs, config, now, dry_run, &mut left_over).await?;
    let older_than = now.saturating_sub(config.leftovers).unwrap_or(Timestamp::MIN);
    left_over.add(blobs.sweep(Sweep { older_than, live: &live, dry_run }).await?);
    if let Some(kept) = config.trash {
        left_over.trash = trash::empty(blobs, kept, now, dry_run).await?;
    }
    Ok(left_over)
}

/// Forgets what epochs before this one left. Those of the one that is under way stay, and that of the one before is over for whoever still knows it:
/// this is called when the next one is announced, and everything about the one before is decided.
pub(super) async fn forget_epochs(blobs: &SharedBlobs, current: u64) -> Result<()> {
    for prefix in [paths::epochs(), paths::warrants(), paths::leases()] {
        let mut old = Vec::new();
        each_object(blobs, &prefix, |entry| {
            let number = entry.path.strip_prefix(&prefix).and_then(|rest| rest.split_once('/'));
            if number.and_then(|(number, _)| number.parse::<u64>().ok()).is_some_and(|number| number < current) {
                old.push(entry.path);
            }
        })
        .await?;
        for batch in old.chunks(BATCH) {
            blobs.delete(batch).await?;
        }
    }
    Ok(())
}

/// Removes uploads that are too old, and gives where the bytes of the others are.
async fn uploads(
    blobs: &SharedBlobs,
    config: &GcConfig,
    now: Timestamp,
    dry_run: bool,
    left_over: &mut LeftOver,
) -> Result<Vec<String>> {
    let dry_run = dry_run || config.uploads_dry_run;
    let is_old = |modified: Option<Timestamp>| match (config.uploads, modified) {
        (Some(age), Some(modified)) => modified.saturating_add(age).unwrap_or(Timestamp::MAX) < now,
        _ => false,
    };
    let mut live = Vec::new();
    for entry in all_objects(blobs, &layout::area(Area::Sessions)).await? {
        if !entry.path.ends_with("/state") {
            continue;
        }
        let record = match read::<SessionRecord>(blobs, &entry.path).await? {
            ReadDocument::Is(record) => record,
            ReadDocument::Absent => continue,
            ReadDocument::Broken => {
                warn!(path = %entry.path, "the state of an upload is not as we write it, and it is left alone");
                continue;
            }
        };
        if !is_old(entry.modified) {
            live.push(record.data);
            continue;
        }
        left_over.uploads += 1;
        if !dry_run {
            blobs.discard_upload(&record.data, &record.upload).await?;
            blobs.delete(&[entry.path]).await?;
        }
    }
    foreign_uploads(blobs, &is_old, dry_run, left_over).await?;
    Ok(live)
}

/// Uploads of distribution: `_uploads/<id>/…`, as old as the newest of their files.
async fn foreign_uploads(
    blobs: &SharedBlobs,
    is_old: &impl Fn(Option<Timestamp>) -> bool,
    dry_run: bool,
    left_over: &mut LeftOver,
) -> Result<()> {
    let mut uploads: BTreeMap<(RepositoryName, UploadId), (Option<Timestamp>, Vec<String>)> = BTreeMap::new();
    each_object(blobs, layout::REPOSITORIES, |entry| {
        let Meaning::Repository(name, what) = layout::meaning(&entry.path) else { return };
        let (InRepository::UploadData(id) | InRepository::UploadStarted(id) | InRepository::UploadHashState(id, ..)) =
            what
        else {
            return;
        };
        let upload = uploads.entry((name, id)).or_default();
        upload.0 = upload.0.max(entry.modified);
        upload.1.push(entry.path);
    })
    .await?;
    for (newest, files) in uploads.into_values() {
        if is_old(newest) {
            left_over.uploads += 1;
            if !dry_run {
                blobs.delete(&files).await?;
            }
        }
    }
    Ok(())
}
