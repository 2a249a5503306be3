//! A process dies at every call it makes of a place, before and after the call took effect, and once more at any moment by `kill -9`: what was
//! acknowledged is there, what was not is there whole or not at all, and an upload goes on from what was saved.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::life::{self, Told as Line};
use jeroboam_blobs::s3::{S3, S3Config, Source};
use jeroboam_blobs::{Directory, Fault, Faults, Memory, SharedBlobs, Told};
use jeroboam_model::SystemClock;

/// Lets a life end at each of its calls and looks at what is left. `fresh` gives an empty place.
async fn die_at_every_call<F: Future<Output = SharedBlobs>>(fresh: impl Fn(u64) -> F) {
    let faults = Faults::new(fresh(0).await);
    life::live(&(Arc::new(faults.clone()) as SharedBlobs), &mut |_| {}).await.expect("a life without faults");
    let calls = faults.calls();
    assert!(calls > 25, "a life of {calls} calls");
    for call in 1..=calls {
        for told in [Told::Before, Told::After] {
            let inner = fresh(call * 2 + u64::from(told == Told::After)).await;
            let faults = Faults::new(Arc::clone(&inner));
            faults.plan(Some(Fault { call, told, dies: true }));
            let mut heard = Vec::new();
            let place: SharedBlobs = Arc::new(faults.clone());
            life::live(&place, &mut |line| heard.push(line)).await.expect_err("it dies");
            life::inspect(&inner, &heard, &format!("call {call} {told:?}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_survives_a_death_at_every_call() {
    die_at_every_call(|_| async { Arc::new(Memory::default()) as SharedBlobs }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_survives_a_death_at_every_call() {
    let root = tempfile::tempdir().expect("a directory");
    die_at_every_call(|number| {
        let root = root.path().join(number.to_string());
        async move { Arc::new(Directory::open(&root).await.expect("opened")) as SharedBlobs }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_survives_a_death_at_every_call() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    die_at_every_call(|_| async {
        let address = crate::fake_s3::FakeS3::default().start().await;
        let parameters = [
            ("regionendpoint", address.as_str()),
            ("region", "here"),
            ("bucket", "bucket"),
            ("accesskey", "access"),
            ("secretkey", "secret"),
            ("chunksize", "5242880"),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let config = S3Config::from_parameters(&parameters).expect("settings");
        let source = Source::choose(config.keys.as_ref(), &config.region, &|_| None);
        Arc::new(S3::new(config, source, Arc::new(SystemClock)).expect("a place")) as SharedBlobs
    })
    .await;
}

const ROOT: &str = "JEROBOAM_CRASH_ROOT";

/// Not a test of its own: the process that is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "the parent tells it so where to live")]
#[expect(clippy::print_stdout, reason = "it tells its parent how far it came")]
async fn child() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let place: SharedBlobs = Arc::new(Directory::open(root.as_ref()).await.expect("opened"));
    println!("\nbegun");
    life::live(&place, &mut |line| println!("{}", serde_json::to_string(&line).expect("a line")))
        .await
        .expect("a life");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_survives_kill_9_at_any_moment() {
    let root = tempfile::tempdir().expect("a directory");
    let mut cut = 0;
    for round in 0..40_u64 {
        let root = root.path().join(round.to_string());
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
            .env(ROOT, &root)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        while lines.next().expect("it begins").expect("a line") != "begun" {}
        // A life takes some tens of milliseconds: the moments lie close together where most happens.
        let wait = Duration::from_micros(700 * round);
        tokio::task::spawn_blocking(move || std::thread::sleep(wait)).await.expect("a wait");
        child.kill().expect("killed");
        child.wait().expect("dead");
        let heard: Vec<Line> =
            lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()).collect();
        cut += u32::from(!heard.iter().any(|line| matches!(line, Line::Done)));
        let place: SharedBlobs = Arc::new(Directory::open(&root).await.expect("opened"));
        life::inspect(&place, &heard, &format!("round {round}")).await;
    }
    assert!(cut > 10, "only {cut} of 40 lives were cut short");
}
