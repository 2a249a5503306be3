//! How much memory a transfer takes: many at once into a store that takes its time, and what the process has grown by at most.
//!
//! Alone in its process, so that nothing else takes any.

mod sink;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use jeroboam_blobs::s3::{S3, S3Config, Source};
use jeroboam_blobs::{Directory, Freshness, SharedBlobs};
use jeroboam_model::SystemClock;
use tokio::task::JoinSet;

const MIB: u64 = 1 << 20;

/// Transfers at once.
const TRANSFERS: u64 = 16;

/// Bytes of each.
const LENGTH: u64 = 48 * MIB;

/// What clients' bytes come in.
const PIECE: usize = 16 << 10;

/// How a blob is pushed.
#[derive(Clone, Copy, Debug)]
enum Push {
    /// In one request that says how long it is, to its own path.
    Announced,
    /// In requests of unknown length, to a path that is known in the end; made durable in between.
    Streamed,
}

fn bucket(address: &str, parts_at_once: &str) -> SharedBlobs {
    let parameters = [
        ("regionendpoint", address),
        ("region", "here"),
        ("bucket", "bucket"),
        ("accesskey", "access"),
        ("secretkey", "secret"),
        ("partsatonce", parts_at_once),
    ];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let config = S3Config::from_parameters(&parameters).expect("settings");
    let source = Source::choose(config.keys.as_ref(), &config.region, &|_| None);
    Arc::new(S3::new(config, source, Arc::new(SystemClock)).expect("a place"))
}

/// Kibibytes that the process has now, or had at most since [`forget_peak`].
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel says it");
    let line = status.lines().find_map(|found| found.strip_prefix(line)).expect("it is one of its lines");
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number of kibibytes")
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("the kernel lets us");
}

async fn push(place: SharedBlobs, number: u64, how: Push) {
    let piece = Bytes::from(vec![7; PIECE]);
    let path = format!("docker/registry/v2/blobs/{number}");
    match how {
        Push::Announced => {
            let mut writer = place.create(&path, Some(LENGTH)).await.expect("begun");
            for _ in 0..LENGTH / PIECE as u64 {
                writer.write(piece.clone()).await.expect("taken");
            }
            writer.commit().await.expect("written");
        }
        Push::Streamed => {
            let mut upload = place
                .upload(&format!("docker/registry/v2/repositories/a/_uploads/{number}/data"), None)
                .await
                .expect("begun");
            for number in 0..LENGTH / PIECE as u64 {
                upload.write(piece.clone()).await.expect("taken");
                if number == 999 {
                    upload.save().await.expect("saved");
                }
            }
            upload.commit(&path).await.expect("written");
        }
    }
}

/// MiB that the process has grown by at most for each of many transfers at once.
async fn grown<F: Future<Output = ()> + Send + 'static>(transfer: impl Fn(u64) -> F) -> f64 {
    let before = memory("VmRSS:");
    forget_peak();
    let mut transfers = JoinSet::new();
    (0..TRANSFERS).for_each(|number| drop(transfers.spawn(transfer(number))));
    while let Some(done) = transfers.join_next().await {
        done.expect("a transfer");
    }
    let kibibytes = memory("VmHWM:").saturating_sub(before);
    f64::from(u32::try_from(kibibytes).expect("not that many")) / 1024.0 / TRANSFERS as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_transfer_takes_more_than_eight_mebibytes() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let address = sink::start(Duration::from_millis(30)).await;
    let place = bucket(&address, "1");
    // Whatever is needed once is there by then.
    push(place.clone(), 0, Push::Announced).await;
    let mut seen = Vec::new();
    for how in [Push::Announced, Push::Streamed] {
        let each = grown(|number| push(place.clone(), number, how)).await;
        seen.push((format!("{how:?} to S3"), each));
    }
    let root = tempfile::tempdir().expect("a directory");
    let directory: SharedBlobs = Arc::new(Directory::open(root.path()).await.expect("opened"));
    let each = grown(|number| push(directory.clone(), number, Push::Streamed)).await;
    seen.push(("Streamed to a directory".to_owned(), each));
    let each = grown(|number| {
        let directory = directory.clone();
        async move {
            let path = format!("docker/registry/v2/blobs/{number}");
            let object = directory.read(&path, None, Freshness::Any).await.expect("read").expect("there");
            let read = object.body.fold(0, async |read, piece| read + piece.expect("a piece").len() as u64).await;
            assert_eq!(read, LENGTH);
        }
    })
    .await;
    seen.push(("from a directory".to_owned(), each));
    for (what, each) in &seen {
        assert!(*each <= 8.0, "{what} takes {each:.1} MiB: {seen:.1?}");
    }
    // That this can be seen at all: with more parts at a time it takes more.
    let four = bucket(&address, "4");
    let each = grown(|number| push(four.clone(), number, Push::Announced)).await;
    assert!(each > 10.0, "four parts on their way take {each:.1} MiB: {seen:.1?}");
}
