//! Objects under paths: in a directory, in an S3 bucket, in a Swift container.
//!
//! [`Blobs`] is shaped as object stores are: an object appears whole or not at all, is replaced whole, and is not renamed by
//! those who serve it. Paths come from `jeroboam_oci::layout` and from nowhere else, so that they need no escaping here:
//! they have no leading slash, no empty part, no `.` and no `..`. Nothing here knows what a registry is.

mod directory;
mod error;
#[cfg(any(test, feature = "testing"))]
mod faults;
mod listing;
mod memory;
mod misuse;
mod path;
pub mod s3;
pub mod swift;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jeroboam_model::Timestamp;
use serde::{Deserialize, Serialize};

pub use directory::{Directory, SyncPolicy};
pub use error::{Error, Kind};
#[cfg(any(test, feature = "testing"))]
pub use faults::{Fault, Faults, Operation, Told};
pub use memory::Memory;
pub use swift::{Swift, SwiftConfig};

/// What comes of a call.
pub type Result<T> = std::result::Result<T, Error>;

/// The bytes of an object, in pieces.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// A place of objects, shared by all that use it.
pub type SharedBlobs = Arc<dyn Blobs>;

/// What is known of an object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its length, true also where a listing says otherwise.
    pub size: u64,
    /// When it was last written, by the store's clock.
    pub modified: Option<Timestamp>,
}

/// An object that is being read.
pub struct Object {
    /// What is known of it; `size` is that of the whole object, also where only a range is read.
    pub meta: ObjectMeta,
    /// What was noted at it when it was written, where the place keeps notes.
    pub note: Option<String>,
    /// The bytes that were asked for.
    pub body: ByteStream,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// How new an answer has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// Any replica may answer: for what is never overwritten.
    #[default]
    Any,
    /// Any replica, but nothing that stands before the place and remembers: for whoever decides by the answer whether something has to be written.
    Stored,
    /// The newest of all replicas: for what is overwritten. Swift: `X-Newest`.
    Newest,
}

/// On what condition an object is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// In any case.
    #[default]
    Always,
    /// Only where there is none yet. Binding only where [`Capabilities::create_if_absent`] says so; elsewhere it is checked just before. See also
    /// [`Capabilities::one_is_first`].
    Absent,
}

/// Whether a conditional write took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It did.
    Yes,
    /// The condition did not hold.
    Refused,
}

/// What a place can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// With [`Condition::Absent`] the place itself refuses to write over what is there.
    pub create_if_absent: bool,
    /// Of many who write with [`Condition::Absent`] at the same moment, the place tells one that it was first. Else it may tell several, and keeps what came
    /// last: Swift asks each of its servers whether it has the object before it sends the bytes to any.
    pub one_is_first: bool,
    /// A listing shows what was written before it began.
    pub listing_is_fresh: bool,
    /// [`Blobs::presign`] gives addresses.
    pub presign: bool,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List<'a> {
    /// Only paths that begin with this; empty or ending with a slash.
    pub prefix: &'a str,
    /// Only what has a path after this one, by bytes, folders too; a page's last path, to go on. It need not exist.
    pub after: Option<&'a str>,
    /// Whether what has further slashes behind the prefix is shown as one [`Listed::Folder`].
    pub folders: bool,
    /// At most so many, and at least one; a place may give fewer.
    pub limit: usize,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// An object. `size` may be wrong for large objects in Swift (0 of a dynamic one): [`Blobs::head`] tells.
    Object {
        /// Its path.
        path: String,
        /// Its length as the listing has it.
        size: u64,
        /// When it was written.
        modified: Option<Timestamp>,
    },
    /// A path, ending with a slash, with objects below.
    Folder {
        /// The path.
        path: String,
    },
}

/// A part of a listing, sorted by the bytes of the paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// What is there.
    pub items: Vec<Listed>,
    /// Where the next page begins; `None` at the end. Given as [`List::after`].
    pub next: Option<String>,
}

/// How far an upload came that is not finished, as text that survives a restart and means something to the place alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadState {
    /// So many bytes are safe.
    pub offset: u64,
    /// What the place has to know to go on.
    pub detail: serde_json::Value,
}

/// A place of objects under paths.
///
/// Every call has its own bounded retries and limits of time; an error is the last word. Dropping a future stops the work and leaves at most
/// garbage that [`Blobs::sweep`] finds.
pub trait Blobs: Send + Sync + fmt::Debug {
    /// What this place can do.
    fn capabilities(&self) -> Capabilities;

    /// So many seconds the place's clock is ahead of ours, as far as its answers told; `None` where they do not tell, or none has come yet.
    fn seconds_ahead(&self) -> Option<i64> {
        None
    }

    /// Whether the place answers and lets us in.
    fn probe(&self) -> BoxFuture<'_, Result<()>>;

