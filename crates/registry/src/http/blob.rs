//! `GET`, `HEAD` and `DELETE /v2/<name>/blobs/<digest>`.

use std::ops::Range;

use axum::body::Body;
use futures::TryStreamExt;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_RANGE, RANGE};
use http::{HeaderValue, Method, Response, StatusCode};
use jeroboam_blobs::ByteStream;
use jeroboam_oci::events::EventAction;
use jeroboam_oci::range::{self, Selection};
use jeroboam_oci::{Digest, ErrorCode, RepositoryName};
use tracing::warn;

use super::dispatch::Call;
use super::failure::chain;
use super::reply::{self, Answer};
use super::{Failure, Redirect, Registry, conditional, location};
use crate::client::BlobStream;
use crate::mirror::OnItsWay;
use crate::store::BlobView;

pub(super) async fn get(call: &Call, name: &RepositoryName, digest: &Digest) -> Answer {
    if call.parts.method == Method::HEAD {
        return head(call, name, digest).await;
    }
    let store = &call.registry.store;
    if let Some(mirrored) = &call.mirrored
        && let Some(coming) = call.registry.mirror.prepare_blob(mirrored, digest).await?
    {
        return coming_blob(call, name, digest, &coming);
    }
    let wanted = wanted_range(call, digest);
    let is_known = conditional::is_known(&call.parts.headers, digest);
    if wanted.is_none() && !is_known && call.registry.config.redirect == Redirect::Off {
        let (blob, bytes) = store.read_blob(name, digest).await?;
        call.tell_blob(EventAction::Pull, name, &blob);
        return Ok(described(StatusCode::OK, &blob, blob.size, body(bytes)));
    }
    let blob = store.find_blob(name, digest).await?;
    if is_known {
        let mut response = reply::empty(StatusCode::NOT_MODIFIED);
        reply::name(response.headers_mut(), digest);
        return Ok(response);
    }
    if let Some(elsewhere) = redirect(call, &blob).await {
        call.tell_blob(EventAction::Pull, name, &blob);
        let mut response = reply::leading_to(StatusCode::TEMPORARY_REDIRECT, &elsewhere);
        reply::name(response.headers_mut(), digest);
        return Ok(response);
    }
    match range::select(wanted, blob.size) {
        Selection::Whole => {
            let bytes = store.open_blob(&blob, None).await?;
            call.tell_blob(EventAction::Pull, name, &blob);
            Ok(described(StatusCode::OK, &blob, blob.size, body(bytes)))
        }
        Selection::Part(part) => {
            let bytes = store.open_blob(&blob, Some(part.clone())).await?;
            call.tell_blob(EventAction::Pull, name, &blob);
            Ok(partial(&blob, &part, body(bytes)))
        }
        Selection::Unsatisfiable => Err(unsatisfied(blob.size)),
    }
}

/// Says how large a blob is. Of one that another registry has nothing is fetched: who looks at the layers of all images wants none of them.
async fn head(call: &Call, name: &RepositoryName, digest: &Digest) -> Answer {
    let Registry { store, mirror, .. } = &call.registry;
    if let Some(mirrored) = &call.mirrored
        && let Some(size) = mirror.blob_size(mirrored, digest).await?
    {
        let blob = BlobView { digest: digest.clone(), canonical: digest.clone(), size };
        return Ok(described(StatusCode::OK, &blob, size, Body::empty()));
    }
    let blob = if is_relied_on(call) {
        store.promise_blob(name, digest).await?
    } else {
        store.find_blob(name, digest).await?
    };
    Ok(described(StatusCode::OK, &blob, blob.size, Body::empty()))
}

/// Whether a client that finds something may leave out to push it and rely on it. Where nothing is pushed nobody does, and a look is answered as a read is.
pub(super) fn is_relied_on(call: &Call) -> bool {
    call.registry.config.takes_no_pushes.is_none() && call.mirrored.is_none()
}

pub(super) async fn delete(call: &Call, name: &RepositoryName, digest: &Digest) -> Answer {
    call.registry.store.delete_blob(name, digest).await?;
    call.tell_delete(name, None, Some(digest.clone()));
    Ok(reply::empty(StatusCode::ACCEPTED))
}

/// A blob that is being fetched from the registry that this one is a cache of.
fn coming_blob(call: &Call, name: &RepositoryName, digest: &Digest, coming: &OnItsWay) -> Answer {
    let blob = BlobView { digest: digest.clone(), canonical: digest.clone(), size: coming.size };
    call.tell_blob(EventAction::Pull, name, &blob);
    let sent = |bytes: BlobStream| {
        Body::from_stream(bytes.inspect_err(|error| warn!(error = error.chain(), "a blob that is fetched ends early")))
    };
    match range::select(wanted_range(call, digest), blob.size) {
        Selection::Whole => Ok(described(StatusCode::OK, &blob, blob.size, sent(coming.read(None)))),
        Selection::Part(part) => Ok(partial(&blob, &part, sent(coming.read(Some(part.clone()))))),
        Selection::Unsatisfiable => Err(unsatisfied(blob.size)),
    }
}

fn unsatisfied(size: u64) -> Failure {
    let failure = Failure::new(ErrorCode::RangeInvalid, "nothing of the blob is in the range");
    failure.header(CONTENT_RANGE, reply::text(&range::unsatisfied(size)))
}

/// The range that is asked for, unless it is one of other bytes.
fn wanted_range<'a>(call: &'a Call, digest: &Digest) -> Option<&'a str> {
    let headers = &call.parts.headers;
    let of_this = headers
        .get(IF_RANGE)
        .is_none_or(|value| value.to_str().is_ok_and(|value| value.trim().trim_matches('"') == digest.to_string()));
    headers.get(RANGE).filter(|_| of_this)?.to_str().ok()
}

/// An address of the store, where the client is to fetch the bytes itself. A store that cannot say one serves through us.
async fn redirect(call: &Call, blob: &BlobView) -> Option<String> {
    let config = &call.registry.config;
    let wanted = match &config.redirect {
        Redirect::Off => false,
        Redirect::On => true,
        Redirect::Auto(networks) => {
            let client = location::client(config, &call.parts.headers, &call.peer);
            let reaches = |client| networks.iter().any(|network| network.contains(client));
            blob.size >= config.redirect_minimum && (networks.is_empty() || client.is_some_and(reaches))
        }
    };
    if !wanted {
        return None;
    }
    match call.registry.store.presign_blob(blob, config.redirect_lifetime).await {
        Ok(address) => address,
        Err(error) => {
            warn!(digest = %blob.digest, error = chain(&error), "the store gives no address for a blob");
            None
        }
    }
}

fn described(status: StatusCode, blob: &BlobView, length: u64, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=31536000"));
    reply::name(headers, &blob.digest);
    response
}

fn partial(blob: &BlobView, part: &Range<u64>, bytes: Body) -> Response<Body> {
    let mut response = described(StatusCode::PARTIAL_CONTENT, blob, part.end - part.start, bytes);
    response.headers_mut().insert(CONTENT_RANGE, reply::text(&range::content_range(part, blob.size)));
    response
}

/// The bytes on their way. Where the store breaks off, so do we: a body that is short is no blob.
fn body(bytes: ByteStream) -> Body {
    Body::from_stream(
        bytes.inspect_err(|error| warn!(error = chain(error), "the store broke off while a blob was read")),
    )
}
