//! What is typed to run a registry and to look after one. The binary carries it out, one file for each subcommand.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
}

/// Which configuration of a registry.
#[derive(Clone, Debug, Default, Args)]
pub struct RegistryConfigArgs {
    /// The configuration [default: /etc/docker/registry/config.yml, else /etc/distribution/config.yml]
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
