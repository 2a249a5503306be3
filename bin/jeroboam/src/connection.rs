//! One connection from its first byte to its end: requests are counted, and who asks for nothing is let go.
//!
//! A connection that is idle, and every one when the process stops, is told that it ends, and what was begun on it is finished.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use jeroboam_oslo::Config;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::polite::Polite;

/// What a listener takes on, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at a time. More wait in the kernel until one ends.
    pub(crate) connections: usize,
    /// A client that has sent no header by then is cut off.
    pub(crate) header: Duration,
    /// A connection without a request for so long is ended, after twice that time at the latest.
    pub(crate) idle: Duration,
    /// What was begun on a connection that ends gets so long to finish.
    pub(crate) finish: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        // A process usually has 1,024 descriptors, and the database and the other services want some of them.
        Self { connections: 900, header: seconds(30), idle: seconds(75), finish: seconds(10) }
    }
}

impl Limits {
    /// As `[jeroboam]` says.
    pub(crate) fn of(config: &Config) -> Self {
        let natural = |name: &str| config.int("jeroboam", name).and_then(|value| u64::try_from(value).ok());
        let default = Self::default();
        let connections = natural("max_connections").and_then(|count| usize::try_from(count).ok());
        Self {
            connections: connections.unwrap_or(default.connections),
            finish: natural("shutdown_timeout").map_or(default.finish, Duration::from_secs),
            ..default
        }
    }
}

/// What there is to know about the requests of one connection.
#[derive(Debug, Default)]
struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A request that is being answered.
struct Running(Arc<Activity>);

impl Running {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Activity {
    /// Resolves when nothing was asked for `patience`.
    async fn idle(&self, patience: Duration) {
        let mut before = None;
        loop {
            let (ended, begun) = (self.ended.load(Ordering::Relaxed), self.begun.load(Ordering::Relaxed));
            if ended == begun && before == Some(begun) {
                return;
            }
            before = Some(begun);
            tokio::time::sleep(patience).await;
        }
    }
}

/// Serves one connection until the client, its silence or `stop` ends it.
pub(crate) async fn serve<S>(stream: S, routes: Router, limits: Limits, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new());
    // A client whose machine is gone does not answer.
    http2.keep_alive_interval(limits.idle / 2).keep_alive_timeout(limits.header);
    let activity = Arc::<Activity>::default();
    let counting = Arc::clone(&activity);
    let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
        let running = Running::begin(&counting);
        let answer = tower::ServiceExt::oneshot(routes.clone(), request);
        async move {
            let answer = answer.await;
            drop(running);
            answer
        }
    });
    let connection =
        builder.serve_connection(TokioIo::new(Polite::new(stream, limits.header)), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = activity.idle(limits.idle) => None,
        () = stop.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.finish, connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    debug!("a client did not take its answer in time");
                    return;
                }
            }
        }
    };
    if let Err(error) = ended {
        debug!(error = %error, "a connection ended early");
    }
}
