//! `GET /v2/<name>/_x/replication/<digest>` and `GET /v2/<name>/_x/replication/`: in which places a manifest is, and where tags point.

use jeroboam_oci::{Digest, ErrorCode, RepositoryName, Tag};

use super::Failure;
use super::dispatch::Call;
use super::reply::{self, Answer};

/// For whoever waits until an image is everywhere.
pub(super) async fn report(call: &Call, name: &RepositoryName, digest: &Digest) -> Answer {
    call.registry.store.find_manifest(name, &jeroboam_oci::Reference::Digest(digest.clone())).await?;
    let report = call.registry.replication.report(name, digest).await?;
    Ok(reply::json(&serde_json::to_value(report).expect("texts and numbers can be written as JSON")))
}

/// For other regions, which compare: a page of them.
pub(super) async fn snapshot(call: &Call, name: &RepositoryName) -> Answer {
    let last = call.query.first("last").map(str::parse::<Tag>);
    let last = last.transpose().map_err(|bad| Failure::new(ErrorCode::TagInvalid, &bad.to_string()))?;
    let snapshot = call.registry.replication.snapshot(name, last.as_ref()).await;
    let Some(snapshot) = snapshot else { return Err(Failure::nothing()) };
    let snapshot = snapshot.map_err(|error| match error {
        crate::client::ClientError::Local(error) => Failure::from(error),
        other => Failure::new(ErrorCode::Unavailable, &other.to_string()),
    })?;
    Ok(reply::json(&serde_json::to_value(snapshot).expect("texts can be written as JSON")))
}
