//! Blobs: the ways to push them, and those that are special.

use bytes::Bytes;
use jeroboam_oci::{Algorithm, Digest};
use url::Url;

use super::needs_algorithm;
use super::upload::{self, Way};
use crate::client::{Answer, Ask};
use crate::context::Context;
use crate::options::{Api, Data};
use crate::recorder::Recorder;
use crate::stop::{Verdict, fail, skip};

/// How long most blobs are.
pub(super) const LENGTH: usize = 3000;

pub(super) async fn run(context: &Context, recorder: &mut Recorder, group: &str, algorithm: Algorithm) {
    recorder.case(format!("{group}/get-missing"), get_missing(context, algorithm)).await;
    for way in [Way::PostOnly, Way::PostPut, Way::ChunkedSingle, Way::Stream] {
        recorder.case(format!("{group}/{}", way.name()), push(context, algorithm, way, LENGTH)).await;
    }
    recorder.case(format!("{group}/post-cancel"), cancel(context, algorithm)).await;
    recorder.case(format!("{group}/post-algorithm"), post_algorithm(context, algorithm)).await;
    recorder.case(format!("{group}/again"), again(context, algorithm)).await;
    for way in [Way::PostOnly, Way::PostPut, Way::ChunkedSingle, Way::Stream] {
        let name = format!("{group}/empty/{}", way.name());
        recorder.case(name, special(context, algorithm, way, b"", Some(Data::EmptyBlob))).await;
    }
    recorder.case(format!("{group}/emptyJSON"), special(context, algorithm, Way::PostPut, b"{}", None)).await;
    recorder.case(format!("{group}/delete"), delete(context, algorithm)).await;
}

async fn get_missing(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let digest = Digest::of(algorithm, &context.noise("get-missing", 32));
    upload::absent(context, &digest).await?;
    context.client.send(Ask::get(context.blob(&digest))).await?.says_why()
}

/// A blob is pushed in this way, is there, and can be deleted.
pub(super) async fn push(context: &Context, algorithm: Algorithm, way: Way, length: usize) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let bytes = context.noise(&format!("{algorithm}/{}", way.name()), length);
    let digest = Digest::of(algorithm, &bytes);
    let answer = upload::push(context, way, &bytes, &digest).await?;
    comes_and_goes(context, way, &answer, &bytes, &digest).await
}

/// What was pushed is there, and can be deleted. A session that was opened instead takes the blob.
async fn comes_and_goes(context: &Context, way: Way, answer: &Answer, bytes: &Bytes, digest: &Digest) -> Verdict {
    if way == Way::PostOnly && answer.status == 202 {
        upload::finish(context, &answer.location()?, digest, Some(bytes)).await?.status(&[201])?;
        return skip("the registry opened a session instead of taking the blob");
    }
    upload::made(context, answer, bytes, digest).await?;
    upload::deleted(context, &context.blob(digest)).await
}

/// Bytes that are there already are taken as well.
async fn again(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let bytes = context.noise(&format!("{algorithm}/again"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    for way in [Way::PostPut, Way::Stream] {
        let answer = upload::push(context, way, &bytes, &digest).await?;
        upload::made(context, &answer, &bytes, &digest).await?;
    }
    Ok(())
}

async fn special(
    context: &Context,
    algorithm: Algorithm,
    way: Way,
    bytes: &'static [u8],
    data: Option<Data>,
) -> Verdict {
    needs_algorithm(context, algorithm)?;
    if let Some(data) = data {
        context.needs_data(data)?;
    }
    let bytes = Bytes::from_static(bytes);
    let digest = Digest::of(algorithm, &bytes);
    // A chunk of nothing has no range that could be written down.
    let answer = match way {
        Way::ChunkedSingle => {
            let (at, _) = upload::begin(context).await?;
            upload::finish(context, &at, &digest, None).await?
        }
        _ => upload::push(context, way, &bytes, &digest).await?,
    };
    comes_and_goes(context, way, &answer, &bytes, &digest).await
}

/// A session that is given up is gone, and so is what was sent to it: nothing yet, or a chunk.
async fn cancel(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    context.needs(Api::BlobUploadCancel)?;
    let (new, _) = upload::begin(context).await?;
    given_up(context, &new).await?;
    let bytes = context.noise(&format!("{algorithm}/post-cancel"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    let (at, _) = upload::begin(context).await?;
    let at = upload::append(context, &at, &upload::Chunk { start: 0, bytes }).await?;
    given_up(context, &at).await?;
    let finished = upload::finish(context, &at, &digest, None).await?;
    finished.status(&[404])?;
    upload::absent(context, &digest).await
}

async fn given_up(context: &Context, at: &Url) -> Verdict {
    let answer = context.client.send(Ask::delete(at.clone())).await?;
    if answer.is_unsupported() {
        return skip(format!("{}: {}", answer.asked, answer.status));
    }
    answer.status(&[204])?;
    context.client.send(Ask::get(at.clone())).await?.status(&[404])
}

/// An upload may say beforehand which digest it will have; one that nobody knows is refused.
async fn post_algorithm(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    context.needs(Api::BlobUploadAlgorithm)?;
    let bytes = context.noise(&format!("{algorithm}/post-algorithm"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    let begun = context.client.send(Ask::post(format!("{}?digest-algorithm={algorithm}", context.uploads()))).await?;
    begun.status(&[202])?;
    let answer = upload::finish(context, &begun.location()?, &digest, Some(&bytes)).await?;
    upload::made(context, &answer, &bytes, &digest).await?;
    let unknown = context.client.send(Ask::post(format!("{}?digest-algorithm=sha1024", context.uploads()))).await?;
    if unknown.status == 202 {
        return fail("an algorithm that does not exist is taken");
    }
    unknown.status(&[400])
}

/// A deleted blob is gone, and is so a second time.
async fn delete(context: &Context, algorithm: Algorithm) -> Verdict {
    needs_algorithm(context, algorithm)?;
    context.needs(Api::BlobDelete)?;
    let bytes = context.noise(&format!("{algorithm}/delete"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    upload::pushed(context, &bytes, &digest).await?;
    let answer = context.client.send(Ask::delete(context.blob(&digest))).await?;
    if answer.is_unsupported() {
        return skip(format!("{}: {}", answer.asked, answer.status));
    }
    answer.status(&[202])?;
    upload::absent(context, &digest).await?;
    context.client.send(Ask::delete(context.blob(&digest))).await?.status(&[404])?;
    upload::pushed(context, &bytes, &digest).await?;
    upload::stored(context, &context.blob(&digest), &bytes, &digest).await
}
