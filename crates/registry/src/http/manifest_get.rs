//! `GET` and `HEAD /v2/<name>/manifests/<tag or digest>`.
//!
//! What is stored is what is given, whatever the client says that it accepts: a manifest of another type would have another digest.

use http::{HeaderValue, Method, StatusCode};
use jeroboam_oci::{Reference, RepositoryName};

use super::conditional;
use super::dispatch::Call;
use super::reply::{self, Answer};

pub(super) async fn get(call: &Call, name: &RepositoryName, reference: &Reference) -> Answer {
    let view = call.registry.store.find_manifest(name, reference).await?;
    if conditional::is_known(&call.parts.headers, &view.digest) {
        let mut response = reply::empty(StatusCode::NOT_MODIFIED);
        reply::name(response.headers_mut(), &view.digest);
        return Ok(response);
    }
    if call.parts.method == Method::HEAD && matches!(reference, Reference::Digest(_)) {
        // A client that finds it does not push it again, and relies on it.
        call.registry.store.promise_manifest(name, &view.digest).await?;
    }
    call.tell_pull(name, reference, &view);
    let media_type = HeaderValue::from_str(&view.stored.media_type);
    let media_type = media_type.unwrap_or_else(|_| HeaderValue::from_static("application/json"));
    let mut response = reply::typed(media_type, view.stored.bytes.clone());
    reply::name(response.headers_mut(), &view.digest);
    Ok(response)
}
