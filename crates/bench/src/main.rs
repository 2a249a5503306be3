//! `make bench` and `make bench-magnum`: what the service does in a second, how long it takes, what it costs, beside floors of the same run.
//!
//! The service is the released binary in a process of its own, as the pretend cloud, the floors and the database are. Nothing
//! here judges: it prints figures, and the budgets beside them.

mod args;
mod bed;
mod figures;
mod floor;
mod kube;
mod life;
mod load;
mod machine;
mod process;
mod registry;
mod report;
mod requests;
mod start;
mod versus;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::args::{Args, Command, Part, RunArgs};
use crate::report::Report;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        anyhow::bail!("the TLS provider was set up twice");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        match args.command {
            Command::Run(args) => measure(&args).await,
            Command::Versus(args) => versus::measure(&args).await,
            Command::Registry(args) => registry::measure(&args).await,
            Command::Floor(args) => floor::serve(args).await,
        }
    })
}

async fn measure(args: &RunArgs) -> Result<()> {
    let mut report = Report::begin(args.how.quick);
    for engine in &args.engines {
        let engine = engine.engine();
        if args.wants(Part::Start) {
            report.starts.push(start::measure(args, engine).await.context("measure the start")?);
        }
        if args.wants(Part::Requests) {
            report.requests.extend(requests::measure(args, engine).await.context("measure requests")?);
        }
        if args.wants(Part::Life) {
            report.lives.push(life::measure(args, engine).await.context("measure clusters")?);
        }
    }
    report.print()?;
    if let Some(path) = &args.how.json {
        report.write(path)?;
    }
    Ok(())
}

/// One line for whoever waits.
#[expect(clippy::print_stderr, reason = "progress goes beside the figures")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
