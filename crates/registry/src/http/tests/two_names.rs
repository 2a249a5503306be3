//! Manifests that have a digest of each algorithm: a tag keeps the one that its manifest was pushed under.

use jeroboam_blobs::Blobs as _;
use jeroboam_oci::{Algorithm, Digest, layout};

use super::bed::{Bed, IMAGE, everything_allowed, image};
use crate::client::{STAMP, TAG_DIGEST};
use crate::config::{ImmutableRule, Prefix};
use crate::http::HttpConfig;
use crate::store::StoreConfig;

/// An image that is not pushed yet although its parts are, and its two digests.
async fn parts(bed: &Bed, repository: &str, layer: &'static [u8]) -> (Vec<u8>, Digest, Digest) {
    bed.push(repository, b"{}").await;
    bed.push(repository, layer).await;
    let manifest = image(layer, "");
    let (short, long) = (Digest::sha256(&manifest), Digest::of(Algorithm::Sha512, &manifest));
    (manifest, short, long)
}

async fn is_called(bed: &Bed, tag: &str, digest: &Digest) {
    let path = format!("/v2/a/manifests/{tag}");
    for reply in [bed.head(&path).await.is(200), bed.get(&path).await.is(200)] {
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        assert_eq!(reply.header("etag"), format!("\"{digest}\""));
    }
}

#[tokio::test]
async fn a_tag_keeps_the_digest_that_its_manifest_was_pushed_under() {
    for bed in Bed::each().await {
        let (manifest, short, long) = parts(&bed, "a", b"layer").await;
        let by_long = format!("{long}?tag=v1");
        for _ in 0..2 {
            bed.put_manifest("a", &by_long, IMAGE, &manifest).await.is(201);
            is_called(&bed, "v1", &long).await;
            is_called(&bed.another().await, "v1", &long).await;
            bed.put_manifest("a", "v1", IMAGE, &manifest).await.is(201);
            is_called(&bed, "v1", &short).await;
        }
        bed.put_manifest("a", &by_long, IMAGE, &manifest).await.is(201);
        bed.put_manifest("a", "v2", IMAGE, &manifest).await.is(201);
        // A tag goes alone, with all that there is of it; the manifest takes its tags along, under whichever name either goes.
        bed.delete("/v2/a/manifests/v1").await.is(202);
        bed.another().await.get("/v2/a/manifests/v1").await.is(404);
        assert_eq!(bed.another().await.get("/v2/a/tags/list").await.json()["tags"], serde_json::json!(["v2"]));
        bed.put_manifest("a", &by_long, IMAGE, &manifest).await.is(201);
        bed.another().await.delete(&format!("/v2/a/manifests/{short}")).await.is(202);
        for reference in ["v1".to_owned(), "v2".to_owned(), short.to_string(), long.to_string()] {
            bed.another().await.get(&format!("/v2/a/manifests/{reference}")).await.is(404);
        }
    }
}

#[tokio::test]
async fn whoever_sets_a_condition_may_use_either_name() {
    let bed = Bed::memory().await;
    let (manifest, short, long) = parts(&bed, "a", b"layer").await;
    let (next, next_short, next_long) = parts(&bed, "a", b"next").await;
    let put = async |path: String, name: &str, value: String, manifest: &[u8]| {
        let headers = [("content-type", IMAGE), (name, value.as_str())];
        let path = format!("/v2/a/manifests/{path}");
        bed.send("PUT", &path, &headers, manifest.to_vec()).await.status.as_u16()
    };
    let tagged = |digest: &Digest| format!("{digest}?tag=v1");
    // Where the manifest gets tags, the condition is about those.
    let new = ("if-none-match", "*".to_owned());
    assert_eq!(put(tagged(&long), new.0, new.1.clone(), &manifest).await, 201);
    assert_eq!(put(tagged(&long), new.0, new.1.clone(), &manifest).await, 412);
    assert_eq!(put(format!("{long}?tag=v2"), new.0, new.1.clone(), &manifest).await, 201);
    assert_eq!(put(long.to_string(), new.0, new.1, &manifest).await, 412, "without tags it is about the manifest");
    for (name, status) in [(&next_long, 412), (&next_short, 412), (&long, 201), (&next_short, 201), (&next_long, 201)] {
        assert_eq!(put(tagged(&next_long), "if-match", format!("\"{name}\""), &next).await, status, "{name}");
    }
    assert_eq!(put("v2".to_owned(), "if-match", format!("\"{short}\""), &next).await, 201);
    assert_eq!(put("v2".to_owned(), "if-match", format!("\"{long}\""), &next).await, 412);
    assert_eq!(put("v2".to_owned(), "if-match", format!("\"{next_long}\""), &next).await, 201);
    assert_eq!(put(next_long.to_string(), "if-match", format!("\"{next_long}\""), &next).await, 201);
    let delete = async |value: String| {
        bed.send("DELETE", "/v2/a/manifests/v1", &[("if-match", &value)], "").await.status.as_u16()
    };
    assert_eq!(delete(format!("\"{short}\"")).await, 412);
    assert_eq!(delete(format!("\"{next_short}\"")).await, 202);
}

