//! Manifests and tags: pushed, read, moved on a condition, listed, deleted.

use jeroboam_blobs::Blobs as _;
use jeroboam_oci::{Algorithm, Digest, layout};

use super::bed::{Bed, IMAGE, INDEX, descriptor, everything_allowed, image, index};
use crate::config::{Children, ImmutableRule, Prefix};
use crate::http::HttpConfig;
use crate::store::{Compat, StoreConfig};

#[tokio::test]
async fn an_image_is_pushed_and_pulled() {
    for bed in Bed::each().await {
        let (digest, manifest) = bed.push_image("team/app", "v1", b"layer").await;
        for reference in ["v1".to_owned(), digest.to_string()] {
            let path = format!("/v2/team/app/manifests/{reference}");
            let head = bed.head(&path).await.is(200);
            let get = bed.get(&path).await.is(200);
            for reply in [&head, &get] {
                assert_eq!(reply.header("content-type"), IMAGE);
                assert_eq!(reply.header("content-length"), manifest.len().to_string());
                assert_eq!(reply.header("docker-content-digest"), digest.to_string());
                assert_eq!(reply.header("etag"), format!("\"{digest}\""));
            }
            assert_eq!(get.body, manifest);
            for known in [format!("\"{digest}\""), digest.to_string()] {
                bed.send("GET", &path, &[("if-none-match", &known)], "").await.is(304);
            }
            bed.send("GET", &path, &[("accept", "text/plain")], "").await.is(200);
        }
        assert_eq!(bed.get("/v2/team/app/tags/list").await.is(200).json()["tags"], serde_json::json!(["v1"]));
        assert_eq!(bed.get("/v2/_catalog").await.is(200).json()["repositories"], serde_json::json!(["team/app"]));
        let other = bed.another().await;
        assert_eq!(other.get("/v2/team/app/manifests/v1").await.is(200).body, manifest);
    }
}

