//! The same requests in the same order to the service and to Magnum, on the same data, and where their answers differ.
//!
//! Every sequence has projects of its own, so that several are played at once; those that look at the whole cloud have it for
//! themselves. A seed and a number always give the same sequence. Differences that are meant are in a checked-in list.

mod args;
mod compare;
mod database;
mod explain;
mod generate;
mod normal;
mod people;
mod play;
mod random;
mod run;
mod sequence;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

use crate::args::Args;
use crate::database::Database;
use crate::explain::Explained;
use crate::people::Identity;
use crate::play::Side;
use crate::run::Bed;

fn main() -> ExitCode {
    match differ(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn differ(args: &Args) -> Result<bool> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?.block_on(async {
        // Never through a proxy: all is on this machine.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(600))
            .build()
            .context("make an HTTP client")?;
        let side = |urls: &[String], database: &str| {
            let urls = urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
            anyhow::Ok(Side { http: http.clone(), urls, database: Database::open(&args.socket, database)? })
        };
        let ours = side(std::slice::from_ref(&args.ours), &args.our_database)?;
        let theirs = side(&args.theirs, &args.their_database)?;
        let identity = Identity::open(http.clone(), &args.identity, &args.password).await?;
        let explained = Explained::read(&args.explained)?;
        run::run(args, Bed::new(ours, theirs, identity, explained)).await
    })
}

/// One line for whoever waits.
#[expect(clippy::print_stderr, reason = "this is all that the program says")]
fn say(line: &str) {
    eprintln!("{line}");
}
