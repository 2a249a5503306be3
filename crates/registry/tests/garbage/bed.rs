//! A store, and images that are pushed to it.

use std::sync::Arc;

use bytes::Bytes;
use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use jeroboam_oci::gc::Times;
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use jeroboam_registry::leases::Leases;
use jeroboam_registry::store::{Compat, NewManifest, Result, Store, StoreConfig, TagCondition};
use serde_json::{Value, json};

/// A process that serves the store.
pub(crate) fn store(blobs: &SharedBlobs, clock: Arc<dyn Clock>, times: Times, instance: &str) -> Store {
    let leases = Leases::stored(blobs.clone(), clock.clone(), times, instance.to_owned());
    let config = StoreConfig { compat: Compat::Exclusive, delete_enabled: true, ..StoreConfig::default() };
    Store::new(blobs.clone(), clock, Arc::new(leases), config)
}

/// The type of an image's manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image of one layer.
pub(crate) struct Image {
    pub(crate) layer: Bytes,
    pub(crate) manifest: Bytes,
}

impl Image {
    pub(crate) fn of(text: &str) -> Self {
        Self::with(text, None)
    }

    /// One that is about another one, such as a signature of it.
    pub(crate) fn about(text: &str, subject: &Self) -> Self {
        Self::with(text, Some(subject))
    }

    fn with(text: &str, subject: Option<&Self>) -> Self {
        let layer = Bytes::from(format!("layer {text}"));
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": part("application/x", &layer),
            "layers": [],
        });
        if let Some(subject) = subject {
            manifest["subject"] = part(MANIFEST, &subject.manifest);
        }
        Self { layer, manifest: manifest.to_string().into() }
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::sha256(&self.manifest)
    }

    /// Pushes it as clients do: a layer that is there is not sent again.
    pub(crate) async fn push(&self, store: &Store, repository: &RepositoryName, tag: &Tag) -> Result<()> {
        self.push_as(store, repository, Reference::Tag(tag.clone())).await
    }

    /// The same under its digest alone.
    pub(crate) async fn push_untagged(&self, store: &Store, repository: &RepositoryName) -> Result<()> {
        self.push_as(store, repository, Reference::Digest(self.digest())).await
    }

    async fn push_as(&self, store: &Store, repository: &RepositoryName, reference: Reference) -> Result<()> {
        let layer = Digest::sha256(&self.layer);
        if store.promise_blob(repository, &layer).await.is_err() {
            store.put_small_blob(repository, &layer, self.layer.clone()).await?;
        }
        push_manifest(store, repository, reference, &self.manifest).await
    }
}

/// An index of nothing.
pub(crate) fn empty_index() -> Bytes {
    let media_type = "application/vnd.oci.image.index.v1+json";
    json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [] }).to_string().into()
}

/// Pushes a manifest, all that it names being there.
pub(crate) async fn push_manifest(
    store: &Store,
    repository: &RepositoryName,
    reference: Reference,
    bytes: &Bytes,
) -> Result<()> {
    let new = NewManifest {
        reference,
        tags: Vec::new(),
        content_type: None,
        condition: TagCondition::Always,
        bytes: bytes.clone(),
    };
    store.put_manifest(repository, new).await.map(|_| ())
}

/// What a manifest says of something else.
fn part(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(bytes).to_string(), "size": bytes.len() })
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().expect("a name")
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}
