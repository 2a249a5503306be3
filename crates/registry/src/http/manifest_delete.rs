//! `DELETE /v2/<name>/manifests/<tag or digest>`.

use http::StatusCode;
use jeroboam_oci::{Reference, RepositoryName};

use super::conditional;
use super::dispatch::Call;
use super::reply::{self, Answer};

pub(super) async fn delete(call: &Call, name: &RepositoryName, reference: Reference) -> Answer {
    let (store, replication) = (&call.registry.store, &call.registry.replication);
    let stamp = replication.stamp_of(&call.parts.headers, call.actor.name.as_deref());
    let condition = conditional::of_change(&call.parts.headers);
    // Of what is known to be refused nothing is written down.
    store.check_delete(name, &reference, &condition).await?;
    let known = replication.deleting(name, &reference, stamp.as_ref()).await?;
    // Other regions hear of it under the digest that all of them sort it by.
    let told = match &reference {
        Reference::Digest(digest) => store.linked_manifest(name, digest).await?.map(Reference::Digest),
        Reference::Tag(_) => None,
    };
    let tags = match &reference {
        Reference::Tag(tag) => {
            store.delete_tag(name, tag, &condition).await?;
            call.tell_delete(name, Some(tag.clone()), None);
            vec![tag.clone()]
        }
        Reference::Digest(digest) => {
            let tags = store.delete_manifest(name, digest).await?;
            call.tell_delete(name, None, Some(digest.clone()));
            tags
        }
    };
    replication.deleted(name, told.as_ref().unwrap_or(&reference), &tags, &known, stamp).await;
    Ok(reply::empty(StatusCode::ACCEPTED))
}
