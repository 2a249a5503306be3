//! Bytes of unknown number on their way into a directory of segments.
//!
//! What is short stays in memory. Then one segment after the other is sent as it comes, and while the store makes the last ones durable the next is
//! already on its way. Nothing here makes an object appear.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jeroboam_openstack::Error as StoreError;
use jeroboam_openstack::object_store::{Finished, ObjectUpload, PutOptions, Taken, UploadOptions};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Inner;
use super::facts::md5_of;
use super::failure::failed;
use super::names::segment;
use crate::{Error, Kind, Result, UploadState};

/// So much waits in memory before a segment is begun.
pub(crate) const SHORT: usize = 1 << 20;

/// So much of an end that is no segment yet is kept within a saved state.
const TAIL: usize = 16 << 10;

/// So many segments are on their way at once: one is sent, the others are being made durable.
const AT_ONCE: usize = 4;

/// Swift waits a minute for the next byte.
const IDLE: Duration = Duration::from_secs(20);

/// Most segments: a Swift does not add up the lengths of ten thousand.
const MOST: usize = 9000;

/// How a segment ended: its number, what became of it, and what is not in it.
type Ending = (u64, std::result::Result<(Finished, Bytes), StoreError>);

/// A segment that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done(pub(crate) u64, pub(crate) String);

/// What it takes to go on; [`UploadState::detail`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    /// Which of our layouts this is.
    format: u8,
    /// Where the segments are.
    pub(crate) directory: String,
    /// Whether somebody may have written segments that are not noted here; older processes wrote it so.
    #[serde(default)]
    doubtful: bool,
    /// Number, length and tag of each.
    pub(crate) segments: Vec<(u64, u64, String)>,
    /// The bytes behind them.
    tail: String,
}

const FORMAT: u8 = 1;

/// A directory of segments that is being filled.
#[derive(Debug)]
pub(crate) struct Segments {
    inner: Arc<Inner>,
    pub(crate) directory: String,
    /// Noted at each segment: whose bytes these are, where that is known.
    notes: Vec<(&'static str, String)>,
    pub(crate) done: BTreeMap<u64, Done>,
    next: u64,
    held: BytesMut,
    current: Option<(u64, ObjectUpload)>,
    /// The store takes no longer segment.
    longest: u64,
    finishing: JoinSet<Ending>,
    pub(crate) total: u64,
    failed: bool,
}

impl Segments {
    /// A directory that nobody knows yet. `path` is the object's, where it is known.
    pub(crate) fn new(inner: Arc<Inner>, owner: &str, path: Option<&str>) -> Self {
        let directory = inner.names.directory(owner, chance());
        let notes = path.map(|path| (super::PATH_NOTE, path.to_owned())).into_iter().collect();
        Self {
            inner,
            directory,
            notes,
            done: BTreeMap::new(),
            next: 1,
            held: BytesMut::new(),
            current: None,
            longest: u64::MAX,
            finishing: JoinSet::new(),
            total: 0,
            failed: false,
        }
    }

    /// Goes on where a state ends. What another process wrote, or may be writing still, is copied within the store: a directory has one writer, so that whatever
    /// anybody makes of it stays as it is.
    pub(crate) async fn resume(inner: Arc<Inner>, at: &str, state: &UploadState) -> Result<Self> {
        let broken = |what: &str| Error::new(Kind::Broken, format!("go on with the upload at {at}: {what}"));
        let saved = Saved::read(state).ok_or_else(|| broken("its state is not one of Swift's"))?;
        let tail = STANDARD.decode(&saved.tail).map_err(|_| broken("the end of its state is damaged"))?;
        let sum: u64 = saved.segments.iter().map(|(_, size, _)| size).sum::<u64>() + tail.len() as u64;
        if sum != state.offset {
            return Err(broken("its state does not add up"));
        }
        if inner.handovers.is_discarded(&saved.directory) {
            return Err(broken("it was given up"));
        }
        let clean = inner.handovers.is_clean(&saved.directory, state.offset);
        let next = saved.segments.last().map_or(1, |(number, ..)| number + 1);
        let mut segments = Self::new(inner, at, None);
        segments.held = BytesMut::from(&tail[..]);
        segments.total = sum;
        if saved.segments.is_empty() && !clean {
            // Whatever somebody else wrote stays in a directory of its own.
            return Ok(segments);
        }
        if clean {
            segments.directory = saved.directory;
        } else {
            let numbers = saved.segments.iter().map(|(number, ..)| *number).collect();
            let (inner, fresh) = (Arc::clone(&segments.inner), segments.directory.clone());
            copy(&inner, &saved.directory, &fresh, numbers).await?;
        }
        segments.done = saved.segments.into_iter().map(|(number, size, etag)| (number, Done(size, etag))).collect();
        segments.next = next;
        Ok(segments)
    }

