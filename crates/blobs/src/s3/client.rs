//! One signed request and its answer, with bounded retries and limits of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use jeroboam_model::Clock;
use reqwest::Response;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::body::Body;
use super::config::S3Config;
use super::credentials::{Credentials, Source};
use super::object;
use super::retry::{self, Health, Verdict};
use super::sign::{self, Keys, Scope, Unsigned};
use super::xml::{self, ErrorBody};
use crate::{Error, Kind, Result};

const CONNECT: Duration = Duration::from_secs(10);
/// The longest silence within a body.
const SILENCE: Duration = Duration::from_secs(30);
/// Until an answer begins, besides the time that the request's body takes.
const ANSWER: Duration = Duration::from_secs(30);
/// When it is worth to come again after all attempts, unless the store says.
const LATER: Duration = Duration::from_secs(5);
/// A body that goes out slower than this is given up.
const SLOWEST: u64 = 128 * 1024;
/// What the store does on its own with gigabytes.
const LONG: Duration = Duration::from_secs(600);
/// No answer that we read whole is longer.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;
/// So many bytes of parts beyond the first of each writer may be in memory, in units of [`UNIT`].
const BUFFERS: usize = 256;
pub(super) const UNIT: u64 = 1024 * 1024;
/// How far the store's clock is ahead, before it has said what time it is.
const UNKNOWN: i64 = i64::MIN;
/// From here on hashing a body would hold up others.
const LONG_HASH: usize = 256 * 1024;

/// A bucket.
pub(super) struct Client {
    http: reqwest::Client,
    /// For what takes as long as its body and the store take; it has limits of its own.
    patient: reqwest::Client,
    pub(super) config: S3Config,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    /// So many seconds the store's clock is ahead of ours.
    ahead: AtomicI64,
    health: Health,
    /// Room for parts beyond the first of each writer.
    pub(super) buffers: Arc<Semaphore>,
    /// What comes before the encoded key in an address, without scheme and host.
    base: String,
    origin: String,
    host: String,
}

/// A request that is to be made.
#[derive(Clone)]
pub(super) struct Call<'a> {
    method: Method,
    key: Option<&'a str>,
    query: Vec<(&'a str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Body,
    long: bool,
}

impl<'a> Call<'a> {
    /// On an object.
    pub(super) fn on(method: Method, key: &'a str) -> Self {
        Self { method, key: Some(key), query: Vec::new(), headers: Vec::new(), body: Body::default(), long: false }
    }

    /// On the bucket.
    pub(super) fn bucket(method: Method) -> Self {
        Self { method, key: None, query: Vec::new(), headers: Vec::new(), body: Body::default(), long: false }
    }

    pub(super) fn query(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The store may take minutes for it.
    pub(super) fn long(mut self) -> Self {
        self.long = true;
        self
    }
}

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: String,
    message: String,
}

/// Why a call failed: the store said so, or it could not say anything.
pub(super) enum Failure {
    Said(Refusal, Kind, Option<Duration>),
    Other(Error),
}

impl Failure {
    /// The error of a caller that expected nothing of the kind.
    pub(super) fn into_error(self, verb: &str, path: &str) -> Error {
        match self {
            Self::Other(error) => error,
            Self::Said(refusal, kind, wait) => {
                let Refusal { status, code, message } = refusal;
                let what = format!("{verb} {path} in S3: status {} {code} {message}", status.as_u16());
                let error = Error::new(kind, what.trim_end());
                if kind == Kind::Unavailable { error.after(wait.unwrap_or(LATER)) } else { error }
            }
        }
    }

    pub(super) fn is(&self, status: StatusCode) -> bool {
        matches!(self, Self::Said(refusal, ..) if refusal.status == status)
    }

    pub(super) fn has_code(&self, code: &str) -> bool {
        matches!(self, Self::Said(refusal, ..) if refusal.code == code)
    }
}

