//! `jeroboam registry …`: one file for each subcommand, which prints what the registry's crate does.

mod name;
mod serve;

use anyhow::Result;
use jeroboam_cli::RegistryCommand;

pub(crate) use name::arguments;

/// Carries out a subcommand. `false`: it was done, and what it found is not as it should be.
pub(crate) async fn run(command: RegistryCommand) -> Result<bool> {
    match command {
        RegistryCommand::Serve(args) => serve::run(&args).await.map(|()| true),
    }
}
