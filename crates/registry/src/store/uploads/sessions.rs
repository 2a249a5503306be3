//! The uploads that this process knows.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jeroboam_blobs::Upload;
use jeroboam_model::Timestamp;
use jeroboam_oci::{Algorithm, RepositoryName, UploadId};
use moka::sync::Cache;
use rand::RngExt as _;
use tokio::sync::Notify;

use super::{Result, SessionRecord, StoreError};
use crate::store::hashing::Hashing;

/// How long an upload is known that nobody asks about, in seconds: with bytes, and without.
const IDLE: i64 = 3600;
const IDLE_EMPTY: i64 = 60;

/// How many uploads are remembered to have ended, so that their locations do not begin new ones.
const ENDED: u64 = 20_000;

/// The uploads that this process knows.
pub(in crate::store) struct Sessions {
    live: Mutex<HashMap<UploadId, Arc<Session>>>,
    ended: Cache<UploadId, ()>,
    most: usize,
    /// Who writes records: another one for each process.
    instance: Box<str>,
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
    pub(super) hashes: Hashing,
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

impl State {
    pub(super) fn empty(id: &UploadId, algorithm: Option<Algorithm>) -> Self {
        Self {
            data: SessionRecord::new_data(id),
            offset: 0,
            hashes: Hashing::new(algorithm),
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

    /// Whether it is remembered. One that somebody works on is.
    fn is_alive(&self, now: Timestamp) -> bool {
        let idle = now.as_second() - self.used.load(Ordering::Relaxed);
        match self.state.try_lock() {
            Ok(state) => idle < if state.is_fresh() { IDLE_EMPTY } else { IDLE },
            Err(_) => true,
        }
    }
}

impl Sessions {
    pub(in crate::store) fn new(most: usize) -> Self {
        let instance = UploadId::of_random(rand::rng().random()).to_string().into();
        let ended = Cache::builder().max_capacity(ENDED).time_to_live(Duration::from_secs(3600)).build();
        Self { live: Mutex::default(), ended, most, instance }
    }

    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    fn live(&self) -> MutexGuard<'_, HashMap<UploadId, Arc<Session>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: &UploadId) -> Option<Arc<Session>> {
        self.live().get(id).cloned()
    }

    pub(super) fn has_ended(&self, id: &UploadId) -> bool {
        self.ended.contains_key(id)
    }

    /// Lets an upload in, unless there are too many of its kind. Where there are too many of all, the one that rests for the longest time is forgotten, and is
    /// found again when it goes on: nobody keeps others out by beginning many.
    pub(super) fn admit(&self, session: Session, limits: Option<Limits>, now: Timestamp) -> Result<Arc<Session>> {
        let mut live = self.live();
        live.retain(|_, session| session.is_alive(now));
        let too_many = |what: &str| StoreError::TooMany { what: what.to_owned(), retry_after: Duration::from_secs(5) };
        if let Some(limits) = limits {
            let of_account = live.values().filter(|other| other.account == session.account).count();
            let of_repository = live.values().filter(|other| other.repository == session.repository).count();
            if session.account.is_some() && of_account >= limits.per_account {
                return Err(too_many("too many uploads of one account at once"));
            }
            if of_repository >= limits.per_repository {
                return Err(too_many("too many uploads into one repository at once"));
            }
        }
        if live.len() >= self.most && !live.contains_key(&session.id) {
            let rests = live.iter().filter(|(_, other)| other.rests()).min_by_key(|(_, other)| other.used());
            let id = rests.map(|(id, _)| id.clone()).ok_or_else(|| too_many("too many uploads at once"))?;
            live.remove(&id);
        }
        Ok(live.entry(session.id.clone()).or_insert_with(|| Arc::new(session)).clone())
    }

    /// Forgets an upload that ended here.
    pub(super) fn end(&self, id: &UploadId) {
        self.ended.insert(id.clone(), ());
        self.live().remove(id);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_uploads_unfinished_is_in_nobody_elses_way() {
        let sessions = Sessions::new(100);
        let limits = Some(Limits { per_account: 2, per_repository: 100 });
        let now = Timestamp::from_second(1_000_000).expect("a time");
        let begin = |number: u8, account: Option<&str>| {
            let (id, account) = (UploadId::of_random([number; 16]), account.map(str::to_owned));
            let (repository, state) = ("p-1/app".parse().expect("a name"), State::empty(&id, None));
            sessions.admit(Session::new(repository, id, account, now, now, state), limits, now).map(drop)
        };
        for (number, account, is_let_in) in [
            (1, Some("robot"), true),
            (2, Some("robot"), true),
            (3, Some("robot"), false),
            (4, Some("ada"), true),
            (5, None, true),
            (6, None, true),
            (7, None, true),
        ] {
            let begun = begin(number, account);
            assert_eq!(begun.is_ok(), is_let_in, "{number} {account:?}: {begun:?}");
        }
    }
}
