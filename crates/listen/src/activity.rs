//! What there is to know about the requests of one connection: whether somebody works on an answer, or takes one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Counts of one connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Answers that have a piece ready which the client has no room for.
    untaken: AtomicU64,
    /// Pieces of answers that went on their way.
    pieces: AtomicU64,
    /// Whether bytes wait until the client takes some.
    blocked: AtomicBool,
}

/// A request that is being answered, from its header to the last piece of its answer.
#[derive(Debug)]
pub(crate) struct Running {
    activity: Arc<Activity>,
    /// Whether it is the client that is waited for.
    untaken: bool,
}

impl Running {
    /// A piece of the answer goes on its way; the client is who comes next.
    pub(crate) fn gave(&mut self) {
        self.activity.pieces.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.untaken, true) {
            self.activity.untaken.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The client wants the next piece.
    pub(crate) fn is_asked(&mut self) {
        if std::mem::take(&mut self.untaken) {
            self.activity.untaken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.is_asked();
        self.activity.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Activity {
    pub(crate) fn begin(activity: &Arc<Self>) -> Running {
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Running { activity: Arc::clone(activity), untaken: false }
    }

    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// Resolves when nothing was asked for `patience`, nobody works on an answer, and no piece of one was taken.
    pub(crate) async fn idle(&self, patience: Duration) {
        let mut before = None;
        loop {
            let now = (self.begun.load(Ordering::Relaxed), self.pieces());
            if self.works() == 0 && before == Some(now) {
                return;
            }
            before = Some(now);
            tokio::time::sleep(patience).await;
        }
    }

    /// So many pieces of answers went on their way.
    pub(crate) fn pieces(&self) -> u64 {
        self.pieces.load(Ordering::Relaxed)
    }

    /// Whether there is anything to wait for: an answer that is being made, or bytes that the client has still to take. Who takes none of them for
    /// too long is cut off elsewhere.
    pub(crate) fn goes_on(&self) -> bool {
        self.works() > 0 || self.blocked.load(Ordering::Relaxed)
    }

    /// Answers that we are working on.
    fn works(&self) -> u64 {
        let (ended, untaken) = (self.ended.load(Ordering::Relaxed), self.untaken.load(Ordering::Relaxed));
        self.begun.load(Ordering::Relaxed).saturating_sub(ended + untaken)
    }
}
