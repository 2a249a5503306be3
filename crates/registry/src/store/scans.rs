//! Repositories that are looked through: each at most once at a time, manifests of few at a time, and beside the requests that want to know.
//!
//! What is looked for is the affair of whoever begins. A scan goes on when nobody waits for it any more, and ends with the process. What it found is
//! remembered for whoever asks next; that it failed is told to those who wait, and whoever asks after that begins it anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jeroboam_oci::RepositoryName;
use moka::sync::Cache;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::referrers::Found;
use super::{Result, StoreError};
use crate::http::failure::chain;

/// Repositories of which is remembered what was found.
const REMEMBERED: u64 = 1000;

/// Repositories whose manifests are read at a time. Those of which none have to be read need no room.
const AT_ONCE: usize = 8;

/// The scans of a process.
pub(super) struct Scans {
    remembered: Cache<RepositoryName, Arc<Scan>>,
    running: Running,
    room: Semaphore,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// Scans that go on. What is remembered may be let go of meanwhile, and must not be begun a second time.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<HashMap<RepositoryName, Arc<Scan>>>>);

/// A repository that somebody asked about.
#[derive(Default)]
pub(super) struct Scan {
    found: Mutex<Found>,
    state: watch::Sender<State>,
}

/// How the scan of a repository goes.
#[derive(Default)]
enum State {
    /// Nobody looks, and the last one came to its end.
    #[default]
    Done,
    Running,
    Failed(StoreError),
}

impl Default for Scans {
    fn default() -> Self {
        Self {
            remembered: Cache::new(REMEMBERED),
            running: Running::default(),
            room: Semaphore::new(AT_ONCE),
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
        }
    }
}

impl Running {
    fn all(&self) -> MutexGuard<'_, HashMap<RepositoryName, Arc<Scan>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scans {
    /// What is known of a repository.
    pub(super) fn of(&self, repository: &RepositoryName) -> Arc<Scan> {
        let running = self.running.all().get(repository).cloned();
        running.unwrap_or_else(|| self.remembered.get_with_by_ref(repository, Arc::default))
    }

    /// Begins to look through a repository, unless that is under way.
    pub(super) fn begin<F>(&self, repository: &RepositoryName, look: impl FnOnce(Arc<Scan>) -> F) -> Arc<Scan>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let Some(turn) = self.turn(repository) else { return self.of(repository) };
        let scan = turn.scan.clone();
        let (look, cancel) = (look(scan.clone()), self.cancel.clone());
        self.tasks.spawn(async move {
            let outcome = tokio::select! {
                outcome = look => outcome,
                () = cancel.cancelled() => Err(interrupted()),
            };
            turn.end(outcome);
        });
        scan
    }