impl Client {
    pub(super) fn new(config: S3Config, source: Source, clock: Arc<dyn Clock>) -> Result<Self> {
        let agent = concat!("jeroboam/", env!("CARGO_PKG_VERSION"));
        let builder = || {
            reqwest::Client::builder()
                .no_proxy()
                .http1_only()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT)
                .pool_idle_timeout(Duration::from_secs(20))
                .tcp_nodelay(true)
                .user_agent(config.user_agent.as_deref().unwrap_or(agent))
                .danger_accept_invalid_certs(config.skip_verify)
        };
        let wrong = |error| Error::new(Kind::Refused, "set up a client of S3").because(error);
        let http = builder().read_timeout(SILENCE).build().map_err(wrong)?;
        let patient = builder().build().map_err(wrong)?;
        let (origin, host, base) = address(&config);
        let credentials = Credentials::new(source, http.clone(), Arc::clone(&clock));
        let buffers = Arc::new(Semaphore::new(BUFFERS));
        let (health, ahead) = (Health::default(), AtomicI64::new(UNKNOWN));
        Ok(Self { http, patient, config, credentials, clock, ahead, health, buffers, base, origin, host })
    }

    /// So many seconds the store's clock is ahead of ours, once it has answered.
    pub(super) fn seconds_ahead(&self) -> Option<i64> {
        Some(self.ahead.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNKNOWN)
    }

    /// Makes a request until it is answered well, or until that is the last word. The body of the answer is still to be read.
    pub(super) async fn send(&self, call: Call<'_>) -> std::result::Result<Response, Failure> {
        let payload = self.payload(&call.body).await.map_err(Failure::Other)?;
        let mut new_keys = true;
        let mut attempt = 1;
        loop {
            if let Some(rest) = self.health.resting(Instant::now()) {
                let error = Error::new(Kind::Unavailable, "ask S3, which has not answered of late");
                return Err(Failure::Other(error.after(rest)));
            }
            let failure = match self.attempt(&call, &payload).await {
                Ok(answer) if answer.status().is_success() => {
                    self.health.succeeded();
                    return Ok(answer);
                }
                Ok(answer) => refused(answer).await,
                Err(failure) => failure,
            };
            let (verdict, asked) = self.judge(&failure);
            match verdict {
                Verdict::NewKeys if new_keys => {
                    new_keys = false;
                    self.credentials.forget().await;
                    continue;
                }
                Verdict::Again if self.health.failed(Instant::now()) && attempt < retry::ATTEMPTS => {}
                Verdict::Final(_) => {
                    self.health.succeeded();
                    return Err(failure);
                }
                Verdict::Again | Verdict::NewKeys => return Err(failure),
            }
            attempt += 1;
            tokio::time::sleep(retry::wait(attempt, asked, rand::random())).await;
        }
    }

    /// Makes a request and reads its short answer. Some answers turn out to be errors although their status is good.
    pub(super) async fn ask(&self, call: Call<'_>) -> std::result::Result<Bytes, Failure> {
        let mut attempt = 1;
        loop {
            let failure = match self.send(call.clone()).await {
                Ok(answer) => match whole(answer).await {
                    Ok(body) => match xml::error(&body) {
                        None => return Ok(body),
                        Some(error) => said(StatusCode::OK, error, None),
                    },
                    Err(error) => Failure::Other(error),
                },
                // What the store said was tried often enough.
                Err(failure) => return Err(failure),
            };
            let again = self.judge(&failure).0 == Verdict::Again && self.health.failed(Instant::now());
            if !again || attempt == retry::ATTEMPTS {
                return Err(failure);
            }
            attempt += 1;
            tokio::time::sleep(retry::wait(attempt, None, rand::random())).await;
        }
    }

    /// An address that gives the object to anybody.
    pub(super) async fn presign(&self, key: &str, lifetime: Duration) -> Result<String> {
        let keys = self.credentials.keys().await?;
        let path = self.path(Some(key));
        let unsigned = Unsigned {
            method: "GET",
            host: &self.host,
            path: &path,
            query: &[],
            headers: &[],
            payload: sign::UNSIGNED,
        };
        let query = sign::query(&unsigned, &self.scope(), &keys, lifetime);
        Ok(format!("{}{path}?{query}", self.origin))
    }

    async fn attempt(&self, call: &Call<'_>, payload: &str) -> std::result::Result<Response, Failure> {
        let keys = self.credentials.keys().await.map_err(Failure::Other)?;
        let request = self.request(call, payload, &keys);
        let limit = match call.long {
            true => LONG,
            false => ANSWER + Duration::from_secs(call.body.len() as u64 / SLOWEST),
        };
        match tokio::time::timeout(limit, request.send()).await {
            Ok(Ok(answer)) => {
                if let Some(date) = object::time(answer.headers(), "date") {
                    let ahead = date.as_second() - self.clock.now().as_second();
                    self.ahead.store(ahead, Ordering::Relaxed);
                }
                Ok(answer)
            }
            Ok(Err(error)) => Err(Failure::Other(Error::new(Kind::Unavailable, "reach S3").because(error))),
            Err(late) => Err(Failure::Other(Error::new(Kind::Unavailable, "wait for an answer of S3").because(late))),
        }
    }

    fn request(&self, call: &Call<'_>, payload: &str, keys: &Keys) -> reqwest::RequestBuilder {
        let path = self.path(call.key);
        let unsigned = Unsigned {
            method: call.method.as_str(),
            host: &self.host,
            path: &path,
            query: &call.query,
            headers: &call.headers,
            payload,
        };
        let added = sign::headers(&unsigned, &self.scope(), keys);
        let address = match sign::query_string(&call.query) {
            query if query.is_empty() => format!("{}{path}", self.origin),
            query => format!("{}{path}?{query}", self.origin),
        };
        // reqwest counts the time that a body takes to go out, and the store's own work, as silence.
        let http = if call.long || !call.body.is_empty() { &self.patient } else { &self.http };
        let mut request = http.request(call.method.clone(), address);
        for (name, value) in call.headers.iter().chain(&added) {
            request = request.header(*name, value);
        }
        // Some stores want to be told that there is nothing.
        let writes = call.method == Method::PUT || call.method == Method::POST;
        match call.body.is_empty() {
            true if writes => request.header("content-length", "0"),
            true => request,
            false => request.header("content-length", call.body.len()).body(call.body.sent()),
        }
    }

    fn path(&self, key: Option<&str>) -> String {
        let key = key.map(|key| sign::encode(key, true)).unwrap_or_default();
        format!("{}{key}", self.base)
    }

    fn scope(&self) -> Scope<'_> {
        Scope { now: self.clock.now(), region: &self.config.region, service: "s3" }
    }

    /// TLS protects a body on its way. Without it, the signature does.
    async fn payload(&self, body: &Body) -> Result<String> {
        if self.origin.starts_with("https://") && !body.is_empty() {
            return Ok(sign::UNSIGNED.to_owned());
        }
        if body.len() < LONG_HASH {
            return Ok(sign::hash(body.blocks()));
        }
        let body = body.clone();
        let hashing = tokio::task::spawn_blocking(move || sign::hash(body.blocks()));
        hashing.await.map_err(|error| Error::new(Kind::Unavailable, "hash a body for S3").because(error))
    }

    fn judge(&self, failure: &Failure) -> (Verdict, Option<Duration>) {
        match failure {
            Failure::Said(refusal, _, wait) => (retry::judge(refusal.status.as_u16(), &refusal.code), *wait),
            Failure::Other(error) if error.kind() == Kind::Unavailable => (Verdict::Again, error.retry_after()),
            Failure::Other(error) => (Verdict::Final(error.kind()), None),
        }
    }
}

