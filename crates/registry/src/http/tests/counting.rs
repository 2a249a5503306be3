//! A place of objects that says what it was asked, and fails when it is told to.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use jeroboam_blobs::{
    Blobs, ByteStream, Capabilities, Condition, Error, Freshness, Kind, List, ListPage, Object, ObjectMeta, Result,
    SharedBlobs, Sweep, Swept, Upload, UploadState, Writer, Written,
};
use tokio::sync::Notify;

/// When the process dies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    /// After so many calls; from then on none gets through.
    pub(super) calls: usize,
    /// Whether the last call still has its effect, though nobody learns of it; of a deletion, on half of the paths.
    pub(super) has_effect: bool,
    /// Whether that is the second half: a place removes what it is given at once in any order.
    pub(super) from_behind: bool,
}

/// Where a call waits until it is told to go on.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    reached: Arc<Notify>,
    open: Arc<Notify>,
}

impl Gate {
    /// Waits until the call is there.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(super) fn open(&self) {
        self.open.notify_one();
    }
}

#[derive(Debug)]
pub(super) struct Counting {
    inner: SharedBlobs,
    calls: Arc<Mutex<Vec<String>>>,
    fails: Arc<Mutex<Option<(Kind, &'static str)>>>,
    death: Mutex<Option<Death>>,
    gate: Mutex<Option<(&'static str, Gate)>>,
    /// Whether the bytes of uploads are other ones than were written.
    pub(super) torn: Arc<AtomicBool>,
    /// What [`Blobs::presign`] puts before a path.
    pub(super) presigned: Option<&'static str>,
    pub(super) listing_is_fresh: bool,
    pub(super) listing_is_empty: bool,
}

impl Counting {
    pub(super) fn new(inner: SharedBlobs) -> Self {
        let (calls, fails) = (Arc::default(), Arc::default());
        Self {
            inner,
            calls,
            fails,
            death: Mutex::default(),
            gate: Mutex::default(),
            torn: Arc::default(),
            presigned: None,
            listing_is_fresh: true,
            listing_is_empty: false,
        }
    }

    /// What was asked since the last time, as `put docker/registry/…`.
    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Makes calls whose line contains a text fail from now on.
    pub(super) fn fail(&self, with: Option<(Kind, &'static str)>) {
        *self.fails.lock().unwrap() = with;
    }

    /// Makes the next read, write, listing or deletion whose line contains a text wait.
    pub(super) fn hold(&self, text: &'static str) -> Gate {
        let gate = Gate::default();
        *self.gate.lock().unwrap() = Some((text, gate.clone()));
        gate
    }

    async fn wait(&self, line: &str) {
        let gate = self.gate.lock().unwrap().take_if(|(text, _)| line.contains(*text));
        if let Some((_, gate)) = gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
    }

    /// Makes the process die some calls from now.
    pub(super) fn die(&self, death: Option<Death>) {
        *self.death.lock().unwrap() = death;
    }

    /// Whether this call is the one at which the process dies; an error of each one after it.
    fn dies(&self) -> Result<Option<Death>> {
        let mut death = self.death.lock().unwrap();
        let Some(at) = death.as_mut() else { return Ok(None) };
        if at.calls == 0 {
            let now = *at;
            at.has_effect = false;
            return if now.has_effect { Ok(Some(now)) } else { Err(dead()) };
        }
        at.calls -= 1;
        Ok(None)
    }

    fn call(&self, what: &str, path: &str) -> Result<()> {
        let line = format!("{what} {path}");
        told_to_fail(&self.fails, &line)?;
        self.calls.lock().unwrap().push(line);
        Ok(())
    }
}

fn dead() -> Error {
    Error::new(Kind::Unavailable, "the process is dead")
}

fn told_to_fail(fails: &Mutex<Option<(Kind, &'static str)>>, line: &str) -> Result<()> {
    match *fails.lock().unwrap() {
        Some((kind, text)) if line.contains(text) => Err(Error::new(kind, format!("{line}: told to fail"))),
        _ => Ok(()),
    }
}

/// An upload that fails when it is told to: `write upload`, `save upload`, `commit upload`.
struct FailingUpload {
    inner: Box<dyn Upload>,
    fails: Arc<Mutex<Option<(Kind, &'static str)>>>,
    calls: Arc<Mutex<Vec<String>>>,
    torn: Arc<AtomicBool>,
}

impl Upload for FailingUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        async move {
            told_to_fail(&self.fails, "write upload")?;
            self.inner.write(bytes).await
        }
        .boxed()
    }

    fn save(&mut self) -> BoxFuture<'_, Result<UploadState>> {
        async move {
            told_to_fail(&self.fails, "save upload")?;
            self.inner.save().await
        }
        .boxed()
    }

    fn stored(&mut self) -> BoxFuture<'_, Result<ByteStream>> {
        async move {
            told_to_fail(&self.fails, "read upload")?;
            let stored = self.inner.stored().await?;
            if self.torn.load(Ordering::Relaxed) {
                return Ok(stored.map_ok(|piece| piece.iter().map(|byte| byte ^ 1).collect()).boxed());
            }
            Ok(stored)
        }
        .boxed()
    }

    fn commit<'a>(self: Box<Self>, path: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            told_to_fail(&self.fails, "commit upload")?;
            self.calls.lock().unwrap().push(format!("commit {path}"));
            self.inner.commit(path).await
        }
        .boxed()
    }
}

