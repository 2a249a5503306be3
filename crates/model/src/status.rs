//! Magnum's states, taken apart into what is being done and how far it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an operation does to a cluster or a node group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verb {
    /// It is being made.
    Create,
    /// It is being changed: resize, upgrade, node groups.
    Update,
    /// It is being removed.
    Delete,
    /// Heat only: taken back to what it was.
    Rollback,
    /// Heat only.
    Resume,
    /// Heat only.
    Restore,
    /// Heat only.
    Snapshot,
    /// Heat only.
    Check,
    /// Heat only.
    Adopt,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Work is under way.
    InProgress,
    /// Done.
    Complete,
    /// Given up; the reason says why.
    Failed,
}

/// The state of a cluster or node group: one of Magnum's eighteen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Status {
    verb: Verb,
    stage: Stage,
}

/// A text that is none of the eighteen states.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a status")]
pub struct BadStatus(pub String);

const NAMES: [(Status, &str); 18] = [
    (Status::CREATE_IN_PROGRESS, "CREATE_IN_PROGRESS"),
    (Status::CREATE_FAILED, "CREATE_FAILED"),
    (Status::CREATE_COMPLETE, "CREATE_COMPLETE"),
    (Status::UPDATE_IN_PROGRESS, "UPDATE_IN_PROGRESS"),
    (Status::UPDATE_FAILED, "UPDATE_FAILED"),
    (Status::UPDATE_COMPLETE, "UPDATE_COMPLETE"),
    (Status::DELETE_IN_PROGRESS, "DELETE_IN_PROGRESS"),
    (Status::DELETE_FAILED, "DELETE_FAILED"),
    (Status::DELETE_COMPLETE, "DELETE_COMPLETE"),
    (Status { verb: Verb::Resume, stage: Stage::Complete }, "RESUME_COMPLETE"),
    (Status { verb: Verb::Resume, stage: Stage::Failed }, "RESUME_FAILED"),
    (Status { verb: Verb::Restore, stage: Stage::Complete }, "RESTORE_COMPLETE"),
    (Status { verb: Verb::Rollback, stage: Stage::InProgress }, "ROLLBACK_IN_PROGRESS"),
    (Status { verb: Verb::Rollback, stage: Stage::Failed }, "ROLLBACK_FAILED"),
    (Status { verb: Verb::Rollback, stage: Stage::Complete }, "ROLLBACK_COMPLETE"),
    (Status { verb: Verb::Snapshot, stage: Stage::Complete }, "SNAPSHOT_COMPLETE"),
    (Status { verb: Verb::Check, stage: Stage::Complete }, "CHECK_COMPLETE"),
    (Status { verb: Verb::Adopt, stage: Stage::Complete }, "ADOPT_COMPLETE"),
];

impl Status {
    /// Being made.
    pub const CREATE_IN_PROGRESS: Self = Self { verb: Verb::Create, stage: Stage::InProgress };
    /// Could not be made.
    pub const CREATE_FAILED: Self = Self { verb: Verb::Create, stage: Stage::Failed };
    /// Made.
    pub const CREATE_COMPLETE: Self = Self { verb: Verb::Create, stage: Stage::Complete };
    /// Being changed.
    pub const UPDATE_IN_PROGRESS: Self = Self { verb: Verb::Update, stage: Stage::InProgress };
    /// Could not be changed.
    pub const UPDATE_FAILED: Self = Self { verb: Verb::Update, stage: Stage::Failed };
    /// Changed.
    pub const UPDATE_COMPLETE: Self = Self { verb: Verb::Update, stage: Stage::Complete };
    /// Being removed.
    pub const DELETE_IN_PROGRESS: Self = Self { verb: Verb::Delete, stage: Stage::InProgress };
    /// Could not be removed.
    pub const DELETE_FAILED: Self = Self { verb: Verb::Delete, stage: Stage::Failed };
    /// Removed: the row goes with it.
    pub const DELETE_COMPLETE: Self = Self { verb: Verb::Delete, stage: Stage::Complete };

    /// What is or was being done.
    #[must_use]
    pub const fn verb(self) -> Verb {
        self.verb
    }

    /// How far it is.
    #[must_use]
    pub const fn stage(self) -> Stage {
        self.stage
    }

    /// Whether work is under way.
    #[must_use]
    pub fn in_progress(self) -> bool {
        self.stage == Stage::InProgress
    }

    /// Whether the last operation was given up.
    #[must_use]
    pub fn failed(self) -> bool {
        self.stage == Stage::Failed
    }

    /// The same operation at another stage.
    #[must_use]
    pub const fn at(self, stage: Stage) -> Self {
        Self { verb: self.verb, stage }
    }

    /// Magnum's set S: what may be patched, upgraded or have its CA rotated. Magnum: `magnum/conductor/handlers`.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self.stage == Stage::Complete && self.verb != Verb::Delete
    }

    /// Magnum's set S+: what may be resized. A failed or a running update can be given a new size.
    #[must_use]
    pub fn may_be_resized(self) -> bool {
        self.is_settled() || self == Self::UPDATE_FAILED || self == Self::UPDATE_IN_PROGRESS
    }

    /// The wire and column form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(status, _)| *status == self).map_or("UPDATE_FAILED", |(_, name)| name)
    }

    /// All eighteen.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(status, _)| *status)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = BadStatus;

    fn from_str(text: &str) -> Result<Self, BadStatus> {
        let known = NAMES.iter().find(|(_, name)| *name == text);
        known.map(|(status, _)| *status).ok_or_else(|| BadStatus(text.to_owned()))
    }
}

impl TryFrom<String> for Status {
    type Error = BadStatus;

    fn try_from(text: String) -> Result<Self, BadStatus> {
        text.parse()
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.as_str().to_owned()
    }
}

/// Whether a cluster does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthStatus {
    /// The API answers and every node is ready.
    Healthy,
    /// Something is wrong; the reason says what.
    Unhealthy,
    /// Nobody could look.
    Unknown,
}

impl HealthStatus {
    /// The wire and column form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl FromStr for HealthStatus {
    type Err = BadStatus;

    fn from_str(text: &str) -> Result<Self, BadStatus> {
        match text {
            "HEALTHY" => Ok(Self::Healthy),
            "UNHEALTHY" => Ok(Self::Unhealthy),
            "UNKNOWN" => Ok(Self::Unknown),
            _ => Err(BadStatus(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_as_the_status_that_wrote_it() {
        for status in Status::all() {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert!(status.as_str().len() <= 20, "the column holds twenty characters: {status}");
        }
        assert_eq!(Status::all().count(), 18);
    }

    #[test]
    fn only_settled_clusters_may_be_changed() {
        let settled: Vec<_> = Status::all().filter(|s| s.is_settled()).map(Status::as_str).collect();
        assert_eq!(
            settled,
            [
                "CREATE_COMPLETE",
                "UPDATE_COMPLETE",
                "RESUME_COMPLETE",
                "RESTORE_COMPLETE",
                "ROLLBACK_COMPLETE",
                "SNAPSHOT_COMPLETE",
                "CHECK_COMPLETE",
                "ADOPT_COMPLETE"
            ]
        );
        let more: Vec<_> =
            Status::all().filter(|s| s.may_be_resized() && !s.is_settled()).map(Status::as_str).collect();
        assert_eq!(more, ["UPDATE_IN_PROGRESS", "UPDATE_FAILED"]);
    }
}
