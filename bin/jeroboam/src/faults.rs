//! Power cuts on demand: the process ends itself, as `kill -9` would, at the n-th write that it makes.
//!
//! Stores and the management cluster call a hook just before and just after each write, so that every place where a crash
//! could lose or double something has a number. Only the crash tests use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use tracing::info;

/// What is called around every write.
pub(crate) type Hook = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Counts writes; at number `fatal` the process is no more. 0 only counts.
pub(crate) fn hook(fatal: u64) -> Hook {
    let count = AtomicU64::new(0);
    Arc::new(move |name| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        info!(fault.number = number, fault.name = name, "fault point {number}: {name}");
        if number == fatal {
            // The signal is delivered before this returns: nothing is flushed, nobody is told.
            if let Err(error) = kill_process(getpid(), Signal::KILL) {
                info!(error = %error, "the process could not end itself");
            }
        }
    })
}
