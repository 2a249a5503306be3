//! What clients see of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use jeroboam_blobs::SharedBlobs;
use jeroboam_model::ManualClock;
use jeroboam_oci::{Algorithm, Digest, Hasher, Reference, RepositoryName, Tag};
use jeroboam_registry::store::{Store, StoreError};

use crate::bed::{Image, name, store};
use crate::work::times;

/// Images whose layers are looked for.
const LAYERS: [&str; 6] = ["first", "second", "third", "old", "signature", "sbom"];

/// What clients see of a store. All that a manifest names was pulled with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Where tags point.
    pub(crate) tags: BTreeMap<(RepositoryName, Tag), Digest>,
    /// What is about the first image.
    pub(crate) about: BTreeSet<Digest>,
    /// Layers that can be pulled.
    pub(crate) layers: BTreeSet<(RepositoryName, Digest)>,
}

impl Seen {
    /// Pulls all that there is, from a process that has just begun.
    pub(crate) async fn of(place: &SharedBlobs, clock: &Arc<ManualClock>, when: &str) -> Self {
        let store = Arc::new(store(place, clock.clone(), times(), "shows"));
        let mut seen = Self::default();
        for repository in ["team/app", "other"].map(name) {
            for text in LAYERS {
                let layer = Digest::sha256(&Image::of(text).layer);
                if can_pull(&store, &repository, &layer).await {
                    seen.layers.insert((repository.clone(), layer));
                }
            }
            let tags = match store.tags(&repository).await {
                Err(StoreError::RepositoryUnknown(_)) => continue,
                tags => tags.unwrap_or_else(|error| panic!("{when}: tags of {repository}: {error}")),
            };
            for tag in &*tags {
                let target = store.tag_target(&repository, tag).await.expect("it can be read");
                // What was deleted in part, or is torn, is no tag.
                let Some(target) = target else { continue };
                pull(&store, &repository, &target, when).await;
                seen.tags.insert((repository.clone(), tag.clone()), target);
            }
        }
        let app = name("team/app");
        let about = store.referrers(&app, &Image::of("first").digest()).await;
        for one in about.unwrap_or_else(|error| panic!("{when}: referrers: {error}")) {
            pull(&store, &app, &one.digest, when).await;
            seen.about.insert(one.digest.clone());
        }
        seen
    }

    /// Whether it is what was seen before something was done, or what is seen after it. Of layers there may be some.
    pub(crate) fn is_between(&self, before: &Self, after: &Self) -> bool {
        (self.tags == before.tags || self.tags == after.tags)
            && (self.about == before.about || self.about == after.about)
            && (&before.layers & &after.layers).is_subset(&self.layers)
            && self.layers.is_subset(&(&before.layers | &after.layers))
    }
}

/// Pulls a manifest, and all that it names.
async fn pull(store: &Store, repository: &RepositoryName, digest: &Digest, when: &str) {
    let found = store.find_manifest(repository, &Reference::Digest(digest.clone())).await;
    let found = found.unwrap_or_else(|error| panic!("{when}: pull {repository}@{digest}: {error}"));
    let manifest = found.stored.manifest.as_ref().expect("an image");
    for named in manifest.keeps() {
        assert!(can_pull(store, repository, named).await, "{when}: {repository}@{digest} lacks {named}");
    }
}

/// Whether a blob can be pulled, and is what its digest names.
async fn can_pull(store: &Store, repository: &RepositoryName, digest: &Digest) -> bool {
    let Ok((_, mut body)) = store.read_blob(repository, digest).await else { return false };
    let mut hasher = Hasher::new(Algorithm::Sha256);
    while let Some(piece) = body.next().await {
        let Ok(piece) = piece else { return false };
        hasher.update(&piece);
    }
    hasher.finish() == *digest
}
