//! When a store that does not answer is left alone for a while: nobody waits for what many have waited for in vain.
//!
//! No I/O.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// After so many failures in a row, nobody is sent for a while.
const FAILURES: u32 = 20;

/// How a store has been of late.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    resting: Option<Instant>,
}

impl Breaker {
    /// How long nobody is to be sent, if so. When the rest is over one is let through at a time, to see.
    pub(crate) fn resting(&self, now: Instant, rest: Duration) -> Option<Duration> {
        let mut state = self.state();
        let until = state.resting?;
        if now < until {
            return Some(until - now);
        }
        state.resting = Some(now + rest);
        None
    }

    /// It answered, whatever it said.
    pub(crate) fn answered(&self) {
        *self.state() = State::default();
    }

    /// It did not answer, or said that it cannot.
    pub(crate) fn failed(&self, now: Instant, rest: Duration) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.resting = Some(now + rest);
        }
    }

    /// Whether nobody is sent at this moment.
    pub(crate) fn rests(&self, now: Instant) -> bool {
        self.state().resting.is_some_and(|until| now < until)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_that_only_fails_is_left_alone_and_asked_by_one_at_a_time() {
        let (breaker, now, rest) = (Breaker::default(), Instant::now(), Duration::from_secs(5));
        for failure in 1..FAILURES {
            breaker.failed(now, rest);
            assert_eq!(breaker.resting(now, rest), None, "failure {failure}");
        }
        breaker.failed(now, rest);
        assert!(breaker.rests(now));
        assert_eq!(breaker.resting(now, rest), Some(rest));
        let later = now + rest;
        assert_eq!(breaker.resting(later, rest), None, "one is let through");
        assert_eq!(breaker.resting(later, rest), Some(rest), "the others wait for it");
        breaker.failed(later + rest, rest);
        assert!(breaker.rests(later + rest), "one more failure is enough now");
        breaker.answered();
        assert_eq!(breaker.resting(later, rest), None);
        breaker.failed(later, rest);
        assert!(!breaker.rests(later));
    }
}
