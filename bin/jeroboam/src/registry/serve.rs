//! `jeroboam registry serve`.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use jeroboam_cli::args::RegistryServeArgs;
use jeroboam_listen::Limits;
use jeroboam_model::SystemClock;
use jeroboam_telemetry::{LogConfig, Shutdown};
use tokio::net::TcpListener;
use tracing::info;

use crate::listen;

/// Serves until told to stop.
pub(super) async fn run(args: &RegistryServeArgs) -> Result<()> {
    let log = LogConfig { debug: args.debug, ..LogConfig::default() };
    jeroboam_telemetry::log::init(&log, Arc::new(SystemClock)).context("open the log")?;
    let shutdown = Shutdown::new();
    shutdown.listen().context("listen to signals")?;
    let address = "127.0.0.1:5000";
    let listener = TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
    info!("listening on {address}");
    let routes = Router::new().route("/healthz", get(|| async { "ok\n" }));
    let limits = Limits::default();
    listen::serve(listener, None, routes, limits, &shutdown).await;
    shutdown.finish(limits.finish).await;
    Ok(())
}
