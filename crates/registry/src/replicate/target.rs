//! One of the others: its queue, in the store and in memory, and what is known of it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use jeroboam_oci::RepositoryName;
use jeroboam_oci::layout::Area;
use tokio::sync::{Notify, oneshot};
use tracing::warn;

use super::{Change, TargetSettings};
use crate::client::{Remote, RemoteSettings, Result, Retries};
use crate::http::failure::chain;
use crate::journal::{EntryName, Journal};

/// How long a target has to say whether it has something.
const PATIENCE: Duration = Duration::from_secs(10);

/// Changes that wait in memory; those beyond stay in the store alone.
const IN_MEMORY: usize = 10_000;

/// One of the others.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) remote: Arc<Remote>,
    /// For questions of those who wait for an answer, so that they take nothing away from the work.
    pub(super) asked: Arc<Remote>,
    pub(super) journal: Journal,
    /// There is something in memory or in the store.
    pub(super) wake: Notify,
    /// Somebody wants all tags compared.
    pub(super) compare: Notify,
    /// There are changes in the store that are not in memory.
    pub(super) behind: AtomicBool,
    prefixes: Vec<String>,
    fresh: Mutex<VecDeque<(Option<EntryName>, Change)>>,
    /// Who waits until a change is there. They hear whether it is.
    waiters: Mutex<HashMap<EntryName, oneshot::Sender<bool>>>,
    waiting: AtomicUsize,
    trouble: Mutex<Option<String>>,
}

impl Target {
    pub(super) fn new(
        settings: &TargetSettings,
        blobs: SharedBlobs,
        clock: Arc<dyn Clock>,
        instance: &str,
    ) -> Result<Self> {
        let hasty = RemoteSettings {
            concurrency: 4,
            rate: None,
            read_timeout: PATIENCE,
            retries: Retries { attempts: 1, ..settings.remote.retries },
            ..settings.remote.clone()
        };
        Ok(Self {
            name: settings.name.clone(),
            remote: Arc::new(Remote::new(settings.remote.clone(), clock.clone())?),
            asked: Arc::new(Remote::new(hasty, clock.clone())?),
            journal: Journal::new(blobs, clock, Area::Replication, &settings.name, instance),
            wake: Notify::new(),
            compare: Notify::new(),
            behind: AtomicBool::new(true),
            prefixes: settings.prefixes.clone(),
            fresh: Mutex::default(),
            waiters: Mutex::default(),
            waiting: AtomicUsize::new(0),
            trouble: Mutex::default(),
        })
    }

    /// Whether a repository goes there.
    pub(super) fn covers(&self, repository: &RepositoryName) -> bool {
        let below = |prefix: &String| {
            let rest = repository.as_str().strip_prefix(prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.prefixes.is_empty() || self.prefixes.iter().any(below)
    }

    /// Queues a change. Gives what to wait on until it is there or cannot be, if somebody wants to; nothing where the store did not take it, since nobody knows
    /// then when it is.
    pub(super) async fn queue(&self, change: Change, wait: bool) -> Option<oneshot::Receiver<bool>> {
        let json = serde_json::to_vec(&change).expect("names can be written as JSON");
        let name = match self.journal.append(json.into()).await {
            Ok(name) => name,
            Err(error) => {
                warn!(
                    target.name = self.name,
                    error = chain(&error),
                    "a change could not be queued in the store: it is only in memory"
                );
                self.remember(None, change);
                self.wake.notify_one();
                return None;
            }
        };
        let done = wait.then(|| {
            let (sender, receiver) = oneshot::channel();
            let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            // Who went away waits no more. While the target is away nothing is done, and only this keeps them from becoming more and more.
            waiters.retain(|_, waiter| !waiter.is_closed());
            waiters.insert(name.clone(), sender);
            receiver
        });
        self.remember(Some(name), change);
        self.wake.notify_one();
        done
    }

    /// Puts a change into memory; one that is in the store, too, may be found there later.
    pub(super) fn remember(&self, name: Option<EntryName>, change: Change) {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh.len() < IN_MEMORY {
            fresh.push_back((name, change));
        } else {
            self.behind.store(true, Ordering::Release);
        }
    }

    pub(super) fn take_fresh(&self) -> VecDeque<(Option<EntryName>, Change)> {
        std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells those who wait that nothing more is done about these, and whether they are there.
    pub(super) fn done(&self, names: &[EntryName], there: bool) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if let Some(waiter) = waiters.remove(name) {
                let _ = waiter.send(there);
            }
        }
        // Who went away waits no more.
        waiters.retain(|_, waiter| !waiter.is_closed());
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed) + self.fresh.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn set_waiting(&self, count: usize) {
        self.waiting.store(count, Ordering::Relaxed);
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

#[cfg(test)]
mod tests {
    use jeroboam_blobs::Memory;
    use jeroboam_model::SystemClock;

    use super::super::Changed;
    use super::*;

    #[tokio::test]
    async fn who_went_away_is_forgotten_while_the_target_is_away() {
        let remote = crate::bed::settings("127.0.0.1:1".parse().expect("an address"));
        let settings = TargetSettings { name: "peer".to_owned(), remote, prefixes: Vec::new() };
        let target =
            Target::new(&settings, Arc::new(Memory::default()), Arc::new(SystemClock), "one").expect("a target");
        let change = |n: usize| Change {
            repository: "team/app".parse().expect("a name"),
            what: Changed::Tag(format!("v{n}").parse().expect("a tag")),
        };
        let waits = target.queue(change(0), true).await.expect("it is kept");
        for n in 1..20 {
            drop(target.queue(change(n), true).await);
        }
        assert_eq!(target.waiters.lock().expect("nobody panics").len(), 2, "who waits, and who has just gone");
        drop(waits);
    }
}
