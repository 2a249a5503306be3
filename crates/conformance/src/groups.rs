//! All cases, in the order in which they run.

mod bad_digests;
mod blobs;
mod chunks;
mod content;
mod invalid;
mod listing;
mod mounts;
mod ranges;
pub(crate) mod upload;
mod workflow;

use jeroboam_oci::Algorithm;

use crate::client::Ask;
use crate::context::Context;
use crate::options::{Api, Data};
use crate::recorder::Recorder;
use crate::stop::{Verdict, fail};

/// Runs all of them.
pub(crate) async fn run(context: &Context, recorder: &mut Recorder) {
    recorder.case("ping", ping(context)).await;
    recorder.case("empty/tag-list", empty_tag_list(context)).await;
    recorder.case("empty/referrers", empty_referrers(context)).await;
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let group = format!("blobs/{algorithm}");
        if recorder.wants(&group) {
            blobs::run(context, recorder, &group, algorithm).await;
            mounts::run(context, recorder, &group, algorithm).await;
            chunks::run(context, recorder, &group, algorithm).await;
            ranges::run(context, recorder, &group, algorithm).await;
            bad_digests::run(context, recorder, &group, algorithm).await;
        }
    }
    if recorder.wants("data") {
        content::run(context, recorder).await;
    }
    if recorder.wants("tags") {
        listing::run(context, recorder).await;
    }
    if recorder.wants("workflow") {
        workflow::run(context, recorder).await;
    }
    for group in ["missing", "invalid"] {
        if recorder.wants(group) {
            invalid::run(context, recorder, group).await;
        }
    }
}

/// The registry answers, to those who may ask.
async fn ping(context: &Context) -> Verdict {
    context.client.send(Ask::get("/v2/")).await?.status(&[200])
}

/// A repository without anything has no tags, or is not known.
async fn empty_tag_list(context: &Context) -> Verdict {
    context.needs(Api::TagList)?;
    let answer = context.client.send(Ask::get(format!("/v2/{}/tags/list", context.repository()))).await?;
    answer.status(&[200, 404])?;
    if answer.status == 404 {
        return answer.says_why();
    }
    let body = answer.json()?;
    if body["name"] != context.repository() {
        return fail(format!("the list is of {}", body["name"]));
    }
    if body["tags"].is_array() || body["tags"].is_null() { Ok(()) } else { fail("tags is no list") }
}

/// Nothing is about a manifest that nobody has.
async fn empty_referrers(context: &Context) -> Verdict {
    context.needs(Api::Referrers)?;
    let digest = jeroboam_oci::Digest::sha256(&context.noise("nobody", 32));
    let answer = context.client.send(Ask::get(format!("/v2/{}/referrers/{digest}", context.repository()))).await?;
    content::referrers::empty(&answer)
}

/// Ends a case about digests that its registry need not know.
fn needs_algorithm(context: &Context, algorithm: Algorithm) -> Verdict {
    match algorithm {
        Algorithm::Sha256 => Ok(()),
        Algorithm::Sha512 => context.needs_data(Data::Sha512),
    }
}
