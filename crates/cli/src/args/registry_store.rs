//! What is typed to look after what a registry keeps: garbage, damage, old tags, and the way back to distribution.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::registry::RegistryConfigArgs;
use super::registry_copies::size;

/// `jeroboam registry gc`, `inspect`, `repair`, `scrub`, `retain` and `hand-back`.
#[derive(Debug, Subcommand)]
pub enum RegistryStoreCommand {
    /// Collect what nothing refers to, while registries serve
    #[command(after_help = "\
A run has two steps, a grace time apart (a day): the first announces what nothing refers to, the second removes what still is not referred to and what
nobody was promised meanwhile. This does what is due and says what comes next; what is stopped is gone on with. A registry with jeroboam.gc.enabled does
the same by itself. It needs jeroboam.compat: exclusive.

Examples:
  jeroboam registry gc --dry-run                     what nothing refers to now; changes nothing
  jeroboam registry gc config.yml --yes              do what is due
  jeroboam registry gc config.yml --yes --wait       stay until what was announced is gone
  jeroboam registry gc trash                         what was removed and can be brought back
  jeroboam registry gc restore sha256:… --as team/app:v1")]
    Gc(GcArgs),
    /// Say what is in a store and what is wrong with it; changes nothing
    #[command(after_help = "\
The exit code is 1 when a tag cannot be pulled as it is. Registries may serve meanwhile. What the words mean: docs/registry/repair.md.

Examples:
  jeroboam registry inspect
  jeroboam registry inspect config.yml --verify 100      read all bytes and compare their digests
  jeroboam registry inspect config.yml -f json | jq '.problems[]'")]
    Inspect(InspectArgs),
    /// Mend what inspect finds, as far as it can be mended without a push
    #[command(after_help = "\
Nothing is made up and no blob is deleted: links are written again where their paths say what they were, and blobs with other bytes are moved to quarantine, so
that the next push brings them anew. The exit code is 1 when something is left that only a push can mend.

Examples:
  jeroboam registry repair --dry-run
  jeroboam registry repair config.yml --yes")]
    Repair(RepairArgs),
    /// Read all blobs and compare their digests, and move wrong ones to quarantine
    #[command(after_help = "\
It goes on where the last one stopped, or was stopped with Ctrl-C. The exit code is 1 when a blob has other bytes: push what names it again.
A registry with jeroboam.scrub.enabled does the same by itself.

Examples:
  jeroboam registry scrub
  jeroboam registry scrub config.yml --rate 50MiB
  jeroboam registry scrub config.yml --dry-run           leave wrong blobs where they are")]
    Scrub(ScrubArgs),
    /// Remove tags and manifests that no rule of jeroboam.retention keeps
    #[command(after_help = "\
Registries do this by themselves, once in jeroboam.gc.interval. The bytes are collected later, as those of everything that a client deletes.

Examples:
  jeroboam registry retain --dry-run
  jeroboam registry retain config.yml --yes -f json")]
    Retain(RetainArgs),
    /// Give a store back to distribution
    #[command(after_help = "\
Stop all registries of ours first. What distribution could not use is put right or told: repositories that it would not list get a link, large objects that its Swift
driver could not remove are written as it writes them, uploads under way end, and notes that would be wrong later are removed. No image is
touched. The exit code is 1 when distribution cannot go on yet.

Examples:
  jeroboam registry hand-back --dry-run
  jeroboam registry hand-back config.yml --yes")]
    HandBack(HandBackArgs),
}

/// How a report looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Sentences for people
    #[default]
    Text,
    /// One JSON document
    Json,
}

/// How a report looks.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct ReportArgs {
    /// How the report looks: text or json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true, value_name = "FORMAT")]
    pub format: ReportFormat,
}

/// Whether something is done or only told.
#[derive(Clone, Copy, Debug, Default, Args)]
#[group(skip)]
pub struct DoItArgs {
    /// Say what would be done and change nothing
    #[arg(long, required_unless_present = "yes", conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do it
    #[arg(long)]
    pub yes: bool,
}

/// `jeroboam registry gc`
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct GcArgs {
    /// What else than to collect.
    #[command(subcommand)]
    pub command: Option<GcCommand>,
    /// Which configuration.
    #[command(flatten)]
    pub config: RegistryConfigArgs,
    /// Whether to do it.
    #[command(flatten)]
    pub really: DoItArgs,
    /// Stay until what was announced is gone, which takes the grace time; Ctrl-C stops, and the next run goes on
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
    /// How the report looks.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `jeroboam registry gc …`
#[derive(Clone, Debug, Subcommand)]
pub enum GcCommand {
    /// Say what is in the trash: what was removed and can be brought back
    #[command(after_help = "\
There is a trash where jeroboam.gc.trash says how long.

Examples:
  jeroboam registry gc trash
  jeroboam registry gc trash config.yml -f json")]
    Trash {
        /// Which configuration.
        #[command(flatten)]
        config: RegistryConfigArgs,
        /// How the report looks.
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Bring something back from the trash; with a manifest all that it names
    #[command(
        allow_missing_positional = true,
        after_help = "\
What comes back is garbage again unless something refers to it: --as links a manifest into a repository, with a tag or without.

Examples:
  jeroboam registry gc restore sha256:4355a46b…
  jeroboam registry gc restore config.yml sha256:4355a46b… --as team/app:v1"
    )]
    Restore(RestoreArgs),
}

/// `jeroboam registry gc restore`
#[derive(Clone, Debug, Args)]
pub struct RestoreArgs {
    /// The configuration [default: the first of /etc/docker/registry/config.yml, /etc/distribution/config.yml, /etc/jeroboam/registry.yml]
    #[arg(value_name = "CONFIG")]
    pub config: Option<PathBuf>,
    /// The digest of a blob or a manifest
    #[arg(value_name = "DIGEST", required = true)]
    pub digest: String,
    /// What the manifest is to be: a repository, and perhaps a tag, such as team/app:v1
    #[arg(long = "as", value_name = "IMAGE")]
    pub image: Option<String>,
    /// How the report looks.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `jeroboam registry inspect`
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: RegistryConfigArgs,
    /// Read so many blobs of a hundred and compare their digests; the same ones each time
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub verify: u8,
    /// How the report looks.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `jeroboam registry repair`
#[derive(Clone, Debug, Args)]
pub struct RepairArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: RegistryConfigArgs,
    /// Whether to do it.
    #[command(flatten)]
    pub really: DoItArgs,
    /// Read so many blobs of a hundred and compare their digests; the same ones each time
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub verify: u8,
    /// How the report looks.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `jeroboam registry scrub`
#[derive(Clone, Debug, Args)]
pub struct ScrubArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: RegistryConfigArgs,
    /// Most bytes a second, such as 50MiB [default: as many as the store gives]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub rate: Option<u64>,
    /// Leave wrong blobs where they are
    #[arg(long)]
    pub dry_run: bool,
    /// How the report looks.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `jeroboam registry retain`
#[derive(Clone, Debug, Args)]
pub struct RetainArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: RegistryConfigArgs,
    /// Whether to do it.
    #[command(flatten)]
    pub really: DoItArgs,
    /// How the report looks.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `jeroboam registry hand-back`
#[derive(Clone, Debug, Args)]
pub struct HandBackArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: RegistryConfigArgs,
    /// Whether to do it.
    #[command(flatten)]
    pub really: DoItArgs,
    /// Every registry of ours that used this store is stopped, whatever it said of itself a moment ago
    #[arg(long)]
    pub all_stopped: bool,
    /// How the report looks.
    #[command(flatten)]
    pub report: ReportArgs,
}
