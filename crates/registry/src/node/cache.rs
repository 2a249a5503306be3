//! A disk before a place of objects: what was read once is read from here, also while the place is away.
//!
//! Objects that never change are given without a question: the bytes of blobs, which are checked against their digest before they are kept, and once more when they
//! are first read after a restart. Links are asked for when the last answer is old, and tags each time, so that what others push is seen; while the place does not answer, what is
//! here is given instead. What is written goes to the place, and is here afterwards. The least used goes first when the disk is full.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use jeroboam_blobs::{
    Blobs, ByteStream, Capabilities, Condition, Error, Freshness, Kind, List, ListPage, Object, ObjectMeta, Result,
    SharedBlobs, Sweep, Swept, Upload, UploadState, Writer, Written,
};
use jeroboam_oci::layout::{self, InRepository, Meaning};
use jeroboam_oci::{Digest, Hasher};
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

/// Bytes that are read from the disk at once.
const PIECE: usize = 256 << 10;

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
    /// Whether anything is written to the place.
    pub push: bool,
    /// How long a link is believed without a question.
    pub believed: Duration,
}

/// A disk before a place of objects.
pub struct NodeCache {
    place: SharedBlobs,
    disk: Arc<Disk>,
    push: bool,
    believed: Duration,
    links: moka::future::Cache<String, Link>,
    /// Whether the last question was not answered.
    is_away: AtomicBool,
}

/// What is known of a small object.
#[derive(Clone)]
struct Link {
    bytes: Bytes,
    meta: ObjectMeta,
    asked: Instant,
}

/// The blobs on the disk.
struct Disk {
    folder: PathBuf,
    size: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    files: HashMap<Digest, Entry>,
    bytes: u64,
    tick: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    size: u64,
    used: u64,
    /// Whether this process has seen that the bytes are those of the digest.
    checked: bool,
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

/// Whether somebody else could not help either: then what is here is given.
fn is_outage(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::Refused)
}

impl NodeCache {
    /// A disk before a place. Finds what is on the disk already.
    pub async fn new(place: SharedBlobs, settings: NodeCacheSettings) -> std::io::Result<Self> {
        let NodeCacheSettings { folder, size, push, believed } = settings;
        let disk =
            tokio::task::spawn_blocking(move || Disk::open(folder, size)).await.expect("reading does not panic")?;
        let links = moka::future::Cache::builder().max_capacity(LINKS).build();
        Ok(Self { place, disk: Arc::new(disk), push, believed, links, is_away: AtomicBool::new(false) })
    }

    /// Bytes on the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.disk.kept().bytes
    }

    fn answered<T>(&self, outcome: Result<T>) -> Result<T> {
        let away = outcome.as_ref().is_err_and(is_outage);
        if self.is_away.swap(away, Ordering::Relaxed) != away {
            if away {
                warn!("the store is away: what is on this node is served");
            } else {
                info!("the store answers again");
            }
        }
        outcome
    }

    /// A small object, from the place or from what is remembered; `None` where there is none.
    async fn link(&self, path: &str, always: bool, freshness: Freshness) -> Result<Option<Link>> {
        let known = match self.links.get(path).await {
            Some(link) => Some(link),
            None => self.disk.read_link(path).await,
        };
        let is_fresh = |link: &Link| !always && link.asked.elapsed() < self.believed;
        if let Some(link) = known.clone().filter(is_fresh) {
            return Ok(Some(link));
        }
        match self.answered(self.ask(path, freshness).await) {
            Ok(Some(link)) => {
                self.links.insert(path.to_owned(), link.clone()).await;
                if known.is_none_or(|known| known.bytes != link.bytes) {
                    self.disk.write_link(path, link.bytes.clone()).await;
                }
                Ok(Some(link))
            }
            Ok(None) => {
                self.forget(path).await;
                Ok(None)
            }
            Err(error) if is_outage(&error) && known.is_some() => Ok(known),
            Err(error) => Err(error),
        }
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
        self.links.invalidate(path).await;
        self.disk.remove_link(path).await;
    }

    fn may_push(&self, path: &str) -> Result<()> {
        if self.push {
            return Ok(());
        }
        Err(Error::new(Kind::Refused, format!("write {path}: this registry is a cache on a node, and takes no pushes")))
    }

    async fn read_blob(&self, path: &str, digest: &Digest, range: Option<Range<u64>>) -> Result<Option<Object>> {
        if let Some((file, size)) = self.disk.open_blob(digest).await {
            let range = range.unwrap_or(0..size);
            let meta = ObjectMeta { size, modified: None };
            return Ok(Some(Object { meta, body: read_file(Arc::new(file), range) }));
        }
        let object = self.answered(self.place.read(path, range.clone(), Freshness::Any).await)?;
        let Some(object) = object else { return Ok(None) };
        let whole = range.is_none_or(|range| range == (0..object.meta.size));
        if !whole || object.meta.size > self.disk.size {
            return Ok(Some(object));
        }
        let Some(keeping) = self.disk.begin(digest, object.meta.size).await else { return Ok(Some(object)) };
        Ok(Some(Object { meta: object.meta, body: keep(keeping, object.body) }))
    }
}

