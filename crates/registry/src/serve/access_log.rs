//! One line for each request, when its answer has been sent or has broken off, and its numbers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{HeaderName, HeaderValue, Method};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, SizeHint};
use tracing::{Instrument as _, info};

use super::Metrics;
use super::metrics::{Ended, handler};
use crate::auth::Peer;
use crate::http::{HttpConfig, location};

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
    /// What stands before all paths, and whose word of who asks is believed.
    pub(super) http: Arc<HttpConfig>,
}

/// Answers a request and sees to it that its end is told.
pub(super) async fn watch(State(watch): State<Watch>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let handler = handler(path.strip_prefix(watch.http.prefix.as_str()).unwrap_or(path));
    let id = id(&request);
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let text = |value: Option<&HeaderValue>| {
        let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.chars().take(LONGEST).collect::<String>()
    };
    let received = Arc::<AtomicU64>::default();
    let mut told = Told {
        agent: text(request.headers().get(USER_AGENT)),
        client: client(&watch.http, &request),
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        begun: Instant::now(),
        span: tracing::info_span!("request", request.id = %id),
        code: 0,
        received: Arc::clone(&received),
        sent: 0,
        length: None,
        whole: false,
        handler,
        watch,
    };
    told.watch.metrics.begin(handler);
    let span = told.span.clone();
    let request = request.map(|body| counted(body, received));
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

/// Who asks: behind a proxy that is trusted, whom it names. Notifications and limits say the same.
fn client(http: &HttpConfig, request: &Request) -> String {
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    let client = location::client(http, request.headers(), &peer);
    client.map(|address| address.to_string()).unwrap_or_default()
}

/// The same body, whose bytes are counted as they come.
fn counted(body: Body, received: Arc<AtomicU64>) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(body.inspect_frame(move |frame| {
        received.fetch_add(length(frame), Ordering::Relaxed);
    }))
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
    /// Bytes of its body that came.
    received: Arc<AtomicU64>,
    sent: u64,
    /// Bytes of the whole answer, where that is known.
    length: Option<u64>,
    /// Whether all of the answer was sent.
    whole: bool,
}

impl Drop for Told {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        self.watch.metrics.end(&Ended {
            handler: self.handler,
            method: &self.method,
            code: self.code,
            took,
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent,
        });
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

/// Bytes of a piece of a body.
fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
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
                self.told.sent += length(frame);
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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use tower::ServiceExt as _;

    use super::*;

    fn behind_a_proxy() -> Arc<HttpConfig> {
        Arc::new(HttpConfig { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..HttpConfig::default() })
    }

    #[test]
    fn who_asks_is_whom_a_trusted_proxy_names() {
        for (peer, client) in [("10.0.0.1", "203.0.113.9"), ("192.0.2.1", "192.0.2.1")] {
            let mut request = Request::new(Body::empty());
            request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
            request.extensions_mut().insert(Peer { address: Some(peer.parse().unwrap()), ..Peer::default() });
            assert_eq!(super::client(&behind_a_proxy(), &request), client);
        }
        assert_eq!(super::client(&behind_a_proxy(), &Request::new(Body::empty())), "", "over a unix socket");
    }

    #[tokio::test]
    async fn what_comes_is_counted_also_where_nobody_said_how_long_it_is() {
        let metrics = Metrics::new("1");
        let state = Watch { metrics: metrics.clone(), lines: false, http: Arc::default() };
        let app = Router::new()
            .route("/v2/a/blobs/uploads/", post(|body: Bytes| async move { body }))
            .layer(from_fn_with_state(state, watch));
        let pieces = [[0_u8; 400], [1; 400]].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece.to_vec())));
        let request =
            http::Request::post("/v2/a/blobs/uploads/").body(Body::from_stream(futures::stream::iter(pieces)));
        let answer = app.oneshot(request.unwrap()).await.unwrap();
        let sent = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
        assert_eq!(sent.len(), 800);
        let text = metrics.render();
        for line in [
            r#"registry_http_request_size_bytes_bucket{le="100.0",handler="blob_upload",method="post"} 0"#,
            r#"registry_http_request_size_bytes_bucket{le="1000.0",handler="blob_upload",method="post"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
