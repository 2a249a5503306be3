//! What one registry does in its turn.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::header::ACCEPT;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use jeroboam_oci::{Algorithm, Digest};

use super::subject::{Running, Subject};
use super::wire::{Blob, MANIFEST, Wire, crowd};
use super::{Backend, Sizes};
use crate::figures::{Spread, quantile};
use crate::load::{Bounds, Shot, Tally};
use crate::process::Process;
use crate::say;

/// What is measured: its name, its unit.
pub(super) type Figure = (&'static str, &'static str, f64);

/// What is measured of manifests that are in nobody's memory.
pub(super) const EACH_ONCE: &str = "manifest HEAD by tag, each once after a start";
const REPOSITORY: &str = "bench/one";
const CHUNK: usize = 8 << 20;
const SMALL: usize = 4096;
/// Bytes of the blob that many pull at once.
const POPULAR: usize = 1 << 20;
/// Connections that push small things.
const FEW: usize = 8;
/// Connections that ask for manifests.
const SOME: usize = 16;
/// Transfers at once whose memory is measured.
const TRANSFERS: usize = 4;

/// No two blobs of a run are the same.
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// Bytes that nobody has, the same length each time.
pub(super) fn blob(length: usize) -> Blob {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let seed = Digest::of(Algorithm::Sha512, &number.to_be_bytes());
    let mut bytes: Vec<u8> = seed.hex().bytes().cycle().take(length.min(1 << 16)).collect();
    // Large ones repeat themselves with a number in each block: nothing here compresses, and making them is quick.
    while bytes.len() < length {
        let take = bytes.len().min(length - bytes.len()).min(1 << 16);
        let at = bytes.len() as u64;
        bytes.extend_from_within(..take);
        let start = bytes.len() - take;
        let stamp = (at ^ number).to_be_bytes();
        let end = bytes.len().min(start + stamp.len());
        bytes[start..end].copy_from_slice(&stamp[..end - start]);
    }
    let bytes = Bytes::from(bytes);
    let digest = Digest::sha256(&bytes).to_string();
    Blob { bytes, digest }
}

/// An image of these blobs, which has a number in it.
fn manifest(config: &Blob, layer: &Blob, number: u64) -> Bytes {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":{}}}],"annotations":{{"number":"{number}"}}}}"#,
        config.digest,
        config.bytes.len(),
        layer.digest,
        layer.bytes.len()
    )
    .into()
}

/// Everything that is measured of one registry, in one turn.
pub(super) async fn turn(
    subject: &Subject,
    backend: Backend,
    round: usize,
    sizes: Sizes,
    only: &str,
) -> Result<Vec<Figure>> {
    let mut running = subject.start(backend, &format!("{}-{round}", backend.name())).await?;
    running.process.settle().await?;
    let mut figures = vec![
        ("start to first 200", "ms", running.start.as_secs_f64() * 1e3),
        ("RSS idle", "MiB", running.process.memory()?.rss),
    ];
    let wants = |what: &str| what.contains(only);
    // First, while its memory is what it needs and not what it once needed.
    if wants("memory") {
        figures.extend(memory(&running, sizes).await?);
    }
    if wants("large") {
        figures.extend(large(&running, sizes).await?);
    }
    if wants("small") {
        figures.extend(small(&running, sizes).await?);
    }
    if wants("manifest") {
        figures.extend(manifests(&running, sizes).await?);
    }
    if wants("manifest") {
        running = subject.anew(running).await?;
        running.process.settle().await?;
        figures.push(each_once(&running, sizes).await?);
    }
    // Last: not every other one gets through this, nor does the Swift behind it; what else it does counts.
    if wants("crowd") {
        match crowded(&running, sizes).await {
            Ok(crowd) => figures.extend(crowd),
            Err(error) if subject.name != "jeroboam" => {
                say(&format!("{}: a crowd of pulls has failed, no figure: {error:#}", subject.name));
            }
            Err(error) => return Err(error.context("a crowd of pulls")),
        }
    }
    running.stop().await;
    Ok(figures)
}

