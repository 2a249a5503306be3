//! `GET` and `HEAD /v2/<name>/manifests/<tag or digest>`.
//!
//! What is stored is what is given, whatever the client says that it accepts: a manifest of another type would have another digest.

use http::{HeaderValue, Method, StatusCode};
use jeroboam_oci::{Digest, Reference, RepositoryName};

use super::dispatch::Call;
use super::reply::{self, Answer};
use super::{Failure, blob, conditional};
use crate::client::STAMP;
use crate::mirror::Prepared;
use crate::store::{ManifestView, Outline, StoreError};

pub(super) async fn get(call: &Call, name: &RepositoryName, reference: &Reference) -> Answer {
    if let Some(mirrored) = &call.mirrored
        && call.registry.mirror.prepare_manifest(mirrored, reference).await? == Prepared::Absent
    {
        return Err(StoreError::ManifestUnknown(reference.clone()).into());
    }
    let found = find(call, name, reference).await;
    let stamp = stamp(call, name, reference, found.as_ref().ok().map(Found::digest)).await;
    let mut response = match found {
        Ok(found) => given(call, name, reference, &found).await?,
        Err(error) => {
            return Err(stamp.into_iter().fold(error.into(), |failure: Failure, stamp| failure.header(STAMP, stamp)));
        }
    };
    response.headers_mut().extend(stamp.map(|stamp| (STAMP, stamp)));
    Ok(response)
}

enum Found {
    Manifest(ManifestView),
    /// All that a look at a tag tells.
    Outline(Digest, Outline),
}

impl Found {
    fn digest(&self) -> &Digest {
        match self {
            Self::Manifest(view) => &view.digest,
            Self::Outline(digest, _) => digest,
        }
    }
}

async fn find(call: &Call, name: &RepositoryName, reference: &Reference) -> Result<Found, StoreError> {
    let store = &call.registry.store;
    match reference {
        // Another region wants to know whether there is anything to be copied.
        Reference::Tag(tag) if call.parts.method == Method::HEAD && !call.parts.headers.contains_key(STAMP) => {
            store.outline(name, tag).await.map(|(digest, outline)| Found::Outline(digest, outline))
        }
        // Regions compare what tags point to by the digest that all of them sort it by.
        Reference::Tag(_) if call.parts.headers.contains_key(STAMP) => {
            let view = store.find_manifest(name, reference).await?;
            Ok(Found::Manifest(ManifestView { digest: view.stored.canonical.clone(), ..view }))
        }
        _ => store.find_manifest(name, reference).await.map(Found::Manifest),
    }
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

async fn given(call: &Call, name: &RepositoryName, reference: &Reference, found: &Found) -> Answer {
    let mut response = if conditional::is_known(&call.parts.headers, found.digest()) {
        reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        match found {
            Found::Manifest(view) => whole(call, name, reference, view).await?,
            Found::Outline(_, outline) => reply::outline(type_of(&outline.media_type), outline.size),
        }
    };
    reply::name(response.headers_mut(), found.digest());
    Ok(response)
}

async fn whole(call: &Call, name: &RepositoryName, reference: &Reference, view: &ManifestView) -> Answer {
    let is_look = call.parts.method == Method::HEAD && matches!(reference, Reference::Digest(_));
    if is_look && blob::is_relied_on(call) {
        // A client that finds it does not push it again, and relies on it.
        call.registry.store.promise_manifest(name, &view.digest).await?;
    }
    call.tell_pull(name, reference, view);
    Ok(reply::typed(type_of(&view.stored.media_type), view.stored.bytes.clone()))
}

fn type_of(media_type: &str) -> HeaderValue {
    HeaderValue::from_str(media_type).unwrap_or_else(|_| HeaderValue::from_static("application/json"))
}
