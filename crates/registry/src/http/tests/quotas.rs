//! Quotas: who is let in, who is refused and what is told, what counts and for how long.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use jeroboam_blobs::{Blobs as _, Kind, Memory};
use jeroboam_oci::{Digest, layout};

use super::bed::{Bed, IMAGE, Reply, everything_allowed, image};
use super::counting::{Counting, Death};
use crate::config::{Prefix, QuotaRule};
use crate::gc::purge_uploads;
use crate::http::HttpConfig;
use crate::store::StoreConfig;

fn rule(prefix: &str, bytes: Option<u64>, tags: Option<u64>) -> QuotaRule {
    let prefix = if prefix.is_empty() { Prefix::All } else { Prefix::Below(prefix.to_owned()) };
    QuotaRule { prefix, each: false, bytes, tags }
}

fn with(rules: &[QuotaRule]) -> StoreConfig {
    StoreConfig { quotas: rules.to_vec(), ..everything_allowed() }
}

async fn bed(rules: &[QuotaRule]) -> Bed {
    Bed::with(with(rules), HttpConfig::default()).await
}

async fn begin(bed: &Bed, name: &str) -> Reply {
    bed.send("POST", &format!("/v2/{name}/blobs/uploads/"), &[], Body::empty()).await
}

/// Pushes bytes whose length is announced; gives the last answer.
async fn push(bed: &Bed, name: &str, bytes: &[u8]) -> Reply {
    let begun = begin(bed, name).await;
    if begun.status != 202 {
        return begun;
    }
    let location = format!("{}&digest={}", begun.location(), Digest::sha256(bytes));
    bed.send("PUT", &location, &[], bytes.to_vec()).await
}

/// Bytes that nobody else pushes.
fn blob(seed: u8, length: usize) -> Vec<u8> {
    vec![seed; length]
}

fn streamed(bytes: &[u8]) -> Body {
    let pieces: Vec<_> =
        bytes.chunks(1000).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(stream::iter(pieces))
}

fn message(reply: &Reply) -> String {
    reply.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn who_is_over_the_quota_is_told_how_much_there_is() {
    let bed = bed(&[rule("team", Some(10 << 10), None)]).await;
    push(&bed, "team/a", &blob(1, 6 << 10)).await.is(201);
    let refused = push(&bed, "team/b", &blob(2, 6 << 10)).await.is(403);
    assert_eq!(refused.code(), "DENIED");
    let message = message(&refused);
    assert!(
        message.starts_with("quota exceeded: team has 6.0 KiB of 10.0 KiB, and this needs 6.0 KiB more"),
        "{message}"
    );
    let detail = refused.json()["errors"][0]["detail"].clone();
    let expected = serde_json::json!({
        "namespace": "team", "counted": "bytes", "used": 6144, "limit": 10240, "wanted": 6144
    });
    assert_eq!(detail, expected);
    push(&bed, "team/b", &blob(3, 4 << 10)).await.is(201);
    push(&bed, "teams/b", &blob(4, 20 << 10)).await.is(201);
    // Now it is full: the client need not even send anything.
    assert_eq!(begin(&bed, "team/c").await.is(403).code(), "DENIED");
    begin(&bed, "other").await.is(202);
}

#[tokio::test]
async fn a_blob_counts_once_in_a_namespace() {
    let bed = bed(&[rule("team", Some(10 << 10), None)]).await;
    let layer = blob(1, 8 << 10);
    push(&bed, "team/a", &layer).await.is(201);
    push(&bed, "team/b", &layer).await.is(201);
    let digest = Digest::sha256(&layer);
    let mount = |to: &str, from: &str| format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}");
    bed.send("POST", &mount("team/c", "team/a"), &[], Body::empty()).await.is(201);
    assert_eq!(bed.store.quotas()[0].bytes, 8 << 10);
    // What comes from elsewhere counts anew.
    push(&bed, "other", &blob(2, 8 << 10)).await.is(201);
    let other = Digest::sha256(&blob(2, 8 << 10));
    let path = format!("/v2/team/a/blobs/uploads/?mount={other}&from=other");
    let begun = bed.send("POST", &path, &[], Body::empty()).await.is(202);
    let location = format!("{}&digest={other}", begun.location());
    assert_eq!(bed.send("PUT", &location, &[], blob(2, 8 << 10)).await.is(403).code(), "DENIED");
    for (name, left) in [("team/a", 8 << 10), ("team/b", 8 << 10), ("team/c", 0)] {
        bed.delete(&format!("/v2/{name}/blobs/{digest}")).await.is(202);
        assert_eq!(bed.store.quotas()[0].bytes, left, "{name}");
    }
    bed.send("POST", &path, &[], Body::empty()).await.is(201);
}

