//! `DELETE /v2/<name>/manifests/<tag or digest>`.

use http::StatusCode;
use jeroboam_oci::{Reference, RepositoryName};

use super::dispatch::Call;
use super::reply::{self, Answer};

pub(super) async fn delete(call: &Call, name: &RepositoryName, reference: Reference) -> Answer {
    let tags = match &reference {
        Reference::Tag(tag) => {
            call.registry.store.delete_tag(name, tag).await?;
            call.tell_delete(name, Some(tag.clone()), None);
            Vec::new()
        }
        Reference::Digest(digest) => {
            let tags = call.registry.store.delete_manifest(name, digest).await?;
            call.tell_delete(name, None, Some(digest.clone()));
            tags
        }
    };
    let replication = &call.registry.replication;
    replication.deleted(name, &reference, &tags, replication.stamp_of(&call.parts.headers)).await;
    Ok(reply::empty(StatusCode::ACCEPTED))
}
