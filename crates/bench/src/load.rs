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

/// Makes the request with a number that no other has.
pub(crate) type Make = Arc<dyn Fn(u64) -> Request<Full<Bytes>> + Send + Sync>;

/// A kind of request.
#[derive(Clone)]
pub(crate) struct Shot {
    pub(crate) address: SocketAddr,
    pub(crate) make: Make,
    pub(crate) expected: StatusCode,
}

/// When a volley ends, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) requests: u64,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Volley {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) took: Duration,
}

impl Volley {
    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of requests")]
        let count = self.latencies.len() as f64;
        count / self.took.as_secs_f64()
    }
}

/// No two requests of a run have the same number.
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// Sends as fast as the connections allow. The time begins when all of them are open.
pub(crate) async fn fire(shot: &Shot, connections: usize, bounds: Bounds) -> Result<Volley> {
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
    let stream = TcpStream::connect(shot.address).await.context("connect")?;
    stream.set_nodelay(true).ok();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.context("connect")?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    barrier.wait().await;
    let began = Instant::now();
    let mut latencies = Vec::with_capacity(4096);
    let mut sent = began;
    while sent.duration_since(began) < time && take_one(&left) {
        one(&mut sender, &shot).await?;
        let now = Instant::now();
        latencies.push(now.duration_since(sent));
        sent = now;
    }
    Ok((began, latencies, sent))
}

fn take_one(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

async fn one(sender: &mut SendRequest<Full<Bytes>>, shot: &Shot) -> Result<()> {
    sender.ready().await.context("the connection was closed")?;
    let request = (shot.make)(NUMBER.fetch_add(1, Ordering::Relaxed));
    let answer = sender.send_request(request).await.context("no answer")?;
    let status = answer.status();
    let mut body = answer.into_body();
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.context("half an answer")?;
        if status != shot.expected
            && let Some(data) = frame.data_ref()
        {
            text.extend_from_slice(data);
        }
    }
    if status != shot.expected {
        bail!("answered {status} where {} was expected: {}", shot.expected, String::from_utf8_lossy(&text));
    }
    Ok(())
}