#[tokio::test]
async fn every_way_of_pushing_is_counted() {
    let bed = bed(&[rule("", Some(100_000), None)]).await;
    push(&bed, "a", &blob(0, 60_000)).await.is(201);
    let large = blob(1, 60_000);
    let digest = Digest::sha256(&large);
    // In one request, with and without a length.
    let whole = format!("/v2/a/blobs/uploads/?digest={digest}");
    bed.send("POST", &whole, &[], large.clone()).await.is(403);
    bed.send("POST", &whole, &[], streamed(&large)).await.is(403);
    // In chunks, and streamed: refused as soon as there is no more room, and then it is gone.
    let location = begin(&bed, "a").await.is(202).location();
    let first = bed.send("PATCH", &location, &[("content-range", "0-29999")], large[..30_000].to_vec()).await.is(202);
    bed.send("PATCH", &first.location(), &[("content-range", "30000-59999")], large[30_000..].to_vec()).await.is(403);
    bed.get(&location).await.is(404);
    let location = begin(&bed, "a").await.is(202).location();
    bed.send("PATCH", &location, &[], streamed(&large)).await.is(403);
    // With the other algorithm.
    let digest = Digest::of(jeroboam_oci::Algorithm::Sha512, &large);
    let location = format!("{}&digest={digest}", begin(&bed, "a").await.is(202).location());
    bed.send("PUT", &location, &[], large.clone()).await.is(403);
    // Manifests are bytes as well.
    push(&bed, "a", b"{}").await.is(201);
    push(&bed, "a", &blob(2, 39_900)).await.is(201);
    let manifest = image(&blob(2, 39_900), "");
    assert_eq!(bed.put_manifest("a", "v1", IMAGE, &manifest).await.is(403).code(), "DENIED");
    assert_eq!(bed.store.quotas()[0].bytes, 99_902, "nothing that was refused counts");
    let stored = bed.get("/v2/a/tags/list").await.is(200).json();
    assert_eq!(stored["tags"], serde_json::json!([]));
}

#[tokio::test]
async fn pushes_at_the_same_moment_stay_within_it() {
    let bed = bed(&[rule("team", Some(50_000), None)]).await;
    let pushes = (0..20_u8).map(|seed| {
        let bed = &bed;
        async move { push(bed, &format!("team/{}", seed % 4), &blob(seed, 10_000)).await.status.as_u16() }
    });
    let mut statuses = futures::future::join_all(pushes).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[201; 5].as_slice(), &[403; 15]].concat());
    assert_eq!(bed.store.quotas()[0].bytes, 50_000);
}

#[tokio::test]
async fn the_same_blob_by_many_at_once_needs_its_room_once() {
    let bed = bed(&[rule("team", Some(50_000), None)]).await;
    let same = (0..8).map(|number| {
        let bed = &bed;
        async move { push(bed, &format!("team/{number}"), &blob(7, 40_000)).await.status.as_u16() }
    });
    assert_eq!(futures::future::join_all(same).await, [201; 8]);
    assert_eq!(bed.store.quotas()[0].bytes, 40_000);
}

#[tokio::test]
async fn another_process_counts_what_is_there() {
    let bed = bed(&[rule("team", Some(10_000), Some(2))]).await;
    push(&bed, "team/a", b"{}").await.is(201);
    push(&bed, "team/a", &blob(1, 6000)).await.is(201);
    let manifest = image(&blob(1, 6000), "");
    bed.put_manifest("team/a", "v1", IMAGE, &manifest).await.is(201);
    let used = 6002 + manifest.len() as u64;
    let another = bed.another().await;
    push(&another, "team/b", &blob(2, 6000)).await.is(403);
    let seen = another.store.quotas()[0].clone();
    assert_eq!((seen.bytes, seen.tags), (used, 1));
    another.put_manifest("team/a", "v2", IMAGE, &manifest).await.is(201);
    let full = another.put_manifest("team/a", "v3", IMAGE, &manifest).await.is(403);
    assert!(message(&full).starts_with("quota exceeded: team has 2 of 2 tags"), "{}", message(&full));
    another.put_manifest("team/a", "v1", IMAGE, &manifest).await.is(201);
    another.delete("/v2/team/a/manifests/v2").await.is(202);
    another.put_manifest("team/a", "v3", IMAGE, &manifest).await.is(201);
}