#[expect(clippy::cast_precision_loss, reason = "a number of bytes")]
fn mb_per_s(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}

async fn large(running: &Running, sizes: Sizes) -> Result<Vec<Figure>> {
    let mut wire = Wire::open(running.address).await?;
    let (mono, chunked) = (blob(sizes.large), blob(sizes.large));
    let began = Instant::now();
    wire.push(REPOSITORY, &mono).await.context("push in one")?;
    let in_one = began.elapsed();
    let began = Instant::now();
    wire.push_chunked(REPOSITORY, &chunked, CHUNK).await.context("push in chunks")?;
    let in_chunks = began.elapsed();
    let began = Instant::now();
    wire.pull(REPOSITORY, &mono).await.context("pull")?;
    let first = began.elapsed();
    let began = Instant::now();
    wire.pull(REPOSITORY, &mono).await.context("pull")?;
    Ok(vec![
        ("large push in one", "MB/s", mb_per_s(sizes.large, in_one)),
        ("large push in 8 MiB chunks", "MB/s", mb_per_s(sizes.large, in_chunks)),
        ("large pull, the first", "MB/s", mb_per_s(sizes.large, first)),
        ("large pull", "MB/s", mb_per_s(sizes.large, began.elapsed())),
    ])
}

async fn small(running: &Running, sizes: Sizes) -> Result<Vec<Figure>> {
    let blobs: Arc<[Blob]> = (0..sizes.small).map(|_| blob(SMALL)).collect();
    let (took, mut each) = crowd(running.address, FEW, sizes.small, move |mut wire, piece| {
        let blobs = Arc::clone(&blobs);
        async move {
            let blob = &blobs[usize::try_from(piece).unwrap_or_default()];
            wire.push(REPOSITORY, blob).await?;
            Ok(wire)
        }
    })
    .await?;
    each.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a number of blobs")]
    let rate = sizes.small as f64 / took.as_secs_f64();
    Ok(vec![
        ("small blobs of 4 KiB, 8 at once", "/s", rate),
        ("small blobs, p50", "ms", quantile(&each, 0.5).as_secs_f64() * 1e3),
    ])
}

async fn manifests(running: &Running, sizes: Sizes) -> Result<Vec<Figure>> {
    let (config, layer) = (blob(200), blob(SMALL));
    let mut wire = Wire::open(running.address).await?;
    wire.push(REPOSITORY, &config).await?;
    wire.push(REPOSITORY, &layer).await?;
    let (put_config, put_layer) = (config.clone(), layer.clone());
    let (took, _) = crowd(running.address, FEW, sizes.manifests, move |mut wire, piece| {
        let body = manifest(&put_config, &put_layer, piece);
        async move {
            wire.put_manifest(REPOSITORY, &format!("tag-{piece}"), body).await?;
            Ok(wire)
        }
    })
    .await?;
    #[expect(clippy::cast_precision_loss, reason = "a number of manifests")]
    let puts = sizes.manifests as f64 / took.as_secs_f64();
    let mut figures = vec![("manifest PUT, 8 at once", "/s", puts)];
    let digest = Digest::sha256(&manifest(&config, &layer, 0)).to_string();
    for (method, reference, rate_of, p99_of) in [
        (Method::HEAD, "tag-0", "manifest HEAD by tag, 16 at once", "manifest HEAD by tag, p99"),
        (Method::GET, "tag-0", "manifest GET by tag, 16 at once", "manifest GET by tag, p99"),
        (Method::GET, digest.as_str(), "manifest GET by digest, 16 at once", "manifest GET by digest, p99"),
    ] {
        let (rate, latency) = ask(running, method, reference, sizes).await?;
        figures.push((rate_of, "/s", rate));
        figures.push((p99_of, "ms", latency.p99_ms));
    }
    Ok(figures)
}

