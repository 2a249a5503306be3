//! How fast bytes travel through us, beside a client that does nothing but send them, in turns.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt as _;
use jeroboam_blobs::swift::{SegmentSizes, SwiftAccess};
use jeroboam_blobs::{Blobs as _, Condition, Freshness, Swift};

use crate::checks::bytes;
use crate::places::{Place, real};

const SIZE: usize = 128 << 20;

fn rate(took: Duration) -> f64 {
    SIZE as f64 / 1e6 / took.as_secs_f64()
}

/// A token and the container's address, as `curl` needs them.
async fn login(place: &Place) -> (String, String) {
    let SwiftAccess::Legacy(legacy) = &place.config.access else { panic!("accounts of its own") };
    let request = reqwest::Client::new().get(&legacy.auth_url).header("x-auth-user", "test:tester");
    let answer = request.header("x-auth-key", "testing").send().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    (header("x-auth-token"), format!("{}/{}", header("x-storage-url"), place.config.container))
}

fn curl(token: &str, arguments: &[&str]) -> Duration {
    let begin = Instant::now();
    let header = format!("X-Auth-Token: {token}");
    let status = Command::new("curl").args(["-sf", "-o", "/dev/null", "-H", &header]).args(arguments).status().unwrap();
    assert!(status.success());
    begin.elapsed()
}

async fn push(swift: &Swift, path: &str, size: Option<u64>, content: &Bytes) -> Duration {
    let begin = Instant::now();
    let mut writer = swift.create(path, size).await.unwrap();
    for at in (0..content.len()).step_by(64 << 10) {
        writer.write(content.slice(at..content.len().min(at + (64 << 10)))).await.unwrap();
    }
    writer.commit().await.unwrap();
    begin.elapsed()
}

async fn pull(swift: &Swift, path: &str) -> Duration {
    let begin = Instant::now();
    let object = swift.read(path, None, Freshness::Any).await.unwrap().unwrap();
    let came = object.body.try_fold(0, |sum, piece| async move { Ok(sum + piece.len()) }).await.unwrap();
    assert_eq!(came, SIZE);
    begin.elapsed()
}

/// The best of some turns: the machine has other things to do as well.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_travel_about_as_fast_as_they_can() {
    let Some(mut place) = real().into_iter().find(|place| matches!(place.config.access, SwiftAccess::Legacy(_))) else {
        return;
    };
    place.config.segments = SegmentSizes::default();
    let swift = place.open();
    swift.probe().await.unwrap();
    let (token, address) = login(&place).await;
    let content = bytes(SIZE, 1);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let mut best = [Duration::MAX; 6];
    for _ in 0..3 {
        let turn = [
            curl(&token, &["-T", &path, &format!("{address}/raw")]),
            push(&swift, "plain", Some(SIZE as u64), &content).await,
            push(&swift, "segments", None, &content).await,
            curl(&token, &[&format!("{address}/raw")]),
            pull(&swift, "plain").await,
            pull(&swift, "segments").await,
        ];
        for (best, took) in best.iter_mut().zip(turn) {
            *best = took.min(*best);
        }
    }
    let [raw_push, plain_push, segments_push, raw_pull, plain_pull, segments_pull] = best.map(rate);
    println!("push in MB/s: curl {raw_push:.0}, plain {plain_push:.0}, in segments {segments_push:.0}");
    println!("pull in MB/s: curl {raw_pull:.0}, plain {plain_pull:.0}, in segments {segments_pull:.0}");
    let small = Instant::now();
    for at in 0..200 {
        swift.put(&format!("small/{at}"), content.slice(at..at + 4096), Condition::Always).await.unwrap();
    }
    println!("4 KiB objects one after the other: {:.0} a second", 200.0 / small.elapsed().as_secs_f64());
    swift.delete(&["plain".into(), "segments".into()]).await.unwrap();
    swift.delete(&(0..200).map(|at| format!("small/{at}")).collect::<Vec<_>>()).await.unwrap();
    place.raw().remove("raw").await.unwrap();
    assert!(plain_push > raw_push / 3.0 && segments_push > raw_push / 3.0);
    assert!(plain_pull > raw_pull / 3.0 && segments_pull > raw_pull / 3.0);
}