#[tokio::test]
async fn nobody_is_refused_for_what_another_process_has_deleted() {
    let bed = bed(&[rule("team", Some(10_000), None)]).await;
    push(&bed, "team/a", &blob(1, 10_000)).await.is(201);
    let another = bed.another().await;
    another.delete(&format!("/v2/team/a/blobs/{}", Digest::sha256(&blob(1, 10_000)))).await.is(202);
    push(&bed, "team/a", &blob(2, 10_000)).await.is(403);
    bed.clock.advance(Duration::from_secs(6));
    push(&bed, "team/a", &blob(2, 10_000)).await.is(201);
}

#[tokio::test]
async fn nobody_is_refused_for_what_went_although_its_deletion_failed() {
    let bed = bed(&[rule("team", Some(10_000), None)]).await;
    push(&bed, "team/a", &blob(1, 10_000)).await.is(201);
    bed.blobs.die(Some(Death { calls: 0, has_effect: true, from_behind: false }));
    bed.delete(&format!("/v2/team/a/blobs/{}", Digest::sha256(&blob(1, 10_000)))).await.is(503);
    bed.blobs.die(None);
    bed.clock.advance(Duration::from_secs(6));
    push(&bed, "team/a", &blob(2, 10_000)).await.is(201);
    assert_eq!(bed.store.quotas()[0].bytes, 10_000);
}

#[tokio::test]
async fn what_another_process_has_pushed_is_seen_before_long() {
    let bed = bed(&[rule("team", Some(10_000), None)]).await;
    push(&bed, "team/a", &blob(1, 1000)).await.is(201);
    let another = bed.another().await;
    push(&another, "team/b", &blob(2, 9000)).await.is(201);
    bed.clock.advance(Duration::from_secs(61));
    // Whoever comes begins a count, and does not wait for it.
    begin(&bed, "team/c").await.is(202);
    let counted = async {
        while bed.store.quotas()[0].bytes != 10_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), counted).await.expect("a count");
    assert_eq!(begin(&bed, "team/d").await.is(403).code(), "DENIED");
}

#[tokio::test]
async fn it_is_counted_once_and_sizes_are_asked_for_once() {
    let memory = Arc::new(Memory::default());
    let rules = [rule("team", Some(1 << 20), None)];
    let first = Bed::over(memory.clone(), with(&rules), HttpConfig::default()).await;
    for seed in 0..5 {
        push(&first, "team/a", &blob(seed, 5000)).await.is(201);
    }
    let listings = |bed: &Bed| {
        let calls = bed.blobs.calls();
        let count = |what: &str| calls.iter().filter(|call| call.starts_with(what)).count();
        (count("list docker/registry/v2/repositories/"), count("head docker/registry/v2/blobs/"))
    };
    assert_eq!(listings(&first).0, 1, "not at each push");
    let second = Bed::over(memory.clone(), with(&rules), HttpConfig::default()).await;
    push(&second, "team/a", &blob(9, 300_000)).await.is(201);
    assert_eq!(second.store.quotas()[0].bytes, 325_000);
    let (lists, heads) = listings(&second);
    assert_eq!((lists, heads), (1, 6), "five of the count, and one of the push");
    let third = Bed::over(memory, with(&rules), HttpConfig::default()).await;
    push(&third, "team/a", &blob(10, 5000)).await.is(201);
    assert_eq!(third.store.quotas()[0].bytes, 330_000);
    assert_eq!(listings(&third).1, 1, "only of what the process before did not know");
}

#[tokio::test]
async fn what_cannot_be_counted_lets_nobody_push_and_everybody_pull() {
    let rules = [rule("team", Some(1 << 20), None)];
    let bed = Bed::counting(Counting::new(Arc::new(Memory::default())), with(&rules), HttpConfig::default()).await;
    push(&bed, "other", b"layer").await.is(201);
    bed.blobs.fail(Some((Kind::Unavailable, "list docker/registry/v2/repositories/team")));
    let refused = push(&bed, "team/a", b"layer").await.is(503);
    assert_eq!(refused.code(), "UNAVAILABLE");
    assert!(!refused.header("retry-after").is_empty());
    bed.get(&format!("/v2/other/blobs/{}", Digest::sha256(b"layer"))).await.is(200);
    bed.blobs.fail(None);
    push(&bed, "team/a", b"layer").await.is(201);
}

