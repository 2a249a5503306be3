//! A store, and images that are pushed to it.

use std::sync::Arc;

use bytes::Bytes;
use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use jeroboam_oci::gc::Times;
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use jeroboam_registry::leases::Leases;
use jeroboam_registry::store::{Compat, NewManifest, Result, Store, StoreConfig, TagCondition};
use serde_json::json;

/// A process that serves the store.
pub(crate) fn store(blobs: &SharedBlobs, clock: Arc<dyn Clock>, times: Times, instance: &str) -> Store {
    let leases = Leases::stored(blobs.clone(), clock.clone(), times, instance.to_owned());
    let config = StoreConfig { compat: Compat::Exclusive, delete_enabled: true, ..StoreConfig::default() };
    Store::new(blobs.clone(), clock, Arc::new(leases), config)
}

/// An image of one layer.
pub(crate) struct Image {
    pub(crate) layer: Bytes,
    pub(crate) manifest: Bytes,
}

impl Image {
    pub(crate) fn of(text: &str) -> Self {
        let layer = Bytes::from(format!("layer {text}"));
        let part = json!({
            "mediaType": "application/x",
            "digest": Digest::sha256(&layer).to_string(),
            "size": layer.len(),
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": part,
            "layers": [],
        });
        Self { layer, manifest: manifest.to_string().into() }
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::sha256(&self.manifest)
    }

    /// Pushes it as clients do: what is there is not sent again.
    pub(crate) async fn push(&self, store: &Store, repository: &RepositoryName, tag: &Tag) -> Result<()> {
        let layer = Digest::sha256(&self.layer);
        if store.promise_blob(repository, &layer).await.is_err() {
            store.put_small_blob(repository, &layer, self.layer.clone()).await?;
        }
        let new = NewManifest {
            reference: Reference::Tag(tag.clone()),
            tags: Vec::new(),
            content_type: None,
            condition: TagCondition::Always,
            bytes: self.manifest.clone(),
        };
        store.put_manifest(repository, new).await.map(|_| ())
    }
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().expect("a name")
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}
