//! Every data set: pushed, listed, looked at, pulled, found by its subject, deleted.

mod delete;
mod push;
pub(super) mod referrers;

use jeroboam_oci::Digest;

use super::upload;
use crate::client::{Answer, Ask};
use crate::context::Context;
use crate::data::{Blob, DataSet, Manifest, sets};
use crate::options::Api;
use crate::recorder::Recorder;
use crate::stop::{Verdict, fail, skip};

/// A data set on its way through a registry.
struct Run<'a> {
    context: &'a Context,
    set: &'a DataSet,
    group: String,
    /// Roles of manifests that the registry need not take, and did not.
    not_taken: Vec<&'a str>,
}

impl Run<'_> {
    /// Ends a case about content or a part that is left out.
    fn needs(&self) -> Verdict {
        self.set.needs.iter().try_for_each(|data| self.context.needs_data(*data))?;
        self.set.api.map_or(Ok(()), |api| self.context.needs(api))
    }

    /// Ends a case about a manifest that was not taken, too.
    fn needs_manifest(&self, manifest: &Manifest) -> Verdict {
        self.needs()?;
        if self.not_taken.contains(&manifest.role.as_str()) { skip("the manifest was not taken") } else { Ok(()) }
    }

    /// Ends a case about all manifests where one was not taken.
    fn needs_all(&self) -> Verdict {
        self.set.manifests.iter().try_for_each(|manifest| self.needs_manifest(manifest))
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.group)
    }
}

pub(super) async fn run(context: &Context, recorder: &mut Recorder) {
    for set in sets(&context.options.seed) {
        let group = format!("data/{}", set.name);
        if !recorder.wants(&group) {
            continue;
        }
        let mut run = Run { context, set: &set, group, not_taken: Vec::new() };
        run.not_taken = push::run(&run, recorder).await;
        if !set.kept().is_empty() {
            recorder.case(run.name("tag-list"), tag_list(&run)).await;
        }
        looks(&run, recorder).await;
        referrers::run(&run, recorder).await;
        delete::run(&run, recorder).await;
    }
}

async fn looks(run: &Run<'_>, recorder: &mut Recorder) {
    for manifest in run.set.kept() {
        let role = &manifest.role;
        for (how, references) in references(manifest) {
            let head = head_manifest(run, manifest, &references);
            recorder.case(run.name(&format!("head/{how}/{role}")), head).await;
            let pull = pull_manifest(run, manifest, &references);
            recorder.case(run.name(&format!("pull/{how}/{role}")), pull).await;
        }
    }
    for blob in &run.set.blobs {
        recorder.case(run.name(&format!("head/blob/{}", blob.role)), head_blob(run, blob)).await;
        recorder.case(run.name(&format!("pull/blob/{}", blob.role)), pull_blob(run, blob)).await;
    }
}

/// By what a manifest is asked for: its tags where it has any, and its digest.
fn references(manifest: &Manifest) -> Vec<(&'static str, Vec<String>)> {
    let tags: Vec<_> = manifest.tags().map(str::to_owned).collect();
    let digest = ("digest", vec![manifest.digest.to_string()]);
    if tags.is_empty() { vec![digest] } else { vec![("tag", tags), digest] }
}

/// All tags of the set are listed, in order; a list after some tag has those after it.
async fn tag_list(run: &Run<'_>) -> Verdict {
    let Run { context, set, .. } = run;
    run.needs_all()?;
    context.needs(Api::TagList)?;
    let listed = listed(context, "").await?;
    let missing: Vec<_> = set.tags().into_iter().filter(|tag| !listed.iter().any(|listed| listed == tag)).collect();
    if !missing.is_empty() {
        return fail(format!("the list lacks {}", missing.join(", ")));
    }
    let mut sorted = listed.clone();
    sorted.sort();
    if sorted != listed {
        return fail(format!("the list is not in order: {}", listed.join(", ")));
    }
    let last = &listed[listed.len() / 2];
    for query in [format!("?n=1000&last={last}"), format!("?last={last}")] {
        let after = self::listed(context, &query).await?;
        if after != listed[listed.len() / 2 + 1..] {
            return fail(format!("{query} of {} gave {}", listed.join(", "), after.join(", ")));
        }
    }
    Ok(())
}

/// The tags that a registry lists.
pub(super) async fn listed(context: &Context, query: &str) -> Verdict<Vec<String>> {
    let answer = context.client.send(Ask::get(format!("/v2/{}/tags/list{query}", context.repository()))).await?;
    answer.status(&[200])?;
    let body = answer.json()?;
    match body["tags"].as_array() {
        Some(tags) => Ok(tags.iter().filter_map(|tag| tag.as_str()).map(str::to_owned).collect()),
        None => fail("tags is no list"),
    }
}

fn ask_for(manifest: &Manifest, ask: Ask) -> Ask {
    ask.header("accept", manifest.media_type)
}

async fn head_manifest(run: &Run<'_>, manifest: &Manifest, references: &[String]) -> Verdict {
    let context = run.context;
    run.needs_manifest(manifest)?;
    for reference in references {
        let answer = context.client.send(ask_for(manifest, Ask::head(context.manifest(reference)))).await?;
        described(context, manifest, reference, &answer)?;
    }
    Ok(())
}

async fn pull_manifest(run: &Run<'_>, manifest: &Manifest, references: &[String]) -> Verdict {
    let context = run.context;
    run.needs_manifest(manifest)?;
    for reference in references {
        let answer = context.client.send(ask_for(manifest, Ask::get(context.manifest(reference)))).await?;
        described(context, manifest, reference, &answer)?;
        answer.body_is(&manifest.bytes)?;
    }
    Ok(())
}

/// The answer to a request for a manifest says of what type it is, how long, and which one.
fn described(context: &Context, manifest: &Manifest, reference: &str, answer: &Answer) -> Verdict {
    answer.status(&[200])?;
    answer.header_is("content-type", manifest.media_type)?;
    answer.header_is("content-length", &manifest.bytes.len().to_string())?;
    names(context, manifest, reference, answer)
}

/// The answer names the digest. By a tag that was pushed by itself, it may be the one that a registry sorts by.
fn names(context: &Context, manifest: &Manifest, reference: &str, answer: &Answer) -> Verdict {
    let sorted_by = Digest::sha256(&manifest.bytes).to_string();
    let pushed_by_itself = manifest.tag.as_deref() == Some(reference);
    if pushed_by_itself && answer.header("docker-content-digest") == Some(sorted_by.as_str()) {
        return Ok(());
    }
    answer.names_digest(&manifest.digest, context.options.has_api(Api::ManifestDigestHeader))
}

async fn head_blob(run: &Run<'_>, blob: &Blob) -> Verdict {
    let context = run.context;
    run.needs()?;
    let ask = Ask::head(context.blob(&blob.digest));
    upload::described(context, ask, &blob.bytes, &blob.digest).await?;
    Ok(())
}

async fn pull_blob(run: &Run<'_>, blob: &Blob) -> Verdict {
    let context = run.context;
    run.needs()?;
    let ask = Ask::get(context.blob(&blob.digest));
    upload::described(context, ask, &blob.bytes, &blob.digest).await?.body_is(&blob.bytes)
}
