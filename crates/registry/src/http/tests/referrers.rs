//! Manifests about other manifests: those that we took, and those that distribution took before us.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use jeroboam_blobs::{Blobs, Condition, Kind};
use jeroboam_oci::{Digest, layout, link};

use super::bed::{Bed, IMAGE, INDEX, Reply, descriptor, everything_allowed, image, index};
use super::counting::Death;
use crate::http::HttpConfig;
use crate::store::{Compat, StoreConfig};

/// An artifact of some type about a manifest.
fn about(subject: &[u8], artifact_type: &str, note: &str) -> Vec<u8> {
    let subject = descriptor(IMAGE, subject);
    image(
        b"layer",
        &format!(r#","subject":{subject},"artifactType":"{artifact_type}","annotations":{{"note":"{note}"}}"#),
    )
}

fn listed(reply: &Reply) -> Vec<String> {
    let document = reply.json();
    let manifests = document["manifests"].as_array().unwrap();
    manifests.iter().map(|manifest| manifest["digest"].as_str().unwrap().to_owned()).collect()
}

fn sorted(manifests: &[&[u8]]) -> Vec<String> {
    let mut digests: Vec<_> = manifests.iter().map(|manifest| Digest::sha256(manifest).to_string()).collect();
    digests.sort();
    digests
}

#[tokio::test]
async fn what_is_about_a_manifest_is_listed() {
    for bed in Bed::each().await {
        let (digest, subject) = bed.push_image("a", "v1", b"layer").await;
        let path = format!("/v2/a/referrers/{digest}");
        let none = bed.get(&path).await.is(200);
        assert_eq!(none.header("content-type"), INDEX);
        assert!(listed(&none).is_empty());
        let (one, two) = (about(&subject, "a/b", "1"), about(&subject, "c/d", "2"));
        for manifest in [&one, &two] {
            let put = bed.put_manifest("a", &Digest::sha256(manifest).to_string(), IMAGE, manifest).await.is(201);
            assert_eq!(put.header("oci-subject"), digest.to_string());
        }
        for bed in [&bed, &bed.another().await] {
            let all = bed.get(&path).await.is(200);
            assert_eq!(listed(&all), sorted(&[&one, &two]));
            assert_eq!(all.header("oci-filters-applied"), "");
            let filtered = bed.get(&format!("{path}?artifactType=a%2Fb")).await.is(200);
            assert_eq!(listed(&filtered), sorted(&[&one]));
            assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
            let first = &filtered.json()["manifests"][0];
            assert_eq!((&first["artifactType"], &first["annotations"]["note"]), (&"a/b".into(), &"1".into()));
            assert_eq!(first["size"], one.len());
        }
        bed.delete(&format!("/v2/a/manifests/{}", Digest::sha256(&one))).await.is(202);
        for bed in [&bed, &bed.another().await] {
            assert_eq!(listed(&bed.get(&path).await), sorted(&[&two]));
        }
        let unknown = format!("/v2/nothing/referrers/{}", Digest::sha256(b"unknown"));
        assert!(listed(&bed.get(&unknown).await.is(200)).is_empty(), "never 404");
        assert_eq!(bed.get("/v2/a/referrers/sha256:x").await.is(400).code(), "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn a_subject_need_not_be_there() {
    let bed = Bed::memory().await;
    bed.push_image("a", "v1", b"layer").await;
    let manifest = about(b"never pushed", "a/b", "");
    bed.put_manifest("a", "about", IMAGE, &manifest).await.is(201);
    let path = format!("/v2/a/referrers/{}", Digest::sha256(b"never pushed"));
    assert_eq!(listed(&bed.get(&path).await.is(200)), sorted(&[&manifest]));
}

#[tokio::test]
async fn many_come_in_pages() {
    let bed = Bed::memory().await;
    let (digest, subject) = bed.push_image("a", "v1", b"layer").await;
    for n in 0..4 {
        let manifest = about(&subject, "a/b", &format!("{n}{}", "x".repeat(1_500_000)));
        bed.put_manifest("a", &Digest::sha256(&manifest).to_string(), IMAGE, &manifest).await.is(201);
    }
    let (mut path, mut pages, mut seen) = (format!("/v2/a/referrers/{digest}?artifactType=a%2Fb"), 0, Vec::new());
    loop {
        let page = bed.get(&path).await.is(200);
        assert!(page.body.len() <= 4 << 20);
        seen.extend(listed(&page));
        pages += 1;
        match jeroboam_oci::pagination::next_of_link(page.header("link")) {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (2, 4));
    assert!(seen.is_sorted());
}

/// Writes what distribution would have written of a manifest, and nothing of ours.
async fn taken_by_distribution(bed: &Bed, name: &str, manifest: &[u8], tag: Option<&str>) {
    let (name, digest) = (name.parse().unwrap(), Digest::sha256(manifest));
    let put = |path: String, bytes: Vec<u8>| {
        let blobs = bed.blobs.clone();
        async move { blobs.put(&path, bytes.into(), Condition::Always).await.unwrap() }
    };
    put(layout::blob(&digest), manifest.to_vec()).await;
    put(layout::revision(&name, &digest), link::content(&digest).into()).await;
    if let Some(tag) = tag.map(|tag| tag.parse().unwrap()) {
        put(layout::tag_once(&name, &tag, &digest), link::content(&digest).into()).await;
        put(layout::tag_current(&name, &tag), link::content(&digest).into()).await;
    }
}

#[tokio::test]
async fn what_distribution_took_is_listed_too() {
    for compat in [Compat::Shared, Compat::Exclusive] {
        let bed = Bed::with(StoreConfig { compat, ..everything_allowed() }, HttpConfig::default()).await;
        let (digest, subject) = bed.push_image("a", "v1", b"layer").await;
        let old = about(&subject, "a/b", "old");
        taken_by_distribution(&bed, "a", &old, None).await;
        let fallback = index(&[&old], "");
        taken_by_distribution(&bed, "a", &fallback, Some(&format!("sha256-{}", digest.hex()))).await;
        let path = format!("/v2/a/referrers/{digest}");
        assert_eq!(listed(&bed.get(&path).await.is(200)), sorted(&[&old]), "{compat:?}");
        let new = about(&subject, "a/b", "new");
        taken_by_distribution(&bed, "a", &new, None).await;
        bed.clock.advance(std::time::Duration::from_secs(60));
        let now = listed(&bed.get(&path).await.is(200));
        match compat {
            Compat::Shared => assert_eq!(now, sorted(&[&old, &new]), "it may still be writing"),
            Compat::Exclusive => assert_eq!(now, sorted(&[&old]), "it may not"),
        }
        // What was looked at once is not read again by the next process.
        let next = bed.another().await;
        next.get(&path).await.is(200);
        let reads = next.blobs.calls().iter().filter(|call| call.starts_with("read docker/registry/v2/blobs/")).count();
        if compat == Compat::Exclusive {
            assert_eq!(reads, 0);
        }
    }
}

/// A registry where nobody looks again for what the index lacks, with a manifest that is about another one.
struct Attached {
    bed: Bed,
    manifest: Vec<u8>,
    /// Its digest.
    digest: String,
    /// What is about the other one.
    list: String,
}

impl Attached {
    async fn new() -> Self {
        let config = StoreConfig { compat: Compat::Exclusive, ..everything_allowed() };
        let bed = Bed::with(config, HttpConfig::default()).await;
        let (subject, image) = bed.push_image("a", "v1", b"layer").await;
        let manifest = about(&image, "a/b", "");
        let (digest, list) = (Digest::sha256(&manifest).to_string(), format!("/v2/a/referrers/{subject}"));
        bed.put_manifest("a", &digest, IMAGE, &manifest).await.is(201);
        bed.get(&list).await.is(200);
        Self { bed, manifest, digest, list }
    }

    fn path(&self) -> String {
        format!("/v2/a/manifests/{}", self.digest)
    }

    async fn push(&self) {
        self.bed.put_manifest("a", &self.digest, IMAGE, &self.manifest).await.is(201);
    }

    /// Whether it is there, and whether it is listed, for somebody who has not asked before.
    async fn seen(&self) -> (bool, bool) {
        let next = self.bed.another().await;
        let is_there = next.get(&self.path()).await.status == 200;
        (is_there, listed(&next.get(&self.list).await.is(200)) == [self.digest.clone()])
    }
}

#[tokio::test]
async fn a_deletion_that_was_cut_leaves_nothing_that_is_there_and_not_listed() {
    for calls in 0..6 {
        for from_behind in [false, true] {
            let attached = Attached::new().await;
            let death = Death { calls, has_effect: true, from_behind };
            attached.bed.blobs.die(Some(death));
            attached.bed.delete(&attached.path()).await;
            attached.bed.blobs.die(None);
            let (is_there, is_listed) = attached.seen().await;
            assert_eq!(is_there, is_listed, "{death:?}");
        }
    }
}

#[tokio::test]
async fn what_another_process_lets_go_of_during_a_push_is_listed_after_it() {
    let attached = Attached::new().await;
    let other = attached.bed.another().await;
    let gate = attached.bed.blobs.hold("put docker/registry/v2/repositories/a/_manifests/revisions/");
    let path = attached.path();
    let delete = async {
        gate.reached().await;
        other.delete(&path).await.is(202);
        gate.open();
    };
    tokio::join!(attached.push(), delete);
    assert_eq!(attached.seen().await, (true, true));
}

#[tokio::test]
async fn what_another_process_pushes_during_a_deletion_is_listed_after_it() {
    let attached = Attached::new().await;
    let other = attached.bed.another().await;
    let gate = other.blobs.hold("delete docker/registry/v2/_x/referrers/a/");
    let push = async {
        gate.reached().await;
        attached.push().await;
        gate.open();
    };
    let path = attached.path();
    let (deleted, ()) = tokio::join!(other.delete(&path), push);
    deleted.is(202);
    assert_eq!(attached.seen().await, (true, true));
}

#[tokio::test]
async fn no_more_is_read_than_a_page_shows() {
    let bed = Bed::with(StoreConfig { compat: Compat::Exclusive, ..everything_allowed() }, HttpConfig::default()).await;
    let (digest, subject) = bed.push_image("a", "v1", b"layer").await;
    let notes: Vec<String> = (0..40).map(|n| format!("{n}{}", "x".repeat(500_000))).collect();
    let all: Vec<Vec<u8>> = notes.iter().map(|note| about(&subject, "a/b", note)).collect();
    for manifest in &all {
        bed.put_manifest("a", &Digest::sha256(manifest).to_string(), IMAGE, manifest).await.is(201);
    }
    let cold = bed.another().await;
    let mut path = format!("/v2/a/referrers/{digest}");
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        cold.blobs.calls();
        let page = cold.get(&path).await.is(200);
        let entries =
            cold.blobs.calls().iter().filter(|call| call.starts_with("read") && call.contains("/_x/referrers")).count();
        assert!(entries <= listed(&page).len() + 9, "{entries} were read for {}", listed(&page).len());
        assert!(page.body.len() <= 4 << 20);
        found.extend(listed(&page));
        pages += 1;
        let link = page.header("link").to_owned();
        if link.is_empty() {
            break;
        }
        path = link.trim_start_matches('<').split_once('>').unwrap().0.to_owned();
    }
    assert_eq!((pages, found), (5, sorted(&all.iter().map(Vec::as_slice).collect::<Vec<_>>())));
}

/// Asks without a connection, so that nothing is waited for that the clock does not see.
async fn asked(bed: &Bed, path: &str) -> Reply {
    let request = http::Request::get(path).body(Body::empty()).unwrap();
    let (parts, body) = bed.respond(request).await.into_parts();
    Reply { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
}

#[tokio::test(start_paused = true)]
async fn a_repository_is_looked_through_beside_the_requests() {
    let bed = Bed::memory().await;
    let subject = image(b"layer", "");
    let old = about(&subject, "a/b", "old");
    taken_by_distribution(&bed, "a", &old, None).await;
    let path = format!("/v2/a/referrers/{}", Digest::sha256(&subject));
    let gate = bed.blobs.hold("read docker/registry/v2/blobs/");
    let gone = tokio::time::timeout(Duration::from_millis(10), asked(&bed, &path)).await;
    assert!(gone.is_err(), "a client that goes away");
    for _ in 0..2 {
        let later = asked(&bed, &path).await.is(503);
        assert_eq!((later.code().as_str(), later.header("retry-after")), ("UNAVAILABLE", "5"));
        let said = later.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(said.contains("being looked through"), "{said}");
    }
    gate.open();
    assert_eq!(listed(&asked(&bed, &path).await.is(200)), sorted(&[&old]));
    let reads = bed.blobs.calls().iter().filter(|call| call.starts_with("read docker/registry/v2/blobs/")).count();
    assert_eq!(reads, 1, "nobody began again");
}

#[tokio::test(start_paused = true)]
async fn what_was_found_is_listed_while_the_repository_is_looked_through_again() {
    let bed = Bed::memory().await;
    let subject = image(b"layer", "");
    let (old, new) = (about(&subject, "a/b", "old"), about(&subject, "a/b", "new"));
    taken_by_distribution(&bed, "a", &old, None).await;
    let path = format!("/v2/a/referrers/{}", Digest::sha256(&subject));
    assert_eq!(listed(&asked(&bed, &path).await.is(200)), sorted(&[&old]));
    taken_by_distribution(&bed, "a", &new, None).await;
    bed.clock.advance(Duration::from_secs(60));
    let gate = bed.blobs.hold("read docker/registry/v2/blobs/");
    assert_eq!(listed(&asked(&bed, &path).await.is(200)), sorted(&[&old]));
    gate.open();
    assert_eq!(listed(&asked(&bed, &path).await.is(200)), sorted(&[&old, &new]));
}

#[tokio::test]
async fn a_scan_that_fails_is_told_to_all_who_wait_and_is_begun_anew() {
    let bed = Bed::memory().await;
    let subject = image(b"layer", "");
    let old = about(&subject, "a/b", "old");
    taken_by_distribution(&bed, "a", &old, None).await;
    let path = format!("/v2/a/referrers/{}", Digest::sha256(&subject));
    bed.blobs.fail(Some((Kind::Unavailable, "read docker/registry/v2/blobs/")));
    for reply in futures::future::join_all((0..4).map(|_| bed.get(&path))).await {
        assert_eq!(reply.is(503).code(), "UNAVAILABLE");
    }
    bed.blobs.fail(None);
    assert_eq!(listed(&bed.get(&path).await.is(200)), sorted(&[&old]));
}

#[tokio::test]
async fn what_distribution_took_protects_what_it_is_about() {
    let config = StoreConfig { protect_referenced: true, ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    let (digest, subject) = bed.push_image("a", "v1", b"layer").await;
    let old = about(&subject, "a/b", "old");
    taken_by_distribution(&bed, "a", &old, None).await;
    let path = format!("/v2/a/manifests/{digest}");
    assert_eq!(bed.delete(&path).await.is(403).code(), "DENIED");
    bed.delete(&format!("/v2/a/manifests/{}", Digest::sha256(&old))).await.is(202);
    bed.delete(&path).await.is(202);
}