/// Gives the bytes of a blob and keeps them, if they turn out to be what the digest says. Else the last of them are not given.
fn keep(keeping: Keeping, body: ByteStream) -> ByteStream {
    let pieces = futures::stream::unfold((Some(keeping), body), |(mut keeping, mut body)| async move {
        let mut piece = body.next().await;
        match &piece {
            Some(Ok(bytes)) => {
                if let Some(file) = keeping.take() {
                    keeping = file.write(bytes.clone()).await;
                }
            }
            Some(Err(_)) => keeping = None,
            None => {}
        }
        // Nobody may ask for more once all bytes are there.
        if keeping.as_ref().is_some_and(|file| file.offset >= file.size)
            && let Some(file) = keeping.take()
            && !file.finish().await
        {
            piece = Some(Err(Error::new(
                Kind::Broken,
                "read a blob from the store: its bytes are not those of its digest",
            )));
        }
        piece.map(|piece| (piece, (keeping, body)))
    });
    pieces.boxed()
}

/// A blob that is being kept.
struct Keeping {
    disk: Arc<Disk>,
    digest: Digest,
    size: u64,
    file: Arc<File>,
    temporary: Temporary,
    hasher: Hasher,
    offset: u64,
}

/// A file that is removed unless it gets a name.
struct Temporary(Option<PathBuf>);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Whoever reads along goes on: the file lives as long as somebody has it open.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Keeping {
    async fn write(mut self, bytes: Bytes) -> Option<Self> {
        let (file, offset) = (self.file.clone(), self.offset);
        self.offset += bytes.len() as u64;
        let work = tokio::task::spawn_blocking(move || {
            self.hasher.update(&bytes);
            file.write_all_at(&bytes, offset).map(|()| self)
        });
        match work.await.expect("writing does not panic") {
            Ok(keeping) => Some(keeping),
            Err(error) => {
                warn!(%error, "a blob cannot be kept on this node");
                None
            }
        }
    }

    /// Gives the blob its name. `false`: the bytes are not those of the digest.
    async fn finish(mut self) -> bool {
        let done = tokio::task::spawn_blocking(move || {
            let found = self.hasher.clone().finish();
            if found != self.digest || self.offset != self.size {
                warn!(digest = %self.digest, %found, "the store gave bytes that are not those of the digest: they are not kept");
                return false;
            }
            let path = self.disk.blob_path(&self.digest);
            let parent = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let Some(temporary) = self.temporary.0.clone() else { return true };
            match parent.and_then(|()| std::fs::rename(&temporary, &path)) {
                Ok(()) => {
                    self.temporary.0.take();
                    self.disk.keep(&self.digest, self.size, true);
                }
                Err(error) => warn!(%error, "a blob cannot be kept on this node"),
            }
            true
        });
        done.await.expect("renaming does not panic")
    }
}

fn read_file(file: Arc<File>, range: Range<u64>) -> ByteStream {
    let pieces = futures::stream::try_unfold(range, move |mut range| {
        let file = file.clone();
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            let (at, length) = (range.start, (range.end - range.start).min(PIECE as u64) as usize);
            let read = tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, at).map(|()| Bytes::from(bytes))
            });
            let bytes = read.await.expect("reading does not panic");
            let bytes =
                bytes.map_err(|error| Error::new(Kind::Broken, "read what is kept on this node").because(error))?;
            range.start += bytes.len() as u64;
            Ok(Some((bytes, range)))
        }
    });
    pieces.boxed()
}

