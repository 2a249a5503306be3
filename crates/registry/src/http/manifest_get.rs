//! `GET` and `HEAD /v2/<name>/manifests/<tag or digest>`.
//!
//! What is stored is what is given, whatever the client says that it accepts: a manifest of another type would have another digest.

use http::{HeaderValue, Method, StatusCode};
use jeroboam_oci::{Digest, Reference, RepositoryName};

use super::dispatch::Call;
use super::reply::{self, Answer};
use super::{Failure, conditional};
use crate::client::STAMP;
use crate::mirror::Prepared;
use crate::store::{ManifestView, StoreError};

pub(super) async fn get(call: &Call, name: &RepositoryName, reference: &Reference) -> Answer {
    if let Some(mirrored) = &call.mirrored
        && call.registry.mirror.prepare_manifest(mirrored, reference).await? == Prepared::Absent
    {
        return Err(StoreError::ManifestUnknown(reference.clone()).into());
    }
    let view = call.registry.store.find_manifest(name, reference).await;
    let stamp = stamp(call, name, reference, view.as_ref().ok().map(|view| &view.digest)).await;
    let mut response = match view {
        Ok(view) => given(call, name, reference, &view).await?,
        Err(error) => {
            return Err(stamp.into_iter().fold(error.into(), |failure: Failure, stamp| failure.header(STAMP, stamp)));
        }
    };
    response.headers_mut().extend(stamp.map(|stamp| (STAMP, stamp)));
    Ok(response)
}

/// When the tag was moved, for another region that asks for it: whoever does not ask shall not wait for it.
async fn stamp(
    call: &Call,
    name: &RepositoryName,
    reference: &Reference,
    digest: Option<&Digest>,
) -> Option<HeaderValue> {
    let Reference::Tag(tag) = reference else { return None };
    call.parts.headers.get(STAMP)?;
    let stamp = call.registry.replication.stamp_for(name, tag, digest).await?;
    HeaderValue::from_str(&stamp.to_text()).ok()
}

async fn given(call: &Call, name: &RepositoryName, reference: &Reference, view: &ManifestView) -> Answer {
    if conditional::is_known(&call.parts.headers, &view.digest) {
        let mut response = reply::empty(StatusCode::NOT_MODIFIED);
        reply::name(response.headers_mut(), &view.digest);
        return Ok(response);
    }
    if call.parts.method == Method::HEAD && matches!(reference, Reference::Digest(_)) {
        // A client that finds it does not push it again, and relies on it.
        call.registry.store.promise_manifest(name, &view.digest).await?;
    }
    call.tell_pull(name, reference, view);
    let media_type = HeaderValue::from_str(&view.stored.media_type);
    let media_type = media_type.unwrap_or_else(|_| HeaderValue::from_static("application/json"));
    let mut response = reply::typed(media_type, view.stored.bytes.clone());
    reply::name(response.headers_mut(), &view.digest);
    Ok(response)
}
