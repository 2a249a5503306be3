//! A place of objects whose calls somebody hears of, under the names that distribution's drivers have for them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jeroboam_blobs::{
    Blobs, Capabilities, Condition, Freshness, HandedBack, List, ListPage, Object, ObjectMeta, Result, SharedBlobs,
    Sweep, Swept, Upload, UploadState, Writer, Written,
};

/// Hears of each call: its name, how long it took, and whether it failed.
pub type Hears = Box<dyn Fn(&'static str, Duration, bool) + Send + Sync>;

/// The same place, whose calls somebody hears of.
#[must_use]
pub fn measured(place: SharedBlobs, hears: Hears) -> SharedBlobs {
    Arc::new(Measured { place, hears })
}

struct Measured {
    place: SharedBlobs,
    hears: Hears,
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.place, f)
    }
}

impl Measured {
    fn timed<'a, T: 'a>(&'a self, action: &'static str, call: BoxFuture<'a, Result<T>>) -> BoxFuture<'a, Result<T>> {
        async move {
            let begun = Instant::now();
            let outcome = call.await;
            (self.hears)(action, begun.elapsed(), outcome.is_err());
            outcome
        }
        .boxed()
    }
}

impl Blobs for Measured {
    fn capabilities(&self) -> Capabilities {
        self.place.capabilities()
    }

    fn seconds_ahead(&self) -> Option<i64> {
        self.place.seconds_ahead()
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        self.timed("Probe", self.place.probe())
    }

    fn head<'a>(&'a self, path: &'a str, freshness: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        self.timed("Stat", self.place.head(path, freshness))
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        self.timed("Reader", self.place.read(path, range, freshness))
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        self.timed("PutContent", self.place.put(path, bytes, condition))
    }

    fn put_ahead<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        self.timed("PutContent", self.place.put_ahead(path, bytes, condition))
    }

    fn put_noted<'a>(&'a self, path: &'a str, bytes: Bytes, note: &'a str) -> BoxFuture<'a, Result<()>> {
        self.timed("PutContent", self.place.put_noted(path, bytes, note))
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        self.timed("Writer", self.place.create(path, size))
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        self.timed("Writer", self.place.upload(at, state))
    }

    fn discard_upload<'a>(&'a self, at: &'a str, state: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        self.timed("Delete", self.place.discard_upload(at, state))
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        self.timed("List", self.place.list(what))
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        self.timed("Delete", self.place.delete(paths))
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        self.timed("Move", self.place.relocate(from, to))
    }

    fn presign<'a>(&'a self, path: &'a str, lifetime: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        self.timed("RedirectURL", self.place.presign(path, lifetime))
    }

    fn hand_back<'a>(&'a self, path: &'a str, dry_run: bool) -> BoxFuture<'a, Result<HandedBack>> {
        self.timed("HandBack", self.place.hand_back(path, dry_run))
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        self.timed("Sweep", self.place.sweep(sweep))
    }
}
