//! Uploads: in pieces, out of order, over several processes, given up.

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use jeroboam_oci::layout::{self, Area};
use jeroboam_oci::{Algorithm, Digest, UploadToken};
use secrecy::SecretString;

use super::bed::{Bed, Reply, everything_allowed};
use crate::gc::pages::all_objects;
use crate::http::HttpConfig;
use crate::store::StoreConfig;

async fn begin(bed: &Bed, name: &str) -> String {
    let begun = bed.send("POST", &format!("/v2/{name}/blobs/uploads/"), &[], "").await.is(202);
    assert_eq!(begun.header("range"), "0-0");
    assert_eq!(begun.header("content-length"), "0");
    assert!(begun.location().contains(begun.header("docker-upload-uuid")));
    begun.location()
}

async fn patch(bed: &Bed, location: &str, range: &str, bytes: &'static str) -> Reply {
    bed.send("PATCH", location, &[("content-range", range)], bytes).await
}

async fn finish(bed: &Bed, location: &str, bytes: &str, rest: &str) -> Reply {
    let digest = Digest::sha256(bytes.as_bytes()).to_string().replace(':', "%3A");
    bed.send("PUT", &format!("{location}&digest={digest}"), &[], rest.to_owned()).await
}

/// A body whose length nobody announces.
fn streamed(pieces: &[&'static str]) -> Body {
    let pieces: Vec<_> =
        pieces.iter().map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes()))).collect();
    Body::from_stream(stream::iter(pieces))
}

#[tokio::test]
async fn chunks_come_in_order_or_the_client_is_told_where_it_is() {
    for bed in Bed::each().await {
        let location = begin(&bed, "a").await;
        let first = patch(&bed, &location, "0-4", "hello").await.is(202);
        assert_eq!(first.header("range"), "0-4");
        for (range, bytes) in [("0-4", "hello"), ("6-7", "xy")] {
            let refused = patch(&bed, &first.location(), range, bytes).await.is(416);
            assert_eq!((refused.header("range"), refused.code().as_str()), ("0-4", "RANGE_INVALID"));
            assert!(refused.location().starts_with("/v2/a/blobs/uploads/"));
        }
        assert_eq!(patch(&bed, &first.location(), "5-9", "xy").await.is(400).code(), "SIZE_INVALID");
        patch(&bed, &first.location(), "five-nine", "xy").await.is(400);
        let status = bed.get(&location).await.is(204);
        assert_eq!(status.header("range"), "0-4", "also by the address of the beginning");
        let out_of_order = bed
            .send("PUT", &format!("{location}&digest={}", Digest::sha256(b"hello")), &[("content-range", "9-9")], "x")
            .await;
        assert_eq!(out_of_order.is(416).header("range"), "0-4");
        let second = patch(&bed, &status.location(), "5-5", "_").await.is(202);
        let done = finish(&bed, &second.location(), "hello_world", "world").await.is(201);
        assert_eq!(bed.get(&done.location()).await.is(200).body, "hello_world");
        assert_eq!(bed.get(&location).await.is(404).code(), "BLOB_UPLOAD_UNKNOWN");
    }
}

#[tokio::test]
async fn bytes_stream_without_a_length() {
    for bed in Bed::each().await {
        let location = begin(&bed, "a").await;
        let first = bed.send("PATCH", &location, &[], streamed(&["hello", "_"])).await.is(202);
        assert_eq!(first.header("range"), "0-5");
        let typed = [("content-type", "text/plain")];
        let second = bed.send("PATCH", &first.location(), &typed, streamed(&["world"])).await.is(202);
        finish(&bed, &second.location(), "hello_world", "").await.is(201);

        let location = begin(&bed, "a").await;
        let whole = Digest::sha256(b"whole");
        bed.send("PUT", &format!("{location}&digest={whole}"), &[], streamed(&["who", "le"])).await.is(201);
        assert_eq!(bed.get(&format!("/v2/a/blobs/{whole}")).await.is(200).body, "whole");
    }
}

