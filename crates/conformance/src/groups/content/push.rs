//! A data set is pushed: its blobs, then its manifests by digest, then by tag.

use super::Run;
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
        let outcome = match &set.way {
            Way::WrongDigest => recorder.case(by_digest, wrong_digest(run, manifest)).await,
            Way::TagParameters(tags) => recorder.case(by_digest, tag_parameters(run, manifest, tags)).await,
            Way::Plain | Way::Sparse => {
                let digest = manifest.digest.to_string();
                recorder.case(by_digest, push_manifest(run, manifest, &digest)).await
            }
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
    upload::pushed(run.context, &blob.bytes, &blob.digest).await
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
        return skip("the registry wants all manifests of an index");
    }
    answer.status(&[201])?;
    let there = context.client.send(Ask::get(answer.location()?).header("accept", manifest.media_type)).await?;
    if there.status != 200 || there.body != manifest.bytes {
        return fail(format!("the Location of the manifest answers {}", there.status));
    }
    if reference.contains(':') {
        answer.names_digest(&manifest.digest, context.options.has_api(Api::ManifestDigestHeader))?;
    }
    match &manifest.about {
        Some(about) if context.options.has_api(Api::Referrers) => {
            answer.header_is("oci-subject", &about.subject.to_string())
        }
        _ => Ok(()),
    }
}

/// Every tag that was asked for is answered, and there.
async fn tag_parameters(run: &Run<'_>, manifest: &Manifest, tags: &[String]) -> Verdict {
    let context = run.context;
    run.needs()?;
    let query: Vec<_> = tags.iter().map(|tag| format!("tag={tag}")).collect();
    let path = format!("{}?{}", context.manifest(&manifest.digest.to_string()), query.join("&"));
    let answer = put(context, manifest, path).await?;
    answer.status(&[201])?;
    let said: Vec<_> = answer.headers.get_all("oci-tag").iter().filter_map(|value| value.to_str().ok()).collect();
    if said.is_empty() {
        return skip("the registry does not take tags as parameters");
    }
    if said != *tags {
        return fail(format!("OCI-Tag is {} where {} was expected", said.join(", "), tags.join(", ")));
    }
    for tag in tags {
        let ask = Ask::head(context.manifest(tag)).header("accept", manifest.media_type);
        context.client.send(ask).await?.status(&[200])?;
    }
    Ok(())
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
        let ask = Ask::head(context.manifest(&reference)).header("accept", manifest.media_type);
        context.client.send(ask).await?.status(&[404])?;
    }
    Ok(())
}