    /// What is known of an object; `None` where there is none.
    fn head<'a>(&'a self, path: &'a str, freshness: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>>;

    /// Reads an object, or the bytes of `range`, which must lie within it; `None` where there is none.
    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>>;

    /// Writes a small object, durable when this returns.
    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>>;

    /// The same, durable when what is written after it is, and not necessarily before: what takes several writes waits for a disk once. Nobody is to be
    /// promised anything before the last of them, which is a [`Blobs::put`] that was not refused. Most places make no difference.
    fn put_ahead<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        self.put(path, bytes, condition)
    }

    /// The same as [`Blobs::put`] without a condition, with a short note of printable ASCII that [`Blobs::read`] gives back. Places that keep none forget it.
    fn put_noted<'a>(&'a self, path: &'a str, bytes: Bytes, note: &'a str) -> BoxFuture<'a, Result<()>> {
        let _ = note;
        let put = self.put(path, bytes, Condition::Always);
        Box::pin(async move { put.await.map(drop) })
    }

    /// Begins an object whose bytes come one after the other; nobody sees any of it before [`Writer::commit`]. `size` is its length where it is
    /// known, which saves buffers and requests; a writer that got another number of bytes refuses to commit.
    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>>;

    /// Begins an upload, or goes on with it, whose path is known only in the end. `at` is where its data is kept meanwhile, and listings may show
    /// it there. Bytes behind the offset of `state` are forgotten. The last state and the one before it can be gone on from, as whoever keeps
    /// states may die before the last one is kept.
    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>>;

    /// Forgets an upload and all of its bytes. Doing it twice is fine.
    fn discard_upload<'a>(&'a self, at: &'a str, state: &'a UploadState) -> BoxFuture<'a, Result<()>>;

    /// A page of what is there.
    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>>;

    /// Removes objects, also large ones with all their parts; one that is not there is as good as removed.
    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>>;

    /// Gives an object another path, replacing what is there; [`Kind::Misuse`] where there is no object. For the trash and for repairs: those who serve never rename.
    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>>;

    /// An address from which anybody can read the object for so long; `None` where the place gives none.
    fn presign<'a>(&'a self, path: &'a str, lifetime: Duration) -> BoxFuture<'a, Result<Option<String>>>;

    /// Writes an object as distribution would have written it, where its driver would not know how to remove what we wrote. For giving a place back,
    /// and to be repeated where something was left; most places write nothing otherwise.
    fn hand_back<'a>(&'a self, path: &'a str, dry_run: bool) -> BoxFuture<'a, Result<HandedBack>> {
        let _ = (path, dry_run);
        Box::pin(std::future::ready(Ok(HandedBack::default())))
    }

    /// Finds, and unless `dry_run` removes, what no path leads to and what is older than `older_than`: temporary files, segments of no object,
    /// parts of uploads that are none of `live` (paths as given to [`Blobs::upload`]).
    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>>;
}

/// What [`Blobs::hand_back`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HandedBack {
    /// So many objects were written anew, or would be.
    pub rewritten: u64,
    /// So many should be and could not.
    pub left: u64,
}

impl std::ops::Add for HandedBack {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { rewritten: self.rewritten + other.rewritten, left: self.left + other.left }
    }
}

/// What [`Blobs::sweep`] is to find.
#[derive(Clone, Debug)]
pub struct Sweep<'a> {
    /// Only what was last written before this moment.
    pub older_than: Timestamp,
    /// Uploads that go on.
    pub live: &'a [String],
    /// Whether it is only looked for.
    pub dry_run: bool,
}

/// What [`Blobs::sweep`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// So many temporary files, segments or parts.
    pub objects: u64,
    /// With so many bytes.
    pub bytes: u64,
    /// Whether the place hides what belongs to its objects, so that nothing could be told from garbage and nothing was removed: a Ceph gateway does not show the
    /// segments of static large objects.
    pub hidden: bool,
}

/// An object that is being written. Dropping it leaves nothing that anybody sees.
pub trait Writer: Send {
    /// Takes more bytes. Waits while the place is slower than the client.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>>;

    /// Makes the object appear; it is durable when this returns.
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<()>>;

    /// Forgets it. What is at the path stays as it was.
    fn abort(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// An upload that is being written.
pub trait Upload: Send {
    /// Takes more bytes. Waits while the place is slower than the client.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>>;

    /// Makes all bytes so far survive a crash, and tells what it takes to go on.
    fn save(&mut self) -> BoxFuture<'_, Result<UploadState>>;

    /// All bytes so far as the place has them, for who wants to be sure of them before anybody sees them. Nothing is written after it.
    fn stored(&mut self) -> BoxFuture<'_, Result<ByteStream>>;

    /// Makes the bytes appear as the object at `path`; durable when this returns. The upload is gone then.
    fn commit<'a>(self: Box<Self>, path: &'a str) -> BoxFuture<'a, Result<()>>;
}
