//! Pushes, deletions and collections over a store in memory, with a clock that is moved by hand.

mod aliases;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::{Condition, Fault, Faults, Freshness, Memory, Operation, SharedBlobs, Told};
use jeroboam_model::{Clock, ManualClock, Timestamp};
use jeroboam_oci::gc::Times;
use jeroboam_oci::layout::{self, Area};
use jeroboam_oci::{Algorithm, Digest, Reference, RepositoryName, Tag};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Collector, GcConfig, Outcome, Report, Sweeping};
use crate::leases::Leases;
use crate::store::{Compat, NewManifest, Store, StoreConfig, TagCondition};

const DAY: Duration = Duration::from_secs(86_400);

struct Bed {
    blobs: SharedBlobs,
    clock: Arc<ManualClock>,
    store: Store,
    config: GcConfig,
}

fn times() -> Times {
    let s = Duration::from_secs;
    Times::new(s(1000), s(100), s(10)).unwrap()
}

impl Bed {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_700_000_000).unwrap()));
        let blobs: SharedBlobs = Arc::new(Memory::new(clock.clone()));
        let store = store(&blobs, &clock, "first");
        let config = GcConfig { times: times(), per_second: None, ..GcConfig::default() };
        Self { blobs, clock, store, config }
    }

    fn collector(&self, me: &str) -> Collector {
        let clock: Arc<dyn Clock> = self.clock.clone();
        Collector::new(self.blobs.clone(), clock, Compat::Exclusive, self.config.clone(), me.to_owned()).unwrap()
    }

    async fn step(&self, me: &str) -> Outcome {
        self.collector(me).step(&CancellationToken::new()).await.unwrap()
    }

    /// An announcement, the wait, and the sweep.
    async fn collect(&self) -> Report {
        let until = match self.step("collector").await {
            Outcome::Announced(until, _) | Outcome::Waits(until) => until,
            other => panic!("{other:?}"),
        };
        self.clock.advance(until.duration_since(self.clock.now()).unsigned_abs());
        match self.step("collector").await {
            Outcome::Swept(report) => *report,
            other => panic!("{other:?}"),
        }
    }

    async fn push_blob(&self, repository: &str, bytes: &'static [u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        self.store.put_small_blob(&name(repository), &digest, Bytes::from_static(bytes)).await.unwrap();
        digest
    }

    async fn push_manifest(&self, repository: &str, tag: &str, config: &Digest, layers: &[&Digest]) -> Digest {
        let mut named = Vec::new();
        for layer in layers {
            named.push(self.descriptor("application/x", layer).await);
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.descriptor("application/x", config).await,
            "layers": named,
        });
        self.put(repository, tag, manifest.to_string()).await
    }

    async fn descriptor(&self, media_type: &str, digest: &Digest) -> serde_json::Value {
        let meta = self.blobs.head(&layout::blob(digest), Freshness::Any).await.unwrap().unwrap();
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": meta.size})
    }

    async fn put(&self, repository: &str, tag: &str, manifest: String) -> Digest {
        let digest = Digest::sha256(manifest.as_bytes());
        let new = NewManifest {
            reference: Reference::Tag(tag.parse().unwrap()),
            tags: Vec::new(),
            content_type: None,
            condition: TagCondition::Always,
            bytes: manifest.into(),
        };
        self.store.put_manifest(&name(repository), new).await.unwrap();
        digest
    }

    async fn has(&self, digest: &Digest) -> bool {
        self.blobs.head(&layout::blob(digest), Freshness::Any).await.unwrap().is_some()
    }
}

