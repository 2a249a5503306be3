//! `PUT /v2/<name>/manifests/<tag or digest>`.

use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG};
use jeroboam_oci::{ErrorCode, Reference, RepositoryName, Route, Tag};

use super::dispatch::Call;
use super::reply::{self, Answer};
use super::{Failure, body, conditional};
use crate::client::TAG_DIGEST;
use crate::store::{NewManifest, StoreError};

pub(super) async fn put(call: &Call, name: &RepositoryName, reference: Reference) -> Answer {
    let store = &call.registry.store;
    if store.is_read_only() {
        return Err(StoreError::ReadOnly.into());
    }
    let extra = extra_tags(call)?;
    let (reference, own) = called(call, reference)?;
    let limit = store.config().manifest_limit;
    let length = body::length(&call.parts.headers);
    if length.is_some_and(|length| length > limit) {
        return Err(StoreError::ManifestTooLarge(limit).into());
    }
    let (bytes, _room) = store.take_whole(call.pieces(), limit, |_| StoreError::ManifestTooLarge(limit)).await?;
    let content_type = call.parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let new = NewManifest {
        reference,
        tags: own.into_iter().chain(extra.iter().cloned()).collect(),
        content_type: content_type.map(str::to_owned),
        condition: conditional::of_change(&call.parts.headers),
        bytes,
    };
    let stored = store.put_manifest(name, new).await?;
    call.tell_push(name, &stored);
    let replication = &call.registry.replication;
    let stamp = replication.stamp_of(&call.parts.headers, call.actor.name.as_deref());
    // Regions compare what tags point to by the digest that all of them sort it by.
    let digest = if stored.tags.is_empty() { &stored.digest } else { &stored.canonical };
    replication.pushed(name, digest, &stored.tags, stamp).await.map_err(|not_yet| {
        let failure = Failure::new(ErrorCode::Unavailable, &not_yet.to_string());
        failure.retry_after(Some(std::time::Duration::from_secs(5)))
    })?;

    let path = Route::Manifest(name.clone(), Reference::Digest(stored.digest.clone())).path();
    let mut response = reply::leading_to(StatusCode::CREATED, &call.location(&path));
    let headers = response.headers_mut();
    reply::name(headers, &stored.digest);
    headers.remove(ETAG);
    if let Some(subject) = &stored.manifest.subject {
        headers.insert(reply::SUBJECT, reply::text(&subject.digest.to_string()));
    }
    for tag in &extra {
        headers.append(reply::TAG, reply::text(tag.as_str()));
    }
    Ok(response)
}

/// Another region says by which digest a tag calls its manifest: that is a push by this digest, which the tag comes along with.
fn called(call: &Call, reference: Reference) -> Result<(Reference, Option<Tag>), Failure> {
    match (reference, call.parts.headers.get(TAG_DIGEST)) {
        (Reference::Tag(tag), Some(value)) => {
            let bad = || Failure::new(ErrorCode::DigestInvalid, &format!("{TAG_DIGEST} is no digest"));
            let digest = value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(bad)?;
            Ok((Reference::Digest(digest), Some(tag)))
        }
        (reference, _) => Ok((reference, None)),
    }
}

/// Tags that the manifest gets besides the one of the path.
fn extra_tags(call: &Call) -> Result<Vec<Tag>, Failure> {
    let most = call.registry.config.tags_per_push;
    let mut tags = Vec::new();
    for text in call.query.all("tag") {
        let bad = |bad: jeroboam_oci::BadTag| Failure::new(ErrorCode::TagInvalid, &bad.to_string());
        tags.push(text.parse().map_err(bad)?);
    }
    if tags.len() > most {
        let failure = Failure::new(ErrorCode::Unsupported, &format!("a push gives a manifest at most {most} tags"));
        return Err(failure.status(StatusCode::URI_TOO_LONG));
    }
    Ok(tags)
}
