//! An object whose path is known: in one request where it is small, else in parts that go there at once.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::body::{BLOCK, Collected};
use super::client::Client;
use super::multipart::Parts;
use super::object;
use crate::{Result, Writer, misuse};

pub(super) struct S3Writer {
    client: Arc<Client>,
    key: String,
    size: Option<u64>,
    written: u64,
    collected: Collected,
    parts: Parts,
}

/// Takes bytes, and gives a part away only when there is something behind it: the last one stays among what is collected.
pub(super) async fn write(collected: &mut Collected, mut bytes: Bytes, parts: &mut Parts) -> Result<()> {
    while !bytes.is_empty() {
        let length = parts.length();
        if collected.len() >= length {
            parts.add(collected.take()).await?;
            continue;
        }
        parts.make_way(collected.len()).await?;
        // After each block it is looked again whether there is room.
        let fits = bytes.len().min(length - collected.len()).min(BLOCK);
        collected.push(&bytes.split_to(fits));
    }
    Ok(())
}

impl S3Writer {
    pub(super) fn new(client: Arc<Client>, key: String, size: Option<u64>) -> Self {
        let parts = Parts::new(Arc::clone(&client), key.clone(), size);
        Self { client, key, size, written: 0, collected: Collected::default(), parts }
    }
}

impl Writer for S3Writer {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.written += bytes.len() as u64;
        write(&mut self.collected, bytes, &mut self.parts).boxed()
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            if let Err(wrong) = misuse::check_length(&self.key, self.size, self.written) {
                self.parts.abort().await;
                return Err(wrong);
            }
            let rest = self.collected.take();
            if self.parts.is_empty() {
                return object::put(&self.client, &self.key, rest).await;
            }
            self.parts.add(rest).await?;
            self.parts.complete().await
        }
        .boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.parts.abort().boxed()
    }
}
