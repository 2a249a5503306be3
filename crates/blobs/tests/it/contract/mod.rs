//! What every place of objects keeps to, whatever it is made of: `contract::run` is one test of all of it.
//!
//! Each case writes below a prefix of its own, so a place may be used again and by others.

mod listings;
mod objects;
mod uploads;

use std::ops::Range;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::BoxFuture;
use jeroboam_blobs::{Condition, Freshness, Kind, List, ListPage, Listed, Result, SharedBlobs, Written};

const MIB: u64 = 1024 * 1024;

/// A place under test.
pub(crate) struct Bed<'a> {
    /// Opens it anew, as a process does that has just begun and remembers nothing.
    pub(crate) open: &'a (dyn Fn() -> BoxFuture<'a, SharedBlobs> + Sync),
    /// What a large object is: so large that it takes all paths of the code.
    pub(crate) large: u64,
    /// Whether it gives back what was noted at an object.
    pub(crate) notes: bool,
    /// Unique among all runs on the same place.
    pub(crate) run: String,
}

/// Holds a place to all that is promised.
pub(crate) async fn run(bed: &Bed<'_>) {
    let place = (bed.open)().await;
    place.probe().await.expect("the place answers");
    objects::all(&place, bed).await;
    uploads::all(&place, bed).await;
    listings::all(&place, bed).await;
}

impl Bed<'_> {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.run)
    }
}

/// Bytes that differ from place to place and from seed to seed, so that a swapped or missing part shows. Their period fits no part.
fn bytes(seed: u64, range: Range<u64>) -> Bytes {
    static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();
    const PERIOD: u64 = 1_000_003;
    let block = BLOCK.get_or_init(|| (0..PERIOD).map(|at| ((at * 2_654_435_761) >> 13) as u8).collect());
    let mut made = BytesMut::with_capacity((range.end - range.start) as usize);
    let mut at = range.start;
    while at < range.end {
        let from = (at + seed * 7919) % PERIOD;
        let length = (range.end - at).min(PERIOD - from);
        made.extend_from_slice(&block[from as usize..(from + length) as usize]);
        at += length;
    }
    made.freeze()
}

/// What is at a path, or the bytes of a range of it.
async fn read(place: &SharedBlobs, path: &str, range: Option<Range<u64>>) -> Option<Bytes> {
    let object = place.read(path, range, Freshness::Newest).await.expect("an answer")?;
    Some(collect(object.body).await.expect("a body"))
}

async fn collect(mut body: jeroboam_blobs::ByteStream) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole.freeze())
}

/// Compares without printing megabytes.
fn same(label: &str, is: Option<&Bytes>, should: &Bytes) {
    let is = is.unwrap_or_else(|| panic!("{label}: nothing is there"));
    assert_eq!(is.len(), should.len(), "{label}: length");
    if is != should {
        let differs = is.iter().zip(should).position(|(is, should)| is != should);
        panic!("{label}: byte {differs:?} is the first that differs");
    }
}

async fn holds(place: &SharedBlobs, label: &str, path: &str, should: &Bytes) {
    let meta = place.head(path, Freshness::Newest).await.expect("an answer");
    assert_eq!(meta.map(|meta| meta.size), Some(should.len() as u64), "{label}: size");
    same(label, read(place, path, None).await.as_ref(), should);
}

async fn is_absent(place: &SharedBlobs, label: &str, path: &str) {
    assert_eq!(place.head(path, Freshness::Newest).await.expect("an answer"), None, "{label}: head");
    assert!(place.read(path, None, Freshness::Newest).await.expect("an answer").is_none(), "{label}: read");
}

async fn put(place: &SharedBlobs, path: &str, content: &Bytes) {
    let written = place.put(path, content.clone(), Condition::Always).await.expect("written");
    assert_eq!(written, Written::Yes, "{path}");
}

/// Writes an object in pieces that fit nothing.
async fn create(place: &SharedBlobs, path: &str, content: &Bytes, size: Option<u64>) -> Result<()> {
    let mut writer = place.create(path, size).await?;
    for piece in pieces(content) {
        writer.write(piece).await?;
    }
    writer.commit().await
}

fn pieces(content: &Bytes) -> impl Iterator<Item = Bytes> {
    const PIECE: usize = 300_007;
    (0..content.len()).step_by(PIECE).map(|at| content.slice(at..content.len().min(at + PIECE)))
}

/// All of a listing in pages of `limit`, and every page's order.
async fn all_pages(place: &SharedBlobs, prefix: &str, folders: bool, limit: usize) -> Vec<Listed> {
    all_pages_after(place, prefix, None, folders, limit).await
}

/// The same behind a mark.
async fn all_pages_after(
    place: &SharedBlobs,
    prefix: &str,
    mark: Option<&str>,
    folders: bool,
    limit: usize,
) -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::new();
    let mut after = mark.map(str::to_owned);
    for _ in 0..1000 {
        let ListPage { items, next } =
            place.list(List { prefix, after: after.as_deref(), folders, limit }).await.expect("a page");
        assert!(items.len() <= limit, "{} lines in a page of {limit}", items.len());
        all.extend(items);
        let Some(next) = next else {
            assert!(all.is_sorted_by(|a, b| path_of(a) < path_of(b)), "out of order: {:?}", paths(&all));
            return all;
        };
        assert!(after.as_ref().is_none_or(|after| *after < next), "a listing goes forward");
        after = Some(next);
    }
    panic!("the listing of {prefix} does not end");
}

fn path_of(listed: &Listed) -> &str {
    match listed {
        Listed::Object { path, .. } | Listed::Folder { path } => path,
    }
}

fn paths(listed: &[Listed]) -> Vec<&str> {
    listed.iter().map(path_of).collect()
}

fn kind<T>(outcome: Result<T>, label: &str) -> Kind {
    match outcome {
        Ok(_) => panic!("{label}: it should have failed"),
        Err(error) => error.kind(),
    }
}