impl Blobs for Counting {
    fn capabilities(&self) -> Capabilities {
        let presign = self.presigned.is_some();
        Capabilities { presign, listing_is_fresh: self.listing_is_fresh, ..self.inner.capabilities() }
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.probe()
    }

    fn head<'a>(&'a self, path: &'a str, freshness: Freshness) -> BoxFuture<'a, Result<Option<ObjectMeta>>> {
        async move {
            self.call("head", path)?;
            self.dies()?.map_or(Ok(()), |_| Err(dead()))?;
            self.inner.head(path, freshness).await
        }
        .boxed()
    }

    fn read<'a>(
        &'a self,
        path: &'a str,
        range: Option<Range<u64>>,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<Option<Object>>> {
        async move {
            self.call("read", path)?;
            self.wait(&format!("read {path}")).await;
            self.dies()?.map_or(Ok(()), |_| Err(dead()))?;
            self.inner.read(path, range, freshness).await
        }
        .boxed()
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Bytes, condition: Condition) -> BoxFuture<'a, Result<Written>> {
        async move {
            self.call("put", path)?;
            self.wait(&format!("put {path}")).await;
            let last = self.dies()?;
            let written = self.inner.put(path, bytes, condition).await?;
            last.map_or(Ok(written), |_| Err(dead()))
        }
        .boxed()
    }

    fn put_noted<'a>(&'a self, path: &'a str, bytes: Bytes, note: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            self.call("put", path)?;
            self.wait(&format!("put {path}")).await;
            let last = self.dies()?;
            self.inner.put_noted(path, bytes, note).await?;
            last.map_or(Ok(()), |_| Err(dead()))
        }
        .boxed()
    }

    fn create<'a>(&'a self, path: &'a str, size: Option<u64>) -> BoxFuture<'a, Result<Box<dyn Writer>>> {
        async move {
            self.call("create", path)?;
            self.dies()?.map_or(Ok(()), |_| Err(dead()))?;
            self.inner.create(path, size).await
        }
        .boxed()
    }

    fn upload<'a>(&'a self, at: &'a str, state: Option<UploadState>) -> BoxFuture<'a, Result<Box<dyn Upload>>> {
        async move {
            self.call("upload", at)?;
            self.dies()?.map_or(Ok(()), |_| Err(dead()))?;
            let inner = self.inner.upload(at, state).await?;
            let (fails, calls, torn) = (self.fails.clone(), self.calls.clone(), self.torn.clone());
            Ok(Box::new(FailingUpload { inner, fails, calls, torn }) as Box<dyn Upload>)
        }
        .boxed()
    }

    fn discard_upload<'a>(&'a self, at: &'a str, state: &'a UploadState) -> BoxFuture<'a, Result<()>> {
        async move {
            self.call("discard", at)?;
            self.inner.discard_upload(at, state).await
        }
        .boxed()
    }

    fn list<'a>(&'a self, what: List<'a>) -> BoxFuture<'a, Result<ListPage>> {
        async move {
            self.call("list", what.prefix)?;
            self.wait(&format!("list {}", what.prefix)).await;
            self.dies()?.map_or(Ok(()), |_| Err(dead()))?;
            if self.listing_is_empty {
                return Ok(ListPage::default());
            }
            self.inner.list(what).await
        }
        .boxed()
    }

    fn delete<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<()>> {
        async move {
            self.call("delete", &paths.join(" "))?;
            self.wait(&format!("delete {}", paths.join(" "))).await;
            if let Some(death) = self.dies()? {
                let (first, second) = paths.split_at(paths.len().div_ceil(2));
                self.inner.delete(if death.from_behind { second } else { first }).await?;
                return Err(dead());
            }
            self.inner.delete(paths).await
        }
        .boxed()
    }

    fn relocate<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            self.call("relocate", from)?;
            self.inner.relocate(from, to).await
        }
        .boxed()
    }

    fn presign<'a>(&'a self, path: &'a str, _: Duration) -> BoxFuture<'a, Result<Option<String>>> {
        let address = self.presigned.map(|before| format!("{before}/{path}?signed"));
        async move { Ok(address) }.boxed()
    }

    fn sweep<'a>(&'a self, sweep: Sweep<'a>) -> BoxFuture<'a, Result<Swept>> {
        self.inner.sweep(sweep)
    }
}
