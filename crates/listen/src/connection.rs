//! One connection from its first byte to its end: who asks for nothing and takes nothing is let go.
//!
//! A connection that is idle, and every one when the process stops, is told that it ends, and what was begun on it is finished: on an idle one for
//! as long as somebody takes it, when the process stops for a while.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::Service;
use tracing::debug;

use crate::activity::Activity;
use crate::answer::Answer;
use crate::polite::Polite;
use crate::{Limits, Peer, Versions};

/// So many streams may be opened and taken back before they were looked at; whoever does it more often is cut off.
const RESETS: usize = 20;

/// How often an end is looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// Serves one connection until the client, its silence or `stop` ends it.
pub(crate) async fn serve<T, S, B>(stream: T, peer: Peer, service: S, limits: Limits, stop: CancellationToken)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let builder = builder(&limits);
    let activity = Arc::<Activity>::default();
    let counting = Arc::clone(&activity);
    let service = tower::service_fn(move |mut request: Request<Incoming>| {
        let running = Activity::begin(&counting);
        request.extensions_mut().insert(peer.clone());
        let answer = tower::ServiceExt::oneshot(service.clone(), request);
        async move { answer.await.map(|answer| answer.map(|body| Answer::new(body, running))) }
    });
    let stream = TokioIo::new(Polite::new(stream, limits.header, limits.stall, Arc::clone(&activity)));
    let mut connection = pin!(builder.serve_connection(stream, TowerToHyperService::new(service)));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = activity.idle(limits.idle) => None,
        () = stop.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => Some(ended),
        None => {
            connection.as_mut().graceful_shutdown();
            finish(connection, &activity, limits.finish, &stop).await
        }
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => debug!(error = %error, "a connection ended early"),
        None => debug!("a client did not take its answer in time"),
    }
}

/// What comes of a connection that was told that it ends; `None` where it is cut off.
async fn finish<C: Future>(
    mut connection: Pin<&mut C>,
    activity: &Activity,
    patience: Duration,
    stop: &CancellationToken,
) -> Option<C::Output> {
    let mut before = activity.pieces();
    loop {
        // The connection first: what is seen of it then is what it has come to.
        tokio::select! {
            biased;
            ended = connection.as_mut() => return Some(ended),
            () = stop.cancelled() => return tokio::time::timeout(patience, connection).await.ok(),
            () = tokio::time::sleep(patience.max(LOOK)) => {}
        }
        let now = activity.pieces();
        if !activity.goes_on() && now == before {
            return None;
        }
        before = now;
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(limits.header);
    if let Some(most) = limits.header_bytes {
        http1.max_buf_size(most);
    }
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new());
    // A client whose machine is gone does not answer.
    http2.keep_alive_interval(limits.idle / 2).keep_alive_timeout(limits.header);
    http2.max_concurrent_streams(limits.streams);
    http2.max_pending_accept_reset_streams(RESETS).max_local_error_reset_streams(RESETS);
    http2.initial_stream_window_size(limits.window);
    http2.initial_connection_window_size(limits.window.saturating_mul(4));
    if let Some(most) = limits.header_bytes.and_then(|most| u32::try_from(most).ok()) {
        http2.max_header_list_size(most);
    }
    match limits.versions {
        Versions::Both => builder,
        Versions::Http1 => builder.http1_only(),
    }
}
