//! One after the other, within this process: for what is read and then written.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// So many may have their turn at once; two that fall together only wait for each other.
const WAYS: usize = 256;

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
    /// Waits for the turn at all of these paths. They are taken in one order by everybody, so that nobody waits for ever.
    pub(super) async fn of(&self, paths: &[String]) -> Vec<MutexGuard<'_, ()>> {
        let ways: BTreeSet<usize> = paths.iter().map(|path| self.hasher.hash_one(path) as usize % WAYS).collect();
        let mut turns = Vec::new();
        for way in ways {
            turns.push(self.ways[way].lock().await);
        }
        turns
    }
}
