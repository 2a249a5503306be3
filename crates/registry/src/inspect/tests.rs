//! Stores that are damaged in every way that we know of, and what is said and done about it.

use std::sync::Arc;

use bytes::Bytes;
use jeroboam_blobs::{Condition, Memory, SharedBlobs};
use jeroboam_model::{Clock, ManualClock, Timestamp};
use jeroboam_oci::{Algorithm, Digest, Reference, RepositoryName, layout};
use serde_json::json;

use super::{InspectOptions, Inspection, Problem, inspect, is_still};
use crate::leases::{GRACE, Leases};
use crate::repair::{Remedy, Repairs, quarantine, repair};
use crate::store::{NewManifest, Store, StoreConfig, TagCondition};

struct Bed {
    blobs: SharedBlobs,
    clock: Arc<ManualClock>,
    layer: Digest,
    manifest: Digest,
}

fn name() -> RepositoryName {
    "team/app".parse().unwrap()
}

impl Bed {
    /// A store with one image, `team/app:v1`.
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_700_000_000).unwrap()));
        let blobs: SharedBlobs = Arc::new(Memory::new(clock.clone()));
        let (layer, manifest) = push(&blobs, &clock, b"layer").await;
        Self { blobs, clock, layer, manifest }
    }

    async fn put(&self, path: &str, bytes: &'static [u8]) {
        self.blobs.put(path, Bytes::from_static(bytes), Condition::Always).await.unwrap();
    }

    async fn inspect(&self) -> Inspection {
        inspect(&self.blobs, InspectOptions { verify_percent: 100 }, self.clock.now()).await.unwrap()
    }

    async fn repair(&self) -> Vec<Remedy> {
        let now = self.clock.now();
        let dry = repair(&self.blobs, InspectOptions::default(), now, true).await.unwrap();
        let before = self.inspect().await;
        let done = repair(&self.blobs, InspectOptions::default(), now, false).await.unwrap();
        let said = |repairs: &Repairs| -> Vec<_> {
            repairs.repairs.iter().map(|repair| (repair.problem.clone(), repair.remedy.clone())).collect()
        };
        assert_eq!(said(&dry), said(&done), "what is said is what is done");
        assert!(dry.repairs.iter().all(|repair| !repair.mended_before), "nothing is mended by looking");
        assert!(dry.repairs.is_empty() || !before.problems.is_empty(), "a dry run changes nothing");
        done.repairs.into_iter().map(|repair| repair.remedy).collect()
    }
}

async fn push(blobs: &SharedBlobs, clock: &Arc<ManualClock>, layer: &'static [u8]) -> (Digest, Digest) {
    let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
    let store = Store::new(blobs.clone(), clock.clone(), leases, StoreConfig::default());
    let digest = Digest::sha256(layer);
    store.put_small_blob(&name(), &digest, Bytes::from_static(layer)).await.unwrap();
    let part = json!({"mediaType": "application/x", "digest": digest.to_string(), "size": layer.len()});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": part,
        "layers": [],
    })
    .to_string();
    let manifest_digest = Digest::sha256(manifest.as_bytes());
    let new = NewManifest {
        reference: Reference::Tag("v1".parse().unwrap()),
        tags: Vec::new(),
        content_type: None,
        condition: TagCondition::Always,
        bytes: manifest.into(),
    };
    store.put_manifest(&name(), new).await.unwrap();
    (digest, manifest_digest)
}

#[tokio::test]
async fn a_store_that_is_fine_is_counted() {
    let bed = Bed::new().await;
    let found = bed.inspect().await;
    assert_eq!(found.problems, []);
    assert_eq!((found.repositories, found.tags, found.manifests, found.blobs, found.verified), (1, 1, 1, 2, 2));
    assert!(found.is_fine());
    assert_eq!(found.to_string().lines().last(), Some("every tag can be pulled"));
}