fn store(blobs: &SharedBlobs, clock: &Arc<ManualClock>, instance: &str) -> Store {
    let leases = Leases::stored(blobs.clone(), clock.clone(), times(), instance.to_owned());
    let config = StoreConfig { compat: Compat::Exclusive, delete_enabled: true, ..StoreConfig::default() };
    Store::new(blobs.clone(), clock.clone(), Arc::new(leases), config)
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

#[tokio::test]
async fn what_nothing_refers_to_goes_and_the_rest_stays() {
    let bed = Bed::new();
    let (config, layer) = (bed.push_blob("a", b"config").await, bed.push_blob("a", b"layer").await);
    let manifest = bed.push_manifest("a", "v1", &config, &[&layer]).await;
    let orphan = bed.push_blob("a", b"orphan").await;
    let looked = bed.collector("other").look().await.unwrap();
    assert_eq!((looked.found.blobs, looked.found.unreferenced, looked.found.manifests), (4, 1, 1));
    assert_eq!(looked.repositories[&name("a")].bytes, 6);
    let report = bed.collect().await;
    assert_eq!((report.collected.removed, report.collected.bytes, report.collected.links), (1, 6, 1));
    assert!(bed.has(&config).await && bed.has(&layer).await && bed.has(&manifest).await);
    assert!(!bed.has(&orphan).await);
    assert!(bed.store.promise_blob(&name("a"), &orphan).await.is_err());
    assert!(bed.store.promise_blob(&name("a"), &layer).await.is_ok());
}

#[tokio::test]
async fn nothing_goes_before_its_time() {
    let bed = Bed::new();
    bed.push_blob("a", b"orphan").await;
    let Outcome::Announced(until, _) = bed.step("collector").await else { panic!("it announces") };
    assert_eq!(until.duration_since(bed.clock.now()).as_secs(), 200 + 1000 + 30);
    bed.clock.advance(Duration::from_secs(1200));
    assert!(matches!(bed.step("collector").await, Outcome::Waits(at) if at == until));
    assert!(bed.has(&Digest::sha256(b"orphan")).await);
}

#[tokio::test]
async fn a_candidate_that_is_promised_stays_and_can_be_referred_to() {
    let bed = Bed::new();
    let orphan = bed.push_blob("a", b"orphan").await;
    bed.step("collector").await;
    bed.clock.advance(Duration::from_secs(1210));
    bed.store.promise_blob(&name("a"), &orphan).await.unwrap();
    // Another process, and its promise of something that was not there is of no use and does no harm.
    let second = store(&bed.blobs, &bed.clock, "second");
    bed.clock.advance(Duration::from_secs(100));
    let Outcome::Swept(report) = bed.step("collector").await else { panic!("it sweeps") };
    assert_eq!((report.collected.removed, report.collected.leased), (0, 1));
    second.promise_blob(&name("a"), &orphan).await.unwrap();
    bed.push_manifest("a", "v1", &orphan, &[]).await;
    assert_eq!(bed.collect().await.collected.removed, 0);
    assert!(bed.has(&orphan).await);
}

#[tokio::test]
async fn a_crash_of_who_promised_changes_nothing() {
    let bed = Bed::new();
    let orphan = bed.push_blob("a", b"orphan").await;
    bed.step("collector").await;
    bed.clock.advance(Duration::from_secs(1000));
    {
        let crashes = store(&bed.blobs, &bed.clock, "crashes");
        crashes.promise_blob(&name("a"), &orphan).await.unwrap();
    }
    bed.clock.advance(Duration::from_secs(300));
    let Outcome::Swept(report) = bed.step("collector").await else { panic!("it sweeps") };
    assert_eq!(report.collected.leased, 1);
    assert!(bed.has(&orphan).await);
}

#[tokio::test]
async fn a_process_that_is_out_of_touch_promises_nothing() {
    let bed = Bed::new();
    let layer = bed.push_blob("a", b"layer").await;
    // The announcement cannot be read any more.
    let torn = Bytes::from_static(b"{\"number\":");
    bed.blobs.put(&jeroboam_oci::gc::paths::epoch(), torn, Condition::Always).await.unwrap();
    bed.clock.advance(Duration::from_secs(199));
    assert!(bed.store.promise_blob(&name("a"), &layer).await.is_ok());
    bed.clock.advance(Duration::from_secs(2));
    let refused = bed.store.promise_blob(&name("a"), &layer).await.unwrap_err();
    assert_eq!(refused.status(), 503);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_keeps_what_its_repository_links() {
    let bed = Bed::new();
    let (config, layer) = (bed.push_blob("a", b"config").await, bed.push_blob("a", b"layer").await);
    let manifest = bed.push_manifest("a", "v1", &config, &[&layer]).await;
    let elsewhere = bed.push_blob("b", b"elsewhere").await;
    let foreign = Bytes::from_static(b"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.unheard.of\"}");
    bed.blobs.put(&layout::blob(&manifest), foreign, Condition::Always).await.unwrap();
    let report = bed.collect().await;
    assert_eq!(report.collected.removed, 1, "what another repository links goes");
    assert!(bed.has(&config).await && bed.has(&layer).await && !bed.has(&elsewhere).await);
    let looked = bed.collector("other").look().await.unwrap();
    assert_eq!(looked.unreadable.len(), 1, "{:?}", looked.unreadable);
    assert_eq!((&looked.unreadable[0].repository, &looked.unreadable[0].manifest), (&name("a"), &manifest));
}

#[tokio::test]
async fn an_index_keeps_its_manifests_and_what_they_name() {
    let bed = Bed::new();
    let config = bed.push_blob("a", b"config").await;
    let child = bed.push_manifest("a", "child", &config, &[]).await;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [bed.descriptor("application/vnd.oci.image.manifest.v1+json", &child).await],
    });
    bed.put("a", "v1", index.to_string()).await;
    // No link leads to the child any more; the index still names it.
    assert!(bed.store.remove_tag_from(&name("a"), &"child".parse::<Tag>().unwrap(), &child).await.unwrap());
    bed.blobs.delete(&[layout::revision(&name("a"), &child)]).await.unwrap();
    assert_eq!(bed.collect().await.collected.removed, 0);
    assert!(bed.has(&config).await && bed.has(&child).await);
}

