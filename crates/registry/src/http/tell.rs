//! Tells others what was done, once it was done.

use http::header::{HOST, USER_AGENT};
use http::{HeaderName, Method};
use jeroboam_oci::events::{EventAction, Request, Target};
use jeroboam_oci::{Digest, Reference, RepositoryName, Route, Tag};

use super::dispatch::Call;
use super::location;
use crate::events::Happened;
use crate::store::{BlobView, ManifestView, Stored};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The type of a blob: what it is, only manifests say.
const BLOB: &str = "application/octet-stream";

impl Call {
    fn tell(&self, action: EventAction, target: Target) {
        let text = |name: HeaderName| {
            self.parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let client = location::client(&self.registry.config, &self.parts.headers, &self.peer);
        let request = Request {
            id: text(REQUEST_ID),
            addr: client.map(|client| client.to_string()).unwrap_or_default(),
            host: text(HOST),
            method: self.parts.method.to_string(),
            useragent: text(USER_AGENT),
        };
        self.registry.events.record(Happened { action, target, request, actor: self.actor.name.clone() });
    }

    /// Something happened to a blob.
    pub(super) fn tell_blob(&self, action: EventAction, name: &RepositoryName, blob: &BlobView) {
        if self.registry.events.is_heard() {
            self.tell(action, self.blob(name, blob));
        }
    }

    /// A blob was taken from another repository.
    pub(super) fn tell_mount(&self, name: &RepositoryName, from: &RepositoryName, blob: &BlobView) {
        if self.registry.events.is_heard() {
            let target = Target { from_repository: Some(from.clone()), ..self.blob(name, blob) };
            self.tell(EventAction::Mount, target);
        }
    }

    fn blob(&self, name: &RepositoryName, blob: &BlobView) -> Target {
        let url = self.location(&Route::Blob(name.clone(), blob.digest.clone()).path());
        Target { url, ..Target::of(name.clone()).with(BLOB, blob.digest.clone(), blob.size) }
    }

    /// A manifest was read.
    pub(super) fn tell_pull(&self, name: &RepositoryName, reference: &Reference, view: &ManifestView) {
        if self.parts.method == Method::HEAD || !self.registry.events.is_heard() {
            return;
        }
        let target = Target::of(name.clone());
        let target = target.with(&view.stored.media_type, view.digest.clone(), view.stored.bytes.len() as u64);
        let url = self.location(&Route::Manifest(name.clone(), Reference::Digest(view.digest.clone())).path());
        let references = view.stored.manifest.iter().flat_map(|manifest| &manifest.references);
        let references = references.map(|named| named.descriptor.clone()).collect();
        self.tell(EventAction::Pull, Target { url, tag: tag_of(reference), references, ..target });
    }

    /// A manifest was pushed, under each of its tags.
    pub(super) fn tell_push(&self, name: &RepositoryName, stored: &Stored) {
        if !self.registry.events.is_heard() {
            return;
        }
        let url = self.location(&Route::Manifest(name.clone(), Reference::Digest(stored.digest.clone())).path());
        let references = stored.manifest.references.iter().map(|named| named.descriptor.clone()).collect();
        let target = Target::of(name.clone());
        let target = target.with(stored.manifest.media_type.as_str(), stored.digest.clone(), stored.size);
        let target = Target { url, references, ..target };
        if stored.tags.is_empty() {
            self.tell(EventAction::Push, target.clone());
        }
        for tag in &stored.tags {
            self.tell(EventAction::Push, Target { tag: Some(tag.clone()), ..target.clone() });
        }
    }

    /// A tag, a manifest or a blob was deleted.
    pub(super) fn tell_delete(&self, name: &RepositoryName, tag: Option<Tag>, digest: Option<Digest>) {
        if self.registry.events.is_heard() {
            self.tell(EventAction::Delete, Target { tag, digest, ..Target::of(name.clone()) });
        }
    }
}

fn tag_of(reference: &Reference) -> Option<Tag> {
    match reference {
        Reference::Tag(tag) => Some(tag.clone()),
        Reference::Digest(_) => None,
    }
}