#[tokio::test]
async fn a_torn_tag_points_again_to_what_it_last_pointed_to() {
    let bed = Bed::new().await;
    bed.clock.advance(std::time::Duration::from_secs(60));
    let (_, newer) = push(&bed.blobs, &bed.clock, b"newer layer").await;
    let tag = "v1".parse().unwrap();
    let path = layout::tag_current(&name(), &tag);
    bed.put(&path, b"").await;
    let found = bed.inspect().await;
    assert!(!found.is_fine());
    assert_eq!(found.problems, [Problem::TornTag { repository: name(), tag, why: "the link is empty".to_owned() }]);
    assert_eq!(bed.repair().await, [Remedy::Link { path, to: newer }]);
    assert!(bed.inspect().await.problems.is_empty());
}

#[tokio::test]
async fn torn_links_say_again_what_their_paths_say() {
    let bed = Bed::new().await;
    let (layer, revision) = (layout::layer(&name(), &bed.layer), layout::revision(&name(), &bed.manifest));
    bed.put(&layer, b"sha256:ab").await;
    bed.put(&revision, b"").await;
    let found = bed.inspect().await;
    // Without its link, the manifest is not the tag's either.
    assert_eq!(found.problems.len(), 3, "{:?}", found.problems);
    assert!(!found.is_fine());
    let now = bed.clock.now();
    let done = repair(&bed.blobs, InspectOptions::default(), now, false).await.unwrap();
    // The link of the manifest is what the tag lacked: it is mended once.
    assert_eq!(done.repairs.iter().map(|repair| repair.mended_before).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(bed.inspect().await.problems, []);
}

#[tokio::test]
async fn a_missing_blob_is_said_and_a_push_brings_it_back() {
    let bed = Bed::new().await;
    bed.blobs.delete(&[layout::blob(&bed.layer)]).await.unwrap();
    let found = bed.inspect().await;
    assert!(!found.is_fine());
    assert!(found.problems.iter().any(|problem| matches!(problem, Problem::TagNotWhole { .. })));
    let remedies = bed.repair().await;
    assert!(remedies.iter().any(|remedy| matches!(remedy, Remedy::None { .. })));
    assert!(remedies.contains(&Remedy::Unlink { path: layout::layer(&name(), &bed.layer) }));
    push(&bed.blobs, &bed.clock, b"layer").await;
    assert_eq!(bed.inspect().await.problems, []);
}

#[tokio::test]
async fn a_blob_without_bytes_is_moved_away_and_comes_back() {
    let bed = Bed::new().await;
    bed.put(&layout::blob(&bed.layer), b"").await;
    let found = bed.inspect().await;
    assert!(!found.is_fine());
    assert!(found.problems.contains(&Problem::EmptyBlob { digest: bed.layer.clone() }));
    assert!(bed.repair().await.contains(&Remedy::Quarantine { digest: bed.layer.clone() }));
    push(&bed.blobs, &bed.clock, b"layer").await;
    assert!(bed.inspect().await.is_fine());
}

#[tokio::test]
async fn other_bytes_are_found_by_reading_them() {
    let bed = Bed::new().await;
    bed.put(&layout::blob(&bed.layer), b"LAYER").await;
    let found = bed.inspect().await;
    let wrong = Problem::WrongBytes { digest: bed.layer.clone(), found: Digest::sha256(b"LAYER") };
    assert_eq!(found.problems, [wrong]);
    let unread = inspect(&bed.blobs, InspectOptions::default(), bed.clock.now()).await.unwrap();
    assert!(unread.is_fine(), "nobody has looked");
}

#[tokio::test]
async fn what_is_only_garbage_is_no_damage() {
    let bed = Bed::new().await;
    bed.put(&layout::blob(&Digest::sha256(b"orphan")), b"orphan").await;
    let found = bed.inspect().await;
    assert_eq!((found.unreferenced, found.unreferenced_bytes), (1, 6));
    assert!(found.is_fine() && found.problems.is_empty());
}

#[tokio::test]
async fn a_repository_that_distribution_does_not_list_gets_a_link() {
    let bed = Bed::new().await;
    let links: Vec<String> = [&bed.layer, &bed.manifest].map(|digest| layout::layer(&name(), digest)).to_vec();
    bed.blobs.delete(&links).await.unwrap();
    let found = bed.inspect().await;
    assert_eq!(found.problems, [Problem::Unlisted { repository: name(), manifest: bed.manifest.clone() }]);
    bed.repair().await;
    assert_eq!(bed.inspect().await.problems, []);
}

#[tokio::test]
async fn what_was_pushed_while_the_store_was_read_is_no_problem() {
    let bed = Bed::new().await;
    // What a listing that began before the push has: the link, and not the blob.
    let problem = Problem::LayerToNothing { repository: name(), digest: bed.layer.clone() };
    assert_eq!(is_still(&bed.blobs, &problem).await.unwrap(), Some(false));
    let tagged = Problem::TagWithoutManifest {
        repository: name(),
        tag: "v1".parse().unwrap(),
        manifest: bed.manifest.clone(),
        bytes_are_there: true,
    };
    assert_eq!(is_still(&bed.blobs, &tagged).await.unwrap(), Some(false));
    bed.blobs.delete(&[layout::blob(&bed.layer), layout::revision(&name(), &bed.manifest)]).await.unwrap();
    assert_eq!(is_still(&bed.blobs, &problem).await.unwrap(), Some(true));
    assert_eq!(is_still(&bed.blobs, &tagged).await.unwrap(), Some(true));
    bed.blobs.delete(&[layout::layer(&name(), &bed.layer)]).await.unwrap();
    assert_eq!(is_still(&bed.blobs, &problem).await.unwrap(), Some(false), "the link has gone, too");
}

#[tokio::test]
async fn what_is_named_by_another_algorithm_is_found_by_its_own() {
    let bed = Bed::new().await;
    let alias = Digest::of(Algorithm::Sha512, b"layer");
    let part = json!({"mediaType": "application/x", "digest": alias.to_string(), "size": 5});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": part,
        "layers": [],
    });
    let manifest = manifest.to_string();
    let digest = Digest::sha256(manifest.as_bytes());
    let link = bed.layer.to_string();
    for (path, bytes) in [
        (layout::blob(&digest), manifest.as_str()),
        (layout::layer(&name(), &alias), link.as_str()),
        (layout::revision(&name(), &digest), &digest.to_string()),
    ] {
        bed.blobs.put(&path, Bytes::copy_from_slice(bytes.as_bytes()), Condition::Always).await.unwrap();
    }
    let found = bed.inspect().await;
    assert_eq!((found.problems, found.unreferenced), (vec![], 0));
    bed.blobs.delete(&[layout::blob(&bed.layer)]).await.unwrap();
    let found = bed.inspect().await;
    let missing =
        |problem: &Problem| matches!(problem, Problem::ManifestNotWhole { manifest, .. } if *manifest == digest);
    assert!(found.problems.iter().any(missing), "{:?}", found.problems);
}

