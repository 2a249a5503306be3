//! Writing an object in pieces. Nothing appears before the end, and nothing ever where it is cut off.
//!
//! The last bytes are held back until the end is said: a body that is as long as was announced is an object. The request runs beside whoever
//! writes, with a bounded queue between them. As long as everything that was sent fits into the replay it can be sent
//! again: to another try, with another token. Past that, trouble is the upload's end.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream};
use http::Method;
use reqwest::Body;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::call::{Call, Outcome, Target};
use super::{ObjectHead, ObjectStore, SERVICE};
use crate::Error;

/// So many pieces wait between writer and connection.
const QUEUE: usize = 4;

/// Longest of them. Short ones are put together: a Swift reads each chunk of a body in a loop of Python's.
const PIECE: usize = 256 << 10;

/// A slow writer's bytes are sent after so long, whatever their number: a store waits for a minute.
const SOON: Duration = Duration::from_secs(5);

/// What is known of an upload from the beginning.
#[derive(Clone, Debug, Default)]
pub struct UploadOptions {
    /// Its length, if known: another one makes no object.
    pub length: Option<u64>,
    /// Ends the object where nothing was written for so long, before the store loses patience. Only where the length is open.
    pub end_when_idle: Option<Duration>,
    /// Notes: names without `X-Object-Meta-`.
    pub notes: Vec<(&'static str, String)>,
}

/// What became of a piece.
#[derive(Debug)]
pub enum Taken {
    /// It is on its way.
    Yes,
    /// The object had been ended because nothing came for a while; this piece is not in it.
    Ended(Finished, Bytes),
}

/// An object that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The tag that the store gave it: the MD5 of its bytes.
    pub etag: String,
    /// Its length.
    pub size: u64,
}

/// An object on its way. Dropping it cuts it off.
#[derive(Debug)]
pub struct ObjectUpload {
    store: ObjectStore,
    object: Arc<str>,
    options: UploadOptions,
    flight: Flight,
    /// Taken and not yet sent, never nothing once something was taken.
    held: BytesMut,
    last_sent: Instant,
    /// All that was sent, while it fits.
    replay: Option<VecDeque<Bytes>>,
    replay_bytes: usize,
    sent: u64,
    attempt: u32,
    entered_again: bool,
}

/// One request.
#[derive(Debug)]
struct Flight {
    queue: mpsc::Sender<Bytes>,
    ended: Arc<AtomicBool>,
    task: JoinSet<Result<String, Trouble>>,
}

/// Why a request came to nothing.
#[derive(Debug)]
enum Trouble {
    Unauthorized,
    Passing(Error),
    Final(Error),
}

impl ObjectStore {
    /// Begins an object.
    #[must_use]
    pub fn upload(&self, object: &str, options: UploadOptions) -> ObjectUpload {
        let object: Arc<str> = object.into();
        let flight = Flight::start(self.clone(), Arc::clone(&object), options.clone());
        ObjectUpload {
            store: self.clone(),
            object,
            options,
            flight,
            held: BytesMut::new(),
            last_sent: Instant::now(),
            replay: Some(VecDeque::new()),
            replay_bytes: 0,
            sent: 0,
            attempt: 1,
            entered_again: false,
        }
    }
}

