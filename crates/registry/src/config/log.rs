//! What is logged.

use super::section::Section;
use super::tree::Value;

/// From which level on a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl Level {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// From which level on.
    pub level: Level,
    /// Whether a line is a JSON object.
    pub json: bool,
    /// Whether each request gets a line.
    pub requests: bool,
    /// Fields that an operator wants to see.
    pub fields: Vec<(String, String)>,
}

const LEVELS: &[(&str, Level)] = &[
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("warning", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];

pub(super) fn read(root: &Section<'_>) -> LogConfig {
    let log = root.section("log");
    let level = log.choice("level", LEVELS).or_else(|| root.choice("loglevel", LEVELS)).unwrap_or_default();
    let formatter = log.choice("formatter", &[("text", false), ("json", true), ("logstash", true)]);
    let ours = root.section("jeroboam").section("log").choice("format", &[("oslo", false), ("json", true)]);
    let fields = log.section("fields");
    let fields = fields.entries().iter().filter_map(|(name, node)| match &node.value {
        Value::Scalar(text) => Some((name.clone(), text.clone())),
        _ => None,
    });
    LogConfig {
        level,
        json: ours.or(formatter).unwrap_or(false),
        requests: !log.section("accesslog").flag("disabled").unwrap_or(false),
        fields: fields.collect(),
    }
}
