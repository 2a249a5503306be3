//! What starts a server or looks after the database. The binary carries these out.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Subcommand, value_parser};
use jeroboam_oslo::Config;

/// Which configuration: the files and directories, in the order of the command line.
#[derive(Clone, Debug, Default)]
pub struct ConfigArgs {
    given: Vec<(Source, PathBuf)>,
    /// Whether the usual places are left alone.
    only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    File,
    Dir,
}

impl Source {
    const fn id(self) -> &'static str {
        match self {
            Self::File => "config-file",
            Self::Dir => "config-dir",
        }
    }
}

impl ConfigArgs {
    /// These files and no others.
    #[must_use]
    pub fn only(files: Vec<PathBuf>) -> Self {
        Self { given: files.into_iter().map(|file| (Source::File, file)).collect(), only: true }
    }

    /// What to read, in order: the usual file where no file was named, the usual directory where no directory was, and then
    /// what was named. oslo.config: `ConfigOpts._parse_config_files`.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let named = |wanted: Source| self.given.iter().any(|(source, _)| *source == wanted);
        let usual = [(Source::File, Config::default_file()), (Source::Dir, Config::default_dir())];
        let usual = usual.into_iter().filter(|(source, _)| !self.only && !named(*source)).filter_map(|(_, path)| path);
        usual.chain(self.given.iter().map(|(_, path)| path.clone())).collect()
    }
}

impl Args for ConfigArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let arg = |source: Source, value: &'static str, help: &'static str| {
            let arg = Arg::new(source.id()).action(ArgAction::Append).value_parser(value_parser!(PathBuf));
            arg.long(source.id()).value_name(value).help(help).help_heading("Configuration")
        };
        let file = "Configuration file; may be repeated, later ones win [default: /etc/magnum/magnum.conf]";
        let dir = "Directory whose *.conf are read in its place among the files; may be repeated [default: /etc/magnum/magnum.conf.d, before the files]";
        command.arg(arg(Source::File, "FILE", file)).arg(arg(Source::Dir, "DIR", dir))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ConfigArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for source in [Source::File, Source::Dir] {
            let values = matches.get_many::<PathBuf>(source.id()).into_iter().flatten();
            let places = matches.indices_of(source.id()).into_iter().flatten();
            given.extend(places.zip(values).map(|(place, path)| (place, source, path.clone())));
        }
        given.sort_by_key(|(place, ..)| *place);
        Ok(Self { given: given.into_iter().map(|(_, source, path)| (source, path)).collect(), only: false })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// `jeroboam api`, `reconcile` and `all`.
#[derive(Clone, Debug, Default, Args)]
pub struct ServerArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Log at debug level, whatever the configuration says
    #[arg(long)]
    pub debug: bool,
    /// Log one JSON object per line, whatever the configuration says
    #[arg(long)]
    pub log_json: bool,
    /// Make or complete the database's tables before serving
    #[arg(long)]
    pub upgrade_database: bool,
    /// End as a power cut would at the n-th write; 0 only counts. For crash tests
    #[arg(long, hide = true, value_name = "N")]
    pub crash_at_write: Option<u64>,
}

/// `jeroboam dev`
#[derive(Clone, Debug, Args)]
pub struct DevArgs {
    /// Directory for what survives a restart [default: jeroboam in the user's data directory]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Forget what an earlier run left
    #[arg(long)]
    pub fresh: bool,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// Port of the API; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9511)]
    pub port: u16,
    /// A real management cluster in place of the pretended one
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A real cloud, a name from clouds.yaml, in place of the pretended one
    #[arg(long = "os-cloud", value_name = "NAME")]
    pub cloud: Option<String>,
    /// Configuration file that is read beside what this command sets; may be repeated
    #[arg(long = "config-file", value_name = "FILE")]
    pub config_files: Vec<PathBuf>,
    /// Write clouds.yaml also to this file, once everything answers
    #[arg(long, value_name = "FILE")]
    pub clouds_file: Option<PathBuf>,
    /// How much faster than a real cloud machines come up
    #[arg(long, value_name = "FACTOR", default_value_t = 20.0)]
    pub speed: f64,
    /// Seed of everything that looks random
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Log at debug level
    #[arg(long)]
    pub debug: bool,
}

