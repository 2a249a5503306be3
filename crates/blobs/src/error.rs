//! Why a place did not do what it was asked.

use std::time::Duration;

/// What it means to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The place is away, slow or says that it has a problem: again later.
    Unavailable,
    /// The place does not let us in, or not there: somebody has to change a setting.
    Refused,
    /// There is no room: a quota, a full disk.
    NoRoom,
    /// What is there cannot be what we wrote.
    Broken,
    /// We asked for something that makes no sense.
    Misuse,
}

/// Why a place did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    kind: Kind,
    /// Fragment that reads after "failed to": `read docker/registry/… from swift: status 503`.
    what: String,
    /// When it is worth to ask again, where the place said so.
    retry_after: Option<Duration>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error that nothing else caused.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), retry_after: None, source: None }
    }

    /// With what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// With the moment at which it is worth to ask again.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What it means.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// When it is worth to ask again, where the place said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
