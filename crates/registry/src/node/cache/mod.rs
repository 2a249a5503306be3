//! A disk before a place of objects: what was read once is read from here, also while the place is away.
//!
//! Blobs never change, so their bytes come from here: they are checked against their digest before they are kept, and once more when they are first read after a restart.
//! Whether the place still has a blob or a link is asked when the last answer is old, and where a tag points each time, so that what others push or remove is seen; while
//! the place does not answer, what is here is given instead. Whoever asks on behalf of a push is answered by the place alone: what is only here would be lost. What
//! is written goes to the place, and is here afterwards. The least used goes first when the disk is full.

mod disk;
mod keeping;
mod links;
mod reach;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use jeroboam_blobs::{
    Blobs, Capabilities, Condition, Error, Freshness, HandedBack, Kind, List, ListPage, Object, ObjectMeta, Result,
    SharedBlobs, Sweep, Swept, Upload, UploadState, Writer, Written,
};
use jeroboam_oci::Digest;
use jeroboam_oci::layout::{self, InRepository, Meaning};
use tokio::time::Instant;

use crate::hits::Hits;
use disk::{Disk, read_file};
use keeping::{Keeping, keep};
use links::{Link, Links};
use reach::{Reach, is_outage};

/// Links that are remembered.
const LINKS: u64 = 100_000;

/// Largest object beside blobs that is kept.
const LARGEST_LINK: u64 = 4096;

/// Where the disk is, and how much of it may be taken.
#[derive(Clone, Debug)]
pub struct NodeCacheSettings {
    /// The folder.
    pub folder: PathBuf,
    /// Most bytes in it.
    pub size: u64,
    /// How long a link is believed without a question.
    pub believed: Duration,
}

/// A disk before a place of objects.
pub struct NodeCache {
    place: SharedBlobs,
    disk: Arc<Disk>,
    believed: Duration,
    /// Links in memory, and those on the disk.
    known: moka::future::Cache<String, Link>,
    links: Links,
    reach: Reach,
    hits: Arc<Hits>,
}

impl fmt::Debug for NodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeCache")
            .field("place", &self.place)
            .field("folder", &self.disk.folder)
            .finish_non_exhaustive()
    }
}

/// What an object is to this cache.
enum Sort {
    /// Bytes that are what their name says.
    Blob(Digest),
    /// A small object that never says anything else, as long as it is there.
    Fixed,
    /// A small object that may say something else tomorrow.
    Moving,
    /// Anything else.
    Other,
}

fn sort(path: &str) -> Sort {
    match layout::meaning(path) {
        Meaning::Blob(digest) => Sort::Blob(digest),
        Meaning::Repository(_, InRepository::Layer(_) | InRepository::Revision(_) | InRepository::TagOnce(..)) => {
            Sort::Fixed
        }
        Meaning::Repository(_, InRepository::TagCurrent(_)) => Sort::Moving,
        _ => Sort::Other,
    }
}

impl NodeCache {
    /// A disk before a place. Finds what is on the disk already.
    pub async fn new(place: SharedBlobs, settings: NodeCacheSettings) -> std::io::Result<Self> {
        let NodeCacheSettings { folder, size, believed } = settings;
        let opened = tokio::task::spawn_blocking(move || {
            let disk = Arc::new(Disk::open(folder, size)?);
            Links::open(disk.clone()).map(|links| (disk, links))
        });
        let (disk, links) = opened.await.expect("reading does not panic")?;
        let known = moka::future::Cache::builder().max_capacity(LINKS).build();
        Ok(Self { place, disk, believed, known, links, reach: Reach::default(), hits: Arc::default() })
    }

    /// How often a blob that was to be read was on the disk.
    #[must_use]
    pub fn hits(&self) -> Arc<Hits> {
        self.hits.clone()
    }