#[tokio::test]
async fn a_deleted_manifest_goes_with_what_it_named_and_the_trash_gives_it_back() {
    let mut bed = Bed::new();
    bed.config.trash = Some(DAY);
    let layer = bed.push_blob("a", b"layer").await;
    let manifest = bed.push_manifest("a", "v1", &layer, &[]).await;
    bed.store.delete_manifest(&name("a"), &manifest).await.unwrap();
    let report = bed.collect().await;
    assert_eq!(report.collected.removed, 2);
    assert!(!bed.has(&layer).await && !bed.has(&manifest).await);
    let listed = bed.collector("other").trash().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (&one.digest, one.is_manifest, one.repositories.len())).collect();
    assert!(listed.contains(&(&manifest, true, 0)) && listed.contains(&(&layer, false, 1)), "{listed:?}");
    let restored = bed.collector("other").restore(&layer).await.unwrap();
    assert_eq!(restored.len(), 1);
    assert_eq!((restored[0].bytes, restored[0].links, restored[0].was_there), (5, 1, false));
    assert!(bed.store.promise_blob(&name("a"), &layer).await.is_ok());
    assert!(bed.collector("other").restore(&layer).await.is_err(), "it is out of the trash");
    bed.clock.advance(DAY * 2);
    let Outcome::Announced(_, report) = bed.step("late").await else { panic!("it announces") };
    assert_eq!(report.left_over.trash, 1, "the manifest's time is over");
    assert!(bed.collector("other").restore(&manifest).await.is_err());
}

