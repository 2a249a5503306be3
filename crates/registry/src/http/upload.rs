//! `GET`, `PATCH`, `PUT` and `DELETE` of an upload's location.

use axum::body::Body;
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{Response, StatusCode};
use jeroboam_oci::events::EventAction;
use jeroboam_oci::range::{self, BadChunk, ChunkRange};
use jeroboam_oci::{Digest, ErrorCode, Query, RepositoryName, Route, UploadId};

use super::dispatch::Call;
use super::reply::{self, Answer};
use super::{Failure, body, upload_start};
use crate::store::{Chunk, StoreError, UploadRef, UploadView};

/// The parameter that carries the state, as distribution calls it.
const STATE: &str = "_state";

pub(super) async fn status(call: &Call, name: RepositoryName, id: UploadId) -> Answer {
    let upload = named(call, name, id);
    let view = call.registry.store.upload_status(&upload).await?;
    Ok(progress(call, StatusCode::NO_CONTENT, &upload.repository, &view))
}

pub(super) async fn append(call: &Call, name: RepositoryName, id: UploadId) -> Answer {
    let upload = named(call, name, id);
    let chunk = chunk(call)?;
    match call.registry.store.append(upload.clone(), chunk).await {
        Ok(view) => Ok(progress(call, StatusCode::ACCEPTED, &upload.repository, &view)),
        Err(error) => Err(refused(call, &upload, error).await),
    }
}

pub(super) async fn finish(call: &Call, name: RepositoryName, id: UploadId) -> Answer {
    let upload = named(call, name, id);
    let digest = call
        .query
        .first("digest")
        .ok_or_else(|| Failure::new(ErrorCode::DigestInvalid, "the digest of the blob is missing: ?digest=sha256:…"))?;
    let digest: Digest = digest.parse()?;
    let chunk = chunk(call)?;
    match call.registry.store.finish(upload.clone(), digest, chunk).await {
        Ok(blob) => {
            call.tell_blob(EventAction::Push, &upload.repository, &blob);
            Ok(upload_start::created(call, &upload.repository, &blob))
        }
        Err(error) => Err(refused(call, &upload, error).await),
    }
}

pub(super) async fn cancel(call: &Call, name: RepositoryName, id: UploadId) -> Answer {
    call.registry.store.cancel(named(call, name, id)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// How far an upload is, and where it goes on.
pub(super) fn progress(call: &Call, status: StatusCode, name: &RepositoryName, view: &UploadView) -> Response<Body> {
    let mut response = reply::empty(status);
    let headers = response.headers_mut();
    headers.insert(LOCATION, reply::text(&address(call, name, view)));
    headers.insert(RANGE, reply::text(&range::progress(view.offset)));
    headers.insert(reply::UPLOAD_ID, reply::text(view.id.as_str()));
    response
}

fn address(call: &Call, name: &RepositoryName, view: &UploadView) -> String {
    let path = Route::Upload(name.clone(), view.id.clone()).path();
    let query = Query::default().with(STATE, &view.token);
    call.location(&format!("{path}?{}", query.to_text()))
}

fn named(call: &Call, repository: RepositoryName, id: UploadId) -> UploadRef {
    let (token, account) =
        (call.query.first(STATE).map(str::to_owned), call.actor.account.as_ref().or(call.actor.name.as_ref()).cloned());
    UploadRef { repository, id, token, account }
}

fn chunk(call: &Call) -> Result<Chunk, Failure> {
    let headers = &call.parts.headers;
    let range = headers.get(CONTENT_RANGE).map(|value| {
        let text = value.to_str().map_err(|_| StoreError::Chunk(BadChunk::Form))?;
        ChunkRange::parse(text).map_err(StoreError::Chunk)
    });
    let length = body::length(headers);
    Ok(Chunk { range: range.transpose()?, length, body: call.pieces() })
}

/// A client whose chunk does not fit is told where the upload is.
async fn refused(call: &Call, upload: &UploadRef, error: StoreError) -> Failure {
    let out_of_order = matches!(error, StoreError::Chunk(BadChunk::OutOfOrder { .. }));
    let failure = Failure::from(error);
    if !out_of_order {
        return failure;
    }
    match call.registry.store.upload_status(upload).await {
        Ok(view) => failure
            .header(LOCATION, reply::text(&address(call, &upload.repository, &view)))
            .header(RANGE, reply::text(&range::progress(view.offset)))
            .header(reply::UPLOAD_ID, reply::text(view.id.as_str())),
        Err(_) => failure,
    }
}