impl ObjectUpload {
    /// So many bytes were taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.sent + self.held.len() as u64
    }

    /// Takes more bytes; waits while the store is slower.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<Taken, Error> {
        while !bytes.is_empty() {
            let room = PIECE.saturating_sub(self.held.len());
            let now = bytes.split_to(bytes.len().min(room));
            self.held.extend_from_slice(&now);
            // Something follows, so that nothing has to be held back.
            if !bytes.is_empty() {
                let piece = self.held.split().freeze();
                if let Some(ended) = self.send(piece).await? {
                    return Ok(ended.with(&bytes));
                }
            }
        }
        if self.held.len() > 1 && self.last_sent.elapsed() > SOON {
            let piece = self.held.split_to(self.held.len() - 1).freeze();
            if let Some(ended) = self.send(piece).await? {
                return Ok(ended.with(&self.held.split()));
            }
        }
        Ok(Taken::Yes)
    }

    /// Sends also what was held back. Only where the length is open, or for the last bytes.
    pub async fn flush(&mut self) -> Result<Taken, Error> {
        if self.held.is_empty() {
            return Ok(Taken::Yes);
        }
        let piece = self.held.split().freeze();
        Ok(self.send(piece).await?.map_or(Taken::Yes, |ended| ended.with(&[])))
    }

    /// Makes the object appear, with what was written and is not in it because nothing came for a while.
    pub async fn finish(mut self) -> Result<(Finished, Bytes), Error> {
        if let Taken::Ended(object, left) = self.flush().await? {
            return Ok((object, left));
        }
        loop {
            self.flight.end();
            match self.flight.outcome(self.store.limits().long_answer).await {
                Ok(etag) => return Ok((Finished { etag, size: self.sent }, Bytes::new())),
                Err(trouble) => self.begin_again(trouble).await?,
            }
        }
    }

    /// Puts a piece on its way. `Some`: the object had been ended before.
    async fn send(&mut self, piece: Bytes) -> Result<Option<Ended>, Error> {
        let size = piece.len();
        if let Some(replay) = &mut self.replay {
            if self.replay_bytes + size <= self.store.limits().replay {
                replay.push_back(piece.clone());
                self.replay_bytes += size;
            } else {
                self.replay = None;
            }
        }
        match self.flight.send(piece.clone(), self.store.limits().stall).await {
            Sent::Yes => {}
            Sent::Late => return Err(Error::Timeout { service: SERVICE }),
            Sent::Closed => match self.flight.outcome(self.store.limits().long_answer).await {
                Ok(etag) => return Ok(Some(Ended { object: Finished { etag, size: self.sent }, left: piece })),
                Err(trouble) => self.begin_again(trouble).await?,
            },
        }
        self.sent += size as u64;
        self.last_sent = Instant::now();
        Ok(None)
    }

    /// Cuts it off; when this returns, nothing of it will appear any more.
    pub async fn abort(mut self) {
        self.flight.task.shutdown().await;
    }

    /// Sends everything so far with another request.
    async fn begin_again(&mut self, mut trouble: Trouble) -> Result<(), Error> {
        loop {
            let (error, refused) = match trouble {
                Trouble::Final(error) => return Err(error),
                Trouble::Unauthorized => (self.unauthorized(), true),
                Trouble::Passing(error) => (error, false),
            };
            let Some(replay) = self.replay.clone() else { return Err(error) };
            let spent = if refused { self.entered_again } else { self.attempt >= self.store.retry().attempts };
            if spent {
                return Err(error);
            }
            if refused {
                self.entered_again = true;
            } else {
                self.store.pause(self.attempt, &error).await;
                self.attempt += 1;
            }
            self.flight = Flight::start(self.store.clone(), Arc::clone(&self.object), self.options.clone());
            match self.flight.send_all(replay, self.store.limits()).await {
                Ok(()) => return Ok(()),
                Err(again) => trouble = again,
            }
        }
    }

    fn unauthorized(&self) -> Error {
        self.store.unauthorized(&Call::new(Method::PUT, Target::Object(&self.object)))
    }
}

/// An object that is complete without this piece.
struct Ended {
    object: Finished,
    left: Bytes,
}

impl Ended {
    fn with(self, more: &[u8]) -> Taken {
        Taken::Ended(self.object, [&self.left[..], more].concat().into())
    }
}

/// What came of putting a piece into the queue.
enum Sent {
    Yes,
    Closed,
    Late,
}

impl Flight {
    fn start(store: ObjectStore, object: Arc<str>, options: UploadOptions) -> Self {
        let (queue, pieces) = mpsc::channel(QUEUE);
        let ended = Arc::new(AtomicBool::new(false));
        let body = body(pieces, Arc::clone(&ended), options.end_when_idle);
        let mut task = JoinSet::new();
        task.spawn(async move { run(&store, &object, &options, body).await });
        Self { queue, ended, task }
    }

