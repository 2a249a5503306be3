//! One line for each request, when its answer has been sent or has broken off, and its numbers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{HeaderName, HeaderValue, Method};
use hyper::body::{Body as _, Frame, SizeHint};
use tracing::{Instrument as _, info};

use super::Metrics;
use super::metrics::handler;
use crate::auth::Peer;

/// The target of these lines.
const TARGET: &str = "jeroboam_registry::access";
/// What a client calls its request, and what is made up where it does not.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest name of a request, and longest name of a client, that is written down.
const LONGEST: usize = 128;

/// What lines and numbers need.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) metrics: Metrics,
    /// Whether there are lines.
    pub(super) lines: bool,
    /// What stands before all paths.
    pub(super) prefix: String,
}

/// Answers a request and sees to it that its end is told.
pub(super) async fn watch(State(watch): State<Watch>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let handler = handler(path.strip_prefix(watch.prefix.as_str()).unwrap_or(path));
    let id = id(&request);
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let text = |value: Option<&HeaderValue>| {
        let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.chars().take(LONGEST).collect::<String>()
    };
    let client = request.extensions().get::<Peer>().and_then(|peer| peer.address);
    let mut told = Told {
        agent: text(request.headers().get(USER_AGENT)),
        client: client.map(|address| address.to_string()).unwrap_or_default(),
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        begun: Instant::now(),
        span: tracing::info_span!("request", request.id = %id),
        code: 0,
        sent: 0,
        length: None,
        whole: false,
        handler,
        watch,
    };
    told.watch.metrics.begin(handler);
    let span = told.span.clone();
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    told.code = response.status().as_u16();
    // A body of a known length is not asked for an end once all of it is there.
    let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    told.length = length.or_else(|| response.body().size_hint().exact());
    // Nothing of such a body is sent, and nobody asks for it.
    told.whole = told.method == Method::HEAD || response.body().is_end_stream();
    response.map(|body| Body::new(Watched { body, told }))
}

/// A client's own name for its request, if it is one that can be written down.
fn id(request: &Request) -> String {
    let named = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let fine = |text: &&str| {
        !text.is_empty()
            && text.len() <= LONGEST
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    named.filter(fine).map_or_else(|| format!("req-{}", uuid::Uuid::new_v4()), str::to_owned)
}

/// What is told of a request when it has ended.
struct Told {
    watch: Watch,
    handler: &'static str,
    method: Method,
    path: String,
    client: String,
    agent: String,
    begun: Instant,
    span: tracing::Span,
    code: u16,
    sent: u64,
    /// Bytes of the whole answer, where that is known.
    length: Option<u64>,
    /// Whether all of the answer was sent.
    whole: bool,
}

impl Drop for Told {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        self.watch.metrics.end(self.handler, &self.method, self.code, took, self.sent);
        if !self.watch.lines {
            return;
        }
        let _inside = self.span.enter();
        let (method, path, code, sent) = (&self.method, &self.path, self.code, self.sent);
        let (client, agent) = (self.client.as_str(), self.agent.as_str());
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let whole = self.whole || self.length.is_some_and(|length| self.sent >= length);
        let broken = if whole { "" } else { ", broken off" };
        info!(target: TARGET, { client, agent, duration_ms, sent_bytes = sent }, "{method} {path} {code}{broken}");
    }
}

/// A body whose end is noticed.
struct Watched {
    body: Body,
    told: Told,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let sent = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
                self.told.sent += sent;
                self.told.whole = self.body.is_end_stream();
            }
            Poll::Ready(None) => self.told.whole = true,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
