//! Bare routes in a process of their own: one does nothing, one reads one column by the primary key, one the whole row.
//!
//! They use the same HTTP server, the same runtime and a pool of the same kind and size as the service, so the difference is
//! what the service itself costs.

use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use jeroboam_store::testing::{id_by_key, row_by_key};
use jeroboam_store::{Store, StoreConfig};
use tokio::net::TcpListener;

use crate::args::FloorArgs;

/// Does nothing.
pub(crate) const NOTHING: &str = "/nothing";
/// Reads one column of one row.
pub(crate) const SELECT: &str = "/select";
/// Reads one row with all its columns, through the ORM.
pub(crate) const ROW: &str = "/row";

/// Answers until it is killed.
pub(crate) async fn serve(args: FloorArgs) -> Result<()> {
    let url = std::fs::read_to_string(&args.database_file).context("read the address of the database")?;
    let config = StoreConfig {
        max_connections: args.connections,
        acquire_timeout: Duration::from_secs(30),
        ..StoreConfig::at(url.into())
    };
    let store = Store::connect(&config).await.context("open the database")?;
    let row = args.row;
    let narrow = i32::try_from(row).context("the row's number")?;
    let routes = Router::new()
        .route(NOTHING, get(|| async { "" }))
        .route(SELECT, get(move |State(store): State<Store>| async move { id_by_key(&store, row).await }))
        .route(ROW, get(move |State(store): State<Store>| async move { row_by_key(&store, narrow).await }))
        .with_state(store);
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
    let port = listener.local_addr().context("listen")?.port();
    std::fs::write(&args.port_file, port.to_string()).context("write the port")?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        stream.set_nodelay(true).ok();
    });
    axum::serve(listener, routes).await.context("serve")
}
