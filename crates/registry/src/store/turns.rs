//! One after the other, within this process: for what is read and then written.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::{Result, StoreError};

/// So many may have their turn at once; two that fall together only wait for each other.
const WAYS: usize = 4096;

/// How long a turn is waited for. Who has it may be waiting for a place that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who has the turn.
pub(super) struct Turns {
    ways: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self { ways: (0..WAYS).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits for the turn at all of these paths. They are taken in one order by everybody, so that nobody waits for ever. Who has turns of these takes no
    /// more of them.
    pub(super) async fn of(&self, paths: &[String]) -> Result<Vec<MutexGuard<'_, ()>>> {
        let ways: BTreeSet<usize> = paths.iter().map(|path| self.hasher.hash_one(path) as usize % WAYS).collect();
        let taken = async {
            let mut turns = Vec::new();
            for way in ways {
                turns.push(self.ways[way].lock().await);
            }
            turns
        };
        let late = |_| StoreError::TooMany {
            what: "others are changing the same".to_owned(),
            retry_after: Duration::from_secs(5),
        };
        tokio::time::timeout(PATIENCE, taken).await.map_err(late)
    }
}
