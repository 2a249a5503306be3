//! A Swift that is pretended: in memory, over real HTTP on loopback, with accounts of its own, and failing as the real one does when it is asked to.

mod faults;
mod objects;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub(crate) use faults::{Fault, Rule};
use objects::{Objects, Stored};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// How it differs from a Swift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quirks {
    /// As a Ceph gateway: conditions on writes do not count, the segments of static objects are not shown, and a page of a listing has a thousand
    /// lines at most, and now and then one less although others come behind it.
    pub(crate) gateway: bool,
    /// A page has so many lines at most; none for what is usual.
    pub(crate) page: Option<usize>,
    /// Whoever asks for a page of more lines is refused; none for Swift's own limit.
    pub(crate) longest_page: Option<usize>,
    /// An object of more bytes is refused in one request; none for no limit.
    pub(crate) longest_object: Option<u64>,
    /// Many objects cannot be removed with one request.
    pub(crate) no_bulk: bool,
    /// Nothing is told at `/info`.
    pub(crate) no_info: bool,
    /// What was written is listed so much later.
    pub(crate) listing_lag: Duration,
    /// So long after it was overwritten an object may be read as it was, unless the newest is asked for.
    pub(crate) stale: Duration,
}

impl Quirks {
    fn longest_page(self) -> usize {
        self.longest_page.unwrap_or(10_000)
    }
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Below the account.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) newest: bool,
    pub(crate) token: String,
}

struct State {
    objects: Objects,
    containers: BTreeMap<String, BTreeMap<String, String>>,
    quirks: Quirks,
    /// Listings that were asked for.
    listings: usize,
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    logins: usize,
    /// Tokens up to this one are no longer accepted.
    revoked: usize,
}

/// The server; it ends with this value.
pub(crate) struct Pretended {
    state: Arc<Mutex<State>>,
    url: String,
    _server: JoinSet<()>,
}

impl Pretended {
    pub(crate) async fn start(quirks: Quirks) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            objects: Objects::default(),
            containers: BTreeMap::new(),
            quirks,
            listings: 0,
            rules: Vec::new(),
            seen: Vec::new(),
            logins: 0,
            revoked: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&state), url.clone()));
        Self { state, url, _server: server }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn auth_url(&self) -> String {
        format!("{}/auth/v1.0", self.url)
    }

    /// Adds something that goes wrong.
    pub(crate) fn fails(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// What was to go wrong and did not, and forgets it.
    pub(crate) fn faults_left(&self) -> usize {
        self.state().rules.drain(..).map(|rule| rule.times).sum()
    }

    /// No token that was given so far is accepted any more.
    pub(crate) fn revoke(&self) {
        let mut state = self.state();
        state.revoked = state.logins;
    }

    pub(crate) fn logins(&self) -> usize {
        self.state().logins
    }

    /// The requests since the last call, without logins.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    /// All names of a container, with what is in the object itself.
    pub(crate) fn names(&self) -> Vec<String> {
        self.state().objects.names()
    }

    pub(crate) fn remove(&self, name: &str) {
        self.state().objects.forget(name);
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, url: String) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((connection, _)) = listener.accept().await else { return };
        let (state, url) = (Arc::clone(&state), url.clone());
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&state), url.clone(), request));
            // An error is a connection that was cut, by them or by us.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(connection), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

/// A request as far as it is about an object.
struct Asked {
    method: Method,
    container: String,
    object: String,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    fn notes(&self, prefix: &str) -> BTreeMap<String, String> {
        let of = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let name = name.as_str().strip_prefix(prefix)?.to_owned();
            Some((name, value.to_str().ok()?.to_owned()))
        };
        self.headers.iter().filter_map(of).collect()
    }
}

