//! The command line: arguments, settings, commands, rendering.
//!
//! What was typed becomes a [`Cli`]; client and operator commands run here, servers in the binary. Data goes to standard
//! output, everything else to standard error; the exit code is 0 when done, 1 when refused or failed, 2 for wrong usage.

pub mod args;
mod client;
mod commands;
mod failure;
mod kubeconfig;
mod output;
mod surroundings;
mod wait;

pub use args::{
    Cli, ClientCommand, Command, DbCommand, DevArgs, OperatorCommand, Really, RegistryCommand, SandboxArgs, ServerArgs,
    ServerCommand,
};
pub use commands::{run_client, run_operator};
pub use failure::Failure;
pub use surroundings::{Screen, Surroundings};
