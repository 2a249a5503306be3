//! What a process that answers clients knows of what may be collected, and what it may promise.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Epoch, Key, Times, Warrant};

/// An epoch whose candidates are known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Adopted {
    number: u64,
    /// Sorted.
    candidates: Arc<Vec<Key>>,
}

impl Adopted {
    /// Whether this may be collected in it.
    #[must_use]
    pub fn names(&self, key: &Key) -> bool {
        self.candidates.binary_search(key).is_ok()
    }
}

/// What a process knows of what may be collected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Adoption {
    times: Times,
    /// When the last reading that succeeded began.
    read: Option<Timestamp>,
    current: Option<Adopted>,
    /// The one before, while a collector that does not know better may still be at it.
    before: Option<(Adopted, Timestamp)>,
}

/// A promise of this process that something stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Until when.
    pub until: Timestamp,
    /// The last epoch for which it is written into the store.
    pub written: Option<u64>,
}

/// What it takes to promise something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Promise {
    /// Nothing is promised: the announcement was not read for too long.
    OutOfTouch,
    /// It is promised; remember the lease. `already`: it was before, and what was seen since then still holds.
    Made {
        /// What to remember.
        lease: Lease,
        /// Whether there was one before that has not ended.
        already: bool,
    },
    /// It may be collected in these epochs: write the lease into the store for each, then look for warrants ([`Adoption::passage`]), then
    /// remember the lease.
    Write {
        /// The epochs.
        epochs: Vec<u64>,
        /// What to remember when that is done.
        lease: Lease,
    },
}

/// Whether a promise that is written down holds yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Passage {
    /// It does.
    Go,
    /// It is being collected, or not, at this moment: look again.
    Wait,
}

impl Adoption {
    /// Of a process that has read nothing yet.
    #[must_use]
    pub fn new(times: Times) -> Self {
        Self { times, read: None, current: None, before: None }
    }

    /// The times that hold.
    #[must_use]
    pub fn times(&self) -> Times {
        self.times
    }

    /// When the announcement was last read.
    #[must_use]
    pub fn read(&self) -> Option<Timestamp> {
        self.read
    }

    /// The number of the epoch that is known.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.current.as_ref().map(|current| current.number)
    }

    /// Whether the candidates of this epoch have to be fetched.
    #[must_use]
    pub fn misses(&self, epoch: &Epoch) -> bool {
        self.number() != Some(epoch.number)
    }

    /// There was no announcement in a reading that began at `began`, or none that is new.
    pub fn nothing_new(&mut self, began: Timestamp) {
        self.read = Some(began);
        if self.before.as_ref().is_some_and(|(_, until)| *until < began) {
            self.before = None;
        }
    }

    /// Takes over an announcement that was read from `began` on. From now on its candidates are promised in the store only.
    pub fn adopt(&mut self, epoch: &Epoch, mut candidates: Vec<Key>, began: Timestamp) {
        candidates.sort_unstable();
        self.times = epoch.times;
        let next = Adopted { number: epoch.number, candidates: Arc::new(candidates) };
        let until = after(began, epoch.waits.void());
        self.before = self.current.replace(next).map(|before| (before, until));
        self.read = Some(began);
    }

    /// What it takes to promise that this stays for the grace time, given what was promised of it before.
    #[must_use]
    pub fn promise(&self, key: &Key, lease: Option<Lease>, now: Timestamp) -> Promise {
        let in_touch = self.read.is_some_and(|read| now <= after(read, self.times.fence()));
        if !in_touch {
            return Promise::OutOfTouch;
        }
        let written = lease.and_then(|lease| lease.written);
        let epochs = self.unwritten(key, written);
        let until = after(now, self.times.grace());
        if epochs.is_empty() {
            let already = lease.is_some_and(|lease| now < lease.until);
            return Promise::Made { lease: Lease { until, written }, already };
        }
        Promise::Write { lease: Lease { until, written: epochs.last().copied() }, epochs }
    }

    /// The epochs in which this may be collected and for which no lease is written yet. What is written for the current one was written for the one
    /// before as well.
    fn unwritten(&self, key: &Key, written: Option<u64>) -> Vec<u64> {
        if written.is_some() && written == self.number() {
            return Vec::new();
        }
        let before = self.before.as_ref().map(|(before, _)| before);
        let epochs = before.into_iter().chain(self.current.as_ref());
        epochs.filter(|epoch| written != Some(epoch.number) && epoch.names(key)).map(|epoch| epoch.number).collect()
    }

    /// Whether a promise holds that has just been written down, given the warrant that was found after that. A warrant that is too old is one
    /// of a collector that is no more.
    #[must_use]
    pub fn passage(&self, warrant: Option<&Warrant>, now: Timestamp) -> Passage {
        match warrant {
            Some(warrant) if now <= after(warrant.written, self.times.void()) => Passage::Wait,
            _ => Passage::Go,
        }
    }
}

/// Times beyond all calendars are never.
pub(super) fn after(start: Timestamp, wait: Duration) -> Timestamp {
    start.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