#[tokio::test]
async fn the_trash_is_emptied_also_where_nobody_wants_one_any_more() {
    let mut bed = Bed::new();
    bed.config.trash = Some(DAY * 2);
    bed.push_blob("a", b"orphan").await;
    assert_eq!(bed.collect().await.collected.removed, 1);
    // From before it was written down how long something was to stay.
    let old = Digest::sha256(b"old");
    let label = json!({"removed": bed.clock.now(), "links": []}).to_string();
    for (part, bytes) in [("label", label.as_str()), ("data", "old")] {
        let path = layout::own(Area::Trash, &["sha256", old.hex(), part]);
        bed.blobs.put(&path, Bytes::copy_from_slice(bytes.as_bytes()), Condition::Always).await.unwrap();
    }
    bed.config.trash = None;
    bed.clock.advance(DAY);
    assert_eq!(bed.collector("other").look().await.unwrap().left_over.trash, 0, "it is not time yet");
    bed.clock.advance(DAY * 2);
    let Outcome::Announced(_, report) = bed.step("late").await else { panic!("it announces") };
    assert_eq!(report.left_over.trash, 1);
    let left = bed.collector("other").trash().await.unwrap();
    assert_eq!(left.iter().map(|one| &one.digest).collect::<Vec<_>>(), [&old]);
    bed.clock.advance(DAY * 5);
    assert_eq!(bed.collector("other").look().await.unwrap().left_over.trash, 1, "a week is over");
}

#[tokio::test]
async fn a_manifest_comes_back_with_all_that_it_names() {
    let mut bed = Bed::new();
    bed.config.trash = Some(DAY);
    let layer = bed.push_blob("a", b"layer").await;
    let manifest = bed.push_manifest("a", "v1", &layer, &[]).await;
    bed.store.delete_manifest(&name("a"), &manifest).await.unwrap();
    assert_eq!(bed.collect().await.collected.removed, 2);
    let restored = bed.collector("other").restore(&manifest).await.unwrap();
    assert_eq!(restored.iter().map(|one| &one.digest).collect::<Vec<_>>(), [&manifest, &layer]);
    assert!(bed.has(&layer).await && bed.has(&manifest).await);
    assert_eq!(bed.collector("other").trash().await.unwrap(), []);
}

#[tokio::test]
async fn a_collector_that_resigns_keeps_nobody_waiting() {
    let bed = Bed::new();
    bed.push_blob("a", b"1").await;
    let first = bed.collector("first");
    first.step(&CancellationToken::new()).await.unwrap();
    assert!(matches!(bed.step("second").await, Outcome::Taken(_)));
    bed.collector("stranger").resign().await.unwrap();
    assert!(matches!(bed.step("second").await, Outcome::Taken(_)), "only who collects can resign");
    first.resign().await.unwrap();
    assert!(matches!(bed.step("second").await, Outcome::Waits(_)));
    assert!(matches!(first.step(&CancellationToken::new()).await.unwrap(), Outcome::Taken(_)));
}

#[tokio::test]
async fn uploads_that_are_only_counted_keep_their_bytes() {
    let mut bed = Bed::new();
    bed.config.uploads_dry_run = true;
    let started = layout::repository(&name("a")) + "_uploads/a6a2a5e2-4d33-4c2e-8a94-7a3f6f6c1e11/startedat";
    bed.blobs.put(&started, Bytes::from_static(b"2023-11-14T22:13:20Z"), Condition::Always).await.unwrap();
    bed.clock.advance(DAY * 8);
    let now = bed.clock.now();
    assert_eq!(super::purge_uploads(&bed.blobs, DAY * 9, now, false).await.unwrap().uploads, 0, "it is young");
    assert_eq!(super::purge_uploads(&bed.blobs, DAY * 7, now, true).await.unwrap().uploads, 1);
    let Outcome::Announced(_, report) = bed.step("collector").await else { panic!("it announces") };
    assert_eq!(report.left_over.uploads, 1);
    assert!(bed.blobs.head(&started, Freshness::Any).await.unwrap().is_some(), "it is only counted");
    assert_eq!(super::purge_uploads(&bed.blobs, DAY * 7, now, false).await.unwrap().uploads, 1);
    assert!(bed.blobs.head(&started, Freshness::Any).await.unwrap().is_none());
}

