//! What is typed to run a registry and to look after one. The binary carries it out, one file for each subcommand.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::registry_copies::RegistryCopyCommand;
use super::registry_store::RegistryStoreCommand;

/// `jeroboam registry …`
#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// Serve a registry, with the config.yml of a registry:2 as it is
    #[command(after_help = "\
The file is distribution's config.yml; variables such as REGISTRY_HTTP_ADDR take the place of its values. What is new here stands
below jeroboam: in the same file. Called by the name registry, as in a container, the program takes this subcommand by itself.

Examples:
  jeroboam registry serve
  jeroboam registry serve /etc/docker/registry/config.yml
  REGISTRY_HTTP_ADDR=127.0.0.1:5001 jeroboam registry serve config.yml")]
    Serve(RegistryServeArgs),
    /// Look at the configuration
    #[command(subcommand)]
    Config(RegistryConfigCommand),
    /// Make a line of a file of users; the password is read from standard input
    #[command(after_help = "\
Examples:
  jeroboam registry htpasswd ada                              print a line, with bcrypt as distribution reads it
  jeroboam registry htpasswd ada --file htpasswd              put it into a file, in place of an older one
  jeroboam registry htpasswd ada --file htpasswd --remove
  pwgen 24 1 | tee password | jeroboam registry htpasswd ci --argon2id --file htpasswd")]
    Htpasswd(HtpasswdArgs),
    /// Make keys and tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Carry images.
    #[command(flatten)]
    Copies(Box<RegistryCopyCommand>),
    /// Look after what a registry keeps.
    #[command(flatten)]
    Store(Box<RegistryStoreCommand>),
}

/// `jeroboam registry config …`
#[derive(Debug, Subcommand)]
pub enum RegistryConfigCommand {
    /// Print a configuration to begin with
    #[command(after_help = "Example:\n  jeroboam registry config sample > config.yml")]
    Sample,
    /// Print all keys in Markdown
    #[command(after_help = "Example:\n  jeroboam registry config reference > configuration.md")]
    Reference,
    /// Read the configuration and name keys that are unknown, wrong or without effect, each with its line
    #[command(after_help = "\
The exit code is 1 when the registry would not start.

Examples:
  jeroboam registry config check
  jeroboam registry config check config.yml --strict")]
    Check {
        /// Which configuration.
        #[command(flatten)]
        config: RegistryConfigArgs,
        /// Keys that are not known count as errors, too
        #[arg(long)]
        strict: bool,
    },
}

/// `jeroboam registry htpasswd`
#[derive(Clone, Debug, Args)]
pub struct HtpasswdArgs {
    /// The user
    pub name: String,
    /// Change this file in place of printing a line; it is made if it is not there
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Take the user out of the file
    #[arg(long, requires = "file")]
    pub remove: bool,
    /// Hash with Argon2id, which distribution does not read
    #[arg(long, conflicts_with_all = ["cost", "remove"])]
    pub argon2id: bool,
    /// How much work bcrypt is: each one more doubles it [default: 10]
    #[arg(long, value_name = "4-16", value_parser = clap::value_parser!(u32).range(4..=16), conflicts_with = "remove")]
    pub cost: Option<u32>,
}

/// `jeroboam registry token …`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Print a new Ed25519 key for auth.builtin.key
    #[command(
        after_help = "Example, of a file that nobody else can read:\n  umask 077\n  jeroboam registry token key > token.pem"
    )]
    Key,
    /// Print a token that the registry of a configuration believes: for machines, without a password
    #[command(after_help = "\
The key of the configuration signs it, so nobody can take it back before it ends, but by another key.

Example:
  jeroboam registry token make config.yml --subject ci --service registry.example.org --scope repository:team/app:pull,push")]
    Make(TokenMakeArgs),
}

/// `jeroboam registry token make`
#[derive(Clone, Debug, Args)]
pub struct TokenMakeArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: RegistryConfigArgs,
    /// For whom it is: the name in logs and notifications
    #[arg(long, value_name = "NAME")]
    pub subject: String,
    /// For which registry it is [default: auth.builtin.service]
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// What it is good for, such as repository:team/app:pull,push; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub scopes: Vec<String>,
    /// How long it lives
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = super::common::duration)]
    pub lifetime: std::time::Duration,
}

/// Which configuration of a registry.
#[derive(Clone, Debug, Default, Args)]
pub struct RegistryConfigArgs {
    /// The configuration [default: the first of /etc/docker/registry/config.yml, /etc/distribution/config.yml, /etc/jeroboam/registry.yml]
    #[arg(value_name = "CONFIG")]
    pub config: Option<PathBuf>,
}

/// `jeroboam registry serve`
#[derive(Clone, Debug, Default, Args)]
pub struct RegistryServeArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: RegistryConfigArgs,
    /// Log at debug level, whatever the configuration says
    #[arg(long)]
    pub debug: bool,
}
