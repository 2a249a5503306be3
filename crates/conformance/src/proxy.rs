//! A proxy in front of what a registry keeps its objects in: counts what it asks for, and fails as networks and stores fail.
//!
//! The `Host` of requests stays as it is, so signatures stay right and stores that name themselves name the proxy. Which
//! request fails how is decided by its number alone: the same plan always does the same. Below `/_proxy` it answers itself.

mod body;
mod plan;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::body::{Passing, whole};
pub use self::plan::{Failure, Plan, Rule, When};

/// Where the proxy answers itself.
const OWN: &str = "/_proxy";

/// What went through so far.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Requests by method and kind: `PUT object`, `GET listing`.
    pub kinds: BTreeMap<String, u64>,
    /// How often something failed on purpose.
    pub failures: u64,
}

#[derive(Debug, Default)]
struct State {
    plan: Plan,
    traffic: Traffic,
}

/// A proxy that has a place to listen at.
pub struct Proxy {
    listener: TcpListener,
    to: SocketAddr,
    state: Arc<Mutex<State>>,
}

type Answer = Response<Passing>;

impl Proxy {
    /// Listens, and sends on to another place.
    pub async fn bind(at: SocketAddr, to: SocketAddr, plan: Plan) -> std::io::Result<Self> {
        let state = State { plan, traffic: Traffic::default() };
        Ok(Self { listener: TcpListener::bind(at).await?, to, state: Arc::new(Mutex::new(state)) })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Passes requests on until it is dropped.
    pub async fn serve(self) -> std::io::Result<()> {
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(1)).build_http();
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = self.listener.accept().await?;
            while connections.try_join_next().is_some() {}
            stream.set_nodelay(true).ok();
            let one = One { client: client.clone(), to: self.to, state: Arc::clone(&self.state) };
            connections.spawn(async move {
                let service = service_fn(move |request| one.clone().answer(request));
                let server = hyper::server::conn::http1::Builder::new();
                // Who is cut off on purpose ends with an error here, and whoever asked sees it.
                server.serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
    }
}

/// One connection's way through.
#[derive(Clone)]
struct One {
    client: Client<HttpConnector, Passing>,
    to: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut off")]
struct CutOff;

impl One {
    async fn answer(self, request: Request<Incoming>) -> Result<Answer, CutOff> {
        if request.uri().path().starts_with(OWN) {
            return self.own(request).await;
        }
        let (failure, pid_file) = self.count(&request);
        match failure {
            None => self.pass(request).await,
            Some(Failure::Latency { millis }) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                self.pass(request).await
            }
            Some(Failure::Status { status }) => {
                Ok(said(StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), "failed on purpose"))
            }
            Some(Failure::Reset) => Err(CutOff),
            Some(Failure::Unanswered) => {
                self.pass(request).await?.into_body().collect().await.ok();
                Err(CutOff)
            }
            Some(Failure::Truncate { after }) => Ok(self.pass(request).await?.map(|body| body.cut_after(after))),
            Some(Failure::Twice) => self.twice(request).await,
            Some(Failure::Kill { when: When::Before }) => {
                kill(pid_file.as_deref());
                Err(CutOff)
            }
            Some(Failure::Kill { when: When::After }) => {
                let passed = self.pass(request).await;
                if let Ok(answer) = passed {
                    answer.into_body().collect().await.ok();
                }
                kill(pid_file.as_deref());
                Err(CutOff)
            }
        }
    }

    /// Counts a request and says how it fails, if it does.
    fn count(&self, request: &Request<Incoming>) -> (Option<Failure>, Option<std::path::PathBuf>) {
        let mut state = self.state();
        state.traffic.requests += 1;
        let number = state.traffic.requests;
        *state.traffic.kinds.entry(kind(request.method(), request.uri())).or_default() += 1;
        let failure = state.plan.failure(number, request.method().as_str());
        state.traffic.failures += u64::from(failure.is_some());
        (failure, state.plan.pid_file.clone())
    }

    async fn pass(&self, request: Request<Incoming>) -> Result<Answer, CutOff> {
        self.send(request.map(Passing::new)).await
    }

    async fn send(&self, request: Request<Passing>) -> Result<Answer, CutOff> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = format!("http://{}{path}", self.to).parse().map_err(|_| CutOff)?;
        let answer = self.client.request(Request::from_parts(parts, body)).await.map_err(|_| CutOff)?;
        Ok(answer.map(Passing::new))
    }

    /// As a network that loses an answer and sends the request again; of small ones, which are kept for it.
    async fn twice(&self, request: Request<Incoming>) -> Result<Answer, CutOff> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map_err(|_| CutOff)?.to_bytes();
        let again = |parts: &http::request::Parts| {
            let mut request = Request::new(whole(bytes.clone()));
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = parts.uri.clone();
            *request.headers_mut() = parts.headers.clone();
            request
        };
        self.send(again(&parts)).await?.into_body().collect().await.ok();
        self.send(again(&parts)).await
    }

    /// `GET /_proxy` says what went through, `PUT /_proxy` takes another plan and counts from the beginning.
    async fn own(&self, request: Request<Incoming>) -> Result<Answer, CutOff> {
        if request.method() == Method::PUT {
            let body = request.into_body().collect().await.map_err(|_| CutOff)?.to_bytes();
            let plan = match serde_json::from_slice(&body) {
                Ok(plan) => plan,
                Err(error) => return Ok(said(StatusCode::BAD_REQUEST, &error.to_string())),
            };
            *self.state() = State { plan, traffic: Traffic::default() };
        }
        let text = serde_json::to_string(&self.state().traffic).map_err(|_| CutOff)?;
        Ok(said(StatusCode::OK, &text))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process whose id is in a file as a power cut would.
fn kill(pid_file: Option<&Path>) {
    let text = pid_file.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    if let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) {
        kill_process(pid, Signal::KILL).ok();
    }
}

fn said(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(whole(Bytes::from(text.to_owned())));
    *answer.status_mut() = status;
    answer
}

/// What a request is about: a listing names what it wants in its query, other requests an object or what holds objects.
fn kind(method: &Method, uri: &Uri) -> String {
    let query = uri.query().unwrap_or_default();
    let listing =
        ["prefix=", "list-type=", "delimiter=", "marker=", "format=json"].iter().any(|word| query.contains(word));
    let place = match uri.path().trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["auth" | "v3", ..] => "token",
        _ if query.contains("bulk-delete") || query == "delete" || query.starts_with("delete=") => "bulk delete",
        _ if listing && method == Method::GET => "listing",
        ["v1", _] | ["v1", _, _] | [_] => "container",
        _ => "object",
    };
    format!("{method} {place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_are_about() {
        for (method, uri, expected) in [
            (Method::PUT, "/v1/AUTH_test/reg/files/docker/registry/v2/blobs/data", "PUT object"),
            (Method::GET, "/v1/AUTH_test/reg?prefix=files/&format=json", "GET listing"),
            (Method::HEAD, "/v1/AUTH_test/reg", "HEAD container"),
            (Method::GET, "/auth/v1.0", "GET token"),
            (Method::GET, "/bucket?list-type=2&prefix=docker", "GET listing"),
            (Method::DELETE, "/bucket/docker/registry", "DELETE object"),
            (Method::POST, "/bucket?delete=", "POST bulk delete"),
            (Method::POST, "/v1/AUTH_test?bulk-delete", "POST bulk delete"),
        ] {
            assert_eq!(kind(&method, &uri.parse().unwrap()), expected, "{uri}");
        }
    }
}
