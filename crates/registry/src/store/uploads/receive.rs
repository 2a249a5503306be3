//! The bytes of an upload: taken, hashed, made durable.

use bytes::Bytes;
use futures::StreamExt;
use jeroboam_blobs::{Condition, Kind, Upload, UploadState};
use jeroboam_oci::UploadId;
use jeroboam_oci::range::ChunkRange;
use tracing::warn;

use super::record::hash_text;
use super::{Chunk, Result, Session, SessionRecord, State, Store, StoreError};
use crate::http::failure::chain;
use crate::store::BodyError;
use crate::store::hashing::{Hashes, Hashing};
use crate::store::quota::Room;

impl Store {
    /// Takes the bytes of a request that makes a blob of them, which then takes the room that it needs.
    pub(super) async fn receive(&self, session: &Session, state: &mut State, chunk: Chunk) -> Result<()> {
        let mut room = self.quotas.room_uncounted(&session.repository);
        self.receive_into(&mut room, session, state, chunk).await
    }

    /// Takes the bytes of a request. Where they end early, those that came are made durable; where they are not as announced, none counts.
    pub(super) async fn receive_into(
        &self,
        room: &mut Room<'_>,
        session: &Session,
        state: &mut State,
        chunk: Chunk,
    ) -> Result<()> {
        let Chunk { range, length, mut body } = chunk;
        if let Some(range) = range {
            range.check(state.offset, length)?;
        }
        let begin = state.offset;
        let expected = range.map(ChunkRange::length).or(length);
        let mut unsaved = 0;
        room.counted().await?;
        room.bytes(state.offset).await?;
        // A client that came back does not wait for its own lost connection.
        let known = session.newer();
        loop {
            let piece = tokio::select! {
                piece = body.next() => piece,
                () = session.superseded(known) => {
                    Some(Err(BodyError::Cut("a newer request goes on with the upload".to_owned())))
                }
            };
            let piece = match piece {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => {
                    self.save(session, state).await?;
                    return Err(error.into());
                }
                None => break,
            };
            unsaved += piece.len() as u64;
            room.bytes(piece.len() as u64).await?;
            self.write(session, state, piece).await?;
            if unsaved >= self.config.checkpoint {
                self.save(session, state).await?;
                unsaved = 0;
            }
        }
        let found = state.offset - begin;
        match expected {
            Some(expected) if expected != found => {
                self.forget_unsaved(session, state).await?;
                Err(StoreError::SizeMismatch { expected, found })
            }
            _ => Ok(()),
        }
    }

    async fn write(&self, session: &Session, state: &mut State, piece: Bytes) -> Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        if state.upload.is_none() {
            let from = state.saved.as_ref().map(|saved| saved.upload.clone());
            let goes_on = from.is_some();
            state.upload = Some(match self.blobs.upload(&state.data, from).await {
                Err(error) if goes_on && error.kind() == Kind::Broken => return Err(cannot_go_on(&session.id, &error)),
                opened => opened?,
            });
        }
        let upload = state.upload.as_mut().expect("it was opened above");
        state.offset += piece.len() as u64;
        let written = match state.hashes.update(piece.clone()).await {
            Ok(()) => upload.write(piece).await.map_err(StoreError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            self.fall_back(session, state)?;
            return Err(error);
        }
        Ok(())
    }

    /// Makes all that came durable, and the record of it.
    pub(super) async fn save(&self, session: &Session, state: &mut State) -> Result<()> {
        let saved = state.saved.as_ref().map_or(0, SessionRecord::offset);
        let Some(upload) = state.upload.as_mut().filter(|_| state.offset != saved) else { return Ok(()) };
        let record = match saved_as(upload.as_mut(), &mut state.hashes).await {
            Ok((upload, hashes)) => SessionRecord {
                repository: session.repository.clone(),
                started: session.started,
                account: session.account.clone(),
                writer: self.sessions.instance().to_owned(),
                handed_over: state.handed_over,
                foreign: state.foreign,
                data: state.data.clone(),
                upload,
                sha256: hash_text(&hashes.sha256),
                sha512: hashes.sha512.as_ref().map(hash_text),
            },
            Err(error) => {
                self.fall_back(session, state)?;
                return Err(error);
            }
        };
        let text = serde_json::to_vec(&record).expect("a record has string keys only");
        if let Err(error) = self.blobs.put(&SessionRecord::path(&session.id), text.into(), Condition::Always).await {
            self.fall_back(session, state)?;
            return Err(error.into());
        }
        session.set_durable(record.offset());
        state.saved = Some(record);
        Ok(())
    }

    /// Forgets what came since the upload was last saved, for it does not count. Where nothing was saved before, no record leads to the bytes: they go at
    /// once, or else anybody could leave any number of them.
    async fn forget_unsaved(&self, session: &Session, state: &mut State) -> Result<()> {
        if state.saved.is_none()
            && let Err(error) = self.drop_unsaved(state).await
        {
            warn!(upload = %session.id, error = chain(&error), "bytes that do not count are left, and are swept later");
        }
        self.fall_back(session, state)
    }

    async fn drop_unsaved(&self, state: &mut State) -> Result<()> {
        let Some(mut upload) = state.upload.take() else { return Ok(()) };
        // What the place does not know of it cannot forget.
        let kept = upload.save().await?;
        drop(upload);
        self.blobs.discard_upload(&state.data, &kept).await?;
        Ok(())
    }

    /// Forgets what came since the upload was last saved: the place of objects may have any part of it. It may also have failed because another process
    /// goes on with it, so that what is stored is looked at before it is believed.
    pub(super) fn fall_back(&self, session: &Session, state: &mut State) -> Result<()> {
        match state.saved.take() {
            Some(record) => {
                session.set_durable(record.offset());
                *state = self.state_of(record)?;
                state.handed_over = true;
            }
            None => {
                state.upload = None;
                state.data = SessionRecord::new_data(&session.id);
                state.offset = 0;
                state.hashes = Hashing::new(state.hashes.algorithm());
            }
        }
        Ok(())
    }
}

/// How far the place has an upload, and the digests up to there.
async fn saved_as<'a>(upload: &mut dyn Upload, hashing: &'a mut Hashing) -> Result<(UploadState, &'a Hashes)> {
    let hashes = hashing.all().await?;
    Ok((upload.save().await?, hashes))
}

/// What the client of an upload is told whose bytes are not there any more. Where a process died after it had let go of them, or had made a blob of them, and
/// before it took the record away, asking again would never help: the client begins anew, and the record goes with all that rest for long.
fn cannot_go_on(id: &UploadId, error: &jeroboam_blobs::Error) -> StoreError {
    warn!(upload = %id, error = chain(error), "an upload cannot be gone on with: its client has to begin anew");
    StoreError::UploadUnknown
}
