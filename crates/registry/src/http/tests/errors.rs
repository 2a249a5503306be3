//! Every code, and what comes of an outage.

use std::collections::BTreeSet;

use axum::body::Body;
use jeroboam_blobs::Kind;
use jeroboam_oci::Digest;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::bed::{Bed, IMAGE, image, index};
use crate::http::HttpConfig;
use crate::store::StoreConfig;

const UNKNOWN: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ID: &str = "0197a1b2-0000-4000-8000-000000000000";

/// A request, and status and code of the answer.
type Case<'a> = (&'a str, String, Vec<(&'a str, &'a str)>, Vec<u8>, u16, &'a str);

#[tokio::test]
async fn every_refusal_has_its_code() {
    let bed = Bed::memory().await;
    bed.push_image("a", "v1", b"layer").await;
    let large = vec![b' '; (4 << 20) + 1];
    let many_tags = (0..101).map(|n| format!("tag=t{n}")).collect::<Vec<_>>().join("&");
    let no_json: &[u8] = b"no JSON";
    let mismatch = index(&[], "");
    let schema1 = br#"{"schemaVersion":1,"name":"a","tag":"v1","fsLayers":[],"history":[]}"#;
    let manifest = image(b"layer", "");
    let cases: Vec<Case> = vec![
        ("GET", format!("/v2/a/blobs/{UNKNOWN}"), vec![], vec![], 404, "BLOB_UNKNOWN"),
        ("DELETE", format!("/v2/a/blobs/{UNKNOWN}"), vec![], vec![], 404, "BLOB_UNKNOWN"),
        ("GET", "/v2/a/blobs/sha256:totallywrong".into(), vec![], vec![], 400, "DIGEST_INVALID"),
        ("GET", "/v2/a/manifests/v9".into(), vec![], vec![], 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/a/manifests/.x".into(), vec![], vec![], 404, "MANIFEST_UNKNOWN"),
        ("GET", format!("/v2/a/manifests/{UNKNOWN}"), vec![], vec![], 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/a/manifests/sha256:baddigeststring".into(), vec![], vec![], 400, "DIGEST_INVALID"),
        ("DELETE", "/v2/a/manifests/v9".into(), vec![], vec![], 404, "MANIFEST_UNKNOWN"),
        ("PUT", "/v2/a/manifests/.x".into(), vec![], manifest.clone(), 400, "TAG_INVALID"),
        ("PUT", "/v2/a/manifests/sha256:baddigeststring".into(), vec![], manifest.clone(), 400, "DIGEST_INVALID"),
        (
            "PUT",
            format!("/v2/a/manifests/{UNKNOWN}"),
            vec![("content-type", IMAGE)],
            manifest.clone(),
            400,
            "DIGEST_INVALID",
        ),
        ("PUT", format!("/v2/a/manifests/v1?{many_tags}"), vec![], manifest.clone(), 414, "UNSUPPORTED"),
        ("PUT", "/v2/a/manifests/v1?tag=.x".into(), vec![], manifest.clone(), 400, "TAG_INVALID"),
        ("PUT", "/v2/a/manifests/v2".into(), vec![("content-type", IMAGE)], no_json.to_vec(), 400, "MANIFEST_INVALID"),
        ("PUT", "/v2/a/manifests/v2".into(), vec![("content-type", IMAGE)], vec![], 400, "MANIFEST_INVALID"),
        ("PUT", "/v2/a/manifests/v2".into(), vec![("content-type", IMAGE)], mismatch, 400, "MANIFEST_INVALID"),
        ("PUT", "/v2/a/manifests/v2".into(), vec![], schema1.to_vec(), 400, "MANIFEST_INVALID"),
        ("PUT", "/v2/a/manifests/v2".into(), vec![("content-type", IMAGE)], large, 413, "MANIFEST_INVALID"),
        (
            "PUT",
            "/v2/new/manifests/v1".into(),
            vec![("content-type", IMAGE)],
            manifest.clone(),
            400,
            "MANIFEST_BLOB_UNKNOWN",
        ),
        ("GET", "/v2/nothing/tags/list".into(), vec![], vec![], 404, "NAME_UNKNOWN"),
        ("GET", "/v2/UPPER/tags/list".into(), vec![], vec![], 404, "NAME_UNKNOWN"),
        ("POST", "/v2/UPPER/blobs/uploads/".into(), vec![], vec![], 400, "NAME_INVALID"),
        ("GET", "/v2/a/tags/list?n=x".into(), vec![], vec![], 400, "PAGINATION_NUMBER_INVALID"),
        ("GET", format!("/v2/a/blobs/uploads/{ID}"), vec![], vec![], 404, "BLOB_UPLOAD_UNKNOWN"),
        ("PATCH", format!("/v2/a/blobs/uploads/{ID}"), vec![], vec![1], 404, "BLOB_UPLOAD_UNKNOWN"),
        ("PUT", format!("/v2/a/blobs/uploads/{ID}?digest={UNKNOWN}"), vec![], vec![], 404, "BLOB_UPLOAD_UNKNOWN"),
        ("DELETE", format!("/v2/a/blobs/uploads/{ID}"), vec![], vec![], 404, "BLOB_UPLOAD_UNKNOWN"),
        ("GET", "/v2/a/blobs/uploads/x".into(), vec![], vec![], 404, "BLOB_UPLOAD_UNKNOWN"),
        ("POST", "/v2/a/blobs/uploads/?digest=x".into(), vec![], vec![], 400, "DIGEST_INVALID"),
        ("POST", "/v2/a/tags/list".into(), vec![], vec![], 405, "UNSUPPORTED"),
        ("PATCH", "/v2/".into(), vec![], vec![], 405, "UNSUPPORTED"),
        ("GET", "/v1/search".into(), vec![], vec![], 404, "NOT_FOUND"),
        ("GET", "/".into(), vec![], vec![], 404, "NOT_FOUND"),
        ("GET", format!("/v2/{}/tags/list", "a/".repeat(9000)), vec![], vec![], 414, "UNSUPPORTED"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let reply = bed.send(method, &path, &headers, body).await.is(status);
        assert_eq!(reply.code(), code, "{method} {path}");
        assert_eq!(reply.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
        let first = &reply.json()["errors"][0];
        assert!(first["message"].as_str().is_some_and(|message| !message.is_empty()), "{first}");
        if method == "GET" {
            assert_eq!(bed.head(&path).await.status.as_u16(), status, "a HEAD says the same");
        }
    }
    assert_eq!(bed.get("/v2/").await.is(200).body, "{}");
    assert_eq!(bed.get("/v2").await.is(301).location(), "/v2/");
    assert!(bed.get("/v2/_oci/ext/discover").await.is(200).json()["extensions"].is_array());
    let options = bed.send("OPTIONS", "/v2/a/manifests/v1", &[], "").await.is(200);
    assert_eq!(options.header("allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
}

#[tokio::test]
async fn writing_and_deleting_are_switched_off() {
    let http = HttpConfig {
        headers: vec![("access-control-allow-origin".parse().unwrap(), "*".parse().unwrap())],
        ..HttpConfig::default()
    };
    let bed = Bed::with(StoreConfig::default(), http).await;
    let (digest, manifest) = bed.push_image("a", "v1", b"layer").await;
    let begun = bed.send("POST", "/v2/a/blobs/uploads/", &[], "").await.is(202).location();
    for path in [
        format!("/v2/a/manifests/{digest}"),
        "/v2/a/manifests/v1".to_owned(),
        format!("/v2/a/blobs/{}", Digest::sha256(b"layer")),
    ] {
        assert_eq!(bed.delete(&path).await.is(405).code(), "UNSUPPORTED");
    }
    bed.store.set_read_only(true);
    for (method, path, body) in [
        ("POST", "/v2/a/blobs/uploads/".to_owned(), vec![]),
        ("POST", format!("/v2/b/blobs/uploads/?mount={}&from=a", Digest::sha256(b"layer")), vec![]),
        ("POST", format!("/v2/a/blobs/uploads/?digest={UNKNOWN}"), vec![]),
        ("PATCH", begun.clone(), vec![1]),
        ("PUT", format!("{begun}&digest={UNKNOWN}"), vec![]),
        ("PUT", "/v2/a/manifests/v1".to_owned(), manifest),
    ] {
        assert_eq!(
            bed.send(method, &path, &[("content-type", IMAGE)], body).await.is(405).code(),
            "UNSUPPORTED",
            "{path}"
        );
    }
    let get = bed.get("/v2/a/manifests/v1").await.is(200);
    assert_eq!(get.header("access-control-allow-origin"), "*");
    bed.get(&format!("/v2/a/referrers/{digest}")).await.is(200);
    bed.store.set_read_only(false);
    bed.push("a", b"more").await;
}

#[tokio::test]
async fn an_outage_is_not_a_not_found() {
    let bed = Bed::memory().await;
    let (digest, manifest) = bed.push_image("a", "v1", b"layer").await;
    let layer = Digest::sha256(b"layer");
    let next = bed.another().await;
    let begun = next.send("POST", "/v2/a/blobs/uploads/", &[], "").await.is(202).location();
    for kind in [Kind::Unavailable, Kind::Refused, Kind::Broken] {
        next.blobs.fail(Some((kind, "docker/")));
        for (method, path, body) in [
            ("GET", format!("/v2/a/blobs/{layer}"), vec![]),
            ("HEAD", format!("/v2/a/blobs/{layer}"), vec![]),
            ("GET", "/v2/a/manifests/v1".to_owned(), vec![]),
            ("HEAD", format!("/v2/a/manifests/{digest}"), vec![]),
            ("PUT", "/v2/a/manifests/v1".to_owned(), manifest.clone()),
            ("GET", "/v2/a/tags/list".to_owned(), vec![]),
            ("GET", "/v2/_catalog".to_owned(), vec![]),
            ("GET", format!("/v2/a/referrers/{digest}"), vec![]),
            ("POST", format!("/v2/a/blobs/uploads/?digest={layer}"), b"layer".to_vec()),
            ("POST", format!("/v2/b/blobs/uploads/?mount={layer}&from=a"), vec![]),
            ("PATCH", begun.clone(), b"layer".to_vec()),
            ("DELETE", "/v2/a/manifests/v1".to_owned(), vec![]),
            ("DELETE", format!("/v2/a/manifests/{digest}"), vec![]),
            ("DELETE", format!("/v2/a/blobs/{layer}"), vec![]),
        ] {
            let reply = next.send(method, &path, &[("content-type", IMAGE)], body).await.is(503);
            assert!(!reply.header("retry-after").is_empty(), "{method} {path}");
            if method != "HEAD" {
                assert_eq!(reply.code(), "UNAVAILABLE");
                assert!(!String::from_utf8_lossy(&reply.body).contains("docker/"), "nothing of the inside: {reply:?}");
            }
        }
    }
    next.blobs.fail(Some((Kind::NoRoom, "put ")));
    let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::sha256(b"more"));
    let full = next.send("POST", &path, &[], "more").await.is(403);
    assert_eq!(full.code(), "DENIED");
    assert!(full.json()["errors"][0]["message"].as_str().unwrap().starts_with("quota exceeded"));
    next.blobs.fail(None);
    // The upload was not harmed by the outage.
    let first = next.send("PATCH", &begun, &[], "layer").await.is(202);
    next.send("PUT", &format!("{}&digest={layer}", first.location()), &[], "").await.is(201);
}

#[tokio::test]
async fn a_store_that_fails_at_any_call_leaves_no_tag_that_leads_nowhere() {
    // Whatever write fails, what a tag leads to is whole, and the same push heals the rest.
    for text in ["put docker/registry/v2/blobs", "_layers", "_manifests/revisions", "index/sha256", "current/link"] {
        let bed = Bed::memory().await;
        bed.blobs.fail(Some((Kind::Unavailable, text)));
        let manifest = image(b"layer", "");
        for blob in [&b"{}"[..], b"layer"] {
            let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::sha256(blob));
            bed.send("POST", &path, &[], blob.to_vec()).await;
        }
        assert_ne!(bed.put_manifest("a", "v1", IMAGE, &manifest).await.status, 201, "{text}");
        bed.blobs.fail(None);
        for bed in [&bed, &bed.another().await] {
            assert_eq!(bed.get("/v2/a/manifests/v1").await.status, 404, "{text}");
        }
        bed.push_image("a", "v1", b"layer").await;
        bed.another().await.get("/v2/a/manifests/v1").await.is(200);
    }
}

#[test]
fn no_request_makes_the_registry_fail() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let bed = runtime.block_on(async {
        let bed = Bed::memory().await;
        bed.push_image("a", "v1", b"layer").await;
        bed
    });
    let part = prop_oneof![
        Just("a".to_owned()),
        Just("manifests".to_owned()),
        Just("blobs".to_owned()),
        Just("uploads".to_owned()),
        Just("tags".to_owned()),
        Just("list".to_owned()),
        Just("referrers".to_owned()),
        Just("_catalog".to_owned()),
        Just(UNKNOWN.to_owned()),
        Just(Digest::sha256(b"layer").to_string()),
        Just(ID.to_owned()),
        Just("v1".to_owned()),
        "[ -~]{0,12}".prop_map(|text| jeroboam_oci::percent::encode(&text)),
        "(%[0-9a-fA-F]{2}|[a-z.]){0,8}",
    ];
    let query = "((n|last|digest|mount|from|tag|_state|artifactType|digest-algorithm)=[a-z0-9:%_.-]{0,20}&){0,3}";
    let method =
        proptest::sample::select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"]);
    let names =
        vec!["range", "content-range", "content-type", "if-match", "if-none-match", "if-range", "accept", "expect-x"];
    let header = (proptest::sample::select(names), proptest::collection::vec(32_u8..=255, 0..24));
    let header = header.prop_filter("a value that a header can have", |(_, value)| !value.contains(&127));
    let request = (
        method,
        proptest::collection::vec(part, 0..7),
        query,
        proptest::collection::vec(header, 0..3),
        proptest::collection::vec(any::<u8>(), 0..40),
    );
    let mut seen = BTreeSet::new();
    let mut runner = TestRunner::new(Config { cases: 1500, failure_persistence: None, ..Config::default() });
    let result = runner.run(&request, |(method, parts, query, headers, body)| {
        let path = format!("/v2/{}?{query}", parts.join("/"));
        let status = runtime.block_on(async {
            let mut request = http::Request::builder().method(method).uri(&path);
            for (name, value) in &headers {
                request = request.header(*name, value.as_slice());
            }
            let Ok(request) = request.body(Body::from(body)) else { return 0 };
            bed.respond(request).await.status().as_u16()
        });
        prop_assert!(status < 500, "{} {} {:?}: {}", method, path, headers, status);
        Ok(())
    });
    result.unwrap();
    // The same paths in the forms that mean something, so that the above is known to have reached further than the router.
    runtime.block_on(async {
        // Some of the requests may have deleted it.
        bed.push_image("a", "v1", b"layer").await;
        for path in ["/v2/a/manifests/v1", "/v2/a/tags/list", "/v2/_catalog", "/v2/"] {
            seen.insert(bed.get(path).await.status.as_u16());
        }
    });
    assert_eq!(seen, BTreeSet::from([200]));
}

#[tokio::test]
async fn what_takes_no_pushes_is_read_all_the_same() {
    let there = Bed::memory().await;
    there.push_image("a", "v1", b"layer").await;
    let layer = Digest::sha256(b"layer");
    let http = HttpConfig { takes_no_pushes: Some("push elsewhere"), ..HttpConfig::default() };
    let node = Bed::over(there.blobs.clone(), there.store.config().clone(), http).await;
    node.get("/v2/a/manifests/v1").await.is(200);
    node.get(&format!("/v2/a/blobs/{layer}")).await.is(200);
    node.get(&format!("/v2/a/referrers/{UNKNOWN}")).await.is(200);
    for (method, path) in [
        ("POST", "/v2/a/blobs/uploads/".to_owned()),
        ("PUT", "/v2/a/manifests/v2".to_owned()),
        ("DELETE", "/v2/a/manifests/v1".to_owned()),
        ("DELETE", format!("/v2/a/blobs/{layer}")),
    ] {
        let refused = node.send(method, &path, &[], image(b"layer", "")).await.is(405);
        assert_eq!(refused.code(), "UNSUPPORTED", "{method} {path}");
    }
    node.get("/v2/a/manifests/v1").await.is(200);
}
