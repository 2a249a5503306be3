//! Whether the place answers. While it does not, whoever has something here does without it.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jeroboam_blobs::{Error, Kind, Result};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

/// How long the place has for an answer about something that is here.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the place is left alone after it did not answer, by those who have something here.
const REST: Duration = Duration::from_secs(10);

/// Whether the place answers.
#[derive(Default)]
pub(super) struct Reach {
    /// When to try again; never mind, where it answered last.
    away: Mutex<Option<Instant>>,
}

/// Whether somebody else could not help either: then what is here is given.
pub(super) fn is_outage(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::Refused)
}

impl Reach {
    /// Takes note of what came of a question.
    pub(super) fn noted<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.as_ref().is_err_and(is_outage) {
            self.failed();
        } else {
            self.answered();
        }
        outcome
    }

    /// Asks about something that is here. `None`: there is no answer, and what is here is the best that there is.
    pub(super) async fn ask_beside<T>(&self, question: impl Future<Output = Result<T>>) -> Option<Result<T>> {
        if self.is_left_alone() {
            return None;
        }
        match timeout(PATIENCE, question).await {
            Ok(outcome) => Some(self.noted(outcome)).filter(|outcome| !outcome.as_ref().is_err_and(is_outage)),
            Err(_) => {
                self.failed();
                None
            }
        }
    }

    /// When the rest is over one is let through, to see.
    fn is_left_alone(&self) -> bool {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(until), now) = (*away, Instant::now()) else { return false };
        if now >= until {
            *away = Some(now + PATIENCE);
        }
        now < until
    }

    fn failed(&self) {
        let before = self.set(Some(Instant::now() + REST));
        if before.is_none() {
            warn!("the store is away: what is on this node is served");
        }
    }

    fn answered(&self) {
        if self.set(None).is_some() {
            info!("the store answers again");
        }
    }

    fn set(&self, away: Option<Instant>) -> Option<Instant> {
        std::mem::replace(&mut *self.away.lock().unwrap_or_else(PoisonError::into_inner), away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_place_that_hangs_is_waited_for_once_and_then_left_alone() {
        let (reach, begun) = (Reach::default(), Instant::now());
        assert!(reach.ask_beside(std::future::pending::<Result<()>>()).await.is_none());
        assert_eq!(begun.elapsed(), PATIENCE);
        for _ in 0..100 {
            assert!(reach.ask_beside(std::future::pending::<Result<()>>()).await.is_none());
        }
        assert_eq!(begun.elapsed(), PATIENCE, "nobody else waits");
        tokio::time::sleep(REST).await;
        assert!(matches!(reach.ask_beside(async { Ok(1) }).await, Some(Ok(1))), "it is tried again");
        assert!(matches!(reach.ask_beside(async { Ok(2) }).await, Some(Ok(2))), "and believed");
        let error = || Error::new(Kind::Broken, "read what makes no sense");
        assert!(matches!(reach.ask_beside(async { Err::<(), _>(error()) }).await, Some(Err(_))), "that is an answer");
        assert!(matches!(reach.ask_beside(async { Ok(3) }).await, Some(Ok(3))));
    }
}
