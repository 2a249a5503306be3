//! `jeroboam db`: what an operator does to the tables before the service runs.

use std::io::Write;

use anyhow::{Context, Result};
use jeroboam_cli::DbCommand;
use jeroboam_store::Store;

use crate::settings;

fn say(line: impl std::fmt::Display) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("write to standard output")
}

/// Whether all was well: the exit code says so.
pub(crate) async fn run(command: &DbCommand) -> Result<bool> {
    let (DbCommand::Upgrade { config, .. } | DbCommand::Check { config }) = command;
    let config = settings::load(config)?;
    let store = Store::connect(&settings::store(&config)?).await.context("open the database")?;
    let report = store.check().await.context("look at the database")?;
    match command {
        DbCommand::Check { .. } => {
            say(&report)?;
            let usable = report.is_usable();
            let unreadable = if usable { store.unreadable().await.context("read all rows")? } else { Vec::new() };
            for problem in &unreadable {
                say(format!("unreadable: {problem}"))?;
            }
            Ok(usable && unreadable.is_empty())
        }
        DbCommand::Upgrade { dry_run: true, .. } => {
            say(&report)?;
            say("nothing was changed")?;
            Ok(true)
        }
        DbCommand::Upgrade { .. } => {
            say(store.upgrade().await.context("prepare the database")?)?;
            Ok(true)
        }
    }
}
