//! Blobs whose digest is known before their bytes: they go straight to where they stay.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use jeroboam_blobs::{ByteStream, Condition, Writer, Written};
use jeroboam_oci::{Algorithm, Digest, RepositoryName, layout};
use tokio::sync::SemaphorePermit;

use super::blobs::is_canonical;
use super::flights::Seat;
use super::hashing::Hashing;
use super::{BlobView, BodyError, Result, Store, StoreError};
use crate::leases::Held;

/// A body that is taken into memory whole has to be there by then.
const WHOLE: Duration = Duration::from_secs(120);

/// The bytes of a request, in pieces.
pub type Incoming = BoxStream<'static, std::result::Result<Bytes, BodyError>>;

impl Store {
    /// Takes a whole blob. `length` is what the client announced, if it did. Nobody sees any of it unless all of it has the digest.
    pub async fn put_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        length: Option<u64>,
        body: Incoming,
    ) -> Result<BlobView> {
        self.may_write()?;
        match length {
            Some(length) if length <= self.config.small_blob => {
                let mismatch = |found| StoreError::SizeMismatch { expected: length, found };
                let (bytes, _room) = self.take_whole(body, length, mismatch).await?;
                check_length(Some(length), bytes.len() as u64)?;
                self.put_small_blob(repository, digest, bytes).await
            }
            _ if is_canonical(digest) => self.stream_blob(repository, digest, length, body).await,
            _ => self.stage_blob(repository, digest, body).await,
        }
    }

    /// Takes all of a body into memory, with the room that it has there. That is taken as bytes come: who announces many and sends few keeps nobody out, and
    /// nobody has it for long. `too_long` is said where more than `most` came.
    pub(crate) async fn take_whole(
        &self,
        mut body: Incoming,
        most: u64,
        too_long: impl Fn(u64) -> StoreError,
    ) -> Result<(Bytes, SemaphorePermit<'_>)> {
        let taken = async {
            let (mut bytes, mut only, mut found) = (BytesMut::new(), None::<Bytes>, 0);
            let mut room = self.no_room().await;
            while let Some(piece) = body.next().await {
                let piece = piece?;
                found += piece.len() as u64;
                if found > most {
                    return Err(too_long(found));
                }
                self.more_room(&mut room, found).await?;
                if bytes.is_empty() && only.is_none() {
                    only = Some(piece);
                    continue;
                }
                // One piece that is all there is need not be copied.
                if let Some(first) = only.take() {
                    bytes.extend_from_slice(&first);
                }
                bytes.extend_from_slice(&piece);
            }
            Ok((only.unwrap_or_else(|| bytes.freeze()), room))
        };
        tokio::time::timeout(WHOLE, taken).await.unwrap_or(Err(BodyError::TooSlow.into()))
    }

    /// Takes a blob that is in memory.
    pub async fn put_small_blob(&self, repository: &RepositoryName, digest: &Digest, bytes: Bytes) -> Result<BlobView> {
        let found = Digest::of(digest.algorithm(), &bytes);
        check(digest, found)?;
        let canonical = if is_canonical(digest) { digest.clone() } else { Digest::sha256(&bytes) };
        let mut room = self.quotas.room(repository).await?;
        room.blob(&canonical, bytes.len() as u64).await?;
        let size = self.store_small(repository, &canonical, bytes).await?;
        self.link_blob(repository, digest, &canonical, size).await?;
        Ok(BlobView { digest: digest.clone(), canonical, size })
    }

    /// Makes small bytes be there under their digest, and stay, once the link is written that whoever asks for this writes next.
    pub(super) async fn store_small(
        &self,
        repository: &RepositoryName,
        canonical: &Digest,
        bytes: Bytes,
    ) -> Result<u64> {
        let size = bytes.len() as u64;
        let held = self.promise(repository, canonical).await?;
        let known = self.cache.sizes.get(canonical).await == Some(size) && !self.suspects.contains(canonical);
        if held == Held::Already && known {
            return Ok(size);
        }
        let seat = self.flights.board(canonical);
        let _landing = seat.landing().await;
        if !seat.landed() {
            let path = layout::blob(canonical);
            if self.blobs.put_ahead(&path, bytes.clone(), Condition::Absent).await? == Written::Refused {
                let there = self.look_for_promised(canonical).await?;
                if there != Some(size) {
                    // What is there cannot be the blob: what is left of a broken one.
                    self.blobs.put_ahead(&path, bytes, Condition::Always).await?;
                }
            }
            self.cache.sizes.wrote(canonical.clone(), size).await;
            self.suspects.remove(canonical);
            seat.land();
        }
        Ok(size)
    }

    /// Takes a blob piece by piece to where it stays.
    async fn stream_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        length: Option<u64>,
        mut body: Incoming,
    ) -> Result<BlobView> {
        let mut room = self.quotas.room(repository).await?;
        if let Some(length) = length {
            room.blob(digest, length).await?;
        }
        let _ = self.promise(repository, digest).await?;
        let seat = self.flights.board(digest);
        let there = self.look_for_promised(digest).await?;
        let is_there = there.is_some_and(|there| length.is_none_or(|length| length == there));
        let path = layout::blob(digest);
        let mut writer = if is_there { None } else { Some(self.blobs.create(&path, length).await?) };
        let mut hashing = Hashing::new(None);
        let mut size = 0;
        while let Some(piece) = body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return abort(writer, error.into()).await,
            };
            size += piece.len() as u64;
            if let Err(error) = hashing.update(piece.clone()).await {
                return abort(writer, error).await;
            }
            // What was announced has its room already.
            if length.is_none()
                && let Err(error) = room.bytes(piece.len() as u64).await
            {
                return abort(writer, error).await;
            }
            if seat.landed()
                && let Some(writer) = writer.take()
            {
                writer.abort().await;
            }
            if let Some(writer) = &mut writer {
                writer.write(piece).await?;
            }
        }
        let found = match hashing.all().await {
            Ok(hashes) => hashes.digest(Algorithm::Sha256).expect("it is always made"),
            Err(error) => return abort(writer, error).await,
        };
        if let Err(error) = check_length(length, size).and_then(|()| check(digest, found)) {
            return abort(writer, error).await;
        }
        if let Some(writer) = writer {
            self.land(&seat, writer).await?;
        } else if !seat.landed() && there != Some(size) {
            // Nobody had said how long it is. What is there is not it, which counts as absent from now on: the client brings it again.
            self.suspects.add(digest);
            let why = format!("it should have {size} bytes and has {}", there.unwrap_or_default());
            return Err(StoreError::Damaged { path, why });
        }
        self.cache.sizes.wrote(digest.clone(), size).await;
        self.link_blob(repository, digest, digest, size).await?;
        Ok(BlobView { digest: digest.clone(), canonical: digest.clone(), size })
    }

    async fn land(&self, seat: &Seat, writer: Box<dyn Writer>) -> Result<()> {
        let _landing = seat.landing().await;
        if seat.landed() {
            writer.abort().await;
        } else {
            writer.commit().await?;
            seat.land();
        }
        Ok(())
    }
}

async fn abort<T>(writer: Option<Box<dyn Writer>>, error: StoreError) -> Result<T> {
    if let Some(writer) = writer {
        writer.abort().await;
    }
    Err(error)
}

/// All bytes of an object of this length.
pub(super) async fn collected(mut body: ByteStream, length: u64) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        if bytes.is_empty() && piece.len() as u64 == length {
            return Ok(piece);
        }
        if bytes.is_empty() {
            // Once, and not again whenever it grows.
            bytes.reserve(usize::try_from(length).unwrap_or_default());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

pub(super) fn check(expected: &Digest, found: Digest) -> Result<()> {
    if *expected == found { Ok(()) } else { Err(StoreError::DigestMismatch { expected: expected.clone(), found }) }
}

pub(super) fn check_length(expected: Option<u64>, found: u64) -> Result<()> {
    match expected {
        Some(expected) if expected != found => Err(StoreError::SizeMismatch { expected, found }),
        _ => Ok(()),
    }
}
