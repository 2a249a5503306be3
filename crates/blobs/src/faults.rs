//! A place that breaks on purpose: every call is counted and may fail before or after it took effect, the process may seem to die at any of
//! them, listings may lag, and reads that need not be new may be old. For tests only; the same seed gives the same faults.

mod lag;
mod parts;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::{
    Blobs, Capabilities, Condition, Error, Freshness, Kind, List, ListPage, Object, ObjectMeta, Result, SharedBlobs,
    Sweep, Swept, Upload, UploadState, Writer, Written,
};
use lag::Lag;
use parts::{FaultyUpload, FaultyWriter};

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// [`Blobs::probe`].
    Probe,
    /// [`Blobs::head`].
    Head,
    /// [`Blobs::read`].
    Read,
    /// [`Blobs::put`].
    Put,
    /// [`Blobs::create`].
    Create,
    /// [`Writer::write`].
    Write,
    /// [`Writer::commit`].
    Commit,
    /// [`Writer::abort`].
    Abort,
    /// [`Blobs::upload`].
    Upload,
    /// [`Upload::write`].
    UploadWrite,
    /// [`Upload::save`].
    UploadSave,
    /// [`Upload::commit`].
    UploadCommit,
    /// [`Blobs::discard_upload`].
    DiscardUpload,
    /// [`Blobs::list`].
    List,
    /// [`Blobs::delete`].
    Delete,
    /// [`Blobs::relocate`].
    Relocate,
    /// [`Blobs::presign`].
    Presign,
    /// [`Blobs::sweep`].
    Sweep,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It took no effect.
    Before,
    /// It took effect, and nobody hears of it.
    After,
}

/// A fault that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// At this call, counted from 1 since [`Faults::plan`].
    pub call: u64,
    /// Whether it takes effect.
    pub told: Told,
    /// Whether every later call fails too and takes no effect, as if the process had died there.
    pub dies: bool,
}

/// A place and what is to go wrong with it.
#[derive(Clone)]
pub struct Faults {
    inner: SharedBlobs,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    counts: BTreeMap<Operation, u64>,
    /// Calls since the plan was made.
    calls: u64,
    fault: Option<Fault>,
    dead: bool,
    /// One call in so many fails, by chance.
    one_in: Option<(u64, Chance)>,
    lag: Option<Lag>,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Works,
    Fails(Told),
    /// The process is dead: what it held stays as it is.
    Dead,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Faults {
    /// Nothing goes wrong yet.
    #[must_use]
    pub fn new(inner: SharedBlobs) -> Self {
        Self { inner, shared: Arc::default() }
    }

    /// Plans a fault and counts calls anew. A dead process lives again.
    pub fn plan(&self, fault: Option<Fault>) {
        let mut shared = self.shared();
        shared.fault = fault;
        shared.calls = 0;
        shared.dead = false;
    }

    /// Lets one call in `n` fail, before or after it took effect; 0 ends it.
    pub fn fail_one_in(&self, n: u64, seed: u64) {
        self.shared().one_in = (n > 0).then_some((n, Chance(seed)));
    }

    /// From now on listings may miss what was written, and show what was deleted, within the last `calls` calls, each path by a lag of its own;
    /// reads of [`Freshness::Any`] may give what was overwritten or deleted within them. 0 ends it.
    pub fn lag(&self, calls: u64, seed: u64) {
        self.shared().lag = (calls > 0).then(|| Lag::new(calls, Chance(seed)));
    }

    /// So many calls since the last plan.
    pub fn calls(&self) -> u64 {
        self.shared().calls
    }

    /// How often each operation was called.
    pub fn counts(&self) -> BTreeMap<Operation, u64> {
        self.shared().counts.clone()
    }

    /// Counts operations anew.
    pub fn forget_counts(&self) {
        self.shared().counts.clear();
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verdict(&self, operation: Operation) -> Verdict {
        let mut shared = self.shared();
        *shared.counts.entry(operation).or_default() += 1;
        if shared.dead {
            return Verdict::Dead;
        }
        shared.calls += 1;
        if let Some(lag) = &mut shared.lag {
            lag.tick();
        }
        let planned = shared.fault.filter(|fault| fault.call == shared.calls);
        if let Some(fault) = planned {
            shared.dead = fault.dies;
            return Verdict::Fails(fault.told);
        }
        let Some((n, chance)) = &mut shared.one_in else { return Verdict::Works };
        match chance.below(*n * 2) {
            0 => Verdict::Fails(Told::Before),
            1 => Verdict::Fails(Told::After),
            _ => Verdict::Works,
        }
    }

    fn is_dead(&self) -> bool {
        self.shared().dead
    }

    /// Makes a call, unless it is to fail before.
    async fn call<T>(&self, operation: Operation, call: impl Future<Output = Result<T>>) -> Result<T> {
        match self.verdict(operation) {
            Verdict::Works => call.await,
            Verdict::Fails(Told::After) => call.await.and(Err(broken(operation))),
            Verdict::Fails(Told::Before) | Verdict::Dead => Err(broken(operation)),
        }
    }

    /// Remembers what a change replaces, for those who see it late.
    async fn before_change(&self, path: &str) -> Result<()> {
        if self.shared().lag.is_none() || self.is_dead() {
            return Ok(());
        }
        let old = lag::Old::read(&self.inner, path).await?;
        if let Some(lag) = &mut self.shared().lag {
            lag.changed(path, old);
        }
        Ok(())
    }

    fn old(&self, path: &str, freshness: Freshness) -> Option<lag::Old> {
        if freshness == Freshness::Newest {
            return None;
        }
        self.shared().lag.as_mut().and_then(|lag| lag.old(path))
    }
}

fn broken(operation: Operation) -> Error {
    Error::new(Kind::Unavailable, format!("do {operation:?}: broken on purpose"))
}

impl Blobs for Faults {
    fn capabilities(&self) -> Capabilities {
        let lags = self.shared().lag.is_some();
        let inner = self.inner.capabilities();
        Capabilities { listing_is_fresh: inner.listing_is_fresh && !lags, ..inner }
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        self.call(Operation::Probe, self.inner.probe()).boxed()
    }

    fn head<'a>(&'a self, path: &'a str, freshness: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        let head = async move {
            match self.old(path, freshness) {
                Some(old) => Ok(Some(old.meta())),
                None => self.inner.head(path, freshness).await,
            }
        };
        self.call(Operation::Head, head).boxed()
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        let read = async move {
            match self.old(path, freshness) {
                Some(old) => old.object(range).map(Some),
                None => self.inner.read(path, range, freshness).await,
            }
        };
        async move {
            match self.verdict(Operation::Read) {
                Verdict::Works => read.await,
                Verdict::Fails(Told::After) => Ok(read.await?.map(parts::half)),
                Verdict::Fails(Told::Before) | Verdict::Dead => Err(broken(Operation::Read)),
            }
        }
        .boxed()
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        let put = async move {
            self.before_change(path).await?;
            self.inner.put(path, bytes, condition).await
        };
        self.call(Operation::Put, put).boxed()
    }

