//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::generate::Area;

/// Sends the same requests to the service and to Magnum, and tells where their answers differ.
#[derive(Clone, Debug, Parser)]
#[command(name = "jeroboam-differential")]
pub(crate) struct Args {
    /// Where the service answers
    #[arg(long, value_name = "URL")]
    pub(crate) ours: String,
    /// Where Magnum answers; several processes on one database are used in turns
    #[arg(long, value_name = "URL", value_delimiter = ',', required = true)]
    pub(crate) theirs: Vec<String>,
    /// Where the pretend cloud's identity service answers, with its /v3
    #[arg(long, value_name = "URL")]
    pub(crate) identity: String,
    /// The password of everybody in the pretend cloud
    #[arg(long, default_value = "secret")]
    pub(crate) password: String,
    /// The socket of the MariaDB that holds both databases
    #[arg(long, value_name = "FILE")]
    pub(crate) socket: String,
    /// The service's database
    #[arg(long, default_value = "jeroboam")]
    pub(crate) our_database: String,
    /// Magnum's database
    #[arg(long, default_value = "magnum")]
    pub(crate) their_database: String,
    /// The list of differences that are meant
    #[arg(long, value_name = "FILE", default_value = "tests/differential/explained.yaml")]
    pub(crate) explained: PathBuf,
    /// Decides every sequence
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many sequences
    #[arg(long, default_value_t = 5000)]
    pub(crate) sequences: u64,
    /// The number of the first one: to see one again, with --sequences 1
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u64,
    /// How many sequences are played at once
    #[arg(long, default_value_t = 6)]
    pub(crate) connections: usize,
    /// What the sequences are about
    #[arg(long, value_delimiter = ',', default_values = ["templates", "clusters", "nodegroups", "certificates", "quotas", "federations", "discovery", "everything"])]
    pub(crate) areas: Vec<Area>,
    /// Leave out of a sequence what its difference does not need
    #[arg(long)]
    pub(crate) minimise: bool,
    /// Stop after so many kinds of difference
    #[arg(long, default_value_t = 100)]
    pub(crate) enough: usize,
    /// Print each sequence and what was answered
    #[arg(long)]
    pub(crate) verbose: bool,
}
