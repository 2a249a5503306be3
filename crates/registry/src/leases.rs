//! What this process has promised of blobs, so that nobody collects them while a client relies on the answer.
//!
//! **First the promise, then the look, then the answer.** Whoever is about to tell a client that a blob is in a repository (a HEAD that finds it, a
//! mount, the end of an upload, a manifest that names it) calls [`Leases::promise`], then looks whether it is there, or writes it, and then answers.
//! In another order the blob may go between the look and the promise.
//!
//! What is promised of something that is a candidate of the garbage collection is written into the store before [`Leases::promise`] returns; of
//! anything else it is only remembered. Why that is enough says `jeroboam_oci::gc`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::{Condition, SharedBlobs};
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::gc::{Adoption, Epoch, Key, Lease, Passage, Promise, Times, Warrant, paths};
use jeroboam_oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::gc::documents::{self, ReadDocument};
use crate::gc::leftovers::forget_instances;
use crate::http::failure::chain;

/// How long a promise holds unless told otherwise.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// So many promises are remembered; what is forgotten is only looked for once more.
const REMEMBERED: usize = 100_000;

/// How long a promise waits until something that is being collected is gone or spared.
const PATIENCE: Duration = Duration::from_secs(5);

/// After a reading that failed, nobody tries again for so long: all who wait would try one after the other.
const AGAIN: Duration = Duration::from_secs(1);

/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// What was promised before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Held {
    /// This process has promised it before, and the promise still holds: what was seen since then is still there.
    Already,
    /// It had not: what was seen before now says nothing. Look at the store itself, not into a cache.
    Anew,
}

/// Why nothing can be promised now. The client is told that the registry is unavailable, and when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// We have not read for too long what is about to be collected.
    #[error("promise a blob: what is being collected has not been read for too long")]
    OutOfTouch,
    /// The blob is being collected at this moment.
    #[error("promise a blob: it is being collected at this moment")]
    BeingCollected,
    /// The promise could not be written down.
    #[error("promise a blob: the store does not take it down")]
    NotWritten,
}

impl NotNow {
    /// When it is worth to ask again.
    #[must_use]
    pub fn retry_after(self) -> Duration {
        match self {
            Self::BeingCollected => Duration::from_secs(2),
            Self::OutOfTouch | Self::NotWritten => Duration::from_secs(10),
        }
    }
}

/// What a process says of itself, for whoever wonders why nothing is collected or promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// When it last read what is announced.
    pub read: Timestamp,
    /// The epoch that it knows.
    pub epoch: Option<u64>,
    /// The times that it keeps to.
    pub times: Times,
    /// So many promises of it have not ended.
    pub promises: u64,
}

/// The promises of this process.
pub struct Leases {
    clock: Arc<dyn Clock>,
    /// Where they are written; `None`: nothing is ever collected from the store.
    place: Option<Place>,
    /// Where this process says that it serves, if nothing is ever collected, and how often.
    told: Option<(Place, Times)>,
    state: Mutex<State>,
}

struct Place {
    blobs: SharedBlobs,
    instance: String,
    /// One reads what is announced, the others wait for it.
    reading: tokio::sync::Mutex<()>,
}

struct State {
    adoption: Adoption,
    /// By repository and digest.
    leases: HashMap<Key, Lease>,
    /// When a reading failed, if the last one did.
    failed: Option<Timestamp>,
}

impl Leases {
    /// Promises that nobody but this process knows: for a store that nothing is collected from.
    #[must_use]
    pub fn in_memory(clock: Arc<dyn Clock>, grace: Duration) -> Self {
        let slack = Duration::from_secs(1);
        let interval = (grace / 4).max(Duration::from_millis(1));
        let times = Times::new(interval * 4, interval, slack).unwrap_or_default();
        Self { clock, place: None, told: None, state: Mutex::new(State::new(times)) }
    }

    /// The same, but for that the store says who serves from it, which whoever hands it back wants to know.
    #[must_use]
    pub fn telling(self, blobs: SharedBlobs, times: Times, instance: String) -> Self {
        let place = Place { blobs, instance, reading: tokio::sync::Mutex::new(()) };
        Self { told: Some((place, times)), ..self }
    }

    /// Promises that all who use the store keep. `instance` is another one each time that a process begins.
    #[must_use]
    pub fn stored(blobs: SharedBlobs, clock: Arc<dyn Clock>, times: Times, instance: String) -> Self {
        let place = Place { blobs, instance, reading: tokio::sync::Mutex::new(()) };
        Self { clock, place: Some(place), told: None, state: Mutex::new(State::new(times)) }
    }

