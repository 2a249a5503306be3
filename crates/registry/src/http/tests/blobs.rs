//! Blobs: pushed whole, read whole and in parts, mounted, deleted.

use jeroboam_oci::{Algorithm, Digest};

use super::bed::{Bed, everything_allowed};
use super::counting::{Counting, Death};
use crate::http::{HttpConfig, Redirect};
use crate::store::StoreConfig;

#[tokio::test]
async fn blobs_are_pushed_and_read() {
    for bed in Bed::each().await {
        let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        for bytes in [&b""[..], b"{}", b"layer", &large] {
            let digest = bed.push("team/app", bytes).await;
            let path = format!("/v2/team/app/blobs/{digest}");
            let head = bed.head(&path).await.is(200);
            assert_eq!(head.header("content-length"), bytes.len().to_string());
            assert_eq!(head.header("docker-content-digest"), digest.to_string());
            let get = bed.get(&path).await.is(200);
            assert_eq!(get.body, bytes);
            assert_eq!(get.header("content-type"), "application/octet-stream");
            assert_eq!(get.header("accept-ranges"), "bytes");
            assert_eq!(get.header("etag"), format!("\"{digest}\""));
            assert_eq!(get.header("docker-distribution-api-version"), "registry/2.0");
            assert_eq!(get.header("x-content-type-options"), "nosniff");
            let again = bed.send("GET", &path, &[("if-none-match", get.header("etag"))], "").await.is(304);
            assert_eq!(again.header("docker-content-digest"), digest.to_string());
            bed.get(&path.replace(':', "%3A")).await.is(200);
        }
    }
}

#[tokio::test]
async fn a_blob_may_come_in_one_request() {
    for bed in Bed::each().await {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for bytes in [b"small".to_vec(), vec![7; 1_000_000]] {
                let digest = Digest::of(algorithm, &bytes);
                let path = format!("/v2/a/blobs/uploads/?digest={digest}");
                let created = bed.send("POST", &path, &[], bytes.clone()).await.is(201);
                assert_eq!(created.location(), format!("/v2/a/blobs/{digest}"));
                assert_eq!(bed.get(&created.location()).await.is(200).body, bytes);
                let wrong = format!("/v2/a/blobs/uploads/?digest={}", Digest::of(algorithm, b"other"));
                assert_eq!(bed.send("POST", &wrong, &[], bytes).await.is(400).code(), "DIGEST_INVALID");
            }
        }
    }
}

#[tokio::test]
async fn a_blob_has_two_names_and_is_stored_once() {
    let bed = Bed::memory().await;
    let bytes = b"aliased".to_vec();
    let (short, long) = (Digest::sha256(&bytes), Digest::of(Algorithm::Sha512, &bytes));
    bed.push_as("a", &long, &bytes).await;
    for digest in [&short, &long] {
        let get = bed.get(&format!("/v2/a/blobs/{digest}")).await.is(200);
        assert_eq!(get.header("docker-content-digest"), digest.to_string(), "in the words of the client");
    }
    assert!(!bed.blobs.calls().iter().any(|call| call.contains("blobs/sha512")), "the store sorts by SHA-256");
    bed.delete(&format!("/v2/a/blobs/{short}")).await.is(202);
    for digest in [&short, &long] {
        bed.get(&format!("/v2/a/blobs/{digest}")).await.is(404);
    }
}

#[tokio::test]
async fn parts_of_a_blob_are_read() {
    for bed in Bed::each().await {
        let bytes: Vec<u8> = (0..2048_u32).map(|n| (n % 251) as u8).collect();
        let path = format!("/v2/a/blobs/{}", bed.push("a", &bytes).await);
        for (range, part) in [
            ("bytes=500-1499", 500..1500),
            ("bytes=500-", 500..2048),
            ("bytes=-500", 1548..2048),
            ("bytes=2000-5000", 2000..2048),
        ] {
            let reply = bed.send("GET", &path, &[("range", range)], "").await.is(206);
            assert_eq!(reply.body, bytes[part.clone()], "{range}");
            assert_eq!(reply.header("content-range"), format!("bytes {}-{}/2048", part.start, part.end - 1));
        }
        for range in ["bytes=500-0", "bytes=5000-10000"] {
            let reply = bed.send("GET", &path, &[("range", range)], "").await.is(416);
            assert_eq!(reply.header("content-range"), "bytes */2048");
            assert_eq!(reply.code(), "RANGE_INVALID");
        }
        bed.send("GET", &path, &[("range", "bytes=0-1,5-6")], "").await.is(200);
        bed.send("GET", &path, &[("range", "bytes=0-1"), ("if-range", "\"other\"")], "").await.is(200);
    }
}

#[tokio::test]
async fn a_blob_is_taken_from_another_repository_or_a_session_begins() {
    let bed = Bed::memory().await;
    let digest = bed.push("from", b"layer").await;
    let mount = |query: String| format!("/v2/to/blobs/uploads/?{query}");
    let mounted = bed.send("POST", &mount(format!("mount={digest}&from=from")), &[], "").await.is(201);
    assert_eq!(mounted.location(), format!("/v2/to/blobs/{digest}"));
    bed.get(&mounted.location()).await.is(200);
    let encoded = mount(format!("from=from&mount={}", digest.to_string().replace(':', "%3A")));
    bed.send("POST", &encoded.replace("/to/", "/encoded/"), &[], "").await.is(201);
    let nowhere = mount(format!("mount={digest}"));
    bed.send("POST", &nowhere.replace("/to/", "/seen/"), &[], "").await.is(201);
    for query in [
        format!("mount={}&from=from", Digest::sha256(b"unknown")),
        format!("mount={}", Digest::sha256(b"unknown")),
        format!("mount={digest}&from=NO"),
        "mount=sha256:x&from=from".to_owned(),
        "mount=&from=".to_owned(),
    ] {
        let begun = bed.send("POST", &mount(query.clone()), &[], "").await.is(202);
        assert!(begun.location().starts_with("/v2/to/blobs/uploads/"), "{query}");
    }
}

