//! Objects that are put together of parts.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::body::Body;
use super::client::{Call, Client, UNIT};
use super::config::LARGEST_PUT;
use super::{object, xml};
use crate::{Error, Kind, Result};

/// So many bytes are collected for the next part while others are on their way. Then whoever sends them waits, with more of them in the buffers of the
/// network.
const AHEAD: usize = 512 << 10;

/// Most parts that S3 takes.
const MOST: usize = 10_000;

/// Of an object whose length nobody knows, so many parts have the least length. Then they get twice as long, and again after so many more, so that
/// what S3 takes is never used up.
const SHORT: usize = 7000;
const LONGER: usize = 500;

/// A part that the store has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) etag: String,
    pub(super) size: u64,
}

/// An object that is being put together at `key`.
pub(super) struct Parts {
    client: Arc<Client>,
    key: String,
    /// `None` until the first part.
    id: Option<String>,
    parts: Vec<Option<Part>>,
    running: JoinSet<(usize, Result<Part>)>,
    failed: bool,
    /// The length of the whole object, where it is known.
    size: Option<u64>,
}

impl Parts {
    /// None yet.
    pub(super) fn new(client: Arc<Client>, key: String, size: Option<u64>) -> Self {
        Self { client, key, id: None, parts: Vec::new(), running: JoinSet::new(), failed: false, size }
    }

    /// Those of an upload that goes on.
    pub(super) fn resumed(client: Arc<Client>, key: String, id: Option<String>, parts: Vec<Part>) -> Self {
        let parts = parts.into_iter().map(Some).collect();
        Self { id, parts, ..Self::new(client, key, None) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn id(&self) -> Option<&String> {
        self.id.as_ref()
    }

    /// How long the next part is to be.
    pub(super) fn length(&self) -> usize {
        length(self.client.config.part, self.parts.len(), self.size) as usize
    }

    /// Waits until there is room to collect more for the next part than is collected.
    pub(super) async fn make_way(&mut self, collected: usize) -> Result<()> {
        while collected >= AHEAD && self.running.len() >= self.client.config.parts_at_once {
            self.one_arrives().await?;
        }
        Ok(())
    }

    /// Sends a part, at once or when another has arrived.
    pub(super) async fn add(&mut self, body: Body) -> Result<()> {
        if self.failed {
            return Err(Error::new(Kind::Misuse, format!("add a part to {} after one failed", self.key)));
        }
        let room = self.room(body.len() as u64).await?;
        let id = match &self.id {
            Some(id) => id.clone(),
            None => self.id.insert(begin(&self.client, &self.key).await?).clone(),
        };
        let index = self.parts.len();
        self.parts.push(None);
        let (client, key) = (Arc::clone(&self.client), self.key.clone());
        self.running.spawn(async move {
            let _room = room;
            (index, send(&client, &key, &id, index, body).await)
        });
        Ok(())
    }

    /// Waits until the store has all parts.
    pub(super) async fn wait(&mut self) -> Result<()> {
        while !self.running.is_empty() {
            self.one_arrives().await?;
        }
        if self.failed {
            Err(Error::new(Kind::Misuse, format!("finish {} after a part failed", self.key)))
        } else {
            Ok(())
        }
    }

    /// The parts so far; all have to have arrived.
    pub(super) fn arrived(&self) -> Vec<Part> {
        self.parts.iter().flatten().cloned().collect()
    }

    /// Makes the object of all parts.
    pub(super) async fn complete(&mut self) -> Result<()> {
        self.wait().await?;
        let Some(id) = &self.id else {
            return Err(Error::new(Kind::Misuse, format!("put {} together of no parts", self.key)));
        };
        complete(&self.client, &self.key, id, &self.arrived()).await
    }

    /// Forgets all parts.
    pub(super) async fn abort(mut self) {
        self.running.shutdown().await;
        let Some(id) = &self.id else { return };
        if let Err(error) = abort(&self.client, &self.key, id).await {
            tracing::warn!(key = %self.key, error = %error, "left parts behind that a sweep will find");
        }
    }

    /// The first part on its way always has room, others only where there is some for all: so a single writer is fast and many are bounded.
    async fn room(&mut self, length: u64) -> Result<Option<OwnedSemaphorePermit>> {
        let units = u32::try_from(length.div_ceil(UNIT)).unwrap_or(u32::MAX);
        loop {
            while let Some(arrived) = self.running.try_join_next() {
                self.take(arrived)?;
            }
            if self.running.is_empty() {
                return Ok(None);
            }
            if self.running.len() < self.client.config.parts_at_once
                && let Ok(room) = Arc::clone(&self.client.buffers).try_acquire_many_owned(units)
            {
                return Ok(Some(room));
            }
            self.one_arrives().await?;
        }
    }

    async fn one_arrives(&mut self) -> Result<()> {
        match self.running.join_next().await {
            Some(arrived) => self.take(arrived),
            None => Ok(()),
        }
    }

    fn take(&mut self, arrived: std::result::Result<(usize, Result<Part>), tokio::task::JoinError>) -> Result<()> {
        let outcome = match arrived {
            Ok((index, Ok(part))) => {
                self.parts[index] = Some(part);
                return Ok(());
            }
            Ok((_, Err(error))) => error,
            Err(error) => Error::new(Kind::Unavailable, format!("send a part of {}", self.key)).because(error),
        };
        self.failed = true;
        Err(outcome)
    }
}

/// Begins an object and gives its upload id.
pub(super) async fn begin(client: &Client, key: &str) -> Result<String> {
    let call = object::making(&client.config, Call::on(Method::POST, key)).query("uploads", "");
    let answer = client.ask(call).await.map_err(|failure| failure.into_error("begin", key))?;
    let begun: xml::Begun = xml::read(&answer).map_err(|error| unreadable(key).because(error))?;
    Ok(begun.upload_id)
}

async fn send(client: &Client, key: &str, id: &str, index: usize, body: Body) -> Result<Part> {
    let size = body.len() as u64;
    let number = (index + 1).to_string();
    let call = Call::on(Method::PUT, key).query("partNumber", number).query("uploadId", id).body(body);
    let answer = client.send(call).await.map_err(|failure| failure.into_error("write a part of", key))?;
    let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok());
    let etag = etag.ok_or_else(|| unreadable(key))?.to_owned();
    Ok(Part { etag, size })
}

/// Makes an object of its parts. If the answer to a first attempt was lost, there is no such upload any more but the object is there.
pub(super) async fn complete(client: &Client, key: &str, id: &str, parts: &[Part]) -> Result<()> {
    let lines = (1..).zip(parts).map(|(number, part)| xml::CompletePart { number, etag: &part.etag }).collect();
    let body = xml::write(&xml::Complete { parts: lines });
    let body = body.map_err(|error| Error::new(Kind::Misuse, format!("name the parts of {key}")).because(error))?;
    let call = Call::on(Method::POST, key).query("uploadId", id).header("content-type", "application/xml").long();
    match client.ask(call.body(Bytes::from(body))).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.has_code("NoSuchUpload") => {
            let size: u64 = parts.iter().map(|part| part.size).sum();
            match object::head(client, key).await? {
                Some(meta) if meta.size == size => Ok(()),
                _ => Err(failure.into_error("finish", key)),
            }
        }
        Err(failure) => Err(failure.into_error("finish", key)),
    }
}

