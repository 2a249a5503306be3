//! What the disk and the bare Swift can do: the same bytes, without a registry in between.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::Method;
use hyper::body::Bytes;
use tokio::task::JoinSet;

use super::Sizes;
use super::measure::{EACH_ONCE, Figure, blob};
use super::wire::{Wire, crowd};

const SMALL: usize = 4096;
const FEW: usize = 8;
const SOME: usize = 16;

/// Files that are there after a power cut: written, synced, renamed, and their folder synced.
pub(super) async fn disk(folder: &Path, sizes: Sizes) -> Result<Vec<Figure>> {
    let folder = folder.join("raw");
    std::fs::create_dir_all(&folder).context("make a folder")?;
    let large = blob(sizes.large);
    let file = folder.join("large");
    let began = Instant::now();
    durable(&file, &large.bytes)?;
    let write = began.elapsed();
    let began = Instant::now();
    let read = std::fs::read(&file).context("read a file")?.len();
    let reading = began.elapsed();
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..FEW as u64 {
        let folder = folder.clone();
        writers.spawn_blocking(move || -> Result<()> {
            for number in (writer..sizes.small).step_by(FEW) {
                durable(&folder.join(format!("small-{number}")), &blob(SMALL).bytes)?;
            }
            Ok(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.context("a writer broke")??;
    }
    let small = began.elapsed();
    std::fs::remove_dir_all(&folder).context("remove a folder")?;
    #[expect(clippy::cast_precision_loss, reason = "numbers of bytes and files")]
    Ok(vec![
        ("large push in one", "MB/s", sizes.large as f64 / 1e6 / write.as_secs_f64()),
        ("large pull", "MB/s", read as f64 / 1e6 / reading.as_secs_f64()),
        ("small blobs of 4 KiB, 8 at once", "/s", sizes.small as f64 / small.as_secs_f64()),
    ])
}

fn durable(path: &Path, bytes: &[u8]) -> Result<()> {
    let new: PathBuf = path.with_extension("new");
    let mut file = std::fs::File::create(&new).context("make a file")?;
    std::io::Write::write_all(&mut file, bytes).context("write a file")?;
    file.sync_all().context("sync a file")?;
    std::fs::rename(&new, path).context("rename a file")?;
    let folder = path.parent().context("a file without a folder")?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).context("sync a folder")
}

/// The bare Swift, with its own accounts.
pub(super) async fn swift(url: &str, sizes: Sizes) -> Result<Vec<Figure>> {
    let http = reqwest::Client::builder().no_proxy().build().context("make an HTTP client")?;
    let asked = http.get(url).header("X-Auth-User", "test:tester").header("X-Auth-Key", "testing").send().await?;
    let header = |name: &str| asked.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let token = header("x-auth-token").context("Swift gave no token")?;
    let storage: http::Uri = header("x-storage-url").context("Swift gave no address")?.parse()?;
    let authority = storage.authority().context("Swift's address has no host")?;
    let address: SocketAddr = authority.as_str().parse().context("Swift's address is no address")?;
    let container = format!("{}/raw", storage.path());
    let headers = vec![(http::HeaderName::from_static("x-auth-token"), token)];
    let mut wire = Wire::open(address).await?;
    wire.ask(Method::PUT, &container, &headers, Bytes::new()).await?;

    let large = blob(sizes.large);
    let object = format!("{container}/large");
    let began = Instant::now();
    wire.ask(Method::PUT, &object, &headers, large.bytes.clone()).await?.expect(201)?;
    let put = began.elapsed();
    let began = Instant::now();
    wire.ask(Method::GET, &object, &headers, Bytes::new()).await?.expect(200)?;
    let get = began.elapsed();

    let (place, credentials) = (container.clone(), headers.clone());
    let (small, _) = crowd(address, FEW, sizes.small, move |mut wire, piece| {
        let (object, headers, bytes) = (format!("{place}/small-{piece}"), credentials.clone(), blob(SMALL).bytes);
        async move {
            wire.ask(Method::PUT, &object, &headers, bytes).await?.expect(201)?;
            Ok(wire)
        }
    })
    .await?;
    let looks = sizes.small * 4;
    let heads = look(address, &container, &headers, sizes.small).await?;
    // What a tag is read with: it is overwritten, and each replica that may have it is asked which is the newest.
    let mut newest = headers.clone();
    newest.push((http::HeaderName::from_static("x-newest"), "true".to_owned()));
    let newest = look(address, &container, &newest, sizes.small).await?;
    #[expect(clippy::cast_precision_loss, reason = "numbers of bytes and objects")]
    let rate = |count: u64, took: Duration| count as f64 / took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a number of bytes")]
    let mb = sizes.large as f64 / 1e6;
    Ok(vec![
        ("large push in one", "MB/s", mb / put.as_secs_f64()),
        ("large pull", "MB/s", mb / get.as_secs_f64()),
        ("small blobs of 4 KiB, 8 at once", "/s", rate(sizes.small, small)),
        ("manifest HEAD by tag, 16 at once", "/s", rate(looks, heads)),
        (EACH_ONCE, "/s", rate(looks, heads)),
        ("HEAD of the newest replica, 16 at once", "/s", rate(looks, newest)),
    ])
}

/// How long it takes to ask four times for each small object's head.
async fn look(
    address: SocketAddr,
    container: &str,
    headers: &[(http::HeaderName, String)],
    small: u64,
) -> Result<Duration> {
    let (container, headers) = (container.to_owned(), headers.to_vec());
    let (took, _) = crowd(address, SOME, small * 4, move |mut wire, piece| {
        let (object, headers) = (format!("{container}/small-{}", piece % small), headers.clone());
        async move {
            wire.ask(Method::HEAD, &object, &headers, Bytes::new()).await?.expect(200)?;
            Ok(wire)
        }
    })
    .await?;
    Ok(took)
}
