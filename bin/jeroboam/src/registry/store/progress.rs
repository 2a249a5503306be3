//! How far something long is, told by what was asked of the store.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jeroboam_registry::serve::Hears;

use crate::registry::say;

/// Nobody wants to hear of what is done by then.
const FIRST: Duration = Duration::from_secs(3);

const OFTEN: Duration = Duration::from_secs(5);

/// What was asked of the store.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pages: AtomicU64,
    looked: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
    removed: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    /// What counts the calls to a place.
    pub(super) fn hears(self: &Arc<Self>) -> Hears {
        let progress = Arc::clone(self);
        Box::new(move |action, _, failed| progress.count(action, failed))
    }

    fn count(&self, action: &str, failed: bool) {
        let counter = match action {
            "List" => &self.pages,
            "Stat" | "HandBack" => &self.looked,
            "Reader" => &self.read,
            "PutContent" | "Writer" | "Move" => &self.written,
            "Delete" => &self.removed,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits for something, and says now and then what was asked of the store for it.
    pub(super) async fn follow<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let began = Instant::now();
        let mut rest = FIRST;
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(rest) => say(&self.line(began.elapsed())),
            }
            rest = OFTEN;
        }
    }

    fn line(&self, took: Duration) -> String {
        let counters = [
            (&self.pages, "pages of names listed"),
            (&self.looked, "objects looked at"),
            (&self.read, "read"),
            (&self.written, "written"),
            (&self.removed, "removals"),
            (&self.failed, "calls failed"),
        ];
        let counts = counters.iter().map(|(counter, what)| (counter.load(Ordering::Relaxed), what));
        let told: Vec<String> =
            counts.filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let (minutes, seconds) = (took.as_secs() / 60, took.as_secs() % 60);
        format!("{minutes:02}:{seconds:02} {}", if told.is_empty() { "waiting".to_owned() } else { told.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_asked_of_the_store() {
        let progress = Arc::new(Progress::default());
        assert_eq!(progress.line(Duration::from_secs(3)), "00:03 waiting");
        let hears = progress.hears();
        for (action, failed) in [("List", false), ("Reader", true), ("Reader", false), ("Sweep", false)] {
            hears(action, Duration::ZERO, failed);
        }
        assert_eq!(progress.line(Duration::from_secs(125)), "02:05 1 pages of names listed, 2 read, 1 calls failed");
    }
}