    /// Promises that `digest`, if it is in `repository` when looked for after this, stays there for the grace time. The digest is that by which the
    /// store sorts it (what its link says), not an alias.
    pub async fn promise(&self, repository: &RepositoryName, digest: &Digest) -> Result<Held, NotNow> {
        let (of, blob) = (Key::revision(repository, digest), Key::blob(digest));
        let Some(place) = &self.place else { return Ok(self.state().remember_alone(of, self.clock.now())) };
        self.keep_in_touch(place).await;
        let decided = {
            let state = self.state();
            state.adoption.promise(&blob, state.leases.get(&of).copied(), self.clock.now())
        };
        match decided {
            Promise::OutOfTouch => Err(NotNow::OutOfTouch),
            Promise::Made { lease, already } => {
                self.state().remember(of, lease, self.clock.now());
                Ok(if already { Held::Already } else { Held::Anew })
            }
            Promise::Write { epochs, lease } => {
                self.write(place, &epochs, &blob).await?;
                self.wait(place, &epochs, &blob).await?;
                self.state().remember(of, lease, self.clock.now());
                Ok(Held::Anew)
            }
        }
    }

    /// Whether this process has promised it, and the promise has not ended.
    #[must_use]
    pub fn holds(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        let (state, now) = (self.state(), self.clock.now());
        state.leases.get(&Key::revision(repository, digest)).is_some_and(|lease| lease.until > now)
    }

    /// Reads what is announced. Called by itself before a promise when it is due; a process that wants to be quick about the first one calls it at
    /// its beginning.
    pub async fn read(&self) -> jeroboam_blobs::Result<()> {
        let Some(place) = &self.place else { return Ok(()) };
        let _one = place.reading.lock().await;
        self.read_and_note(place).await
    }

    /// Reads it whenever it is due, also while nobody asks for a promise, so that others see that this process serves.
    pub async fn keep_reading(&self, stop: CancellationToken) {
        let Some(place) = &self.place else { return self.keep_telling(stop).await };
        loop {
            let interval = self.state().adoption.times().interval();
            tokio::select! {
                () = tokio::time::sleep(interval) => self.keep_in_touch(place).await,
                () = stop.cancelled() => return,
            }
        }
    }