impl Disk {
    fn open(folder: PathBuf, size: u64) -> std::io::Result<Self> {
        if !is_ours(&folder) {
            let what = format!("{} has files that are no cache's: choose an empty folder", folder.display());
            return Err(std::io::Error::other(what));
        }
        let temporary = folder.join("tmp");
        if temporary.exists() {
            std::fs::remove_dir_all(&temporary)?;
        }
        std::fs::create_dir_all(&temporary)?;
        std::fs::create_dir_all(folder.join("links"))?;
        let disk = Self { folder, size, kept: Mutex::default() };
        let mut found = Vec::new();
        for algorithm in ["sha256", "sha512"] {
            let Ok(shards) = std::fs::read_dir(disk.folder.join("blobs").join(algorithm)) else { continue };
            for shard in shards {
                for entry in std::fs::read_dir(shard?.path())? {
                    let entry = entry?;
                    let name = entry.file_name().into_string().unwrap_or_default();
                    let Ok(digest) = format!("{algorithm}:{name}").parse::<Digest>() else { continue };
                    let meta = entry.metadata()?;
                    found.push((meta.modified()?, digest, meta.len()));
                }
            }
        }
        found.sort();
        found.into_iter().for_each(|(_, digest, size)| disk.keep(&digest, size, false));
        Ok(disk)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("blobs").join(digest.algorithm().name()).join(&digest.hex()[..2]).join(digest.hex())
    }

    /// Names of links are longer than names of files may be, so their digests are.
    fn link_path(&self, path: &str) -> PathBuf {
        self.folder.join("links").join(Digest::sha256(path.as_bytes()).hex())
    }

    /// Notes a blob, and lets go of those that were not used for longest until there is room.
    fn keep(&self, digest: &Digest, size: u64, checked: bool) {
        let mut gone = Vec::new();
        {
            let mut kept = self.kept();
            kept.tick += 1;
            let entry = Entry { size, used: kept.tick, checked };
            if let Some(before) = kept.files.insert(digest.clone(), entry) {
                kept.bytes -= before.size;
            }
            kept.bytes += size;
            if kept.bytes > self.size {
                let mut by_use: Vec<_> =
                    kept.files.iter().map(|(digest, entry)| (entry.used, digest.clone())).collect();
                by_use.sort();
                for (_, digest) in by_use {
                    if kept.bytes <= self.size {
                        break;
                    }
                    if let Some(entry) = kept.files.remove(&digest) {
                        kept.bytes -= entry.size;
                        gone.push(digest);
                    }
                }
            }
        }
        for digest in gone {
            let _ = std::fs::remove_file(self.blob_path(&digest));
        }
    }

    fn drop_blob(&self, digest: &Digest) {
        let mut kept = self.kept();
        if let Some(entry) = kept.files.remove(digest) {
            kept.bytes -= entry.size;
        }
        drop(kept);
        let _ = std::fs::remove_file(self.blob_path(digest));
    }

    fn size_of(&self, digest: &Digest) -> Option<u64> {
        self.kept().files.get(digest).map(|entry| entry.size)
    }

    /// Opens a blob that is here, and is what its digest says.
    async fn open_blob(self: &Arc<Self>, digest: &Digest) -> Option<(File, u64)> {
        let entry = {
            let mut kept = self.kept();
            kept.tick += 1;
            let tick = kept.tick;
            let entry = kept.files.get_mut(digest)?;
            entry.used = tick;
            *entry
        };
        let (disk, digest) = (self.clone(), digest.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let path = disk.blob_path(&digest);
            let opened = File::open(&path).and_then(|file| {
                let whole =
                    file.metadata()?.len() == entry.size && (entry.checked || digest_of(&file, &digest)? == digest);
                if whole { Ok(file) } else { Err(std::io::ErrorKind::InvalidData.into()) }
            });
            match opened {
                Ok(file) => {
                    if let Some(entry) = disk.kept().files.get_mut(&digest) {
                        entry.checked = true;
                    }
                    Some((file, entry.size))
                }
                Err(error) => {
                    warn!(%digest, %error, "a blob on this node is damaged, and is fetched again");
                    disk.drop_blob(&digest);
                    None
                }
            }
        });
        opened.await.expect("reading does not panic")
    }

    async fn begin(self: &Arc<Self>, digest: &Digest, size: u64) -> Option<Keeping> {
        let (disk, digest) = (self.clone(), digest.clone());
        let begun = tokio::task::spawn_blocking(move || {
            let path = disk.folder.join("tmp").join(Uuid::new_v4().simple().to_string());
            let file = File::options().write(true).create_new(true).open(&path);
            match file {
                Ok(file) => {
                    let hasher = Hasher::new(digest.algorithm());
                    let (file, temporary) = (Arc::new(file), Temporary(Some(path)));
                    Some(Keeping { disk, digest, size, file, temporary, hasher, offset: 0 })
                }
                Err(error) => {
                    warn!(%error, "a blob cannot be kept on this node");
                    None
                }
            }
        });
        begun.await.expect("opening does not panic")
    }

    async fn read_link(self: &Arc<Self>, path: &str) -> Option<Link> {
        let file = self.link_path(path);
        let bytes =
            tokio::task::spawn_blocking(move || std::fs::read(file)).await.expect("reading does not panic").ok()?;
        let meta = ObjectMeta { size: bytes.len() as u64, modified: None };
        // It was asked for some time ago, nobody knows when.
        let asked = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap_or_else(Instant::now);
        Some(Link { bytes: bytes.into(), meta, asked })
    }

    async fn write_link(self: &Arc<Self>, path: &str, bytes: Bytes) {
        let (to, temporary) = (self.link_path(path), self.folder.join("tmp").join(Uuid::new_v4().simple().to_string()));
        let written = tokio::task::spawn_blocking(move || {
            std::fs::write(&temporary, &bytes)?;
            std::fs::rename(&temporary, &to)
        });
        if let Err(error) = written.await.expect("writing does not panic") {
            warn!(%error, "a link cannot be kept on this node");
        }
    }

    async fn remove_link(self: &Arc<Self>, path: &str) {
        let file = self.link_path(path);
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_file(file)).await;
    }
}

