//! Lists of tags, whole and in pages.

use bytes::Bytes;
use serde_json::json;
use url::Url;

use super::content::listed;
use super::upload;
use crate::client::{Answer, Ask};
use crate::context::Context;
use crate::data::IMAGE;
use crate::options::Api;
use crate::recorder::Recorder;
use crate::stop::{Stop, Verdict, fail};

/// In the order in which they are listed, and not in that in which they are pushed.
const TAGS: [&str; 5] = ["page-10", "page-2", "page-A", "page-_", "page-a"];
/// How many pages of a list are read.
const PAGES: usize = 1000;

pub(super) async fn run(context: &Context, recorder: &mut Recorder) {
    recorder.case("tags/push", push(context)).await;
    recorder.case("tags/list", sorted(context)).await;
    recorder.case("tags/first-page", first_page(context)).await;
    recorder.case("tags/pages", pages(context)).await;
    recorder.case("tags/last", last(context)).await;
    recorder.case("tags/last-of-nobody", last_of_nobody(context)).await;
    recorder.case("tags/none", none(context)).await;
}

async fn push(context: &Context) -> Verdict {
    context.needs(Api::TagList)?;
    let config = Bytes::from(json!({ "run": context.options.seed }).to_string());
    let digest = jeroboam_oci::Digest::sha256(&config);
    upload::pushed(context, &config, &digest).await?;
    let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest.to_string(), "size": config.len() });
    let body = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [] }).to_string().into();
    for tag in TAGS.iter().rev() {
        let ask = Ask::put(context.manifest(tag)).header("content-type", IMAGE).body(&body);
        context.client.send(ask).await?.status(&[201])?;
    }
    Ok(())
}

async fn sorted(context: &Context) -> Verdict {
    context.needs(Api::TagList)?;
    let ours: Vec<_> = listed(context, "").await?.into_iter().filter(|tag| TAGS.contains(&tag.as_str())).collect();
    if ours == TAGS {
        Ok(())
    } else {
        fail(format!("the list has {} where {} were expected", ours.join(", "), TAGS.join(", ")))
    }
}

/// A page has as many as were asked for, the first ones, and says that there are more.
async fn first_page(context: &Context) -> Verdict {
    context.needs(Api::TagList)?;
    let all = listed(context, "").await?;
    let two = listed(context, "?n=2").await?;
    if all.get(..2) == Some(two.as_slice()) {
        Ok(())
    } else {
        fail(format!("{} came where two were asked for", two.len()))
    }
}

/// The links lead through all tags, each once.
async fn pages(context: &Context) -> Verdict {
    context.needs(Api::TagList)?;
    let all = listed(context, "").await?;
    let mut found = Vec::new();
    let mut path = format!("/v2/{}/tags/list?n=2", context.repository());
    for _ in 0..PAGES {
        let answer = context.client.send(Ask::get(path)).await?;
        answer.status(&[200])?;
        let body = answer.json()?;
        let tags = body["tags"].as_array().cloned().unwrap_or_default();
        found.extend(tags.iter().filter_map(|tag| tag.as_str()).map(str::to_owned));
        match next(&answer)? {
            Some(url) => path = url.into(),
            None if found == all => return Ok(()),
            None => return fail(format!("the pages have {} tags where there are {}", found.len(), all.len())),
        }
    }
    fail("the pages do not end")
}

async fn last(context: &Context) -> Verdict {
    context.needs(Api::TagList)?;
    let after = listed(context, &format!("?n=2&last={}", TAGS[1])).await?;
    if after == TAGS[2..4] { Ok(()) } else { fail(format!("after {} came {}", TAGS[1], after.join(", "))) }
}

/// The tag after which a page begins need not exist.
async fn last_of_nobody(context: &Context) -> Verdict {
    context.needs(Api::TagList)?;
    let after = listed(context, "?n=2&last=page-8").await?;
    if after == TAGS[2..4] { Ok(()) } else { fail(format!("after page-8 came {}", after.join(", "))) }
}

async fn none(context: &Context) -> Verdict {
    context.needs(Api::TagList)?;
    let answer = context.client.send(Ask::get(format!("/v2/{}/tags/list?n=0", context.repository()))).await?;
    answer.status(&[200])?;
    let body = answer.json()?;
    let empty = body["tags"].as_array().is_some_and(Vec::is_empty);
    if empty && next(&answer)?.is_none() { Ok(()) } else { fail("something came where nothing was asked for") }
}

/// Where the next page is, where there is one.
pub(super) fn next(answer: &Answer) -> Verdict<Option<Url>> {
    let Some(link) = answer.header("link") else { return Ok(None) };
    let Some((address, parameters)) = link.trim_start_matches('<').split_once('>') else {
        return fail(format!("{link} is no link"));
    };
    if !parameters.contains("rel=\"next\"") && !parameters.contains("rel=next") {
        return Ok(None);
    }
    let joined = answer.url.join(address);
    joined.map(Some).map_err(|error| Stop::Fail(format!("the link {address} is no address: {error}")))
}
