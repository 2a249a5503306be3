//! `jeroboam registry serve`.

use std::sync::Arc;

use anyhow::{Context, Result};
use jeroboam_cli::args::RegistryServeArgs;
use jeroboam_model::{Clock, SystemClock};
use jeroboam_registry::auth::AUDIT;
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
    // What is wanted less of than usual is said for all but decisions about who may do what: a level that is taken over from elsewhere does not mean those.
    // What is wanted more of is said for our own crates.
    let levels = match wanted.level {
        Level::Error | Level::Warn => vec![wanted.level.name().to_owned(), format!("{AUDIT}=info")],
        Level::Trace => vec!["jeroboam_registry=trace".to_owned(), "jeroboam_blobs=trace".to_owned()],
        Level::Info | Level::Debug => Vec::new(),
    };
    let format = if wanted.json { LogFormat::Json } else { LogFormat::Oslo };
    LogConfig { format, debug, levels, ..LogConfig::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_told_at_each_level() {
        let audit = "jeroboam_registry::audit=info";
        for (level, levels) in [
            (Level::Error, vec!["error", audit]),
            (Level::Warn, vec!["warn", audit]),
            (Level::Info, vec![]),
            (Level::Debug, vec![]),
            (Level::Trace, vec!["jeroboam_registry=trace", "jeroboam_blobs=trace"]),
        ] {
            let wanted = Wanted { level, json: false, requests: true, fields: Vec::new() };
            assert_eq!(log(&wanted, false).levels, levels, "{level:?}");
        }
    }
}
