//! An upload that survives us: its parts are in the store, and so is what is not enough for a part.
//!
//! The store keeps parts only of a key that is named at the beginning, so they are put together at the upload's own path and copied in the
//! end. What is less than a part when it is saved becomes an object of its own, the tail. The tail of the save before is kept too, as the
//! state that names the new one may never be written down.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};

use super::body::Collected;
use super::client::Client;
use super::config::LEAST_PART;
use super::multipart::{Part, Parts};
use super::{copy, list, multipart, object, read, writer};
use crate::{ByteStream, Error, Kind, Result, Upload, UploadState};

/// Where tails are, below the root of keys.
pub(super) const TAILS: &str = "_jeroboam/tails/";

/// What it takes to go on.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Detail {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tail: Option<Tail>,
    /// The tail of the save before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Tail>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tail {
    name: String,
    size: u64,
}

pub(super) struct S3Upload {
    client: Arc<Client>,
    at: String,
    parts: Parts,
    collected: Collected,
    /// The tail that holds what is in the buffer, as long as nothing was added.
    tail: Option<Tail>,
    before: Option<Tail>,
    offset: u64,
    saved: Option<u64>,
}

/// Begins an upload at `at`, or goes on with it.
pub(super) async fn open(client: &Arc<Client>, at: &str, state: Option<UploadState>) -> Result<S3Upload> {
    let broken = || Error::new(Kind::Broken, format!("go on with the upload at {at}: its state and its bytes differ"));
    let (offset, detail) = match state {
        None => (0, Detail::default()),
        Some(state) if state.detail.is_null() && state.offset == 0 => (0, Detail::default()),
        Some(state) => {
            let detail: Detail = serde_json::from_value(state.detail).map_err(|error| broken().because(error))?;
            (state.offset, detail)
        }
    };
    let sent: u64 = detail.parts.iter().map(|part| part.size).sum();
    if sent + detail.tail.as_ref().map_or(0, |tail| tail.size) != offset {
        return Err(broken());
    }
    let collected = match &detail.tail {
        None => Collected::default(),
        Some(tail) => {
            let bytes = whole(client, client.config.key(&tail_path(at, tail))).await?.ok_or_else(broken)?;
            if bytes.len() as u64 != tail.size {
                return Err(broken());
            }
            bytes
        }
    };
    let parts = Parts::resumed(Arc::clone(client), client.config.key(at), detail.id, detail.parts);
    let (tail, before) = (detail.tail, detail.before);
    let saved = Some(offset);
    Ok(S3Upload { client: Arc::clone(client), at: at.to_owned(), parts, collected, tail, before, offset, saved })
}

/// Forgets an upload with its parts and tails, whatever state it was in.
pub(super) async fn discard(client: &Client, at: &str) -> Result<()> {
    let key = client.config.key(at);
    for upload in multipart::unfinished(client, &key).await? {
        if upload.key == key {
            multipart::abort(client, &key, &upload.upload_id).await?;
        }
    }
    let mut keys: Vec<_> = list::keys(client, &client.config.key(&format!("{TAILS}{at}/"))).await?;
    keys.push(key);
    object::delete(client, &keys).await
}

impl S3Upload {
    async fn save_bytes(&mut self) -> Result<UploadState> {
        if self.saved != Some(self.offset) {
            if self.collected.len() as u64 >= LEAST_PART {
                self.parts.add(self.collected.take()).await?;
            }
            self.parts.wait().await?;
            let tail = if self.collected.is_empty() { None } else { Some(self.put_tail().await?) };
            let old = std::mem::replace(&mut self.before, std::mem::replace(&mut self.tail, tail));
            self.forget_tails(old.as_slice()).await;
            self.saved = Some(self.offset);
        }
        let detail = Detail {
            id: self.parts.id().cloned(),
            parts: self.parts.arrived(),
            tail: self.tail.clone(),
            before: self.before.clone(),
        };
        let unwritable = |error| Error::new(Kind::Misuse, format!("keep the state of {}", self.at)).because(error);
        Ok(UploadState { offset: self.offset, detail: serde_json::to_value(detail).map_err(unwritable)? })
    }

