//! The ways to push a blob.

use bytes::Bytes;
use jeroboam_oci::Digest;
use url::Url;

use crate::client::{Answer, Ask};
use crate::context::Context;
use crate::options::Api;
use crate::stop::{Verdict, fail};

/// A way to push a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// All in one request.
    PostOnly,
    /// A session, then all with the digest.
    PostPut,
    /// A session, all as one chunk, then the digest.
    ChunkedSingle,
    /// A session, several chunks, then the digest.
    ChunkedMulti,
    /// A session, several chunks, the last one with the digest.
    ChunkedMultiPutChunk,
    /// A session, all without a length, then the digest.
    Stream,
}

impl Way {
    /// Its name in cases.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::PostOnly => "post-only",
            Self::PostPut => "post-put",
            Self::ChunkedSingle => "chunked-single",
            Self::ChunkedMulti => "chunked-multi",
            Self::ChunkedMultiPutChunk => "chunked-multi-put-chunk",
            Self::Stream => "stream",
        }
    }
}

/// A chunk of an upload and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) start: usize,
    pub(crate) bytes: Bytes,
}

impl Chunk {
    /// How long an upload is with it.
    pub(crate) fn end(&self) -> usize {
        self.start + self.bytes.len()
    }
}

/// Pushes bytes and gives the last answer, which nobody has judged yet; those before it are as they should be.
pub(crate) async fn push(context: &Context, way: Way, bytes: &Bytes, digest: &Digest) -> Verdict<Answer> {
    if way == Way::PostOnly {
        return context
            .client
            .send(octets(Ask::post(format!("{}?digest={digest}", context.uploads()))).body(bytes))
            .await;
    }
    let (mut at, least) = begin(context).await?;
    match way {
        Way::PostOnly | Way::PostPut => return finish(context, &at, digest, Some(bytes)).await,
        Way::Stream => at = moved(&context.client.send(octets(Ask::patch(at)).stream(bytes)).await?)?,
        Way::ChunkedSingle => {
            at = append(context, &at, &Chunk { start: 0, bytes: bytes.clone() }).await?;
        }
        Way::ChunkedMulti | Way::ChunkedMultiPutChunk => {
            let mut chunks = split(bytes, least);
            let last = if way == Way::ChunkedMultiPutChunk { chunks.pop() } else { None };
            for chunk in &chunks {
                at = append(context, &at, chunk).await?;
            }
            if let Some(last) = last {
                return context.client.send(chunked(Ask::put(with_digest(&at, digest)), &last)).await;
            }
        }
    }
    finish(context, &at, digest, None).await
}

/// Pushes bytes that a case needs, and judges every answer.
pub(crate) async fn pushed(context: &Context, bytes: &Bytes, digest: &Digest) -> Verdict {
    push(context, Way::PostPut, bytes, digest).await?.status(&[201])
}

/// Opens a session: where it is, and how small a chunk may be.
pub(crate) async fn begin(context: &Context) -> Verdict<(Url, usize)> {
    let answer = context.client.send(Ask::post(context.uploads())).await?;
    answer.status(&[202])?;
    let least = match answer.header("oci-chunk-min-length") {
        Some(text) => text.parse::<usize>().or_else(|_| fail(format!("OCI-Chunk-Min-Length is {text}")))?,
        None => 0,
    };
    Ok((answer.location()?, least))
}

/// Sends a chunk that has to be taken; where the session is then.
pub(crate) async fn append(context: &Context, at: &Url, chunk: &Chunk) -> Verdict<Url> {
    let answer = context.client.send(chunked(Ask::patch(at.clone()), chunk)).await?;
    let at = moved(&answer)?;
    answer.has_received(chunk.end())?;
    Ok(at)
}

/// Ends a session, with the last of its bytes or without.
pub(crate) async fn finish(context: &Context, at: &Url, digest: &Digest, last: Option<&Bytes>) -> Verdict<Answer> {
    let ask = Ask::put(with_digest(at, digest));
    context
        .client
        .send(match last {
            Some(bytes) => octets(ask).body(bytes),
            None => ask,
        })
        .await
}

/// A request with a chunk.
pub(crate) fn chunked(ask: Ask, chunk: &Chunk) -> Ask {
    let last = chunk.end().saturating_sub(1);
    octets(ask).header("content-range", &format!("{}-{last}", chunk.start)).body(&chunk.bytes)
}

