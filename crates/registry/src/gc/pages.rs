//! Listings, page by page.

use jeroboam_blobs::{List, Listed, Result, SharedBlobs};
use jeroboam_model::Timestamp;

/// So many names in a page.
pub(crate) const PAGE: usize = 10_000;

/// An object of a listing.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) modified: Option<Timestamp>,
}

/// Shows all objects below a prefix, in the order of their paths. An error ends it: what was not shown is not known.
pub(crate) async fn each_object(blobs: &SharedBlobs, prefix: &str, mut show: impl FnMut(Entry)) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let list = List { prefix, after: after.as_deref(), folders: false, limit: PAGE };
        let page = blobs.list(list).await?;
        for item in page.items {
            if let Listed::Object { path, size, modified } = item {
                show(Entry { path, size, modified });
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// All objects below a prefix that has few.
pub(crate) async fn all_objects(blobs: &SharedBlobs, prefix: &str) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    each_object(blobs, prefix, |entry| entries.push(entry)).await?;
    Ok(entries)
}
