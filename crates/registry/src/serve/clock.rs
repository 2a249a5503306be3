//! Whether the store's clock and this machine's go alike: promises, signed addresses and the garbage collection go by both.
//!
//! Nothing is asked for it, since the store says the time with each answer. That they do not is no matter of health: what is served is right all the same.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is looked at.
const OFTEN: Duration = Duration::from_secs(60);

/// How often it is told at most.
const TOLD: Duration = Duration::from_secs(3600);

/// Stores tell whole seconds.
const WHOLE: Duration = Duration::from_secs(2);

/// Looks at it until told to stop. `tell` hears how far the store's clock is ahead, where the two are further apart than `slack`.
pub(super) async fn follow(
    ahead: impl Fn() -> Option<i64>,
    slack: Duration,
    tell: impl Fn(i64),
    stop: CancellationToken,
) {
    let mut told: Option<Instant> = None;
    loop {
        let apart = ahead().filter(|ahead| Duration::from_secs(ahead.unsigned_abs()) > slack + WHOLE);
        if let Some(ahead) = apart
            && told.is_none_or(|told| told.elapsed() >= TOLD)
        {
            tell(ahead);
            told = Some(Instant::now());
        }
        tokio::select! {
            () = tokio::time::sleep(OFTEN) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Tells it in the log.
pub(super) fn warn(ahead: i64) {
    tracing::warn!(
        clock.ahead_seconds = ahead,
        "the store's clock and this machine's are further apart than jeroboam.gc.slack allows for: set the one that is wrong"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clocks_that_are_apart_are_told_of_once_an_hour() {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        for (ahead, times) in [(Some(303), 4), (Some(-400), 4), (Some(302), 0), (Some(-5), 0), (None, 0)] {
            let (told, stop) = (Mutex::new(Vec::new()), CancellationToken::new());
            let following =
                follow(|| ahead, 5 * minute, |ahead| told.lock().expect("nobody panics").push(ahead), stop.clone());
            let three_hours = tokio::time::timeout(3 * hour + minute / 2, following).await;
            assert!(three_hours.is_err(), "it goes on");
            let told = told.into_inner().expect("nobody panics");
            assert_eq!(told.len(), times, "{ahead:?}");
            assert!(told.iter().all(|told| Some(*told) == ahead));
        }
        let stop = CancellationToken::new();
        stop.cancel();
        follow(|| Some(1000), minute, |_| {}, stop).await;
    }
}