    async fn send(&mut self, piece: Bytes, limit: Duration) -> Sent {
        match tokio::time::timeout(limit, self.queue.send(piece)).await {
            Ok(Ok(())) => Sent::Yes,
            Ok(Err(_)) => Sent::Closed,
            Err(_) => Sent::Late,
        }
    }

    async fn send_all(&mut self, pieces: VecDeque<Bytes>, limits: &super::StoreLimits) -> Result<(), Trouble> {
        for piece in pieces {
            match self.send(piece, limits.stall).await {
                Sent::Yes => {}
                Sent::Late => return Err(Trouble::Final(Error::Timeout { service: SERVICE })),
                Sent::Closed => {
                    let early = Error::unreadable(SERVICE, "an upload was answered before its end");
                    return Err(self.outcome(limits.long_answer).await.err().unwrap_or(Trouble::Final(early)));
                }
            }
        }
        Ok(())
    }

    /// Says that the body is whole.
    fn end(&mut self) {
        self.ended.store(true, Ordering::Release);
        // Whoever still has the old end of the queue sends into nothing.
        let (nowhere, _) = mpsc::channel(1);
        self.queue = nowhere;
    }

    async fn outcome(&mut self, limit: Duration) -> Result<String, Trouble> {
        match tokio::time::timeout(limit, self.task.join_next()).await {
            Err(_) => {
                self.task.abort_all();
                Err(Trouble::Passing(Error::Timeout { service: SERVICE }))
            }
            Ok(Some(Ok(outcome))) => outcome,
            Ok(Some(Err(_)) | None) => {
                Err(Trouble::Final(Error::unreadable(SERVICE, "the upload was ended by somebody else")))
            }
        }
    }
}

/// The pieces as a body that breaks off unless its end was said.
fn body(
    pieces: mpsc::Receiver<Bytes>,
    ended: Arc<AtomicBool>,
    idle: Option<Duration>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some((pieces, ended)), move |state| async move {
        let (mut pieces, ended) = state?;
        loop {
            let next = match idle {
                None => pieces.recv().await,
                Some(idle) => match tokio::time::timeout(idle, pieces.recv()).await {
                    Ok(next) => next,
                    Err(_) => {
                        // What is in the queue is still taken, and nothing more gets in.
                        ended.store(true, Ordering::Release);
                        pieces.close();
                        continue;
                    }
                },
            };
            return match next {
                Some(piece) => Some((Ok(piece), Some((pieces, ended)))),
                None if ended.load(Ordering::Acquire) => None,
                None => Some((Err(io::ErrorKind::ConnectionAborted.into()), None)),
            };
        }
    })
}

/// The request; its limit of time is the writer's, who knows whether something moves.
async fn run(
    store: &ObjectStore,
    object: &str,
    options: &UploadOptions,
    body: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Result<String, Trouble> {
    let shared = &store.shared;
    let entry = shared.access.enter(&shared.clock).await.map_err(in_time)?;
    let mut call = Call::new(Method::PUT, Target::Object(object)).header("content-type", "application/octet-stream");
    if let Some(length) = options.length {
        call = call.header("content-length", &length.to_string());
    }
    call.notes(&options.notes);
    let outcome = store.once(&call, &entry, Some(Body::wrap_stream(body)), Duration::MAX, None).await;
    match outcome.map_err(Trouble::Final)? {
        Outcome::Answer(response) => Ok(ObjectHead::of(response.headers()).etag.unwrap_or_default()),
        Outcome::Unauthorized => {
            // The next attempt finds a new token.
            shared.access.enter_again(&shared.clock, &entry).await.map_err(in_time)?;
            Err(Trouble::Unauthorized)
        }
        Outcome::Passing(error) => Err(Trouble::Passing(error)),
    }
}

fn in_time(error: Error) -> Trouble {
    if error.is_temporary() { Trouble::Passing(error) } else { Trouble::Final(error) }
}
