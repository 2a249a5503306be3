//! How many requests to the place of objects each operation costs.

use jeroboam_oci::{Algorithm, Digest};

use super::bed::{Bed, IMAGE, image};

#[track_caller]
fn check(what: &str, bed: &Bed, most: usize) {
    let calls = bed.blobs.calls();
    assert!(calls.len() <= most, "{what}: {} calls, and {most} are allowed: {calls:#?}", calls.len());
}

#[tokio::test]
async fn operations_cost_as_few_requests_as_they_need() {
    let bed = Bed::memory().await;
    let bytes = vec![7; 1000];
    let path = format!("/v2/a/blobs/{}", Digest::sha256(&bytes));
    // The secret of the first upload's address is made up once for all processes.
    bed.send("POST", "/v2/a/blobs/uploads/", &[], "").await.is(202);
    bed.blobs.calls();

    bed.head(&path).await.is(404);
    check("HEAD of a blob that is missing", &bed, 1);
    let begun = bed.send("POST", "/v2/a/blobs/uploads/", &[], "").await.is(202);
    check("the beginning of an upload", &bed, 0);
    let digest = Digest::sha256(&bytes);
    bed.send("PUT", &format!("{}&digest={digest}", begun.location()), &[], bytes.clone()).await.is(201);
    check("the end of an upload of 1 kB", &bed, 2);
    bed.head(&path).await.is(200);
    check("HEAD of a blob that was just pushed", &bed, 0);
    bed.get(&path).await.is(200);
    check("GET of a blob that is known", &bed, 1);

    bed.push("a", b"{}").await;
    bed.blobs.calls();
    let manifest = image(&bytes, "");
    bed.put_manifest("a", "v1", IMAGE, &manifest).await.is(201);
    check("PUT of a manifest by tag", &bed, 4);
    // On a busy machine a second may pass between two requests.
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let before = std::time::Instant::now();
        bed.head("/v2/a/manifests/v1").await.is(200);
        bed.blobs.calls();
        bed.head("/v2/a/manifests/v1").await.is(200);
        if before.elapsed() < std::time::Duration::from_secs(1) {
            check("HEAD of a manifest within the second", &bed, 0);
            break;
        }
    }
    bed.blobs.calls();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    bed.head("/v2/a/manifests/v1").await.is(200);
    check("HEAD of a manifest by tag", &bed, 1);
    let by_digest = format!("/v2/a/manifests/{}", Digest::sha256(&manifest));
    bed.get(&by_digest).await.is(200);
    check("GET of a manifest by digest that is known", &bed, 0);

    let mount = format!("/v2/b/blobs/uploads/?mount={digest}&from=a");
    bed.send("POST", &mount, &[], "").await.is(201);
    check("a mount", &bed, 2);
    bed.get("/v2/_catalog").await.is(200);
    check("the catalog", &bed, 1);
    bed.delete(&by_digest).await.is(202);
    // A list of the tags, a look at the one, and three deletions: a place that removes in any order is given one kind after the other.
    check("DELETE of a manifest with a tag", &bed, 5);
}

#[tokio::test]
async fn a_process_that_knows_nothing_asks_little_more() {
    let bed = Bed::memory().await;
    let (digest, manifest) = bed.push_image("a", "v1", b"layer").await;
    let layer = format!("/v2/a/blobs/{}", Digest::sha256(b"layer"));
    let fresh = |what: &'static str, most: usize, method: &'static str, path: String, status: u16| {
        let (bed, manifest) = (&bed, manifest.clone());
        async move {
            let next = bed.another().await;
            let body = if method == "PUT" { manifest } else { Vec::new() };
            next.send(method, &path, &[("content-type", IMAGE)], body).await.is(status);
            check(what, &next, most);
        }
    };
    fresh("HEAD of a blob", 2, "HEAD", layer.clone(), 200).await;
    fresh("GET of a blob", 2, "GET", layer.clone(), 200).await;
    fresh("HEAD of a manifest by tag", 1, "HEAD", "/v2/a/manifests/v1".to_owned(), 200).await;
    let known = bed.another().await;
    let (head, get) = (known.head("/v2/a/manifests/v1").await.is(200), known.get("/v2/a/manifests/v1").await.is(200));
    for name in ["content-type", "content-length", "docker-content-digest", "etag"] {
        assert!(!head.header(name).is_empty(), "{name}");
        assert_eq!(head.header(name), get.header(name), "what is noted is what is there: {name}");
    }
    fresh("GET of a manifest by digest", 2, "GET", format!("/v2/a/manifests/{digest}"), 200).await;
    // Both references are looked for: the link and the bytes, since distribution's garbage collection leaves links without.
    // One more says that the manifest, which is there, is whole.
    fresh("PUT of a manifest by tag", 4 + 2 * 2 + 1, "PUT", "/v2/a/manifests/v1".to_owned(), 201).await;
    fresh("a mount", 3, "POST", format!("/v2/b/blobs/uploads/?mount={}&from=a", Digest::sha256(b"layer")), 201).await;
    fresh("DELETE of a manifest with a tag", 7, "DELETE", format!("/v2/a/manifests/{digest}"), 202).await;
}

#[tokio::test]
async fn the_same_bytes_at_the_same_time_are_written_once() {
    for size in [1000, 2_000_000] {
        let bed = Bed::memory().await;
        let bytes = vec![9; size];
        let digest = Digest::sha256(&bytes);
        let names: Vec<String> = (0..8).map(|n| format!("r{n}")).collect();
        let pushes = names.iter().map(|name| {
            let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
            let (bed, bytes) = (&bed, bytes.clone());
            async move { bed.send("POST", &path, &[], bytes).await.is(201) }
        });
        futures::future::join_all(pushes).await;
        for name in &names {
            assert_eq!(bed.get(&format!("/v2/{name}/blobs/{digest}")).await.is(200).body.len(), size);
        }
        if size < 2000 {
            let puts =
                bed.blobs.calls().iter().filter(|call| call.starts_with("put docker/registry/v2/blobs/")).count();
            assert!(puts <= 8, "{puts}");
        }
        bed.blobs.calls();
        // What is there is only compared.
        let path = format!("/v2/again/blobs/uploads/?digest={digest}");
        bed.send("POST", &path, &[], bytes.clone()).await.is(201);
        assert!(!bed.blobs.calls().iter().any(|call| call.starts_with("create")));
    }
}

#[tokio::test]
async fn a_small_upload_by_another_algorithm_costs_one_more_link() {
    let bed = Bed::memory().await;
    bed.send("POST", "/v2/a/blobs/uploads/", &[], "").await.is(202);
    bed.blobs.calls();
    let digest = Digest::of(Algorithm::Sha512, b"bytes");
    bed.send("POST", &format!("/v2/a/blobs/uploads/?digest={digest}"), &[], "bytes").await.is(201);
    check("a blob by SHA-512", &bed, 3);
}
