//! `jeroboam-soak`: pushes, pulls and deletes at once, and says what was lost.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use jeroboam_conformance::soak::{Load, run};
use jeroboam_conformance::{Options, Version};
use url::Url;

/// Pushes, pulls and deletes at once while somebody collects what nobody needs, and says what was lost: nothing may be.
#[derive(Debug, Parser)]
#[command(name = "jeroboam-soak")]
struct Args {
    /// Where the registry answers
    #[arg(value_name = "URL")]
    registry: Url,
    /// How long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
    /// How many push at once
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    pushers: u64,
    /// The longest pause between a blob and the manifest that names it
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 500)]
    pause: u64,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let load = Load {
        time: Duration::from_secs(args.seconds),
        pushers: args.pushers.max(1),
        pause: Duration::from_millis(args.pause),
    };
    let mut options = Options::new(args.registry, Version::V1_1);
    options.repository = "soak".to_owned();
    let outcome = runtime.block_on(run(options, load))?;
    let text = serde_json::to_string_pretty(&outcome).context("write the outcome")?;
    writeln!(std::io::stdout().lock(), "{text}").context("print the outcome")?;
    Ok(if outcome.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
