//! Connections: plain or TLS, ended in order when the process stops.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use jeroboam_oslo::Config;
use jeroboam_telemetry::Shutdown;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::connection::{self, Limits};

/// A client that has not agreed on TLS by then is cut off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// `host:port` of the API.
pub(crate) fn address(config: &Config) -> Result<String> {
    let host = config.string("api", "host").unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = config.int("api", "port").context("[api] port is not set")?;
    Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// Answers on `listener` until told to stop. What was begun then is finished by tasks of `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    routes: Router,
    limits: Limits,
    shutdown: &Shutdown,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        let accepted = tokio::select! {
            // Whoever is too many waits in the kernel, and is not accepted only to be turned away.
            accepted = accept(&listener, &room) => accepted,
            () = shutdown.begun() => break,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: the next moment may be better.
                warn!(error = %error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        stream.set_nodelay(true).ok();
        let (tls, routes, stop) = (tls.clone(), routes.clone(), shutdown.token());
        shutdown.tasks().spawn(async move {
            match tls {
                None => connection::serve(stream, routes, limits, stop).await,
                Some(tls) => {
                    if let Some(stream) = handshake(&tls, stream).await {
                        connection::serve(stream, routes, limits, stop).await;
                    }
                }
            }
            drop(place);
        });
    }
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn handshake(tls: &TlsAcceptor, stream: TcpStream) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            debug!(error = %error, "a client did not agree on TLS");
            None
        }
        Err(_) => None,
    }
}

/// What agrees on TLS, where that is wanted.
pub(crate) fn acceptor(config: &Config) -> Result<Option<TlsAcceptor>> {
    if !config.bool("api", "enabled_ssl").unwrap_or(false) {
        return Ok(None);
    }
    let path = |name: &str| config.string("api", name).with_context(|| format!("[api] {name} is not set"));
    let (certificates, key) = (path("ssl_cert_file")?, path("ssl_key_file")?);
    let chain: Vec<_> = CertificateDer::pem_file_iter(&certificates)
        .and_then(Iterator::collect)
        .with_context(|| format!("read certificates of {certificates}"))?;
    let key = PrivateKeyDer::from_pem_file(&key).with_context(|| format!("read the private key of {key}"))?;
    let server = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    let mut server = server.context("[api] ssl_cert_file and ssl_key_file do not fit")?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;

    /// What no test of these waits for in vain.
    const PATIENCE: Duration = Duration::from_secs(30);
    const LONG: Duration = Duration::from_secs(600);
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    struct Bed {
        address: std::net::SocketAddr,
        shutdown: Shutdown,
        /// A request to `/slow` was begun.
        begun: Arc<Notify>,
        /// It may end.
        release: Arc<Notify>,
    }

    impl Bed {
        async fn start(limits: Limits) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let (shutdown, begun, release) = (Shutdown::new(), Arc::new(Notify::new()), Arc::new(Notify::new()));
            let (tell, wait) = (Arc::clone(&begun), Arc::clone(&release));
            let slow = move || async move {
                tell.notify_one();
                wait.notified().await;
                "at last"
            };
            let routes = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
            let stop = shutdown.clone();
            shutdown.tasks().spawn(async move { serve(listener, None, routes, limits, &stop).await });
            Self { address, shutdown, begun, release }
        }

        async fn say(&self, bytes: &[u8]) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.expect("a connection");
            stream.write_all(bytes).await.expect("written");
            stream
        }
    }

    /// Everything until the connection ends.
    async fn all(stream: &mut TcpStream) -> String {
        let mut heard = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("an end").expect("a clean end");
        String::from_utf8_lossy(&heard).into_owned()
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_is_asked_is_ended_whatever_it_speaks() {
        let idle = Duration::from_millis(200);
        let bed = Bed::start(Limits { idle, header: LONG, finish: idle, ..Limits::default() }).await;
        let (mut first, mut second) = (bed.say(GET).await, bed.say(PREFACE).await);
        assert!(all(&mut first).await.ends_with("hello"));
        // A GOAWAY frame: so the client knows that nothing of it is lost.
        assert!(all(&mut second).await.contains('\u{7}'));
    }

    #[tokio::test]
    async fn a_request_that_takes_longer_than_silence_may_is_answered() {
        let idle = Duration::from_millis(100);
        let bed = Bed::start(Limits { idle, ..Limits::default() }).await;
        let mut slow = bed.say(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        bed.begun.notified().await;
        tokio::time::sleep(idle * 5).await;
        bed.release.notify_one();
        assert!(all(&mut slow).await.ends_with("at last"));
    }

    #[tokio::test]
    async fn half_a_header_is_not_waited_for() {
        let bed = Bed::start(Limits { header: Duration::from_millis(200), idle: LONG, ..Limits::default() }).await;
        let mut half = bed.say(b"GET / HTTP/1.1\r\nhost:").await;
        assert!(!all(&mut half).await.contains("hello"));
    }

    #[tokio::test]
    async fn who_is_one_too_many_waits_until_somebody_goes() {
        let limits = Limits { connections: 2, header: LONG, idle: LONG, ..Limits::default() };
        let bed = Bed::start(limits).await;
        let mut space = [0; 1024];
        let (mut first, mut second) = (bed.say(GET).await, bed.say(GET).await);
        for stream in [&mut first, &mut second] {
            timeout(PATIENCE, stream.read(&mut space)).await.expect("in time").expect("an answer");
        }
        let mut third = bed.say(GET).await;
        assert!(timeout(Duration::from_millis(300), third.read(&mut space)).await.is_err(), "there was no room");
        drop(first);
        let read = timeout(PATIENCE, third.read(&mut space)).await.expect("in time").expect("an answer");
        assert!(String::from_utf8_lossy(&space[..read]).ends_with("hello"));
    }

    #[tokio::test]
    async fn what_was_begun_is_finished_when_the_process_stops_and_nothing_new_begins() {
        let bed = Bed::start(Limits { header: LONG, idle: LONG, finish: LONG, ..Limits::default() }).await;
        let mut slow = bed.say(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        bed.begun.notified().await;
        let mut idle = bed.say(GET).await;
        let mut space = [0; 8];
        timeout(PATIENCE, idle.read_exact(&mut space)).await.expect("in time").expect("an answer");
        bed.shutdown.begin();
        assert!(all(&mut idle).await.ends_with("hello"));
        while TcpStream::connect(bed.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        bed.release.notify_one();
        assert!(all(&mut slow).await.ends_with("at last"));
        assert!(bed.shutdown.finish(PATIENCE).await);
    }
}
