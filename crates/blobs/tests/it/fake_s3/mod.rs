//! An S3 store on loopback, in memory, which fails in the ways the real ones do. It is as strict as they are about the length of parts.

mod store;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{Method, StatusCode};
use store::Store;

/// How a request is answered that matches.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// With an error, and nothing is done.
    Error(u16, &'static str),
    /// With an error although it was done.
    Lost(u16, &'static str),
    /// With a good status and an error as the body, and nothing is done.
    GoodError(&'static str),
    /// With so many bytes of its body; then the connection ends.
    Half(usize),
}

#[derive(Clone, Debug)]
struct Planned {
    method: Method,
    part: &'static str,
    times: u32,
    answer: Answer,
}

#[derive(Default)]
struct Held {
    store: Store,
    planned: Vec<Planned>,
    seen: Vec<String>,
}

/// The store; all clones are one.
#[derive(Clone, Default)]
pub(crate) struct FakeS3(Arc<Mutex<Held>>);

impl FakeS3 {
    /// Listens, and gives its address.
    pub(crate) async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = axum::Router::new().fallback(handle).with_state(self.clone());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.expect("serving") });
        // It ends with the runtime of the test.
        tasks.detach_all();
        format!("http://{address}")
    }

    /// The next `times` requests of a method whose path and query contain `part` are answered so.
    pub(crate) fn plan(&self, method: Method, part: &'static str, times: u32, answer: Answer) {
        self.held().planned.push(Planned { method, part, times, answer });
    }

    /// What was asked since the last time: methods, paths and names of queries.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.held().seen)
    }

    /// Whether `If-None-Match` is passed over, as old stores do.
    pub(crate) fn ignore_conditions(&self) {
        self.held().store.ignores_conditions = true;
    }

    /// Objects and unfinished uploads.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let held = self.held();
        (held.store.objects.len(), held.store.uploads.len())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("no panic while it is held")
    }

    fn planned(&self, method: &Method, uri: &str) -> Option<Answer> {
        let mut held = self.held();
        let found = held.planned.iter().position(|plan| plan.method == *method && uri.contains(plan.part))?;
        let plan = &mut held.planned[found];
        plan.times -= 1;
        let answer = plan.answer.clone();
        if plan.times == 0 {
            held.planned.remove(found);
        }
        Some(answer)
    }
}

async fn handle(State(fake): State<FakeS3>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let uri = parts.uri.to_string();
    let names: Vec<_> =
        parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split('=').next()).collect();
    fake.held().seen.push(format!("{} {} {}", parts.method, parts.uri.path(), names.join("&")));
    let signed = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    if !signed.is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 Credential=access/"))
        && !uri.contains("X-Amz-Signature")
    {
        return error(403, "AccessDenied");
    }
    let plan = fake.planned(&parts.method, &uri);
    match plan {
        Some(Answer::Error(status, code)) => return error(status, code),
        Some(Answer::GoodError(code)) => return error(200, code),
        _ => {}
    }
    let answer = fake.held().store.answer(&parts, body);
    match plan {
        Some(Answer::Lost(status, code)) => error(status, code),
        Some(Answer::Half(bytes)) => half(answer, bytes).await,
        _ => answer,
    }
}

pub(crate) fn error(status: u16, code: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>on purpose</Message></Error>");
    (StatusCode::from_u16(status).expect("a status"), body).into_response()
}

/// The headers say the whole length, the body breaks off.
async fn half(answer: Response, bytes: usize) -> Response {
    let (mut parts, body) = answer.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    parts.headers.insert("content-length", whole.len().into());
    let begin = whole.slice(..bytes.min(whole.len()));
    let broken = std::io::Error::other("the connection ends");
    let pieces = futures::stream::iter([Ok::<Bytes, std::io::Error>(begin)]).chain(futures::stream::once(async move {
        // What was sent is to arrive before the end does.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(broken)
    }));
    Response::from_parts(parts, Body::from_stream(pieces))
}