#[tokio::test]
async fn another_algorithm_may_be_announced_or_not() {
    for bed in Bed::each().await {
        for query in ["", "?digest-algorithm=sha512"] {
            let begun = bed.send("POST", &format!("/v2/a/blobs/uploads/{query}"), &[], "").await.is(202);
            let bytes = format!("bytes{query}");
            let first = bed.send("PATCH", &begun.location(), &[], bytes.clone()).await.is(202);
            let wrong = Digest::of(Algorithm::Sha512, b"wrong");
            let digest = Digest::of(Algorithm::Sha512, bytes.as_bytes());
            let location = format!("{}&digest={digest}", first.location());
            bed.send("PUT", &location, &[], "").await.is(201);
            assert_eq!(bed.get(&format!("/v2/a/blobs/{digest}")).await.is(200).body, bytes);

            let begun = bed.send("POST", &format!("/v2/a/blobs/uploads/{query}"), &[], "").await.is(202);
            let first = bed.send("PATCH", &begun.location(), &[], "x").await.is(202);
            let refused = bed.send("PUT", &format!("{}&digest={wrong}", first.location()), &[], "").await.is(400);
            assert_eq!(refused.code(), "DIGEST_INVALID");
            bed.get(&first.location()).await.is(404);
        }
        let refused = bed.send("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5", &[], "").await.is(400);
        assert_eq!(refused.code(), "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn any_process_goes_on_with_an_upload() {
    for bed in Bed::each().await {
        let other = bed.another().await;
        let location = begin(&bed, "a").await;
        assert_eq!(other.get(&location).await.is(204).header("range"), "0-0", "before the first byte");
        let first = patch(&bed, &location, "0-4", "hello").await.is(202);
        let without_token = first.location().split('?').next().unwrap().to_owned();
        assert_eq!(other.get(&without_token).await.is(204).header("range"), "0-4");
        let second = patch(&other, &first.location(), "5-5", "_").await.is(202);
        // The first process knows of five bytes, until it is asked about a sixth.
        assert_eq!(bed.get(&second.location()).await.is(204).header("range"), "0-5");
        let third = patch(&bed, &second.location(), "6-10", "world").await.is(202);
        let done = finish(&other, &third.location(), "hello_world", "").await.is(201);
        assert_eq!(bed.get(&done.location()).await.is(200).body, "hello_world");
        other.get(&location).await.is(404);
    }
}

#[tokio::test]
async fn an_upload_survives_the_process_and_its_record_goes_in_the_end() {
    for bed in Bed::each().await {
        let location = begin(&bed, "a").await;
        patch(&bed, &location, "0-4", "hello").await.is(202);
        let next = bed.another().await;
        let status = next.get(&location).await.is(204);
        assert_eq!(status.header("range"), "0-4");
        finish(&next, &status.location(), "hello_world", "_world").await.is(201);
        let left = next.blobs.calls();
        assert!(left.iter().any(|call| call.starts_with("delete") && call.contains("_x/sessions/")), "{left:?}");
        next.another().await.get(location.split('?').next().unwrap()).await.is(404);
    }
}

#[tokio::test]
async fn an_upload_is_given_up() {
    for bed in Bed::each().await {
        for bytes in ["", "hello"] {
            let location = begin(&bed, "a").await;
            let location =
                if bytes.is_empty() { location } else { patch(&bed, &location, "0-4", "hello").await.location() };
            bed.delete(&location).await.is(204);
            assert_eq!(bed.get(&location).await.is(404).code(), "BLOB_UPLOAD_UNKNOWN");
            bed.delete(&location).await.is(404);
            finish(&bed, &location, "hello", "").await.is(404);
        }
    }
}

#[tokio::test]
async fn wrong_bytes_end_an_upload() {
    for bed in Bed::each().await {
        let digest = Digest::sha256(b"right");
        for first in [None, Some("wr")] {
            let mut location = begin(&bed, "a").await;
            if let Some(first) = first {
                location = bed.send("PATCH", &location, &[], first).await.is(202).location();
            }
            let refused = bed.send("PUT", &format!("{location}&digest={digest}"), &[], "wrong").await.is(400);
            assert_eq!(refused.code(), "DIGEST_INVALID");
            bed.get(&location).await.is(404);
            bed.head(&format!("/v2/a/blobs/{digest}")).await.is(404);
        }
        let location = begin(&bed, "a").await;
        assert_eq!(bed.send("PUT", &location, &[], "x").await.is(400).code(), "DIGEST_INVALID", "none is named");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_loses_nothing_that_came() {
    for bed in Bed::each().await {
        let location = begin(&bed, "a").await;
        let broken = stream::unfold(0, |n| async move {
            match n {
                0 => Some((Ok(Bytes::from_static(b"hello")), 1)),
                _ => {
                    // Until then the first piece is on its way.
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    Some((Err(std::io::Error::other("gone")), 2))
                }
            }
        });
        let request = http::Request::builder()
            .method("PATCH")
            .uri(format!("http://{}{location}", bed.address))
            .body(Body::from_stream(broken))
            .unwrap();
        let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        assert!(client.request(request).await.is_err());
        let mut status = bed.get(&location).await.is(204);
        for _ in 0..200 {
            if status.header("range") == "0-4" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            status = bed.get(&location).await.is(204);
        }
        assert_eq!(status.header("range"), "0-4");
        finish(&bed, &status.location(), "hello_world", "_world").await.is(201);
    }
}

#[tokio::test]
async fn an_upload_goes_on_after_the_store_failed_at_any_point() {
    use jeroboam_blobs::Kind;
    for bed in Bed::each().await {
        for text in ["write upload", "save upload", "put docker/registry/v2/_x/sessions", "upload docker/"] {
            let location = begin(&bed, "a").await;
            if text != "upload docker/" {
                patch(&bed, &location, "0-4", "hello").await.is(202);
            }
            let (from, range, rest) =
                if text == "upload docker/" { ("0-0", "0-4", "hello") } else { ("0-4", "5-5", "_") };
            bed.blobs.fail(Some((Kind::Unavailable, text)));
            patch(&bed, &location, range, rest).await.is(503);
            bed.blobs.fail(None);
            let status = bed.get(&location).await.is(204);
            assert_eq!(status.header("range"), from, "{text}");
            let mut location = patch(&bed, &status.location(), range, rest).await.is(202).location();
            if text == "upload docker/" {
                location = patch(&bed, &location, "5-5", "_").await.is(202).location();
            }
            finish(&bed, &location, &format!("hello_{text}"), text).await.is(201);
        }
        for text in
            ["commit upload", "put docker/registry/v2/repositories/a/_layers", "delete docker/registry/v2/_x/sessions"]
        {
            let whole = format!("whole {text}");
            let location = begin(&bed, "a").await;
            patch(&bed, &location, "0-4", "whole").await.is(202);
            let rest = format!(" {text}");
            bed.blobs.fail(Some((Kind::Unavailable, text)));
            // That the record of the upload stays does not matter to a blob that is there.
            let status = if text.starts_with("delete") { 201 } else { 503 };
            finish(&bed, &location, &whole, &rest).await.is(status);
            bed.blobs.fail(None);
            // The bytes may be there or not; the client begins again where the upload is, or with another one.
            let again = bed.get(&location).await;
            let pushed = match again.status.as_u16() {
                204 if again.header("range") == "0-4" => finish(&bed, &again.location(), &whole, &rest).await.status,
                _ => http::StatusCode::NOT_FOUND,
            };
            if pushed != 201 {
                bed.push("a", whole.as_bytes()).await;
            }
            let digest = Digest::sha256(whole.as_bytes());
            assert_eq!(bed.get(&format!("/v2/a/blobs/{digest}")).await.is(200).body, whole, "{text}");
        }
    }
}

#[tokio::test]
async fn nobody_sees_what_two_processes_wrote_before_it_was_read() {
    for bed in Bed::each().await {
        let other = bed.another().await;
        for torn in [false, true] {
            let bytes = if torn { "hello_there" } else { "hello_world" };
            let location = begin(&bed, "a").await;
            let first = patch(&bed, &location, "0-4", "hello").await.is(202);
            let digest = Digest::sha256(bytes.as_bytes());
            other.blobs.torn.store(torn, std::sync::atomic::Ordering::Relaxed);
            other.blobs.calls();
            let done = finish(&other, &first.location(), bytes, &bytes[5..]).await;
            let shown = other.blobs.calls().iter().any(|call| call.starts_with("commit docker/registry/v2/blobs/"));
            assert_eq!((done.status.as_u16(), shown), if torn { (400, false) } else { (201, true) });
            // And nobody else has it.
            let path = format!("/v2/a/blobs/{digest}");
            bed.head(&path).await.is(if torn { 404 } else { 200 });
            if torn {
                assert_eq!(done.code(), "DIGEST_INVALID");
                other.get(&first.location()).await.is(404);
                other.blobs.torn.store(false, std::sync::atomic::Ordering::Relaxed);
                other.push("a", bytes.as_bytes()).await;
            }
            assert_eq!(bed.get(&path).await.is(200).body, bytes);
        }
    }
}

#[tokio::test]
async fn uploads_of_distribution_go_on() {
    use jeroboam_blobs::{Blobs, Condition};
    let secret = "asecret";
    let config = StoreConfig { secret: Some(SecretString::from(secret)), ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    let (name, id) = ("team/app".parse().unwrap(), "0197a1b2-0000-4000-8000-000000000000".parse().unwrap());
    let put = |path: String, text: &'static str| {
        let blobs = bed.blobs.clone();
        async move { blobs.put(&path, text.into(), Condition::Always).await.unwrap() }
    };
    put(jeroboam_oci::layout::upload_started(&name, &id), "2026-11-21T00:27:32Z").await;
    put(jeroboam_oci::layout::upload_data(&name, &id), "hello").await;
    let token = UploadToken {
        name: name.to_string(),
        id: id.to_string(),
        offset: 5,
        started: "2026-11-21T00:27:32.123456789Z".to_owned(),
    };
    let location = format!("/v2/{name}/blobs/uploads/{id}?_state={}", token.sign(secret.as_bytes()));
    let status = bed.get(&location).await.is(204);
    assert_eq!(status.header("range"), "0-4");
    finish(&bed, &location, "hello_world", "_world").await.is(201);
    bed.get(&location).await.is(404);
    let left = bed.blobs.read(&jeroboam_oci::layout::upload_data(&name, &id), None, Default::default()).await.unwrap();
    assert!(left.is_none(), "its files went with it");
}

#[tokio::test]
async fn there_are_only_so_many_uploads_at_once() {
    let config = StoreConfig { uploads_per_repository: 3, ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    let mut last = String::new();
    for _ in 0..3 {
        last = begin(&bed, "a").await;
    }
    let refused = bed.send("POST", "/v2/a/blobs/uploads/", &[], "").await.is(429);
    assert_eq!(refused.code(), "TOOMANYREQUESTS");
    assert!(!refused.header("retry-after").is_empty());
    begin(&bed, "b").await;
    bed.delete(&last).await.is(204);
    begin(&bed, "a").await;
    // Those without bytes are forgotten, and their clients go on all the same.
    bed.clock.advance(std::time::Duration::from_secs(120));
    begin(&bed, "a").await;
}

#[tokio::test]
async fn many_uploads_of_one_keep_nobody_else_out() {
    let config = StoreConfig { uploads_per_repository: 1000, uploads_known: 200, ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    let minute = std::time::Duration::from_secs(61);
    // As many as a process knows, begun over a time in which those without bytes are forgotten, and each then given a byte.
    let mut locations = Vec::new();
    for n in 0..250 {
        locations.push(begin(&bed, "many").await);
        if n % 100 == 99 {
            bed.clock.advance(minute);
        }
    }
    let mut last = String::new();
    for location in &locations {
        last = bed.send("PATCH", location, &[], "x").await.is(202).location();
    }
    begin(&bed, "other").await;
    // Those that were forgotten go on.
    let first = bed.get(&locations[0]).await.is(204);
    assert_eq!(first.header("range"), "0-0");
    finish(&bed, &first.location(), "xyz", "yz").await.is(201);
    finish(&bed, &last, "xab", "ab").await.is(201);
}

#[tokio::test]
async fn an_upload_that_comes_back_by_its_token_counts() {
    let config = StoreConfig { uploads_per_repository: 3, ..everything_allowed() };
    let bed = Bed::with(config, HttpConfig::default()).await;
    let mut locations = Vec::new();
    for _ in 0..2 {
        for _ in 0..3 {
            locations.push(begin(&bed, "a").await);
        }
        bed.clock.advance(std::time::Duration::from_secs(61));
    }
    for (n, location) in locations.iter().enumerate() {
        bed.send("PATCH", location, &[], "x").await.is(if n < 3 { 202 } else { 429 });
    }
}

#[tokio::test]
async fn a_client_that_comes_back_does_not_wait_for_its_lost_connection() {
    use tokio::io::AsyncWriteExt as _;
    for bed in Bed::each().await {
        let location = begin(&bed, "a").await;
        let mut lost = tokio::net::TcpStream::connect(bed.address).await.unwrap();
        let head = format!("PATCH {location} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhello");
        lost.write_all(head.as_bytes()).await.unwrap();
        // Until it is being worked on, and what came of it is not safe yet.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(bed.get(&location).await.is(204).header("range"), "0-0");
        let again = std::time::Instant::now();
        // The client knows of nothing that is safe, and asks with what it begins: the answer says where it goes on.
        let refused = patch(&bed, &location, "0-4", "hello").await.is(416);
        assert_eq!(refused.header("range"), "0-4");
        assert!(again.elapsed() < std::time::Duration::from_secs(5), "{:?}", again.elapsed());
        finish(&bed, &refused.location(), "hello_world", "_world").await.is(201);
    }
}

/// Paths of all that is kept of uploads.
async fn kept(bed: &Bed) -> Vec<String> {
    let all = all_objects(bed.store.place(), &layout::area(Area::Sessions)).await.unwrap();
    all.into_iter().map(|entry| entry.path).filter(|path| !path.ends_with("/secret")).collect()
}

#[tokio::test]
async fn bytes_that_are_not_as_announced_are_not_kept() {
    for bed in Bed::each().await {
        let location = begin(&bed, "a").await;
        let announced = [("content-range", "0-99")];
        let refused = bed.send("PATCH", &location, &announced, streamed(&["hello"])).await.is(400);
        assert_eq!(refused.code(), "SIZE_INVALID");
        assert_eq!(kept(&bed).await, Vec::<String>::new());
        assert_eq!(bed.get(&location).await.is(204).header("range"), "0-0");
        let first = patch(&bed, &location, "0-4", "hello").await.is(202);
        finish(&bed, &first.location(), "hello_world", "_world").await.is(201);
    }
}
