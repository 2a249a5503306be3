//! What can be typed. Nothing here is read from anywhere else.

mod client;
mod common;
mod operator;
mod registry;
mod registry_copies;
mod registry_store;
mod server;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

pub use client::{
    ClientCommand, ClusterCommand, ClusterCreateArgs, ClusterDeleteArgs, ClusterResizeArgs, ClusterUpdateArgs,
    ClusterUpgradeArgs, KubeconfigArgs, NodegroupCommand, NodegroupCreateArgs, NodegroupUpdateArgs, ServiceCommand,
    TemplateCommand, TemplateCreateArgs, TemplateUpdateArgs,
};
pub use common::{CloudArgs, ConfirmArgs, Format, ListArgs, OutputArgs, Pair, WaitArgs};
pub use operator::{CompletionArgs, ConfigCommand, OperatorCommand, PolicyCommand};
pub use registry::{
    HtpasswdArgs, RegistryCommand, RegistryConfigArgs, RegistryConfigCommand, RegistryServeArgs, TokenCommand,
    TokenMakeArgs,
};
pub use registry_copies::{
    ExportArgs, ImportArgs, NodeCommand, NodeHostsArgs, NodeManifestArgs, NodeUnitArgs, RegistryCopyCommand,
    RemoteArgs, SyncArgs,
};
pub use registry_store::{
    DoItArgs, GcArgs, GcCommand, HandBackArgs, InspectArgs, RegistryStoreCommand, RepairArgs, ReportArgs, ReportFormat,
    RestoreArgs, RetainArgs, ScrubArgs,
};
pub use server::{ConfigArgs, DbCommand, DevArgs, Really, SandboxArgs, ServerArgs, ServerCommand};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  See it work on this machine, nothing else needed:
    jeroboam dev

  Make a cluster and use it:
    jeroboam cluster create kube --template k8s-v1.33 --node-count 2 --wait
    jeroboam kubeconfig kube --output kube.conf
    kubectl --kubeconfig kube.conf get nodes

  Offer clusters in a cloud, with the magnum.conf that is there:
    jeroboam config check
    jeroboam db upgrade
    jeroboam all

  Run a registry, with the config.yml that is there:
    jeroboam registry serve /etc/docker/registry/config.yml";

/// Kubernetes as a service for OpenStack clouds.
#[derive(Debug, Parser)]
#[command(name = "jeroboam", version, styles = STYLES, after_help = EXAMPLES, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true, infer_subcommands = false)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Everything the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What tenants do.
    #[command(flatten)]
    Client(ClientCommand),
    /// What operators do without a database.
    #[command(flatten)]
    Operator(OperatorCommand),
    /// What serves, and what looks after the database.
    #[command(flatten)]
    Server(ServerCommand),
    /// Run an OCI registry, or look after one
    #[command(subcommand)]
    Registry(RegistryCommand),
}

#[cfg(test)]
mod tests;
