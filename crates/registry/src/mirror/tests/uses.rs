//! Who only looks, and what is used all the time.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_for_whoever_only_looks_at_a_blob() {
    let Caches { hub, cache, _spool } = caches(|settings| {
        let (limits, long) = (&mut settings.upstreams[0].limits, Duration::from_secs(3600));
        (limits.check, limits.absent) = (long, long);
    })
    .await;
    let (app, one) = (name("hub/team/app"), image("one", None));
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    let ((digest, whole), unknown) = (one.blobs[1].clone(), Digest::sha256(b"unknown"));
    hub.faults.asked("");
    for _ in 0..3 {
        assert_eq!(cache.remote().blob_size(&app, &digest).await.unwrap(), Some(whole.len() as u64));
        assert_eq!(cache.remote().blob_size(&app, &unknown).await.unwrap(), None);
    }
    let looks = [&digest, &unknown].map(|digest| format!("HEAD /v2/team/app/blobs/{digest}"));
    assert_eq!(hub.faults.asked(""), looks, "each is asked for once");
    assert!(cache.store.find_blob(&app, &digest).await.is_err());
    assert_eq!(pull_blob(&cache, "hub/team/app", &digest).await, Some(whole));
    assert_eq!(hub.faults.asked(""), [format!("GET /v2/team/app/blobs/{digest}")], "how large it is was known");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_all_the_time_stays_also_with_a_lifetime_of_minutes() {
    let hub = Server::start(Wanted::default()).await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    let clock = Arc::new(jeroboam_model::ManualClock::at("2026-11-22T00:00:00Z".parse().unwrap()));
    let blobs = Arc::new(jeroboam_blobs::Memory::new(clock.clone()));
    let cache = Server::at("127.0.0.1:0".parse().unwrap(), blobs, Wanted::default()).await;
    let spool = tempfile::tempdir().unwrap();
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let with_lifetime = UpstreamSettings { lifetime: Some(minutes(30)), ..upstream(Some("hub"), hub.settings()) };
    let settings = MirrorSettings { spool: spool.path().to_owned(), upstreams: vec![with_lifetime] };
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let mirror = Mirror::start(settings, cache.store.clone(), clock.clone(), &tasks, &cancel).unwrap();
    let place = mirror.place(&name("hub/team/app"), None).unwrap();
    let by_digest = Reference::Digest(one.manifest.digest.clone());
    for _ in 0..12 {
        assert_eq!(mirror.prepare_manifest(&place, &by_digest).await.unwrap(), Prepared::Here);
        clock.advance(minutes(10));
    }
    let shared = mirror.shared.clone().unwrap();
    assert_eq!(shared.expire().await.unwrap(), 0);
    clock.advance(minutes(30));
    assert_eq!(shared.expire().await.unwrap(), 1);
    cancel.cancel();
}
