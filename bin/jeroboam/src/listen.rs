//! Where the API and the numbers listen, as `magnum.conf` says.

use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use jeroboam_listen::{Limits, Socket, Tls, TlsFiles};
use jeroboam_oslo::Config;
use jeroboam_telemetry::Shutdown;

/// `host:port` of the API.
pub(crate) fn address(config: &Config) -> Result<String> {
    let host = config.string("api", "host").unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = config.int("api", "port").context("[api] port is not set")?;
    Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// As `[jeroboam]` says.
pub(crate) fn limits(config: &Config) -> Limits {
    let natural = |name: &str| config.int("jeroboam", name).and_then(|value| u64::try_from(value).ok());
    let default = Limits::default();
    let connections = natural("max_connections").and_then(|count| usize::try_from(count).ok());
    Limits {
        connections: connections.unwrap_or(default.connections),
        finish: natural("shutdown_timeout").map_or(default.finish, Duration::from_secs),
        ..default
    }
}

/// Answers until told to stop. What was begun then is finished by tasks of `shutdown`.
pub(crate) async fn serve(
    socket: impl Into<Socket>,
    tls: Option<Tls>,
    routes: Router,
    limits: Limits,
    shutdown: &Shutdown,
) {
    if let Some(tls) = tls.clone() {
        shutdown.tasks().spawn(tls.follow(shutdown.token()));
    }
    jeroboam_listen::serve(socket.into(), tls, routes, limits, shutdown.token(), shutdown.tasks()).await;
}

/// What agrees on TLS, where that is wanted.
pub(crate) fn tls(config: &Config) -> Result<Option<Tls>> {
    if !config.bool("api", "enabled_ssl").unwrap_or(false) {
        return Ok(None);
    }
    let path = |name: &str| config.string("api", name).with_context(|| format!("[api] {name} is not set"));
    let files = TlsFiles {
        certificate: path("ssl_cert_file")?.into(),
        key: path("ssl_key_file")?.into(),
        client_authorities: Vec::new(),
        certificate_optional: false,
        only_1_3: false,
        suites: Vec::new(),
        http2: true,
    };
    Tls::open(files).context("[api] ssl_cert_file and ssl_key_file").map(Some)
}
