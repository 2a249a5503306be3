//! How often somebody may try: a bounded memory of buckets that fill again with time.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jeroboam_model::Timestamp;
use moka::sync::Cache;

/// So many are remembered; who is forgotten begins anew.
const REMEMBERED: u64 = 100_000;

/// Buckets of tries, one for each key.
pub(super) struct Rates<K> {
    /// Tries that a full bucket has.
    burst: u32,
    /// Time in which one try comes back.
    refill: Duration,
    buckets: Cache<K, Arc<Mutex<Bucket>>>,
}

struct Bucket {
    /// Tries that are left, as of `seen`.
    left: f64,
    seen: Timestamp,
}

impl<K: Hash + Eq + Send + Sync + 'static> Rates<K> {
    /// `count` tries in `period`, all of them at once if somebody likes.
    pub(super) fn new(count: u32, period: Duration) -> Self {
        let idle = period.max(Duration::from_secs(1));
        let buckets = Cache::builder().max_capacity(REMEMBERED).time_to_idle(idle * 2).build();
        Self { burst: count, refill: period / count.max(1), buckets }
    }

    /// Whether there is a try left; nothing is taken. Otherwise how long it takes until there is one.
    pub(super) fn look(&self, key: &K, now: Timestamp) -> Result<(), Duration> {
        let Some(bucket) = self.buckets.get(key) else { return Ok(()) };
        let bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        self.enough(self.filled(&bucket, now))
    }

    /// Takes a try. Otherwise how long it takes until there is one.
    pub(super) fn take(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let full = || Arc::new(Mutex::new(Bucket { left: f64::from(self.burst), seen: now }));
        let bucket = self.buckets.get_with(key, full);
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.filled(&bucket, now);
        *bucket = Bucket { left: if left >= 1.0 { left - 1.0 } else { left }, seen: now };
        self.enough(left)
    }

    fn filled(&self, bucket: &Bucket, now: Timestamp) -> f64 {
        let passed = now.duration_since(bucket.seen).as_secs_f64().max(0.0);
        let refill = self.refill.as_secs_f64().max(f64::MIN_POSITIVE);
        (bucket.left + passed / refill).min(f64::from(self.burst))
    }

    fn enough(&self, left: f64) -> Result<(), Duration> {
        if left >= 1.0 { Ok(()) } else { Err(self.refill.mul_f64(1.0 - left)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_used_up_and_come_back() {
        let rates = Rates::new(3, Duration::from_secs(60));
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).expect("a time");
        for _ in 0..3 {
            assert_eq!(rates.look(&"a", at(0)), Ok(()));
            assert_eq!(rates.take("a", at(0)), Ok(()));
        }
        assert_eq!(rates.look(&"a", at(0)), Err(Duration::from_secs(20)));
        assert_eq!(rates.take("a", at(0)), Err(Duration::from_secs(20)));
        assert_eq!(rates.take("b", at(0)), Ok(()), "somebody else");
        assert_eq!(rates.take("a", at(20)), Ok(()));
        assert_eq!(rates.look(&"a", at(20)), Err(Duration::from_secs(20)));
        assert_eq!(rates.look(&"a", at(1000)), Ok(()));
        assert_eq!(rates.look(&"a", at(-1000)), Err(Duration::from_secs(20)), "a clock that goes back gives nothing");
    }
}
