//! Stores that are damaged in every way that we know of, and what is said and done about it.

use std::sync::Arc;

use bytes::Bytes;
use jeroboam_blobs::{Condition, Freshness, Memory, SharedBlobs};
use jeroboam_model::{Clock, ManualClock, Timestamp};
use jeroboam_oci::{Algorithm, Digest, Reference, RepositoryName, Tag, layout};
use serde_json::{Value, json};

use super::{InspectOptions, Inspection, Problem, inspect, is_still};
use crate::config::Prefix;
use crate::gc::documents::read_bytes;
use crate::hand_back::{HandBackOptions, hand_back};
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

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

/// An index of these manifests.
fn index(manifests: &[Value]) -> Value {
    let media_type = "application/vnd.oci.image.index.v1+json";
    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests})
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

    async fn remove(&self, paths: &[String]) {
        self.blobs.delete(paths).await.unwrap();
    }

    /// A manifest that a repository links.
    async fn link_manifest(&self, repository: &RepositoryName, manifest: &Value) -> Digest {
        let manifest = manifest.to_string();
        let digest = Digest::sha256(manifest.as_bytes());
        let link = digest.to_string();
        for (path, bytes) in [(layout::blob(&digest), manifest), (layout::revision(repository, &digest), link)] {
            self.blobs.put(&path, Bytes::from(bytes), Condition::Always).await.unwrap();
        }
        digest
    }

    /// A layer or a manifest of the image that its repository does not link.
    fn without_link(&self, tag: Option<Tag>, manifest: &Digest, part: &Digest) -> Problem {
        let (manifest, digest, is_manifest) = (manifest.clone(), part.clone(), *part == self.manifest);
        Problem::PartWithoutLink { repository: name(), tag, manifest, digest, is_manifest }
    }

    /// Whether the layer of the image can be pulled, by somebody who has not asked before.
    async fn has_layer(&self) -> bool {
        store(&self.blobs, &self.clock).find_blob(&name(), &self.layer).await.is_ok()
    }

    async fn inspect(&self) -> Inspection {
        let options = InspectOptions { verify_percent: 100, ..InspectOptions::default() };
        inspect(&self.blobs, options, self.clock.now()).await.unwrap()
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

fn store(blobs: &SharedBlobs, clock: &Arc<ManualClock>) -> Store {
    let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
    Store::new(blobs.clone(), clock.clone(), leases, StoreConfig::default())
}

async fn push(blobs: &SharedBlobs, clock: &Arc<ManualClock>, layer: &'static [u8]) -> (Digest, Digest) {
    let store = store(blobs, clock);
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
async fn a_tag_stays_at_its_newest_manifest_although_the_link_to_that_is_torn_as_well() {
    let bed = Bed::new().await;
    bed.clock.advance(std::time::Duration::from_secs(60));
    let (_, newer) = push(&bed.blobs, &bed.clock, b"newer layer").await;
    let (current, revision) = (layout::tag_current(&name(), &tag("v1")), layout::revision(&name(), &newer));
    bed.put(&current, b"").await;
    bed.put(&revision, b"sha256:ab").await;
    let links = [(revision, &newer), (current, &newer)].map(|(path, to)| Remedy::Link { path, to: to.clone() });
    assert_eq!(bed.repair().await, links);
    assert_eq!(bed.inspect().await.problems, []);
}

#[tokio::test]
async fn all_that_one_power_cut_did_to_the_links_of_an_image_is_mended_at_once() {
    let bed = Bed::new().await;
    bed.put(&layout::tag_current(&name(), &tag("v1")), b"").await;
    bed.put(&layout::revision(&name(), &bed.manifest), b"").await;
    bed.remove(&[layout::layer(&name(), &bed.layer)]).await;
    assert!(!bed.inspect().await.is_fine());
    let done = repair(&bed.blobs, InspectOptions::default(), bed.clock.now(), false).await.unwrap();
    assert!(done.is_all(), "{done}");
    assert_eq!(bed.inspect().await.problems, []);
    assert!(bed.has_layer().await);
}

#[tokio::test]
async fn a_blob_that_its_repository_does_not_link_is_linked_again_where_a_manifest_names_it() {
    let bed = Bed::new().await;
    let (link, current) = (layout::layer(&name(), &bed.layer), layout::tag_current(&name(), &tag("v1")));
    bed.remove(std::slice::from_ref(&link)).await;
    assert!(!bed.has_layer().await);
    let found = bed.inspect().await;
    let lacks = |tag| bed.without_link(tag, &bed.manifest, &bed.layer);
    let unlisted = Problem::Unlisted { repository: name(), manifest: bed.manifest.clone() };
    assert_eq!(found.problems, [lacks(Some(tag("v1"))), unlisted.clone()]);
    let said =
        format!("team/app:v1 ({}): it needs blob {}, to which the repository has no link", bed.manifest, bed.layer);
    assert!(found.to_string().contains(&said) && !found.is_fine(), "{found}");
    let to = bed.layer.clone();
    assert!(bed.repair().await.contains(&Remedy::Link { path: link.clone(), to }));
    assert_eq!(bed.inspect().await.problems, []);
    assert!(bed.has_layer().await);
    bed.remove(&[link, current]).await;
    let found = bed.inspect().await;
    assert_eq!(found.problems, [lacks(None), unlisted]);
    assert!(found.is_fine(), "no tag leads there");
}

#[tokio::test]
async fn where_images_may_be_sparse_nobody_is_given_what_they_only_name() {
    let bed = Bed::new().await;
    bed.remove(&[layout::layer(&name(), &bed.layer)]).await;
    let options = InspectOptions { sparse_images: true, ..InspectOptions::default() };
    let done = repair(&bed.blobs, options, bed.clock.now(), false).await.unwrap();
    let lacking = bed.without_link(Some(tag("v1")), &bed.manifest, &bed.layer);
    let remedy = done.repairs.iter().find(|repair| repair.problem == lacking).map(|repair| &repair.remedy);
    assert!(matches!(remedy, Some(Remedy::None { .. })), "{done}");
    assert!(!bed.has_layer().await);
}

#[tokio::test]
async fn damaged_bytes_are_not_linked_again() {
    let bed = Bed::new().await;
    let link = layout::layer(&name(), &bed.layer);
    bed.put(&layout::blob(&bed.layer), b"lay").await;
    bed.remove(&[link]).await;
    assert!(bed.inspect().await.problems.contains(&bed.without_link(Some(tag("v1")), &bed.manifest, &bed.layer)));
    let remedies = bed.repair().await;
    let links = remedies.iter().filter(|remedy| matches!(remedy, Remedy::Link { to, .. } if *to == bed.layer));
    assert_eq!(links.count(), 0, "{remedies:?}");
    push(&bed.blobs, &bed.clock, b"layer").await;
    assert_eq!(bed.inspect().await.problems, []);
}

#[tokio::test]
async fn a_manifest_of_an_index_is_linked_again_where_all_that_it_names_is_there() {
    let bed = Bed::new().await;
    let size = bed.blobs.head(&layout::blob(&bed.manifest), Freshness::Newest).await.unwrap().unwrap().size;
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let child = json!({"mediaType": media_type, "digest": bed.manifest.to_string(), "size": size});
    let listed = index(&[child]);
    let whole = bed.link_manifest(&name(), &listed).await;
    let to_whole = Bytes::from(whole.to_string());
    bed.blobs.put(&layout::tag_current(&name(), &tag("v2")), to_whole.clone(), Condition::Always).await.unwrap();
    // An index of platforms that nobody has copied here: their manifests are another repository's.
    let sparse = "team/sparse".parse().unwrap();
    bed.link_manifest(&sparse, &listed).await;
    for path in [layout::tag_current(&sparse, &tag("v2")), layout::layer(&sparse, &whole)] {
        bed.blobs.put(&path, to_whole.clone(), Condition::Always).await.unwrap();
    }
    assert_eq!(bed.inspect().await.problems, []);
    let path = layout::revision(&name(), &bed.manifest);
    bed.remove(&[layout::tag_current(&name(), &tag("v1")), path.clone()]).await;
    let found = bed.inspect().await;
    assert_eq!(found.problems, [bed.without_link(Some(tag("v2")), &whole, &bed.manifest)]);
    assert!(!found.is_fine());
    assert_eq!(bed.repair().await, [Remedy::Link { path, to: bed.manifest.clone() }]);
    assert_eq!(bed.inspect().await.problems, []);
}

#[tokio::test]
async fn what_a_cache_of_another_registry_lacks_comes_when_somebody_asks_for_it() {
    let bed = Bed::new().await;
    let other = Digest::sha256(b"other layer");
    bed.put(&layout::blob(&other), b"other layer").await;
    // What it names was pushed to another repository.
    let part = json!({"mediaType": "application/x", "digest": other.to_string(), "size": 11});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": part,
        "layers": [],
    });
    let digest = bed.link_manifest(&name(), &manifest).await;
    let lacks = bed.without_link(None, &digest, &other);
    assert_eq!(bed.inspect().await.problems, std::slice::from_ref(&lacks));
    // distribution's cache notes nothing: the configuration says what is one.
    let below = |name: &str| Prefix::Below(name.to_owned());
    for (cache, is_one) in
        [(Prefix::All, true), (below("team"), true), (below("team/app"), false), (below("tea"), false)]
    {
        let problems = if is_one { Vec::new() } else { vec![lacks.clone()] };
        let (caches, now) = (std::slice::from_ref(&cache), bed.clock.now());
        let options = InspectOptions { caches, ..InspectOptions::default() };
        assert_eq!(inspect(&bed.blobs, options, now).await.unwrap().problems, problems, "{cache}");
        let dry = repair(&bed.blobs, options, now, true).await.unwrap();
        assert_eq!(dry.repairs.len(), problems.len(), "{cache}");
        let options = HandBackOptions { dry_run: true, caches, ..HandBackOptions::default() };
        assert_eq!(hand_back(&bed.blobs, options, now).await.unwrap().inspection.problems, problems, "{cache}");
    }
    bed.put(&layout::mirrored(&name(), &digest), b"used").await;
    assert_eq!(bed.inspect().await.problems, []);
    assert_eq!(bed.repair().await, []);
}

