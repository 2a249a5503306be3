//! Work beside requests, which goes on for as long as the process does.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How soon work begins again that broke.
const AGAIN: Duration = Duration::from_secs(5);

/// Runs something until `cancel`, and runs it again where it ends before or panics: a fault in it must neither end it for good nor go unnoticed.
/// `broke` hears why. With `cancel` it has to end by itself.
pub(crate) async fn keep_running<F>(cancel: &CancellationToken, begin: impl Fn() -> F, broke: impl Fn(&str))
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        // It goes with whoever waits here.
        let mut running = JoinSet::new();
        running.spawn(begin());
        let ended = running.join_next().await;
        if cancel.is_cancelled() {
            return;
        }
        match ended {
            Some(Err(error)) => broke(&error.to_string()),
            Some(Ok(())) | None => broke("it ended"),
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = cancel.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_breaks_begins_again_and_what_is_cancelled_does_not() {
        let (cancel, runs, told) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let begin = || {
            let (cancel, runs) = (cancel.clone(), runs.clone());
            async move {
                match runs.fetch_add(1, Ordering::Relaxed) {
                    0 => panic!("a fault"),
                    1 => {}
                    _ => cancel.cancel(),
                }
            }
        };
        let broke = |_: &str| {
            told.fetch_add(1, Ordering::Relaxed);
        };
        keep_running(&cancel, begin, broke).await;
        assert_eq!((runs.load(Ordering::Relaxed), told.load(Ordering::Relaxed)), (3, 2));
    }
}
