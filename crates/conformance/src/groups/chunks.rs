//! Uploads in pieces: in order, out of order, twice, and what a session says of itself.

use bytes::Bytes;
use jeroboam_oci::{Algorithm, Digest};
use url::Url;

use super::blobs::{self, LENGTH};
use super::needs_algorithm;
use super::upload::{self, Chunk, Way};
use crate::client::Ask;
use crate::context::Context;
use crate::recorder::Recorder;
use crate::stop::{Verdict, fail};

pub(super) async fn run(context: &Context, recorder: &mut Recorder, group: &str, algorithm: Algorithm) {
    let whole = whole(context).await;
    for way in [Way::ChunkedMulti, Way::ChunkedMultiPutChunk] {
        recorder.case(format!("{group}/{}", way.name()), blobs::push(context, algorithm, way, whole)).await;
    }
    let patch = out_of_order(context, algorithm, whole, Ending::Patch);
    recorder.case(format!("{group}/chunked-out-of-order/patch"), patch).await;
    let put = out_of_order(context, algorithm, whole, Ending::Put);
    recorder.case(format!("{group}/chunked-out-of-order/put"), put).await;
    recorder.case(format!("{group}/chunked-retry"), retry(context, algorithm, whole)).await;
    recorder.case(format!("{group}/chunked-stale-location"), stale(context, algorithm, whole)).await;
    recorder.case(format!("{group}/chunked-status"), status(context, algorithm, whole)).await;
    recorder.case(format!("{group}/chunked-length"), length(context, algorithm)).await;
}

/// How long a blob of three chunks is: longer than others where the registry wants large chunks.
async fn whole(context: &Context) -> usize {
    upload::begin(context).await.map_or(LENGTH, |(_, least)| LENGTH.max(3 * least))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Patch,
    Put,
}

fn blob(context: &Context, algorithm: Algorithm, name: &str, length: usize) -> (Bytes, Digest) {
    let bytes = context.noise(&format!("{algorithm}/{name}"), length);
    let digest = Digest::of(algorithm, &bytes);
    (bytes, digest)
}

fn three(bytes: &Bytes, least: usize) -> Verdict<[Chunk; 3]> {
    let chunks = <[Chunk; 3]>::try_from(upload::split(bytes, least));
    chunks.or_else(|_| fail("the registry wants chunks that are larger than our blobs"))
}

/// Before each chunk comes one that does not begin where the last one ended: it is refused, and the upload goes on where it was.
async fn out_of_order(context: &Context, algorithm: Algorithm, whole: usize, ending: Ending) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, digest) = blob(context, algorithm, &format!("out-of-order/{ending:?}"), whole);
    let (at, least) = upload::begin(context).await?;
    let [first, middle, last] = three(&bytes, least)?;
    let at = refused(context, upload::chunked(Ask::patch(at), &middle), 0).await?;
    let at = upload::append(context, &at, &first).await?;
    let at = refused(context, upload::chunked(final_ask(at, &digest, ending), &last), first.end()).await?;
    let at = upload::append(context, &at, &middle).await?;
    let at = refused(context, upload::chunked(Ask::patch(at), &first), middle.end()).await?;
    let answer = match ending {
        Ending::Patch => {
            let at = upload::append(context, &at, &last).await?;
            upload::finish(context, &at, &digest, None).await?
        }
        Ending::Put => context.client.send(upload::chunked(final_ask(at, &digest, ending), &last)).await?,
    };
    upload::made(context, &answer, &bytes, &digest).await?;
    upload::deleted(context, &context.blob(&digest)).await
}

/// What the last chunk goes with.
fn final_ask(at: Url, digest: &Digest, ending: Ending) -> Ask {
    match ending {
        Ending::Patch => Ask::patch(at),
        Ending::Put => Ask::put(upload::with_digest(&at, digest)),
    }
}

/// A chunk that was sent already is refused, and the upload goes on after it.
async fn retry(context: &Context, algorithm: Algorithm, whole: usize) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, digest) = blob(context, algorithm, "retry", whole);
    let (at, least) = upload::begin(context).await?;
    let [first, middle, last] = three(&bytes, least)?;
    let at = upload::append(context, &at, &first).await?;
    let at = refused(context, upload::chunked(Ask::patch(at), &first), first.end()).await?;
    goes_on(context, at, &[middle, last], &bytes, &digest).await
}

/// Who lost an answer asks at the address before it, and hears how far the upload is.
async fn stale(context: &Context, algorithm: Algorithm, whole: usize) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, digest) = blob(context, algorithm, "stale", whole);
    let (begun, least) = upload::begin(context).await?;
    let [first, middle, last] = three(&bytes, least)?;
    let second = upload::append(context, &begun, &first).await?;
    upload::append(context, &second, &middle).await?;
    progress(context, second.as_str(), middle.end()).await?;
    let at = progress(context, begun.as_str(), middle.end()).await?;
    goes_on(context, at, &[last], &bytes, &digest).await
}

/// A session says how far it is, before the first chunk and after each.
async fn status(context: &Context, algorithm: Algorithm, whole: usize) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, digest) = blob(context, algorithm, "status", whole);
    let (begun, least) = upload::begin(context).await?;
    let mut at = progress(context, begun.as_str(), 0).await?;
    for chunk in upload::split(&bytes, least) {
        at = upload::append(context, &at, &chunk).await?;
        at = progress(context, at.as_str(), chunk.end()).await?;
    }
    let answer = upload::finish(context, &at, &digest, None).await?;
    upload::made(context, &answer, &bytes, &digest).await?;
    context.client.send(Ask::get(at)).await?.status(&[404])
}

/// A chunk that is not as long as its range says is refused.
async fn length(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let (bytes, _) = blob(context, algorithm, "length", LENGTH);
    let (at, _) = upload::begin(context).await?;
    let ask = Ask::patch(at).header("content-type", "application/octet-stream");
    let wrong = ask.header("content-range", &format!("0-{}", bytes.len() + 10)).body(&bytes);
    context.client.send(wrong).await?.status(&[400, 416])
}

/// A chunk is refused, and the session says how long it is: where the chunk went, and where the refusal leads, if anywhere.
async fn refused(context: &Context, ask: Ask, received: usize) -> Verdict<Url> {
    let asked = ask.address().to_owned();
    let answer = context.client.send(ask).await?;
    answer.status(&[416])?;
    let at = progress(context, &asked, received).await?;
    match answer.location() {
        Ok(there) => progress(context, there.as_str(), received).await,
        Err(_) => Ok(at),
    }
}

/// A session says that it has so many bytes, and where it is.
async fn progress(context: &Context, at: &str, received: usize) -> Verdict<Url> {
    let answer = context.client.send(Ask::get(at)).await?;
    answer.status(&[204])?;
    answer.has_received(received)?;
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
