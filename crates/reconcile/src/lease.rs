//! The right to act on one cluster, and the question that is asked before every act: do we still have it?
//!
//! A process may be stopped at any point and go on much later, when others have taken its clusters over. The database
//! refuses its writes by the fence; the management cluster and OpenStack know no fence, so nothing is sent there without
//! a look at two clocks first: the wall clock, by which others take leases over, and the monotonic clock, which nobody sets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jeroboam_model::{Clock, ClusterId, Lease};
use tracing::debug;

/// The lease is over, or too nearly over to start a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease of cluster {0} is over")]
pub(crate) struct LeaseLost(pub(crate) ClusterId);

/// Called before every step of a pass with the step's name; tests stop the world in it.
pub type StepHook = Arc<dyn Fn(ClusterId, &'static str) + Send + Sync>;

/// One held lease.
pub(crate) struct Guard {
    clock: Arc<dyn Clock>,
    hook: StepHook,
    ttl: Duration,
    held: Mutex<Held>,
}

struct Held {
    lease: Lease,
    until: Instant,
}

impl Guard {
    /// A guard over a lease that was asked for at `asked`, not when the answer came.
    pub(crate) fn new(lease: Lease, asked: Instant, ttl: Duration, clock: Arc<dyn Clock>, hook: StepHook) -> Self {
        Self { clock, hook, ttl, held: Mutex::new(Held { lease, until: asked + ttl }) }
    }

    /// The lease as last renewed.
    pub(crate) fn lease(&self) -> Lease {
        self.held().lease.clone()
    }

    /// Notes a renewal that was asked for at `asked`.
    pub(crate) fn renewed(&self, lease: Lease, asked: Instant) {
        *self.held() = Held { lease, until: asked + self.ttl };
    }

    /// Says whether `step` may be done now. Nothing is written anywhere without asking.
    pub(crate) fn may(&self, step: &'static str) -> Result<(), LeaseLost> {
        self.tell(step);
        let lease = self.lease();
        if !self.is_live() {
            return Err(LeaseLost(lease.cluster));
        }
        debug!(cluster.id = %lease.cluster, fence = lease.fence.0, step, "a pass goes on");
        Ok(())
    }

    /// Tells the hook of a step that needs no lease.
    pub(crate) fn tell(&self, step: &'static str) {
        let cluster = self.held().lease.cluster;
        (self.hook)(cluster, step);
    }

    /// Whether the lease has enough left for one more write by both clocks.
    pub(crate) fn is_live(&self) -> bool {
        !self.left().is_zero()
    }

    /// How long something may still be begun, by the clock that says less.
    pub(crate) fn left(&self) -> Duration {
        let margin = self.ttl / 5;
        let held = self.held();
        let by_wall = Duration::try_from(held.lease.expires.duration_since(self.clock.now())).unwrap_or_default();
        let by_monotonic = held.until.saturating_duration_since(Instant::now());
        by_wall.min(by_monotonic).saturating_sub(margin)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jeroboam_model::{Fence, ManualClock, Timestamp};

    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    fn guard(clock: &Arc<ManualClock>, asked: Instant) -> Guard {
        let lease = Lease {
            cluster: ClusterId::random(),
            owner: "here".to_owned(),
            fence: Fence(1),
            expires: clock.now() + TTL,
        };
        Guard::new(lease, asked, TTL, Arc::clone(clock) as Arc<dyn Clock>, Arc::new(|_, _| {}))
    }

    #[test]
    fn nothing_may_be_done_shortly_before_the_lease_ends_by_the_wall_clock() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let guard = guard(&clock, Instant::now());
        assert_eq!(guard.may("write"), Ok(()));
        clock.advance(Duration::from_secs(9));
        assert_eq!(guard.may("write"), Err(LeaseLost(guard.lease().cluster)));
        let renewed = Lease { expires: clock.now() + TTL, ..guard.lease() };
        guard.renewed(renewed, Instant::now());
        assert_eq!(guard.may("write"), Ok(()));
    }

    #[test]
    fn nothing_may_be_done_after_the_lease_by_the_monotonic_clock_even_when_the_wall_clock_stands() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let long_ago = Instant::now().checked_sub(TTL).expect("the machine runs for longer");
        assert!(guard(&clock, long_ago).may("write").is_err());
    }
}
