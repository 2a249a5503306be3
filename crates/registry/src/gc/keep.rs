//! Collecting for as long as a process serves.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Collector, GcError, Outcome};

/// A store that is away does not keep a process from ending.
const FAREWELL: Duration = Duration::from_secs(5);

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
        Ok(Err(error)) => warn!(%error, "the next collector has to wait until the word of this one is old"),
        Err(_) => warn!("the next collector has to wait until the word of this one is old: the store does not answer"),
    }
}

/// One step, and how long to rest after it.
async fn turn(collector: &Collector, keeping: &Keeping<'_>, stop: &CancellationToken, look: Duration) -> Duration {
    let outcome = collector.step(stop).await;
    (keeping.told)(&outcome);
    match outcome {
        Ok(Outcome::Swept(_)) => keeping.every,
        Ok(Outcome::Announced(until, _) | Outcome::Waits(until) | Outcome::Taken(until)) => {
            until.duration_since(collector.clock.now()).unsigned_abs().clamp(Duration::from_secs(1), keeping.every)
        }
        Ok(Outcome::Paused(report)) => {
            if !stop.is_cancelled() {
                info!(gc.removed = report.collected.removed, "a sweep rests until the hours in which it may go on");
            }
            look
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            warn!(%error, %cause, "garbage is not collected now");
            look
        }
    }
}