    /// Takes more bytes.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let outcome = self.take(bytes).await;
        self.failed |= outcome.is_err();
        outcome
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<()> {
        if self.failed {
            return Err(Error::new(Kind::Misuse, "go on with an upload that failed"));
        }
        self.total += bytes.len() as u64;
        if self.current.is_none() && self.held.len() + bytes.len() <= SHORT {
            self.held.extend_from_slice(&bytes);
            return Ok(());
        }
        if self.current.is_none() {
            let held = self.held.split().freeze();
            self.put_out(held).await?;
        }
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(SHORT));
            self.put_out(piece).await?;
        }
        Ok(())
    }

    /// Puts bytes into segments, beginning them as needed.
    async fn put_out(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let (number, mut upload) = match self.current.take() {
                Some(current) => current,
                None => self.begin().await?,
            };
            let before = (self.done.len() + self.finishing.len()) as u64;
            let length = self.inner.config.segments.of(before).min(self.longest);
            let room = length.saturating_sub(upload.taken());
            let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let now = bytes.split_to(fits);
            match upload.write(now).await.map_err(|error| self.broke(number, error))? {
                Taken::Yes if room > fits as u64 => self.current = Some((number, upload)),
                Taken::Yes => {
                    // The rest of it goes out here: were it the last piece of an object that was ended meanwhile, it would belong before the next.
                    if let Taken::Ended(finished, left) =
                        upload.flush().await.map_err(|error| self.broke(number, error))?
                    {
                        self.done.insert(number, Done(finished.size, finished.etag));
                        bytes = [&left[..], &bytes[..]].concat().into();
                    } else {
                        self.finishing.spawn(async move { (number, upload.finish().await) });
                        while self.finishing.len() >= AT_ONCE {
                            self.one_finished().await?;
                        }
                    }
                }
                Taken::Ended(finished, left) => {
                    self.done.insert(number, Done(finished.size, finished.etag));
                    bytes = [&left[..], &bytes[..]].concat().into();
                }
            }
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(u64, ObjectUpload)> {
        if self.done.len() + self.finishing.len() >= MOST {
            let what = format!("write more than {MOST} segments of one object: its parts came in pieces too small");
            return Err(Error::new(Kind::NoRoom, what));
        }
        self.inner.ready().await?;
        self.longest = self.inner.longest_plain().await;
        self.inner.handovers.going_on(&self.directory);
        let number = self.next;
        self.next += 1;
        let options = UploadOptions { length: None, end_when_idle: Some(IDLE), notes: self.notes.clone() };
        Ok((number, self.inner.store.upload(&segment(&self.directory, number), options)))
    }

    async fn one_finished(&mut self) -> Result<()> {
        let Some(outcome) = self.finishing.join_next().await else { return Ok(()) };
        let ended = |_| Error::new(Kind::Unavailable, "finish a segment: its task was ended");
        let (number, outcome) = outcome.map_err(ended)?;
        let (finished, left) = outcome.map_err(|error| self.broke(number, error))?;
        if !left.is_empty() {
            return Err(Error::new(Kind::Unavailable, format!("finish segment {number}: the store ended it early")));
        }
        self.done.insert(number, Done(finished.size, finished.etag));
        Ok(())
    }

    /// Makes everything that is in segments durable, and nothing else; bytes that are not in one stay in memory.
    async fn settle(&mut self) -> Result<()> {
        if let Some((number, upload)) = self.current.take() {
            let (finished, left) = upload.finish().await.map_err(|error| self.broke(number, error))?;
            self.done.insert(number, Done(finished.size, finished.etag));
            self.held = BytesMut::from(&left[..]);
        }
        while !self.finishing.is_empty() {
            self.one_finished().await?;
        }
        Ok(())
    }

    /// Makes everything durable, in segments.
    pub(crate) async fn close(&mut self) -> Result<()> {
        if self.failed {
            return Err(Error::new(Kind::Misuse, "end an upload that failed"));
        }
        self.settle().await?;
        if self.held.is_empty() {
            return Ok(());
        }
        self.inner.ready().await?;
        self.inner.handovers.going_on(&self.directory);
        let bytes = self.held.split().freeze();
        let number = self.next;
        self.next += 1;
        let md5 = md5_of(&bytes);
        let size = bytes.len() as u64;
        let options = PutOptions { md5: Some(md5.clone()), notes: self.notes.clone(), ..PutOptions::default() };
        let name = segment(&self.directory, number);
        self.inner.store.put(&name, bytes, &options).await.map_err(|error| self.broke(number, error))?;
        self.done.insert(number, Done(size, md5));
        Ok(())
    }

    /// What there is if it is short and none of it is in a segment.
    pub(crate) fn short(&self) -> Option<Bytes> {
        let in_memory = self.done.is_empty() && self.current.is_none() && self.finishing.is_empty();
        (in_memory && !self.failed).then(|| Bytes::copy_from_slice(&self.held))
    }

    /// Makes everything durable and tells what it takes to go on.
    pub(crate) async fn save(&mut self) -> Result<UploadState> {
        let outcome = self.save_all().await;
        self.failed |= outcome.is_err();
        outcome
    }

    async fn save_all(&mut self) -> Result<UploadState> {
        self.settle().await?;
        if self.held.len() > TAIL {
            self.close().await?;
        }
        let segments = self.done.iter().map(|(number, Done(size, etag))| (*number, *size, etag.clone())).collect();
        let saved = Saved {
            format: FORMAT,
            directory: self.directory.clone(),
            doubtful: false,
            segments,
            tail: STANDARD.encode(&self.held),
        };
        self.inner.handovers.saved(&self.directory, self.total);
        let unwritable = |error| Error::new(Kind::Broken, "note how far an upload came").because(error);
        Ok(UploadState { offset: self.total, detail: serde_json::to_value(saved).map_err(unwritable)? })
    }

    /// Cuts off what is on its way.
    pub(crate) async fn abort(mut self) {
        if let Some((_, upload)) = self.current.take() {
            upload.abort().await;
        }
        self.finishing.shutdown().await;
        let names: Vec<String> = self.done.keys().map(|number| segment(&self.directory, *number)).collect();
        // What stays is found by a sweep.
        if let Err(error) = self.inner.store.remove_all(&names).await {
            tracing::debug!("segments of an object that was given up stay for a while: {error}");
        }
    }

    fn broke(&self, number: u64, error: StoreError) -> Error {
        failed(format!("write segment {number} of {} to swift", self.directory), error)
    }
}

