//! What goes wrong between us and Swift, and how many requests it takes when nothing does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::Method;
use jeroboam_blobs::swift::LargeObject;
use jeroboam_blobs::{Blobs as _, Condition, Freshness, Kind, List, Listed, Sweep, Swift, Written};
use jeroboam_model::{ManualClock, SystemClock, Timestamp};
use jeroboam_openstack::object_store::Newest;

use crate::checks::{bytes, read, write};
use crate::places::Place;
use crate::pretended::{Fault, Quirks, Rule, Seen};

async fn place() -> (Place, Swift) {
    with(Quirks::default()).await
}

async fn with(quirks: Quirks) -> (Place, Swift) {
    let place = Place::pretended(quirks).await;
    let swift = place.open();
    swift.probe().await.unwrap();
    place.faults().seen();
    (place, swift)
}

fn methods(place: &Place) -> Vec<String> {
    place
        .faults()
        .seen()
        .into_iter()
        .map(|seen| format!("{} {}", seen.method, seen.path.split_once('/').map_or("", |(_, rest)| rest)))
        .collect()
}

#[tokio::test]
async fn every_call_takes_as_few_requests_as_it_can() {
    let (place, swift) = place().await;
    swift.put("a", Bytes::from_static(b"x"), Condition::Absent).await.unwrap();
    assert_eq!(methods(&place), ["PUT files/a"]);
    swift.head("a", Freshness::Newest).await.unwrap();
    assert_eq!(methods(&place), ["HEAD files/a"]);
    swift.read("a", None, Freshness::Any).await.unwrap();
    assert_eq!(methods(&place), ["GET files/a"]);
    swift.list(List { prefix: "", after: None, folders: true, limit: 1000 }).await.unwrap();
    assert_eq!(methods(&place), ["GET "]);
    // What was just written is known to be plain.
    swift.delete(&["a".into()]).await.unwrap();
    assert_eq!(methods(&place), ["DELETE files/a"]);
    for size in [1000, 3_000_000] {
        write(&swift, "b", Some(size), &bytes(size as usize, 1)).await;
        assert_eq!(methods(&place), ["PUT files/b"], "{size}");
    }
    // A short upload whose length nobody told is a plain object as well.
    write(&swift, "c", None, &bytes(1000, 1)).await;
    assert_eq!(methods(&place), ["PUT files/c"]);
    let mut upload = swift.upload("up", None).await.unwrap();
    upload.write(bytes(1000, 2)).await.unwrap();
    let state = upload.save().await.unwrap();
    upload = swift.upload("up", Some(state)).await.unwrap();
    upload.commit("d").await.unwrap();
    assert_eq!(methods(&place), ["PUT files/d"]);
    // A large one: its segments, the note at the first, the manifest, a look at it.
    let mut upload = swift.upload("up", None).await.unwrap();
    upload.write(bytes(4_000_000, 3)).await.unwrap();
    upload.save().await.unwrap();
    upload.commit("e").await.unwrap();
    let seen = methods(&place);
    let of =
        |method: &str, part: &str| seen.iter().filter(|line| line.starts_with(method) && line.contains(part)).count();
    assert_eq!(
        (of("PUT", "segments/"), of("POST", "segments/"), of("PUT", "files/e"), of("HEAD", "files/e")),
        (3, 1, 1, 1),
        "{seen:?}"
    );
    assert_eq!(seen.len(), 6, "{seen:?}");
    swift.delete(&["b".into(), "c".into(), "d".into(), "e".into()]).await.unwrap();
    let seen = methods(&place);
    // One bulk removal of what is plain; of the large one a look, its manifest, a look, its segments listed and removed.
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[tokio::test]
async fn passing_trouble_is_waited_out() {
    let (place, swift) = place().await;
    swift.put("there", Bytes::from_static(b"there"), Condition::Always).await.unwrap();
    let faults = [
        Fault::Status(503, None),
        Fault::Status(500, None),
        Fault::Status(429, Some(0)),
        Fault::Status(498, Some(0)),
        Fault::Status(504, None),
        Fault::CutRequest(0),
        Fault::LostAnswer,
    ];
    for fault in faults {
        for (method, name) in [
            (Method::PUT, "files/new"),
            (Method::HEAD, "files/there"),
            (Method::GET, "files/there"),
            (Method::GET, "jeroboam-"),
            (Method::DELETE, "files/new"),
        ] {
            place.faults().fails(Rule { times: 3, ..Rule::once(method, name, fault) });
        }
        swift.put("new", Bytes::from_static(b"new"), Condition::Always).await.unwrap();
        assert!(swift.head("there", Freshness::Any).await.unwrap().is_some());
        assert_eq!(read(&swift, "there").await.unwrap(), "there");
        let page = swift.list(List { prefix: "", after: None, folders: false, limit: 10 }).await.unwrap();
        assert_eq!(page.items.len(), 2);
        swift.delete(&["new".into()]).await.unwrap();
        assert_eq!(place.faults().faults_left(), 0, "{fault:?}");
        assert_eq!(place.faults().names().iter().filter(|name| name.contains("new")).count(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn trouble_that_stays_says_when_to_come_again() {
    let (place, swift) = place().await;
    place.faults().fails(Rule { times: 100, ..Rule::once(Method::GET, "files/x", Fault::Status(503, Some(7))) });
    let error = swift.read("x", None, Freshness::Any).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (Kind::Unavailable, Some(Duration::from_secs(7))));
    assert_eq!(error.to_string(), "read x from swift");
    place.faults().faults_left();
    for (code, kind) in [(413, Kind::NoRoom), (507, Kind::NoRoom), (403, Kind::Refused), (404, Kind::Refused)] {
        place.faults().fails(Rule::once(Method::PUT, "files/x", Fault::Status(code, None)));
        let error = swift.put("x", Bytes::from_static(b"x"), Condition::Always).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
    }
}

/// A store that takes connections and answers nothing.
#[tokio::test]
async fn a_store_that_hangs_is_not_waited_for_again_and_again() {
    let (place, swift) = with(Quirks::default()).await;
    drop(swift);
    let swift = place.open_with(|config| {
        config.limits.answer = Duration::from_millis(300);
        config.limits.rest = Duration::from_secs(1);
    });
    swift.probe().await.unwrap();
    place.faults().seen();
    place
        .faults()
        .fails(Rule { times: 1000, ..Rule::once(Method::HEAD, "files/", Fault::Slow(Duration::from_secs(60))) });
    let first = futures::future::join_all((0..30).map(|_| swift.head("a", Freshness::Any))).await;
    assert!(first.iter().all(|outcome| outcome.as_ref().unwrap_err().kind() == Kind::Unavailable));
    // Now nobody is sent, and everybody is told when to come again.
    let asked = place.faults().seen().len();
    for _ in 0..30 {
        let error = swift.head("a", Freshness::Any).await.unwrap_err();
        assert!(error.kind() == Kind::Unavailable && error.retry_after().is_some());
    }
    assert_eq!((asked, place.faults().seen().len()), (30, 0), "one attempt of each, then none");
    // It is well again, which is found out by the next who asks.
    place.faults().faults_left();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..30 {
        assert!(swift.head("a", Freshness::Any).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_token_that_ends_is_replaced_and_the_body_sent_again() {
    let (place, swift) = place().await;
    for size in [1000, 3_000_000] {
        place.faults().revoke();
        write(&swift, "a", Some(size), &bytes(size as usize, 1)).await;
        assert!(read(&swift, "a").await.unwrap() == bytes(size as usize, 1));
    }
    place.faults().revoke();
    write(&swift, "b", None, &bytes(4_000_000, 2)).await;
    assert!(read(&swift, "b").await.unwrap() == bytes(4_000_000, 2));
    assert_eq!(place.faults().logins(), 4);
}

#[tokio::test]
async fn an_upload_that_is_reset_goes_on_while_it_is_short() {
    let (place, swift) = place().await;
    let content = bytes(3_900_000, 1);
    for fault in [Fault::CutRequest(1_000_000), Fault::CutRequest(0), Fault::Status(503, None), Fault::LostAnswer] {
        place.faults().fails(Rule::once(Method::PUT, "files/a", fault));
        write(&swift, "a", Some(3_900_000), &content).await;
        assert!(read(&swift, "a").await.unwrap() == content, "{fault:?}");
        assert_eq!(place.faults().faults_left(), 0);
        place.faults().fails(Rule::once(Method::PUT, "0000000000000002", fault));
        write(&swift, "b", None, &content).await;
        assert!(read(&swift, "b").await.unwrap() == content, "{fault:?}");
        assert_eq!(place.faults().faults_left(), 0);
    }
}

#[tokio::test]
async fn a_long_upload_that_is_reset_ends_cleanly() {
    let (place, swift) = place().await;
    swift.put("a", Bytes::from_static(b"old"), Condition::Always).await.unwrap();
    place.faults().fails(Rule::once(Method::PUT, "files/a", Fault::CutRequest(6_000_000)));
    let mut writer = swift.create("a", Some(9_000_000)).await.unwrap();
    let mut outcome = Ok(());
    for piece in bytes(9_000_000, 1).chunks(100_000) {
        outcome = writer.write(Bytes::copy_from_slice(piece)).await;
        if outcome.is_err() {
            break;
        }
    }
    let error = match outcome {
        Ok(()) => writer.commit().await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(read(&swift, "a").await.unwrap(), "old");
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on() {
    let (place, swift) = place().await;
    let content = bytes(2_000_000, 1);
    swift.put("a", content.clone(), Condition::Always).await.unwrap();
    for fault in [Fault::CutAnswer(1), Fault::CutAnswer(100_000), Fault::ShortAnswer(1000), Fault::ShortAnswer(0)] {
        place.faults().fails(Rule { times: 2, ..Rule::once(Method::GET, "files/a", fault) });
        let object = swift.read("a", Some(5..1_500_000), Freshness::Any).await.unwrap().unwrap();
        let parts: Vec<Bytes> = object.body.try_collect().await.unwrap();
        assert!(parts.concat() == content[5..1_500_000], "{fault:?}");
        assert_eq!(place.faults().faults_left(), 0, "{fault:?}");
    }
    // Always the same is the end of it, and never taken for the whole.
    place.faults().fails(Rule { times: 100, ..Rule::once(Method::GET, "files/a", Fault::CutAnswer(0)) });
    let object = swift.read("a", None, Freshness::Any).await.unwrap().unwrap();
    let error = object.body.try_collect::<Vec<Bytes>>().await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}

#[tokio::test]
async fn an_object_that_changes_while_it_is_read_is_noticed() {
    let (place, swift) = place().await;
    swift.put("a", bytes(2_000_000, 1), Condition::Always).await.unwrap();
    place.faults().fails(Rule::once(Method::GET, "files/a", Fault::CutAnswer(1000)));
    let object = swift.read("a", None, Freshness::Any).await.unwrap().unwrap();
    swift.put("a", bytes(2_000_000, 2), Condition::Always).await.unwrap();
    let error = object.body.try_collect::<Vec<Bytes>>().await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Broken);
}

#[tokio::test]
async fn an_answer_that_is_lost_does_not_make_a_condition_fail() {
    let (place, swift) = place().await;
    place.faults().fails(Rule::once(Method::PUT, "files/lease", Fault::LostAnswer));
    let written = swift.put("lease", Bytes::from_static(b"mine"), Condition::Absent).await.unwrap();
    assert_eq!(written, Written::Yes);
    place.faults().fails(Rule::once(Method::PUT, "files/lease", Fault::Status(503, None)));
    let written = swift.put("lease", Bytes::from_static(b"another"), Condition::Absent).await.unwrap();
    assert_eq!((written, read(&swift, "lease").await.unwrap()), (Written::Refused, Bytes::from_static(b"mine")));
}

#[tokio::test]
async fn a_listing_that_is_behind_harms_nothing() {
    let (place, swift) = with(Quirks { listing_lag: Duration::from_millis(300), ..Quirks::default() }).await;
    let content = bytes(3_000_000, 1);
    // Waits until the segments show.
    write(&swift, "late", None, &content).await;
    assert!(read(&swift, "late").await.unwrap() == content);
    let place_2 = Place::pretended(Quirks { listing_lag: Duration::from_secs(3600), ..Quirks::default() }).await;
    let swift_2 = place_2.open_with(|config| config.patience = Duration::from_millis(200));
    write(&swift_2, "never", None, &content).await;
    assert!(read(&swift_2, "never").await.unwrap() == content, "each segment is named in a static object");
    // Nothing is listed, so that nothing of it can be called garbage.
    let sweep = Sweep { older_than: Timestamp::MAX, live: &[], dry_run: false };
    assert_eq!(swift_2.sweep(sweep).await.unwrap().objects, 0);
    drop((place, place_2));
}

/// More names than a gateway shows at once, whatever it is asked for.
#[tokio::test]
async fn a_gateway_shows_a_thousand_names_at_a_time_and_none_is_missed() {
    let (place, swift) = with(Quirks { gateway: true, ..Quirks::default() }).await;
    let content = bytes(3_200_000, 8);
    write(&swift, "z/blob", None, &content).await;
    for number in 0..2100 {
        swift.put(&format!("many/{number:04}"), Bytes::from_static(b"x"), Condition::Always).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let list = List { prefix: "many/", after: after.as_deref(), folders: false, limit: 10_000 };
        let page = swift.list(list).await.unwrap();
        found.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(found.len(), 2100);
    // Its manifest is behind all of them, and the path that is noted at its first segment does not tell: as where distribution wrote it.
    let head = place.raw().head("files/z/blob", Newest::Yes).await.unwrap().unwrap();
    let (_, directory) = head.manifest.expect("an object of segments");
    place.raw().note(&format!("{}/{:016}", directory.trim_end_matches('/'), 1), "other", "x").await.unwrap();
    let sweep = Sweep { older_than: Timestamp::MAX, live: &[], dry_run: false };
    assert_eq!(swift.sweep(sweep).await.unwrap().objects, 0);
    assert!(read(&swift, "z/blob").await.unwrap() == content);
}

/// A part of a cluster that is away answers so for a while.
#[tokio::test]
async fn a_container_that_is_said_to_be_gone_is_no_empty_one() {
    let (place, swift) = place().await;
    write(&swift, "blob", None, &bytes(3_200_000, 8)).await;
    let gone = || Rule::once(Method::GET, "jeroboam-", Fault::Status(404, None));
    place.faults().fails(gone());
    let list = List { prefix: "", after: None, folders: false, limit: 10 };
    assert_eq!(swift.list(list.clone()).await.unwrap_err().kind(), Kind::Unavailable);
    place.faults().fails(gone());
    let sweep = Sweep { older_than: Timestamp::MAX, live: &[], dry_run: false };
    assert_eq!(swift.sweep(sweep).await.unwrap_err().kind(), Kind::Unavailable);
    place.faults().fails(gone());
    assert_eq!(swift.probe().await.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(swift.list(list).await.unwrap().items.len(), 1);
    // One that was never there is made first.
    let place = Place::pretended(Quirks::default()).await;
    let nothing = place.open().list(List { prefix: "", after: None, folders: true, limit: 10 }).await.unwrap();
    assert_eq!((nothing.items.len(), nothing.next), (0, None));
}

#[tokio::test]
async fn what_is_overwritten_is_read_anew_where_that_is_asked_for() {
    let (place, swift) = with(Quirks { stale: Duration::from_secs(60), ..Quirks::default() }).await;
    for text in ["one", "two"] {
        swift.put("tag", Bytes::from_static(text.as_bytes()), Condition::Always).await.unwrap();
    }
    let old = swift.read("tag", None, Freshness::Any).await.unwrap().unwrap();
    assert_eq!(old.body.try_collect::<Vec<Bytes>>().await.unwrap().concat(), b"one", "or the test shows nothing");
    assert_eq!(read(&swift, "tag").await.unwrap(), "two");
    assert!(place.faults().seen().iter().any(|seen| seen.newest));
}

/// An operator may have set a limit that is not Swift's own.
#[tokio::test]
async fn a_swift_that_refuses_long_pages_is_listed_in_shorter_ones() {
    for (longest, no_info) in [(2, false), (1000, true)] {
        let quirks = Quirks { longest_page: Some(longest), no_info, ..Quirks::default() };
        let (place, swift) = with(quirks).await;
        let paths = ["a", "b", "c", "d", "e"];
        for path in paths {
            swift.put(path, Bytes::from_static(b"x"), Condition::Always).await.unwrap();
        }
        let (mut found, mut after) = (0, None);
        loop {
            let list = List { prefix: "", after: after.as_deref(), folders: false, limit: 10_000 };
            let page = swift.list(list).await.unwrap();
            found += page.items.len();
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(found, paths.len(), "{quirks:?}");
        let refused = |seen: &Seen| seen.query.contains("limit=10000");
        assert_eq!(place.faults().seen().iter().filter(|seen| refused(seen)).count(), 1, "it is asked for once");
    }
}

/// Whoever knows how long it was sees that something is missing: nothing else tells it of a dynamic one.
#[tokio::test]
async fn a_large_object_without_one_of_its_segments_is_shorter() {
    let (place, swift) = place().await;
    write(&swift, "blob", None, &bytes(4_000_000, 1)).await;
    let segments: Vec<String> = place.faults().names().into_iter().filter(|name| name.contains("segments/")).collect();
    assert_eq!(segments.len(), 3);
    place.faults().remove(&segments[1]);
    let left = swift.head("blob", Freshness::Newest).await.unwrap().unwrap().size;
    assert_eq!((left, read(&swift, "blob").await.unwrap().len()), (2_500_000, 2_500_000));
    let page = swift.list(List { prefix: "", after: None, folders: false, limit: 10 }).await.unwrap();
    assert!(matches!(page.items[..], [Listed::Object { size: 0, .. }]), "a listing does not tell: {page:?}");
}

#[tokio::test]
async fn a_missing_segment_never_makes_an_object() {
    let place = Place::pretended(Quirks::default()).await;
    let swift = place.open_with(|config| config.patience = Duration::from_millis(200));
    let mut upload = swift.upload("up", None).await.unwrap();
    upload.write(bytes(4_000_000, 1)).await.unwrap();
    upload.save().await.unwrap();
    let second = place.faults().names().into_iter().filter(|name| name.contains("segments/")).nth(1).unwrap();
    place.faults().remove(&second);
    let error = upload.commit("blob").await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Unavailable | Kind::Refused), "{error:?}");
    assert_eq!(read(&swift, "blob").await, None);
}

#[tokio::test]
async fn the_place_is_made_while_nobody_answers() {
    let place = Place::pretended(Quirks::default()).await;
    let mut config = place.config.clone();
    config.access = jeroboam_blobs::swift::SwiftAccess::Keystone(Box::new(jeroboam_openstack::SessionConfig::new(
        "http://127.0.0.1:1/v3",
        jeroboam_openstack::Auth::ApplicationCredential { id: "a".into(), secret: "s".into() },
    )));
    if let jeroboam_blobs::swift::SwiftAccess::Keystone(session) = &mut config.access {
        session.transport.retry = place.config.transport.retry;
    }
    let swift = Swift::new(config, Arc::new(SystemClock)).unwrap();
    let begin = Instant::now();
    for _ in 0..3 {
        assert_eq!(swift.probe().await.unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(swift.head("a", Freshness::Any).await.unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(swift.put("a", Bytes::new(), Condition::Always).await.unwrap_err().kind(), Kind::Unavailable);
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
    let mut wrong = place.config.clone();
    wrong.container = "a/b".to_owned();
    assert_eq!(Swift::new(wrong, Arc::new(SystemClock)).map(|_| ()).unwrap_err().kind(), Kind::Refused);
}

#[tokio::test]
async fn a_wrong_password_is_no_outage() {
    let place = Place::pretended(Quirks::default()).await;
    let swift = place.open_with(|config| {
        if let jeroboam_blobs::swift::SwiftAccess::Legacy(legacy) = &mut config.access {
            legacy.key = "wrong".into();
        }
    });
    assert_eq!(swift.probe().await.unwrap_err().kind(), Kind::Refused);
}

#[tokio::test]
async fn a_slow_store_holds_back_who_writes() {
    let (place, swift) = place().await;
    place.faults().fails(Rule::once(Method::PUT, "files/a", Fault::Slow(Duration::from_millis(500))));
    let mut writer = swift.create("a", Some(40_000_000)).await.unwrap();
    let piece = bytes(1_000_000, 1);
    // What fits between us and the store is bounded: the rest waits until the store reads.
    let begin = Instant::now();
    for _ in 0..40 {
        writer.write(piece.clone()).await.unwrap();
    }
    assert!(begin.elapsed() >= Duration::from_millis(400), "{:?}", begin.elapsed());
    writer.commit().await.unwrap();
}

#[tokio::test]
async fn what_a_gateway_cannot_do_is_found_out() {
    let (_place, swift) = with(Quirks { gateway: true, no_info: true, ..Quirks::default() }).await;
    assert!(!swift.capabilities().create_if_absent);
    let (_place, swift) = place().await;
    assert!(swift.capabilities().create_if_absent);
    assert!(!swift.capabilities().listing_is_fresh);
}

/// A role is granted, or room is made, while we serve.
#[tokio::test]
async fn what_was_refused_is_tried_again_after_a_while() {
    // Which request is refused how, and whether that says what the store can do.
    for (name, code, tells) in [
        ("trials/", 403, false),
        ("trials/", 413, false),
        ("-large", 403, false),
        ("-large", 413, false),
        ("-large", 400, true),
        ("-large", 501, true),
    ] {
        let place = Place::pretended(Quirks::default()).await;
        let clock = Arc::new(ManualClock::at("2026-11-29T12:00:00Z".parse().unwrap()));
        let swift = Swift::new(place.config.clone(), clock.clone()).unwrap();
        place.faults().fails(Rule::once(Method::PUT, name, Fault::Status(code, None)));
        // So many objects are written at a look.
        let trials = async || {
            swift.probe().await.unwrap();
            let seen = place.faults().seen();
            seen.iter().filter(|seen| seen.method == Method::PUT && seen.path.contains("/trials/")).count()
        };
        assert_eq!(trials().await, if name == "-large" { 3 } else { 1 }, "{name} {code}");
        assert_eq!(swift.capabilities().create_if_absent, name == "-large", "{name} {code}");
        assert_eq!(trials().await, 0, "{name} {code}: it is believed for a while");
        clock.advance(Duration::from_secs(61));
        assert_eq!(trials().await, if tells { 0 } else { 3 }, "{name} {code}");
        assert!(swift.capabilities().create_if_absent, "{name} {code}");
        // What was seen is kept.
        clock.advance(Duration::from_secs(3600));
        assert_eq!(trials().await, 0, "{name} {code}");
    }
}

/// An operator may have set a limit that is not Swift's own.
#[tokio::test]
async fn a_swift_that_takes_short_objects_alone_gets_segments() {
    let (place, swift) = with(Quirks { longest_object: Some(2_000_000), ..Quirks::default() }).await;
    let content = bytes(9_000_000, 1);
    for size in [Some(9_000_000), None] {
        write(&swift, "a", size, &content).await;
        assert!(read(&swift, "a").await.unwrap() == content, "{size:?}");
    }
    place.faults().seen();
    write(&swift, "b", Some(2_000_000), &content.slice(..2_000_000)).await;
    assert_eq!(methods(&place), ["PUT files/b"]);
}

/// Somebody was told that it is there.
#[tokio::test]
async fn what_is_there_stays_where_the_listing_of_new_segments_is_behind() {
    for gateway in [false, true] {
        let quirks = Quirks { gateway, listing_lag: Duration::from_secs(3600), ..Quirks::default() };
        let (place, first) = with(quirks).await;
        let content = bytes(4_000_000, 1);
        write(&first, "blob", Some(4_000_000), &content).await;
        let second = place.open_with(|config| {
            config.large_object = LargeObject::Dynamic;
            config.patience = Duration::from_millis(200);
        });
        let mut upload = second.upload("up", None).await.unwrap();
        upload.write(content.clone()).await.unwrap();
        assert_eq!(upload.commit("blob").await.unwrap_err().kind(), Kind::Unavailable);
        assert!(read(&first, "blob").await.unwrap() == content, "gateway: {gateway}");
    }
}

/// Another process that saw no key either may write its own over it.
#[tokio::test]
async fn a_key_is_not_signed_with_before_it_has_stayed() {
    let (place, swift) = place().await;
    let signed = async |swift: &Swift| {
        // The pretended one takes no such address.
        assert_eq!(swift.presign("a", Duration::from_secs(60)).await.unwrap(), None);
        let seen = place.faults().seen();
        seen.iter().filter(|seen| seen.query.contains("temp_url_sig")).count()
    };
    assert_eq!(signed(&swift).await, 0);
    let key = place.raw().container_notes().await.unwrap().unwrap();
    assert_eq!(signed(&place.open()).await, 0, "nor does anybody else");
    place.raw().note_container(&[("jeroboam-key-turned", "1000000000")]).await.unwrap();
    assert!(signed(&place.open()).await > 0);
    let now = place.raw().container_notes().await.unwrap().unwrap();
    let of = |notes: &[(String, String)]| notes.iter().find(|(name, _)| name == "temp-url-key").cloned();
    assert!(of(&key).is_some() && of(&key) == of(&now), "it stays the same");
}

#[tokio::test]
async fn a_writer_that_pauses_ends_its_segment_and_loses_nothing() {
    use jeroboam_openstack::object_store::{Taken, UploadOptions};
    let (place, _swift) = place().await;
    let (raw, content) = (place.raw(), bytes(6_000_000, 1));
    let options = UploadOptions { end_when_idle: Some(Duration::from_millis(100)), ..UploadOptions::default() };
    let mut upload = raw.upload("files/a", options.clone());
    let mut pieces = content.chunks(300_000).enumerate();
    // On a busy machine it takes a while until anybody waits for what comes next.
    let (written, finished, left) = loop {
        let (number, piece) = pieces.next().expect("nothing came for a while");
        match upload.write(Bytes::copy_from_slice(piece)).await.unwrap() {
            Taken::Yes => tokio::time::sleep(Duration::from_millis(400)).await,
            Taken::Ended(finished, left) => break ((number + 1) * 300_000, finished, left),
        }
    };
    let size = usize::try_from(finished.size).unwrap();
    assert!(raw.get_short("files/a", Default::default()).await.unwrap().unwrap() == content[..size]);
    assert!(left == content[size..written], "what is not in it comes back");
    // The same where the end is all that follows.
    let mut upload = raw.upload("files/b", options);
    upload.write(content.slice(..400_000)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let (finished, left) = upload.finish().await.unwrap();
    assert_eq!(finished.size + left.len() as u64, 400_000);
    let size = usize::try_from(finished.size).unwrap();
    assert!(raw.get_short("files/b", Default::default()).await.unwrap().unwrap() == content[..size]);
    assert!(left == content[size..400_000]);
}

#[tokio::test]
async fn a_static_object_becomes_a_dynamic_one_unless_its_segments_are_not_listed() {
    for (lag, rewritten) in [(Duration::ZERO, 1), (Duration::from_secs(3600), 0)] {
        let place = Place::pretended(Quirks { listing_lag: lag, ..Quirks::default() }).await;
        let swift = place.open_with(|config| config.exclusive = true);
        let content = bytes(4_000_000, 1);
        write(&swift, "a", None, &content).await;
        let is_static = async || place.raw().head("files/a", Newest::Yes).await.unwrap().unwrap().is_static;
        assert!(is_static().await);
        for dry_run in [true, false] {
            let done = swift.hand_back("a", dry_run).await.unwrap();
            assert_eq!((done.rewritten, done.left), (rewritten, 1 - rewritten), "{lag:?}");
            assert_eq!(is_static().await, dry_run || rewritten == 0);
            assert!(read(&swift, "a").await.unwrap() == content, "{lag:?}");
        }
        let again = swift.hand_back("a", false).await.unwrap();
        assert_eq!((again.rewritten, again.left), (0, 1 - rewritten));
        swift.hand_back("nothing", false).await.unwrap();
    }
}
