//! Reading an object. A body that breaks off is gone on with where it broke off, as long as the object is still the same.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, StatusCode};
use reqwest::Response;

use super::client::{Call, Client, Failure};
use super::object;
use crate::misuse::outside;
use crate::{ByteStream, Error, Kind, Object, ObjectMeta, Result};

/// So often a body is gone on with.
const RESUMED: u32 = 4;

/// Opens an object and gives the bytes of `range`.
pub(super) async fn open(client: &Arc<Client>, key: String, range: Option<Range<u64>>) -> Result<Option<Object>> {
    if let Some(range) = range.as_ref().filter(|range| range.start >= range.end) {
        // S3 has no range without bytes.
        let Some(meta) = object::head(client, &key).await? else { return Ok(None) };
        return if range.start == range.end && range.end <= meta.size {
            Ok(Some(Object { meta, note: None, body: stream::empty().boxed() }))
        } else {
            Err(outside(&key, range, meta.size))
        };
    }
    let answer = match get(client, &key, range.as_ref(), None).await {
        Ok(answer) => answer,
        Err(failure) if failure.is(StatusCode::NOT_FOUND) && !failure.has_code("NoSuchBucket") => return Ok(None),
        Err(failure) if failure.is(StatusCode::RANGE_NOT_SATISFIABLE) => {
            return Err(outside(&key, &range.unwrap_or_default(), 0));
        }
        Err(failure) => return Err(failure.into_error("read", &key)),
    };
    let size =
        size(&answer).ok_or_else(|| Error::new(Kind::Broken, format!("read {key} in S3: no length was told")))?;
    let range = range.unwrap_or(0..size);
    if range.end > size {
        return Err(outside(&key, &range, size));
    }
    let meta = ObjectMeta { size, modified: object::modified(answer.headers()) };
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (etag, note) = (header("etag"), header(object::NOTE));
    let body = Body { client: Arc::clone(client), key, etag, range, pieces: pieces(answer), resumed: 0 };
    Ok(Some(Object { meta, note, body: body.stream() }))
}

async fn get(
    client: &Client,
    key: &str,
    range: Option<&Range<u64>>,
    etag: Option<&str>,
) -> std::result::Result<Response, Failure> {
    let mut call = Call::on(Method::GET, key);
    if let Some(range) = range {
        call = call.header("range", format!("bytes={}-{}", range.start, range.end - 1));
    }
    if let Some(etag) = etag {
        call = call.header("if-match", etag);
    }
    client.send(call).await
}

/// The length of the whole object.
fn size(answer: &Response) -> Option<u64> {
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    match answer.status() {
        StatusCode::PARTIAL_CONTENT => header("content-range")?.rsplit('/').next()?.parse().ok(),
        _ => header("content-length")?.parse().ok(),
    }
}

type Pieces = BoxStream<'static, reqwest::Result<Bytes>>;

fn pieces(answer: Response) -> Pieces {
    answer.bytes_stream().boxed()
}

struct Body {
    client: Arc<Client>,
    key: String,
    etag: Option<String>,
    /// What is still to come.
    range: Range<u64>,
    pieces: Pieces,
    resumed: u32,
}

impl Body {
    fn stream(self) -> ByteStream {
        stream::try_unfold(self, |mut body| async move { Ok(body.next().await?.map(|piece| (piece, body))) }).boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.range.start < self.range.end {
            match self.pieces.next().await {
                Some(Ok(mut piece)) => {
                    piece.truncate((self.range.end - self.range.start).min(piece.len() as u64) as usize);
                    self.range.start += piece.len() as u64;
                    return Ok(Some(piece));
                }
                Some(Err(error)) => self.resume(Some(error)).await?,
                None => self.resume(None).await?,
            }
        }
        Ok(None)
    }

    async fn resume(&mut self, cause: Option<reqwest::Error>) -> Result<()> {
        let broken = || Error::new(Kind::Unavailable, format!("read {} in S3: it broke off", self.key));
        let because = |error: Error| match cause {
            Some(cause) => error.because(cause),
            None => error,
        };
        let Some(etag) = self.etag.clone().filter(|_| self.resumed < RESUMED) else { return Err(because(broken())) };
        self.resumed += 1;
        tracing::debug!(key = %self.key, offset = self.range.start, "a body broke off and is gone on with");
        tokio::time::sleep(Duration::from_millis(100) * self.resumed).await;
        match get(&self.client, &self.key, Some(&self.range), Some(&etag)).await {
            Ok(answer) if answer.status() == StatusCode::PARTIAL_CONTENT => {
                self.pieces = pieces(answer);
                Ok(())
            }
            // Another object is there by now, or the store gives no ranges.
            Ok(_) => Err(because(broken())),
            Err(failure) if failure.is(StatusCode::PRECONDITION_FAILED) => Err(because(broken())),
            Err(failure) => Err(failure.into_error("go on reading", &self.key)),
        }
    }
}