async fn ask(running: &Running, method: Method, reference: &str, sizes: Sizes) -> Result<(f64, Spread)> {
    let uri = format!("/v2/{REPOSITORY}/manifests/{reference}");
    let host = running.address.to_string();
    let make = move |_| {
        let request =
            Request::builder().method(method.clone()).uri(&uri).header("host", &host).header(ACCEPT, MANIFEST);
        request.body(Full::new(Bytes::new())).expect("the parts are right")
    };
    let shot = Shot { address: running.address, make: Arc::new(make), expected: StatusCode::OK, length: None };
    let mut tally = Tally::default();
    tally
        .volley(&shot, &running.process, SOME, Bounds { time: sizes.asking, requests: u64::MAX })
        .await
        .context("ask for manifests")?;
    let rate = tally.rates.first().copied().unwrap_or_default();
    Ok((rate, Spread::of(tally.latencies)))
}

/// Every tag that was pushed is looked at once, by a registry that has just been started: none of them is in its memory.
async fn each_once(running: &Running, sizes: Sizes) -> Result<Figure> {
    let accept = vec![(ACCEPT, MANIFEST.to_owned())];
    let (took, _) = crowd(running.address, SOME, sizes.manifests, move |mut wire, piece| {
        let (path, accept) = (format!("/v2/{REPOSITORY}/manifests/tag-{piece}"), accept.clone());
        async move {
            wire.ask(Method::HEAD, &path, &accept, Bytes::new()).await?.expect(200)?;
            Ok(wire)
        }
    })
    .await?;
    #[expect(clippy::cast_precision_loss, reason = "a number of manifests")]
    let rate = sizes.manifests as f64 / took.as_secs_f64();
    Ok((EACH_ONCE, "/s", rate))
}

/// Very many pull the same blob at once, each once.
async fn crowded(running: &Running, sizes: Sizes) -> Result<Vec<Figure>> {
    let popular = blob(POPULAR);
    Wire::open(running.address).await?.push(REPOSITORY, &popular).await?;
    let before = running.process.memory()?.rss;
    running.process.forget_peak();
    let pulled = popular.clone();
    let (took, mut each) = crowd(running.address, sizes.crowd, sizes.crowd as u64, move |mut wire, _| {
        let pulled = pulled.clone();
        async move {
            wire.pull(REPOSITORY, &pulled).await?;
            Ok(wire)
        }
    })
    .await?;
    each.sort_unstable();
    Ok(vec![
        ("crowd of pulls of 1 MiB at once, all of them", "MB/s", mb_per_s(POPULAR * sizes.crowd, took)),
        ("crowd of pulls, p99", "ms", quantile(&each, 0.99).as_secs_f64() * 1e3),
        ("crowd of pulls, RSS grown to", "MiB", running.process.peak()?.max(before)),
    ])
}

/// How much memory one transfer takes more, of several at once.
async fn memory(running: &Running, sizes: Sizes) -> Result<Vec<Figure>> {
    let blobs: Arc<[Blob]> = (0..TRANSFERS).map(|_| blob(sizes.large / 4)).collect();
    let mut figures = Vec::new();
    for (what, push) in [("memory grown for a push", true), ("memory grown for a pull", false)] {
        let before = running.process.memory()?.rss;
        running.process.forget_peak();
        let blobs = Arc::clone(&blobs);
        crowd(running.address, TRANSFERS, TRANSFERS as u64, move |mut wire, piece| {
            let blobs = Arc::clone(&blobs);
            async move {
                let blob = &blobs[usize::try_from(piece).unwrap_or_default()];
                if push {
                    wire.push_chunked(REPOSITORY, blob, CHUNK).await?;
                } else {
                    wire.pull(REPOSITORY, blob).await?;
                }
                Ok(wire)
            }
        })
        .await?;
        #[expect(clippy::cast_precision_loss, reason = "a number of transfers")]
        let each = (running.process.peak()? - before).max(0.0) / TRANSFERS as f64;
        figures.push((what, "MiB", each));
    }
    Ok(figures)
}