#[tokio::test]
async fn where_nothing_is_collected_what_uploads_left_is_cleared_away_all_the_same() {
    let bed = Bed::new();
    let at = |upload: &str| format!("{}{upload}/data-1", layout::area(Area::Sessions));
    let (old, young) = (at("a6a2a5e2-4d33-4c2e-8a94-7a3f6f6c1e11"), at("a6a2a5e2-4d33-4c2e-8a94-7a3f6f6c1e22"));
    bed.blobs.put(&old, Bytes::from_static(b"half"), Condition::Always).await.unwrap();
    bed.clock.advance(DAY * 8);
    bed.blobs.put(&young, Bytes::from_static(b"half"), Condition::Always).await.unwrap();
    let now = bed.clock.now();
    let older_than = now.saturating_sub(DAY * 7).unwrap();
    let purged = super::purge_uploads(&bed.blobs, DAY * 7, now, false).await.unwrap();
    for dry_run in [true, false] {
        let left_over = super::clear_parts(&bed.blobs, &purged, older_than, dry_run).await.unwrap();
        assert_eq!((left_over.objects, left_over.bytes), (1, 4), "dry: {dry_run}");
        assert_eq!(bed.blobs.head(&old, Freshness::Any).await.unwrap().is_some(), dry_run);
    }
    assert!(bed.blobs.head(&young, Freshness::Any).await.unwrap().is_some(), "somebody may be at it");
}

#[tokio::test]
async fn a_sweep_that_is_stopped_goes_on_where_it_was() {
    let bed = Bed::new();
    for bytes in [b"1", b"2", b"3"] {
        bed.push_blob("a", bytes).await;
    }
    bed.step("collector").await;
    bed.clock.advance(Duration::from_secs(1230));
    let stopped = CancellationToken::new();
    stopped.cancel();
    let outcome = bed.collector("collector").step(&stopped).await.unwrap();
    assert!(matches!(outcome, Outcome::Paused(report) if report.collected.removed == 0));
    // Another process: not before the word of the first is old.
    assert!(matches!(bed.step("other").await, Outcome::Taken(_)));
    bed.clock.advance(Duration::from_secs(221));
    let Outcome::Swept(report) = bed.step("other").await else { panic!("it sweeps") };
    assert_eq!(report.collected.removed, 3);
}

#[tokio::test]
async fn it_is_told_how_far_a_sweep_is_before_it_ends() {
    let bed = Bed::new();
    for number in 0..1_002_u32 {
        let bytes = number.to_be_bytes();
        let path = layout::blob(&Digest::sha256(&bytes));
        bed.blobs.put(&path, Bytes::copy_from_slice(&bytes), Condition::Always).await.unwrap();
    }
    bed.step("collector").await;
    bed.clock.advance(Duration::from_secs(1230));
    // Something refers to one of them by now: it is not gone through.
    let kept = bed.push_blob("a", &[0, 0, 0, 0]).await;
    bed.push_manifest("a", "v1", &kept, &[]).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let teller = Box::new(move |now: Sweeping| hears.lock().unwrap().push((now.candidates, now.done, now.collected)));
    let outcome = bed.collector("collector").telling(teller).step(&CancellationToken::new()).await;
    assert!(matches!(outcome, Ok(Outcome::Swept(_))));
    let told: Vec<_> = told.lock().unwrap().iter().map(|(all, done, now)| (*all, *done, now.removed)).collect();
    assert_eq!(told, [(1002, 0, 0), (1002, 500, 500), (1002, 1000, 1000), (1002, 1002, 1001)]);
}

#[tokio::test]
async fn hours_in_which_nothing_is_removed_are_kept() {
    let mut bed = Bed::new();
    bed.push_blob("a", b"1").await;
    // The clock stands at 22:13.
    bed.config.window = Some("01:00-02:00".parse().unwrap());
    bed.step("collector").await;
    bed.clock.advance(Duration::from_secs(1230));
    assert!(matches!(bed.step("collector").await, Outcome::Paused(_)));
    bed.clock.advance(Duration::from_secs(3 * 3600));
    assert!(matches!(bed.step("collector").await, Outcome::Swept(report) if report.collected.removed == 1));
}