    /// Says again and again that this process serves.
    async fn keep_telling(&self, stop: CancellationToken) {
        let Some((place, times)) = &self.told else { return stop.cancelled().await };
        // Of those that were killed, who knows when.
        let older_than = self.clock.now().saturating_sub(GRACE).unwrap_or(Timestamp::MIN);
        if let Err(error) = forget_instances(&place.blobs, older_than).await {
            warn!(error = chain(&error), "what processes said of themselves that are gone stays in the store");
        }
        let mut failed = false;
        loop {
            let said = Instance { read: self.clock.now(), epoch: None, times: *times, promises: 0 };
            let outcome = documents::write(&place.blobs, &paths::instance(&place.instance), &said).await;
            if let Err(error) = &outcome
                && !failed
            {
                warn!(
                    error = chain(error),
                    "the store does not take down that this process serves: a hand-back would not see it"
                );
            }
            failed = outcome.is_err();
            tokio::select! {
                () = tokio::time::sleep(times.interval()) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Says that this process has ended, and makes no promises any more.
    pub async fn retire(&self) {
        let told = self.told.as_ref().map(|(place, _)| place);
        if let Some(place) = self.place.as_ref().or(told)
            && let Err(error) = place.blobs.delete(&[paths::instance(&place.instance)]).await
        {
            warn!(error = chain(&error), "what this process says of itself stays in the store");
        }
    }

    /// What this process knows of the garbage collection, and when it read it.
    #[must_use]
    pub fn instance(&self) -> Option<Instance> {
        let state = self.state();
        let read = state.adoption.read()?;
        let now = self.clock.now();
        let promises = state.leases.values().filter(|lease| lease.until > now).count() as u64;
        Some(Instance { read, epoch: state.adoption.number(), times: state.adoption.times(), promises })
    }

    async fn keep_in_touch(&self, place: &Place) {
        if !self.is_due() {
            return;
        }
        let _one = place.reading.lock().await;
        if !self.is_due() {
            return;
        }
        // A place that is away does not matter yet: what was read before is good for another interval.
        if let Err(error) = self.read_and_note(place).await {
            warn!(error = chain(&error), "what is announced of the garbage collection could not be read");
        }
    }

    fn is_due(&self) -> bool {
        let (state, now) = (self.state(), self.clock.now());
        let is_past = |moment: Timestamp, time| now >= moment.saturating_add(time).unwrap_or(Timestamp::MAX);
        let interval = state.adoption.times().interval();
        state.adoption.read().is_none_or(|read| is_past(read, interval))
            && state.failed.is_none_or(|failed| is_past(failed, AGAIN.min(interval)))
    }

    async fn read_and_note(&self, place: &Place) -> jeroboam_blobs::Result<()> {
        let outcome = self.read_now(place).await;
        self.state().failed = outcome.is_err().then(|| self.clock.now());
        outcome
    }

    async fn read_now(&self, place: &Place) -> jeroboam_blobs::Result<()> {
        let began = self.clock.now();
        let found: Option<Epoch> = documents::read(&place.blobs, &paths::epoch()).await?.sound(&paths::epoch())?;
        let news = found.filter(|epoch| self.state().adoption.misses(epoch));
        if let Some(epoch) = news {
            let candidates = documents::read_keys(&place.blobs, &epoch.files).await?;
            if candidates.len() as u64 != epoch.candidates {
                let what = format!(
                    "read the candidates of epoch {}: {} of {}",
                    epoch.number,
                    candidates.len(),
                    epoch.candidates
                );
                return Err(jeroboam_blobs::Error::new(jeroboam_blobs::Kind::Broken, what));
            }
            info!(gc.epoch = epoch.number, gc.candidates = epoch.candidates, "what may be collected is known");
            self.state().adoption.adopt(&epoch, candidates, began);
        } else {
            self.state().adoption.nothing_new(began);
        }
        if let Some(said) = self.instance()
            && let Err(error) = documents::write(&place.blobs, &paths::instance(&place.instance), &said).await
        {
            // For those who look; nothing depends on it.
            warn!(error = chain(&error), "what this process says of itself was not written");
        }
        Ok(())
    }

    async fn write(&self, place: &Place, epochs: &[u64], blob: &Key) -> Result<(), NotNow> {
        for epoch in epochs {
            let text = Bytes::from(self.clock.now().to_string());
            let written = place.blobs.put(&paths::lease(*epoch, blob), text, Condition::Always).await;
            written.map_err(|error| {
                warn!(error = chain(&error), gc.key = %blob, "a promise was not written down");
                NotNow::NotWritten
            })?;
        }
        Ok(())
    }

    /// Waits until nobody is about to collect it on a warrant from before the lease.
    async fn wait(&self, place: &Place, epochs: &[u64], blob: &Key) -> Result<(), NotNow> {
        let waited = tokio::time::timeout(PATIENCE, async {
            for epoch in epochs {
                loop {
                    let found = documents::read::<Warrant>(&place.blobs, &paths::warrant(*epoch, blob)).await;
                    let found = found.map_err(|error| {
                        warn!(error = chain(&error), gc.key = %blob, "it is not known whether something is being collected");
                        NotNow::NotWritten
                    })?;
                    let passage = match found {
                        ReadDocument::Broken => Passage::Wait,
                        ReadDocument::Absent => Passage::Go,
                        ReadDocument::Is(warrant) => self.state().adoption.passage(Some(&warrant), self.clock.now()),
                    };
                    if passage == Passage::Go {
                        break;
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
            Ok(())
        });
        waited.await.unwrap_or(Err(NotNow::BeingCollected))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(times: Times) -> Self {
        Self { adoption: Adoption::new(times), leases: HashMap::new(), failed: None }
    }

    fn remember(&mut self, of: Key, lease: Lease, now: Timestamp) {
        if self.leases.len() >= REMEMBERED {
            self.leases.retain(|_, lease| lease.until > now);
            if self.leases.len() >= REMEMBERED {
                self.leases.clear();
            }
        }
        self.leases.insert(of, lease);
    }

    /// Where nothing is collected, nobody has to be in touch.
    fn remember_alone(&mut self, of: Key, now: Timestamp) -> Held {
        let before = self.leases.get(&of).copied();
        let until = now.saturating_add(self.adoption.times().grace()).unwrap_or(Timestamp::MAX);
        self.remember(of, Lease { until, written: None }, now);
        if before.is_some_and(|before| before.until > now) { Held::Already } else { Held::Anew }
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("stored", &self.place.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jeroboam_blobs::{Fault, Faults, Memory, Told};
    use jeroboam_model::ManualClock;

    use super::*;

    #[tokio::test]
    async fn a_promise_holds_for_the_grace_time() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let leases = Leases::in_memory(clock.clone(), Duration::from_secs(60));
        let repository = "team/app".parse().unwrap();
        let digest = Digest::sha256(b"layer");
        assert_eq!(leases.promise(&repository, &digest).await, Ok(Held::Anew));
        clock.advance(Duration::from_secs(59));
        assert_eq!(leases.promise(&repository, &digest).await, Ok(Held::Already));
        clock.advance(Duration::from_secs(60));
        assert_eq!(leases.promise(&repository, &digest).await, Ok(Held::Anew), "it had ended");
        assert_eq!(leases.promise(&"other".parse().unwrap(), &digest).await, Ok(Held::Anew), "of a repository");
    }

    #[tokio::test]
    async fn a_store_that_was_away_is_not_asked_by_everybody_at_once() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let faults = Faults::new(Arc::new(Memory::new(clock.clone())));
        faults.plan(Some(Fault { call: 1, told: Told::Before, dies: true }));
        let leases = Leases::stored(Arc::new(faults.clone()), clock.clone(), Times::default(), "one".to_owned());
        let (repository, digest) = ("team/app".parse().unwrap(), Digest::sha256(b"layer"));
        assert_eq!(leases.promise(&repository, &digest).await, Err(NotNow::OutOfTouch));
        let asked = faults.counts();
        assert!(!asked.is_empty());
        assert_eq!(leases.promise(&repository, &digest).await, Err(NotNow::OutOfTouch));
        assert_eq!(faults.counts(), asked, "a moment ago it did not answer");
        faults.plan(None);
        clock.advance(AGAIN);
        assert_eq!(leases.promise(&repository, &digest).await, Ok(Held::Anew));
        assert_eq!(leases.instance().map(|said| said.promises), Some(1));
    }
}
