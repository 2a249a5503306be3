//! What clients live on and no other group asks: tags that move, lines of a header, sessions of nobody.

use bytes::Bytes;
use jeroboam_oci::Digest;
use serde_json::json;

use super::content::{self, listed};
use super::upload;
use crate::client::Ask;
use crate::context::Context;
use crate::data::{IMAGE, INDEX};
use crate::options::Api;
use crate::recorder::Recorder;
use crate::stop::{Verdict, fail, skip};

pub(super) async fn run(context: &Context, recorder: &mut Recorder) {
    recorder.case("workflow/tag-moves", tag_moves(context)).await;
    recorder.case("workflow/manifest-takes-its-tags", takes_tags(context)).await;
    recorder.case("workflow/tag-leaves-its-manifest", tag_leaves(context)).await;
    recorder.case("workflow/accept-in-lines", accept_in_lines(context)).await;
    recorder.case("workflow/upload-of-nobody", upload_of_nobody(context)).await;
    recorder.case("workflow/mount-of-nothing", mount_of_nothing(context)).await;
    recorder.case("workflow/referrers-of-nobody", referrers_of_nobody(context)).await;
    recorder.case("workflow/referrers-invalid-digest", referrers_invalid(context)).await;
    recorder.case("workflow/error-codes", error_codes(context)).await;
}

/// An image that no other case has, and its digest.
async fn image(context: &Context, name: &str) -> Verdict<(Bytes, Digest)> {
    let config = Bytes::from(json!({ "workflow": name, "run": context.options.seed }).to_string());
    let digest = Digest::sha256(&config);
    upload::pushed(context, &config, &digest).await?;
    let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest.to_string(), "size": config.len() });
    let body =
        Bytes::from(json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [] }).to_string());
    let digest = Digest::sha256(&body);
    Ok((body, digest))
}

async fn put(context: &Context, reference: &str, body: &Bytes) -> Verdict {
    let ask = Ask::put(context.manifest(reference)).header("content-type", IMAGE).body(body);
    context.client.send(ask).await?.status(&[201])
}

async fn get(context: &Context, reference: &str) -> Verdict<crate::client::Answer> {
    context.client.send(Ask::get(context.manifest(reference)).header("accept", IMAGE)).await
}

/// A tag is where it was put last, and what it was on is still there.
async fn tag_moves(context: &Context) -> Verdict {
    let (before, digest) = image(context, "before").await?;
    let (after, _) = image(context, "after").await?;
    put(context, "moves", &before).await?;
    get(context, "moves").await?.body_is(&before)?;
    put(context, "moves", &after).await?;
    get(context, "moves").await?.body_is(&after)?;
    get(context, &digest.to_string()).await?.body_is(&before)
}

/// Who deletes a manifest has no tags on it any more.
async fn takes_tags(context: &Context) -> Verdict {
    context.needs(Api::ManifestDelete)?;
    let (body, digest) = image(context, "taken").await?;
    put(context, "taken-1", &body).await?;
    put(context, "taken-2", &body).await?;
    let answer = context.client.send(Ask::delete(context.manifest(&digest.to_string()))).await?;
    if answer.is_unsupported() {
        return skip(format!("{}: {}", answer.asked, answer.status));
    }
    answer.status(&[202])?;
    for reference in ["taken-1", "taken-2"] {
        get(context, reference).await?.status(&[404])?;
    }
    if !context.options.has_api(Api::TagList) {
        return Ok(());
    }
    let left = listed(context, "").await?.into_iter().find(|tag| tag.starts_with("taken-"));
    left.map_or(Ok(()), |tag| fail(format!("{tag} is still listed")))
}

/// Who deletes a tag has the manifest still, and its other tags.
async fn tag_leaves(context: &Context) -> Verdict {
    context.needs(Api::TagDelete)?;
    let (body, digest) = image(context, "left").await?;
    put(context, "left-1", &body).await?;
    put(context, "left-2", &body).await?;
    let answer = context.client.send(Ask::delete(context.manifest("left-1"))).await?;
    if answer.is_unsupported() {
        return skip(format!("{}: {}", answer.asked, answer.status));
    }
    answer.status(&[202])?;
    get(context, "left-1").await?.status(&[404])?;
    get(context, "left-2").await?.body_is(&body)?;
    get(context, &digest.to_string()).await?.body_is(&body)
}

/// Types that are wanted come in several lines, the right one among them in any place.
async fn accept_in_lines(context: &Context) -> Verdict {
    let (body, _) = image(context, "lines").await?;
    put(context, "lines", &body).await?;
    for lines in
        [[IMAGE, INDEX, "application/json"], [INDEX, IMAGE, "application/json"], [INDEX, "application/json", IMAGE]]
    {
        let ask = lines.iter().fold(Ask::get(context.manifest("lines")), |ask, line| ask.header("accept", line));
        let answer = context.client.send(ask).await?;
        answer.status(&[200])?;
        answer.body_is(&body)?;
    }
    Ok(())
}

async fn upload_of_nobody(context: &Context) -> Verdict {
    let path = format!("{}00000000-0000-4000-8000-000000000000", context.uploads());
    let answer = context.client.send(Ask::get(path.clone())).await?;
    answer.status(&[404])?;
    let answer = context.client.send(Ask::patch(path).body(&context.noise("nobody", 10))).await?;
    answer.status(&[404])
}

/// What is nowhere is not mounted from anywhere: a session is opened.
async fn mount_of_nothing(context: &Context) -> Verdict {
    let bytes = context.noise("mount-of-nothing", 100);
    let digest = Digest::sha256(&bytes);
    let answer = context.client.send(Ask::post(format!("{}?mount={digest}", context.uploads()))).await?;
    answer.status(&[202])?;
    upload::finish(context, &answer.location()?, &digest, Some(&bytes)).await?.status(&[201])
}

/// Nothing is about what nobody has, in a repository that has other things.
async fn referrers_of_nobody(context: &Context) -> Verdict {
    context.needs(Api::Referrers)?;
    let (body, _) = image(context, "other").await?;
    put(context, "other", &body).await?;
    let digest = Digest::sha256(&context.noise("subject of nobody", 32));
    let path = format!("/v2/{}/referrers/{digest}", context.repository());
    content::referrers::empty(&context.client.send(Ask::get(path)).await?)
}

async fn referrers_invalid(context: &Context) -> Verdict {
    context.needs(Api::Referrers)?;
    let path = format!("/v2/{}/referrers/sha256:totallywrong", context.repository());
    context.client.send(Ask::get(path)).await?.status(&[400])
}

/// A refusal says why, in the form and with a code of the specification.
async fn error_codes(context: &Context) -> Verdict {
    let answer = get(context, "sha256:totallywrong").await?;
    answer.status(&[400, 404])?;
    answer.says_why()?;
    let kind = answer.header("content-type").unwrap_or_default();
    if kind.starts_with("application/json") { Ok(()) } else { fail(format!("the Content-Type of an error is {kind}")) }
}
