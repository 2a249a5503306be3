//! Reading a registry's configuration, and `jeroboam registry config`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jeroboam_cli::args::{RegistryConfigArgs, RegistryConfigCommand};
use jeroboam_registry::config::{self, Config, Read, Severity, USUAL_PLACES};
use tracing::{info, warn};

use super::{environment, print, say};

/// The file that is meant: that of the command line, or the first of the usual ones that is there.
fn path(args: &RegistryConfigArgs) -> Result<PathBuf> {
    if let Some(path) = &args.config {
        return Ok(path.clone());
    }
    let Some(found) = config::usual_place(Path::new("/")) else {
        bail!("there is no configuration: name a file, or put one at {}", USUAL_PLACES.join(" or "));
    };
    Ok(found)
}

fn read(args: &RegistryConfigArgs) -> Result<(PathBuf, Read)> {
    let path = path(args)?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let read = Config::read(&text, &environment()).with_context(|| format!("read {}", path.display()))?;
    Ok((path, read))
}

/// The configuration that a subcommand works with.
pub(super) fn load(args: &RegistryConfigArgs) -> Result<Config> {
    let (path, read) = read(args)?;
    read.into_config().map_err(|wrong| anyhow::anyhow!("{}: {}", path.display(), wrong.join("; ")))
}

/// The configuration of a server, and what to say about it once there is a log.
pub(super) fn load_with_remarks(args: &RegistryConfigArgs) -> Result<(Config, impl FnOnce())> {
    let (path, read) = read(args)?;
    let remarks = read.remarks.clone();
    let config = read.into_config().map_err(|wrong| anyhow::anyhow!("{}: {}", path.display(), wrong.join("; ")))?;
    Ok((config, move || {
        for remark in remarks {
            match remark.severity {
                Severity::Notice => info!("{}: {remark}", path.display()),
                Severity::Warning | Severity::Error => warn!("{}: {remark}", path.display()),
            }
        }
    }))
}

/// `jeroboam registry config …`. `false`: the registry would not start.
pub(super) fn run(command: &RegistryConfigCommand) -> Result<bool> {
    match command {
        RegistryConfigCommand::Sample => print(config::sample()).map(|()| true),
        RegistryConfigCommand::Reference => print(&config::reference()).map(|()| true),
        RegistryConfigCommand::Check { config, strict } => check(config, *strict),
    }
}

fn check(args: &RegistryConfigArgs, strict: bool) -> Result<bool> {
    let (path, read) = read(args)?;
    let mut bad = read.config.is_none();
    for remark in &read.remarks {
        let (word, counts) = match remark.severity {
            Severity::Error => ("error", true),
            Severity::Warning => ("warning", strict),
            Severity::Notice => ("note", false),
        };
        bad |= counts;
        say(&format!("{word}: {}: {remark}", path.display()));
    }
    print(&format!("{}: {}\n", path.display(), if bad { "the registry would not start" } else { "fine" }))?;
    Ok(!bad)
}
