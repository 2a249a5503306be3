//! Objects in memory: for tests, for models, and for trying something out. All is gone with the process.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, ready};
use futures::{FutureExt, StreamExt};
use jeroboam_model::{Clock, SystemClock, Timestamp};

use crate::{
    Blobs, ByteStream, Capabilities, Condition, Error, Freshness, Kind, List, ListPage, Object, ObjectMeta, Result,
    Sweep, Swept, Upload, UploadState, Writer, Written, listing, misuse, path,
};

/// Bodies come in pieces of this length, so that whoever reads them meets more than one.
const PIECE: usize = 64 * 1024;

/// Objects in memory, shared by all clones.
#[derive(Clone)]
pub struct Memory {
    held: Arc<Mutex<Held>>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Held {
    objects: BTreeMap<String, Stored>,
    uploads: BTreeMap<String, Stored>,
}

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    note: Option<String>,
    modified: Timestamp,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held();
        f.debug_struct("Memory").field("objects", &held.objects.len()).field("uploads", &held.uploads.len()).finish()
    }
}

impl Memory {
    /// No objects yet; what is written gets the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { held: Arc::default(), clock }
    }

    /// No thread leaves it half changed, so one that panicked elsewhere does not matter.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, path: &str, bytes: Bytes) {
        let stored = Stored { bytes, note: None, modified: self.clock.now() };
        self.held().objects.insert(path.to_owned(), stored);
    }
}

impl Stored {
    fn meta(&self) -> ObjectMeta {
        ObjectMeta { size: self.bytes.len() as u64, modified: Some(self.modified) }
    }

    fn object(&self, path: &str, range: Option<Range<u64>>) -> Result<Object> {
        let meta = self.meta();
        let range = misuse::within(path, range, meta.size)?;
        // Both ends lie within bytes that are in memory.
        let mut rest = self.bytes.slice(range.start as usize..range.end as usize);
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            pieces.push(Ok(rest.split_to(rest.len().min(PIECE))));
        }
        Ok(Object { meta, note: self.note.clone(), body: futures::stream::iter(pieces).boxed() })
    }
}

impl Blobs for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities { create_if_absent: true, one_is_first: true, listing_is_fresh: true, presign: false }
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        ready(Ok(())).boxed()
    }

    fn head<'a>(&'a self, path: &'a str, _: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        async move {
            path::check(path)?;
            Ok(self.held().objects.get(path).map(Stored::meta))
        }
        .boxed()
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        _: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        async move { self.held().objects.get(path).map(|stored| stored.object(path, range)).transpose() }.boxed()
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        async move {
            path::check(path)?;
            let stored = Stored { bytes, note: None, modified: self.clock.now() };
            let mut held = self.held();
            if condition == Condition::Absent && held.objects.contains_key(path) {
                return Ok(Written::Refused);
            }
            held.objects.insert(path.to_owned(), stored);
            Ok(Written::Yes)
        }
        .boxed()
    }

    fn put_noted<'a>(&'a self, path: &'a str, bytes: Bytes, note: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            path::check(path)?;
            let stored = Stored { bytes, note: Some(note.to_owned()), modified: self.clock.now() };
            self.held().objects.insert(path.to_owned(), stored);
            Ok(())
        }
        .boxed()
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        let writer = MemoryWriter { memory: self.clone(), path: path.to_owned(), size, bytes: BytesMut::new() };
        async move { Ok(Box::new(writer) as Box<dyn Writer>) }.boxed()
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        async move {
            let mut bytes = BytesMut::new();
            if let Some(state) = state {
                let held = self.held();
                let saved = held.uploads.get(at).and_then(|saved| saved.bytes.get(..state.offset as usize));
                let too_short =
                    || Error::new(Kind::Broken, format!("go on with the upload at {at}: its bytes are gone"));
                bytes.extend_from_slice(saved.ok_or_else(too_short)?);
            }
            Ok(Box::new(MemoryUpload { memory: self.clone(), at: at.to_owned(), bytes }) as Box<dyn Upload>)
        }
        .boxed()
    }

    fn discard_upload<'a>(&'a self, at: &'a str, _: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        async move {
            self.held().uploads.remove(at);
            Ok(())
        }
        .boxed()
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        async move {
            let held = self.held();
            let begun = held.objects.range(what.prefix.to_owned()..);
            listing::page(
                begun.map(|(path, stored)| (path.as_str(), stored.bytes.len() as u64, Some(stored.modified))),
                &what,
            )
        }
        .boxed()
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        async move {
            let mut held = self.held();
            for path in paths {
                held.objects.remove(path);
            }
            Ok(())
        }
        .boxed()
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            let mut held = self.held();
            let gone = || Error::new(Kind::Misuse, format!("move {from}, which is not there"));
            let stored = held.objects.remove(from).ok_or_else(gone)?;
            held.objects.insert(to.to_owned(), stored);
            Ok(())
        }
        .boxed()
    }

    fn presign<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        ready(Ok(None)).boxed()
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        async move {
            let mut held = self.held();
            let mut swept = Swept::default();
            held.uploads.retain(|at, saved| {
                let goes = saved.modified < sweep.older_than && !sweep.live.contains(at);
                swept.objects += u64::from(goes);
                swept.bytes += if goes { saved.bytes.len() as u64 } else { 0 };
                sweep.dry_run || !goes
            });
            Ok(swept)
        }
        .boxed()
    }
}

struct MemoryWriter {
    memory: Memory,
    path: String,
    size: Option<u64>,
    bytes: BytesMut,
}

impl Writer for MemoryWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.bytes.extend_from_slice(&bytes);
        ready(Ok(())).boxed()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            misuse::check_length(&self.path, self.size, self.bytes.len() as u64)?;
            self.memory.store(&self.path, self.bytes.freeze());
            Ok(())
        }
        .boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }
}

struct MemoryUpload {
    memory: Memory,
    at: String,
    bytes: BytesMut,
}

impl Upload for MemoryUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.bytes.extend_from_slice(&bytes);
        ready(Ok(())).boxed()
    }

    fn save(&mut self) -> BoxFuture<'_, Result<UploadState>> {
        async move {
            let modified = self.memory.clock.now();
            let saved = Stored { bytes: Bytes::copy_from_slice(&self.bytes), note: None, modified };
            self.memory.held().uploads.insert(self.at.clone(), saved);
            Ok(UploadState { offset: self.bytes.len() as u64, detail: serde_json::Value::Null })
        }
        .boxed()
    }

    fn stored(&mut self) -> BoxFuture<'_, Result<ByteStream>> {
        let whole = Bytes::copy_from_slice(&self.bytes);
        ready(Ok(futures::stream::iter([Ok(whole)]).boxed())).boxed()
    }

    fn commit<'a>(self: Box<Self>, path: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            self.memory.store(path, self.bytes.freeze());
            self.memory.held().uploads.remove(&self.at);
            Ok(())
        }
        .boxed()
    }
}