#[tokio::test]
async fn each_namespace_has_its_own_unless_it_is_named() {
    let each = QuotaRule { each: true, ..rule("", Some(10_000), None) };
    let bed = bed(&[each, rule("large", Some(50_000), None)]).await;
    for name in ["one/a", "two/a", "large/a"] {
        push(&bed, name, &blob(1, 8000)).await.is(201);
    }
    for (name, status) in [("one/b", 403), ("two/b", 403), ("large/b", 201), ("three", 201)] {
        push(&bed, name, &blob(2, 8000)).await.is(status);
    }
    let refused = push(&bed, "one/b", &blob(2, 8000)).await.is(403);
    assert!(message(&refused).starts_with("quota exceeded: one has 7.8 KiB of 9.7 KiB"), "{}", message(&refused));
}

#[tokio::test]
async fn a_listing_that_lags_does_not_forget_what_was_just_pushed() {
    let mut counting = Counting::new(Arc::new(Memory::default()));
    (counting.listing_is_fresh, counting.listing_is_empty) = (false, true);
    let bed = Bed::counting(counting, with(&[rule("team", Some(10_000), None)]), HttpConfig::default()).await;
    push(&bed, "team/a", &blob(1, 8000)).await.is(201);
    bed.clock.advance(Duration::from_secs(6));
    // Refused, and before that counted anew from a listing that shows nothing of it.
    push(&bed, "team/a", &blob(2, 8000)).await.is(403);
    assert_eq!(bed.store.quotas()[0].bytes, 8000);
    let there = bed.blobs.head(&layout::blob(&Digest::sha256(&blob(1, 8000))), Default::default()).await.unwrap();
    assert!(there.is_some());
}

#[tokio::test]
async fn what_unfinished_uploads_hold_counts_between_requests() {
    let bed = bed(&[rule("team", Some(10_000), None)]).await;
    let location = begin(&bed, "team/a").await.is(202).location();
    let held = bed.send("PATCH", &location, &[], blob(1, 6000)).await.is(202);
    let refused = push(&bed, "team/b", &blob(2, 6000)).await.is(403);
    assert_eq!(refused.code(), "DENIED");
    assert_eq!(refused.json()["errors"][0]["detail"]["used"], serde_json::json!(6000));
    assert_eq!(bed.store.quotas()[0].bytes, 6000);
    // No number of uploads has more than there is room for.
    let other = begin(&bed, "team/a").await.is(202).location();
    bed.send("PATCH", &other, &[], blob(3, 5000)).await.is(403);
    bed.get(&other).await.is(404);
    // Also where no process knows it any more: it is in the store.
    bed.clock.advance(Duration::from_secs(3601));
    push(&bed, "team/b", &blob(2, 6000)).await.is(403);
    let another = bed.another().await;
    push(&another, "team/b", &blob(2, 6000)).await.is(403);
    push(&another, "teams/b", &blob(2, 6000)).await.is(201);
    // It has its own room, and what becomes of it counts once.
    let digest = Digest::sha256(&blob(1, 10_000));
    let finish = format!("{}&digest={digest}", held.location());
    bed.send("PUT", &finish, &[], blob(1, 4000)).await.is(201);
    assert_eq!(bed.store.quotas()[0].bytes, 10_000);
}

#[tokio::test]
async fn an_upload_that_is_over_holds_nothing() {
    let bed = bed(&[rule("team", Some(10_000), None)]).await;
    let location = begin(&bed, "team/a").await.is(202).location();
    bed.send("PATCH", &location, &[], blob(1, 6000)).await.is(202);
    bed.delete(&location).await.is(204);
    assert_eq!(bed.store.quotas()[0].bytes, 0);
    let location = begin(&bed, "team/a").await.is(202).location();
    bed.send("PATCH", &location, &[], blob(1, 6000)).await.is(202);
    // Whoever looks after the store ends it, and no process hears of that before it counts.
    let later = "2100-01-01T00:00:00Z".parse().unwrap();
    let purged = purge_uploads(bed.store.place(), Duration::from_secs(60), later, false).await.unwrap();
    assert_eq!(purged.uploads, 1);
    push(&bed, "team/b", &blob(2, 6000)).await.is(403);
    bed.clock.advance(Duration::from_secs(6));
    push(&bed, "team/b", &blob(2, 6000)).await.is(201);
}