/// Three chunks or so, none but the last smaller than it may be.
pub(crate) fn split(bytes: &Bytes, least: usize) -> Vec<Chunk> {
    let size = bytes.len().div_ceil(3).max(least).max(1);
    let starts = (0..bytes.len()).step_by(size);
    starts.map(|start| Chunk { start, bytes: bytes.slice(start..bytes.len().min(start + size)) }).collect()
}

/// A session's address with what its bytes should come to.
pub(crate) fn with_digest(at: &Url, digest: &Digest) -> Url {
    let mut url = at.clone();
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    url
}

/// The blob is there: its length, its digest, its bytes.
pub(crate) async fn stored(context: &Context, path: &str, bytes: &Bytes, digest: &Digest) -> Verdict {
    described(context, Ask::head(path), bytes, digest).await?;
    described(context, Ask::get(path), bytes, digest).await?.body_is(bytes)
}

/// The answer to a request for a blob says how long it is, and which one.
pub(crate) async fn described(context: &Context, ask: Ask, bytes: &Bytes, digest: &Digest) -> Verdict<Answer> {
    let answer = context.client.send(ask).await?;
    answer.status(&[200])?;
    answer.header_is("content-length", &bytes.len().to_string())?;
    answer.names_digest(digest, context.options.has_api(Api::BlobDigestHeader))?;
    Ok(answer)
}

/// The blob is not there.
pub(crate) async fn absent(context: &Context, digest: &Digest) -> Verdict {
    context.client.send(Ask::head(context.blob(digest))).await?.status(&[404])?;
    context.client.send(Ask::get(context.blob(digest))).await?.status(&[404])
}

/// A blob that is deleted is gone; who deletes no blobs is asked for nothing here.
pub(crate) async fn deleted(context: &Context, path: &str) -> Verdict {
    if !context.options.has_api(Api::BlobDelete) {
        return Ok(());
    }
    let answer = context.client.send(Ask::delete(path)).await?;
    if answer.is_unsupported() {
        return Ok(());
    }
    answer.status(&[202])?;
    if !context.options.has_api(Api::BlobAtomic) {
        return Ok(());
    }
    context.client.send(Ask::head(path)).await?.status(&[404])
}

/// What was pushed is there, and the answer says where.
pub(crate) async fn made(context: &Context, answer: &Answer, bytes: &Bytes, digest: &Digest) -> Verdict {
    answered(context, answer, bytes, digest).await?;
    stored(context, &context.blob(digest), bytes, digest).await
}

/// The answer to a push says which blob it made, and where it is.
pub(crate) async fn answered(context: &Context, answer: &Answer, bytes: &Bytes, digest: &Digest) -> Verdict {
    answer.status(&[201])?;
    let at = answer.location()?;
    answer.names_digest(digest, context.options.has_api(Api::BlobDigestHeader))?;
    let there = context.client.send(Ask::get(at)).await?;
    if there.status != 200 || there.body != bytes {
        return fail(format!("the Location of the blob answers {} with {} bytes", there.status, there.body.len()));
    }
    Ok(())
}

fn moved(answer: &Answer) -> Verdict<Url> {
    answer.status(&[202])?;
    answer.location()
}

fn octets(ask: Ask) -> Ask {
    ask.header("content-type", "application/octet-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_all_bytes_once() {
        let bytes = Bytes::from(vec![7; 10]);
        for (least, expected) in [(0, vec![(0, 4), (4, 4), (8, 2)]), (6, vec![(0, 6), (6, 4)]), (20, vec![(0, 10)])] {
            let chunks: Vec<_> = split(&bytes, least).iter().map(|chunk| (chunk.start, chunk.bytes.len())).collect();
            assert_eq!(chunks, expected);
        }
        assert!(split(&Bytes::new(), 0).is_empty());
    }

    #[test]
    fn the_digest_goes_behind_what_the_session_knows() {
        let at: Url = "http://r/v2/a/blobs/uploads/1?_state=x".parse().unwrap();
        let url = with_digest(&at, &Digest::sha256(b""));
        assert!(url.as_str().starts_with("http://r/v2/a/blobs/uploads/1?_state=x&digest=sha256%3Ae3b0"), "{url}");
    }
}
