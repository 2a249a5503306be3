//! What was taken away, and can be given back for a while.
//!
//! A blob in the trash is the object itself under another path, and beside it what links led to it.

use std::time::Duration;

use jeroboam_blobs::{Condition, Freshness, Result, SharedBlobs};
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, Area, Meaning};
use jeroboam_oci::{Digest, link};
use serde::{Deserialize, Serialize};

use super::documents::{read, write};
use super::pages::{all_objects, each_object};

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// So many bytes.
    pub bytes: u64,
    /// Whether the blob was in its place by then, pushed again.
    pub was_there: bool,
    /// Links that were written again.
    pub links: u64,
}

/// What is kept beside a blob in the trash.
#[derive(Debug, Serialize, Deserialize)]
struct Label {
    removed: Timestamp,
    links: Vec<String>,
}

fn folder(digest: &Digest) -> String {
    format!("{}/", layout::own(Area::Trash, &[digest.algorithm().name(), digest.hex()]))
}

fn place(digest: &Digest, part: &str) -> String {
    layout::own(Area::Trash, &[digest.algorithm().name(), digest.hex(), part])
}

/// Puts a blob into the trash. `false`: it was not there any more.
pub(super) async fn keep(blobs: &SharedBlobs, digest: &Digest, links: &[String], now: Timestamp) -> Result<bool> {
    let path = layout::blob(digest);
    let there = blobs.head(&path, Freshness::Newest).await?.is_some();
    if there {
        write(blobs, &place(digest, "label"), &Label { removed: now, links: links.to_vec() }).await?;
    }
    if !links.is_empty() {
        blobs.delete(links).await?;
    }
    if there {
        blobs.relocate(&path, &place(digest, "data")).await?;
    }
    Ok(there)
}

/// Takes a blob out of the trash; `None` where it is not in there.
pub(super) async fn restore(blobs: &SharedBlobs, digest: &Digest) -> Result<Option<Restored>> {
    let (data, label) = (place(digest, "data"), place(digest, "label"));
    let Some(meta) = blobs.head(&data, Freshness::Newest).await? else { return Ok(None) };
    let path = layout::blob(digest);
    let was_there = blobs.head(&path, Freshness::Newest).await?.is_some_and(|there| there.size == meta.size);
    if !was_there {
        blobs.relocate(&data, &path).await?;
    }
    let label: Option<Label> = read(blobs, &label).await?.sound(&label)?;
    let links = label.map(|label| label.links).unwrap_or_default();
    for path in &links {
        blobs.put(path, link::content(digest).into(), Condition::Always).await?;
    }
    let left: Vec<String> = all_objects(blobs, &folder(digest)).await?.into_iter().map(|entry| entry.path).collect();
    blobs.delete(&left).await?;
    Ok(Some(Restored { bytes: meta.size, was_there, links: links.len() as u64 }))
}

/// Removes what has been in the trash for longer than it is kept. Gives how many blobs.
pub(super) async fn empty(blobs: &SharedBlobs, kept: Duration, now: Timestamp, dry_run: bool) -> Result<u64> {
    let mut labels = Vec::new();
    each_object(blobs, &layout::area(Area::Trash), |entry| {
        if matches!(layout::meaning(&entry.path), Meaning::Own(Area::Trash, rest) if rest.ends_with("/label")) {
            labels.push(entry.path);
        }
    })
    .await?;
    let mut count = 0;
    for path in labels {
        let Some(label) = read::<Label>(blobs, &path).await?.sound(&path)? else { continue };
        let over = label.removed.saturating_add(kept).unwrap_or(Timestamp::MAX);
        if over < now {
            count += 1;
            if !dry_run {
                // The bytes first: without its label, nobody would find them.
                let data = format!("{}data", path.strip_suffix("label").unwrap_or(&path));
                blobs.delete(&[data]).await?;
                blobs.delete(&[path]).await?;
            }
        }
    }
    Ok(count)
}
