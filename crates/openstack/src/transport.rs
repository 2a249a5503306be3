//! One HTTP request at a time: time-outs, bounded bodies, and another try where that can do no harm.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use rand::RngExt as _;
use reqwest::{Client, Url, redirect};
use tracing::{debug, warn};

use crate::{Answer, Error, ServiceType};

/// How connections are made.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// For a connection to be there.
    pub connect_timeout: Duration,
    /// For a whole answer.
    pub timeout: Duration,
    /// The only authorities to believe; `None` for those of the machine.
    pub cacert: Option<PathBuf>,
    /// Believe any certificate.
    pub insecure: bool,
    /// Longest answer that is read, in bytes.
    pub max_body: usize,
    /// When to try again.
    pub retry: RetryPolicy,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            cacert: None,
            insecure: false,
            max_body: 16 << 20,
            retry: RetryPolicy::default(),
        }
    }
}

/// When a request that may be repeated is sent again: after 429, 502, 503 and broken connections.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Requests in all.
    pub attempts: u32,
    /// Longest first pause; it doubles each time, and a random part of it is taken.
    pub base: Duration,
    /// Longest pause, also of those that the service asks for.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 4, base: Duration::from_millis(300), cap: Duration::from_secs(5) }
    }
}

impl RetryPolicy {
    /// Half of the doubled base, and a random share of the other half.
    pub(crate) fn pause(&self, attempt: u32) -> Duration {
        let whole = self.base.saturating_mul(1 << attempt.min(10)).min(self.cap);
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// A request in full. Its body may hold a password, so it is never printed.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) service: ServiceType,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    /// Whether sending it twice is the same as sending it once.
    pub(crate) repeatable: bool,
}

/// The HTTP client, shared by all sessions of a process.
#[derive(Debug)]
pub(crate) struct Transport {
    client: Client,
    /// For this machine itself, where no proxy is ever wanted.
    direct: Client,
    max_body: usize,
    retry: RetryPolicy,
}

impl Transport {
    pub(crate) fn new(config: &TransportConfig) -> Result<Self, Error> {
        let roots = match &config.cacert {
            Some(path) => Some(read_roots(path)?),
            None => None,
        };
        let client = build(config, roots.as_deref(), Way::Usual)?;
        let direct = build(config, roots.as_deref(), Way::Direct)?;
        Ok(Self { client, direct, max_body: config.max_body, retry: config.retry })
    }

    /// Sends the request, again if it may be repeated and the trouble may pass.
    pub(crate) async fn send(&self, request: &Outgoing) -> Result<Answer, Error> {
        let mut attempt = 0;
        loop {
            let outcome = self.once(request).await;
            attempt += 1;
            let asked = match &outcome {
                Ok(answer) if is_passing(answer.status) => retry_after(&answer.headers),
                Err(Error::Unreachable { .. }) => None,
                _ => return outcome,
            };
            if !request.repeatable || attempt >= self.retry.attempts {
                return outcome;
            }
            let pause = asked.map_or_else(|| self.retry.pause(attempt - 1), |wish| wish.min(self.retry.cap));
            debug!(
                service = %request.service,
                url.path = request.url.path(),
                pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "asking again after attempt {attempt}"
            );
            tokio::time::sleep(pause).await;
        }
    }

    async fn once(&self, request: &Outgoing) -> Result<Answer, Error> {
        let service = request.service;
        let client = if is_loopback(&request.url) { &self.direct } else { &self.client };
        let mut builder = client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let mut response = builder.send().await.map_err(|error| broken(service, error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(service, error))? {
            if body.len() + chunk.len() > self.max_body {
                return Err(Error::unreadable(service, format!("it is longer than {} bytes", self.max_body)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { service, status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }
}

/// A client for bodies of any length, whose users set the limits of time themselves; to `url`, and to that host alone.
pub(crate) fn streaming_client(config: &TransportConfig, url: &Url) -> Result<Client, Error> {
    let roots = config.cacert.as_deref().map(read_roots).transpose()?;
    build(config, roots.as_deref(), if is_loopback(url) { Way::StreamingDirect } else { Way::Streaming })
}

/// What a client is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Usual,
    Direct,
    Streaming,
    StreamingDirect,
}

/// An idle connection that is older has perhaps been closed by the other side: Swift waits for a minute.
const STREAMING_IDLE: Duration = Duration::from_secs(20);

fn read_roots(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, Error> {
    let unreadable = |reason: String| Error::Settings(format!("CA file {}: {reason}", path.display()));
    let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| unreadable("it is not PEM".to_owned()))?;
    if roots.is_empty() {
        return Err(unreadable("it has no certificate".to_owned()));
    }
    Ok(roots)
}

fn build(config: &TransportConfig, roots: Option<&[reqwest::Certificate]>, way: Way) -> Result<Client, Error> {
    let builder = || {
        let builder = Client::builder()
            .user_agent(concat!("jeroboam/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .redirect(same_origin())
            .tls_danger_accept_invalid_certs(config.insecure);
        let builder = match way {
            Way::Usual | Way::Direct => builder.timeout(config.timeout),
            // A body that ends early has to end the connection, which only HTTP/1 is known to pass on behind a proxy.
            Way::Streaming | Way::StreamingDirect => builder.http1_only().pool_idle_timeout(STREAMING_IDLE),
        };
        if matches!(way, Way::Direct | Way::StreamingDirect) { builder.no_proxy() } else { builder }
    };
    let built = match roots {
        Some(roots) => builder().tls_certs_only(roots.iter().cloned()).build(),
        // A machine without any authority can still speak plain HTTP.
        None => builder().build().or_else(|error| {
            warn!("no certificate authorities of this machine can be used: {error}");
            builder().tls_certs_only([]).build()
        }),
    };
    built.map_err(|error| Error::Settings(format!("the HTTP client can not be made: {error}")))
}

/// A redirect elsewhere would carry the token along.
fn same_origin() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let came_from = attempt.previous().last().map(Url::origin);
        if attempt.previous().len() > 5 || came_from.is_some_and(|origin| origin != attempt.url().origin()) {
            attempt.stop()
        } else {
            attempt.follow()
        }
    })
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE)
}

/// Nobody waits for longer, whatever a service says.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Seconds only: no OpenStack service sends a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

pub(crate) fn broken(service: ServiceType, error: reqwest::Error) -> Error {
    if error.is_timeout() && !error.is_connect() {
        Error::Timeout { service }
    } else {
        Error::Unreachable { service, source: error.without_url() }
    }
}
