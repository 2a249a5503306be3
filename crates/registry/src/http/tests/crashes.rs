//! A process that dies at any call to its place of objects leaves garbage, and no name that leads nowhere.

use jeroboam_oci::Digest;

use super::bed::{Bed, IMAGE, Reply, descriptor, image};
use super::counting::Death;

/// A life with all that changes something. Answers are not looked at: the process may be dead.
async fn live(bed: &Bed) {
    let put = |reference: &'static str, manifest: Vec<u8>| async move {
        let path = format!("/v2/a/manifests/{reference}");
        bed.send("PUT", &path, &[("content-type", IMAGE)], manifest).await
    };
    for blob in [&b"{}"[..], b"one", b"two"] {
        let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::sha256(blob));
        bed.send("POST", &path, &[], blob.to_vec()).await;
    }
    in_pieces(bed).await;
    put("v1", image(b"one", "")).await;
    put("v1", image(b"two", "")).await;
    put("v2", image(b"two", "")).await;
    let about = image(b"one", &format!(r#","subject":{}"#, descriptor(IMAGE, &image(b"two", ""))));
    put("about", about).await;
    bed.delete("/v2/a/manifests/v2").await;
    bed.delete(&format!("/v2/a/manifests/{}", Digest::sha256(&image(b"one", "")))).await;
    bed.delete(&format!("/v2/a/manifests/{}", Digest::sha256(&image(b"two", "")))).await;
}

/// An upload in pieces, as far as it gets. Gives the last answer.
async fn in_pieces(bed: &Bed) -> Option<Reply> {
    let begun = bed.send("POST", "/v2/a/blobs/uploads/", &[], "").await;
    let first = (begun.status == 202).then_some(begun)?;
    let first = bed.send("PATCH", &first.location(), &[], "in ").await;
    let second = (first.status == 202).then_some(first)?;
    let digest = Digest::sha256(b"in pieces");
    Some(bed.send("PUT", &format!("{}&digest={digest}", second.location()), &[], "pieces").await)
}

/// What has to hold whatever happened.
async fn check(bed: &Bed, death: Death) {
    let tags = bed.get("/v2/a/tags/list").await;
    let tags = if tags.status == 200 { tags.json()["tags"].as_array().unwrap().clone() } else { Vec::new() };
    for tag in tags {
        let tag = tag.as_str().unwrap();
        let path = format!("/v2/a/manifests/{tag}");
        let manifest = bed.get(&path).await;
        if manifest.status == 404 {
            // Half deleted. Deleting it again takes the rest away.
            bed.delete(&path).await.is(404);
            let tags = bed.get("/v2/a/tags/list").await.json();
            assert!(!tags["tags"].as_array().unwrap().iter().any(|listed| listed == tag), "{death:?}");
            continue;
        }
        assert_eq!(manifest.status, 200, "{tag}: {death:?}");
        // What a tag gives is there by its digest, too.
        let by_digest = bed.get(&format!("/v2/a/manifests/{}", Digest::sha256(&manifest.body))).await;
        assert_eq!(by_digest.status, 200, "{tag}: {death:?}");
        let document = manifest.json();
        let layers = document["layers"].as_array().unwrap().iter();
        for named in layers.chain([&document["config"]]) {
            let blob = bed.get(&format!("/v2/a/blobs/{}", named["digest"].as_str().unwrap())).await;
            assert_eq!(blob.status, 200, "{tag}: {death:?}");
            assert_eq!(Digest::sha256(&blob.body).to_string(), named["digest"].as_str().unwrap(), "{death:?}");
        }
    }
    for blob in [&b"{}"[..], b"one", b"two", b"in pieces"] {
        let path = format!("/v2/a/blobs/{}", Digest::sha256(blob));
        let (head, get) = (bed.head(&path).await, bed.get(&path).await);
        assert_eq!(head.status, get.status, "{death:?}");
        assert!(get.status == 404 || get.body == blob, "{death:?}");
    }
}

#[tokio::test]
async fn a_process_that_dies_at_any_call_leaves_nothing_that_leads_nowhere() {
    let whole = Bed::memory().await;
    live(&whole).await;
    let calls = whole.blobs.calls().len();
    assert!(calls > 30, "{calls}");
    for calls in 0..calls {
        for (has_effect, from_behind) in [(false, false), (true, false), (true, true)] {
            let death = Death { calls, has_effect, from_behind };
            let bed = Bed::memory().await;
            bed.blobs.die(Some(death));
            live(&bed).await;
            bed.blobs.die(None);
            let next = bed.another().await;
            check(&next, death).await;
            // The same life again mends whatever is left.
            for blob in [&b"{}"[..], b"one", b"two"] {
                next.push("a", blob).await;
            }
            next.put_manifest("a", "v1", IMAGE, &image(b"two", "")).await.is(201);
            in_pieces(&next).await.expect("it goes on").is(201);
            check(&next.another().await, death).await;
        }
    }
}
