//! What the servers and the operator's commands are given. The binary acts on these; nothing here does.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where the service's settings come from.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// An oslo.config file, usually the operator's own magnum.conf; repeat it, the later one wins
    #[arg(long = "config-file", value_name = "FILE")]
    pub config_file: Vec<PathBuf>,
    /// A folder whose *.conf files are read after the files, in the order of their names
    #[arg(long = "config-dir", value_name = "DIR")]
    pub config_dir: Vec<PathBuf>,
}

/// `jeroboam api|reconcile|all`.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// Settings
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Make or complete the database's tables before serving
    #[arg(long)]
    pub upgrade_database: bool,
    /// Abort at the n-th write, as a power cut would: for the crash tests
    #[arg(long, hide = true, value_name = "N")]
    pub crash_at_write: Option<u64>,
}

/// `jeroboam dev`.
#[derive(Args, Clone, Debug)]
pub struct DevArgs {
    /// Port of the API; 0 takes a free one
    #[arg(long, default_value_t = 9511)]
    pub port: u16,
    /// Where state is kept between runs [default: the user's data directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Forget what an earlier run left
    #[arg(long)]
    pub fresh: bool,
    /// Where to write the clouds.yaml for clients [default: clouds.yaml in the data directory]
    #[arg(long, value_name = "FILE")]
    pub clouds_file: Option<PathBuf>,
    /// Use a real management cluster in the place of the pretended one
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Use a real cloud, by its name in clouds.yaml, in the place of the pretended one
    #[arg(long, value_name = "NAME")]
    pub os_cloud: Option<String>,
    /// More settings, read after those that the pretend cloud makes
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How many times faster than life the pretended machines start
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub speed: f64,
}

/// `jeroboam sandbox`: the pretend cloud alone, for tests.
#[derive(Args, Clone, Debug)]
pub struct SandboxArgs {
    /// Where its state is kept, and where it writes clouds.yaml, kubeconfig and magnum.conf for the service
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// Port that the catalogue gives for the service's API
    #[arg(long, default_value_t = 9511)]
    pub api_port: u16,
    /// How many times faster than life its machines start
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub speed: f64,
    /// Seed of everything that is random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `jeroboam db …`.
#[derive(Subcommand, Clone, Debug)]
pub enum DbCommand {
    /// Make the tables of a new database, or add only our own to Magnum's
    Upgrade {
        /// Settings
        #[command(flatten)]
        config: ConfigArgs,
        /// Say what would be done and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Say whether the database can be served, and why not
    Check {
        /// Settings
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// `jeroboam config …`.
#[derive(Subcommand, Clone, Debug)]
pub enum ConfigCommand {
    /// Print every option with its default and what it is for
    Sample,
    /// Name each option that is unknown, removed, without effect here, or wrong
    Check {
        /// Settings
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// `jeroboam policy …`.
#[derive(Subcommand, Clone, Debug)]
pub enum PolicyCommand {
    /// Print every rule with its default
    Sample,
    /// Read the policy files as the service would and say what is wrong with them
    Check {
        /// Settings
        #[command(flatten)]
        config: ConfigArgs,
    },
}
