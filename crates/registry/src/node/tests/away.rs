//! What is on a node while the store is away.

use super::*;

#[tokio::test]
async fn what_is_on_a_node_without_pushes_is_found_by_a_look_also_while_the_store_is_away() {
    let (bed, app, one) = (Bed::new(), name("team/app"), image("one", None));
    let local = Local::new(registry(bed.place.clone(), None).store().clone());
    for (digest, bytes) in &one.blobs {
        local.store().put_small_blob(&app, digest, bytes.clone()).await.expect("it is pushed");
    }
    local.put_manifest(&app, None, &one.manifest, &PutCondition::Always, None).await.expect("it is pushed");
    let paths = [format!("/v2/{app}/manifests/{}", one.manifest.digest), format!("/v2/{app}/blobs/{}", one.blobs[1].0)];
    let cache: SharedBlobs = Arc::new(bed.cache(10 << 20).await);
    let before = registry(cache.clone(), None);
    for path in &paths {
        assert_eq!(answer(&before, Method::GET, path).await, StatusCode::OK, "{path}");
    }
    bed.place.away.store(true, Ordering::Relaxed);
    // Whoever may push does not push what is found, and nobody can promise that it stays.
    for (takes_no_pushes, found) in [(Some("push elsewhere"), StatusCode::OK), (None, StatusCode::SERVICE_UNAVAILABLE)]
    {
        let node = registry(cache.clone(), takes_no_pushes);
        for path in &paths {
            assert_eq!(answer(&node, Method::GET, path).await, StatusCode::OK, "{path}");
            assert_eq!(answer(&node, Method::HEAD, path).await, found, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_has_of_another_registry_is_given_while_the_store_is_away() {
    let (bed, app, one) = (Bed::new(), name("hub/team/app"), image("one", None));
    let hub = Server::start(Wanted::default()).await;
    push(&hub, "team/app", Some("v1"), &one).await.expect("it is pushed");
    let (remote, limits) = (hub.settings(), UpstreamLimits::default());
    let upstream =
        UpstreamSettings { prefix: Some(name("hub")), host: None, remote, lifetime: None, anonymous: true, limits };
    let mirror = MirrorSettings { upstreams: vec![upstream], spool: bed.folder.path().join("spool") };
    let by_digest = Reference::Digest(one.manifest.digest.clone());
    // It is fetched, then read from the store and kept, and then it is on the node alone.
    for is_away in [false, false, true] {
        bed.place.away.store(is_away, Ordering::Relaxed);
        let cache: SharedBlobs = Arc::new(bed.cache(10 << 20).await);
        let wanted = Wanted { mirror: Some(mirror.clone()), ..Wanted::default() };
        let node = Server::at("127.0.0.1:0".parse().expect("an address"), cache, wanted).await;
        assert!(serves(&node, app.as_str(), "v1", &one).await, "away: {is_away}");
        let found = node.remote().head_manifest(&app, &by_digest).await.expect("it answers");
        assert!(found.is_some(), "away: {is_away}");
        until("all blobs are in the store", || async {
            for (digest, _) in &one.blobs {
                if node.store.find_blob(&app, digest).await.is_err() {
                    return false;
                }
            }
            true
        })
        .await;
        node.kill().await;
    }
}