#[tokio::test]
async fn what_earlier_epochs_left_is_forgotten() {
    let bed = Bed::new();
    let orphan = bed.push_blob("a", b"orphan").await;
    bed.step("collector").await;
    bed.clock.advance(Duration::from_secs(1230));
    bed.store.promise_blob(&name("a"), &orphan).await.unwrap();
    bed.step("collector").await;
    let below = async |prefix: &str| super::pages::all_objects(&bed.blobs, prefix).await.unwrap().len();
    assert_eq!(below(&jeroboam_oci::gc::paths::leases()).await, 1);
    assert_eq!(below(&jeroboam_oci::gc::paths::warrants()).await, 0, "each is taken back once it is decided");
    bed.step("collector").await;
    assert_eq!(below(&jeroboam_oci::gc::paths::leases()).await, 0);
}

#[test]
fn a_store_that_distribution_may_write_into_is_left_alone() {
    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let blobs: SharedBlobs = Arc::new(Memory::new(clock.clone()));
    assert!(Collector::new(blobs, clock, Compat::Shared, GcConfig::default(), "me".to_owned()).is_err());
}

#[tokio::test]
async fn what_a_tag_points_to_stays_whatever_links_are_left() {
    let mut bed = Bed::new();
    bed.config.tag_history = false;
    let layer = bed.push_blob("a", b"layer").await;
    let manifest = bed.push_manifest("a", "v1", &layer, &[]).await;
    bed.blobs.delete(&[layout::revision(&name("a"), &manifest)]).await.unwrap();
    assert_eq!(bed.collect().await.collected.removed, 0);
    // Of a tag that is torn nobody knows where it pointed.
    let current = layout::tag_current(&name("a"), &"v1".parse::<Tag>().unwrap());
    bed.blobs.put(&current, Bytes::new(), Condition::Always).await.unwrap();
    bed.clock.advance(DAY);
    bed.collect().await;
    assert!(bed.has(&layer).await);
}

#[tokio::test]
async fn a_manifest_with_other_bytes_says_nothing_of_what_it_names() {
    let bed = Bed::new();
    let layer = bed.push_blob("a", b"layer").await;
    let manifest = bed.push_manifest("a", "v1", &layer, &[]).await;
    let rot = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"mediaType": "x/y", "digest": manifest.to_string(), "size": 1}, "layers": []});
    bed.blobs.put(&layout::blob(&manifest), Bytes::from(rot.to_string()), Condition::Always).await.unwrap();
    let report = bed.collect().await;
    assert!(bed.has(&layer).await && report.collected.removed == 0);
}

#[tokio::test]
async fn a_store_whose_clock_is_another_is_not_collected_from() {
    let mut bed = Bed::new();
    bed.config.check_clock = true;
    assert!(matches!(bed.step("collector").await, Outcome::Announced(..)));
    // The place goes by one clock, and the collector by another.
    let fast = Arc::new(ManualClock::at(bed.clock.now() + Duration::from_secs(60)));
    let collector =
        Collector::new(bed.blobs.clone(), fast, Compat::Exclusive, bed.config.clone(), "fast".to_owned()).unwrap();
    bed.collector("collector").resign().await.unwrap();
    let refused = collector.step(&CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused, super::GcError::Clock { seconds: 60 }), "{refused}");
}

