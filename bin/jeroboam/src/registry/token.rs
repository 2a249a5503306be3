//! `jeroboam registry token …`.

use anyhow::{Context, Result};
use jeroboam_cli::args::{TokenCommand, TokenMakeArgs};
use jeroboam_model::{Clock as _, SystemClock};
use jeroboam_registry::auth::{make_token, new_key};

use super::{config, print};

pub(super) fn run(command: &TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Key => print(&new_key()?),
        TokenCommand::Make(args) => make(args),
    }
}

fn make(args: &TokenMakeArgs) -> Result<()> {
    let builtin = config::load(&args.config)?.auth.builtin.context("the configuration has no auth.builtin")?;
    let service = args.service.clone().or_else(|| builtin.service.clone());
    let service = service.context("say --service, or set auth.builtin.service: a token is for one registry")?;
    let token = make_token(builtin, &args.subject, &service, &args.scopes, args.lifetime, SystemClock.now())?;
    print(&format!("{token}\n"))
}
