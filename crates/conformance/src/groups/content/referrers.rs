//! What is about a manifest is found by its digest.

use jeroboam_oci::Digest;
use serde_json::Value;

use super::Run;
use crate::client::{Answer, Ask};
use crate::context::Context;
use crate::data::INDEX;
use crate::groups::listing;
use crate::options::Api;
use crate::recorder::Recorder;
use crate::stop::{Verdict, fail, skip};

/// How many pages of a list are read.
const PAGES: usize = 20;

pub(super) async fn run(run: &Run<'_>, recorder: &mut Recorder) {
    for subject in run.set.subjects() {
        let expected = run.set.referrers(subject);
        recorder.case(run.name("referrers/plain"), plain(run, subject, &expected)).await;
        for artifact_type in types(&expected) {
            let name = run.name(&format!("referrers/filtered/{}", short(artifact_type)));
            recorder.case(name, filtered(run, subject, &expected, artifact_type)).await;
        }
        let none = filtered(run, subject, &expected, "application/vnd.example.none");
        recorder.case(run.name("referrers/filtered/none"), none).await;
    }
}

fn types<'a>(descriptors: &[&'a Value]) -> Vec<&'a str> {
    let mut types: Vec<_> = descriptors.iter().filter_map(|one| one["artifactType"].as_str()).collect();
    types.sort_unstable();
    types.dedup();
    types
}

fn short(artifact_type: &str) -> &str {
    artifact_type.strip_prefix("application/vnd.example.").unwrap_or(artifact_type)
}

async fn plain(run: &Run<'_>, subject: &Digest, expected: &[&Value]) -> Verdict {
    let context = run.context;
    run.needs()?;
    context.needs(Api::Referrers)?;
    let (found, _) = all(context, subject, "").await?;
    same(&found, expected)
}

async fn filtered(run: &Run<'_>, subject: &Digest, expected: &[&Value], artifact_type: &str) -> Verdict {
    let context = run.context;
    run.needs()?;
    context.needs(Api::Referrers)?;
    let query = format!("?artifactType={}", artifact_type.replace('+', "%2B"));
    let (found, first) = all(context, subject, &query).await?;
    match first.header("oci-filters-applied") {
        Some("artifactType") => {
            let expected: Vec<_> =
                expected.iter().copied().filter(|one| one["artifactType"] == artifact_type).collect();
            same(&found, &expected)
        }
        Some(other) => fail(format!("OCI-Filters-Applied is {other}")),
        None => {
            same(&found, expected)?;
            skip("the registry leaves the filter to its client")
        }
    }
}

/// All pages of a list, and the first answer.
async fn all(context: &Context, subject: &Digest, query: &str) -> Verdict<(Vec<Value>, Answer)> {
    let path = format!("/v2/{}/referrers/{subject}{query}", context.repository());
    let first = context.client.send(Ask::get(path)).await?;
    let mut found = listed(&first)?;
    let mut next = listing::next(&first)?;
    for _ in 0..PAGES {
        let Some(url) = next else { return Ok((found, first)) };
        let answer = context.client.send(Ask::get(url)).await?;
        found.extend(listed(&answer)?);
        next = listing::next(&answer)?;
    }
    fail(format!("the list has more than {PAGES} pages"))
}

/// An index of nothing.
pub(in crate::groups) fn empty(answer: &Answer) -> Verdict {
    let found = listed(answer)?;
    if found.is_empty() { Ok(()) } else { fail(format!("{} manifests are about nothing", found.len())) }
}

/// The descriptors of an answer that is an index.
pub(super) fn listed(answer: &Answer) -> Verdict<Vec<Value>> {
    answer.status(&[200])?;
    answer.header_is("content-type", INDEX)?;
    let body = answer.json()?;
    if body["schemaVersion"] != 2 || body["mediaType"] != INDEX {
        return fail("the list of referrers is no image index");
    }
    match body["manifests"].as_array() {
        Some(manifests) => Ok(manifests.clone()),
        None => fail("manifests is no list"),
    }
}

/// The descriptors are those that were expected, in any order, with all that belongs into them.
fn same(found: &[Value], expected: &[&Value]) -> Verdict {
    for one in expected {
        let digest = &one["digest"];
        let Some(there) = found.iter().find(|found| found["digest"] == *digest) else {
            return fail(format!("{digest} is not listed"));
        };
        let differing =
            ["mediaType", "size", "artifactType", "annotations"].into_iter().find(|name| there[*name] != one[*name]);
        if let Some(name) = differing {
            return fail(format!("{name} of {digest} is {} where {} was expected", there[name], one[name]));
        }
    }
    if found.len() == expected.len() {
        return Ok(());
    }
    fail(format!("{} manifests are listed where {} were expected", found.len(), expected.len()))
}

/// Nothing is about a manifest any more.
pub(super) async fn gone(run: &Run<'_>, subject: &Digest) -> Verdict {
    let context = run.context;
    run.needs()?;
    context.needs(Api::Referrers)?;
    context.needs(Api::ManifestDelete)?;
    let path = format!("/v2/{}/referrers/{subject}", context.repository());
    empty(&context.client.send(Ask::get(path)).await?)
}
