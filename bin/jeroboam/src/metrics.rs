//! `GET /metrics`, on an address of its own: the numbers are the operator's, not the tenants'.

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use jeroboam_listen::Limits;
use jeroboam_oslo::Config;
use jeroboam_telemetry::{Metrics, Shutdown, metrics};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::listen;

/// Where the numbers are when nobody says otherwise.
const USUAL: &str = "127.0.0.1:9512";
/// Says that they are nowhere.
const NOWHERE: &str = "none";
/// Whoever collects numbers needs few connections.
const CONNECTIONS: usize = 16;

/// Begins to answer. An address that the operator chose has to be free; the usual one may be another process's.
pub(crate) async fn start(config: &Config, metrics: &Metrics, shutdown: &Shutdown) -> Result<()> {
    let chosen = config.string("jeroboam", "metrics_listen");
    if chosen.as_deref() == Some(NOWHERE) {
        return Ok(());
    }
    let address = chosen.as_deref().unwrap_or(USUAL);
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) if chosen.is_none() => {
            warn!(error = %error, "no metrics: {address} is not free; set [jeroboam] metrics_listen to another address, or to none");
            return Ok(());
        }
        Err(error) => return Err(error).with_context(|| format!("listen on {address}, [jeroboam] metrics_listen")),
    };
    info!("metrics are at http://{address}/metrics");
    let (routes, limits) = (routes(metrics.clone()), Limits { connections: CONNECTIONS, ..listen::limits(config) });
    let stop = shutdown.clone();
    shutdown.tasks().spawn(async move { listen::serve(listener, None, routes, limits, &stop).await });
    Ok(())
}

fn routes(metrics: Metrics) -> Router {
    let numbers = move || async move { ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.render()) };
    Router::new().route("/metrics", get(numbers))
}
