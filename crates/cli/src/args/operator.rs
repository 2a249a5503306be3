//! What operators type to look at files.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

use super::server::ConfigArgs;

/// What operators do without a database.
#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the policy
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Write a completion script for a shell
    #[command(after_help = "\
Examples:
  jeroboam completion bash > /etc/bash_completion.d/jeroboam
  jeroboam completion zsh > ~/.zfunc/_jeroboam
  jeroboam completion fish > ~/.config/fish/completions/jeroboam.fish")]
    Completion(CompletionArgs),
}

/// `jeroboam config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every option with its default
    #[command(after_help = "Example:\n  jeroboam config sample > magnum.conf.sample")]
    Sample,
    /// Read the configuration and name unknown, removed and wrong options, each with its line
    #[command(after_help = "\
The exit code is 1 when the service would not start.

Examples:
  jeroboam config check
  jeroboam config check --config-file ./magnum.conf --strict")]
    Check {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
        /// Options that have no effect count as errors too
        #[arg(long)]
        strict: bool,
    },
}

/// `jeroboam policy …`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Print every rule with its default
    #[command(after_help = "Example:\n  jeroboam policy sample > policy.yaml.sample")]
    Sample,
    /// Read the policy files and name rules that cannot be meant so
    #[command(after_help = "\
Examples:
  jeroboam policy check
  jeroboam policy check --policy-file ./policy.yaml")]
    Check {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
        /// This policy file in place of the one that the configuration names
        #[arg(long, value_name = "FILE")]
        policy_file: Option<PathBuf>,
    },
}

/// `jeroboam completion`
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    pub shell: Shell,
}
