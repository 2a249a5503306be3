//! Work beside requests, which goes on for as long as the process does.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

/// How soon work begins again that broke.
const AGAIN: Duration = Duration::from_secs(5);

/// Begins with work that goes on until `stop`, which it is given. That it broke is in the log, as `what`.
pub(crate) fn spawn<F>(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    what: &'static str,
    work: impl Fn(CancellationToken) -> F + Send + Sync + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let stop = stop.clone();
    tasks.spawn(async move {
        keep_running(&stop, || work(stop.clone()), |why| error!(why, "{what} broke, and begins again")).await;
    });
}

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
    async fn what_breaks_begins_again_and_ends_with_whoever_wants_it() {
        let begun = Arc::new(AtomicUsize::new(0));
        let alive = Arc::new(());
        let (begun_s, alive_s) = (begun.clone(), Arc::downgrade(&alive));
        let alive = std::sync::Mutex::new(Some(alive));
        let begin = move || {
            let number = begun_s.fetch_add(1, Ordering::Relaxed);
            let alive = if number == 2 { alive.lock().expect("nobody panics").take() } else { None };
            async move {
                match number {
                    0 => panic!("a fault of ours"),
                    1 => {}
                    _ => std::future::pending().await,
                }
                drop(alive);
            }
        };
        let (told, cancel) = (std::sync::Mutex::new(Vec::new()), CancellationToken::new());
        let running = keep_running(&cancel, begin, |why| told.lock().expect("nobody panics").push(why.to_owned()));
        assert!(tokio::time::timeout(Duration::from_secs(60), running).await.is_err(), "it goes on");
        assert_eq!(begun.load(Ordering::Relaxed), 3);
        let told = told.into_inner().expect("nobody panics");
        assert!(told[0].contains("panic") && told[1] == "it ended", "{told:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(alive_s.upgrade().is_none(), "nothing runs on");
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_because_it_was_told_to_is_not_begun_again() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        keep_running(&cancel, || std::future::ready(()), |why| panic!("{why}")).await;
    }
}