#[tokio::test]
async fn one_object_that_cannot_be_read_is_a_problem_and_not_the_end() {
    let bed = Bed::new().await;
    // No manifest is so long: whoever links it has linked something else.
    let large = Bytes::from(vec![b'x'; (16 << 20) + 1]);
    let digest = Digest::sha256(&large);
    bed.blobs.put(&layout::blob(&digest), large, Condition::Always).await.unwrap();
    let link = Bytes::from(digest.to_string());
    bed.blobs.put(&layout::revision(&name(), &digest), link, Condition::Always).await.unwrap();
    let found = bed.inspect().await;
    let told = |problem: &Problem| matches!(problem, Problem::ManifestNotWhole { manifest, .. } if *manifest == digest);
    assert!(found.problems.iter().any(told) && found.tags == 1, "{:?}", found.problems);
    assert!(found.is_fine(), "no tag leads there");
}

#[tokio::test]
async fn bytes_that_are_right_when_read_again_stay_where_they_are() {
    let bed = Bed::new().await;
    assert!(!quarantine(&bed.blobs, &bed.layer).await.unwrap(), "they are right");
    bed.put(&layout::blob(&bed.layer), b"LAYER").await;
    assert!(quarantine(&bed.blobs, &bed.layer).await.unwrap());
    assert!(!quarantine(&bed.blobs, &bed.layer).await.unwrap(), "it is gone");
}