    async fn put_tail(&mut self) -> Result<Tail> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let tail = Tail { name: format!("{}-{}", self.offset, &unique[..8]), size: self.collected.len() as u64 };
        let bytes = self.collected.copy();
        object::put(&self.client, &self.client.config.key(&tail_path(&self.at, &tail)), bytes).await?;
        Ok(tail)
    }

    async fn forget_tails(&self, tails: &[Tail]) {
        let keys: Vec<_> = tails.iter().map(|tail| self.client.config.key(&tail_path(&self.at, tail))).collect();
        self.forget(&keys).await;
    }

    /// What is left here is found by a sweep.
    async fn forget(&self, keys: &[String]) {
        if let Err(error) = object::delete(&self.client, keys).await {
            tracing::warn!(upload = %self.at, error = %error, "left a part of an upload behind");
        }
    }

    async fn finish(mut self, path: &str) -> Result<()> {
        let target = self.client.config.key(path);
        let own = self.client.config.key(&self.at);
        let mut keys: Vec<_> = Vec::new();
        if self.parts.is_empty() {
            object::put(&self.client, &target, self.collected.take()).await?;
        } else {
            match self.put_together().await {
                Ok(()) => copy::copy(&self.client, &own, &target, self.offset).await?,
                // A commit before this one got further than anybody heard: there are no parts any more.
                Err(error) if error.kind() == Kind::Broken => {
                    if self.is_at(&own).await? {
                        copy::copy(&self.client, &own, &target, self.offset).await?;
                    } else if !self.is_at(&target).await? {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            keys.push(own);
        }
        let tails = self.tail.iter().chain(&self.before);
        keys.extend(tails.map(|tail| self.client.config.key(&tail_path(&self.at, tail))));
        self.forget(&keys).await;
        Ok(())
    }

    async fn put_together(&mut self) -> Result<()> {
        if !self.collected.is_empty() {
            self.parts.add(self.collected.take()).await?;
        }
        self.parts.complete().await
    }

    async fn is_at(&self, key: &str) -> Result<bool> {
        let meta = object::head(&self.client, key).await?;
        Ok(meta.is_some_and(|meta| meta.size == self.offset))
    }
}

impl Upload for S3Upload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.offset += bytes.len() as u64;
        writer::write(&mut self.collected, bytes, &mut self.parts).boxed()
    }

    fn save(&mut self) -> BoxFuture<'_, Result<UploadState>> {
        self.save_bytes().boxed()
    }

    fn stored(&mut self) -> BoxFuture<'_, Result<ByteStream>> {
        async move {
            if self.parts.is_empty() {
                let whole = self.collected.copy().into_blocks();
                return Ok(futures::stream::iter(whole.into_iter().map(Ok)).boxed());
            }
            // Parts are read by nobody before they are an object. It is still at the upload's own path.
            let own = self.client.config.key(&self.at);
            self.put_together().await?;
            let gone = || Error::new(Kind::Broken, format!("read the upload at {}: it is gone", self.at));
            Ok(read::open(&self.client, own, None).await?.ok_or_else(gone)?.body)
        }
        .boxed()
    }

    fn commit<'a>(self: Box<Self>, path: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            crate::path::check(path)?;
            self.finish(path).await
        }
        .boxed()
    }
}

fn tail_path(at: &str, tail: &Tail) -> String {
    format!("{TAILS}{at}/{}", tail.name)
}

/// Tails are shorter than a part.
async fn whole(client: &Arc<Client>, key: String) -> Result<Option<Collected>> {
    let Some(mut object) = read::open(client, key, None).await? else { return Ok(None) };
    let mut bytes = Collected::default();
    while let Some(piece) = object.body.next().await {
        bytes.push(&piece?);
        if bytes.len() as u64 > LEAST_PART {
            break;
        }
    }
    Ok(Some(bytes))
}