#[tokio::test]
async fn a_sweep_goes_on_after_a_failure_where_it_was() {
    let bed = Bed::new();
    for bytes in [b"1", b"2", b"3"] {
        bed.push_blob("a", bytes).await;
    }
    bed.step("collector").await;
    bed.clock.advance(Duration::from_secs(1230));
    let faults = Faults::new(bed.blobs.clone());
    let clock: Arc<dyn Clock> = bed.clock.clone();
    let place: SharedBlobs = Arc::new(faults.clone());
    let collector =
        Collector::new(place, clock, Compat::Exclusive, bed.config.clone(), "collector".to_owned()).unwrap();
    // Late in the sweep; and what is done is written down all the same.
    faults.plan(None);
    let removals = || faults.counts().get(&Operation::Delete).copied().unwrap_or_default();
    let mut call = 0;
    let failed = loop {
        call += 1;
        faults.plan(Some(Fault { call, told: Told::Before, dies: false }));
        let outcome = collector.step(&CancellationToken::new()).await;
        if outcome.is_err() && removals() > 3 {
            break true;
        }
        if matches!(outcome, Ok(Outcome::Swept(_))) {
            break false;
        }
    };
    assert!(failed, "it fails in the middle");
    faults.plan(None);
    let Outcome::Swept(report) = collector.step(&CancellationToken::new()).await.unwrap() else { panic!("it sweeps") };
    assert!(report.collected.removed < 3 && report.collected.interrupted <= 1, "{report}");
}

#[tokio::test]
async fn what_processes_left_that_did_not_come_to_their_end_is_cleared_away() {
    let bed = Bed::new();
    let stray = layout::own(Area::Sessions, &["a6a2a5e2-4d33-4c2e-8a94-7a3f6f6c1e11", "data-00000000000000aa"]);
    let ended = jeroboam_oci::gc::paths::instance("ended long ago");
    for path in [&stray, &ended] {
        bed.blobs.put(path, Bytes::from_static(b"bytes"), Condition::Always).await.unwrap();
    }
    bed.clock.advance(DAY * 6);
    let Outcome::Announced(until, report) = bed.step("collector").await else { panic!("it announces") };
    assert_eq!(report.left_over.objects, 0, "they are young");
    bed.clock.advance(until.duration_since(bed.clock.now()).unsigned_abs() + DAY * 2);
    bed.step("collector").await;
    let looked = bed.collector("collector").look().await.unwrap();
    assert_eq!((looked.left_over.objects, looked.left_over.bytes), (1, 5));
    let Outcome::Announced(_, report) = bed.step("collector").await else { panic!("it announces") };
    assert_eq!(report.left_over.objects, 1);
    for path in [&stray, &ended] {
        assert!(bed.blobs.head(path, Freshness::Any).await.unwrap().is_none(), "{path}");
    }
}

#[tokio::test]
async fn what_is_deleted_goes_although_a_tag_once_pointed_to_it() {
    let bed = Bed::new();
    let (old, new) = (bed.push_blob("a", b"old").await, bed.push_blob("a", b"new").await);
    let first = bed.push_manifest("a", "latest", &old, &[]).await;
    bed.push_manifest("a", "latest", &new, &[]).await;
    assert_eq!(bed.collect().await.collected.removed, 0, "it can still be pulled by its digest");
    assert_eq!(bed.store.delete_manifest(&name("a"), &first).await.unwrap(), [], "no tag points to it");
    bed.clock.advance(DAY);
    assert_eq!(bed.collect().await.collected.removed, 2);
    assert!(!bed.has(&old).await && bed.has(&new).await);
}

#[tokio::test]
async fn a_push_that_first_asks_brings_what_was_collected() {
    let bed = Bed::new();
    let layer = bed.push_blob("a", b"layer").await;
    assert_eq!(bed.collect().await.collected.removed, 1);
    // This process remembers that it was there. A client asks, hears that it is not, and sends it.
    assert!(bed.store.promise_blob(&name("a"), &layer).await.is_err());
    bed.push_blob("a", b"layer").await;
    assert!(bed.has(&layer).await, "what was remembered is no reason not to write it");
    let manifest = bed.push_manifest("a", "v1", &layer, &[]).await;
    bed.store.delete_manifest(&name("a"), &manifest).await.unwrap();
    bed.clock.advance(DAY);
    assert_eq!(bed.collect().await.collected.removed, 2);
    assert!(bed.store.promise_manifest(&name("a"), &manifest).await.is_err());
    bed.push_blob("a", b"layer").await;
    bed.push_manifest("a", "v1", &layer, &[]).await;
    assert!(bed.has(&layer).await && bed.has(&manifest).await, "and so with a manifest");
}
