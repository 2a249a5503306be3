//! What is called by its SHA-512.

use super::*;

/// An image that calls its layer by SHA-512, as a client may.
async fn push_by_sha512(bed: &Bed, repository: &str, tag: &str) -> (Digest, Digest) {
    let (bytes, alias) = (b"by another name", Digest::of(Algorithm::Sha512, b"by another name"));
    bed.store.put_small_blob(&name(repository), &alias, Bytes::from_static(bytes)).await.unwrap();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/x", "digest": alias.to_string(), "size": bytes.len()},
        "layers": [],
    });
    (bed.put(repository, tag, manifest.to_string()).await, Digest::sha256(bytes))
}

#[tokio::test]
async fn what_a_manifest_calls_by_another_algorithm_stays_and_goes_with_it() {
    let bed = Bed::new();
    let (manifest, layer) = push_by_sha512(&bed, "a", "v1").await;
    let report = bed.collect().await;
    assert_eq!((report.collected.removed, bed.has(&layer).await), (0, true));
    bed.store.delete_manifest(&name("a"), &manifest).await.unwrap();
    bed.clock.advance(DAY);
    let report = bed.collect().await;
    assert_eq!((report.collected.removed, bed.has(&layer).await), (2, false));
    let left = crate::gc::pages::all_objects(&bed.blobs, &layout::layers(&name("a"))).await.unwrap();
    assert!(left.is_empty(), "its links go, under both names: {left:?}");
}

#[tokio::test]
async fn an_alias_whose_manifest_was_let_go_of_keeps_nothing() {
    let bed = Bed::new();
    let layer = bed.push_blob("a", b"layer").await;
    let manifest = bed.push_manifest("a", "v1", &layer, &[]).await;
    let alias = layout::revision(&name("a"), &Digest::of(Algorithm::Sha512, b"whatever it is"));
    bed.blobs.put(&alias, Bytes::from(manifest.to_string()), Condition::Always).await.unwrap();
    assert_eq!(bed.collect().await.collected.removed, 0);
    bed.store.delete_manifest(&name("a"), &manifest).await.unwrap();
    bed.clock.advance(DAY);
    assert_eq!(bed.collect().await.collected.removed, 2);
}

#[tokio::test]
async fn what_a_tag_calls_by_another_digest_stays() {
    let mut bed = Bed::new();
    bed.config.tag_history = false;
    let layer = bed.push_blob("a", b"layer").await;
    let manifest = bed.push_manifest("a", "v1", &layer, &[]).await;
    let bytes = crate::gc::documents::read_bytes(&bed.blobs, &layout::blob(&manifest), Freshness::Any).await;
    let bytes = bytes.unwrap().unwrap();
    let long = Digest::of(Algorithm::Sha512, &bytes);
    let new = NewManifest {
        reference: Reference::Digest(long.clone()),
        tags: vec!["v1".parse().unwrap()],
        content_type: None,
        condition: TagCondition::Always,
        bytes,
    };
    bed.store.put_manifest(&name("a"), new).await.unwrap();
    // Only the tag is left to say that it is needed.
    bed.blobs.delete(&[layout::revision(&name("a"), &manifest)]).await.unwrap();
    assert_eq!(bed.collect().await.collected.removed, 0);
    // Where nothing says what the tag means, it may be anything: all that the repository links is kept.
    bed.blobs.delete(&[layout::revision(&name("a"), &long)]).await.unwrap();
    bed.clock.advance(DAY);
    bed.collect().await;
    assert!(bed.has(&layer).await);
}
