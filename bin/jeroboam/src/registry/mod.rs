//! `jeroboam registry …`: one file for each subcommand, which prints what the registry's crate does.

mod config;
mod copies;
mod htpasswd;
mod name;
mod node;
mod serve;
mod store;
mod token;

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::{Context, Result};
use jeroboam_cli::RegistryCommand;

pub(crate) use name::arguments;

/// Carries out a subcommand. `false`: it was done, and what it found is not as it should be.
pub(crate) async fn run(command: RegistryCommand) -> Result<bool> {
    match command {
        RegistryCommand::Serve(args) => serve::run(&args).await.map(|()| true),
        RegistryCommand::Config(command) => config::run(&command),
        RegistryCommand::Htpasswd(args) => htpasswd::run(&args).map(|()| true),
        RegistryCommand::Token(command) => token::run(&command).map(|()| true),
        RegistryCommand::Copies(command) => copies::run(*command).await,
        RegistryCommand::Store(command) => store::run(*command).await,
    }
}

/// The variables that take the place of values of the configuration.
#[expect(clippy::disallowed_methods, reason = "the environment enters here, for all subcommands")]
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Data, for whoever reads it.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read this has read enough, as `head` does.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("write to standard output"),
    }
}

/// Everything else.
fn say(line: &str) {
    // Nobody to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}
