//! Uploads: begun, continued from any process and after any crash, finished or given up.
//!
//! A session that has bytes has a record in the store: how far it came, what the place of objects needs to go on, and how its digests stood. One
//! without is only its token, which any process that knows the secret believes. So beginning one costs no request.
//!
//! What a client was told is durable. What it was not told may be lost in a crash, and the client then sends it again from the offset that it is told.

mod adopt;
mod begin;
mod finish;
mod receive;
mod record;
mod resume;
mod sessions;
mod token;

use std::sync::Arc;

use jeroboam_oci::range::ChunkRange;
use jeroboam_oci::{Digest, RepositoryName, UploadId};

use super::{BlobView, Incoming, Result, Store, StoreError};

pub use record::SessionRecord;
use resume::Turn;
pub(super) use sessions::Sessions;
use sessions::{Session, State};
pub(super) use token::Secret;

/// An upload, as its client is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadView {
    /// Its name.
    pub id: UploadId,
    /// So many bytes are safe.
    pub offset: u64,
    /// What its location carries, so that any process may go on with it.
    pub token: String,
}

/// An upload, as a client names it.
#[derive(Clone, Debug)]
pub struct UploadRef {
    /// The repository of the path.
    pub repository: RepositoryName,
    /// The name of the path.
    pub id: UploadId,
    /// The state that the location carried, if it still has it. A hint: what counts is what is stored.
    pub token: Option<String>,
    /// Who goes on with it: counted where nothing is stored that says whose it is.
    pub account: Option<String>,
}

/// Bytes for an upload.
pub struct Chunk {
    /// Where they belong, where the client says so.
    pub range: Option<ChunkRange>,
    /// How many the client announced, if it did.
    pub length: Option<u64>,
    /// The bytes.
    pub body: Incoming,
}

impl Store {
    /// How far an upload came.
    pub async fn upload_status(&self, upload: &UploadRef) -> Result<UploadView> {
        let session = self.session(upload).await?;
        let offset = match session.state.try_lock() {
            Ok(mut state) => {
                self.reload(&session, &mut state, upload).await?;
                state.offset
            }
            // Somebody is writing: what is safe already.
            Err(_) => session.durable(),
        };
        self.view(&session, offset).await
    }

    /// Appends bytes to an upload; they are durable when this returns. The work goes on when whoever called goes away.
    pub async fn append(self: &Arc<Self>, upload: UploadRef, chunk: Chunk) -> Result<UploadView> {
        self.may_write()?;
        let store = self.clone();
        let work = self.tasks.spawn(async move {
            let session = store.session(&upload).await?;
            let mut turn = store.enter(&session, &upload).await?;
            // The room stays taken until the upload has it.
            let Turn { room, state } = &mut turn;
            match store.receive_into(room, &session, state, chunk).await {
                // It cannot become a blob, and its bytes take room.
                Err(error @ StoreError::OverQuota { .. }) => {
                    store.discard(&session, state).await?;
                    return Err(error);
                }
                received => received?,
            }
            store.save(&session, state).await?;
            store.view(&session, state.offset).await
        });
        work.await.unwrap_or_else(|_| Err(interrupted()))
    }

    /// Ends an upload: appends what still comes, compares the digest, and makes the blob appear. The work goes on when whoever called goes away.
    pub async fn finish(self: &Arc<Self>, upload: UploadRef, digest: Digest, chunk: Chunk) -> Result<BlobView> {
        self.may_write()?;
        let store = self.clone();
        let work = self.tasks.spawn(async move {
            let session = store.session(&upload).await?;
            let mut turn = store.enter(&session, &upload).await?;
            store.finish_session(&session, &mut turn, &digest, chunk).await
        });
        work.await.unwrap_or_else(|_| Err(interrupted()))
    }

    /// Gives an upload up. The work goes on when whoever called goes away.
    pub async fn cancel(self: &Arc<Self>, upload: UploadRef) -> Result<()> {
        self.may_write()?;
        let store = self.clone();
        let work = self.tasks.spawn(async move {
            let session = store.session(&upload).await?;
            let mut turn = store.enter(&session, &upload).await?;
            store.discard(&session, &mut turn).await
        });
        work.await.unwrap_or_else(|_| Err(interrupted()))
    }

    async fn view(&self, session: &Session, offset: u64) -> Result<UploadView> {
        let token = self.token(&session.repository, &session.id, offset, session.started).await?;
        Ok(UploadView { id: session.id.clone(), offset, token })
    }
}

fn interrupted() -> StoreError {
    StoreError::Unavailable("the work on the upload was interrupted; ask how far it came".to_owned())
}
