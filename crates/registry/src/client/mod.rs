//! A client of other registries: for replication, for pull-through caches, for copies.
//!
//! Whatever comes is checked against its digest, a transfer that was cut goes on where it ended, and a registry that wants fewer requests gets fewer.
//! The crates that speak this protocol were weighed: they hide where a body ended, take manifests apart before they give them, and follow a `Retry-After` only
//! as they like; what is below is less than what would have to be worked around.

mod auth;
mod download;
mod error;
mod lists;
mod manifests;
mod retry;
mod throttle;
mod upload;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jeroboam_model::Clock;
use jeroboam_oci::RepositoryName;
use reqwest::{RequestBuilder, Response, redirect};
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::debug;
use url::Url;

pub use auth::{Credentials, Password};
pub use download::BlobStream;
pub use error::{ClientError, Result, Trouble};
pub use lists::{Most, Snapshot};
pub use manifests::{Head, PutCondition, RawManifest, STAMP, Stamp, TAG_DIGEST, TagState};
pub use retry::Retries;
pub use throttle::Throttle;
pub use upload::{Pushed, Source};

use auth::{Asker, Login, Scope};

/// Bytes that are read of an error, or of a token.
const BRIEF: usize = 64 << 10;

/// Longest answer that is no blob: the largest manifest that anybody has.
const LONGEST: usize = 16 << 20;

/// How long what a registry says of a refusal is waited for.
const SAYING: Duration = Duration::from_secs(10);

/// Which registry, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// Where it is: scheme, host and port.
    pub url: Url,
    /// Who we are there.
    pub credentials: Option<Credentials>,
    /// The only authorities to believe; `None` for those of the machine.
    pub ca_cert: Option<PathBuf>,
    /// Requests at once.
    pub concurrency: usize,
    /// Bytes in a second, both ways together.
    pub rate: Option<u64>,
    /// For a connection to be there.
    pub connect_timeout: Duration,
    /// For the next bytes of an answer to come, and for the next of what is sent to be taken.
    pub read_timeout: Duration,
    /// When to try again.
    pub retries: Retries,
}

impl RemoteSettings {
    /// With the usual limits.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            credentials: None,
            ca_cert: None,
            concurrency: 8,
            rate: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(60),
            retries: Retries::default(),
        }
    }
}

/// Another registry.
pub struct Remote {
    url: Url,
    name: String,
    /// Docker Hub keeps what has no owner under `library/`.
    is_hub: bool,
    http: reqwest::Client,
    /// For bodies that take long: whether they move is looked at piece by piece.
    patient: reqwest::Client,
    read_timeout: Duration,
    login: Login,
    retries: Retries,
    requests: Semaphore,
    throttle: Throttle,
    clock: Arc<dyn Clock>,
    /// It begins uploads, and refuses those that ask for a blob of another repository without saying which.
    wants_source: AtomicBool,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Remote {
    /// A client of this registry. Nothing is asked yet.
    pub fn new(settings: RemoteSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let RemoteSettings { mut url, credentials, ca_cert, concurrency, rate, connect_timeout, read_timeout, retries } =
            settings;
        let is_hub = matches!(url.host_str(), Some("docker.io" | "index.docker.io" | "registry-1.docker.io"));
        if is_hub {
            url.set_host(Some("registry-1.docker.io")).map_err(|error| ClientError::Settings(error.to_string()))?;
        }
        let builder = || Result::Ok(client_of(&url, ca_cert.as_deref())?.connect_timeout(connect_timeout));
        let wrong = |error| ClientError::Settings(format!("make an HTTP client: {error}"));
        // reqwest takes the time in which a body goes out for silence.
        let (http, patient) = (builder()?.read_timeout(read_timeout).build(), builder()?.build());
        let (http, patient) = (http.map_err(wrong)?, patient.map_err(wrong)?);
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let name = format!("{}{port}", url.host_str().unwrap_or_default());
        Ok(Self {
            url,
            name,
            is_hub,
            http,
            patient,
            read_timeout,
            login: Login::new(credentials),
            retries,
            requests: Semaphore::new(concurrency.max(1)),
            throttle: Throttle::new(rate),
            clock,
            wants_source: AtomicBool::new(false),
        })
    }

    /// What it is called: host and port.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it answers and lets us in.
    pub async fn probe(&self) -> Result<()> {
        let url = self.at("/v2/")?;
        let answer = self.send(&Scope::default(), || self.http.get(url.clone())).await?;
        if answer.status().is_success() { Ok(()) } else { Err(self.refused("log in".to_owned(), answer).await) }
    }

    /// The name of a repository there.
    fn there(&self, repository: &RepositoryName) -> String {
        let name = repository.as_str();
        if self.is_hub && !name.contains('/') { format!("library/{name}") } else { name.to_owned() }
    }

    fn at(&self, path: &str) -> Result<Url> {
        self.url.join(path).map_err(|error| self.unreadable(format!("{path:?} is no address: {error}")))
    }

    async fn turn(&self) -> SemaphorePermit<'_> {
        self.requests.acquire().await.expect("nobody closes it")
    }

