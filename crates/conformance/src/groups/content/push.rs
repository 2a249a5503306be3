//! A data set is pushed: its blobs, then its manifests by digest, then by tag.

use super::{Run, ask_for, names};
use crate::client::{Answer, Ask};
use crate::context::Context;
use crate::data::{Blob, Manifest, Way};
use crate::groups::upload;
use crate::options::Api;
use crate::recorder::Recorder;
use crate::report::Outcome;
use crate::stop::{Verdict, fail, skip};

/// Roles of manifests that the registry need not take, and did not.
pub(super) async fn run<'a>(run: &Run<'a>, recorder: &mut Recorder) -> Vec<&'a str> {
    let set = run.set;
    let mut not_taken = Vec::new();
    for blob in &set.blobs {
        recorder.case(run.name(&format!("push/blob/{}", blob.role)), push_blob(run, blob)).await;
    }
    for manifest in &set.manifests {
        let role = &manifest.role;
        let by_digest = run.name(&format!("push/digest/{role}"));
        let digest = manifest.digest.to_string();
        let outcome = match &set.way {
            Way::WrongDigest => recorder.case(by_digest, wrong_digest(run, manifest)).await,
            Way::Plain | Way::Sparse if manifest.tag_parameters.is_empty() => {
                recorder.case(by_digest, push_manifest(run, manifest, &digest)).await
            }
            Way::Plain | Way::Sparse => recorder.case(by_digest, tag_parameters(run, manifest, &digest)).await,
        };
        if matches!(outcome, Outcome::Skip(_)) {
            not_taken.push(role.as_str());
        }
        if let Some(tag) = &manifest.tag {
            recorder.case(run.name(&format!("push/tag/{role}")), push_manifest(run, manifest, tag)).await;
        }
    }
    not_taken
}

async fn push_blob(run: &Run<'_>, blob: &Blob) -> Verdict {
    run.needs()?;
    let answer = upload::push(run.context, upload::Way::PostPut, &blob.bytes, &blob.digest).await?;
    upload::answered(run.context, &answer, &blob.bytes, &blob.digest).await
}

async fn put(context: &Context, manifest: &Manifest, path: String) -> Verdict<Answer> {
    context.client.send(Ask::put(path).header("content-type", manifest.media_type).body(&manifest.bytes)).await
}

async fn push_manifest(run: &Run<'_>, manifest: &Manifest, reference: &str) -> Verdict {
    let Run { context, set, .. } = run;
    run.needs()?;
    let answer = put(context, manifest, context.manifest(reference)).await?;
    let refused = answer.codes().iter().any(|code| code == "MANIFEST_BLOB_UNKNOWN");
    if set.way == Way::Sparse && answer.status == 400 && refused {
        return skip("the registry wants all that a manifest names");
    }
    taken(run, manifest, reference, &answer).await
}

/// The manifest is where the answer says, as it was pushed; the answer names it, and what it is about.
async fn taken(run: &Run<'_>, manifest: &Manifest, reference: &str, answer: &Answer) -> Verdict {
    let context = run.context;
    answer.status(&[201])?;
    let there = context.client.send(ask_for(manifest, Ask::get(answer.location()?))).await?;
    there.status(&[200])?;
    there.header_is("content-type", manifest.media_type)?;
    there.header_is("content-length", &manifest.bytes.len().to_string())?;
    there.body_is(&manifest.bytes)?;
    names(context, manifest, reference, answer)?;
    match &manifest.about {
        Some(about) if context.options.has_api(Api::Referrers) => {
            answer.header_is("oci-subject", &about.subject.to_string())
        }
        _ => Ok(()),
    }
}

/// Every tag that was asked for is answered, and there.
async fn tag_parameters(run: &Run<'_>, manifest: &Manifest, digest: &str) -> Verdict {
    let context = run.context;
    run.needs()?;
    let tags = &manifest.tag_parameters;
    let query: Vec<_> = tags.iter().map(|tag| format!("tag={tag}")).collect();
    let answer = put(context, manifest, format!("{}?{}", context.manifest(digest), query.join("&"))).await?;
    taken(run, manifest, digest, &answer).await?;
    let said = tags_of(&answer);
    if said.is_empty() {
        return skip("the registry does not take tags as parameters");
    }
    if said.len() != tags.len() || !tags.iter().all(|tag| said.contains(&tag.as_str())) {
        return fail(format!("OCI-Tag is {} where {} was expected", said.join(", "), tags.join(", ")));
    }
    for tag in tags {
        context.client.send(ask_for(manifest, Ask::head(context.manifest(tag)))).await?.status(&[200])?;
    }
    Ok(())
}

/// The tags that an answer names, in one line or in several.
fn tags_of(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("oci-tag").iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

async fn wrong_digest(run: &Run<'_>, manifest: &Manifest) -> Verdict {
    let context = run.context;
    run.needs()?;
    let wrong = jeroboam_oci::Digest::sha256(&context.noise("wrong-digest", 32)).to_string();
    let answer = put(context, manifest, context.manifest(&wrong)).await?;
    answer.status(&[400])?;
    answer.says_why()?;
    let right = manifest.digest.to_string();
    for reference in [wrong, right] {
        context.client.send(ask_for(manifest, Ask::head(context.manifest(&reference)))).await?.status(&[404])?;
    }
    Ok(())
}
