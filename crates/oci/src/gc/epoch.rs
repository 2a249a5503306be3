//! What is announced, and how far it has come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Times;

/// When a mark was made. What was written before it began, it has seen or says that it could not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Marked {
    /// Nothing was listed before.
    pub began: Timestamp,
    /// Nothing was read after.
    pub ended: Timestamp,
}

/// An announcement that some things may be collected. It stands in one object, which the collector overwrites and everybody else reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// Tells announcements apart, also those of two collectors that do not know of each other: the millisecond in which it was made.
    pub number: u64,
    /// The collector's term in which it was written last.
    pub term: u64,
    /// The times that hold for everybody from now on.
    pub times: Times,
    /// The times after which the sweep may begin: also those that held before are over.
    pub waits: Times,
    /// When it was announced: a little before it could be read.
    pub published: Timestamp,
    /// The mark that found the candidates.
    pub mark: Marked,
    /// Where the candidates are.
    pub files: Vec<String>,
    /// So many they are.
    pub candidates: u64,
    /// How far it has come.
    pub stage: Stage,
}

/// How far an epoch has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// Those who do not know it yet come to know it, and old promises end.
    Waiting,
    /// What the second mark found unreferenced again is being collected.
    Sweeping {
        /// The second mark.
        again: Marked,
        /// Where the list of what is collected is.
        files: Vec<String>,
        /// So much of the list is done.
        done: u64,
    },
    /// Nothing is collected of it any more.
    Closed {
        /// Since when.
        at: Timestamp,
    },
}

/// A second mark that began before it may count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the second mark may not begin before {0}")]
pub struct TooSoon(pub Timestamp);

impl Epoch {
    /// The next announcement, with what a mark has found. No earlier one may be under way.
    #[must_use]
    pub fn publish(before: Option<&Self>, term: u64, times: Times, now: Timestamp, mark: Marked) -> Self {
        Self {
            number: u64::try_from(now.as_millisecond())
                .unwrap_or_default()
                .max(before.map_or(1, |before| before.number + 1)),
            term,
            times,
            waits: before.map_or(times, |before| before.times.wider(times)),
            published: now,
            mark,
            files: Vec::new(),
            candidates: 0,
            stage: Stage::Waiting,
        }
    }

    /// From when on a second mark counts: no promise is left that was made without knowing the candidates.
    #[must_use]
    pub fn settled(&self) -> Timestamp {
        self.published.saturating_add(self.waits.settled()).unwrap_or(Timestamp::MAX)
    }

    /// Goes on with it as another collector, or in another term.
    #[must_use]
    pub fn taken_over(&self, term: u64) -> Self {
        Self { term, ..self.clone() }
    }

    /// Begins to collect what this second mark found unreferenced again.
    pub fn sweep(&self, again: Marked, files: Vec<String>) -> Result<Self, TooSoon> {
        if again.began < self.settled() {
            return Err(TooSoon(self.settled()));
        }
        Ok(Self { stage: Stage::Sweeping { again, files, done: 0 }, ..self.clone() })
    }

    /// So much of what is collected is done.
    #[must_use]
    pub fn at(&self, done: u64) -> Self {
        let stage = match self.stage.clone() {
            Stage::Sweeping { again, files, .. } => Stage::Sweeping { again, files, done },
            other => other,
        };
        Self { stage, ..self.clone() }
    }

    /// Ends it.
    #[must_use]
    pub fn close(&self, now: Timestamp) -> Self {
        Self { stage: Stage::Closed { at: now }, ..self.clone() }
    }
}
