//! Collecting for as long as a process serves.

use std::time::Duration;

use jeroboam_model::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Collector, GcError, Outcome};
use crate::http::failure::chain;

/// A store that is away does not keep a process from ending.
const FAREWELL: Duration = Duration::from_secs(5);

/// Time passes between two steps, even where the next is due.
const SHORTEST: Duration = Duration::from_secs(1);

/// How collecting goes on beside serving.
pub struct Keeping<'a> {
    /// The rest after a sweep.
    pub every: Duration,
    /// Whether nothing may be written at this moment.
    pub rests: &'a (dyn Fn() -> bool + Send + Sync),
    /// Hears what came of each step.
    pub told: &'a (dyn Fn(&Result<Outcome, GcError>) + Send + Sync),
}

impl std::fmt::Debug for Keeping<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeping").field("every", &self.every).finish_non_exhaustive()
    }
}

/// Collects for as long as a process serves: does what is due, and after a sweep rests. Which of several processes collects, they settle among
/// themselves.
pub async fn keep_house(collector: &Collector, keeping: Keeping<'_>, stop: CancellationToken) {
    // Whoever stops serving in between says so soon enough, and whoever should collect instead hears of it.
    let look = collector.config.times.interval();
    while !stop.is_cancelled() {
        let rest = if (keeping.rests)() { look } else { turn(collector, &keeping, &stop, look).await };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = stop.cancelled() => {}
        }
    }
    match tokio::time::timeout(FAREWELL, collector.resign()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            warn!(error = chain(&error), "the next collector has to wait until the word of this one is old");
        }
        Err(_) => warn!("the next collector has to wait until the word of this one is old: the store does not answer"),
    }
}

/// How long to rest until then; what is late is not waited for.
fn wait(until: Timestamp, now: Timestamp, every: Duration) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default().min(every).max(SHORTEST)
}

/// One step, and how long to rest after it.
async fn turn(collector: &Collector, keeping: &Keeping<'_>, stop: &CancellationToken, look: Duration) -> Duration {
    let outcome = collector.step(stop).await;
    (keeping.told)(&outcome);
    match outcome {
        Ok(Outcome::Swept(_)) => keeping.every,
        Ok(Outcome::Announced(until, _) | Outcome::Waits(until) | Outcome::Taken(until)) => {
            wait(until, collector.clock.now(), keeping.every)
        }
        Ok(Outcome::Paused(report)) => {
            if !stop.is_cancelled() {
                info!(gc.removed = report.collected.removed, "a sweep rests until the hours in which it may go on");
            }
            look
        }
        Err(error) => {
            warn!(error = chain(&error), "garbage is not collected now");
            look
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_as_long_as_there_is_to_wait() {
        let (now, second, hour) = (Timestamp::UNIX_EPOCH, Duration::from_secs(1), Duration::from_secs(3600));
        assert_eq!(wait(now + second * 90, now, hour), second * 90);
        assert_eq!(wait(now + hour * 2, now, hour), hour);
        // What is late, and what is to be done more often than is good.
        assert_eq!(wait(now - hour, now, hour * 2), second);
        assert_eq!(wait(now + hour, now, second / 2), second);
    }
}
