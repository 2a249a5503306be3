//! `jeroboam db`: what an operator does to the tables before the service runs, and after it ran.

use std::io::Write;

use anyhow::{Context, Result};
use jeroboam_cli::DbCommand;
use jeroboam_model::{Clock as _, SystemClock};
use jeroboam_store::Store;

use crate::settings;

fn say(line: impl std::fmt::Display) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("write to standard output")
}

/// Whether all was well: the exit code says so.
pub(crate) async fn run(command: &DbCommand) -> Result<bool> {
    match command {
        DbCommand::Check { config } => {
            let store = open(config).await?;
            let report = store.check().await.context("look at the database")?;
            say(&report)?;
            let usable = report.is_usable();
            let unreadable = if usable { store.unreadable().await.context("read all rows")? } else { Vec::new() };
            for problem in &unreadable {
                say(format!("unreadable: {problem}"))?;
            }
            Ok(usable && unreadable.is_empty())
        }
        DbCommand::Upgrade { config, dry_run: true } => {
            say(open(config).await?.check().await.context("look at the database")?)?;
            say("nothing was changed")?;
            Ok(true)
        }
        DbCommand::Upgrade { config, .. } => {
            say(open(config).await?.upgrade().await.context("prepare the database")?)?;
            Ok(true)
        }
        DbCommand::Adopt { config, really } => {
            let (store, now) = (open(config).await?, SystemClock.now());
            let found = match really.yes {
                true => store.adopt(now, really.all_stopped).await.context("adopt the database")?,
                false => store.examine(now, really.all_stopped).await.context("look at the database")?,
            };
            say(&found)?;
            Ok(found.can_be_adopted())
        }
        DbCommand::HandBack { config, really, drop_tables } => {
            let (store, now, stopped) = (open(config).await?, SystemClock.now(), really.all_stopped);
            let back = match really.yes {
                true => store.hand_back(now, stopped, *drop_tables).await.context("hand the database back")?,
                false => store.foresee_hand_back(now, stopped, *drop_tables).await.context("look at the database")?,
            };
            say(&back)?;
            Ok(back.is_possible())
        }
    }
}

/// Nothing here opens a secret, so no key is asked for.
async fn open(config: &jeroboam_cli::args::ConfigArgs) -> Result<Store> {
    let config = settings::load(config)?;
    Store::connect(&settings::database(&config)?).await.context("open the database")
}