    /// Room to read the manifests of a repository.
    pub(super) async fn room(&self) -> SemaphorePermit<'_> {
        self.room.acquire().await.expect("nobody closes it")
    }

    /// The turn to look through a repository; `None` where somebody else has it.
    fn turn(&self, repository: &RepositoryName) -> Option<Turn> {
        let mut all = self.running.all();
        if all.contains_key(repository) {
            return None;
        }
        let scan = self.remembered.get_with_by_ref(repository, Arc::default);
        scan.state.send_replace(State::Running);
        all.insert(repository.clone(), scan.clone());
        let (running, repository) = (self.running.clone(), repository.clone());
        Some(Turn { running, repository, scan, outcome: Err(interrupted()) })
    }

    /// Ends scans that are under way.
    pub(super) async fn stop(&self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Scan {
    pub(super) fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody looks, and tells how the last scan ended.
    pub(super) async fn ended(&self) -> Result<()> {
        let mut states = self.state.subscribe();
        let state = states.wait_for(|state| !matches!(state, State::Running)).await.expect("the sender is here");
        match &*state {
            State::Failed(why) => Err(why.shared()),
            State::Done | State::Running => Ok(()),
        }
    }
}

/// A scan that goes on. However it ends, also by a fault of ours, those who wait hear of it.
struct Turn {
    running: Running,
    repository: RepositoryName,
    scan: Arc<Scan>,
    outcome: Result<()>,
}

impl Turn {
    fn end(mut self, outcome: Result<()>) {
        if let Err(error) = &outcome {
            warn!(repository = %self.repository, error = chain(error), "a repository could not be looked through");
        }
        self.outcome = outcome;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let state = match std::mem::replace(&mut self.outcome, Ok(())) {
            Ok(()) => State::Done,
            Err(why) => State::Failed(why),
        };
        // Both at once: whoever comes now begins the next one, and is not told how this one ended.
        let mut all = self.running.all();
        all.remove(&self.repository);
        self.scan.state.send_replace(state);
    }
}

fn interrupted() -> StoreError {
    StoreError::Unavailable("the look through the repository was interrupted; ask again".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    fn name(number: usize) -> RepositoryName {
        format!("r{number}").parse().expect("a name")
    }

    /// A look that ends when it is let go.
    fn held(by: &Arc<Semaphore>) -> impl FnOnce(Arc<Scan>) -> BoxFuture<'static, Result<()>> + use<> {
        let by = by.clone();
        move |_| {
            async move {
                by.acquire().await.expect("nobody closes it").forget();
                Ok(())
            }
            .boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_looked_through_once_at_a_time() {
        let (scans, gate) = (Scans::default(), Arc::new(Semaphore::new(0)));
        let minute = Duration::from_secs(60);
        let begun = scans.begin(&name(0), held(&gate));
        let same = scans.begin(&name(0), held(&gate));
        assert!(Arc::ptr_eq(&begun, &same) && scans.running.all().contains_key(&name(0)));
        let other = scans.begin(&name(1), held(&gate));
        assert!(tokio::time::timeout(minute, begun.ended()).await.is_err(), "it goes on");
        gate.add_permits(2);
        for scan in [begun, other] {
            tokio::time::timeout(minute, scan.ended()).await.expect("it ends").expect("to its end");
        }
        scans.tasks.close();
        scans.tasks.wait().await;
        assert_eq!(scans.running.all().len(), 0, "nothing is left behind");
    }

    #[tokio::test(start_paused = true)]
    async fn manifests_of_few_are_read_at_a_time() {
        let scans = Scans::default();
        let mut taken = Vec::new();
        for _ in 0..AT_ONCE {
            taken.push(scans.room().await);
        }
        let minute = Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, scans.room()).await.is_err(), "there is none");
        taken.pop();
        assert!(tokio::time::timeout(minute, scans.room()).await.is_ok());
    }

    #[tokio::test]
    async fn those_who_wait_hear_how_it_ended_and_the_next_one_begins_anew() {
        let scans = Scans::default();
        let fault = async {
            let _: u8 = "no number".parse().expect("a fault of ours");
            Ok::<(), StoreError>(())
        };
        let scan = scans.begin(&name(0), |_| fault);
        assert!(matches!(scan.ended().await, Err(StoreError::Unavailable(_))));
        let away = || jeroboam_blobs::Error::new(jeroboam_blobs::Kind::Unavailable, "told to fail");
        let scan = scans.begin(&name(0), |_| std::future::ready(Err(StoreError::from(away()))));
        let (one, other) = tokio::join!(scan.ended(), scan.ended());
        for waited in [one, other, scan.ended().await] {
            assert!(matches!(waited, Err(StoreError::Blobs(_))), "{waited:?}");
        }
        let scan = scans.begin(&name(0), |_| std::future::ready(Ok(())));
        scan.ended().await.expect("to its end");
        let scan = scans.begin(&name(0), |_| std::future::pending());
        scans.stop().await;
        assert!(matches!(scan.ended().await, Err(StoreError::Unavailable(_))), "the process ends");
    }
}
