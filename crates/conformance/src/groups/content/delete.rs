//! A data set is deleted: its tags, its manifests, its blobs; each is gone then.

use std::time::Duration;

use super::{Run, listed, referrers};
use crate::client::Ask;
use crate::context::Context;
use crate::data::{Blob, Manifest};
use crate::options::Api;
use crate::recorder::Recorder;
use crate::stop::{Verdict, fail, skip};

/// How often something is looked for that need not be gone at once.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(run: &Run<'_>, recorder: &mut Recorder) {
    let set = run.set;
    for manifest in set.kept() {
        for tag in manifest.tags() {
            recorder.case(run.name(&format!("delete/tag/{tag}")), delete_tag(run, manifest, tag)).await;
        }
    }
    // What names others goes before them.
    for manifest in set.kept().iter().rev() {
        recorder.case(run.name(&format!("delete/manifest/{}", manifest.role)), delete_manifest(run, manifest)).await;
    }
    for subject in set.subjects() {
        recorder.case(run.name("delete/referrers"), referrers::gone(run, subject)).await;
    }
    for blob in &set.blobs {
        recorder.case(run.name(&format!("delete/blob/{}", blob.role)), delete_blob(run, blob)).await;
    }
}

async fn delete_tag(run: &Run<'_>, manifest: &Manifest, tag: &str) -> Verdict {
    let context = run.context;
    run.needs_manifest(manifest)?;
    context.needs(Api::TagDelete)?;
    let answer = context.client.send(Ask::delete(context.manifest(tag))).await?;
    if answer.is_unsupported() {
        return skip(format!("{}: {}", answer.asked, answer.status));
    }
    answer.status(&[202])?;
    gone(context, &context.manifest(tag), Api::TagAtomic).await?;
    if !context.options.has_api(Api::TagList) {
        return Ok(());
    }
    let listed = listed(context, "").await?;
    if listed.iter().any(|listed| listed == tag) { fail(format!("{tag} is still listed")) } else { Ok(()) }
}

async fn delete_manifest(run: &Run<'_>, manifest: &Manifest) -> Verdict {
    let context = run.context;
    run.needs_manifest(manifest)?;
    context.needs(Api::ManifestDelete)?;
    let path = context.manifest(&manifest.digest.to_string());
    let answer = context.client.send(Ask::delete(path.clone())).await?;
    if answer.is_unsupported() {
        return skip(format!("{}: {}", answer.asked, answer.status));
    }
    answer.status(&[202])?;
    gone(context, &path, Api::ManifestAtomic).await?;
    context.client.send(Ask::delete(path)).await?.status(&[404])
}

async fn delete_blob(run: &Run<'_>, blob: &Blob) -> Verdict {
    let context = run.context;
    run.needs()?;
    context.needs(Api::BlobDelete)?;
    let path = context.blob(&blob.digest);
    let answer = context.client.send(Ask::delete(path.clone())).await?;
    if answer.is_unsupported() {
        return skip(format!("{}: {}", answer.asked, answer.status));
    }
    answer.status(&[202])?;
    gone(context, &path, Api::BlobAtomic).await
}

/// It is not there: at once, or after a while where that is allowed.
async fn gone(context: &Context, path: &str, at_once: Api) -> Verdict {
    let looks = if context.options.has_api(at_once) { 1 } else { LOOKS };
    for look in 1..=looks {
        let answer = context.client.send(Ask::head(path).header("accept", "*/*")).await?;
        if look == looks || answer.status == 404 {
            return answer.status(&[404]);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
