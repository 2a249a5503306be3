//! `GET /v2/<name>/referrers/<digest>`: the manifests that are about another one.

use futures::TryStreamExt as _;
use http::HeaderValue;
use http::header::LINK;
use jeroboam_oci::manifest::MediaType;
use jeroboam_oci::referrers::Filling;
use jeroboam_oci::{Digest, RepositoryName};

use super::dispatch::Call;
use super::reply::{self, Answer};

/// The parameter of our own link to the next page.
const AFTER: &str = "last";

/// So many are looked at for one page, whether they are of the type that is asked for or not.
const LOOKED_AT: usize = 10_000;

pub(super) async fn list(call: &Call, name: &RepositoryName, subject: &Digest) -> Answer {
    let artifact_type = call.query.first("artifactType").filter(|wanted| !wanted.is_empty());
    let after: Option<Digest> = call.query.first(AFTER).map(str::parse).transpose()?;
    let mut found = match &call.mirrored {
        Some(mirrored) => call.registry.mirror.referrers_after(mirrored, subject, after.as_ref()).await?,
        None => call.registry.store.referrers_after(name, subject, after.as_ref()).await?,
    };
    let (mut filling, mut looked_at, mut more) = (Filling::new(), 0, false);
    while let Some(descriptor) = found.try_next().await? {
        looked_at += 1;
        if looked_at > LOOKED_AT || !filling.add(&descriptor, artifact_type) {
            more = true;
            break;
        }
    }
    let page = filling.end(more);
    let media_type = HeaderValue::from_static(MediaType::OciIndex.as_str());
    let mut response = reply::typed(media_type, page.body.into());
    if artifact_type.is_some() {
        response.headers_mut().insert(reply::FILTERS, HeaderValue::from_static("artifactType"));
    }
    if let Some(next) = page.next {
        let query = call.query.clone().with(AFTER, &next.to_string());
        let link = format!("<{}?{}>; rel=\"next\"", call.path(), query.to_text());
        response.headers_mut().insert(LINK, reply::text(&link));
    }
    Ok(response)
}