    /// Bytes on the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.disk.bytes()
    }

    /// What the place says.
    async fn asked<T>(&self, question: impl Future<Output = Result<T>>) -> Result<T> {
        self.reach.noted(question.await)
    }

    /// A small object that may be remembered for so long; `None` where there is none. While the place is away what is here is given, however old it is.
    async fn link(&self, path: &str, believed: Duration, freshness: Freshness) -> Result<Option<Link>> {
        let known = match self.known.get(path).await {
            Some(link) => Some(link),
            None => self.links.read(path).await,
        };
        let Some(known) = known else { return self.asked(self.link_there(path, None, freshness)).await };
        if known.asked.elapsed() < believed {
            return Ok(Some(known));
        }
        let outcome = self.reach.ask_beside(self.link_there(path, Some(&known), freshness)).await;
        outcome.unwrap_or(Ok(Some(known)))
    }

    /// A small object as the place has it now. `known` is what was here of it.
    async fn link_there(&self, path: &str, known: Option<&Link>, freshness: Freshness) -> Result<Option<Link>> {
        let found = self.ask(path, freshness).await?;
        match &found {
            Some(link) => {
                self.known.insert(path.to_owned(), link.clone()).await;
                if known.is_none_or(|known| known.bytes != link.bytes) {
                    self.links.write(path, link.bytes.clone()).await;
                }
            }
            None => self.forget(path).await,
        }
        Ok(found)
    }

    async fn ask(&self, path: &str, freshness: Freshness) -> Result<Option<Link>> {
        let Some(object) = self.place.read(path, None, freshness).await? else { return Ok(None) };
        let (meta, mut body, mut bytes) = (object.meta, object.body, Vec::new());
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() as u64 > LARGEST_LINK {
                return Err(Error::new(Kind::Broken, format!("read {path}: it is longer than links are")));
            }
        }
        Ok(Some(Link { bytes: bytes.into(), meta, asked: Instant::now() }))
    }

    async fn forget(&self, path: &str) {
        self.known.invalidate(path).await;
        self.links.remove(path).await;
    }

    /// A small object, as new as whoever asks needs it.
    async fn small(&self, path: &str, sort: &Sort, freshness: Freshness) -> Result<Option<Link>> {
        match (sort, freshness) {
            (Sort::Moving, _) => self.link(path, Duration::ZERO, freshness).await,
            (_, Freshness::Any) => self.link(path, self.believed, freshness).await,
            // Something is decided by it, so that an old answer is none.
            _ => self.asked(self.link_there(path, None, freshness)).await,
        }
    }

    /// The size of a blob that is here and may be given from here: the place has it as well, or does not answer.
    async fn size_here(&self, path: &str, digest: &Digest) -> Option<u64> {
        let (size, is_confirmed) = self.disk.size_of(digest, self.believed)?;
        if is_confirmed {
            return Some(size);
        }
        match self.reach.ask_beside(self.place.head(path, Freshness::Any)).await {
            Some(Ok(Some(meta))) if meta.size == size => self.disk.confirm(digest),
            Some(Ok(_)) => {
                self.disk.drop_blob(digest);
                return None;
            }
            // The bytes that are here are right, whatever is wrong there.
            Some(Err(_)) | None => {}
        }
        Some(size)
    }

    async fn read_blob(
        &self,
        path: &str,
        digest: &Digest,
        range: Option<Range<u64>>,
        freshness: Freshness,
    ) -> Result<Option<Object>> {
        if freshness != Freshness::Any {
            return self.asked(self.place.read(path, range, freshness)).await;
        }
        if self.size_here(path, digest).await.is_some()
            && let Some((file, size)) = self.disk.open_blob(digest).await
        {
            self.hits.note(true);
            let range = range.unwrap_or(0..size);
            let meta = ObjectMeta { size, modified: None };
            return Ok(Some(Object { meta, note: None, body: read_file(Arc::new(file), range) }));
        }
        let Some(object) = self.asked(self.place.read(path, range.clone(), freshness)).await? else { return Ok(None) };
        self.hits.note(false);
        if range.is_some_and(|range| range != (0..object.meta.size)) {
            return Ok(Some(object));
        }
        let keeping = Keeping::begin(&self.disk, digest, object.meta.size).await;
        let Some(keeping) = keeping else { return Ok(Some(object)) };
        Ok(Some(Object { meta: object.meta, note: object.note, body: keep(keeping, object.body) }))
    }
}

impl Blobs for NodeCache {
    fn capabilities(&self) -> Capabilities {
        // Whoever is sent to the store for the bytes would not leave them here.
        Capabilities { presign: false, ..self.place.capabilities() }
    }

    fn seconds_ahead(&self) -> Option<i64> {
        self.place.seconds_ahead()
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            match self.asked(self.place.probe()).await {
                // It serves what it has.
                Err(error) if is_outage(&error) => Ok(()),
                other => other,
            }
        })
    }

    fn head<'a>(&'a self, path: &'a str, freshness: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        Box::pin(async move {
            match sort(path) {
                Sort::Blob(digest) if freshness == Freshness::Any => match self.size_here(path, &digest).await {
                    Some(size) => Ok(Some(ObjectMeta { size, modified: None })),
                    None => self.asked(self.place.head(path, freshness)).await,
                },
                Sort::Blob(_) | Sort::Other => self.asked(self.place.head(path, freshness)).await,
                sort => Ok(self.small(path, &sort, freshness).await?.map(|link| link.meta)),
            }
        })
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        Box::pin(async move {
            let sort = match sort(path) {
                Sort::Blob(digest) => return self.read_blob(path, &digest, range, freshness).await,
                Sort::Other => return self.asked(self.place.read(path, range, freshness)).await,
                sort => sort,
            };
            let Some(Link { bytes, meta, .. }) = self.small(path, &sort, freshness).await? else { return Ok(None) };
            let bytes = match range {
                None => bytes,
                Some(range) if range.start <= range.end && range.end <= bytes.len() as u64 => {
                    bytes.slice(range.start as usize..range.end as usize)
                }
                Some(range) => {
                    return Err(Error::new(
                        Kind::Misuse,
                        format!("read bytes {range:?} of {path}, which has {}", bytes.len()),
                    ));
                }
            };
            Ok(Some(Object { meta, note: None, body: futures::stream::iter([Ok(bytes)]).boxed() }))
        })
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        Box::pin(async move {
            let written = self.asked(self.place.put(path, bytes, condition)).await;
            // Asked for anew when somebody wants it.
            self.forget(path).await;
            written
        })
    }

    fn put_noted<'a>(&'a self, path: &'a str, bytes: Bytes, note: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let written = self.asked(self.place.put_noted(path, bytes, note)).await;
            self.forget(path).await;
            written
        })
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        Box::pin(async move { self.asked(self.place.create(path, size)).await })
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        Box::pin(async move { self.asked(self.place.upload(at, state)).await })
    }

    fn discard_upload<'a>(&'a self, at: &'a str, state: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        self.place.discard_upload(at, state)
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move { self.asked(self.place.list(what)).await })
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let deleted = self.asked(self.place.delete(paths)).await;
            for path in paths {
                match sort(path) {
                    Sort::Blob(digest) => self.disk.drop_blob(&digest),
                    Sort::Fixed | Sort::Moving => self.forget(path).await,
                    Sort::Other => {}
                }
            }
            deleted
        })
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        self.place.relocate(from, to)
    }

    fn presign<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async { Ok(None) })
    }

    fn hand_back<'a>(&'a self, path: &'a str, dry_run: bool) -> BoxFuture<'a, Result<HandedBack>> {
        self.place.hand_back(path, dry_run)
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        self.place.sweep(sweep)
    }
}
