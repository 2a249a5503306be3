//! The uploads that this process knows.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jeroboam_blobs::Upload;
use jeroboam_model::Timestamp;
use jeroboam_oci::{Algorithm, Digest, Hasher, RepositoryName, UploadId};
use moka::sync::Cache;
use rand::RngExt as _;
use tokio::sync::Notify;

use super::{Result, SessionRecord, StoreError, UploadRef};

/// How long an upload is known that nobody asks about, in seconds: with bytes, and without.
const IDLE: i64 = 3600;
const IDLE_EMPTY: i64 = 60;

/// How long it is remembered whose an upload is that is in the store alone, in seconds: as long as such uploads are kept, unless somebody set another age.
const RESTS: i64 = 7 * 24 * 3600;

/// How many uploads are remembered to have ended, so that their locations do not begin new ones.
const ENDED: u64 = 20_000;

/// The uploads that this process knows.
pub(in crate::store) struct Sessions {
    known: Mutex<Known>,
    ended: Cache<UploadId, ()>,
    most: usize,
    /// Who writes records: another one for each process.
    instance: Box<str>,
}

/// What is known of uploads that are not over.
#[derive(Default)]
struct Known {
    live: HashMap<UploadId, Arc<Session>>,
    /// Those with bytes that nobody has gone on with for long, or that there was no room for: they are in the store alone, and still count for their accounts.
    resting: HashMap<UploadId, Resting>,
}

/// An upload that is in the store alone.
struct Resting {
    repository: RepositoryName,
    account: String,
    used: i64,
}

/// An upload.
pub(in crate::store) struct Session {
    pub(super) repository: RepositoryName,
    pub(super) id: UploadId,
    pub(super) account: Option<String>,
    pub(super) started: Timestamp,
    used: AtomicI64,
    durable: AtomicU64,
    /// Requests that came while another was at work.
    newer: AtomicU64,
    came: Notify,
    pub(super) state: tokio::sync::Mutex<State>,
}

/// How far an upload is. Whoever holds it is the only one that works on the upload in this process.
pub(in crate::store) struct State {
    pub(super) offset: u64,
    pub(super) hashes: Hashes,
    /// Open where bytes came in this process.
    pub(super) upload: Option<Box<dyn Upload>>,
    /// Where its bytes are meanwhile.
    pub(super) data: String,
    /// What the store has of it; nothing of an upload without bytes.
    pub(super) saved: Option<SessionRecord>,
    /// Whether several processes may have written it, so that what was hashed need not be what is stored.
    pub(super) handed_over: bool,
    /// Whether distribution began it.
    pub(super) foreign: bool,
    pub(super) ended: bool,
}

/// The digests that are made while bytes come.
#[derive(Clone, Debug)]
pub(in crate::store) struct Hashes {
    /// What the store sorts by.
    pub(super) sha256: Hasher,
    /// What the client said that it would name.
    pub(super) sha512: Option<Hasher>,
}

impl Hashes {
    pub(super) fn new(algorithm: Option<Algorithm>) -> Self {
        let sha512 = (algorithm == Some(Algorithm::Sha512)).then(|| Hasher::new(Algorithm::Sha512));
        Self { sha256: Hasher::new(Algorithm::Sha256), sha512 }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    /// The digest of what came; `None` of an algorithm that was not asked for in time.
    pub(super) fn digest(&self, algorithm: Algorithm) -> Option<Digest> {
        match algorithm {
            Algorithm::Sha256 => Some(self.sha256.clone().finish()),
            Algorithm::Sha512 => self.sha512.clone().map(Hasher::finish),
        }
    }
}

impl State {
    pub(super) fn empty(id: &UploadId, algorithm: Option<Algorithm>) -> Self {
        Self {
            data: SessionRecord::new_data(id),
            offset: 0,
            hashes: Hashes::new(algorithm),
            upload: None,
            saved: None,
            handed_over: false,
            foreign: false,
            ended: false,
        }
    }

    /// Whether not a byte has come.
    pub(super) fn is_fresh(&self) -> bool {
        self.offset == 0 && self.upload.is_none() && self.saved.is_none()
    }
}

impl Session {
    pub(super) fn new(
        repository: RepositoryName,
        id: UploadId,
        account: Option<String>,
        started: Timestamp,
        now: Timestamp,
        state: State,
    ) -> Self {
        let durable = AtomicU64::new(state.saved.as_ref().map_or(0, SessionRecord::offset));
        let used = AtomicI64::new(now.as_second());
        let (newer, came, state) = (AtomicU64::new(0), Notify::new(), tokio::sync::Mutex::new(state));
        Self { repository, id, account, started, used, durable, newer, came, state }
    }

    pub(super) fn touch(&self, now: Timestamp) {
        self.used.store(now.as_second(), Ordering::Relaxed);
    }

    /// So many bytes are safe.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn set_durable(&self, offset: u64) {
        self.durable.store(offset, Ordering::Release);
    }

    /// So many requests came while another was at work.
    pub(super) fn newer(&self) -> u64 {
        self.newer.load(Ordering::Acquire)
    }

    /// Says to who is at work that a newer request is here: whoever waits for bytes of a connection that is lost stops waiting.
    pub(super) fn wants_turn(&self) {
        self.newer.fetch_add(1, Ordering::AcqRel);
        self.came.notify_waiters();
    }

    /// Resolves when a request came after those that were known.
    pub(super) async fn superseded(&self, known: u64) {
        loop {
            let mut came = std::pin::pin!(self.came.notified());
            came.as_mut().enable();
            if self.newer() != known {
                return;
            }
            came.await;
        }
    }

