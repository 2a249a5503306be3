//! The end of an upload: a blob, or nothing.

use futures::StreamExt;
use jeroboam_blobs::{ByteStream, Freshness, Upload};
use jeroboam_oci::range::ChunkRange;
use jeroboam_oci::{Algorithm, Digest, RepositoryName, UploadId, layout};
use rand::RngExt as _;
use tracing::warn;

use super::{Chunk, Result, Session, SessionRecord, State, Store, StoreError};
use crate::http::failure::chain;
use crate::store::hashing::{Hashes, Hashing};
use crate::store::ingest::check;
use crate::store::{BlobView, Incoming};

impl Store {
    pub(super) async fn finish_session(
        &self,
        session: &Session,
        state: &mut State,
        digest: &Digest,
        chunk: Chunk,
    ) -> Result<BlobView> {
        let done = if state.is_fresh() {
            if let Some(range) = chunk.range {
                range.check(0, chunk.length)?;
            }
            let length = chunk.range.map(ChunkRange::length).or(chunk.length);
            self.put_blob(&session.repository, digest, length, chunk.body).await
        } else {
            self.receive(session, state, chunk).await?;
            self.commit(session, state, digest).await
        };
        match done {
            Ok(blob) => {
                if let Err(error) = self.end(session, state).await {
                    // The blob is there. What is left of its upload is purged later.
                    warn!(upload = %session.id, error = chain(&error), "the record of a finished upload was not removed");
                }
                Ok(blob)
            }
            Err(error @ (StoreError::DigestMismatch { .. } | StoreError::OverQuota { .. })) => {
                self.discard(session, state).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a whole blob whose place is known only when all of it is there: the client names it by another algorithm.
    pub(in crate::store) async fn stage_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        body: Incoming,
    ) -> Result<BlobView> {
        let now = self.clock.now();
        let id = UploadId::of_random(rand::rng().random());
        let state = State::empty(&id, Some(digest.algorithm()));
        let session = Session::new(repository.clone(), id, None, now, now, state);
        let mut state = session.state.lock().await;
        // What is written down of it meanwhile is not counted a second time.
        let mut room = self.quotas.room_of_upload(repository, &session.id, 0);
        let chunk = Chunk { range: None, length: None, body };
        let taken = match self.receive_into(&mut room, &session, &mut state, chunk).await {
            Ok(()) => {
                drop(room);
                self.commit(&session, &mut state, digest).await
            }
            Err(error) => Err(error),
        };
        if taken.is_err() {
            self.discard(&session, &mut state).await?;
        }
        taken
    }

    /// Makes the bytes of an upload appear as a blob.
    async fn commit(&self, session: &Session, state: &mut State, digest: &Digest) -> Result<BlobView> {
        let hashes = match state.hashes.all().await {
            Ok(hashes) => hashes,
            Err(error) => {
                self.fall_back(session, state)?;
                return Err(error);
            }
        };
        let canonical = hashes.digest(Algorithm::Sha256).expect("it is always made");
        // Where the client names an algorithm only now, and where others wrote, too, what is stored is read once more before anybody sees it.
        let known = hashes.digest(digest.algorithm());
        let read_again = state.handed_over || known.is_none();
        if let Some(found) = known {
            check(digest, found)?;
        }
        let size = state.offset;
        let mut room = self.quotas.room(&session.repository).await?;
        room.blob(&canonical, size).await?;
        let _ = self.promise(&session.repository, &canonical).await?;
        let seat = self.flights.board(&canonical);
        {
            let _landing = seat.landing().await;
            let done = if read_again {
                self.land_read(state, &canonical, digest).await
            } else if self.look_for_promised(&canonical).await? == Some(size) {
                self.drop_bytes(state).await
            } else {
                self.appear(state, &canonical).await
            };
            if let Err(error) = done {
                // Of bytes that were not saved before, nobody knows now where they are.
                self.fall_back(session, state)?;
                return Err(error);
            }
            seat.land();
        }
        self.cache.sizes.wrote(canonical.clone(), size).await;
        self.link_blob(&session.repository, digest, &canonical, size).await?;
        Ok(BlobView { digest: digest.clone(), canonical, size })
    }

    /// Makes the bytes of an upload appear that were all seen on their way.
    async fn appear(&self, state: &mut State, canonical: &Digest) -> Result<()> {
        let upload = self.reopen(state).await?;
        Ok(upload.commit(&layout::blob(canonical)).await?)
    }

    /// Makes the bytes of an upload appear once they have been read, and are what they should be: several wrote them, or they are named by an algorithm that
    /// was not asked for in time.
    async fn land_read(&self, state: &mut State, canonical: &Digest, digest: &Digest) -> Result<()> {
        if self.look_for_promised(canonical).await? == Some(state.offset)
            && let Some(object) = self.blobs.read(&layout::blob(canonical), None, Freshness::Stored).await?
        {
            let hashes = hashed(object.body, digest.algorithm()).await?;
            // What is there and damaged is written anew.
            if hashes.digest(Algorithm::Sha256).as_ref() == Some(canonical) {
                compare(&hashes, digest)?;
                return self.drop_bytes(state).await;
            }
        }
        let mut upload = self.reopen(state).await?;
        let hashes = hashed(upload.stored().await?, digest.algorithm()).await?;
        let found = hashes.digest(Algorithm::Sha256).expect("it is always made");
        if found != *canonical {
            warn!(%canonical, %found, "an upload that went from one process to another is damaged, and is given up");
            return Err(StoreError::DigestMismatch { expected: canonical.clone(), found });
        }
        compare(&hashes, digest)?;
        Ok(upload.commit(&layout::blob(canonical)).await?)
    }

    /// The upload as far as it came.
    async fn reopen(&self, state: &mut State) -> Result<Box<dyn Upload>> {
        match state.upload.take() {
            Some(upload) => Ok(upload),
            None => Ok(self.blobs.upload(&state.data, state.saved.as_ref().map(|saved| saved.upload.clone())).await?),
        }
    }

    /// Gives an upload up, with all that it has.
    pub(super) async fn discard(&self, session: &Session, state: &mut State) -> Result<()> {
        if let Err(error) = self.drop_bytes(state).await {
            // The upload goes on where it was saved, and nothing of what came behind it counts.
            self.fall_back(session, state)?;
            return Err(error);
        }
        self.end(session, state).await
    }

    /// Lets go of the bytes of an upload.
    async fn drop_bytes(&self, state: &mut State) -> Result<()> {
        let kept = match state.upload.take() {
            // What is behind the last save has to be known to the place before it can be forgotten.
            Some(mut upload) => Some(upload.save().await?),
            None => state.saved.as_ref().map(|saved| saved.upload.clone()),
        };
        if let Some(kept) = kept {
            self.blobs.discard_upload(&state.data, &kept).await?;
        }
        Ok(())
    }

    /// Forgets an upload that has no more bytes.
    async fn end(&self, session: &Session, state: &mut State) -> Result<()> {
        state.ended = true;
        self.sessions.end(&session.id);
        let mut paths = Vec::new();
        if state.saved.take().is_some() {
            paths.push(SessionRecord::path(&session.id));
        }
        if state.foreign {
            paths.extend(self.foreign_files(&session.repository, &session.id).await?);
        }
        if !paths.is_empty() {
            self.blobs.delete(&paths).await?;
        }
        Ok(())
    }
}

/// The digests of what is read.
async fn hashed(mut body: ByteStream, algorithm: Algorithm) -> Result<Hashes> {
    let mut hashing = Hashing::new(Some(algorithm));
    while let Some(piece) = body.next().await {
        hashing.update(piece?).await?;
    }
    Ok(hashing.all().await?.clone())
}

fn compare(hashes: &Hashes, digest: &Digest) -> Result<()> {
    hashes.digest(digest.algorithm()).map_or(Ok(()), |found| check(digest, found))
}
