//! `jeroboam-conformance`: asks a registry, prints what came of it, and exits with 1 where something failed.

mod args;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use jeroboam_conformance::Report;

use crate::args::{Args, Format};

fn main() -> ExitCode {
    let args = Args::parse();
    match conform(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn conform(args: &Args) -> Result<bool> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let report = runtime.block_on(jeroboam_conformance::run(args.options()))?;
    print(args, &report)?;
    let Some(path) = &args.expect else {
        if report.counts.pass + report.counts.fail + report.counts.skip == 0 {
            complain("error: no case ran: is --filter the beginning of a name that --all shows?");
        }
        return Ok(report.is_good(args.strict));
    };
    let expected = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let differences = report.differences(&expected);
    for difference in &differences {
        complain(difference);
    }
    Ok(differences.is_empty())
}

fn print(args: &Args, report: &Report) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Text => write!(out, "{}", report.text(args.all)),
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(report).context("write the report")?),
        Format::Expectation => write!(out, "{}", report.expectation()),
    }
    .context("print the report")
}

/// One line for whoever waits.
#[expect(clippy::print_stderr, reason = "what is wrong goes beside the report")]
fn complain(line: &str) {
    eprintln!("{line}");
}
