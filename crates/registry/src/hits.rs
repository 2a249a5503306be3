//! How often something that was asked for was here already.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often something that was asked for was here already, since the process began.
#[derive(Debug, Default)]
pub struct Hits {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Hits {
    /// Somebody asked for something, which was here or was not.
    pub(crate) fn note(&self, was_here: bool) {
        let counter = if was_here { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// How often it was not.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }
}
