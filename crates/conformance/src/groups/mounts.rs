//! Blobs of one repository that become another's without being sent again.

use bytes::Bytes;
use jeroboam_oci::{Algorithm, Digest};
use url::form_urlencoded;

use super::blobs::LENGTH;
use super::needs_algorithm;
use super::upload;
use crate::client::{Answer, Ask};
use crate::context::Context;
use crate::options::Api;
use crate::recorder::Recorder;
use crate::stop::{Verdict, skip};

pub(super) async fn run(context: &Context, recorder: &mut Recorder, group: &str, algorithm: Algorithm) {
    recorder.case(format!("{group}/mount"), mount(context, algorithm, true)).await;
    recorder.case(format!("{group}/mount-anonymous"), mount(context, algorithm, false)).await;
    recorder.case(format!("{group}/mount-missing"), missing(context, algorithm, context.repository(), "blob")).await;
    let nowhere = format!("{}/nowhere", context.repository());
    recorder
        .case(format!("{group}/mount-missing-repository"), missing(context, algorithm, &nowhere, "repository"))
        .await;
}

/// How the parameters of a mount are written; clients do either.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    /// As they are.
    Plain,
    /// With escapes for colons and slashes.
    Escaped,
}

async fn mount(context: &Context, algorithm: Algorithm, with_from: bool) -> Verdict {
    needs_algorithm(context, algorithm)?;
    if !with_from {
        context.needs(Api::BlobMountAnonymous)?;
    }
    for spelling in [Spelling::Plain, Spelling::Escaped] {
        mount_spelled(context, algorithm, with_from, spelling).await?;
    }
    Ok(())
}

/// A blob is mounted, is there then, and can be deleted in both places; who cannot mount it opens a session that takes it.
async fn mount_spelled(context: &Context, algorithm: Algorithm, with_from: bool, spelling: Spelling) -> Verdict {
    let bytes = context.noise(&format!("{algorithm}/mount/{with_from}/{spelling:?}"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    upload::pushed(context, &bytes, &digest).await?;
    let from = with_from.then(|| context.repository());
    let mut answer = ask(context, &digest, from, spelling).await?;
    let is_session = answer.status == 202;
    if is_session {
        answer = upload::finish(context, &answer.location()?, &digest, Some(&bytes)).await?;
    }
    comes_and_goes(context, &answer, &bytes, &digest).await?;
    upload::deleted(context, &context.blob(&digest)).await?;
    if is_session { skip("the registry opened a session instead of mounting the blob") } else { Ok(()) }
}

/// What is not there is not mounted: a session is opened, and it works.
async fn missing(context: &Context, algorithm: Algorithm, from: &str, what: &str) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let bytes = context.noise(&format!("{algorithm}/mount-missing/{what}"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    let answer = ask(context, &digest, Some(from), Spelling::Plain).await?;
    answer.status(&[202])?;
    let finished = upload::finish(context, &answer.location()?, &digest, Some(&bytes)).await?;
    comes_and_goes(context, &finished, &bytes, &digest).await
}

/// The blob is in the other repository, the answer says where, and it can be deleted there.
async fn comes_and_goes(context: &Context, answer: &Answer, bytes: &Bytes, digest: &Digest) -> Verdict {
    upload::answered(context, answer, bytes, digest).await?;
    let path = context.other_blob(digest);
    upload::stored(context, &path, bytes, digest).await?;
    upload::deleted(context, &path).await
}

async fn ask(context: &Context, digest: &Digest, from: Option<&str>, spelling: Spelling) -> Verdict<Answer> {
    let mut parameters = vec![("mount", digest.to_string())];
    parameters.extend(from.map(|from| ("from", from.to_owned())));
    let query = match spelling {
        Spelling::Plain => {
            parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        }
        Spelling::Escaped => form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters).finish(),
    };
    let path = format!("/v2/{}/blobs/uploads/?{query}", context.options.other_repository);
    context.client.send(Ask::post(path)).await
}