async fn answer(state: Arc<Mutex<State>>, url: String, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let path = percent_decoded(parts.uri.path());
    if path == "/auth/v1.0" {
        let mut state = state.lock().unwrap();
        if parts.headers.get("x-auth-key").is_none_or(|key| key != "testing") {
            return Ok(status(401));
        }
        state.logins += 1;
        let response = Response::builder().header("x-auth-token", format!("token-{}", state.logins));
        return Ok(response.header("x-storage-url", format!("{url}/v1/AUTH_test")).body(full("")).unwrap());
    }
    if path == "/info" {
        let quirks = state.lock().unwrap().quirks;
        let swift = r#""version": "2.30.1", "account_listing_limit": 10000"#;
        let gateway = r#""version": "16.2.15""#;
        let itself = if quirks.gateway { gateway } else { swift };
        let (page, object) = (quirks.longest_page(), quirks.longest_object.unwrap_or(5_368_709_122));
        let told = format!(
            r#"{{"swift": {{{itself}, "container_listing_limit": {page}, "max_file_size": {object}}}, "slo": {{"max_manifest_segments": 1000}}}}"#
        );
        return Ok(if quirks.no_info { status(404) } else { text(200, told) });
    }
    let Some(rest) = path.strip_prefix("/v1/AUTH_test") else { return Ok(status(404)) };
    let rest = rest.trim_start_matches('/').to_owned();
    let (container, object) = rest.split_once('/').unwrap_or((&rest, ""));
    let asked = Asked {
        method: parts.method.clone(),
        container: container.to_owned(),
        object: object.to_owned(),
        query: query(parts.uri.query().unwrap_or_default()),
        headers: parts.headers,
    };
    let token = asked.header("x-auth-token").unwrap_or_default().to_owned();
    let (refused, fault) = {
        let mut state = state.lock().unwrap();
        let nth: usize = token.strip_prefix("token-").and_then(|nth| nth.parse().ok()).unwrap_or(0);
        let newest = asked.header("x-newest").is_some();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        state.seen.push(Seen { method: parts.method, path: rest.clone(), query, newest, token });
        let refused = nth == 0 || nth <= state.revoked;
        (refused, if refused { None } else { faults::take(&mut state.rules, &asked) })
    };
    if refused {
        return Ok(status(401));
    }
    match fault {
        Some(Fault::Status(code, retry_after)) => {
            let mut response = status(code);
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            return Ok(response);
        }
        Some(Fault::CutRequest(after)) => {
            let mut body = body.into_data_stream();
            let mut came = 0;
            while let Some(Ok(piece)) = body.next().await {
                came += piece.len();
                if came >= after {
                    break;
                }
            }
            return Err(Cut);
        }
        Some(Fault::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Fault::LostAnswer | Fault::CutAnswer(_) | Fault::ShortAnswer(_)) | None => {}
    }
    let has_length = asked.headers.contains_key("content-length") || asked.headers.contains_key("transfer-encoding");
    if asked.method == Method::PUT && !has_length {
        return Ok(status(411));
    }
    // A body that breaks off is no object.
    let Ok(body) = body.collect().await else { return Err(Cut) };
    let response = objects::answer(&mut state.lock().unwrap(), &asked, body.to_bytes());
    match fault {
        Some(Fault::LostAnswer) => Err(Cut),
        Some(Fault::CutAnswer(after)) => Ok(cut_after(response, after)),
        Some(Fault::ShortAnswer(after)) => {
            let (mut parts, body) = response.into_parts();
            parts.headers.remove("content-length");
            let bytes = body.collect().await.unwrap().to_bytes();
            Ok(Response::from_parts(parts, full(bytes.slice(..after.min(bytes.len())))))
        }
        _ => Ok(response),
    }
}

/// The beginning of an answer's body, then the connection breaks.
fn cut_after(response: Response<Body>, after: usize) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let pieces = body.into_data_stream().map(move |piece| piece.map(|piece| piece.slice(..after.min(piece.len()))));
    let broken = stream::once(async {
        // What came before is sent first.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    let frames = pieces.take(1).chain(broken).map(|piece| piece.map(Frame::data));
    Response::from_parts(parts, StreamBody::new(frames.boxed()).boxed_unsync())
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn status(code: u16) -> Response<Body> {
    text(code, "")
}

fn text(code: u16, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (name.to_owned(), percent_decoded(&value.replace('+', " ")))).collect()
}

fn percent_decoded(text: &str) -> String {
    jeroboam_openstack::object_store::unquoted(text).unwrap()
}

/// What an object was, and until when it may be read so.
type Former = VecDeque<(Instant, Stored)>;