/// Forgets an object that is being put together; one that is not is fine.
pub(super) async fn abort(client: &Client, key: &str, id: &str) -> Result<()> {
    match client.ask(Call::on(Method::DELETE, key).query("uploadId", id)).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.is(StatusCode::NOT_FOUND) && !failure.has_code("NoSuchBucket") => Ok(()),
        Err(failure) => Err(failure.into_error("forget the parts of", key)),
    }
}

/// All objects that are being put together at keys with a prefix.
pub(super) async fn unfinished(client: &Client, prefix: &str) -> Result<Vec<xml::UploadLine>> {
    let mut all = Vec::new();
    let mut marker: Option<(String, String)> = None;
    loop {
        let mut call = Call::bucket(Method::GET).query("uploads", "").query("prefix", prefix);
        if let Some((key, id)) = &marker {
            call = call.query("key-marker", key).query("upload-id-marker", id);
        }
        let answer = client.ask(call).await.map_err(|failure| failure.into_error("list uploads below", prefix))?;
        let page: xml::Uploads = xml::read(&answer).map_err(|error| unreadable(prefix).because(error))?;
        all.extend(page.uploads.into_iter().filter(|upload| upload.key.starts_with(prefix)));
        let next = page.next_key_marker.zip(page.next_upload_id_marker);
        if !page.is_truncated || next.is_none() || next == marker {
            return Ok(all);
        }
        marker = next;
    }
}

/// How many bytes the parts have of an object that is being put together, and how many parts there are.
pub(super) async fn measure(client: &Client, upload: &xml::UploadLine) -> Result<(u64, u64)> {
    let (mut parts, mut bytes) = (0, 0);
    let mut marker: Option<String> = None;
    loop {
        let mut call = Call::on(Method::GET, &upload.key).query("uploadId", &upload.upload_id);
        if let Some(marker) = &marker {
            call = call.query("part-number-marker", marker);
        }
        let answer = match client.ask(call).await {
            Ok(answer) => answer,
            // It was finished or forgotten meanwhile.
            Err(failure) if failure.is(StatusCode::NOT_FOUND) => return Ok((0, 0)),
            Err(failure) => return Err(failure.into_error("list the parts of", &upload.key)),
        };
        let page: xml::Parts = xml::read(&answer).map_err(|error| unreadable(&upload.key).because(error))?;
        parts += page.parts.len() as u64;
        bytes += page.parts.iter().map(|part| part.size).sum::<u64>();
        if !page.is_truncated || page.next_part_number_marker.is_none() || page.next_part_number_marker == marker {
            return Ok((parts, bytes));
        }
        marker = page.next_part_number_marker;
    }
}

fn unreadable(key: &str) -> Error {
    Error::new(Kind::Broken, format!("read what S3 says of the parts of {key}"))
}

/// How long part number `index` is to be, of an object of this size, if it is known.
fn length(least: u64, index: usize, size: Option<u64>) -> u64 {
    let length = match size {
        Some(size) => least.max(size.div_ceil(MOST as u64)),
        None if index < SHORT => least,
        None => least << ((index - SHORT) / LONGER + 1).min(10),
    };
    length.min(LARGEST_PUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn parts_are_short_as_long_as_there_are_enough_of_them() {
        assert_eq!(length(5 * MIB, 0, None), 5 * MIB);
        assert_eq!(length(5 * MIB, 6999, None), 5 * MIB, "up to 34 GiB");
        assert_eq!((length(5 * MIB, 7000, None), length(5 * MIB, 9999, None)), (10 * MIB, 320 * MIB));
        let most: u64 = (0..MOST).map(|index| length(5 * MIB, index, None)).sum();
        assert!(most > 340 << 30, "{most} bytes can be had in parts");
        for size in [1, 50_000 * MIB, 50_000 * MIB + 1, 5 << 40] {
            let length = length(5 * MIB, 0, Some(size));
            assert!(size.div_ceil(length) <= MOST as u64 && (length == 5 * MIB || length < size / 9_999 + 2), "{size}");
        }
        assert_eq!(length(LARGEST_PUT, 9999, None), LARGEST_PUT);
    }
}