    fn used(&self) -> i64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether nobody works on it, or is about to, and the store knows as much of it as we do. Asked under the lock of those that are known.
    fn rests(self: &Arc<Self>) -> bool {
        let known =
            |state: &State| state.is_fresh() || state.saved.as_ref().map(SessionRecord::offset) == Some(state.offset);
        Arc::strong_count(self) == 1 && self.state.try_lock().is_ok_and(|state| known(&state))
    }

    /// What is remembered of it when it is in the store alone; nothing of one that has no bytes there, or counts for nobody.
    fn resting(&self) -> Option<Resting> {
        let account = self.account.clone().filter(|_| self.durable() > 0)?;
        Some(Resting { repository: self.repository.clone(), account, used: self.used() })
    }

    /// Whether it is remembered. One that somebody works on is.
    fn is_alive(&self, now: Timestamp) -> bool {
        let idle = now.as_second() - self.used();
        match self.state.try_lock() {
            Ok(state) => idle < if state.is_fresh() { IDLE_EMPTY } else { IDLE },
            Err(_) => true,
        }
    }
}

impl Known {
    /// Lets go of what nobody has gone on with for long. No more than `most` are remembered of those that are in the store alone.
    fn tidy(&mut self, now: Timestamp, most: usize) {
        let idle: Vec<_> = self.live.extract_if(|_, session| !session.is_alive(now)).collect();
        for (_, session) in idle {
            self.rest(&session, most);
        }
        self.resting.retain(|_, upload| now.as_second() - upload.used < RESTS);
    }

    fn rest(&mut self, session: &Session, most: usize) {
        if self.resting.len() < most
            && let Some(resting) = session.resting()
        {
            self.resting.insert(session.id.clone(), resting);
        }
    }

    fn of_account(&self, account: &str) -> usize {
        let live = self.live.values().filter(|session| session.account.as_deref() == Some(account));
        live.count() + self.resting.values().filter(|upload| upload.account == account).count()
    }

    /// Refuses an upload of which there are too many of its kind. Into a repository, those count that somebody goes on with: what one client leaves there keeps no
    /// others out.
    fn check(&self, session: &Session, limits: Limits) -> Result<()> {
        if session.account.as_deref().is_some_and(|account| self.of_account(account) >= limits.per_account) {
            return Err(too_many("too many uploads of one account at once"));
        }
        let of_repository = self.live.values().filter(|other| other.repository == session.repository).count();
        if of_repository >= limits.per_repository {
            return Err(too_many("too many uploads into one repository at once"));
        }
        Ok(())
    }
}

impl Sessions {
    pub(in crate::store) fn new(most: usize) -> Self {
        let instance = UploadId::of_random(rand::rng().random()).to_string().into();
        let ended = Cache::builder().max_capacity(ENDED).time_to_live(Duration::from_secs(3600)).build();
        Self { known: Mutex::default(), ended, most, instance }
    }

    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: &UploadId) -> Option<Arc<Session>> {
        self.known().live.get(id).cloned()
    }

    pub(super) fn has_ended(&self, id: &UploadId) -> bool {
        self.ended.contains_key(id)
    }

    /// Lets an upload in, unless there are too many of its kind. Where there are too many of all, the one that rests for the longest time is forgotten, and is
    /// found again when it goes on: nobody keeps others out by beginning many.
    pub(super) fn admit(&self, session: Session, limits: Option<Limits>, now: Timestamp) -> Result<Arc<Session>> {
        let mut known = self.known();
        known.tidy(now, self.most);
        if let Some(limits) = limits {
            known.check(&session, limits)?;
        }
        known.resting.remove(&session.id);
        if known.live.len() >= self.most && !known.live.contains_key(&session.id) {
            let rests = known.live.iter().filter(|(_, other)| other.rests()).min_by_key(|(_, other)| other.used());
            let id = rests.map(|(id, _)| id.clone()).ok_or_else(|| too_many("too many uploads at once"))?;
            if let Some(other) = known.live.remove(&id) {
                known.rest(&other, self.most);
            }
        }
        Ok(known.live.entry(session.id.clone()).or_insert_with(|| Arc::new(session)).clone())
    }

    /// Where another upload of an account would be one more than `most`: the one of them that nobody has gone on with for the longest time, and for long.
    pub(super) fn one_too_many(&self, account: &str, most: usize, now: Timestamp) -> Option<UploadRef> {
        let mut known = self.known();
        known.tidy(now, self.most);
        if known.of_account(account) < most {
            return None;
        }
        let of_account = known.resting.iter().filter(|(_, upload)| upload.account == account);
        let (id, upload) = of_account.min_by_key(|(_, upload)| upload.used)?;
        // One that was forgotten only for want of room may still go on.
        if now.as_second() - upload.used < IDLE {
            return None;
        }
        let (repository, account) = (upload.repository.clone(), Some(account.to_owned()));
        Some(UploadRef { repository, id: id.clone(), token: None, account })
    }

    /// Forgets an upload that ended here.
    pub(super) fn end(&self, id: &UploadId) {
        self.ended.insert(id.clone(), ());
        let mut known = self.known();
        known.live.remove(id);
        known.resting.remove(id);
    }
}

fn too_many(what: &str) -> StoreError {
    StoreError::TooMany { what: what.to_owned(), retry_after: Duration::from_secs(5) }
}

/// How many uploads there may be at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) per_account: usize,
    pub(super) per_repository: usize,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("repository", &self.repository).field("id", &self.id).finish_non_exhaustive()
    }
}
