//! A namespace with a quota: its ledger, and the counts that correct it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::layout::{self, Area};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::count::{self, Homes};
use super::ledger::{Ledger, Limit};
use crate::config::Prefix;
use crate::http::failure::chain;
use crate::store::{Result, StoreError};

/// How long a push waits for a count.
const PATIENCE: Duration = Duration::from_secs(20);

/// A count is as good as new for so long, and for ten times as long as it took: nobody is refused on an older one.
const NEW: Duration = Duration::from_secs(5);

/// After so long, and fifty times as long as it took, a count is made anew while pushes go on: others may have pushed, deleted and collected.
const OLD: Duration = Duration::from_secs(60);

/// How long a listing may lag behind where it is not fresh.
const LAG: Duration = Duration::from_secs(120);

/// What counts need.
#[derive(Clone)]
pub(super) struct Counters {
    pub(super) blobs: SharedBlobs,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: TaskTracker,
    pub(super) cancel: CancellationToken,
    pub(super) homes: Homes,
}

/// A namespace with a quota.
pub(super) struct Namespace {
    /// Its repositories.
    pub(super) prefix: Prefix,
    pub(super) limit: Limit,
    ledger: Mutex<Ledger>,
    counts: watch::Sender<Counts>,
}

/// How counting goes.
#[derive(Clone, Copy, Default)]
struct Counts {
    running: bool,
    last: Option<Count>,
    failed: u64,
}

#[derive(Clone, Copy)]
struct Count {
    began: Instant,
    at: Timestamp,
    took: Duration,
}

impl Count {
    fn is_older(&self, now: Timestamp, than: Duration, times: u32) -> bool {
        // A clock that was put back says nothing.
        now.duration_since(self.at).unsigned_abs() > than.max(self.took * times)
    }
}

impl Namespace {
    pub(super) fn new(prefix: Prefix, limit: Limit) -> Self {
        let (counts, _) = watch::channel(Counts::default());
        Self { prefix, limit, ledger: Mutex::new(Ledger::new(limit)), counts }
    }

    /// What it is called in a message.
    pub(super) fn name(&self) -> &str {
        match &self.prefix {
            Prefix::All => "the registry",
            Prefix::Below(name) => name,
        }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was counted at all.
    pub(super) fn is_counted(&self) -> bool {
        self.counts.borrow().last.is_some()
    }

    /// Waits until it was counted once. One that was long ago is counted anew, and nobody waits for that.
    pub(super) async fn counted(self: &Arc<Self>, counters: &Counters) -> Result<()> {
        let last = self.counts.borrow().last;
        match last {
            None => self.count(counters, None).await,
            Some(count) => {
                if count.is_older(counters.clock.now(), OLD, 50) {
                    self.start(counters);
                }
                Ok(())
            }
        }
    }

    /// Counts it anew, unless that was done a moment ago; tells whether it was.
    pub(super) async fn recounted(self: &Arc<Self>, counters: &Counters) -> Result<bool> {
        let last = self.counts.borrow().last;
        if last.is_some_and(|count| !count.is_older(counters.clock.now(), NEW, 10)) {
            return Ok(false);
        }
        self.count(counters, Some(Instant::now())).await?;
        Ok(true)
    }

    /// Waits for a count that began at this moment or later; without one, for any.
    async fn count(self: &Arc<Self>, counters: &Counters, since: Option<Instant>) -> Result<()> {
        let mut counts = self.counts.subscribe();
        let failures = counts.borrow_and_update().failed;
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let Counts { last, failed, .. } = *counts.borrow_and_update();
                if last.is_some_and(|count| since.is_none_or(|since| count.began >= since)) {
                    return Ok(());
                }
                if failed != failures {
                    return Err(StoreError::Unavailable(format!("what {} has cannot be counted now", self.name())));
                }
                self.start(counters);
                counts.changed().await.expect("the sender is here");
            }
        });
        let still = |_| StoreError::Unavailable(format!("what {} has is being counted; ask again", self.name()));
        waited.await.map_err(still)?
    }

    /// Begins to count, unless somebody is counting.
    fn start(self: &Arc<Self>, counters: &Counters) {
        let begins = self.counts.send_if_modified(|counts| !std::mem::replace(&mut counts.running, true));
        if !begins {
            return;
        }
        let (namespace, counters) = (self.clone(), counters.clone());
        let tasks = counters.tasks.clone();
        tasks.spawn(async move {
            let done = tokio::select! {
                done = namespace.count_now(&counters) => done,
                () = counters.cancel.cancelled() => None,
            };
            namespace.counts.send_modify(|counts| {
                counts.running = false;
                counts.failed += u64::from(done.is_none());
                counts.last = done.or(counts.last);
            });
        });
    }

    async fn count_now(&self, counters: &Counters) -> Option<Count> {
        let (blobs, began, at) = (&counters.blobs, Instant::now(), counters.clock.now());
        let known = count::sizes(self.ledger().tally());
        let known = if known.is_empty() { count::read_sizes(blobs, &self.sizes_path()).await } else { known };
        let (tally, learned) = match count::count(blobs, &self.folder(), &known, &counters.homes).await {
            Ok(counted) => counted,
            Err(error) => {
                warn!(namespace = self.name(), error = chain(&error), "what a namespace has could not be counted");
                return None;
            }
        };
        drop(known);
        let took = began.elapsed();
        debug!(namespace = self.name(), bytes = tally.bytes(), tags = tally.tags(), ?took, "a namespace was counted");
        let sizes = learned.then(|| count::sizes(&tally));
        let lag = if blobs.capabilities().listing_is_fresh { Duration::ZERO } else { LAG };
        self.ledger().replace(tally, began.checked_sub(lag).unwrap_or(began));
        if let Some(sizes) = sizes {
            count::write_sizes(blobs, &self.sizes_path(), sizes).await;
        }
        Some(Count { began, at, took })
    }

    /// Above all that it has.
    fn folder(&self) -> String {
        match &self.prefix {
            Prefix::All => layout::REPOSITORIES.to_owned(),
            Prefix::Below(name) => format!("{}{name}/", layout::REPOSITORIES),
        }
    }

    /// Where the sizes of its blobs are kept.
    fn sizes_path(&self) -> String {
        let name = match &self.prefix {
            Prefix::All => "",
            Prefix::Below(name) => name,
        };
        // No part of a name has an `@`.
        let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).chain(["@sizes"]).collect();
        layout::own(Area::Quota, &parts)
    }
}
