//! What was taken away, and can be given back for a while.
//!
//! A blob in the trash is the object itself under another path, and beside it what links led to it.

use std::collections::BTreeSet;
use std::time::Duration;

use jeroboam_blobs::{Condition, Freshness, Result, SharedBlobs};
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, Area, Meaning};
use jeroboam_oci::manifest::Manifest;
use jeroboam_oci::{Digest, RepositoryName, link};
use serde::{Deserialize, Serialize};

use super::documents::{ReadDocument, read, read_bytes, write};
use super::pages::{all_objects, each_object};

/// How long something stays where neither the configuration says it nor what is written beside it.
const USUAL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is longer is no manifest that anybody took.
const LARGEST_MANIFEST: u64 = 16 << 20;

/// Something in the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InTrash {
    /// Which.
    pub digest: Digest,
    /// So many bytes.
    pub bytes: u64,
    /// Since when.
    pub removed: Timestamp,
    /// Repositories that linked it.
    pub repositories: Vec<RepositoryName>,
    /// Whether it is a manifest: with it comes back all that it names.
    pub is_manifest: bool,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Which.
    pub digest: Digest,
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
    /// How long it was to stay when it was put there.
    #[serde(default)]
    kept_seconds: Option<u64>,
}

fn folder(digest: &Digest) -> String {
    format!("{}/", layout::own(Area::Trash, &[digest.algorithm().name(), digest.hex()]))
}

fn place(digest: &Digest, part: &str) -> String {
    layout::own(Area::Trash, &[digest.algorithm().name(), digest.hex(), part])
}

/// Writes down what is about to be in the trash, with the links that led to it: also those that an attempt wrote down that did not come to its end, and
/// that are no more.
pub(super) async fn label(
    blobs: &SharedBlobs,
    digest: &Digest,
    links: &[String],
    kept: Duration,
    now: Timestamp,
) -> Result<()> {
    let path = place(digest, "label");
    let before: Option<Label> = match read(blobs, &path).await? {
        ReadDocument::Is(label) => Some(label),
        ReadDocument::Absent | ReadDocument::Broken => None,
    };
    let all: BTreeSet<String> =
        before.into_iter().flat_map(|before| before.links).chain(links.iter().cloned()).collect();
    let label = Label { removed: now, links: all.into_iter().collect(), kept_seconds: Some(kept.as_secs()) };
    write(blobs, &path, &label).await
}

/// Puts a blob into the trash that has its label there. `false`: it was not there any more.
pub(super) async fn keep(blobs: &SharedBlobs, digest: &Digest) -> Result<bool> {
    let path = layout::blob(digest);
    if blobs.head(&path, Freshness::Newest).await?.is_some() {
        blobs.relocate(&path, &place(digest, "data")).await?;
        return Ok(true);
    }
    // Moved there by somebody who did not come to the end, it is in the trash; else there is nothing that the label could be of.
    if blobs.head(&place(digest, "data"), Freshness::Newest).await?.is_none() {
        blobs.delete(&[place(digest, "label")]).await?;
    }
    Ok(false)
}

/// Takes a blob out of the trash, and with a manifest all that it names. Nothing, where nothing of it is in there.
pub(super) async fn restore(blobs: &SharedBlobs, digest: &Digest) -> Result<Vec<Restored>> {
    let (mut restored, mut pending, mut seen) = (Vec::new(), vec![digest.clone()], BTreeSet::new());
    while let Some(digest) = pending.pop() {
        if !seen.insert(digest.clone()) {
            continue;
        }
        restored.extend(restore_one(blobs, &digest).await?);
        // Also where the manifest itself had come back before: somebody may have been interrupted.
        if let Some(manifest) = manifest(blobs, &layout::blob(&digest)).await? {
            pending.extend(manifest.keeps().into_iter().cloned());
        }
    }
    Ok(restored)
}

async fn restore_one(blobs: &SharedBlobs, digest: &Digest) -> Result<Option<Restored>> {
    let (data, label) = (place(digest, "data"), place(digest, "label"));
    let Some(meta) = blobs.head(&data, Freshness::Newest).await? else { return Ok(None) };
    let path = layout::blob(digest);
    let was_there = blobs.head(&path, Freshness::Newest).await?.is_some_and(|there| there.size == meta.size);
    if !was_there {
        blobs.relocate(&data, &path).await?;
    }
    // Without a label that can be read the bytes come back alone.
    let links = match read::<Label>(blobs, &label).await? {
        ReadDocument::Is(label) => label.links,
        ReadDocument::Absent | ReadDocument::Broken => Vec::new(),
    };
    for path in &links {
        blobs.put(path, link::content(digest).into(), Condition::Always).await?;
    }
    let left: Vec<String> = all_objects(blobs, &folder(digest)).await?.into_iter().map(|entry| entry.path).collect();
    blobs.delete(&left).await?;
    Ok(Some(Restored { digest: digest.clone(), bytes: meta.size, was_there, links: links.len() as u64 }))
}

/// The manifest at a path, if there is one.
async fn manifest(blobs: &SharedBlobs, path: &str) -> Result<Option<Manifest>> {
    let Some(meta) = blobs.head(path, Freshness::Newest).await? else { return Ok(None) };
    if meta.size > LARGEST_MANIFEST {
        return Ok(None);
    }
    let bytes = read_bytes(blobs, path, Freshness::Any).await?;
    Ok(bytes.and_then(|bytes| Manifest::stored(&bytes).ok()))
}

/// All that is in the trash, by digest.
pub(super) async fn list(blobs: &SharedBlobs) -> Result<Vec<InTrash>> {
    let mut found = Vec::new();
    for entry in all_objects(blobs, &layout::area(Area::Trash)).await? {
        let Meaning::Own(Area::Trash, rest) = layout::meaning(&entry.path) else { continue };
        let parts: Vec<&str> = rest.split('/').collect();
        let [algorithm, hex, "label"] = parts.as_slice() else { continue };
        let digest = algorithm.parse().ok().and_then(|algorithm| Digest::from_parts(algorithm, hex).ok());
        let Some(digest) = digest else { continue };
        let ReadDocument::Is(label) = read::<Label>(blobs, &entry.path).await? else { continue };
        let data = place(&digest, "data");
        let Some(meta) = blobs.head(&data, Freshness::Newest).await? else { continue };
        let names = label.links.iter().filter_map(|path| match layout::meaning(path) {
            Meaning::Repository(name, _) => Some(name),
            _ => None,
        });
        let repositories: BTreeSet<RepositoryName> = names.collect();
        found.push(InTrash {
            bytes: meta.size,
            removed: label.removed,
            repositories: repositories.into_iter().collect(),
            is_manifest: manifest(blobs, &data).await?.is_some(),
            digest,
        });
    }
    Ok(found)
}

/// Removes what has been in the trash for longer than `kept`, or without that for longer than was promised when it was put there. Gives how many blobs.
pub(super) async fn empty(blobs: &SharedBlobs, kept: Option<Duration>, now: Timestamp, dry_run: bool) -> Result<u64> {
    let mut labels = Vec::new();
    each_object(blobs, &layout::area(Area::Trash), |entry| {
        if matches!(layout::meaning(&entry.path), Meaning::Own(Area::Trash, rest) if rest.ends_with("/label")) {
            labels.push(entry.path);
        }
    })
    .await?;
    let mut count = 0;
    for path in labels {
        // Of what has no label that can be read nobody knows when it came: it stays, and the log has said so.
        let ReadDocument::Is(label) = read::<Label>(blobs, &path).await? else { continue };
        let kept = kept.or(label.kept_seconds.map(Duration::from_secs)).unwrap_or(USUAL);
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
