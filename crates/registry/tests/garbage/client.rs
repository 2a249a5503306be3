//! A client that pushes a layer in pieces. It outlives the registry's processes, and goes on with the next one where it was told that it is.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use jeroboam_oci::{Digest, RepositoryName};
use jeroboam_registry::store::{Chunk, Result, Store, StoreError, UploadRef};

/// Bytes of a piece: a layer has a few.
const PIECE: usize = 4;

/// A client, and what it was told.
#[derive(Default)]
pub(crate) struct Client {
    /// Its upload, as it was last told of it.
    upload: Option<UploadRef>,
    /// So many bytes of that are safe.
    safe: u64,
    /// Whether the layer is there.
    pub(crate) is_done: bool,
}

impl Client {
    /// Pushes a layer, unless it is there. Its last bytes come with the request that makes a blob of it.
    pub(crate) async fn push(&mut self, store: &Arc<Store>, repository: &RepositoryName, layer: &Bytes) -> Result<()> {
        let digest = Digest::sha256(layer);
        if store.promise_blob(repository, &digest).await.is_ok() {
            return Ok(());
        }
        let upload = self.send(store, repository, &layer.slice(..layer.len() - PIECE)).await?;
        let rest = layer.slice(self.safe as usize..);
        match store.finish(upload, digest.clone(), chunk(rest)).await {
            Err(StoreError::UploadUnknown) => {
                // Its bytes went, and with them what was safe of it: it is sent anew.
                *self = Self::default();
                let upload = self.send(store, repository, layer).await?;
                store.finish(upload, digest, chunk(Bytes::new())).await?;
            }
            finished => drop(finished?),
        }
        self.is_done = true;
        Ok(())
    }

    /// Sends what is missing of a layer, piece by piece, each of which is safe before the next one is sent. Gives the upload that has it all.
    pub(crate) async fn send(
        &mut self,
        store: &Arc<Store>,
        repository: &RepositoryName,
        layer: &Bytes,
    ) -> Result<UploadRef> {
        let mut view = match &self.upload {
            Some(upload) => store.upload_status(upload).await?,
            None => store.begin_upload(repository, None, None).await?,
        };
        assert!(view.offset >= self.safe, "{} bytes were safe, and {} are left", self.safe, view.offset);
        loop {
            let upload =
                UploadRef { repository: repository.clone(), id: view.id, token: Some(view.token), account: None };
            self.upload = Some(upload.clone());
            self.safe = view.offset;
            let at = view.offset as usize;
            if at >= layer.len() {
                return Ok(upload);
            }
            view = store.append(upload, chunk(layer.slice(at..layer.len().min(at + PIECE)))).await?;
        }
    }
}

fn chunk(bytes: Bytes) -> Chunk {
    Chunk { range: None, length: Some(bytes.len() as u64), body: stream::iter([Ok(bytes)]).boxed() }
}
