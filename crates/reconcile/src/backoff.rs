//! How long to pause after failed attempts: doubling, bounded, and not the same for everybody.

use std::time::Duration;

/// Pauses between attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The pause after `attempts` failures in a row. `chance` in 0..1 takes away up to a quarter of it, so that a
    /// thousand clusters do not come back at the same moment when the cloud does.
    pub(crate) fn after(self, attempts: i32, chance: f64) -> Duration {
        let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(20);
        let whole = self.first.saturating_mul(1 << doublings).min(self.max);
        whole.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 4.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_jitter_only_shortens_them() {
        let backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) };
        let seconds: Vec<f64> = (0..9).map(|attempts| backoff.after(attempts, 0.0).as_secs_f64()).collect();
        assert_eq!(seconds, [1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(backoff.after(4, 1.0), Duration::from_secs(6));
        assert_eq!(backoff.after(i32::MAX, 0.0), Duration::from_secs(60));
    }
}
