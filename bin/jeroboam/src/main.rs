//! Installs the TLS provider, parses the command line, dispatches, and turns the outcome into an exit code.

mod database;
mod dev;
mod faults;
mod listen;
mod metrics;
mod obstacles;
mod policy;
mod presence;
mod registry;
mod serve;
mod settings;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use jeroboam_cli::args::ConfigCommand;
use jeroboam_cli::{Cli, Command, OperatorCommand, ServerArgs, ServerCommand, Surroundings, run_client, run_operator};
use jeroboam_model::SystemClock;
use jeroboam_oslo::Config;
use jeroboam_telemetry::{LogConfig, LogFormat, Shutdown};

use crate::serve::Role;

fn main() -> ExitCode {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return failed(&anyhow::anyhow!("the TLS provider was set up twice"));
    }
    let cli = Cli::parse_from(registry::arguments(std::env::args_os()));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error).context("start the runtime")),
    };
    let code = runtime.block_on(dispatch(cli.command));
    // A blocking task that hangs must not keep the process.
    runtime.shutdown_background();
    code
}

async fn dispatch(command: Command) -> ExitCode {
    match command {
        Command::Client(command) => ExitCode::from(run_client(command, &mut Surroundings::of_process()).await),
        Command::Operator(command) => {
            let mut surroundings = Surroundings::of_process();
            if let OperatorCommand::Config(ConfigCommand::Check { config, .. }) = &command {
                surroundings.obstacles = obstacles::of(config).await;
            }
            ExitCode::from(run_operator(command, &mut surroundings))
        }
        Command::Server(command) => ended(server(command).await),
        Command::Registry(command) => ended(registry::run(command).await),
    }
}

fn ended(done: Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

async fn server(command: ServerCommand) -> Result<bool> {
    match command {
        ServerCommand::Api(args) => serve(Role::Api, &args).await,
        ServerCommand::Reconcile(args) => serve(Role::Reconcile, &args).await,
        ServerCommand::All(args) => serve(Role::All, &args).await,
        ServerCommand::Dev(args) => {
            log_to_stderr(args.debug)?;
            let shutdown = Shutdown::new();
            shutdown.listen().context("listen to signals")?;
            dev::dev(&args, &shutdown).await.map(|()| true)
        }
        ServerCommand::Sandbox(args) => {
            log_to_stderr(false)?;
            let shutdown = Shutdown::new();
            shutdown.listen().context("listen to signals")?;
            dev::sandbox(&args, &shutdown).await.map(|()| true)
        }
        ServerCommand::Db(command) => {
            log_to_stderr(false)?;
            database::run(&command).await
        }
    }
}

async fn serve(role: Role, args: &ServerArgs) -> Result<bool> {
    let config = Config::load(&args.config.paths(), &settings::environment()).context("read the configuration")?;
    let mut log = settings::log(&config);
    log.debug |= args.debug;
    if args.log_json {
        log.format = LogFormat::Json;
    }
    jeroboam_telemetry::log::init(&log, Arc::new(SystemClock)).context("open the log")?;
    settings::warn_of(&config);
    let shutdown = Shutdown::new();
    shutdown.listen().context("listen to signals")?;
    serve::run(role, args, &config, &shutdown).await.map(|()| true)
}

fn log_to_stderr(debug: bool) -> Result<()> {
    let log = LogConfig { debug, ..LogConfig::default() };
    jeroboam_telemetry::log::init(&log, Arc::new(SystemClock)).context("open the log")
}

#[expect(clippy::print_stderr, reason = "the last thing that the process says")]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
