//! `GET /v2/<name>/tags/list`.

use http::header::LINK;
use jeroboam_oci::pagination::{self, Asked};
use jeroboam_oci::{ErrorCode, RepositoryName};
use serde_json::json;

use super::Failure;
use super::dispatch::Call;
use super::reply::{self, Answer};

pub(super) async fn list(call: &Call, name: &RepositoryName) -> Answer {
    let invalid = |bad: pagination::BadCount| Failure::new(ErrorCode::PaginationNumberInvalid, &bad.to_string());
    let asked = Asked::of(&call.query).map_err(invalid)?;
    let all = match &call.mirrored {
        Some(mirrored) => call.registry.mirror.tags(mirrored).await?,
        None => call.registry.store.tags(name).await?,
    };
    let tags: Vec<&str> = all.iter().map(jeroboam_oci::Tag::as_str).collect();
    // distribution: whoever asks for no number gets all; here, nobody gets more than can be meant.
    let (unasked, most) = call.registry.config.tags_page;
    let (page, more) = asked.cut(&tags, if asked.count.is_some() { most } else { unasked });
    let mut response = reply::json(&json!({ "name": name, "tags": page }));
    if let Some(last) = page.last().filter(|_| more) {
        let link = pagination::link(call.path(), &call.query, page.len(), last);
        response.headers_mut().insert(LINK, reply::text(&link));
    }
    Ok(response)
}