#[tokio::test]
async fn torn_links_say_again_what_their_paths_say() {
    let bed = Bed::new().await;
    let (layer, revision) = (layout::layer(&name(), &bed.layer), layout::revision(&name(), &bed.manifest));
    bed.put(&layer, b"sha256:ab").await;
    bed.put(&revision, b"").await;
    let found = bed.inspect().await;
    // Without their links, the manifest is not the tag's either, and the layer not the manifest's.
    assert_eq!(found.problems.len(), 4, "{:?}", found.problems);
    assert!(found.problems.contains(&bed.without_link(Some(tag("v1")), &bed.manifest, &bed.layer)));
    assert!(!found.is_fine());
    let now = bed.clock.now();
    let done = repair(&bed.blobs, InspectOptions::default(), now, false).await.unwrap();
    // Each link is what something lacked: it is mended once.
    assert_eq!(done.repairs.iter().map(|repair| repair.mended_before).collect::<Vec<_>>(), [false, false, true, true]);
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
async fn a_blob_that_was_cut_off_is_found_although_nothing_was_to_be_read() {
    let bed = Bed::new().await;
    bed.put(&layout::blob(&bed.layer), b"lay").await;
    let found = inspect(&bed.blobs, InspectOptions::default(), bed.clock.now()).await.unwrap();
    let (digest, tag) = (bed.layer.clone(), "v1".parse().unwrap());
    let why = format!("{digest} has 3 bytes and not 5");
    let tag = Problem::TagNotWhole { repository: name(), tag, manifest: bed.manifest.clone(), why };
    assert_eq!(found.problems, [tag, Problem::WrongBytes { digest, found: Digest::sha256(b"lay") }]);
    assert!(!found.is_fine());
    assert_eq!((found.verified, bed.inspect().await.verified), (1, 2), "nothing is read twice");
    assert!(bed.repair().await.contains(&Remedy::Quarantine { digest: bed.layer.clone() }));
    push(&bed.blobs, &bed.clock, b"layer").await;
    assert_eq!(bed.inspect().await.problems, []);
}

#[tokio::test]
async fn a_manifest_that_says_a_wrong_size_is_told_and_its_blob_is_not_blamed() {
    let bed = Bed::new().await;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/x", "digest": bed.layer.to_string(), "size": 7},
        "layers": [],
    });
    let (manifest, tag) = (manifest.to_string(), "v2".parse().unwrap());
    let digest = Digest::sha256(manifest.as_bytes());
    let (link, current) = (digest.to_string(), layout::tag_current(&name(), &tag));
    for (path, bytes) in
        [(layout::blob(&digest), &manifest), (layout::revision(&name(), &digest), &link), (current.clone(), &link)]
    {
        bed.blobs.put(&path, Bytes::from(bytes.clone()), Condition::Always).await.unwrap();
    }
    let wrong = |tag| Problem::WrongSize {
        repository: name(),
        tag,
        manifest: digest.clone(),
        digest: bed.layer.clone(),
        said: 7,
        size: 5,
    };
    let found = bed.inspect().await;
    assert_eq!(found.problems, [wrong(Some(tag))]);
    assert!(!found.is_fine(), "clients that compare sizes cannot pull the tag");
    assert!(matches!(bed.repair().await[..], [Remedy::None { .. }]));
    bed.blobs.delete(&[current]).await.unwrap();
    let found = bed.inspect().await;
    assert_eq!(found.problems, [wrong(None)]);
    assert!(found.is_fine(), "no tag leads there");
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
    let repository: RepositoryName = "team/lonely".parse().unwrap();
    let manifest = bed.link_manifest(&repository, &index(&[])).await;
    let found = bed.inspect().await;
    assert_eq!(found.problems, [Problem::Unlisted { repository, manifest }]);
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