/// Copies segments of a directory into one that nobody knows yet.
async fn copy(inner: &Inner, from: &str, to: &str, numbers: Vec<u64>) -> Result<()> {
    let mut copies: Vec<BoxFuture<'_, Result<()>>> = Vec::new();
    for number in numbers {
        copies.push(copy_one(inner, segment(from, number), segment(to, number)).boxed());
    }
    stream::iter(copies).buffer_unordered(AT_ONCE).try_collect().await
}

async fn copy_one(inner: &Inner, from: String, to: String) -> Result<()> {
    inner.store.copy(&from, &to, false, &[]).await.map_err(|error| match error.status() {
        Some(404) => Error::new(Kind::Broken, format!("go on with an upload: {from} is gone")).because(error),
        _ => failed(format!("copy {from} in swift"), error),
    })
}

/// 64 bits of chance: version and variant of a UUID are none, so that two of them are put together.
fn chance() -> u64 {
    let (first, _) = Uuid::new_v4().as_u64_pair();
    let (_, second) = Uuid::new_v4().as_u64_pair();
    first ^ second.rotate_left(32)
}

impl Saved {
    pub(crate) fn read(state: &UploadState) -> Option<Self> {
        let saved: Self = serde_json::from_value(state.detail.clone()).ok()?;
        (saved.format == FORMAT).then_some(saved)
    }
}
