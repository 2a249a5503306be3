//! An object whose path is known: in one request where it is small, else in parts that go there at once.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::client::Client;
use super::multipart::Parts;
use super::object;
use crate::{Error, Kind, Result, Writer};

pub(super) struct S3Writer {
    client: Arc<Client>,
    key: String,
    size: Option<u64>,
    written: u64,
    buffer: Buffer,
    parts: Parts,
}

/// What is not in a part yet.
#[derive(Default)]
pub(super) struct Buffer(BytesMut);

impl Buffer {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(BytesMut::from(bytes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn copy(&self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }

    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.0).freeze()
    }

    /// Takes bytes, and gives a part away only when there is something behind it: the last one stays here.
    pub(super) async fn write(&mut self, mut bytes: Bytes, parts: &mut Parts) -> Result<()> {
        while !bytes.is_empty() {
            let length = parts.length();
            if self.0.len() >= length {
                parts.add(self.take()).await?;
                continue;
            }
            let fits = bytes.len().min(length - self.0.len());
            self.0.extend_from_slice(&bytes.split_to(fits));
        }
        Ok(())
    }
}

impl S3Writer {
    pub(super) fn new(client: Arc<Client>, key: String, size: Option<u64>) -> Self {
        let parts = Parts::new(Arc::clone(&client), key.clone(), None, Vec::new());
        Self { client, key, size, written: 0, buffer: Buffer::default(), parts }
    }

    fn wrong_size(&self) -> Option<Error> {
        let size = self.size.filter(|size| *size != self.written)?;
        let what = format!("write {}: {} bytes came instead of {size}", self.key, self.written);
        Some(Error::new(Kind::Misuse, what))
    }
}

impl Writer for S3Writer {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.written += bytes.len() as u64;
        self.buffer.write(bytes, &mut self.parts).boxed()
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            if let Some(wrong) = self.wrong_size() {
                self.parts.abort().await;
                return Err(wrong);
            }
            let rest = self.buffer.take();
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
