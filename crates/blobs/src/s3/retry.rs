//! What an answer means: good, again, or the last word. And when a place that does not answer is left alone for a while.
//!
//! No I/O and no clock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Kind;

/// So often a call is made at most.
pub(super) const ATTEMPTS: u32 = 5;

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Retries that may be made while nothing succeeds; every success earns a part of one. So an overloaded store does not get several times its load.
const BUDGET: u32 = 100;
const PRICE: u32 = 1;

/// After so many failures in a row, nobody is sent for a while.
const FAILURES: u32 = 20;
const REST: Duration = Duration::from_secs(5);

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Again, after a wait.
    Again,
    /// Again at once, with new keys.
    NewKeys,
    /// That was it.
    Final(Kind),
}

/// What an error answer means.
pub(super) fn judge(status: u16, code: &str) -> Verdict {
    match (status, code) {
        (_, "QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull" | "EntityTooLarge") | (507 | 413, _) => {
            Verdict::Final(Kind::NoRoom)
        }
        (_, "ExpiredToken" | "TokenRefreshRequired") => Verdict::NewKeys,
        (_, "SlowDown" | "RequestTimeout" | "InternalError" | "ServiceUnavailable" | "OperationAborted" | "Busy") => {
            Verdict::Again
        }
        (408 | 409 | 425 | 429, _) => Verdict::Again,
        (501, _) => Verdict::Final(Kind::Misuse),
        (500.., _) => Verdict::Again,
        (301 | 302 | 307 | 401 | 403, _) | (404, "NoSuchBucket") => Verdict::Final(Kind::Refused),
        (404, _) => Verdict::Final(Kind::Broken),
        _ => Verdict::Final(Kind::Misuse),
    }
}

/// How long to wait before attempt `next` (the second is 2): at random, so that many who failed together do not come together again.
pub(super) fn wait(next: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let full = Duration::from_millis(50) * 2_u32.saturating_pow(next.saturating_sub(1).min(10));
    let wait = full.min(LONGEST_WAIT).mul_f64(0.25 + 0.75 * chance);
    asked.map_or(wait, |asked| wait.max(asked.min(LONGEST_WAIT)))
}

/// How a place has been of late.
#[derive(Debug)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug)]
struct State {
    budget: u32,
    earned: u32,
    failures: u32,
    resting: Option<Instant>,
}

impl Default for Health {
    fn default() -> Self {
        Self(Mutex::new(State { budget: BUDGET, earned: 0, failures: 0, resting: None }))
    }
}

impl Health {
    /// How long nobody is to be sent, if so. When the rest is over one is let through at a time, to see.
    pub(super) fn resting(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        let until = state.resting?;
        if now < until {
            return Some(until - now);
        }
        state.resting = Some(now + REST);
        None
    }

    /// It answered.
    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        state.failures = 0;
        state.resting = None;
        state.earned += 1;
        if state.earned == 5 {
            state.earned = 0;
            state.budget = BUDGET.min(state.budget + 1);
        }
    }

    /// It did not answer, or said that it cannot: whether another attempt may be made.
    pub(super) fn failed(&self, now: Instant) -> bool {
        let mut state = self.state();
        state.failures += 1;
        if state.failures >= FAILURES {
            state.resting = Some(now + REST);
        }
        let affordable = state.budget >= PRICE && state.failures < FAILURES;
        state.budget = state.budget.saturating_sub(PRICE);
        affordable
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged() {
        for (status, code, verdict) in [
            (503, "SlowDown", Verdict::Again),
            (500, "InternalError", Verdict::Again),
            (200, "InternalError", Verdict::Again),
            (502, "", Verdict::Again),
            (429, "", Verdict::Again),
            (400, "RequestTimeout", Verdict::Again),
            (400, "ExpiredToken", Verdict::NewKeys),
            (403, "AccessDenied", Verdict::Final(Kind::Refused)),
            (403, "SignatureDoesNotMatch", Verdict::Final(Kind::Refused)),
            (403, "QuotaExceeded", Verdict::Final(Kind::NoRoom)),
            (507, "", Verdict::Final(Kind::NoRoom)),
            (404, "NoSuchBucket", Verdict::Final(Kind::Refused)),
            (404, "NoSuchUpload", Verdict::Final(Kind::Broken)),
            (301, "PermanentRedirect", Verdict::Final(Kind::Refused)),
            (400, "InvalidArgument", Verdict::Final(Kind::Misuse)),
            (501, "NotImplemented", Verdict::Final(Kind::Misuse)),
        ] {
            assert_eq!(judge(status, code), verdict, "{status} {code}");
        }
    }

    #[test]
    fn waits_grow_and_have_an_end() {
        assert_eq!(wait(2, None, 1.0), Duration::from_millis(100));
        assert_eq!(wait(2, None, 0.0), Duration::from_millis(25));
        assert_eq!(wait(30, None, 1.0), LONGEST_WAIT);
        assert_eq!(wait(2, Some(Duration::from_secs(2)), 0.5), Duration::from_secs(2));
        assert_eq!(wait(2, Some(Duration::from_secs(600)), 0.5), LONGEST_WAIT);
    }

    #[tokio::test]
    async fn a_place_that_only_fails_is_left_alone() {
        let health = Health::default();
        let now = Instant::now();
        for failure in 1..FAILURES {
            assert!(health.failed(now), "failure {failure} may be tried again");
            assert_eq!(health.resting(now), None);
        }
        assert!(!health.failed(now));
        assert_eq!(health.resting(now), Some(REST));
        let later = now + REST;
        assert_eq!(health.resting(later), None, "one is let through");
        assert_eq!(health.resting(later), Some(REST), "the others wait for it");
        health.succeeded();
        assert_eq!(health.resting(later), None);
    }

    #[tokio::test]
    async fn retries_are_earned() {
        let health = Health::default();
        let now = Instant::now();
        for _ in 0..BUDGET {
            assert!(health.failed(now));
            health.state().failures = 0;
        }
        assert!(!health.failed(now), "the budget is spent");
        (0..5).for_each(|_| health.succeeded());
        assert!(health.failed(now));
        assert!(!health.failed(now));
    }
}
