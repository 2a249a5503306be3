//! A limit of bytes in a second, shared by all that send to or read from one place.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A limit of bytes in a second. Clones share it.
#[derive(Clone, Debug)]
pub struct Throttle(Option<Arc<Limit>>);

#[derive(Debug)]
struct Limit {
    bytes_per_second: u64,
    /// When all bytes that were let through would have come at the allowed rate.
    even: Mutex<Option<Instant>>,
}

/// Bytes that may come at once after a time of silence, as a time at the allowed rate.
const BURST: Duration = Duration::from_millis(250);

impl Throttle {
    /// At most so many bytes in a second; as many as come, where nothing is said.
    #[must_use]
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        let limit = bytes_per_second.filter(|rate| *rate > 0);
        Self(limit.map(|bytes_per_second| Arc::new(Limit { bytes_per_second, even: Mutex::new(None) })))
    }

    /// Waits until these bytes may pass.
    pub async fn pass(&self, bytes: usize) {
        let Some(limit) = &self.0 else { return };
        let cost = Duration::from_secs_f64(bytes as f64 / limit.bytes_per_second as f64);
        let wait = {
            let mut even = limit.even.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let from = even.map_or(now, |even| even.max(now.checked_sub(BURST).unwrap_or(now)));
            let until = from + cost;
            *even = Some(until);
            until.saturating_duration_since(now)
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_bytes_pass_in_a_second_than_may() {
        let throttle = Throttle::new(Some(1000));
        let start = Instant::now();
        for _ in 0..20 {
            throttle.clone().pass(500).await;
        }
        let took = start.elapsed();
        assert!((Duration::from_secs(9)..=Duration::from_millis(10_100)).contains(&took), "{took:?}");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        throttle.pass(5000).await;
        assert!(start.elapsed() >= Duration::from_millis(4500), "silence saves up little");

        let start = Instant::now();
        Throttle::new(None).pass(usize::MAX).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