    fn put_noted<'a>(&'a self, path: &'a str, bytes: Bytes, note: &'a str) -> BoxFuture<'a, Result<()>> {
        let put = async move {
            self.before_change(path).await?;
            self.inner.put_noted(path, bytes, note).await
        };
        self.call(Operation::Put, put).boxed()
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        let create = async move {
            let inner = self.inner.create(path, size).await?;
            Ok(Box::new(FaultyWriter::new(inner, self.clone(), path)) as Box<dyn Writer>)
        };
        self.call(Operation::Create, create).boxed()
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        let upload = async move {
            let inner = self.inner.upload(at, state).await?;
            Ok(Box::new(FaultyUpload::new(inner, self.clone())) as Box<dyn Upload>)
        };
        self.call(Operation::Upload, upload).boxed()
    }

    fn discard_upload<'a>(&'a self, at: &'a str, state: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        self.call(Operation::DiscardUpload, self.inner.discard_upload(at, state)).boxed()
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        let list = async move {
            if self.shared().lag.is_none() {
                return self.inner.list(what).await;
            }
            let lines = lag::all_below(&self.inner, what.prefix).await?;
            let mut shared = self.shared();
            let Some(lag) = &mut shared.lag else { return crate::listing::page(lines.iter().map(lag::line), &what) };
            let seen = lag.as_seen(lines, what.prefix);
            crate::listing::page(seen.iter().map(lag::line), &what)
        };
        self.call(Operation::List, list).boxed()
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        let delete = async move {
            for path in paths {
                self.before_change(path).await?;
            }
            self.inner.delete(paths).await
        };
        self.call(Operation::Delete, delete).boxed()
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        let relocate = async move {
            self.before_change(from).await?;
            self.before_change(to).await?;
            self.inner.relocate(from, to).await
        };
        self.call(Operation::Relocate, relocate).boxed()
    }

    fn presign<'a>(&'a self, path: &'a str, lifetime: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        self.call(Operation::Presign, self.inner.presign(path, lifetime)).boxed()
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        self.call(Operation::Sweep, self.inner.sweep(sweep)).boxed()
    }
}

/// Numbers that look random and are the same for the same seed.
#[derive(Clone, Copy, Debug)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

#[cfg(test)]
mod tests;
