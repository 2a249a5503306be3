//! What a store says of itself at `/info`: kept, and nobody waits long for it. It may be switched off or away, and nothing that is right depends on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jeroboam_model::{Clock, Timestamp};
use jeroboam_openstack::object_store::{ObjectStore, StoreInfo};
use tracing::debug;

use super::Inner;
use super::segments::SHORT;

/// So long somebody who writes waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store that told nothing is asked again after so many seconds.
const SILENT_FOR: i64 = 300;

/// One that is away, after so many.
const AWAY_FOR: i64 = 15;

/// Most segments of a static large object, where the store does not say: Swift's default.
const MOST_SEGMENTS: usize = 1000;

/// What was told. One asks; whoever knows an older answer goes by that, and the others wait.
pub(crate) struct Told {
    clock: Arc<dyn Clock>,
    asking: tokio::sync::Mutex<()>,
    last: Mutex<Option<Answer>>,
}

/// What came of the last question.
#[derive(Clone)]
struct Answer {
    info: Option<StoreInfo>,
    at: Timestamp,
    /// Where nothing was told: after so many seconds it is asked again.
    good_for: i64,
}

impl Answer {
    fn is_good(&self, now: Timestamp) -> bool {
        let age = now.as_second() - self.at.as_second();
        self.info.is_some() || (0..self.good_for).contains(&age)
    }
}

impl Told {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, asking: tokio::sync::Mutex::default(), last: Mutex::default() }
    }

    fn last(&self) -> MutexGuard<'_, Option<Answer>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn good(&self) -> Option<Answer> {
        let now = self.clock.now();
        self.last().clone().filter(|answer| answer.is_good(now))
    }
}

impl Inner {
    /// What the store says of itself, where it does.
    pub(crate) async fn told(&self) -> Option<StoreInfo> {
        if let Some(answer) = self.told.good() {
            return answer.info;
        }
        let _turn = match self.told.asking.try_lock() {
            Ok(turn) => turn,
            Err(_) if self.told.last().is_some() => return None,
            Err(_) => self.told.asking.lock().await,
        };
        // Somebody may have asked while we waited.
        if let Some(answer) = self.told.good() {
            return answer.info;
        }
        let (info, good_for) = match tokio::time::timeout(PATIENCE, self.store.info()).await {
            Ok(Ok(info)) => (info, SILENT_FOR),
            Ok(Err(error)) => {
                debug!("the object store tells nothing of itself: {error}");
                (None, if ObjectStore::is_away(&error) { AWAY_FOR } else { SILENT_FOR })
            }
            Err(_) => (None, SILENT_FOR),
        };
        *self.told.last() = Some(Answer { info: info.clone(), at: self.told.clock.now(), good_for });
        info
    }

    /// The longest object that one request may write. What is shorter than a segment may be is written at once in any case.
    pub(crate) async fn longest_plain(&self) -> u64 {
        let most = self.config.max_plain;
        let told = self.told().await.and_then(|told| told.max_file_size);
        told.map_or(most, |told| most.min(told.max(SHORT as u64)))
    }

    /// Most segments that a static large object may have.
    pub(crate) async fn most_segments(&self) -> usize {
        self.told().await.and_then(|told| told.max_segments).unwrap_or(MOST_SEGMENTS)
    }
}
