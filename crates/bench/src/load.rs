//! The load: connections that are kept alive, each sending its next request when it has read the whole last answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::process::Process;

/// Makes the request with a number that no other has.
pub(crate) type Make = Arc<dyn Fn(u64) -> Request<Full<Bytes>> + Send + Sync>;

/// A kind of request.
#[derive(Clone)]
pub(crate) struct Shot {
    pub(crate) address: SocketAddr,
    pub(crate) make: Make,
    pub(crate) expected: StatusCode,
    /// How many bytes the body of each answer has, where it is always the same.
    pub(crate) length: Option<usize>,
}

/// When a volley ends, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) requests: u64,
}

/// What came of it.
#[derive(Debug)]
struct Volley {
    latencies: Vec<Duration>,
    took: Duration,
}

impl Volley {
    /// Requests per second.
    fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of requests")]
        let count = self.latencies.len() as f64;
        count / self.took.as_secs_f64()
    }
}

/// What several volleys come to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests per second of each.
    pub(crate) rates: Vec<f64>,
    pub(crate) latencies: Vec<Duration>,
    /// CPU time of who answered.
    cpu: Duration,
}

impl Tally {
    /// Fires at a process and counts what comes of it.
    pub(crate) async fn volley(
        &mut self,
        shot: &Shot,
        process: &Process,
        connections: usize,
        bounds: Bounds,
    ) -> Result<()> {
        let before = process.cpu()?;
        let volley = fire(shot, connections, bounds).await?;
        self.cpu += process.cpu()?.saturating_sub(before);
        self.rates.push(volley.rate());
        self.latencies.extend(volley.latencies);
        Ok(())
    }

    /// CPU time of who answered, in all its threads, for one request.
    pub(crate) fn cpu_us(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of requests")]
        let count = self.latencies.len().max(1) as f64;
        self.cpu.as_secs_f64() * 1e6 / count
    }
}

/// No two requests of a run have the same number.
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// Sends as fast as the connections allow. The time begins when all of them are open.
async fn fire(shot: &Shot, connections: usize, bounds: Bounds) -> Result<Volley> {
    let barrier = Arc::new(Barrier::new(connections));
    let left = Arc::new(AtomicU64::new(bounds.requests));
    let mut shooters = JoinSet::new();
    for _ in 0..connections {
        shooters.spawn(shoot(shot.clone(), Arc::clone(&barrier), Arc::clone(&left), bounds.time));
    }
    let mut latencies = Vec::new();
    let (mut first, mut last) = (None, None);
    while let Some(ended) = shooters.join_next().await {
        let (began, mine, done) = ended.context("a connection of the load broke")??;
        latencies.extend(mine);
        first = Some(first.map_or(began, |first: Instant| first.min(began)));
        last = Some(last.map_or(done, |last: Instant| last.max(done)));
    }
    let took = first.zip(last).map(|(first, last)| last.duration_since(first)).unwrap_or_default();
    Ok(Volley { latencies, took })
}

async fn shoot(
    shot: Shot,
    barrier: Arc<Barrier>,
    left: Arc<AtomicU64>,
    time: Duration,
) -> Result<(Instant, Vec<Duration>, Instant)> {
    let (mut sender, _driver) = connect(shot.address).await?;
    barrier.wait().await;
    let began = Instant::now();
    let mut latencies = Vec::with_capacity(4096);
    let mut sent = began;
    while sent.duration_since(began) < time && take_one(&left) {
        one(&mut sender, &shot, false).await?;
        let now = Instant::now();
        latencies.push(now.duration_since(sent));
        sent = now;
    }
    Ok((began, latencies, sent))
}

fn take_one(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// The body of the answer to one request.
pub(crate) async fn once(shot: &Shot) -> Result<Vec<u8>> {
    let (mut sender, _driver) = connect(shot.address).await?;
    one(&mut sender, shot, true).await
}

/// A connection, and what drives it as long as it is kept.
async fn connect(address: SocketAddr) -> Result<(SendRequest<Full<Bytes>>, JoinSet<hyper::Result<()>>)> {
    let stream = TcpStream::connect(address).await.context("connect")?;
    stream.set_nodelay(true).ok();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.context("connect")?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    Ok((sender, driver))
}

/// Sends one request and reads its whole answer, whose body is given if it is to be kept.
async fn one(sender: &mut SendRequest<Full<Bytes>>, shot: &Shot, keep: bool) -> Result<Vec<u8>> {
    sender.ready().await.context("the connection was closed")?;
    let request = (shot.make)(NUMBER.fetch_add(1, Ordering::Relaxed));
    let answer = sender.send_request(request).await.context("no answer")?;
    let status = answer.status();
    let mut body = answer.into_body();
    let mut text = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.context("half an answer")?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len();
        if keep || status != shot.expected {
            text.extend_from_slice(data);
        }
    }
    if status != shot.expected {
        bail!("answered {status} where {} was expected: {}", shot.expected, String::from_utf8_lossy(&text));
    }
    if let Some(expected) = shot.length.filter(|expected| *expected != length) {
        bail!("answered {length} bytes where there were {expected} before");
    }
    Ok(text)
}
