//! Arguments that many commands share.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// Which cloud.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cloud")]
pub struct CloudArgs {
    /// The cloud, a name from clouds.yaml [default: OS_CLOUD, else the OS_* variables]
    #[arg(long = "os-cloud", value_name = "NAME", global = true)]
    pub cloud: Option<String>,
    /// The region [default: that of the cloud]
    #[arg(long = "os-region-name", value_name = "NAME", global = true)]
    pub region: Option<String>,
}

/// How output looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people
    #[default]
    Table,
    /// One JSON document with the names of the API
    Json,
    /// The same as YAML
    Yaml,
    /// Bare values, one item to a line
    Value,
}

/// How output looks and what of it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How output looks: table, json, yaml or value
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
    /// Show this column and no others; may be repeated
    #[arg(short, long = "column", value_name = "NAME")]
    pub columns: Vec<String>,
}

/// Lists.
#[derive(Clone, Debug, Default, Args)]
pub struct ListArgs {
    /// Sort by this field of the API
    #[arg(long, value_name = "FIELD")]
    pub sort: Option<String>,
    /// Sort the other way round
    #[arg(long, requires = "sort")]
    pub reverse: bool,
    /// How output looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Waiting for an operation to end.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Waiting")]
pub struct WaitArgs {
    /// Wait until it is done and show how far it is; the exit code says whether it worked
    #[arg(long)]
    pub wait: bool,
    /// Give up waiting after this time, such as 90s, 20m or 2h; the operation goes on
    #[arg(long, value_name = "TIME", default_value = "60m", value_parser = duration, requires = "wait")]
    pub timeout: Duration,
}

/// Asking before something is gone.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfirmArgs {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Say what would be deleted and delete nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Before the first `=`.
    pub name: String,
    /// After it.
    pub value: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self { name: name.to_owned(), value: value.to_owned() }),
            _ => Err("expected name=value".to_owned()),
        }
    }
}

/// `90s`, `20m`, `2h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("expected a number and s, m or h".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a number and s, m or h".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}
