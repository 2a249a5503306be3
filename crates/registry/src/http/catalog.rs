//! `GET /v2/_catalog`: the names of all repositories.

use http::header::LINK;
use jeroboam_oci::ErrorCode;
use jeroboam_oci::pagination::{self, Asked};
use serde_json::json;

use super::Failure;
use super::dispatch::Call;
use super::reply::{self, Answer};

pub(super) async fn list(call: &Call) -> Answer {
    let invalid = |message: &str| Failure::new(ErrorCode::PaginationNumberInvalid, message);
    let (usual, most) = call.registry.config.catalog_page;
    let mut asked = Asked::of(&call.query).map_err(|bad| invalid(&bad.to_string()))?;
    // distribution: more than the most is an error here, and not for tags.
    if asked.count.is_some_and(|count| count > most) {
        return Err(invalid(&format!("n is at most {most}")));
    }
    asked.count = asked.count.or(Some(usual));
    let all = call.registry.store.repositories().await?;
    let names: Vec<&str> = all.iter().map(jeroboam_oci::RepositoryName::as_str).collect();
    let (page, more) = asked.cut(&names, most);
    let mut response = reply::json(&json!({ "repositories": page }));
    if let Some(last) = page.last().filter(|_| more) {
        let link = pagination::link(call.path(), &call.query, page.len(), last);
        response.headers_mut().insert(LINK, reply::text(&link));
    }
    Ok(response)
}
