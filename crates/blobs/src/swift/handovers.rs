//! What this process knows of uploads beyond what was saved of them.
//!
//! An upload that another process goes on with may have segments that nobody noted, and may still get some: it is copied into a directory of its own. Where this
//! process saved it and wrote nothing since, that is not needed. Forgetting costs time and is never wrong.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many uploads are remembered.
const MOST: usize = 4096;

/// Directories, and what is known of their uploads.
#[derive(Debug, Default)]
pub(crate) struct Handovers(Mutex<HashMap<String, Known>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// So many bytes were saved, and nothing is behind.
    Saved(u64),
    /// It was given up. The last bytes of it may be in a state that somebody still has.
    Discarded,
}

impl Handovers {
    fn map(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, directory: &str, known: Known) {
        let mut map = self.map();
        if map.len() >= MOST {
            map.clear();
        }
        map.insert(directory.to_owned(), known);
    }

    pub(crate) fn saved(&self, directory: &str, offset: u64) {
        self.note(directory, Known::Saved(offset));
    }

    pub(crate) fn discarded(&self, directory: &str) {
        self.note(directory, Known::Discarded);
    }

    /// Something is being written behind what was saved.
    pub(crate) fn going_on(&self, directory: &str) {
        self.map().remove(directory);
    }

    pub(crate) fn is_clean(&self, directory: &str, offset: u64) -> bool {
        self.map().get(directory) == Some(&Known::Saved(offset))
    }

    pub(crate) fn is_discarded(&self, directory: &str) -> bool {
        self.map().get(directory) == Some(&Known::Discarded)
    }
}
