//! Reading an object as a stream that goes on where a connection broke.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use http::{Method, StatusCode};
use reqwest::Response;

use super::call::{Call, Target};
use super::{ObjectHead, ObjectStore, SERVICE};
use crate::Error;
use crate::transport::broken;

/// Which of an object's replicas may answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Newest {
    /// Any.
    #[default]
    No,
    /// The one that was written last: all are asked.
    Yes,
}

/// An object that is being read.
pub struct Reading {
    /// What its headers say.
    pub head: ObjectHead,
    /// The length of the whole object.
    pub size: u64,
    /// The bytes that were asked for; exactly so many, or an error at the end.
    pub body: BoxStream<'static, Result<Bytes, Error>>,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("head", &self.head).field("size", &self.size).finish_non_exhaustive()
    }
}

/// What comes of asking for an object.
#[derive(Debug)]
pub enum Found {
    /// It is there.
    Object(Reading),
    /// It is not there.
    Nothing,
    /// It is shorter than where we wanted to begin.
    OutOfRange,
}

/// A body on its way.
struct Flow {
    store: ObjectStore,
    object: String,
    newest: Newest,
    etag: Option<String>,
    /// The bytes that are still to come.
    left: Range<u64>,
    response: Option<Response>,
    /// How often it may still begin anew without having got anything.
    tries: u32,
}

/// So many segments are asked for at a time.
const LISTED: usize = 10_000;

impl ObjectStore {
    /// Reads an object, or the bytes of `range`, which is not empty.
    pub async fn get(&self, object: &str, range: Option<Range<u64>>, newest: Newest) -> Result<Found, Error> {
        let (response, _) = self.call(&request(object, range.as_ref(), newest, &[404, 416])).await?;
        match response.status() {
            StatusCode::NOT_FOUND => return Ok(Found::Nothing),
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Found::OutOfRange),
            _ => {}
        }
        let head = ObjectHead::of(response.headers());
        let size = match head.size() {
            Some(size) => size,
            None => self.size_of_segments(&head).await?,
        };
        let left = range.map_or(0..size, |range| range.start..range.end.min(size));
        let starts =
            if response.status() == StatusCode::PARTIAL_CONTENT { head.start.unwrap_or(left.start) } else { 0 };
        if starts != left.start {
            return Err(Error::unreadable(SERVICE, "an object begins elsewhere than it was asked for"));
        }
        let etag = head.etag.clone();
        let tries = self.retry().attempts;
        let flow = Flow {
            store: self.clone(),
            object: object.to_owned(),
            newest,
            etag,
            left,
            response: Some(response),
            tries,
        };
        let body = stream::try_unfold(flow, Flow::next).boxed();
        Ok(Found::Object(Reading { head, size, body }))
    }

    /// The whole of a short object.
    pub async fn get_short(&self, object: &str, newest: Newest) -> Result<Option<Bytes>, Error> {
        let Found::Object(reading) = self.get(object, None, newest).await? else { return Ok(None) };
        let parts: Vec<Bytes> = reading.body.try_collect().await?;
        Ok(Some(parts.concat().into()))
    }

    /// The length of a large object of so many segments that Swift itself does not add them up.
    pub async fn size_of_segments(&self, head: &ObjectHead) -> Result<u64, Error> {
        let Some((container, prefix)) = &head.manifest else {
            return Err(Error::unreadable(SERVICE, "an object has no length"));
        };
        if container != self.container() {
            return Err(Error::unreadable(SERVICE, "the segments of an object are in another container"));
        }
        let mut sum = 0;
        let mut marker: Option<String> = None;
        loop {
            let query = super::ListingQuery { prefix, marker: marker.as_deref(), limit: LISTED, ..Default::default() };
            let page = self.list(&query).await?.unwrap_or_default();
            let sizes = page.iter().map(|entry| match entry {
                super::ListingEntry::Object(object) => object.bytes,
                super::ListingEntry::Folder(_) => 0,
            });
            sum += sizes.sum::<u64>();
            if self.is_last(&page, LISTED).await {
                return Ok(sum);
            }
            marker = page.last().map(|last| last.name().to_owned());
        }
    }
}

fn request<'a>(object: &'a str, range: Option<&Range<u64>>, newest: Newest, answers: &'static [u16]) -> Call<'a> {
    let mut call = Call::new(Method::GET, Target::Object(object)).answers(answers);
    if let Some(range) = range {
        call = call.header("range", &format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
    }
    if newest == Newest::Yes {
        call = call.header("x-newest", "true");
    }
    call
}

impl Flow {
    /// The next piece, from another connection where this one broke.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        loop {
            if self.left.is_empty() {
                return Ok(None);
            }
            match self.piece().await {
                Ok(Some(piece)) => {
                    let wanted = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX);
                    let piece = piece.slice(..piece.len().min(wanted));
                    self.left.start += piece.len() as u64;
                    self.tries = self.store.retry().attempts;
                    return Ok(Some((piece, self)));
                }
                // It ended too early.
                Ok(None) => self.response = None,
                Err(error) if error.is_temporary() && self.tries > 1 => {
                    self.tries -= 1;
                    self.response = None;
                    self.store.pause(1, &error).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let response = match &mut self.response {
            Some(response) => response,
            None => {
                let response = self.go_on().await?;
                self.response.insert(response)
            }
        };
        let chunk = tokio::time::timeout(self.store.limits().stall, response.chunk()).await;
        let chunk = chunk.map_err(|_| Error::Timeout { service: SERVICE })?.map_err(|error| broken(SERVICE, error))?;
        if chunk.is_none() && self.tries <= 1 {
            return Err(Error::unreadable(SERVICE, "an object ends before its length"));
        }
        if chunk.is_none() {
            self.tries -= 1;
        }
        Ok(chunk)
    }

    /// The rest of the object, if it is still the same.
    async fn go_on(&mut self) -> Result<Response, Error> {
        let (response, _) = self.store.call(&request(&self.object, Some(&self.left), self.newest, &[])).await?;
        let head = ObjectHead::of(response.headers());
        let goes_on = response.status() == StatusCode::PARTIAL_CONTENT && head.start == Some(self.left.start);
        if !goes_on || head.etag != self.etag {
            return Err(Error::unreadable(SERVICE, "an object changed while it was read"));
        }
        Ok(response)
    }
}