/// The origin, the host as the `Host` header has it, and what comes before a key.
fn address(config: &S3Config) -> (String, String, String) {
    let endpoint = &config.endpoint;
    let name = endpoint.host_str().unwrap_or_default();
    let name = if config.path_style { name.to_owned() } else { format!("{}.{name}", config.bucket) };
    let host = endpoint.port().map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
    let prefix = endpoint.path().trim_end_matches('/');
    let base = if config.path_style { format!("{prefix}/{}/", config.bucket) } else { format!("{prefix}/") };
    (format!("{}://{host}", endpoint.scheme()), host, base)
}

async fn refused(answer: Response) -> Failure {
    let status = answer.status();
    let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let body = whole(answer).await.unwrap_or_default();
    said(status, xml::error(&body).unwrap_or_default(), wait.map(Duration::from_secs))
}

fn said(status: StatusCode, error: ErrorBody, wait: Option<Duration>) -> Failure {
    let ErrorBody { code, message } = error;
    let kind = match retry::judge(status.as_u16(), &code) {
        Verdict::Again => Kind::Unavailable,
        Verdict::NewKeys => Kind::Refused,
        Verdict::Final(kind) => kind,
    };
    Failure::Said(Refusal { status, code, message }, kind, wait)
}

async fn whole(mut answer: Response) -> Result<Bytes> {
    let broken = |error| Error::new(Kind::Unavailable, "read an answer of S3").because(error);
    let reading = async {
        let mut body = bytes::BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(broken)? {
            body.extend_from_slice(&piece);
            if body.len() > LONGEST_ANSWER {
                return Err(Error::new(Kind::Broken, "read an answer of S3, which does not end"));
            }
        }
        Ok(body.freeze())
    };
    let late = |late| Error::new(Kind::Unavailable, "wait for the end of an answer of S3").because(late);
    tokio::time::timeout(LONG, reading).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config(parameters: &[(&str, &str)]) -> S3Config {
        let parameters: BTreeMap<_, _> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        S3Config::from_parameters(&parameters).expect("settings")
    }

    #[test]
    fn the_bucket_is_in_the_host_or_in_the_path() {
        let amazon = config(&[("region", "r"), ("bucket", "b")]);
        let (origin, host, base) = address(&amazon);
        assert_eq!(
            (origin.as_str(), host.as_str(), base.as_str()),
            ("https://b.s3.r.amazonaws.com", "b.s3.r.amazonaws.com", "/")
        );
        let own = config(&[("region", "r"), ("bucket", "b"), ("regionendpoint", "http://h:9000/s3/")]);
        let (origin, host, base) = address(&own);
        assert_eq!((origin.as_str(), host.as_str(), base.as_str()), ("http://h:9000", "h:9000", "/s3/b/"));
    }
}
