//! `POST /v2/<name>/blobs/uploads/`: a session, a whole blob, or a blob of another repository.

use axum::body::Body;
use futures::FutureExt as _;
use http::StatusCode;
use jeroboam_oci::events::EventAction;
use jeroboam_oci::{Algorithm, Digest, RepositoryName, Route};

use super::Failure;
use super::body;
use super::dispatch::Call;
use super::reply::{self, Answer};
use super::upload;
use crate::access::{Action, Need};
use crate::store::{BlobView, StoreError};

pub(super) async fn begin(call: &Call, name: &RepositoryName) -> Answer {
    if let Some(digest) = call.query.first("mount")
        && let Some(mounted) = mount(call, name, digest).await?
    {
        return Ok(created(call, name, &mounted));
    }
    if let Some(digest) = call.query.first("digest") {
        let digest: Digest = digest.parse()?;
        let length = body::length(&call.parts.headers);
        let blob = call.registry.store.put_blob(name, &digest, length, call.pieces()).await?;
        call.tell_blob(EventAction::Push, name, &blob);
        return Ok(created(call, name, &blob));
    }
    let algorithm = call.query.first("digest-algorithm").map(str::parse::<Algorithm>).transpose()?;
    // Counted for each user, of a project of Keystone as well: jobs that end in the middle of a push are in nobody else's way.
    let account = call.actor.account.as_deref().or(call.actor.name.as_deref());
    let view = call.registry.store.begin_upload(name, account, algorithm).await?;
    Ok(upload::progress(call, StatusCode::ACCEPTED, name, &view))
}

/// Takes a blob from another repository. Whatever is in the way is no error: the client gets a session and sends the bytes.
async fn mount(call: &Call, name: &RepositoryName, digest: &str) -> Result<Option<BlobView>, Failure> {
    let Ok(digest) = digest.parse::<Digest>() else { return Ok(None) };
    let store = &call.registry.store;
    let sources: Vec<RepositoryName> = match call.query.first("from") {
        Some(from) => from.parse().into_iter().collect(),
        // Nobody said from where: from wherever this process has seen it lately.
        None => store.seen_in(&digest),
    };
    for from in sources {
        if from != *name && !may_read(call, &from).await {
            continue;
        }
        match store.mount_blob(name, &from, &digest).await {
            Ok(Some(blob)) => {
                call.tell_mount(name, &from, &blob);
                return Ok(Some(blob));
            }
            Ok(None) => {}
            // There is no room for it, from wherever it comes: who sends the bytes is told so.
            Err(StoreError::OverQuota { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Whether what is in a repository is for whoever calls, as it would be in a pull.
async fn may_read(call: &Call, repository: &RepositoryName) -> bool {
    let mirror = &call.registry.mirror;
    if mirror.place(repository, None).is_some_and(|mirrored| mirror.may_read(&mirrored, &call.actor).is_err()) {
        return false;
    }
    let need = Need::Repository(repository.clone(), Action::Pull);
    call.registry.auth.may(&call.parts, &call.peer, &need).boxed().await
}

/// The answer to a blob that is there now.
pub(super) fn created(call: &Call, name: &RepositoryName, blob: &BlobView) -> http::Response<Body> {
    let path = Route::Blob(name.clone(), blob.digest.clone()).path();
    let mut response = reply::leading_to(StatusCode::CREATED, &call.location(&path));
    response.headers_mut().insert(reply::DIGEST, reply::text(&blob.digest.to_string()));
    response
}
