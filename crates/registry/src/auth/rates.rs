//! How often somebody may try: a bounded memory of buckets that fill again with time.

use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jeroboam_model::Timestamp;
use moka::sync::Cache;
use tokio::sync::Notify;
use tokio::time::Instant;

/// So many are remembered; who is forgotten begins anew.
const REMEMBERED: u64 = 100_000;

/// How long somebody waits for tries that are being made, and may come back.
const PATIENCE: Duration = Duration::from_secs(5);

/// Buckets of tries, one for each key.
pub(super) struct Rates<K> {
    /// Tries that a full bucket has.
    burst: u32,
    /// Time in which one try comes back.
    refill: Duration,
    buckets: Cache<K, Arc<Shared>>,
}

struct Shared {
    bucket: Mutex<Bucket>,
    /// A try that was being made has ended.
    ended: Notify,
}

struct Bucket {
    /// Tries that are left, as of `seen`.
    left: f64,
    seen: Timestamp,
    /// Tries of which nobody knows yet whether they come back.
    open: u32,
}

impl Shared {
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A try that is being made. It is used up unless it is given back: also where somebody goes away before it has ended.
pub(super) struct Try {
    shared: Arc<Shared>,
    burst: f64,
}

impl Try {
    /// Nothing bad came of it.
    pub(super) fn give_back(self) {
        let mut bucket = self.shared.bucket();
        bucket.left = (bucket.left + 1.0).min(self.burst);
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        self.shared.bucket().open -= 1;
        self.shared.ended.notify_waiters();
    }
}

impl<K: Hash + Eq + Send + Sync + 'static> Rates<K> {
    /// `count` tries in `period`, all of them at once if somebody likes.
    pub(super) fn new(count: u32, period: Duration) -> Self {
        let idle = period.max(Duration::from_secs(1));
        let buckets = Cache::builder().max_capacity(REMEMBERED).time_to_idle(idle * 2).build();
        Self { burst: count, refill: period / count.max(1), buckets }
    }

    /// Whether there is a try left; nothing is taken.
    pub(super) fn has_any(&self, key: &K, now: Timestamp) -> bool {
        self.buckets.get(key).is_none_or(|shared| self.filled(&shared.bucket(), now) >= 1.0)
    }

    /// Takes a try. Otherwise how long it takes until there is one.
    pub(super) fn take(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let shared = self.shared(key, now);
        self.take_of(&mut shared.bucket(), now)
    }

    /// Takes a try that may be given back. Where all are taken, those that are being made are waited for: many at once are no more tries than one after
    /// the other, and who is right does not suffer from being many.
    pub(super) async fn begin(&self, key: K, now: Timestamp) -> Result<Try, Duration> {
        let shared = self.shared(key, now);
        let end = Instant::now() + PATIENCE;
        loop {
            let mut ended = pin!(shared.ended.notified());
            ended.as_mut().enable();
            let taken = {
                let mut bucket = shared.bucket();
                let taken = self.take_of(&mut bucket, now);
                bucket.open += u32::from(taken.is_ok());
                taken.map_err(|wait| (wait, bucket.open))
            };
            match taken {
                Ok(()) => return Ok(Try { shared: Arc::clone(&shared), burst: f64::from(self.burst) }),
                Err((wait, 0)) => return Err(wait),
                Err((wait, _)) => tokio::time::timeout_at(end, ended).await.map_err(|_| wait)?,
            }
        }
    }

    fn shared(&self, key: K, now: Timestamp) -> Arc<Shared> {
        let bucket = || Mutex::new(Bucket { left: f64::from(self.burst), seen: now, open: 0 });
        self.buckets.get_with(key, || Arc::new(Shared { bucket: bucket(), ended: Notify::new() }))
    }

    fn take_of(&self, bucket: &mut Bucket, now: Timestamp) -> Result<(), Duration> {
        let left = self.filled(bucket, now);
        bucket.left = if left >= 1.0 { left - 1.0 } else { left };
        bucket.seen = now;
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

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).expect("a time")
    }

    #[test]
    fn tries_are_used_up_and_come_back() {
        let rates = Rates::new(3, Duration::from_secs(60));
        for _ in 0..3 {
            assert_eq!(rates.take("a", at(0)), Ok(()));
        }
        assert_eq!(rates.take("a", at(0)), Err(Duration::from_secs(20)));
        assert_eq!(rates.take("b", at(0)), Ok(()), "somebody else");
        assert_eq!(rates.take("a", at(20)), Ok(()));
        assert_eq!(rates.take("a", at(20)), Err(Duration::from_secs(20)));
        assert_eq!(rates.take("a", at(1000)), Ok(()));
        for _ in 0..2 {
            assert_eq!(rates.take("a", at(1000)), Ok(()));
        }
        assert!(rates.take("a", at(-1000)).is_err(), "a clock that goes back gives nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn tries_at_the_same_time_are_no_more_than_one_after_the_other() {
        let rates = Rates::new(2, Duration::from_secs(60));
        let (one, two) = (rates.begin("a", at(0)).await.expect("one"), rates.begin("a", at(0)).await.expect("two"));
        // A third waits for what becomes of them.
        let third = rates.begin("a", at(0));
        let first_is_right = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            one.give_back();
        };
        let (third, ()) = tokio::join!(third, first_is_right);
        let third = third.expect("it came back");
        let fourth = rates.begin("a", at(0));
        let both_are_wrong = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop((two, third));
        };
        let (fourth, ()) = tokio::join!(fourth, both_are_wrong);
        assert_eq!(fourth.map(drop), Err(Duration::from_secs(30)));
        // Nobody is waited for without end.
        let _slow = rates.begin("b", at(0)).await.expect("one");
        let _slower = rates.begin("b", at(0)).await.expect("two");
        assert!(rates.begin("b", at(0)).await.is_err());
    }
}