#[tokio::test]
async fn a_tag_may_call_its_manifest_by_another_digest_until_the_store_is_handed_back() {
    let bed = Bed::new().await;
    let bytes = read_bytes(&bed.blobs, &layout::blob(&bed.manifest), Freshness::Newest).await.unwrap().unwrap();
    let long = Digest::of(Algorithm::Sha512, &bytes);
    let new = NewManifest {
        reference: Reference::Digest(long.clone()),
        tags: vec![tag("v1"), tag("v2")],
        content_type: None,
        condition: TagCondition::Always,
        bytes,
    };
    store(&bed.blobs, &bed.clock).put_manifest(&name(), new).await.unwrap();
    assert_eq!(bed.inspect().await.problems, []);
    let called = async |label: &str| {
        let reference = Reference::Tag(tag(label));
        store(&bed.blobs, &bed.clock).find_manifest(&name(), &reference).await.unwrap().digest
    };
    assert_eq!(called("v1").await, long);
    // What is wrong with the manifest is told of the tag all the same.
    bed.remove(&[layout::layer(&name(), &bed.layer)]).await;
    assert!(bed.inspect().await.problems.contains(&bed.without_link(Some(tag("v1")), &bed.manifest, &bed.layer)));
    bed.repair().await;
    // The link from the other digest is found again, whether it is gone or torn.
    let alias = layout::revision(&name(), &long);
    let lost = |label: &str, bytes_are_there| Problem::TagWithoutManifest {
        repository: name(),
        tag: tag(label),
        manifest: long.clone(),
        bytes_are_there,
    };
    let again = Remedy::Link { path: alias.clone(), to: bed.manifest.clone() };
    bed.remove(std::slice::from_ref(&alias)).await;
    assert_eq!(bed.inspect().await.problems, [lost("v1", true), lost("v2", true)]);
    assert!(is_still(&bed.blobs, &lost("v2", true)).await.unwrap().unwrap());
    assert!(bed.repair().await.contains(&again));
    assert!(!is_still(&bed.blobs, &lost("v2", true)).await.unwrap().unwrap(), "one link mends both");
    bed.put(&alias, b"sha256:ab").await;
    assert!(!bed.inspect().await.is_fine());
    assert!(bed.repair().await.contains(&again));
    assert_eq!(bed.inspect().await.problems, []);
    assert_eq!(called("v1").await, long);

    for (dry_run, count) in [(true, 2), (false, 2), (false, 0)] {
        let options = HandBackOptions { dry_run, all_stopped: true, ..HandBackOptions::default() };
        let handed = hand_back(&bed.blobs, options, bed.clock.now()).await.unwrap();
        assert!(handed.is_ready() && handed.renamed_tags == count, "{handed}");
        let to = if dry_run { &long } else { &bed.manifest };
        assert_eq!(called("v2").await, *to);
    }
}
