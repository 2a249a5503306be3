//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use jeroboam_conformance::{Api, Data, Login, Options, Version};
use secrecy::SecretString;
use url::Url;

/// Asks a registry everything that the distribution specification owes its clients.
#[derive(Debug, Parser)]
#[command(name = "jeroboam-conformance")]
pub(crate) struct Args {
    /// Where the registry answers, such as http://127.0.0.1:5000
    #[arg(value_name = "URL")]
    registry: Url,
    /// What it is held against
    #[arg(long, value_name = "1.1|dev", default_value = "1.1")]
    version: Version,
    /// The repository that is pushed to; everything in it may be deleted
    #[arg(long, value_name = "NAME", default_value = "conformance/one")]
    repository: String,
    /// The repository that blobs are mounted into
    #[arg(long, value_name = "NAME", default_value = "conformance/two")]
    other_repository: String,
    /// Who asks
    #[arg(long, value_name = "NAME", env = "OCI_USERNAME")]
    user: Option<String>,
    /// The password
    #[arg(long, value_name = "PASSWORD", env = "OCI_PASSWORD", hide_env_values = true, default_value = "")]
    password: SecretString,
    /// Leave out a part of the interface
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    without: Vec<Api>,
    /// Ask for a part that the version does not have yet
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    with: Vec<Api>,
    /// Leave out a kind of content
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    without_data: Vec<Data>,
    /// Only cases below this name, part by part, such as blobs/sha512/range
    #[arg(long, value_name = "NAME", default_value = "")]
    filter: String,
    /// Believe a certificate that nobody signed
    #[arg(long)]
    insecure: bool,
    /// Decides all content; what no run before had unless given
    #[arg(long, value_name = "TEXT")]
    seed: Option<String>,
    /// How the report looks
    #[arg(short, long, default_value = "text")]
    pub(crate) format: Format,
    /// Also show cases that passed, and those that are off
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Count what was skipped as failed
    #[arg(long)]
    pub(crate) strict: bool,
    /// Hold the result against a list of `fail NAME` and `skip NAME`, and fail where it is otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// What failed or was skipped, and the counts
    Text,
    /// Every case
    Json,
    /// What --expect reads
    Expectation,
}

impl Args {
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new(self.registry.clone(), self.version);
        options.repository.clone_from(&self.repository);
        options.other_repository.clone_from(&self.other_repository);
        options.login = self.user.clone().map(|user| Login { user, password: self.password.clone() });
        options.without_apis.clone_from(&self.without);
        options.with_apis.clone_from(&self.with);
        options.without_data.clone_from(&self.without_data);
        options.filter.clone_from(&self.filter);
        options.insecure = self.insecure;
        if let Some(seed) = &self.seed {
            options.seed.clone_from(seed);
        }
        options
    }
}