#[tokio::test]
async fn a_tag_that_is_never_moved_keeps_its_name() {
    let rule = ImmutableRule { prefix: Prefix::Below("a".to_owned()), tags: vec!["v*".to_owned()] };
    let config = StoreConfig { immutable: vec![rule], ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    let (manifest, short, long) = parts(&bed, "a", b"layer").await;
    let (other, _, other_long) = parts(&bed, "a", b"other").await;
    bed.put_manifest("a", &format!("{long}?tag=v1"), IMAGE, &manifest).await.is(201);
    bed.put_manifest("a", "v1", IMAGE, &manifest).await.is(201);
    is_called(&bed, "v1", &long).await;
    bed.put_manifest("a", &format!("{other_long}?tag=v1"), IMAGE, &other).await.is(403);
    bed.put_manifest("a", "v1", IMAGE, &other).await.is(403);
    for digest in [&short, &long] {
        bed.delete(&format!("/v2/a/manifests/{digest}")).await.is(403);
    }
    // Where the link from its digest is lost, the same bytes bring it back, whatever they are pushed under.
    let alias = layout::revision(&"a".parse().unwrap(), &long);
    for reference in ["v1".to_owned(), format!("{short}?tag=v1"), format!("{long}?tag=v1")] {
        bed.blobs.delete(std::slice::from_ref(&alias)).await.unwrap();
        let bed = bed.another().await;
        bed.get("/v2/a/manifests/v1").await.is(404);
        bed.put_manifest("a", "v1", IMAGE, &other).await.is(403);
        bed.delete(&format!("/v2/a/manifests/{short}")).await.is(403);
        bed.put_manifest("a", &reference, IMAGE, &manifest).await.is(201);
        is_called(&bed, "v1", &long).await;
    }
}

#[tokio::test]
async fn a_tag_that_was_moved_on_stays_although_nothing_leads_from_it() {
    let bed = Bed::memory().await;
    let (first, _) = bed.push_image("a", "v1", b"first").await;
    let (manifest, _, long) = parts(&bed, "a", b"layer").await;
    bed.put_manifest("a", &format!("{long}?tag=v1"), IMAGE, &manifest).await.is(201);
    bed.blobs.delete(&[layout::revision(&"a".parse().unwrap(), &long)]).await.unwrap();
    let next = bed.another().await;
    next.delete(&format!("/v2/a/manifests/{first}")).await.is(202);
    next.put_manifest("a", &long.to_string(), IMAGE, &manifest).await.is(201);
    is_called(&next, "v1", &long).await;
}

#[tokio::test]
async fn another_region_says_what_a_tag_is_called_and_hears_what_all_call_it() {
    let bed = Bed::memory().await;
    let (manifest, short, long) = parts(&bed, "a", b"layer").await;
    let (name, wrong) = (TAG_DIGEST, Digest::of(Algorithm::Sha512, b"other"));
    for (value, status) in [(wrong.to_string(), 400), ("sha512:x".to_owned(), 400), (long.to_string(), 201)] {
        let headers = [("content-type", IMAGE), (name.as_str(), value.as_str())];
        bed.send("PUT", "/v2/a/manifests/v1", &headers, manifest.clone()).await.is(status);
    }
    is_called(&bed, "v1", &long).await;
    let head = bed.send("HEAD", "/v2/a/manifests/v1", &[(STAMP.as_str(), "?")], "").await.is(200);
    assert_eq!(head.header("docker-content-digest"), short.to_string());
}
