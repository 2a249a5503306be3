//! `GET /v2/<name>/referrers/<digest>`: the manifests that are about another one.

use http::HeaderValue;
use http::header::LINK;
use jeroboam_oci::manifest::{Descriptor, MediaType};
use jeroboam_oci::{Digest, RepositoryName, referrers};

use super::dispatch::Call;
use super::reply::{self, Answer};

/// The parameter of our own link to the next page.
const AFTER: &str = "last";

pub(super) async fn list(call: &Call, name: &RepositoryName, subject: &Digest) -> Answer {
    let found = call.registry.store.referrers(name, subject).await?;
    let all: Vec<Descriptor> = found.iter().map(|descriptor| Descriptor::clone(descriptor)).collect();
    let artifact_type = call.query.first("artifactType").filter(|wanted| !wanted.is_empty());
    let after = call.query.first(AFTER).map(str::parse).transpose()?;
    let page = referrers::page(&all, artifact_type, after.as_ref());
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
