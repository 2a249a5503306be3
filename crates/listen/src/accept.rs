//! Takes connections and serves each in a task of its own.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, info, warn};

use crate::socket::Accepted;
use crate::{Limits, Peer, Socket, Tls, connection, tls};

/// A client that has not agreed on TLS by then is cut off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers on `socket` until told to `stop`. What was begun then is finished by `tasks`.
pub async fn serve<S, B>(
    socket: Socket,
    tls: Option<Tls>,
    service: S,
    limits: Limits,
    stop: CancellationToken,
    tasks: &TaskTracker,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        let accepted = tokio::select! {
            // Whoever is too many waits in the kernel, and is not accepted only to be turned away.
            accepted = accept(&socket, &room) => accepted,
            () = stop.cancelled() => break,
        };
        let (accepted, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: the next moment may be better.
                warn!(error = %error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, service, stop) = (tls.clone(), service.clone(), stop.clone());
        tasks.spawn(async move {
            match accepted {
                Accepted::Tcp(stream, address) => {
                    let peer = Peer { address: Some(address), ..Peer::default() };
                    one(stream, peer, tls, service, limits, stop).await;
                }
                Accepted::Unix(stream) => one(stream, Peer::default(), tls, service, limits, stop).await,
            }
            drop(place);
        });
    }
}

/// The next connection, once there is room for it.
async fn accept(socket: &Socket, room: &Arc<Semaphore>) -> io::Result<(Accepted, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    Ok((socket.accept().await?, place))
}

async fn one<T, S, B>(stream: T, mut peer: Peer, tls: Option<Tls>, service: S, limits: Limits, stop: CancellationToken)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Some(tls) = tls else {
        connection::serve(stream, peer, service, limits, stop).await;
        return;
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => {
            peer.tls = true;
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            peer.certificate = shown.map(|certificate| certificate.clone().into_owned());
            connection::serve(stream, peer, service, limits, stop).await;
        }
        // The client is told less than whoever runs this should know.
        Ok(Err(error)) if tls::is_about_certificate(&error) => {
            let client = peer.address.map(|address| address.to_string()).unwrap_or_default();
            info!(client, error = %error, "a client's certificate is not accepted");
        }
        Ok(Err(error)) => debug!(error = %error, "a client did not agree on TLS"),
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests;
