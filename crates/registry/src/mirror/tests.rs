mod uses;

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use http::StatusCode;

use super::*;
use crate::bed::{Image, Server, Wanted, by_tag, image, index, name, pull_blob, push, serves, tag, until};
use crate::client::{PutCondition, Remote, RemoteSettings, Trouble};

fn upstream(prefix: Option<&str>, remote: RemoteSettings) -> UpstreamSettings {
    let limits = UpstreamLimits::default();
    UpstreamSettings { prefix: prefix.map(name), host: None, remote, lifetime: None, anonymous: true, limits }
}

struct Caches {
    hub: Server,
    cache: Server,
    _spool: tempfile::TempDir,
}

async fn caches(change: impl FnOnce(&mut MirrorSettings)) -> Caches {
    let hub = Server::start(Wanted::default()).await;
    let spool = tempfile::tempdir().unwrap();
    let soon = Duration::from_millis(200);
    let mut upstream = upstream(Some("hub"), hub.settings());
    (upstream.limits.check, upstream.limits.absent) = (soon, soon);
    let mut settings = MirrorSettings { spool: spool.path().to_owned(), upstreams: vec![upstream] };
    change(&mut settings);
    let cache = Server::start(Wanted { mirror: Some(settings), ..Wanted::default() }).await;
    Caches { hub, cache, _spool: spool }
}