#[tokio::test]
async fn what_a_manifest_names_has_to_be_there() {
    let bed = Bed::memory().await;
    bed.push("a", b"{}").await;
    bed.push("b", b"layer").await;
    let manifest = image(b"layer", "");
    let refused = bed.put_manifest("a", "v1", IMAGE, &manifest).await.is(400);
    assert_eq!(refused.code(), "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(refused.json()["errors"][0]["detail"]["digest"], Digest::sha256(b"layer").to_string());
    bed.get("/v2/a/manifests/v1").await.is(404);
    let both = bed.put_manifest("c", "v1", IMAGE, &manifest).await.is(400);
    assert_eq!(both.json()["errors"].as_array().unwrap().len(), 2, "one for each that is missing");

    let wrong_size = String::from_utf8(manifest.clone()).unwrap().replace("\"size\":5", "\"size\":6");
    bed.push("a", b"layer").await;
    bed.put_manifest("a", "v1", IMAGE, wrong_size.as_bytes()).await.is(400);
    bed.put_manifest("a", "v1", IMAGE, &manifest).await.is(201);

    let foreign = String::from_utf8(image(b"elsewhere", "")).unwrap();
    let foreign = foreign.replace("layer.v1.tar", "layer.nondistributable.v1.tar");
    bed.put_manifest("a", "foreign", IMAGE, foreign.as_bytes()).await.is(201);

    let whole = index(&[&manifest], "");
    bed.put_manifest("a", "many", INDEX, &whole).await.is(201);
    let part = index(&[&manifest, b"not here"], "");
    assert_eq!(bed.put_manifest("a", "sparse", INDEX, &part).await.is(400).code(), "MANIFEST_BLOB_UNKNOWN");
    let sparse = StoreConfig { children: Children::None, ..everything_allowed() };
    let bed = Bed::with(sparse, HttpConfig::default()).await;
    bed.put_manifest("a", "sparse", INDEX, &part).await.is(201);
    bed.get("/v2/a/manifests/sparse").await.is(200);
    assert_eq!(bed.put_manifest("a", "image", IMAGE, &manifest).await.is(400).code(), "MANIFEST_BLOB_UNKNOWN");
    let sparse = StoreConfig { sparse_images: true, ..everything_allowed() };
    let bed = Bed::with(sparse, HttpConfig::default()).await;
    bed.put_manifest("a", "image", IMAGE, &manifest).await.is(201);
    assert_eq!(bed.get("/v2/a/manifests/image").await.is(200).body, manifest);
    bed.push("a", b"layer").await;
    bed.put_manifest("a", "image", IMAGE, wrong_size.as_bytes()).await.is(400);
    assert_eq!(bed.get("/v2/_catalog").await.json()["repositories"], serde_json::json!(["a"]));
    assert_eq!(bed.put_manifest("a", "sparse", INDEX, &part).await.is(400).code(), "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn an_index_needs_its_children_of_the_platforms_of_a_list() {
    let listed = Children::Of(vec![("linux".to_owned(), "amd64".to_owned())]);
    let bed = Bed::with(StoreConfig { children: listed, ..everything_allowed() }, HttpConfig::default()).await;
    let (_, here) = bed.push_image("a", "v1", b"layer").await;
    let of = |manifest: &[u8], os: &str, architecture: &str| {
        let platform = format!(r#","platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#);
        descriptor(IMAGE, manifest).replacen('}', &platform, 1)
    };
    let index = |children: &[String]| {
        format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","))
    };
    let absent = b"not here".as_slice();
    for (children, status) in [
        (vec![of(&here, "linux", "amd64"), of(absent, "linux", "arm64")], 201),
        (vec![of(&here, "linux", "amd64"), of(absent, "windows", "amd64")], 201),
        (vec![descriptor(IMAGE, absent)], 201),
        (vec![of(&here, "linux", "amd64"), of(absent, "linux", "amd64")], 400),
    ] {
        bed.put_manifest("a", "many", INDEX, index(&children).as_bytes()).await.is(status);
    }
}

#[tokio::test]
async fn an_immutable_tag_is_neither_moved_nor_deleted() {
    let rule = ImmutableRule { prefix: Prefix::Below("a".to_owned()), tags: vec!["v*".to_owned()] };
    let config = StoreConfig { immutable: vec![rule], ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    let (digest, manifest) = bed.push_image("a", "v1", b"layer").await;
    bed.push("a", b"other").await;
    let other = image(b"other", "");
    let refused = bed.put_manifest("a", "v1", IMAGE, &other).await.is(403);
    assert_eq!(refused.code(), "DENIED");
    assert!(refused.json()["errors"][0]["message"].as_str().unwrap().contains("the tag v1 is never moved"));
    bed.put_manifest("a", "v1", IMAGE, &manifest).await.is(201);
    bed.put_manifest("a", &format!("{}?tag=v1", Digest::sha256(&other)), IMAGE, &other).await.is(403);
    for path in ["v1".to_owned(), digest.to_string()] {
        assert_eq!(bed.delete(&format!("/v2/a/manifests/{path}")).await.is(403).code(), "DENIED", "{path}");
    }
    assert_eq!(bed.get("/v2/a/manifests/v1").await.is(200).body, manifest);
    assert_eq!(bed.delete("/v2/a/manifests/v2").await.is(404).code(), "MANIFEST_UNKNOWN");
    // Other tags and other repositories are as ever.
    bed.put_manifest("a", "latest", IMAGE, &manifest).await.is(201);
    bed.put_manifest("a", "latest", IMAGE, &other).await.is(201);
    bed.delete(&format!("/v2/a/manifests/{}", Digest::sha256(&other))).await.is(202);
    bed.push_image("b", "v1", b"layer").await;
    bed.push_image("b", "v1", b"other").await;
}

#[tokio::test]
async fn what_is_noted_at_a_tag_is_believed_until_somebody_misses_the_manifest() {
    let bed = Bed::memory().await;
    let (digest, manifest) = bed.push_image("a", "v1", b"layer").await;
    bed.blobs.delete(&[layout::blob(&digest)]).await.unwrap();
    let next = bed.another().await;
    next.head("/v2/a/manifests/v1").await.is(200);
    next.get("/v2/a/manifests/v1").await.is(404);
    next.head("/v2/a/manifests/v1").await.is(404);
    next.put_manifest("a", "v1", IMAGE, &manifest).await.is(201);
    next.head("/v2/a/manifests/v1").await.is(200);
    assert_eq!(next.get("/v2/a/manifests/v1").await.is(200).body, manifest);
    // Another region is told what is there.
    let stamp = crate::client::STAMP;
    let stamped = [(stamp.as_str(), "?")];
    bed.another().await.send("HEAD", "/v2/a/manifests/v1", &stamped, "").await.is(200);
    bed.blobs.delete(&[layout::blob(&digest)]).await.unwrap();
    bed.another().await.send("HEAD", "/v2/a/manifests/v1", &stamped, "").await.is(404);
}

#[tokio::test]
async fn of_two_who_push_an_immutable_tag_at_the_same_moment_one_wins() {
    let rule = ImmutableRule { prefix: Prefix::All, tags: vec!["*".to_owned()] };
    let config = StoreConfig { immutable: vec![rule], ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    let other = bed.another().await;
    for turn in 0..20 {
        let name = format!("a/{turn}");
        for layer in [b"one", b"two"] {
            bed.push(&name, layer).await;
        }
        bed.push(&name, b"{}").await;
        let (one, two) = (image(b"one", ""), image(b"two", ""));
        let (first, second) =
            tokio::join!(bed.put_manifest(&name, "v1", IMAGE, &one), other.put_manifest(&name, "v1", IMAGE, &two));
        let statuses = [first.status.as_u16(), second.status.as_u16()];
        assert!(statuses == [201, 403] || statuses == [403, 201], "{statuses:?}");
        let won = if statuses[0] == 201 { &one } else { &two };
        assert_eq!(&bed.get(&format!("/v2/{name}/manifests/v1")).await.is(200).body, won);
    }
}

#[tokio::test]
async fn a_repository_of_manifests_alone_is_known_to_distribution() {
    let bed = Bed::memory().await;
    let empty = index(&[], "");
    bed.put_manifest("only/index", "v1", INDEX, &empty).await.is(201);
    let link = layout::layer(&"only/index".parse().unwrap(), &Digest::sha256(&empty));
    let link = jeroboam_blobs::Blobs::head(&*bed.blobs, &link, Default::default()).await.unwrap();
    assert!(link.is_some(), "distribution goes by the links of blobs");
    assert_eq!(bed.get("/v2/_catalog").await.json()["repositories"], serde_json::json!(["only/index"]));
}

#[tokio::test]
async fn manifests_have_two_names_and_are_stored_once() {
    for bed in Bed::each().await {
        bed.push("a", b"{}").await;
        bed.push("a", b"layer").await;
        let manifest = image(b"layer", "");
        let (short, long) = (Digest::sha256(&manifest), Digest::of(Algorithm::Sha512, &manifest));
        let put = bed.put_manifest("a", &format!("{long}?tag=v1&tag=v2"), IMAGE, &manifest).await.is(201);
        assert_eq!(put.header("docker-content-digest"), long.to_string());
        assert_eq!(put.location(), format!("/v2/a/manifests/{long}"));
        let tags: Vec<_> = put.headers.get_all("oci-tag").iter().collect();
        assert_eq!(tags, ["v1", "v2"]);
        for (reference, digest) in [(long.to_string(), &long), (short.to_string(), &short), ("v2".to_owned(), &long)] {
            let get = bed.get(&format!("/v2/a/manifests/{reference}")).await.is(200);
            assert_eq!(get.header("docker-content-digest"), digest.to_string());
            assert_eq!(get.body, manifest);
        }
        assert_eq!(bed.delete(&format!("/v2/a/manifests/{long}")).await.is(202).status, 202);
        for reference in [long.to_string(), short.to_string(), "v1".to_owned(), "v2".to_owned()] {
            bed.get(&format!("/v2/a/manifests/{reference}")).await.is(404);
        }
        let wrong = Digest::of(Algorithm::Sha512, b"other");
        assert_eq!(bed.put_manifest("a", &wrong.to_string(), IMAGE, &manifest).await.is(400).code(), "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn a_tag_is_moved_on_a_condition() {
    for bed in Bed::each().await {
        let (first, one) = bed.push_image("a", "v1", b"one").await;
        bed.push("a", b"two").await;
        let two = image(b"two", "");
        let second = Digest::sha256(&two);
        let push = |name: &'static str, value: String| {
            let (bed, two) = (&bed, two.clone());
            async move {
                let headers = [("content-type", IMAGE), (name, value.as_str())];
                bed.send("PUT", "/v2/a/manifests/v1", &headers, two).await.status.as_u16()
            }
        };
        assert_eq!(push("if-none-match", "*".to_owned()).await, 412);
        assert_eq!(push("if-match", format!("\"{second}\"")).await, 412);
        assert_eq!(bed.get("/v2/a/manifests/v1").await.body, one);
        assert_eq!(push("if-match", format!("\"{first}\"")).await, 201);
        assert_eq!(push("if-match", format!("\"{first}\"")).await, 412);
        assert_eq!(push("if-match", "*".to_owned()).await, 201);
        assert_eq!(bed.head("/v2/a/manifests/v1").await.header("docker-content-digest"), second.to_string());
        let remove = async |value: String| {
            let headers = [("if-match", value.as_str())];
            bed.send("DELETE", "/v2/a/manifests/v1", &headers, Vec::new()).await.status.as_u16()
        };
        assert_eq!(remove(format!("\"{first}\"")).await, 412);
        assert_eq!(bed.head("/v2/a/manifests/v1").await.header("docker-content-digest"), second.to_string());
        assert_eq!(remove(format!("\"{second}\"")).await, 202);
        assert_eq!(remove(format!("\"{second}\"")).await, 412, "there is none any more");
        assert_eq!(push("if-match", "*".to_owned()).await, 412);
        assert_eq!(push("if-none-match", "*".to_owned()).await, 201);
    }
}

#[tokio::test]
async fn of_many_that_want_a_new_tag_one_gets_it() {
    for bed in Bed::each().await {
        bed.push("a", b"{}").await;
        let mut manifests = Vec::new();
        for n in 0..8 {
            let layer = format!("layer {n}").into_bytes();
            bed.push("a", &layer).await;
            manifests.push(image(&layer, ""));
        }
        let headers = [("content-type", IMAGE), ("if-none-match", "*")];
        let pushes =
            manifests.iter().map(|manifest| bed.send("PUT", "/v2/a/manifests/new", &headers, manifest.clone()));
        let replies = futures::future::join_all(pushes).await;
        let won: Vec<_> = replies.iter().zip(&manifests).filter(|(reply, _)| reply.status == 201).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(bed.get("/v2/a/manifests/new").await.body, won[0].1);
    }
}

#[tokio::test]
async fn tags_are_sorted_and_come_in_pages() {
    for bed in Bed::each().await {
        let (digest, _) = bed.push_image("a", "b", b"layer").await;
        let manifest = bed.get(&format!("/v2/a/manifests/{digest}")).await.body;
        for tag in ["a-1", "a", "a.b", "C", "_x"] {
            bed.put_manifest("a", tag, IMAGE, &manifest).await.is(201);
        }
        let sorted = ["C", "_x", "a", "a-1", "a.b", "b"];
        assert_eq!(bed.get("/v2/a/tags/list").await.json(), serde_json::json!({ "name": "a", "tags": sorted }));
        let (mut path, mut seen) = ("/v2/a/tags/list?n=4".to_owned(), Vec::new());
        loop {
            let page = bed.get(&path).await.is(200);
            let tags = page.json()["tags"].as_array().unwrap().clone();
            seen.extend(tags.iter().map(|tag| tag.as_str().unwrap().to_owned()));
            match jeroboam_oci::pagination::next_of_link(page.header("link")) {
                Some(next) => path = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, sorted);
        for (query, tags) in
            [("n=0", &sorted[..0]), ("last=a", &sorted[3..]), ("last=a0", &sorted[5..]), ("n=99999", &sorted)]
        {
            let page = bed.get(&format!("/v2/a/tags/list?{query}")).await.is(200);
            assert_eq!(page.json()["tags"], serde_json::json!(tags), "{query}");
            assert_eq!(page.header("link"), "", "{query}");
        }
        for n in ["-1", "x", ""] {
            let refused = bed.get(&format!("/v2/a/tags/list?n={n}")).await.is(400);
            assert_eq!(refused.code(), "PAGINATION_NUMBER_INVALID");
        }
        for tag in sorted {
            bed.delete(&format!("/v2/a/manifests/{tag}")).await.is(202);
            bed.head(&format!("/v2/a/manifests/{tag}")).await.is(404);
            bed.delete(&format!("/v2/a/manifests/{tag}")).await.is(404);
        }
        assert_eq!(bed.get("/v2/a/tags/list").await.is(200).json()["tags"], serde_json::json!([]));
        bed.get(&format!("/v2/a/manifests/{digest}")).await.is(200);
        assert_eq!(bed.get("/v2/nothing/tags/list").await.is(404).code(), "NAME_UNKNOWN");
    }
}

#[tokio::test]
async fn repositories_are_listed_in_pages() {
    for bed in Bed::each().await {
        assert_eq!(bed.get("/v2/_catalog").await.is(200).json(), serde_json::json!({ "repositories": [] }));
        let names = ["a", "a-b", "a.b", "a/0", "a/b", "a/b/c", "b"];
        for name in names.iter().rev() {
            bed.push(name, format!("of {name}").as_bytes()).await;
        }
        for bed in [&bed, &bed.another().await] {
            assert_eq!(bed.get("/v2/_catalog").await.json()["repositories"], serde_json::json!(names));
            let page = bed.get("/v2/_catalog?n=3").await.is(200);
            assert_eq!(page.json()["repositories"], serde_json::json!(names[..3]));
            assert_eq!(page.header("link"), "</v2/_catalog?n=3&last=a.b>; rel=\"next\"");
            let next = bed.get("/v2/_catalog?n=9&last=a.b").await.is(200);
            assert_eq!(next.json()["repositories"], serde_json::json!(names[3..]));
            assert_eq!(next.header("link"), "");
        }
        assert_eq!(bed.get("/v2/_catalog?n=1001").await.is(400).code(), "PAGINATION_NUMBER_INVALID");
    }
}

#[tokio::test]
async fn who_asks_for_all_repositories_at_the_same_moment_waits_for_one_listing() {
    let bed = Bed::memory().await;
    bed.push("a", b"layer").await;
    let cold = bed.another().await;
    let gate = cold.blobs.hold("list docker/registry/v2/repositories/");
    let all = futures::future::join_all((0..8).map(|_| cold.get("/v2/_catalog")));
    let late = async {
        gate.reached().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        gate.open();
    };
    let (all, ()) = tokio::join!(all, late);
    for reply in all {
        assert_eq!(reply.is(200).json()["repositories"], serde_json::json!(["a"]));
    }
    assert_eq!(cold.blobs.calls(), ["list docker/registry/v2/repositories/"]);
    let cold = bed.another().await;
    cold.blobs.fail(Some((jeroboam_blobs::Kind::Unavailable, "list ")));
    for reply in futures::future::join_all((0..4).map(|_| cold.get("/v2/_catalog"))).await {
        assert_eq!(reply.is(503).code(), "UNAVAILABLE");
    }
    cold.blobs.fail(None);
    assert_eq!(cold.get("/v2/_catalog").await.is(200).json()["repositories"], serde_json::json!(["a"]));
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_with_it() {
    for bed in Bed::each().await {
        let (digest, manifest) = bed.push_image("a", "v1", b"one").await;
        bed.put_manifest("a", "v2", IMAGE, &manifest).await.is(201);
        let (other, _) = bed.push_image("a", "v3", b"two").await;
        // A tag that once pointed to it and no longer does stays.
        bed.put_manifest("a", "moved", IMAGE, &manifest).await.is(201);
        let two = bed.get("/v2/a/manifests/v3").await.body;
        bed.put_manifest("a", "moved", IMAGE, &two).await.is(201);
        bed.delete(&format!("/v2/a/manifests/{digest}")).await.is(202);
        for reference in [digest.to_string(), "v1".to_owned(), "v2".to_owned()] {
            assert_eq!(bed.head(&format!("/v2/a/manifests/{reference}")).await.status, 404, "{reference}");
        }
        for reference in [other.to_string(), "v3".to_owned(), "moved".to_owned()] {
            bed.head(&format!("/v2/a/manifests/{reference}")).await.is(200);
        }
        assert_eq!(bed.get("/v2/a/tags/list").await.json()["tags"], serde_json::json!(["moved", "v3"]));
        assert_eq!(bed.delete(&format!("/v2/a/manifests/{digest}")).await.is(404).code(), "MANIFEST_UNKNOWN");
    }
}

#[tokio::test]
async fn a_blob_is_not_deleted_as_a_manifest() {
    for bed in Bed::each().await {
        bed.push_image("a", "v1", b"layer").await;
        for bytes in [&b"{}"[..], b"layer"] {
            let digest = Digest::sha256(bytes);
            let path = format!("/v2/a/manifests/{digest}");
            bed.get(&path).await.is(404);
            assert_eq!(bed.delete(&path).await.is(404).code(), "MANIFEST_UNKNOWN");
            assert_eq!(bed.get(&format!("/v2/a/blobs/{digest}")).await.is(200).body, bytes);
        }
        // Old stores have some that are linked only as blobs are.
        let old = bed.push("a", &image(b"layer", r#","annotations":{"old":"yes"}"#)).await;
        let path = format!("/v2/a/manifests/{old}");
        bed.get(&path).await.is(200);
        bed.delete(&path).await.is(202);
        bed.get(&path).await.is(404);
    }
}

#[tokio::test]
async fn what_distribution_took_and_nobody_here_understands_is_given_as_it_is() {
    let bed = Bed::memory().await;
    let (name, tag) = ("old".parse().unwrap(), "v1".parse().unwrap());
    let text = |more: &str| String::from_utf8(image(b"layer", more)).unwrap();
    let deep = format!(r#","deep":{}{}"#, "[".repeat(100), "]".repeat(100));
    let said = format!(r#""mediaType":"{IMAGE}","#);
    let child = descriptor(IMAGE, b"x").replace(r#","size":1"#, "");
    for (document, media_type) in [
        (text("").replace(r#","size":5"#, ""), IMAGE),
        (text("").replace(r#""size":5"#, r#""size":-1"#), IMAGE),
        (text(r#","layers":[]"#), IMAGE),
        (text(&deep).replacen(&said, "", 1), IMAGE),
        (format!(r#"{{"schemaVersion":2,"manifests":[{child}]}}"#), INDEX),
    ] {
        let digest = Digest::sha256(document.as_bytes());
        for (path, bytes) in [
            (layout::blob(&digest), document.clone()),
            (layout::revision(&name, &digest), digest.to_string()),
            (layout::tag_current(&name, &tag), digest.to_string()),
        ] {
            bed.blobs.put(&path, bytes.into(), jeroboam_blobs::Condition::Always).await.unwrap();
        }
        let next = bed.another().await;
        for reference in ["v1".to_owned(), digest.to_string()] {
            let path = format!("/v2/old/manifests/{reference}");
            let (head, get) = (next.head(&path).await.is(200), next.get(&path).await.is(200));
            for reply in [&head, &get] {
                assert_eq!(reply.header("content-type"), media_type, "{document}");
                assert_eq!(reply.header("content-length"), document.len().to_string());
                assert_eq!(reply.header("docker-content-digest"), digest.to_string());
            }
            assert_eq!(get.body, document.as_bytes());
        }
        // Nobody brings any more of the kind, whether as a manifest or as a blob.
        let pushed = next.put_manifest("old", "new", media_type, document.as_bytes()).await.is(400);
        assert_eq!(pushed.code(), "MANIFEST_INVALID");
        next.push("other", document.as_bytes()).await;
        next.get(&format!("/v2/other/manifests/{digest}")).await.is(404);
    }
}

#[tokio::test]
async fn what_is_named_may_be_protected() {
    let config = StoreConfig { protect_referenced: true, ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    let (digest, manifest) = bed.push_image("a", "v1", b"one").await;
    let all = index(&[&manifest], "");
    bed.put_manifest("a", "all", INDEX, &all).await.is(201);
    let path = format!("/v2/a/manifests/{digest}");
    assert_eq!(bed.delete(&path).await.is(403).code(), "DENIED");
    bed.delete(&format!("/v2/a/manifests/{}", Digest::sha256(&all))).await.is(202);
    bed.push("a", b"sbom").await;
    let about = image(b"sbom", &format!(r#","subject":{}"#, descriptor(IMAGE, &manifest)));
    bed.put_manifest("a", &Digest::sha256(&about).to_string(), IMAGE, &about).await.is(201);
    bed.delete(&path).await.is(403);
    bed.delete(&format!("/v2/a/manifests/{}", Digest::sha256(&about))).await.is(202);
    bed.delete(&path).await.is(202);
}

#[tokio::test]
async fn listings_that_lag_are_corrected_by_what_was_just_written() {
    use std::sync::Arc;
    // The listing lags for ever: it was taken before anything was written.
    let mut blobs = super::counting::Counting::new(Arc::new(jeroboam_blobs::Memory::default()));
    blobs.listing_is_fresh = false;
    blobs.listing_is_empty = true;
    let bed = Bed::counting(blobs, everything_allowed(), HttpConfig::default()).await;
    let (digest, manifest) = bed.push_image("a", "v1", b"one").await;
    bed.put_manifest("a", "v2", IMAGE, &manifest).await.is(201);
    assert_eq!(bed.get("/v2/a/tags/list").await.is(200).json()["tags"], serde_json::json!(["v1", "v2"]));
    assert_eq!(bed.get("/v2/_catalog").await.json()["repositories"], serde_json::json!(["a"]));
    bed.push("a", b"sbom").await;
    let about = image(b"sbom", &format!(r#","subject":{}"#, descriptor(IMAGE, &manifest)));
    bed.put_manifest("a", "about", IMAGE, &about).await.is(201);
    let referrers = bed.get(&format!("/v2/a/referrers/{digest}")).await.json();
    assert_eq!(referrers["manifests"][0]["digest"], Digest::sha256(&about).to_string());
    bed.delete(&format!("/v2/a/manifests/{digest}")).await.is(202);
    for tag in ["v1", "v2"] {
        bed.head(&format!("/v2/a/manifests/{tag}")).await.is(404);
    }
}

#[tokio::test]
async fn what_was_written_corrects_listings_for_two_minutes_however_often_somebody_asks() {
    let mut blobs = super::counting::Counting::new(std::sync::Arc::new(jeroboam_blobs::Memory::default()));
    blobs.listing_is_fresh = false;
    let bed = Bed::counting(blobs, everything_allowed(), HttpConfig::default()).await;
    let other = bed.another().await;
    let (digest, manifest) = bed.push_image("a", "gone", b"one").await;
    bed.put_manifest("a", "back", IMAGE, &manifest).await.is(201);
    bed.delete("/v2/a/manifests/back").await.is(202);
    other.delete("/v2/a/manifests/gone").await.is(202);
    other.put_manifest("a", "back", IMAGE, &manifest).await.is(201);
    for (seconds, tags) in [(60, ["gone", "kept"]), (61, ["back", "kept"])] {
        bed.clock.advance(std::time::Duration::from_secs(seconds));
        // A push and a list, neither of which makes what is remembered stay.
        bed.put_manifest("a", "kept", IMAGE, &manifest).await.is(201);
        let listed = bed.get("/v2/a/tags/list").await.is(200).json();
        assert_eq!(listed["tags"], serde_json::json!(tags), "after {seconds} s more");
    }
    let went = bed.store.delete_manifest(&"a".parse().unwrap(), &digest).await.unwrap();
    assert_eq!(went.iter().map(ToString::to_string).collect::<Vec<_>>(), ["back", "kept"], "and no ghost of a tag");
}

#[tokio::test]
async fn other_processes_are_believed_within_a_second() {
    for compat in [Compat::Shared, Compat::Exclusive] {
        let bed = Bed::with(StoreConfig { compat, ..everything_allowed() }, HttpConfig::default()).await;
        let other = bed.another().await;
        bed.push_image("a", "v1", b"one").await;
        other.head("/v2/a/manifests/v1").await.is(200);
        let (second, _) = bed.push_image("a", "v1", b"two").await;
        assert_eq!(bed.head("/v2/a/manifests/v1").await.header("docker-content-digest"), second.to_string());
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        assert_eq!(other.head("/v2/a/manifests/v1").await.header("docker-content-digest"), second.to_string());
    }
}

#[tokio::test]
async fn a_push_beside_a_deletion_of_the_same_manifest_leaves_no_half_of_it() {
    for bed in Bed::each().await {
        let (digest, manifest) = bed.push_image("a", "v1", b"layer").await;
        let by_digest = format!("/v2/a/manifests/{digest}");
        // The deletion has seen which tags there are.
        let gate = bed.blobs.hold("/tags/v1/current/link");
        let deletion = bed.delete(&by_digest);
        let push = async {
            gate.reached().await;
            let push = bed.put_manifest("a", "v2", IMAGE, &manifest);
            let late = async {
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                gate.open();
            };
            tokio::join!(push, late).0
        };
        let (deleted, pushed) = tokio::join!(deletion, push);
        deleted.is(202);
        pushed.is(201);
        bed.get("/v2/a/manifests/v1").await.is(404);
        assert_eq!(bed.get("/v2/a/manifests/v2").await.is(200).body, manifest);
        bed.get(&by_digest).await.is(200);
    }
}

#[tokio::test]
async fn a_manifest_goes_under_all_its_names() {
    use jeroboam_blobs::Blobs as _;
    for bed in Bed::each().await {
        let (digest, manifest) = bed.push_image("a", "v1", b"layer").await;
        let other = Digest::of(Algorithm::Sha512, &manifest);
        bed.put_manifest("a", &other.to_string(), IMAGE, &manifest).await.is(201);
        bed.delete(&format!("/v2/a/manifests/{digest}")).await.is(202);
        for named in [&digest, &other] {
            bed.get(&format!("/v2/a/manifests/{named}")).await.is(404);
        }
        let name = "a".parse().unwrap();
        let left = bed.blobs.head(&layout::revision(&name, &other), Default::default()).await.unwrap();
        assert_eq!(left, None, "a link that is left would keep the bytes");
    }
}

/// Reads of bytes since the last time, not of links.
fn reads(bed: &Bed) -> usize {
    bed.blobs.calls().iter().filter(|call| call.starts_with("read docker/registry/v2/blobs/")).count()
}

#[tokio::test]
async fn bytes_of_manifests_are_read_once_and_those_of_layers_not_again_and_again() {
    let bed = Bed::memory().await;
    let (digest, manifest) = bed.push_image("a", "v1", b"layer").await;
    let long = vec![7; 5 << 20];
    let layers = [bed.push("a", &[7; 300_000]).await, bed.push("a", &long).await];
    let cold = bed.another().await;
    let gate = cold.blobs.hold("read docker/registry/v2/blobs/");
    let path = format!("/v2/a/manifests/{digest}");
    let all = futures::future::join_all((0..8).map(|_| cold.get(&path)));
    let late = async {
        gate.reached().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        gate.open();
    };
    let (all, ()) = tokio::join!(all, late);
    assert!(all.into_iter().all(|reply| reply.is(200).body == manifest));
    assert_eq!(reads(&cold), 1, "who asks at the same time waits for the first");
    for (layer, most) in layers.iter().zip([1, 0]) {
        for _ in 0..3 {
            cold.get(&format!("/v2/a/manifests/{layer}")).await.is(404);
        }
        assert_eq!(reads(&cold), most, "that it is no manifest is remembered");
        cold.get(&format!("/v2/a/blobs/{layer}")).await.is(200);
        cold.blobs.calls();
    }
}

#[tokio::test]
async fn an_outage_while_a_manifest_is_read_is_one_for_all_who_wait() {
    let bed = Bed::memory().await;
    let (digest, _) = bed.push_image("a", "v1", b"layer").await;
    let cold = bed.another().await;
    let path = format!("/v2/a/manifests/{digest}");
    // Its link is known, so that the bytes alone are missing.
    cold.get(&path).await.is(200);
    let cold = bed.another().await;
    cold.blobs.fail(Some((jeroboam_blobs::Kind::Unavailable, "read docker/registry/v2/blobs/")));
    for reply in futures::future::join_all((0..4).map(|_| cold.get(&path))).await {
        assert_eq!(reply.is(503).code(), "UNAVAILABLE");
    }
    cold.blobs.fail(None);
    cold.get(&path).await.is(200);
}

#[tokio::test]
async fn who_announces_much_and_sends_nothing_keeps_nobody_out() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let bed = Bed::with(StoreConfig { buffered: 4 << 20, ..everything_allowed() }, HttpConfig::default()).await;
    let mut silent = Vec::new();
    for path in ["manifests/v1".to_owned(), format!("blobs/uploads/?digest={}", Digest::sha256(b"never"))] {
        let method = if path.starts_with("blobs") { "POST" } else { "PUT" };
        let length = if path.starts_with("blobs") { 256 << 10 } else { 4 << 20 };
        let mut stream = tokio::net::TcpStream::connect(bed.address).await.unwrap();
        let head = format!(
            "{method} /v2/a/{path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\ncontent-type: {IMAGE}\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let pushed = tokio::time::timeout(std::time::Duration::from_secs(10), bed.push_image("b", "v1", b"layer")).await;
    pushed.expect("there is room");
    // And whoever they are, they are still listened to.
    let mut space = [0; 1];
    let read = silent[0].read(&mut space);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), read).await.is_err());
}
