//! Connections: plain or TLS, ended in order when the process stops.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use jeroboam_oslo::Config;
use jeroboam_telemetry::Shutdown;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::polite::Polite;

/// A client that has sent no header by then is cut off, so that idle connections don't pile up.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// A client that has not agreed on TLS by then is cut off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// `host:port` of the API.
pub(crate) fn address(config: &Config) -> Result<String> {
    let host = config.string("api", "host").unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = config.int("api", "port").context("[api] port is not set")?;
    Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// Answers on `listener` until told to stop, then lets running requests end.
pub(crate) async fn serve(config: &Config, listener: TcpListener, routes: Router, shutdown: &Shutdown) -> Result<()> {
    let tls = acceptor(config)?;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let builder = Arc::new(builder);
    let graceful = Arc::new(GracefulShutdown::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.begun() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: the next moment may be better.
                warn!(error = %error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        stream.set_nodelay(true).ok();
        let (tls, builder, routes) = (tls.clone(), Arc::clone(&builder), routes.clone());
        let watcher = graceful.watcher();
        shutdown.tasks().spawn(async move {
            let service = TowerToHyperService::new(routes);
            let served = match tls {
                None => {
                    let connection = builder
                        .serve_connection(TokioIo::new(Polite::new(stream, HEADER_TIMEOUT)), service)
                        .into_owned();
                    watcher.watch(connection).await
                }
                Some(tls) => {
                    let Some(stream) = handshake(&tls, stream).await else { return };
                    let connection = builder
                        .serve_connection(TokioIo::new(Polite::new(stream, HEADER_TIMEOUT)), service)
                        .into_owned();
                    watcher.watch(connection).await
                }
            };
            if let Err(error) = served {
                debug!(error = %error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if let Some(graceful) = Arc::into_inner(graceful) {
        tokio::time::timeout(Duration::from_secs(5), graceful.shutdown()).await.ok();
    }
    Ok(())
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