/// `jeroboam sandbox`
#[derive(Clone, Debug, Args)]
pub struct SandboxArgs {
    /// Directory for what survives a restart, and for the clouds.yaml, kubeconfig and magnum.conf of this cloud
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// Port of the identity service; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub identity_port: u16,
    /// Port of the Kubernetes API; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub kube_port: u16,
    /// Port of the API that the catalogue names
    #[arg(long, value_name = "PORT", default_value_t = 9511)]
    pub api_port: u16,
    /// How much faster than a real cloud machines come up
    #[arg(long, value_name = "FACTOR", default_value_t = 20.0)]
    pub speed: f64,
    /// Seed of everything that looks random
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// What serves, and what looks after the database.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// Serve the API
    #[command(after_help = "Example:\n  jeroboam api --config-file /etc/magnum/magnum.conf")]
    Api(ServerArgs),
    /// Make clusters what they shall be
    #[command(after_help = "Example:\n  jeroboam reconcile --config-file /etc/magnum/magnum.conf")]
    Reconcile(ServerArgs),
    /// Serve the API and make clusters what they shall be, in one process
    #[command(after_help = "Example:\n  jeroboam all --config-file /etc/magnum/magnum.conf --upgrade-database")]
    All(ServerArgs),
    /// Try it: the whole service with a pretended cloud, on this machine alone
    #[command(after_help = "\
Examples:
  jeroboam dev                              everything pretended
  jeroboam dev --fresh                      and from the beginning
  jeroboam dev --kubeconfig mgmt.conf       clusters in a real management cluster
  jeroboam dev --kubeconfig mgmt.conf --os-cloud mycloud")]
    Dev(DevArgs),
    /// The pretended cloud alone
    #[command(hide = true)]
    Sandbox(SandboxArgs),
    /// Look after the database
    #[command(subcommand)]
    Db(DbCommand),
}

/// `jeroboam db …`
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Make the tables, or add to Magnum's what is ours; may be run again at any time
    #[command(after_help = "\
Examples:
  jeroboam db upgrade --dry-run
  jeroboam db upgrade")]
    Upgrade {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
        /// Say what would be done and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Take over a database that Magnum made: adds tables of ours beside Magnum's, which stay as they are
    #[command(after_help = "\
The exit code is 1 when something stands in the way.

Examples:
  jeroboam db adopt --dry-run    what would be changed, and which rows can't be served
  jeroboam db adopt --yes")]
    Adopt {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
        /// Whether to do it.
        #[command(flatten)]
        really: Really,
    },
    /// Give the database back to Magnum: what is unfinished becomes a failure that Magnum can read
    #[command(after_help = "\
The exit code is 1 when something stands in the way.

Examples:
  jeroboam db hand-back --dry-run
  jeroboam db hand-back --yes
  jeroboam db hand-back --yes --drop-tables    when it is for good")]
    HandBack {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
        /// Whether to do it.
        #[command(flatten)]
        really: Really,
        /// Drop our tables, indexes and columns, too, and with them the credentials of clusters that were made here
        #[arg(long)]
        drop_tables: bool,
    },
    /// Say whether the tables are what this version needs; changes nothing
    #[command(after_help = "Example:\n  jeroboam db check --config-file /etc/magnum/magnum.conf")]
    Check {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Whether something is done or only told.
#[derive(Clone, Copy, Debug, Args)]
#[group(skip)]
pub struct Really {
    /// Say what would be done and change nothing
    #[arg(long, required_unless_present = "yes", conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do it
    #[arg(long)]
    pub yes: bool,
    /// Every process that used this database is stopped, however recent its last report
    #[arg(long)]
    pub all_stopped: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_are_read_in_the_order_of_the_command_line() {
        let command = ConfigArgs::augment_args(clap::Command::new("api"));
        let words = ["api", "--config-dir", "a", "--config-file=b", "--config-file", "c", "--config-dir", "d"];
        let matches = command.try_get_matches_from(words).expect("a command line");
        let args = ConfigArgs::from_arg_matches(&matches).expect("arguments");
        assert_eq!(args.paths(), ["a", "b", "c", "d"].map(PathBuf::from));
        assert_eq!(ConfigArgs::only(vec![PathBuf::from("e")]).paths(), [PathBuf::from("e")]);
    }
}
