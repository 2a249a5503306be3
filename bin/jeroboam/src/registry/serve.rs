//! `jeroboam registry serve`.

use std::sync::Arc;

use anyhow::{Context, Result};
use jeroboam_cli::args::RegistryServeArgs;
use jeroboam_model::{Clock, SystemClock};
use jeroboam_registry::config::{Level, LogConfig as Wanted};
use jeroboam_registry::serve::{self, ServeParts};
use jeroboam_telemetry::{LogConfig, LogFormat, Shutdown};

use super::{config, environment};

/// Serves until told to stop.
pub(super) async fn run(args: &RegistryServeArgs) -> Result<()> {
    let (config, say_remarks) = config::load_with_remarks(&args.config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    jeroboam_telemetry::log::init(&log(&config.log, args.debug), Arc::clone(&clock)).context("open the log")?;
    say_remarks();
    let shutdown = Shutdown::new();
    shutdown.listen().context("listen to signals")?;
    let version = env!("CARGO_PKG_VERSION");
    let parts = ServeParts { config, environment: environment(), clock, shutdown, version };
    serve::run(parts).await.map_err(anyhow::Error::from)
}

fn log(wanted: &Wanted, debug: bool) -> LogConfig {
    let debug = debug || wanted.level >= Level::Debug;
    // What is wanted less of than usual is said for all; what is wanted more of, for our own crates.
    let levels = match wanted.level {
        Level::Error | Level::Warn => vec![wanted.level.name().to_owned()],
        Level::Trace => vec!["jeroboam_registry=trace".to_owned(), "jeroboam_blobs=trace".to_owned()],
        Level::Info | Level::Debug => Vec::new(),
    };
    let format = if wanted.json { LogFormat::Json } else { LogFormat::Oslo };
    LogConfig { format, debug, levels, ..LogConfig::default() }
}