/// How many requests each operation costs the backend, by kind.
pub(super) async fn requests(subject: &Subject, proxy: &Path) -> Result<Vec<(&'static str, BTreeMap<String, u64>)>> {
    let url = subject.swift.as_deref().context("--swift is missing")?;
    let to = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut at = subject.address;
    at.set_port(at.port() + 20);
    let arguments = ["--listen", &at.to_string(), "--to", to];
    let mut counting = Process::start(proxy, &arguments, &subject.folder, "proxy")?;
    counting.until("an answer", Duration::from_millis(10), || crate::start::answers(at, "/_proxy")).await?;
    let counted = Subject { swift: Some(url.replace(to, &at.to_string())), ..subject.clone() };
    let running = counted.start(Backend::Swift, "requests").await?;
    running.process.settle().await?;
    let mut wire = Wire::open(running.address).await?;
    let (config, layer, other) = (blob(200), blob(SMALL), blob(SMALL));
    let body = manifest(&config, &layer, 0);
    let path = |rest: &str| format!("/v2/{REPOSITORY}/{rest}");
    let digest = Digest::sha256(&body).to_string();
    let accept = [(ACCEPT, MANIFEST.to_owned())];
    let none = Bytes::new;
    let mut all = Vec::new();
    let mut begin = Counter::at(at).await?;

    wire.ask(Method::HEAD, &path(&format!("blobs/{}", other.digest)), &[], none()).await?.expect(404)?;
    all.push(("HEAD of a blob that is missing", begin.lap().await?));
    wire.push(REPOSITORY, &layer).await?;
    wire.push(REPOSITORY, &config).await?;
    begin.lap().await?;
    wire.push(REPOSITORY, &other).await?;
    all.push(("push of a small blob", begin.lap().await?));
    wire.ask(Method::HEAD, &path(&format!("blobs/{}", other.digest)), &[], none()).await?.expect(200)?;
    all.push(("HEAD of a blob", begin.lap().await?));
    wire.pull(REPOSITORY, &other).await?;
    all.push(("GET of a blob", begin.lap().await?));
    wire.put_manifest(REPOSITORY, "tag", body).await?;
    all.push(("PUT of a manifest by tag", begin.lap().await?));
    tokio::time::sleep(Duration::from_secs(2)).await;
    begin.lap().await?;
    wire.ask(Method::HEAD, &path("manifests/tag"), &accept, none()).await?.expect(200)?;
    all.push(("HEAD of a manifest by tag", begin.lap().await?));
    wire.ask(Method::GET, &path(&format!("manifests/{digest}")), &accept, none()).await?.expect(200)?;
    all.push(("GET of a manifest by digest", begin.lap().await?));
    let mount = format!("/v2/bench/two/blobs/uploads/?mount={}&from={REPOSITORY}", other.digest);
    wire.ask(Method::POST, &mount, &[], none()).await?.expect(201)?;
    all.push(("mount of a blob", begin.lap().await?));
    wire.ask(Method::DELETE, &path(&format!("manifests/{digest}")), &[], none()).await?.expect(202)?;
    all.push(("DELETE of a manifest", begin.lap().await?));
    running.stop().await;
    counting.stop().await;
    Ok(all)
}

/// What the proxy counted since it was asked last.
struct Counter {
    url: String,
    http: reqwest::Client,
    before: BTreeMap<String, u64>,
}

impl Counter {
    async fn at(address: std::net::SocketAddr) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build().context("make an HTTP client")?;
        let mut counter = Self { url: format!("http://{address}/_proxy"), http, before: BTreeMap::new() };
        counter.lap().await?;
        Ok(counter)
    }

    async fn lap(&mut self) -> Result<BTreeMap<String, u64>> {
        let said: serde_json::Value = self.http.get(&self.url).send().await?.json().await.context("ask the proxy")?;
        let kinds: BTreeMap<String, u64> = serde_json::from_value(said["kinds"].clone()).context("read the counts")?;
        let since =
            kinds.iter().map(|(kind, count)| (kind.clone(), count - self.before.get(kind).copied().unwrap_or(0)));
        let since = since.filter(|(_, count)| *count > 0).collect();
        self.before = kinds;
        Ok(since)
    }
}