    /// Whether an address is one of this registry. Nobody else gets to know who we are.
    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.url.origin()
    }

    /// Sends a request as whom the registry knows us.
    async fn send_once(&self, scope: &Scope, request: RequestBuilder) -> std::result::Result<Response, reqwest::Error> {
        let mut request = request.build()?;
        if self.is_own(request.url())
            && let Some(header) = self.login.header(scope)
        {
            request.headers_mut().insert(http::header::AUTHORIZATION, header);
        }
        let client =
            if request.body().is_some_and(|body| body.as_bytes().is_none()) { &self.patient } else { &self.http };
        client.execute(request).await
    }

    /// Sends a request, again where the trouble may pass. Whatever the answer is in the end, it is given.
    async fn send(&self, scope: &Scope, request: impl Fn() -> RequestBuilder + Send) -> Result<Response> {
        let (mut attempt, mut logged_in) = (0, false);
        loop {
            let outcome = self.send_once(scope, request()).await;
            attempt += 1;
            let asked = match &outcome {
                Ok(answer)
                    if answer.status() == StatusCode::UNAUTHORIZED && !logged_in && self.is_own(answer.url()) =>
                {
                    logged_in = true;
                    let asker = Asker { http: &self.http, registry: &self.url, now: self.clock.now() };
                    if self.login.answer(&asker, answer.headers(), scope).await? {
                        continue;
                    }
                    None
                }
                Ok(answer) if retry::is_passing(answer.status()) => {
                    retry::retry_after(answer.headers(), self.clock.now())
                }
                Ok(_) => None,
                Err(_) => None,
            };
            let may_pass = outcome.as_ref().map_or(true, |answer| retry::is_passing(answer.status()));
            let pause = self.retries.pause(attempt, asked).filter(|_| may_pass);
            let Some(pause) = pause else {
                return outcome.map_err(|source| self.unreachable(source));
            };
            debug!(registry = self.name, attempt, pause_ms = pause.as_millis() as u64, "asking again");
            tokio::time::sleep(pause).await;
        }
    }

    /// The bytes of an answer, up to a limit.
    async fn bytes(&self, mut answer: Response) -> Result<bytes::Bytes> {
        let mut bytes = bytes::BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(|source| self.unreachable(source))? {
            if bytes.len() + piece.len() > LONGEST {
                return Err(self.unreadable(format!("an answer is longer than {LONGEST} bytes")));
            }
            self.throttle.pass(piece.len()).await;
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    fn unreachable(&self, source: reqwest::Error) -> ClientError {
        ClientError::Unreachable { registry: self.name.clone(), source: source.without_url() }
    }

    fn unreadable(&self, why: String) -> ClientError {
        ClientError::Unreadable { registry: self.name.clone(), why }
    }

    async fn refused(&self, what: String, answer: Response) -> ClientError {
        refused_at(&self.name, what, answer, self.clock.now()).await
    }
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    code: String,
    #[serde(default)]
    message: String,
}

/// An answer that says little, or the beginning of one that says more.
async fn beginning(answer: &mut Response) -> reqwest::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() <= BRIEF
        && let Some(piece) = answer.chunk().await?
    {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// What an answer says that is not the wanted one.
async fn refused_at(registry: &str, what: String, mut answer: Response, now: jeroboam_model::Timestamp) -> ClientError {
    let status = answer.status().as_u16();
    let retry_after = retry::retry_after(answer.headers(), now);
    let body = tokio::time::timeout(SAYING, beginning(&mut answer)).await;
    let body = body.unwrap_or_else(|_| Ok(Vec::new())).unwrap_or_default();
    let first = serde_json::from_slice::<Errors>(&body).ok().and_then(|errors| errors.errors.into_iter().next());
    let (code, said) = match first {
        // A sentence of somebody else's, of a length that a log can hold.
        Some(error) => {
            let message: String = error.message.chars().filter(|c| !c.is_control()).take(200).collect();
            (Some(error.code.clone()), format!(", {} {message}", error.code))
        }
        None => (None, String::new()),
    };
    ClientError::Status { registry: registry.to_owned(), what, status, code, said, retry_after }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A client that trusts whom it is to trust, and nobody where nothing is encrypted.
fn client_of(url: &Url, ca_cert: Option<&Path>) -> Result<reqwest::ClientBuilder> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("jeroboam/", env!("CARGO_PKG_VERSION")))
        // It takes a password along only to the same host.
        .redirect(redirect::Policy::limited(5));
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if let Some(path) = ca_cert {
        let wrong = |why: String| ClientError::Settings(format!("CA file {}: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| wrong("it is not PEM".to_owned()))?;
        builder = builder.tls_certs_only(roots);
    } else if url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    Ok(builder)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
