//! What the collector may do: who it is, what comes next, and whether a candidate goes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::adoption::after;
use super::{Epoch, Stage, Times};

/// Who collects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leader {
    /// Counts collectors.
    pub term: u64,
    /// The process.
    pub instance: String,
    /// When it last said so: a little before that could be read.
    pub renewed: Timestamp,
}

/// Whether this process collects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// It does: write this.
    Mine(Leader),
    /// Nobody does: claim this term, and write it if nobody else has.
    Free(Leader),
    /// Somebody else does, at least until then.
    Taken(Timestamp),
}

/// Decides whether the process `me` collects, from what is written about it.
#[must_use]
pub fn lead(found: Option<&Leader>, me: &str, times: Times, now: Timestamp) -> Lead {
    let leader = |term| Leader { term, instance: me.to_owned(), renewed: now };
    let Some(found) = found else { return Lead::Free(leader(1)) };
    if found.instance == me {
        return Lead::Mine(leader(found.term));
    }
    let until = after(found.renewed, times.void());
    if now <= until { Lead::Taken(until) } else { Lead::Free(leader(found.term + 1)) }
}

/// Whether somebody who last said at `renewed` that it collects still may.
#[must_use]
pub fn may_act(renewed: Timestamp, times: Times, now: Timestamp) -> bool {
    now <= after(renewed, times.interval())
}

/// What the collector has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Mark, and announce what is found.
    Mark,
    /// Nothing before then.
    Wait(Timestamp),
    /// Mark again, and sweep what is found again.
    MarkAgain,
    /// Go on with a sweep.
    Sweep,
}

/// Decides what has to be done.
#[must_use]
pub fn next(epoch: Option<&Epoch>, now: Timestamp) -> Next {
    let Some(epoch) = epoch else { return Next::Mark };
    match epoch.stage {
        Stage::Waiting if now < epoch.settled() => Next::Wait(epoch.settled()),
        Stage::Waiting => Next::MarkAgain,
        Stage::Sweeping { .. } => Next::Sweep,
        Stage::Closed { .. } => Next::Mark,
    }
}

/// Says that a candidate is being collected, before it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Warrant {
    /// The collector's term.
    pub term: u64,
    /// When it was written: a little before it could be read.
    pub written: Timestamp,
}

/// Whether a warrant could be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Issue {
    /// It is written.
    Ours(Warrant),
    /// There was one, of a collector that did not come to an end.
    Found,
}

/// What has to be known to decide about a candidate, all of it found after its warrant was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The warrant.
    pub issue: Issue,
    /// Whether somebody promised in this epoch that it stays.
    pub lease: bool,
    /// When this collector last said that it is one.
    pub renewed: Timestamp,
    /// The announcement's term and number are still those that this collector works at.
    pub epoch_is_ours: bool,
}

/// Why a candidate stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Spared {
    /// Somebody was promised that it stays.
    Leased,
    /// A collector that is no more had begun with it; it is a candidate again in the next epoch.
    Interrupted,
}

/// Why a collector stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Stop {
    /// It has not managed to say in time that it is the collector.
    #[error("another process may be the collector by now")]
    Fenced,
    /// The announcement is another one.
    #[error("another process has announced something else")]
    Overtaken,
}

/// What becomes of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It goes, now.
    Remove,
    /// It stays.
    Spare(Spared),
    /// Nothing more is removed.
    Stop(Stop),
}

/// Decides about a candidate right before it is removed.
#[must_use]
pub fn judge(facts: &Facts, times: Times, now: Timestamp) -> Verdict {
    if !facts.epoch_is_ours {
        return Verdict::Stop(Stop::Overtaken);
    }
    if !may_act(facts.renewed, times, now) {
        return Verdict::Stop(Stop::Fenced);
    }
    if facts.lease {
        return Verdict::Spare(Spared::Leased);
    }
    match &facts.issue {
        Issue::Found => Verdict::Spare(Spared::Interrupted),
        // Whoever waits for a warrant that is old goes on without it.
        Issue::Ours(warrant) if now > after(warrant.written, times.interval()) => Verdict::Spare(Spared::Interrupted),
        Issue::Ours(_) => Verdict::Remove,
    }
}
