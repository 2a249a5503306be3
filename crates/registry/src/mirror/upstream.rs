//! One registry that is cached: how it is spoken to, and for how long it is left alone when it does not answer or wants fewer requests.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jeroboam_model::Clock;
use jeroboam_oci::{RepositoryName, Tag};
use moka::future::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::warn;

use super::{Asked, UpstreamSettings, remember};
use crate::client::{ClientError, Remote, Result, Trouble};
use crate::hits::Hits;

/// Questions one after the other that are not answered before an upstream is left alone.
const FAILURES: u32 = 3;

/// How long it is left alone then.
const REST: Duration = Duration::from_secs(5);

/// How long the one has that is let through when the rest is over.
const PROBE: Duration = Duration::from_secs(15);

/// How long it is left alone that wants fewer requests and does not say for how long.
const UNSAID: Duration = Duration::from_secs(10);

/// How long it is left alone at most, whatever it says.
const LONGEST: Duration = Duration::from_secs(600);

/// One registry that is cached.
pub(super) struct Upstream {
    pub(super) settings: UpstreamSettings,
    pub(super) remote: Arc<Remote>,
    /// Tags about which it was asked a short time ago.
    pub(super) checked: Cache<(RepositoryName, Tag), ()>,
    /// What it did not have a short time ago.
    pub(super) absent: Cache<Asked, ()>,
    /// So many bytes blobs had a short time ago that were asked for and not fetched.
    pub(super) sizes: Cache<Asked, u64>,
    /// For blobs that are fetched from it.
    room: Arc<Semaphore>,
    /// Manifests that were asked for, and whether they were here or had to be fetched.
    pub(super) manifests: Hits,
    /// The same of blobs.
    pub(super) blobs: Hits,
    rest: Mutex<Rest>,
}

#[derive(Default)]
struct Rest {
    failures: u32,
    until: Option<(Instant, Said)>,
}

/// What the trouble of an upstream means, also to those who ask a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It wants fewer requests, until then.
    TooMany(Instant),
    /// It does not let this registry read.
    Refused,
    /// It did not answer, or not as it should.
    Away,
    /// So much is being fetched from it that one blob more would have to wait for longer than anybody does. It was not asked.
    Busy,
}

impl Said {
    fn of(error: &ClientError) -> Self {
        match error.trouble() {
            Trouble::TooMany => {
                let wait = error.retry_after().unwrap_or(UNSAID).min(LONGEST);
                Self::TooMany(Instant::now() + wait)
            }
            Trouble::Refused => Self::Refused,
            Trouble::Away | Trouble::Missing | Trouble::Conflict | Trouble::Broken => Self::Away,
        }
    }
}

impl Upstream {
    pub(super) fn new(settings: &UpstreamSettings, clock: &Arc<dyn Clock>) -> Result<Self> {
        let remote = Arc::new(Remote::new(settings.remote.clone(), clock.clone())?);
        let limits = settings.limits;
        Ok(Self {
            settings: settings.clone(),
            remote,
            checked: remember(limits.check),
            absent: remember(limits.absent),
            sizes: remember(limits.check),
            room: Arc::new(Semaphore::new(limits.fetches.clamp(1, Semaphore::MAX_PERMITS))),
            manifests: Hits::default(),
            blobs: Hits::default(),
            rest: Mutex::default(),
        })
    }

    /// Room for one more blob, for as long as this is held. Whoever came first has it first.
    pub(super) async fn room(&self) -> std::result::Result<OwnedSemaphorePermit, Said> {
        let room = tokio::time::timeout(self.settings.limits.patience, self.room.clone().acquire_owned());
        Ok(room.await.map_err(|_| Said::Busy)?.expect("nobody closes it"))
    }

    /// Asks something, unless the upstream is left alone.
    pub(super) async fn ask<T>(&self, question: impl Future<Output = Result<T>>) -> std::result::Result<T, Said> {
        if let Some(said) = self.resting() {
            return Err(said);
        }
        let outcome = question.await;
        outcome.inspect(|_| self.answered()).map_err(|error| {
            let said = Said::of(&error);
            warn!(upstream = self.remote.name(), error = error.chain(), "an upstream did not give what was asked for");
            match said {
                Said::TooMany(until) => self.leave_alone(until, said),
                Said::Away if error.is_silence() => self.did_not_answer(),
                // That is an answer.
                Said::Away | Said::Refused | Said::Busy => self.answered(),
            }
            said
        })
    }

    /// Takes note that a question was not answered in time.
    pub(super) fn did_not_answer(&self) {
        let mut rest = self.rest();
        rest.failures += 1;
        if rest.failures >= FAILURES {
            rest.until = Some((Instant::now() + REST, Said::Away));
        }
    }

    /// Why nobody is to be asked now, if so. When the rest is over one is let through at a time, to see.
    fn resting(&self) -> Option<Said> {
        let mut rest = self.rest();
        let ((until, said), now) = (rest.until?, Instant::now());
        if now < until {
            return Some(said);
        }
        rest.until = (said == Said::Away).then_some((now + PROBE, said));
        None
    }

    fn leave_alone(&self, until: Instant, said: Said) {
        self.rest().until = Some((until, said));
    }

    fn answered(&self) {
        *self.rest() = Rest::default();
    }

    fn rest(&self) -> std::sync::MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
