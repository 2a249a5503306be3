//! Room for long lists. One takes some megabytes while it is read and written out; more of them at once than there are processors
//! to make them are answered no sooner, and would only hold memory.

use std::num::NonZero;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Lists of no more items than this are made at once.
const SHORT: u64 = 100;

/// For each processor, one long list that is made while another waits for the database.
const FOR_EACH_PROCESSOR: usize = 2;

/// The room that a process has.
pub(crate) struct Room(Semaphore);

impl Room {
    pub(crate) fn of_this_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Semaphore::new(processors * FOR_EACH_PROCESSOR))
    }

    /// Waits for room for a list of at most so many items. It is kept until what is returned goes away, which is to be after the
    /// list was written out.
    pub(crate) async fn for_list(&self, limit: u64) -> Option<SemaphorePermit<'_>> {
        if limit <= SHORT {
            return None;
        }
        // It is never closed.
        self.0.acquire().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn long_lists_wait_for_each_other_and_short_ones_for_nobody() {
        let room = Room(Semaphore::new(2));
        let first = room.for_list(1000).await;
        let second = room.for_list(101).await;
        assert!(first.is_some() && second.is_some());
        assert!(room.for_list(1000).now_or_never().is_none(), "there is no room for a third");
        assert!(room.for_list(100).now_or_never().is_some(), "a short one waits for nobody");
        drop(first);
        assert!(room.for_list(1000).now_or_never().is_some(), "there is room again");
    }
}
