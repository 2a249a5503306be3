//! Uploads in pieces: in order, out of order, twice, and what a session says of itself.

use bytes::Bytes;
use jeroboam_oci::{Algorithm, Digest};
use url::Url;

use super::blobs::{self, LENGTH};
use super::needs_algorithm;
use super::upload::{self, Chunk, Way};
use crate::client::{Answer, Ask};
use crate::context::Context;
use crate::recorder::Recorder;
use crate::stop::{Verdict, fail};

pub(super) async fn run(context: &Context, recorder: &mut Recorder, group: &str, algorithm: Algorithm) {
    for way in [Way::ChunkedMulti, Way::ChunkedMultiPutChunk] {
        recorder.case(format!("{group}/{}", way.name()), blobs::push(context, algorithm, way)).await;
    }
    let patch = out_of_order(context, algorithm, Ending::Patch);
    recorder.case(format!("{group}/chunked-out-of-order/patch"), patch).await;
    let put = out_of_order(context, algorithm, Ending::Put);
    recorder.case(format!("{group}/chunked-out-of-order/put"), put).await;
    recorder.case(format!("{group}/chunked-retry"), retry(context, algorithm)).await;
    recorder.case(format!("{group}/chunked-stale-location"), stale(context, algorithm)).await;
    recorder.case(format!("{group}/chunked-status"), status(context, algorithm)).await;
    recorder.case(format!("{group}/chunked-length"), length(context, algorithm)).await;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Patch,
    Put,
}

fn blob(context: &Context, algorithm: Algorithm, name: &str) -> (Bytes, Digest) {
    let bytes = context.noise(&format!("{algorithm}/{name}"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    (bytes, digest)
}

/// A chunk that does not begin where the last one ended is refused, and the upload goes on where it was.
async fn out_of_order(context: &Context, algorithm: Algorithm, ending: Ending) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, digest) = blob(context, algorithm, &format!("out-of-order/{ending:?}"));
    let (at, least) = upload::begin(context).await?;
    let chunks = upload::split(&bytes, least);
    let [first, middle, last] = chunks.as_slice() else {
        return fail("the registry wants chunks that are larger than our blobs");
    };
    let refused = match ending {
        // The second chunk before the first one.
        Ending::Patch => context.client.send(upload::chunked(Ask::patch(at.clone()), middle)).await?,
        Ending::Put => {
            let at = upload::append(context, &at, first).await?;
            context.client.send(upload::chunked(Ask::put(upload::with_digest(&at, &digest)), last)).await?
        }
    };
    refused.status(&[416])?;
    let at = here(context, &at, &refused).await?;
    let left = if ending == Ending::Patch { chunks.as_slice() } else { &chunks[1..] };
    goes_on(context, at, left, &bytes, &digest).await
}

/// A chunk that was sent already is refused, and the upload goes on after it.
async fn retry(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, digest) = blob(context, algorithm, "retry");
    let (at, least) = upload::begin(context).await?;
    let chunks = upload::split(&bytes, least);
    let at = upload::append(context, &at, &chunks[0]).await?;
    let refused = context.client.send(upload::chunked(Ask::patch(at.clone()), &chunks[0])).await?;
    refused.status(&[416])?;
    let at = here(context, &at, &refused).await?;
    goes_on(context, at, &chunks[1..], &bytes, &digest).await
}

/// Who lost an answer asks at the address before it, and hears how far the upload is.
async fn stale(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, digest) = blob(context, algorithm, "stale");
    let (first, least) = upload::begin(context).await?;
    let chunks = upload::split(&bytes, least);
    let second = upload::append(context, &first, &chunks[0]).await?;
    upload::append(context, &second, &chunks[1]).await?;
    let sent = chunks[0].bytes.len() + chunks[1].bytes.len();
    for before in [&first, &second] {
        let answer = context.client.send(Ask::get(before.clone())).await?;
        answer.status(&[204])?;
        answer.header_is("range", &format!("0-{}", sent - 1))?;
    }
    let answer = context.client.send(Ask::get(first)).await?;
    goes_on(context, answer.location()?, &chunks[2..], &bytes, &digest).await
}

/// A session says how far it is, before the first chunk and after each.
async fn status(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, digest) = blob(context, algorithm, "status");
    let (mut at, least) = upload::begin(context).await?;
    context.client.send(Ask::get(at.clone())).await?.status(&[204])?;
    for chunk in upload::split(&bytes, least) {
        at = upload::append(context, &at, &chunk).await?;
        let answer = context.client.send(Ask::get(at.clone())).await?;
        answer.status(&[204])?;
        answer.header_is("range", &format!("0-{}", chunk.start + chunk.bytes.len() - 1))?;
        at = answer.location()?;
    }
    let answer = upload::finish(context, &at, &digest, None).await?;
    upload::made(context, &answer, &bytes, &digest).await?;
    context.client.send(Ask::get(at)).await?.status(&[404])
}

/// A chunk that is not as long as its range says is refused.
async fn length(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, _) = blob(context, algorithm, "length");
    let (at, _) = upload::begin(context).await?;
    let ask = Ask::patch(at).header("content-type", "application/octet-stream");
    let wrong = ask.header("content-range", &format!("0-{}", bytes.len() + 10)).body(&bytes);
    context.client.send(wrong).await?.status(&[400, 416])
}

/// Where a refused chunk leaves the session: where the answer says, or where it was.
async fn here(context: &Context, at: &Url, refused: &Answer) -> Verdict<Url> {
    let asked = match refused.location() {
        Ok(there) => there,
        Err(_) => at.clone(),
    };
    let answer = context.client.send(Ask::get(asked)).await?;
    answer.status(&[204])?;
    answer.location()
}

/// The rest is taken, and the blob is whole.
async fn goes_on(context: &Context, mut at: Url, chunks: &[Chunk], bytes: &Bytes, digest: &Digest) -> Verdict {
    for chunk in chunks {
        at = upload::append(context, &at, chunk).await?;
    }
    let answer = upload::finish(context, &at, digest, None).await?;
    upload::made(context, &answer, bytes, digest).await
}
