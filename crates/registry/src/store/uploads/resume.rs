//! Finding an upload: in this process, in the store, among distribution's, or by its token alone.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::Freshness;
use tokio::sync::MutexGuard;
use tracing::warn;

use super::{Result, Session, SessionRecord, State, Store, StoreError, UploadRef};
use crate::store::quota::Room;

/// How long somebody waits for another request that works on the same upload.
const TURN: Duration = Duration::from_secs(10);

/// How long the token of an upload without bytes is believed.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Longest record.
const RECORD: u64 = 1 << 20;

/// The turn of a request to work on an upload. When it is over, what the upload holds then counts for its namespaces until somebody has the next one.
pub(super) struct Turn<'a> {
    /// What the request takes of quotas. It goes before the state does: whoever has the turn next finds what this one left.
    pub(super) room: Room<'a>,
    pub(super) state: MutexGuard<'a, State>,
}

impl Store {
    pub(super) async fn session(&self, upload: &UploadRef) -> Result<Arc<Session>> {
        if let Some(session) = self.sessions.get(&upload.id) {
            session.touch(self.clock.now());
            return if session.repository == upload.repository { Ok(session) } else { Err(StoreError::UploadUnknown) };
        }
        if self.sessions.has_ended(&upload.id) {
            return Err(StoreError::UploadUnknown);
        }
        // What has bytes was let in before. What has nothing but its token was, too, and may have been forgotten since: there may be any number of those.
        let (state, started, account, limits) = if let Some(record) = self.read_record(upload).await? {
            let (started, account) = (record.started, record.account.clone());
            (self.state_of(record)?, started, account, None)
        } else if let Some((state, started)) = self.adopt(upload).await? {
            (state, started, upload.account.clone(), None)
        } else {
            let (state, started) = (State::empty(&upload.id, None), self.believed(upload).await?);
            (state, started, upload.account.clone(), Some(self.upload_limits()))
        };
        let now = self.clock.now();
        let session = Session::new(upload.repository.clone(), upload.id.clone(), account, started, now, state);
        self.sessions.admit(session, limits, now)
    }

    /// Takes the turn to work on an upload, and sees to it that what we know is what is stored.
    pub(super) async fn enter<'a>(&'a self, session: &'a Session, upload: &UploadRef) -> Result<Turn<'a>> {
        let turn = match session.state.try_lock() {
            Ok(turn) => Ok(turn),
            Err(_) => {
                session.wants_turn();
                tokio::time::timeout(TURN, session.state.lock()).await
            }
        };
        let mut state = turn.map_err(|_| StoreError::TooMany {
            what: "another request is working on the same upload".to_owned(),
            retry_after: Duration::from_secs(2),
        })?;
        self.refresh(session, &mut state, upload).await?;
        let room = self.quotas.room_of_upload(&session.repository, &session.id, state.offset);
        Ok(Turn { room, state })
    }

    /// Another process may have gone on with the upload. A token with our own last answer says that none has.
    async fn refresh(&self, session: &Session, state: &mut State, upload: &UploadRef) -> Result<()> {
        let told = match &upload.token {
            Some(token) => self.read_token(token, upload).await?.map(|token| token.offset),
            None => None,
        };
        if told == Some(state.offset) && !state.ended {
            return Ok(());
        }
        self.reload(session, state, upload).await
    }

    /// Takes what is stored for what is.
    pub(super) async fn reload(&self, session: &Session, state: &mut State, upload: &UploadRef) -> Result<()> {
        if state.ended {
            return Err(StoreError::UploadUnknown);
        }
        match self.read_record(upload).await? {
            Some(record) if record.writer != self.sessions.instance() => {
                session.set_durable(record.offset());
                *state = self.state_of(record)?;
            }
            // What we wrote last we know.
            Some(_) => {}
            None if state.saved.is_some() => {
                state.ended = true;
                self.sessions.end(&session.id);
                return Err(StoreError::UploadUnknown);
            }
            None => {}
        }
        Ok(())
    }

    /// What is known of an upload that the store has a record of.
    pub(super) fn state_of(&self, record: SessionRecord) -> Result<State> {
        let damaged = || StoreError::Unavailable("what is stored of the upload makes no sense".to_owned());
        Ok(State {
            offset: record.offset(),
            hashes: record.hashes().ok_or_else(damaged)?.into(),
            upload: None,
            data: record.data.clone(),
            handed_over: record.handed_over || record.writer != self.sessions.instance(),
            foreign: record.foreign,
            saved: Some(record),
            ended: false,
        })
    }

    async fn read_record(&self, upload: &UploadRef) -> Result<Option<SessionRecord>> {
        let path = SessionRecord::path(&upload.id);
        let Some(bytes) = self.read_small(&path, Freshness::Newest, RECORD).await? else { return Ok(None) };
        let record = parse(&path, &bytes);
        Ok(record.filter(|record| record.repository == upload.repository))
    }

    /// When an upload began that has nothing but its token.
    async fn believed(&self, upload: &UploadRef) -> Result<jeroboam_model::Timestamp> {
        let token = match &upload.token {
            Some(token) => self.read_token(token, upload).await?,
            None => None,
        };
        let token = token.filter(|token| token.offset == 0).ok_or(StoreError::UploadUnknown)?;
        let age = self.clock.now().duration_since(token.started);
        let young = age.is_negative() || age.unsigned_abs() < TOKEN_LIFE;
        if young { Ok(token.started) } else { Err(StoreError::UploadUnknown) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.room.leaves(if self.state.ended { 0 } else { self.state.offset });
    }
}

impl Deref for Turn<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

/// A record that cannot be read is one of an upload that cannot go on.
fn parse(path: &str, bytes: &Bytes) -> Option<SessionRecord> {
    match serde_json::from_slice(bytes) {
        Ok(record) => Some(record),
        Err(error) => {
            warn!(%path, %error, "the record of an upload is damaged and counts as absent");
            None
        }
    }
}
