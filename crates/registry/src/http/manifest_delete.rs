//! `DELETE /v2/<name>/manifests/<tag or digest>`.

use http::StatusCode;
use jeroboam_oci::{Reference, RepositoryName};

use super::dispatch::Call;
use super::reply::{self, Answer};

pub(super) async fn delete(call: &Call, name: &RepositoryName, reference: Reference) -> Answer {
    match reference {
        Reference::Tag(tag) => {
            call.registry.store.delete_tag(name, &tag).await?;
            call.tell_delete(name, Some(tag), None);
        }
        Reference::Digest(digest) => {
            call.registry.store.delete_manifest(name, &digest).await?;
            call.tell_delete(name, None, Some(digest));
        }
    }
    Ok(reply::empty(StatusCode::ACCEPTED))
}