fn digest_of(file: &File, like: &Digest) -> std::io::Result<Digest> {
    let (mut hasher, mut offset, mut buffer) = (Hasher::new(like.algorithm()), 0, vec![0; PIECE]);
    loop {
        let read = file.read_at(&mut buffer, offset)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
        offset += read as u64;
    }
}

impl Blobs for NodeCache {
    fn capabilities(&self) -> Capabilities {
        // Whoever is sent to the store for the bytes would not leave them here.
        Capabilities { presign: false, ..self.place.capabilities() }
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            match self.answered(self.place.probe().await) {
                // It serves what it has.
                Err(error) if is_outage(&error) => Ok(()),
                other => other,
            }
        })
    }

    fn head<'a>(&'a self, path: &'a str, freshness: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        Box::pin(async move {
            match sort(path) {
                Sort::Blob(digest) => match self.disk.size_of(&digest) {
                    Some(size) => Ok(Some(ObjectMeta { size, modified: None })),
                    None => self.answered(self.place.head(path, freshness).await),
                },
                Sort::Fixed => Ok(self.link(path, false, freshness).await?.map(|link| link.meta)),
                Sort::Moving => Ok(self.link(path, true, freshness).await?.map(|link| link.meta)),
                Sort::Other => self.answered(self.place.head(path, freshness).await),
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
            let always = match sort(path) {
                Sort::Blob(digest) => return self.read_blob(path, &digest, range).await,
                Sort::Other => return self.answered(self.place.read(path, range, freshness).await),
                Sort::Fixed => false,
                Sort::Moving => true,
            };
            let Some(Link { bytes, meta, .. }) = self.link(path, always, freshness).await? else { return Ok(None) };
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
            Ok(Some(Object { meta, body: futures::stream::iter([Ok(bytes)]).boxed() }))
        })
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        Box::pin(async move {
            self.may_push(path)?;
            let written = self.answered(self.place.put(path, bytes, condition).await);
            // Asked for anew when somebody wants it.
            self.forget(path).await;
            written
        })
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        Box::pin(async move {
            self.may_push(path)?;
            self.answered(self.place.create(path, size).await)
        })
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        Box::pin(async move {
            self.may_push(at)?;
            self.answered(self.place.upload(at, state).await)
        })
    }

    fn discard_upload<'a>(&'a self, at: &'a str, state: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        self.place.discard_upload(at, state)
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move { self.answered(self.place.list(what).await) })
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for path in paths {
                self.may_push(path)?;
            }
            let deleted = self.answered(self.place.delete(paths).await);
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
        Box::pin(async move {
            self.may_push(to)?;
            self.place.relocate(from, to).await
        })
    }

    fn presign<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async { Ok(None) })
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        self.place.sweep(sweep)
    }
}

/// Whether a folder can be a cache: it is empty, or was one.
fn is_ours(folder: &Path) -> bool {
    let known = |name: &std::ffi::OsStr| matches!(name.to_str(), Some("blobs" | "links" | "tmp" | "lost+found"));
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.all(|entry| entry.is_ok_and(|entry| known(&entry.file_name()))),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