async fn is_kept(server: &Server, repository: &str, image: &Image) {
    until("all blobs are in the store", || async {
        for (digest, _) in &image.blobs {
            if server.store.find_blob(&name(repository), digest).await.is_err() {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_fetched_once_and_given_while_the_other_is_away() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let (one, two) = (image("one", None), image("two", None));
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    let all = index(&[&one.manifest]);
    hub.remote().put_manifest(&name("team/app"), Some(&tag("all")), &all, &PutCondition::Always, None).await.unwrap();
    hub.faults.asked("");
    assert!(serves(&cache, "hub/team/app", "v1", &one).await);
    is_kept(&cache, "hub/team/app", &one).await;
    assert_eq!(hub.faults.asked("GET").iter().filter(|line| line.contains("/blobs/")).count(), 3, "each blob once");
    assert_eq!(cache.remote().manifest(&name("hub/team/app"), &by_tag("all")).await.unwrap(), Some(all));
    assert!(serves(&cache, "hub/team/app", "v1", &one).await);
    assert_eq!(
        hub.faults.asked("GET"),
        ["GET /v2/team/app/manifests/".to_owned() + &index(&[&one.manifest]).digest.to_string()]
    );

    // The tag moves, and is looked for when the last answer is old.
    push(&hub, "team/app", Some("v1"), &two).await.unwrap();
    until("the tag moves here, too", || async { serves(&cache, "hub/team/app", "v1", &two).await }).await;
    is_kept(&cache, "hub/team/app", &two).await;

    hub.kill().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(serves(&cache, "hub/team/app", "v1", &two).await, "the tag is old, and better than nothing");
    let by_digest = Reference::Digest(one.manifest.digest.clone());
    assert_eq!(cache.remote().manifest(&name("hub/team/app"), &by_digest).await.unwrap(), Some(one.manifest.clone()));
    let unknown = cache.remote().manifest(&name("hub/team/app"), &by_tag("v9")).await.unwrap_err();
    assert!(unknown.to_string().contains("503"), "nobody knows whether it is there: {unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_at_the_same_time_reads_along() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    hub.faults.asked("");
    let (digest, bytes) = one.blobs[1].clone();
    let pulls = join_all((0..20).map(|_| pull_blob(&cache, "hub/team/app", &digest))).await;
    assert!(pulls.iter().all(|pulled| pulled.as_ref() == Some(&bytes)));
    assert_eq!(hub.faults.asked("GET").len(), 1);
    let tags = join_all((0..20).map(|_| async { serves(&cache, "hub/team/app", "v1", &one).await })).await;
    assert!(tags.into_iter().all(|serves| serves));
    assert_eq!(hub.faults.asked("HEAD /v2/team/app/manifests/v1").len(), 1);

    // A range of what is still on its way.
    let two = image("two", None);
    push(&hub, "team/app", Some("v2"), &two).await.unwrap();
    let (digest, bytes) = two.blobs[1].clone();
    let part = cache.remote().blob(&name("hub/team/app"), &digest, bytes.len() as u64, 1000).await.unwrap().unwrap();
    let part: Vec<bytes::Bytes> = part.map(Result::unwrap).collect().await;
    assert_eq!(part.concat(), bytes[1000..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_blobs_than_there_is_room_for_wait_for_it() {
    let Caches { hub, cache, _spool } = caches(|settings| {
        let upstream = &mut settings.upstreams[0];
        upstream.remote.rate = Some(600_000);
        (upstream.limits.fetches, upstream.limits.patience) = (1, Duration::from_secs(60));
    })
    .await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    let pulls = join_all(one.blobs.iter().map(|(digest, _)| pull_blob(&cache, "hub/team/app", digest))).await;
    for ((digest, bytes), pulled) in one.blobs.iter().zip(pulls) {
        assert_eq!(pulled.as_ref(), Some(bytes), "{digest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_busy_keeps_clients_waiting_for_a_short_time_and_no_other_upstream() {
    let (hub, quay) = (Server::start(Wanted::default()).await, Server::start(Wanted::default()).await);
    let spool = tempfile::tempdir().unwrap();
    let limits = UpstreamLimits { fetches: 1, patience: Duration::from_millis(200), ..UpstreamLimits::default() };
    let upstreams = ["hub", "quay"].into_iter().zip([hub.settings(), quay.settings()]);
    let upstreams = upstreams.map(|(prefix, remote)| UpstreamSettings { limits, ..upstream(Some(prefix), remote) });
    let settings = MirrorSettings { spool: spool.path().to_owned(), upstreams: upstreams.collect() };
    let cache = Server::start(Wanted { mirror: Some(settings), ..Wanted::default() }).await;
    let one = image("one", None);
    for server in [&hub, &quay] {
        push(server, "app", Some("v1"), &one).await.unwrap();
    }
    let get = async |upstream: &str, blob: usize| {
        let url = format!("http://{}/v2/{upstream}/app/blobs/{}", cache.address, one.blobs[blob].0);
        reqwest::get(url).await.unwrap()
    };
    // The first one has the room for as long as its bytes are held back.
    let line = format!("GET /v2/app/blobs/{}", one.blobs[1].0);
    let held = hub.faults.hold(&line);
    let others = async {
        until("the first one is on its way", || async { !hub.faults.asked(&line).is_empty() }).await;
        let begun = std::time::Instant::now();
        let second = get("hub", 2).await;
        assert_eq!((second.status().as_u16(), second.headers().contains_key("retry-after")), (503, true));
        assert!(begun.elapsed() >= limits.patience, "it waits for its turn first");
        assert_eq!(get("quay", 2).await.status().as_u16(), 200);
        drop(held);
    };
    let (first, ()) = tokio::join!(get("hub", 1), others);
    assert_eq!(first.bytes().await.unwrap(), one.blobs[1].1);
    until("there is room again", || async { get("hub", 2).await.status().as_u16() == 200 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_upstream_is_believed_for_a_time_of_its_own() {
    let hub = Server::start(Wanted::default()).await;
    let spool = tempfile::tempdir().unwrap();
    let upstreams =
        [("often", Duration::from_millis(1)), ("seldom", Duration::from_secs(3600))].map(|(prefix, check)| {
            let limits = UpstreamLimits { check, ..UpstreamLimits::default() };
            UpstreamSettings { limits, ..upstream(Some(prefix), hub.settings()) }
        });
    let settings = MirrorSettings { spool: spool.path().to_owned(), upstreams: upstreams.into() };
    let cache = Server::start(Wanted { mirror: Some(settings), ..Wanted::default() }).await;
    let (one, two) = (image("one", None), image("two", None));
    push(&hub, "app", Some("v1"), &one).await.unwrap();
    for prefix in ["often", "seldom"] {
        assert!(serves(&cache, &format!("{prefix}/app"), "v1", &one).await);
    }
    push(&hub, "app", Some("v1"), &two).await.unwrap();
    assert!(serves(&cache, "often/app", "v1", &two).await);
    assert!(serves(&cache, "seldom/app", "v1", &one).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_cut_goes_on_and_the_client_notices_nothing() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    let (digest, bytes) = one.blobs[1].clone();
    hub.faults.cut(70_000);
    hub.faults.cut(90_000);
    hub.faults.sent();
    assert_eq!(pull_blob(&cache, "hub/team/app", &digest).await, Some(bytes.clone()));
    assert!(hub.faults.sent() < bytes.len() as u64 + 140_000, "what had come is not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_upstream_says_of_itself_is_told() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    // Longer than our clients of upstreams wait, so it is told to whoever asks.
    hub.faults.refuse("/manifests/", StatusCode::TOO_MANY_REQUESTS, "3");
    let impatient = RemoteSettings {
        retries: crate::client::Retries { attempts: 1, ..cache.settings().retries },
        ..cache.settings()
    };
    let impatient = Remote::new(impatient, Arc::new(jeroboam_model::SystemClock)).unwrap();
    hub.faults.asked("");
    for label in ["v1", "v1", "v2"] {
        let refused = impatient.manifest(&name("hub/team/app"), &by_tag(label)).await.unwrap_err();
        assert_eq!(refused.trouble(), Trouble::TooMany);
        let after = refused.retry_after().unwrap_or_default();
        assert!((Duration::from_secs(1)..=Duration::from_secs(3)).contains(&after), "{after:?}");
    }
    assert_eq!(hub.faults.asked("").len(), 1, "it is left alone for as long as it says");
    until("it is asked again", || async { impatient.manifest(&name("hub/team/app"), &by_tag("v1")).await.is_ok() })
        .await;
    assert!(serves(&cache, "hub/team/app", "v1", &one).await);

    hub.faults.asked("");
    for _ in 0..5 {
        assert_eq!(cache.remote().manifest(&name("hub/team/app"), &by_tag("v9")).await.unwrap(), None);
    }
    assert_eq!(hub.faults.asked("v9").len(), 1, "that it is not there is believed for a while");
    push(&hub, "team/app", Some("v9"), &one).await.unwrap();
    until("it is looked for again", || async { serves(&cache, "hub/team/app", "v9", &one).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_neither_kept_nor_given_whole() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    let (digest, bytes) = one.blobs[1].clone();
    let wrong = vec![b'?'; bytes.len()];
    let path = jeroboam_oci::layout::blob(&digest);
    hub.blobs.put(&path, wrong.into(), jeroboam_blobs::Condition::Always).await.unwrap();
    let remote = cache.remote();
    let body = remote.blob(&name("hub/team/app"), &digest, bytes.len() as u64, 0).await.unwrap().unwrap();
    let pieces: Vec<_> = body.collect().await;
    assert!(pieces.iter().any(Result::is_err));
    assert!(cache.store.find_blob(&name("hub/team/app"), &digest).await.is_err());
    // Once it is right again, so is the answer.
    hub.blobs.put(&path, bytes.clone(), jeroboam_blobs::Condition::Always).await.unwrap();
    assert_eq!(pull_blob(&cache, "hub/team/app", &digest).await, Some(bytes));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_takes_no_pushes_and_other_repositories_do() {
    let Caches { hub: _hub, cache, _spool } = caches(|_| {}).await;
    let one = image("one", None);
    let refused = push(&cache, "hub/team/app", Some("v1"), &one).await.unwrap_err();
    assert!(refused.to_string().contains("DENIED"), "{refused}");
    push(&cache, "team/app", Some("v1"), &one).await.unwrap();
    push(&cache, "hubs/app", Some("v1"), &one).await.unwrap();
    assert!(serves(&cache, "team/app", "v1", &one).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_is_chosen_by_the_host_that_a_runtime_names_too() {
    let Caches { hub, cache, _spool } =
        caches(|settings| settings.upstreams[0].host = Some("docker.io".to_owned())).await;
    let one = image("one", None);
    push(&hub, "library/alpine", Some("3"), &one).await.unwrap();
    let url = format!("http://{}/v2/library/alpine/manifests/3?ns=docker.io", cache.address);
    let answer = reqwest::get(&url).await.unwrap();
    assert_eq!(answer.headers()["oci-namespace"], "docker.io");
    assert_eq!((answer.status().as_u16(), answer.bytes().await.unwrap()), (200, one.manifest.bytes.clone()));
    let other = reqwest::get(url.replace("docker.io", "quay.io")).await.unwrap();
    assert_eq!(other.status().as_u16(), 404);
    let by_name = reqwest::get(url.replace("/v2/", "/v2/hub/")).await.unwrap();
    assert_eq!((by_name.status().as_u16(), by_name.headers().get("oci-namespace")), (200, None));
    assert!(serves(&cache, "hub/library/alpine", "3", &one).await, "it is the same as below the name here");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_had_with_a_password_is_for_those_who_logged_in() {
    let Caches { hub, cache, _spool } = caches(|settings| settings.upstreams[0].anonymous = false).await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    let refused = cache.remote().manifest(&name("hub/team/app"), &by_tag("v1")).await.unwrap_err();
    assert_eq!(refused.trouble(), Trouble::Refused);
    let refused = cache.remote().tags(&name("hub/team/app")).await.unwrap_err();
    assert_eq!(refused.trouble(), Trouble::Refused);
    let refused = cache.remote().referrers(&name("hub/team/app"), &one.manifest.digest).await.unwrap_err();
    assert_eq!(refused.trouble(), Trouble::Refused);
    let (digest, bytes) = &one.blobs[0];
    for (here, status) in [("hub/team/app", 202), ("other/app", 201)] {
        cache.store.put_small_blob(&name(here), digest, bytes.clone()).await.unwrap();
        let query = format!("mount={digest}&from={here}");
        let url = format!("http://{}/v2/mine/blobs/uploads/?{query}", cache.address);
        let begun = reqwest::Client::new().post(url).send().await.unwrap();
        assert_eq!(begun.status(), status, "nor by a mount: {query}");
    }
    let pages = crate::page::routes(&cache.registry, &crate::auth::Auth::open(), "");
    let peer = crate::auth::Peer { address: Some("127.0.0.1".parse().unwrap()), ..crate::auth::Peer::default() };
    let (address, _tasks) =
        crate::bed::listen("127.0.0.1:0".parse().unwrap(), pages.layer(axum::Extension(peer))).await;
    for (page, status) in [("hub/team/app", 403), ("hub/team/app:v1", 403), ("team/app", 404)] {
        assert_eq!(reqwest::get(format!("http://{address}/ui/{page}")).await.unwrap().status(), status, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_where_something_is_pushed_is_no_place_for_what_is_fetched() {
    let hub = Server::start(Wanted::default()).await;
    let by_host = |prefix| UpstreamSettings { host: Some("docker.io".to_owned()), ..upstream(prefix, hub.settings()) };
    for (upstreams, is_fine) in [
        (vec![by_host(None)], false),
        (vec![by_host(Some("hub"))], true),
        (vec![upstream(Some("hub"), hub.settings()), upstream(Some("hub/b"), hub.settings())], false),
        (vec![upstream(Some("hub"), hub.settings()), upstream(Some("hub"), hub.settings())], false),
        (vec![upstream(Some("hub"), hub.settings()), upstream(Some("hubs"), hub.settings())], true),
        (vec![upstream(Some("hub"), hub.settings()), upstream(None, hub.settings())], true),
    ] {
        let settings = MirrorSettings { spool: "/nowhere".into(), upstreams };
        assert_eq!(settings.check().is_ok(), is_fine, "{settings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_hangs_is_not_waited_for_again_and_again() {
    let Caches { hub, cache, _spool } = caches(|settings| {
        let limits = &mut settings.upstreams[0].limits;
        (limits.check, limits.patience) = (Duration::from_millis(1), Duration::from_millis(300));
        let retries = crate::client::Retries { attempts: 1, ..settings.upstreams[0].remote.retries };
        let remote = &mut settings.upstreams[0].remote;
        (remote.retries, remote.read_timeout) = (retries, Duration::from_secs(1));
    })
    .await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    assert!(serves(&cache, "hub/team/app", "v1", &one).await);
    let (address, _) = hub.kill().await;
    // Somebody takes connections there, and says nothing.
    let _silent = tokio::net::TcpListener::bind(address).await.unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..10 {
        assert!(serves(&cache, "hub/team/app", "v1", &one).await, "what is here is given");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let one_try = crate::client::Retries { attempts: 1, ..cache.settings().retries };
    let begun = std::time::Instant::now();
    let asked = join_all((0..20).map(|_| async {
        let settings = RemoteSettings { retries: one_try, ..cache.settings() };
        let remote = Remote::new(settings, Arc::new(jeroboam_model::SystemClock)).unwrap();
        remote.manifest(&name("hub/team/app"), &by_tag("v9")).await.unwrap_err().to_string()
    }));
    let asked = asked.await;
    assert!(asked.iter().all(|error| error.contains("503")), "{asked:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}: they wait together", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_gets_nothing_given_that_it_only_claims_to_have() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let secret = image("secret", None);
    push(&cache, "team/secret", Some("v1"), &secret).await.unwrap();
    let (digest, bytes) = secret.blobs[1].clone();
    // It says that it has the blob, and has other bytes.
    push(&hub, "team/app", Some("v1"), &secret).await.unwrap();
    let wrong = vec![b'?'; bytes.len()];
    let path = jeroboam_oci::layout::blob(&digest);
    hub.blobs.put(&path, wrong.into(), jeroboam_blobs::Condition::Always).await.unwrap();
    let body = cache.remote().blob(&name("hub/team/app"), &digest, bytes.len() as u64, 0).await.unwrap().unwrap();
    let pieces: Vec<_> = body.collect().await;
    assert!(pieces.iter().any(Result::is_err), "the bytes of team/secret are not given");
    assert!(cache.store.find_blob(&name("hub/team/app"), &digest).await.is_err());
    assert!(serves(&cache, "team/secret", "v1", &secret).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pushed_is_never_let_go_of() {
    let hub = Server::start(Wanted::default()).await;
    let (pushed, fetched) = (image("pushed", None), image("fetched", None));
    push(&hub, "team/app", Some("v2"), &fetched).await.unwrap();
    push(&hub, "team/app", Some("v1"), &pushed).await.unwrap();
    let clock = Arc::new(jeroboam_model::ManualClock::at("2026-11-22T00:00:00Z".parse().unwrap()));
    let blobs = Arc::new(jeroboam_blobs::Memory::new(clock.clone()));
    let cache = Server::at("127.0.0.1:0".parse().unwrap(), blobs, Wanted::default()).await;
    // The store was filled by pushes before it became a cache of everything.
    push(&cache, "team/app", Some("v1"), &pushed).await.unwrap();
    push(&cache, "other/app", Some("v1"), &pushed).await.unwrap();
    let spool = tempfile::tempdir().unwrap();
    let week = Duration::from_secs(7 * 24 * 3600);
    let everything = UpstreamSettings { lifetime: Some(week), ..upstream(None, hub.settings()) };
    let settings = MirrorSettings { spool: spool.path().to_owned(), upstreams: vec![everything] };
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let mirror = Mirror::start(settings, cache.store.clone(), clock.clone(), &tasks, &cancel).unwrap();
    let place = mirror.place(&name("team/app"), None).unwrap();
    for reference in [by_tag("v1"), by_tag("v2"), Reference::Digest(pushed.manifest.digest.clone())] {
        assert_eq!(mirror.prepare_manifest(&place, &reference).await.unwrap(), Prepared::Here);
    }
    clock.advance(3 * week);
    // A damaged one does not keep the others.
    let damaged = image("damaged", None);
    push(&hub, "bad/app", Some("v1"), &damaged).await.unwrap();
    let bad = mirror.place(&name("bad/app"), None).unwrap();
    mirror.prepare_manifest(&bad, &by_tag("v1")).await.unwrap();
    let path = jeroboam_oci::layout::blob(&damaged.manifest.digest);
    cache.blobs.put(&path, "{}".into(), jeroboam_blobs::Condition::Always).await.unwrap();
    clock.advance(3 * week);
    let fresh = Server::at("127.0.0.1:0".parse().unwrap(), cache.blobs.clone(), Wanted::default()).await;
    let settings = mirror.shared.clone().unwrap().settings.clone();
    let mirror = Mirror::start(settings, fresh.store.clone(), clock.clone(), &tasks, &cancel).unwrap();
    assert_eq!(mirror.shared.clone().unwrap().expire().await.unwrap(), 2);
    for (repository, label, stays) in
        [("team/app", "v1", true), ("other/app", "v1", true), ("team/app", "v2", false), ("bad/app", "v1", false)]
    {
        let found = fresh.store.tag_target(&name(repository), &tag(label)).await.unwrap();
        assert_eq!(found.is_some(), stays, "{repository}:{label}");
    }
    assert!(serves(&fresh, "team/app", "v1", &pushed).await, "with all its blobs");
    cancel.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_asks_for_any_more_is_let_go_of() {
    let hub = Server::start(Wanted::default()).await;
    let (one, two) = (image("one", None), image("two", None));
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    push(&hub, "team/app", Some("v2"), &two).await.unwrap();
    let clock = Arc::new(jeroboam_model::ManualClock::at("2026-11-22T00:00:00Z".parse().unwrap()));
    let blobs = Arc::new(jeroboam_blobs::Memory::new(clock.clone()));
    let cache = Server::at("127.0.0.1:0".parse().unwrap(), blobs, Wanted::default()).await;
    let spool = tempfile::tempdir().unwrap();
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    let with_lifetime = UpstreamSettings { lifetime: Some(days(7)), ..upstream(Some("hub"), hub.settings()) };
    let settings = MirrorSettings { spool: spool.path().to_owned(), upstreams: vec![with_lifetime] };
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let mirror = Mirror::start(settings, cache.store.clone(), clock.clone(), &tasks, &cancel).unwrap();
    let place = mirror.place(&name("hub/team/app"), None).unwrap();
    for (label, image) in [("v1", &one), ("v2", &two)] {
        mirror.prepare_manifest(&place, &by_tag(label)).await.unwrap();
        for (digest, _) in &image.blobs {
            mirror.prepare_blob(&place, digest).await.unwrap();
        }
        is_kept(&cache, "hub/team/app", image).await;
        clock.advance(days(4));
    }
    let shared = mirror.shared.clone().unwrap();
    assert_eq!(shared.expire().await.unwrap(), 1);
    let gone = cache.store.find_manifest(&name("hub/team/app"), &by_tag("v1")).await;
    assert!(matches!(gone, Err(StoreError::ManifestUnknown(_))), "{gone:?}");
    assert!(cache.store.find_blob(&name("hub/team/app"), &one.blobs[1].0).await.is_err());
    is_kept(&cache, "hub/team/app", &two).await;
    assert!(cache.store.find_manifest(&name("hub/team/app"), &by_tag("v2")).await.is_ok());
    cancel.cancel();
}

fn digests(found: &[jeroboam_oci::manifest::Descriptor]) -> Vec<Digest> {
    found.iter().map(|descriptor| descriptor.digest.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_those_of_the_upstream_and_what_is_known_of_them_while_it_is_away() {
    let Caches { hub, cache, _spool } = caches(|settings| {
        settings.upstreams[0].limits.check = Duration::from_secs(3600);
    })
    .await;
    let (app, one) = (name("hub/team/app"), image("one", None));
    let (signature, other) = (image("signature", Some(&one.manifest)), image("other", Some(&one.manifest)));
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    push(&hub, "team/app", None, &signature).await.unwrap();
    hub.faults.asked("");
    for _ in 0..3 {
        // Nothing of it was pulled yet.
        assert_eq!(cache.remote().tags(&app).await.unwrap(), Some(vec![tag("v1")]));
        let found = cache.remote().referrers(&app, &one.manifest.digest).await.unwrap();
        assert_eq!(digests(&found), std::slice::from_ref(&signature.manifest.digest));
    }
    assert_eq!((hub.faults.asked("/tags/list").len(), hub.faults.asked("/referrers/").len()), (1, 1));
    assert_eq!(cache.remote().tags(&name("hub/team/none")).await.unwrap(), None, "it has no such repository");

    // The tag comes into the store of the cache, and the signature does not.
    assert!(serves(&cache, "hub/team/app", "v1", &one).await);
    let (address, blobs) = hub.kill().await;
    assert_eq!(cache.remote().tags(&app).await.unwrap(), Some(vec![tag("v1")]), "the last answer is believed");
    let settings = cache.registry.mirror().shared.clone().unwrap().settings.clone();
    let (cold, kept) = (Wanted { mirror: Some(settings), ..Wanted::default() }, cache.blobs.clone());
    let cold = Server::at("127.0.0.1:0".parse().unwrap(), kept, cold).await;
    assert_eq!(cold.remote().tags(&app).await.unwrap(), Some(vec![tag("v1")]), "what is here is better than nothing");
    for error in [
        cold.remote().referrers(&app, &one.manifest.digest).await.unwrap_err(),
        cold.remote().tags(&name("hub/team/unknown")).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("503"), "nobody knows whether there is anything: {error}");
    }

    // When it is back it is asked again, once the moment is over for which it is left alone.
    let hub = Server::at(address, blobs, Wanted::default()).await;
    push(&hub, "team/app", Some("v2"), &one).await.unwrap();
    push(&hub, "team/app", None, &other).await.unwrap();
    let all = Some(vec![tag("v1"), tag("v2")]);
    let mut both = [signature, other].map(|image| image.manifest.digest);
    both.sort();
    until("its lists are told", || async {
        let found = cold.remote().referrers(&app, &one.manifest.digest).await;
        cold.remote().tags(&app).await.unwrap() == all && found.is_ok_and(|found| digests(&found) == both)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_the_upstream_has_no_more_is_not_listed() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let (app, one) = (name("hub/team/app"), image("one", None));
    for label in ["v1", "v2"] {
        push(&hub, "team/app", Some(label), &one).await.unwrap();
        assert!(serves(&cache, "hub/team/app", label, &one).await);
    }
    hub.remote().delete_manifest(&name("team/app"), &by_tag("v2"), None, None).await.unwrap();
    until("it is not listed", || async { cache.remote().tags(&app).await.unwrap() == Some(vec![tag("v1")]) }).await;
    assert!(cache.store.tag_target(&app, &tag("v2")).await.unwrap().is_some(), "although it is in the store");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_takes_its_time_comes_although_nobody_waits_for_it() {
    let Caches { hub, cache, _spool } = caches(|settings| {
        let limits = &mut settings.upstreams[0].limits;
        (limits.check, limits.patience) = (Duration::from_millis(1), Duration::from_millis(200));
    })
    .await;
    let (app, one) = (name("hub/team/app"), image("one", None));
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    assert_eq!(cache.remote().tags(&app).await.unwrap(), Some(vec![tag("v1")]));
    push(&hub, "team/app", Some("v2"), &one).await.unwrap();
    let held = hub.faults.hold("GET /v2/team/app/tags/list");
    // Whoever asks once more gets no answer, so that only the question before can bring the new list.
    let _never = hub.faults.hold("GET /v2/team/app/tags/list");
    assert_eq!(cache.remote().tags(&app).await.unwrap(), Some(vec![tag("v1")]), "the last one is given meanwhile");
    drop(held);
    let all = Some(vec![tag("v1"), tag("v2")]);
    until("the new one is told", || async { cache.remote().tags(&app).await.unwrap() == all }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_read_is_told_so_and_not_that_there_is_nothing() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    hub.faults.refuse("/referrers/", StatusCode::FORBIDDEN, "");
    let refused = cache.remote().referrers(&name("hub/team/app"), &one.manifest.digest).await.unwrap_err();
    assert_eq!(refused.trouble(), Trouble::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_may_not_be_listed_are_those_that_are_here() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let (app, one) = (name("hub/team/app"), image("one", None));
    for label in ["v1", "v2"] {
        push(&hub, "team/app", Some(label), &one).await.unwrap();
        hub.faults.refuse("/tags/list", StatusCode::FORBIDDEN, "");
    }
    assert_eq!(cache.remote().tags(&app).await.unwrap_err().trouble(), Trouble::Refused, "nothing is here");
    assert!(serves(&cache, "hub/team/app", "v1", &one).await);
    assert_eq!(cache.remote().tags(&app).await.unwrap(), Some(vec![tag("v1")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_here_and_what_is_fetched_is_counted() {
    let Caches { hub, cache, _spool } = caches(|_| {}).await;
    let one = image("one", None);
    push(&hub, "team/app", Some("v1"), &one).await.unwrap();
    let mirror = cache.registry.mirror().clone();
    let counts = |kind: &'static str| {
        let counts = mirror.counts().into_iter().find(|counts| counts.kind == kind).unwrap();
        (counts.prefix, counts.hits, counts.misses)
    };
    let pull = async || cache.remote().manifest(&name("hub/team/app"), &by_tag("v1")).await.unwrap().unwrap();
    pull().await;
    assert_eq!(counts("manifest"), ("hub".to_owned(), 0, 1));
    pull().await;
    assert_eq!(counts("manifest"), ("hub".to_owned(), 1, 1));
    pull_blob(&cache, "hub/team/app", &one.blobs[1].0).await.unwrap();
    assert_eq!(counts("blob"), ("hub".to_owned(), 0, 1), "who asked for its head before had nothing fetched");
    pull_blob(&cache, "hub/team/app", &one.blobs[1].0).await.unwrap();
    assert_eq!(counts("blob"), ("hub".to_owned(), 2, 1), "for its head and its bytes two requests are made");
    let unknown = cache.remote().manifest(&name("hub/team/app"), &by_tag("v9")).await.unwrap();
    assert_eq!((unknown, counts("manifest")), (None, ("hub".to_owned(), 1, 1)), "what nobody has is neither");
}
