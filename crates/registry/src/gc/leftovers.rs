//! What nobody goes on with: uploads, temporary files, segments, old trash, and what earlier epochs left.

use std::collections::{BTreeMap, HashSet};

use jeroboam_blobs::{Result, SharedBlobs, Sweep, Swept};
use jeroboam_model::Timestamp;
use jeroboam_oci::gc::paths;
use jeroboam_oci::layout::{self, Area, InRepository, Meaning};
use jeroboam_oci::{RepositoryName, UploadId};
use tracing::{info, warn};

use super::documents::{ReadDocument, read};
use super::pages::{all_objects, each_object};
use super::{GcConfig, LeftOver, trash};
use crate::store::SessionRecord;

/// Removes in one go.
const BATCH: usize = 1_000;

/// Clears away what nobody goes on with.
pub(super) async fn clear(blobs: &SharedBlobs, config: &GcConfig, now: Timestamp, dry_run: bool) -> Result<LeftOver> {
    let purged = uploads(blobs, config.uploads, now, dry_run || config.uploads_dry_run).await?;
    let older_than = now.saturating_sub(config.leftovers).unwrap_or(Timestamp::MIN);
    let mut left_over = clear_parts(blobs, &purged, older_than, dry_run).await?;
    if !dry_run {
        forget_instances(blobs, older_than).await?;
    }
    // Also where nothing is put there any more.
    left_over.trash = trash::empty(blobs, config.trash, now, dry_run).await?;
    Ok(left_over)
}

/// Clears away what uploads left that were purged or ended without a word, and what writers left who never came to an end: temporary files, segments, parts.
/// It asks nothing of who refers to blobs, so that it may be done where distribution writes, too.
pub async fn clear_parts(
    blobs: &SharedBlobs,
    purged: &Purged,
    older_than: Timestamp,
    dry_run: bool,
) -> Result<LeftOver> {
    let mut left_over = LeftOver { uploads: purged.uploads, ..LeftOver::default() };
    if purged.is_doubtful {
        warn!("the state of an upload is not as we write it: nobody knows which parts are its, and all are left alone");
        return Ok(left_over);
    }
    let live = &purged.live;
    left_over.add(strays(blobs, live, older_than, dry_run).await?);
    left_over.add(blobs.sweep(Sweep { older_than, live, dry_run }).await?);
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

/// What came of looking for old uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// So many were removed, or would be.
    pub uploads: u64,
    /// Where the bytes of the others are.
    pub(super) live: Vec<String>,
    /// Whether one is not as we write it, so that nobody knows where its bytes are.
    pub(super) is_doubtful: bool,
}

/// What processes said of themselves that did not say that they end.
pub(crate) async fn forget_instances(blobs: &SharedBlobs, older_than: Timestamp) -> Result<()> {
    let all = all_objects(blobs, &paths::instances()).await?;
    let old = all.into_iter().filter(|entry| entry.modified.is_some_and(|modified| modified < older_than));
    let old: Vec<String> = old.map(|entry| entry.path).collect();
    for batch in old.chunks(BATCH) {
        blobs.delete(batch).await?;
    }
    Ok(())
}

/// Removes uploads that nobody has gone on with for `age`, ours and distribution's, as distribution does it.
pub async fn purge_uploads(
    blobs: &SharedBlobs,
    age: std::time::Duration,
    now: Timestamp,
    dry_run: bool,
) -> Result<Purged> {
    uploads(blobs, Some(age), now, dry_run).await
}

/// Removes uploads that are too old, and finds where the bytes of the others are.
async fn uploads(
    blobs: &SharedBlobs,
    age: Option<std::time::Duration>,
    now: Timestamp,
    dry_run: bool,
) -> Result<Purged> {
    let is_old = |modified: Option<Timestamp>| match (age, modified) {
        (Some(age), Some(modified)) => modified.saturating_add(age).unwrap_or(Timestamp::MAX) < now,
        _ => false,
    };
    let mut purged = Purged::default();
    for entry in all_objects(blobs, &layout::area(Area::Sessions)).await? {
        if !entry.path.ends_with("/state") {
            continue;
        }
        let record = match read::<SessionRecord>(blobs, &entry.path).await? {
            ReadDocument::Is(record) => record,
            ReadDocument::Absent => continue,
            ReadDocument::Broken => {
                warn!(path = %entry.path, "the state of an upload is not as we write it, and it is left alone");
                purged.is_doubtful = true;
                continue;
            }
        };
        if !is_old(entry.modified) {
            purged.live.push(record.data);
            continue;
        }
        purged.uploads += 1;
        info!(repository = %record.repository, path = %entry.path, dry_run, "an upload that nobody went on with goes");
        if dry_run {
            // What stays has to keep its bytes, too.
            purged.live.push(record.data);
        } else {
            discard(blobs, &record, &entry.path).await?;
        }
    }
    purged.uploads += foreign_uploads(blobs, &is_old, dry_run).await?;
    Ok(purged)
}

/// Forgets an upload of ours: its bytes, then what is written down of it.
pub(crate) async fn discard(blobs: &SharedBlobs, record: &SessionRecord, state: &str) -> Result<()> {
    blobs.discard_upload(&record.data, &record.upload).await?;
    blobs.delete(&[state.to_owned()]).await
}

/// Bytes of uploads that no record names: their process ended, or gave them up, before anything was written down of them.
async fn strays(blobs: &SharedBlobs, live: &[String], older_than: Timestamp, dry_run: bool) -> Result<Swept> {
    let named: HashSet<&str> = live.iter().map(String::as_str).collect();
    let mut swept = Swept::default();
    for entry in all_objects(blobs, &layout::area(Area::Sessions)).await? {
        // Who is at one writes into it, so that it is young.
        let is_stray = is_data(&entry.path) && !named.contains(entry.path.as_str());
        if is_stray && entry.modified.is_some_and(|modified| modified < older_than) {
            swept.objects += 1;
            swept.bytes += entry.size;
            if !dry_run {
                blobs.delete(&[entry.path]).await?;
            }
        }
    }
    Ok(swept)
}

/// Whether the bytes of an upload are at this path below the sessions.
pub(crate) fn is_data(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with("data"))
}

/// Uploads of distribution: `_uploads/<id>/…`, as old as the newest of their files.
async fn foreign_uploads(
    blobs: &SharedBlobs,
    is_old: &impl Fn(Option<Timestamp>) -> bool,
    dry_run: bool,
) -> Result<u64> {
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
    let mut count = 0;
    for ((repository, upload), (newest, files)) in uploads {
        if is_old(newest) {
            count += 1;
            info!(%repository, %upload, dry_run, "an upload that nobody went on with goes");
            if !dry_run {
                blobs.delete(&files).await?;
            }
        }
    }
    Ok(count)
}
