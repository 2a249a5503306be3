//! Uploads that distribution began and that come to us: its files are read into an upload of ours, and go when that ends.

use futures::StreamExt;
use jeroboam_blobs::Freshness;
use jeroboam_model::Timestamp;
use jeroboam_oci::{RepositoryName, UploadId, layout};

use super::{Result, State, Store, StoreError, UploadRef};

impl Store {
    /// Takes over an upload of distribution's; `None` where there is none of that name.
    pub(super) async fn adopt(&self, upload: &UploadRef) -> Result<Option<(State, Timestamp)>> {
        let started = layout::upload_started(&upload.repository, &upload.id);
        let Some(text) = self.read_small(&started, Freshness::Any, 64).await? else { return Ok(None) };
        let text = String::from_utf8_lossy(&text);
        let started = text.trim().parse().unwrap_or_else(|_| self.clock.now());
        let mut state = State::empty(&upload.id, None);
        state.foreign = true;
        let data = layout::upload_data(&upload.repository, &upload.id);
        if let Some(mut object) = self.blobs.read(&data, None, Freshness::Newest).await? {
            let mut copy = self.blobs.upload(&state.data, None).await?;
            while let Some(piece) = object.body.next().await {
                let piece = piece?;
                state.hashes.update(piece.clone()).await?;
                state.offset += piece.len() as u64;
                copy.write(piece).await?;
            }
            if state.offset > 0 {
                state.upload = Some(copy);
            }
        }
        let told = match &upload.token {
            Some(token) => self.read_token(token, upload).await?.map(|token| token.offset),
            None => None,
        };
        // In a bucket, distribution keeps the bytes where nobody can read them before the end.
        if state.offset == 0 && told.is_some_and(|told| told > 0) {
            return Err(StoreError::UploadUnknown);
        }
        Ok(Some((state, started)))
    }

    /// The files of distribution's upload.
    pub(super) async fn foreign_files(&self, repository: &RepositoryName, id: &UploadId) -> Result<Vec<String>> {
        self.objects_below(&layout::upload(repository, id)).await
    }
}
