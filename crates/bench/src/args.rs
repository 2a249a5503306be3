//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use jeroboam_store::testing::Engine;

/// Measures the service.
#[derive(Debug, Parser)]
#[command(name = "jeroboam-bench")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure and print
    Run(RunArgs),
    /// Measure beside Magnum, which its bed keeps ready, and print
    Versus(VersusArgs),
    /// Measure the registry beside others, in turns, and print
    Registry(crate::registry::RegistryArgs),
    /// The bare routes that figures are compared with
    #[command(hide = true)]
    Floor(FloorArgs),
}

/// What every measurement asks.
#[derive(Debug, clap::Args)]
pub(crate) struct How {
    /// The program to measure
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: PathBuf,
    /// Few rounds and few clusters: to see whether it works, not to quote
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only requests whose name contains this, beside the bare routes
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,
    /// Numbers of connections that send requests at once
    #[arg(long, value_delimiter = ',', default_values = ["1", "8", "32"])]
    pub(crate) connections: Vec<usize>,
    /// Also write all figures to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) how: How,
    /// Databases to measure on
    #[arg(long, value_delimiter = ',', default_values = ["sqlite", "mariadb"])]
    pub(crate) engines: Vec<EngineName>,
    /// What to measure
    #[arg(long, value_delimiter = ',', default_values = ["start", "requests", "life"])]
    pub(crate) parts: Vec<Part>,
    /// Numbers of clusters at which the way of a status is timed
    #[arg(long, value_delimiter = ',')]
    pub(crate) clusters: Vec<usize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VersusArgs {
    #[command(flatten)]
    pub(crate) how: How,
    /// The program that serves Magnum's API until it is told to end
    #[arg(long, value_name = "FILE")]
    pub(crate) magnum: PathBuf,
    /// Where Magnum answers
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) magnum_address: SocketAddr,
    /// Where the service answers
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: SocketAddr,
    /// The folder of the bed, with the pretend cloud's files in `cloud`
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: PathBuf,
    /// Magnum's database, in SQLAlchemy's form
    #[arg(long, value_name = "URL")]
    pub(crate) database: String,
    /// How often each of them has its turn; 3 unless it is quick
    #[arg(long, value_name = "NUMBER")]
    pub(crate) rounds: Option<usize>,
}

impl RunArgs {
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// The numbers of clusters, smallest first.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        let mut sizes = match (&*self.clusters, self.how.quick) {
            ([], true) => vec![1, 20],
            ([], false) => vec![1, 100, 1000],
            (given, _) => given.to_vec(),
        };
        sizes.sort_unstable();
        sizes
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct FloorArgs {
    /// Where the port is written once it answers
    #[arg(long, value_name = "FILE")]
    pub(crate) port_file: PathBuf,
    /// Where the database is written down, in SQLAlchemy's form
    #[arg(long, value_name = "FILE")]
    pub(crate) database_file: PathBuf,
    /// Connections at most
    #[arg(long, value_name = "NUMBER")]
    pub(crate) connections: u32,
    /// The row that is read
    #[arg(long, value_name = "NUMBER")]
    pub(crate) row: i64,
}

/// What there is to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// From the start of the process to the first answer.
    Start,
    /// Requests beside the floors.
    Requests,
    /// Clusters in the pretend cloud: how fast their state is seen, and memory.
    Life,
}

/// A database engine, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    Sqlite,
    Mariadb,
    Postgresql,
}

impl EngineName {
    pub(crate) const fn engine(self) -> Engine {
        match self {
            Self::Sqlite => Engine::Sqlite,
            Self::Mariadb => Engine::MariaDb,
            Self::Postgresql => Engine::PostgreSql,
        }
    }
}
