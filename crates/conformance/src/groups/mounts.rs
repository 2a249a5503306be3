//! Blobs of one repository that become another's without being sent again.

use jeroboam_oci::{Algorithm, Digest};

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

/// A blob is mounted, and is there then; who cannot do it opens a session.
async fn mount(context: &Context, algorithm: Algorithm, with_from: bool) -> Verdict {
    needs_algorithm(context, algorithm)?;
    if !with_from {
        context.needs(Api::BlobMountAnonymous)?;
    }
    let bytes = context.noise(&format!("{algorithm}/mount/{with_from}"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    upload::pushed(context, &bytes, &digest).await?;
    let from = with_from.then(|| context.repository());
    let answer = ask(context, &digest, from).await?;
    answer.status(&[201, 202])?;
    let at = answer.location()?;
    if answer.status == 202 {
        context.client.send(Ask::get(at)).await?.status(&[204])?;
        return skip("the registry opened a session instead of mounting the blob");
    }
    answer.names_digest(&digest, context.options.has_api(Api::BlobDigestHeader))?;
    let there = context.client.send(Ask::get(at)).await?;
    there.status(&[200])?;
    there.body_is(&bytes)?;
    let blob = format!("/v2/{}/blobs/{digest}", context.options.other_repository);
    let head = context.client.send(Ask::head(blob)).await?;
    head.status(&[200])?;
    head.header_is("content-length", &bytes.len().to_string())
}

/// What is not there is not mounted: a session is opened, and it works.
async fn missing(context: &Context, algorithm: Algorithm, from: &str, what: &str) -> Verdict {
    needs_algorithm(context, algorithm)?;
    let bytes = context.noise(&format!("{algorithm}/mount-missing/{what}"), LENGTH);
    let digest = Digest::of(algorithm, &bytes);
    let answer = ask(context, &digest, Some(from)).await?;
    answer.status(&[202])?;
    let finished = upload::finish(context, &answer.location()?, &digest, Some(&bytes)).await?;
    finished.status(&[201])?;
    let there = context.client.send(Ask::get(finished.location()?)).await?;
    there.status(&[200])?;
    there.body_is(&bytes)
}

async fn ask(context: &Context, digest: &Digest, from: Option<&str>) -> Verdict<Answer> {
    let from = from.map(|from| format!("&from={from}")).unwrap_or_default();
    let path = format!("/v2/{}/blobs/uploads/?mount={digest}{from}", context.options.other_repository);
    context.client.send(Ask::post(path)).await
}