#[tokio::test]
async fn a_deleted_blob_is_gone_at_once_and_only_here() {
    for bed in Bed::each().await {
        let path = format!("/v2/a/blobs/{}", bed.push("a", b"layer").await);
        bed.push("b", b"layer").await;
        bed.head(&path).await.is(200);
        bed.delete(&path).await.is(202);
        bed.head(&path).await.is(404);
        assert_eq!(bed.delete(&path).await.is(404).code(), "BLOB_UNKNOWN");
        bed.head(&path.replace("/a/", "/b/")).await.is(200);
        bed.push("a", b"layer").await;
        bed.head(&path).await.is(200);
    }
}

#[tokio::test]
async fn a_blob_whose_deletion_failed_half_way_is_not_believed_to_be_there() {
    for bed in Bed::each().await {
        let path = format!("/v2/a/blobs/{}", bed.push("a", b"layer").await);
        bed.head(&path).await.is(200);
        // The link goes, and nobody hears of it.
        bed.blobs.die(Some(Death { calls: 0, has_effect: true, from_behind: false }));
        bed.delete(&path).await.is(503);
        bed.blobs.die(None);
        bed.head(&path).await.is(404);
        bed.push("a", b"layer").await;
        bed.head(&path).await.is(200);
    }
}

#[tokio::test]
async fn clients_are_sent_to_the_store_for_bytes_and_never_for_a_head() {
    for (redirect, small, large) in [
        (Redirect::Off, 200, 200),
        (Redirect::On, 307, 307),
        (Redirect::Auto(vec![]), 200, 307),
        (Redirect::Auto(vec!["127.0.0.0/8".parse().unwrap()]), 200, 307),
        (Redirect::Auto(vec!["10.0.0.0/8".parse().unwrap()]), 200, 200),
    ] {
        let mut blobs = Counting::new(std::sync::Arc::new(jeroboam_blobs::Memory::default()));
        blobs.presigned = Some("https://store.example.org");
        let http = HttpConfig { redirect: redirect.clone(), ..HttpConfig::default() };
        let bed = Bed::counting(blobs, everything_allowed(), http).await;
        for (bytes, status) in [(vec![1; 10], small), (vec![1; 2 << 20], large)] {
            let path = format!("/v2/a/blobs/{}", bed.push("a", &bytes).await);
            bed.head(&path).await.is(200);
            let get = bed.get(&path).await.is(status);
            if status == 307 {
                assert!(get.header("location").starts_with("https://store.example.org/docker/registry/v2/blobs/"));
                assert!(get.header("docker-content-digest").starts_with("sha256:"));
            }
        }
    }
}

#[tokio::test]
async fn what_is_left_of_a_broken_blob_counts_as_missing_and_is_mended() {
    for bed in Bed::each().await {
        let digest = bed.push("a", b"layer").await;
        let path = format!("/v2/a/blobs/{digest}");
        let object = jeroboam_oci::layout::blob(&digest);
        let put = |bytes: &'static [u8]| {
            let (blobs, object) = (bed.blobs.clone(), object.clone());
            async move {
                let always = jeroboam_blobs::Condition::Always;
                jeroboam_blobs::Blobs::put(&*blobs, &object, bytes.into(), always).await.unwrap()
            }
        };
        put(b"").await;
        let other = bed.another().await;
        other.head(&path).await.is(404);
        other.get(&path).await.is(404);
        other.push("a", b"layer").await;
        assert_eq!(other.get(&path).await.is(200).body, &b"layer"[..]);
        let link = jeroboam_oci::layout::layer(&"a".parse().unwrap(), &digest);
        jeroboam_blobs::Blobs::put(&*bed.blobs, &link, "sha256:44".into(), jeroboam_blobs::Condition::Always)
            .await
            .unwrap();
        let third = bed.another().await;
        third.head(&path).await.is(404);
        third.push("a", b"layer").await;
        third.head(&path).await.is(200);
    }
}

#[tokio::test]
async fn bytes_that_went_bad_are_not_given_whole_and_a_push_mends_them() {
    use jeroboam_blobs::{Blobs as _, Condition};
    let config = StoreConfig { verify_reads: 1, ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    // In several pieces, so that an answer begins before its end is looked at.
    let (good, mut bad) = (vec![7; 1_000_000], vec![7; 1_000_000]);
    bad[999_999] = 8;
    let (digest, manifest) = bed.push_image("a", "v1", &good).await;
    let layer = Digest::sha256(&good);
    for (digest, wrong) in [(&layer, &bad), (&digest, &vec![b'{'; manifest.len()])] {
        let path = jeroboam_oci::layout::blob(digest);
        bed.blobs.put(&path, bytes::Bytes::copy_from_slice(wrong), Condition::Always).await.unwrap();
    }
    let bed = bed.another().await;
    let path = format!("/v2/a/blobs/{layer}");
    assert!(bed.get(&path).await.body.len() < good.len(), "it breaks off");
    // Whoever has them is asked for them.
    bed.head(&path).await.is(404);
    bed.push("a", &good).await;
    assert!(bed.get(&path).await.is(200).body == good);
    bed.get("/v2/a/manifests/v1").await.is(503);
    bed.put_manifest("a", "v1", super::bed::IMAGE, &manifest).await.is(201);
    assert_eq!(bed.get("/v2/a/manifests/v1").await.is(200).body, manifest);
    assert_eq!(bed.another().await.get(&format!("/v2/a/manifests/{digest}")).await.is(200).body, manifest);
}
