//! What only bytes on a connection show: when a body is asked for, what comes of one that breaks off, whether a refusal arrives.

use std::time::Duration;

use jeroboam_oci::Digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bed::{Bed, IMAGE, image};

async fn connect(bed: &Bed, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    let head = format!("{head}\r\nHost: {}\r\n\r\n", bed.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// What comes next, up to the end of a header.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(Duration::from_secs(20), stream.read_u8()).await.expect("an answer in time");
        text.push(byte.expect("an answer before the end"));
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_it_is_wanted() {
    let bed = Bed::memory().await;
    bed.push("a", b"{}").await;
    bed.push("a", b"layer").await;
    let head = |name: &str, length: usize| {
        format!(
            "PUT /v2/{name}/manifests/v1 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Type: {IMAGE}\r\nContent-Length: {length}"
        )
    };
    let mut refused = connect(&bed, &head("a", 5 << 20)).await;
    assert!(answer(&mut refused).await.starts_with("HTTP/1.1 413 "), "too large, and nothing of it was asked for");
    let mut refused = connect(&bed, &head("UPPER", 10)).await;
    assert!(answer(&mut refused).await.starts_with("HTTP/1.1 400 "));
    let manifest = image(b"layer", "");
    let mut taken = connect(&bed, &head("a", manifest.len())).await;
    assert!(answer(&mut taken).await.starts_with("HTTP/1.1 100 "));
    taken.write_all(&manifest).await.unwrap();
    assert!(answer(&mut taken).await.starts_with("HTTP/1.1 201 "));
}

#[tokio::test]
async fn a_refusal_arrives_although_the_body_is_on_its_way() {
    let bed = Bed::memory().await;
    for path in
        ["/v2/a/blobs/uploads/0197a1b2-0000-4000-8000-000000000000", "/v2/UPPER/blobs/uploads/x", "/v2/a/tags/list"]
    {
        let mut stream = connect(&bed, &format!("PATCH {path} HTTP/1.1\r\nContent-Length: 3000000")).await;
        let body = vec![0; 3_000_000];
        stream.write_all(&body).await.expect("it is read to the end");
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 40"), "{path}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_what_came() {
    for bed in Bed::each().await {
        let begun = bed.send("POST", "/v2/a/blobs/uploads/", &[], "").await.is(202).location();
        let mut stream = connect(&bed, &format!("PATCH {begun} HTTP/1.1\r\nContent-Length: 100")).await;
        stream.write_all(b"hello").await.unwrap();
        stream.flush().await.unwrap();
        drop(stream);
        let mut range = String::new();
        for _ in 0..500 {
            range = bed.get(&begun).await.is(204).header("range").to_owned();
            if range == "0-4" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(range, "0-4");
        let rest = bed.send("PATCH", &begun, &[("content-range", "5-10")], "_world").await.is(202);
        let digest = Digest::sha256(b"hello_world");
        bed.send("PUT", &format!("{}&digest={digest}", rest.location()), &[], "").await.is(201);
    }
}

#[tokio::test]
async fn of_two_requests_with_the_same_chunk_one_counts() {
    for bed in Bed::each().await {
        let begun = bed.send("POST", "/v2/a/blobs/uploads/", &[], "").await.is(202).location();
        let headers = [("content-range", "0-4")];
        let both = futures::future::join_all((0..2).map(|_| bed.send("PATCH", &begun, &headers, "hello"))).await;
        let mut statuses: Vec<u16> = both.iter().map(|reply| reply.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [202, 416]);
        assert_eq!(bed.get(&begun).await.is(204).header("range"), "0-4");
    }
}
