//! Asks and answers over HTTP, as a client of registries does it: credentials when they are asked for, redirects of downloads.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use crate::auth::Keyring;
use crate::options::Options;
use crate::stop::{Stop, Verdict};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many redirects a download may have.
const REDIRECTS: usize = 5;
/// Pieces in which a body without a length is sent.
const PIECE: usize = 16 * 1024;

/// Why nothing could be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// TLS or the like.
    #[error("make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// A registry without a host.
    #[error("{0} is no address of a registry")]
    Address(String),
}

/// The way to a registry.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    keys: Keyring,
}

/// What is sent with a request.
#[derive(Clone, Debug, Default)]
pub(crate) enum Body {
    #[default]
    None,
    /// With its length.
    Whole(Bytes),
    /// In pieces, without a length.
    Streamed(Bytes),
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    to: String,
    headers: HeaderMap,
    body: Body,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) asked: String,
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

// === impl Ask ===

impl Ask {
    fn new(method: Method, to: impl Into<String>) -> Self {
        Self { method, to: to.into(), headers: HeaderMap::new(), body: Body::None }
    }

    pub(crate) fn get(to: impl Into<String>) -> Self {
        Self::new(Method::GET, to)
    }

    pub(crate) fn head(to: impl Into<String>) -> Self {
        Self::new(Method::HEAD, to)
    }

    pub(crate) fn delete(to: impl Into<String>) -> Self {
        Self::new(Method::DELETE, to)
    }

    pub(crate) fn post(to: impl Into<String>) -> Self {
        Self::new(Method::POST, to)
    }

    pub(crate) fn patch(to: impl Into<String>) -> Self {
        Self::new(Method::PATCH, to)
    }

    pub(crate) fn put(to: impl Into<String>) -> Self {
        Self::new(Method::PUT, to)
    }

    /// The path or address that it goes to.
    pub(crate) fn address(&self) -> &str {
        &self.to
    }

    /// Another line of a header; text that is no header's value is left out, and the registry says what it misses.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(HeaderName::from_static(name), value);
        }
        self
    }

    pub(crate) fn body(mut self, bytes: &Bytes) -> Self {
        self.body = Body::Whole(bytes.clone());
        self
    }

    pub(crate) fn stream(mut self, bytes: &Bytes) -> Self {
        self.body = Body::Streamed(bytes.clone());
        self
    }
}

// === impl Client ===

impl Client {
    pub(crate) fn new(options: &Options) -> Result<Self, SetupError> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .no_proxy()
            .danger_accept_invalid_certs(options.insecure)
            .build()
            .map_err(SetupError::Client)?;
        if options.registry.cannot_be_a_base() || !options.registry.has_host() {
            return Err(SetupError::Address(options.registry.to_string()));
        }
        Ok(Self { http, base: options.registry.clone(), keys: Keyring::new(options.login.clone()) })
    }

    /// Sends a request to a path or an address, again with credentials if they are asked for, and follows a download elsewhere.
    pub(crate) async fn send(&self, ask: Ask) -> Verdict<Answer> {
        let mut url = self.url(&ask.to)?;
        let mut answer = self.send_with_keys(&ask, &url).await?;
        for _ in 0..REDIRECTS {
            let download = matches!(ask.method, Method::GET | Method::HEAD) && answer.status.is_redirection();
            let Some(elsewhere) = answer.headers.get(LOCATION).filter(|_| download) else { break };
            url = join(&url, elsewhere)?;
            answer = self.once(&ask, &url, None).await?;
        }
        Ok(answer)
    }

    async fn send_with_keys(&self, ask: &Ask, url: &Url) -> Verdict<Answer> {
        let answer = self.once(ask, url, self.keys.known(url.path())).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        match self.keys.answer_challenge(&self.http, url.path(), &answer.headers).await? {
            Some(key) => self.once(ask, url, Some(key)).await,
            None => Ok(answer),
        }
    }

    async fn once(&self, ask: &Ask, url: &Url, key: Option<HeaderValue>) -> Verdict<Answer> {
        let asked = format!("{} {}", ask.method, url.path());
        let mut request = self.http.request(ask.method.clone(), url.clone()).headers(ask.headers.clone());
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, key);
        }
        request = match &ask.body {
            Body::None if matches!(ask.method, Method::GET | Method::HEAD) => request,
            Body::None => request.header(CONTENT_LENGTH, "0"),
            Body::Whole(bytes) => request.body(bytes.clone()),
            Body::Streamed(bytes) => request.body(reqwest::Body::wrap_stream(pieces(bytes))),
        };
        let broken = |error: &reqwest::Error| Stop::Fail(format!("{asked}: {}", chain(error)));
        let answer = request.send().await.map_err(|error| broken(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|error| broken(&error))?;
        Ok(Answer { asked, url: url.clone(), status, headers, body })
    }

    fn url(&self, to: &str) -> Verdict<Url> {
        self.base.join(to).map_err(|error| Stop::Fail(format!("{to} is no address: {error}")))
    }
}

// === impl Answer ===

impl Answer {
    /// The address that the answer sends us to.
    pub(crate) fn location(&self) -> Verdict<Url> {
        let Some(location) = self.headers.get(LOCATION) else {
            return Err(Stop::Fail(format!("{}: {} without a Location", self.asked, self.status.as_u16())));
        };
        join(&self.url, location)
    }

    /// A header's value, where it has one and it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

fn join(url: &Url, location: &HeaderValue) -> Verdict<Url> {
    let text = location.to_str().map_err(|_| Stop::Fail("a Location that is no text".to_owned()))?;
    url.join(text).map_err(|error| Stop::Fail(format!("the Location {text} is no address: {error}")))
}

fn pieces(bytes: &Bytes) -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> + use<> {
    let bytes = bytes.clone();
    let starts = (0..bytes.len()).step_by(PIECE);
    futures::stream::iter(starts.map(move |start| Ok(bytes.slice(start..bytes.len().min(start + PIECE)))))
}

/// An error with what led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
