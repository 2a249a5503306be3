//! Which clusters wait for a worker, and since when each may be taken. No clock of its own and no tasks.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jeroboam_model::ClusterId;
use tokio::time::Instant;

/// Clusters that something happened to. Each is in it once, however often it is told.
///
/// A cluster that was just worked on may not be taken again before `gap` is over: one change in the management cluster
/// is seldom alone, and the pass after the last of them sees them all.
#[derive(Debug)]
pub(crate) struct Queue {
    gap: Duration,
    waiting: BTreeSet<(Instant, ClusterId)>,
    since: HashMap<ClusterId, Instant>,
    running: HashMap<ClusterId, Again>,
}

/// Whether something happened to a cluster while it was worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    No,
    Yes,
}

impl Queue {
    pub(crate) fn new(gap: Duration) -> Self {
        Self { gap, waiting: BTreeSet::new(), since: HashMap::new(), running: HashMap::new() }
    }

    /// Notes that something happened to a cluster.
    pub(crate) fn push(&mut self, cluster: ClusterId, now: Instant) {
        if let Some(again) = self.running.get_mut(&cluster) {
            *again = Again::Yes;
            return;
        }
        self.wait(cluster, now);
    }

    /// The next cluster to work on, if one may be taken now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<ClusterId> {
        let (at, cluster) = *self.waiting.first()?;
        if at > now {
            return None;
        }
        self.waiting.remove(&(at, cluster));
        self.since.remove(&cluster);
        self.running.insert(cluster, Again::No);
        Some(cluster)
    }

    /// Notes that the work on a cluster ended.
    pub(crate) fn done(&mut self, cluster: ClusterId, now: Instant) {
        if self.running.remove(&cluster) == Some(Again::Yes) {
            self.wait(cluster, now + self.gap);
        }
    }

    /// When `take` is worth a try again.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// How many clusters are being worked on.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    fn wait(&mut self, cluster: ClusterId, at: Instant) {
        match self.since.get(&cluster) {
            Some(earlier) if *earlier <= at => return,
            Some(later) => {
                self.waiting.remove(&(*later, cluster));
            }
            None => {}
        }
        self.since.insert(cluster, at);
        self.waiting.insert((at, cluster));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_millis(200);

    #[tokio::test(start_paused = true)]
    async fn a_cluster_waits_once_and_is_never_worked_on_twice_at_a_time() {
        let mut queue = Queue::new(GAP);
        let (cluster, now) = (ClusterId::random(), Instant::now());
        queue.push(cluster, now);
        queue.push(cluster, now);
        assert_eq!(queue.take(now), Some(cluster));
        assert_eq!(queue.take(now), None);
        assert_eq!(queue.running(), 1);
        queue.push(cluster, now);
        assert_eq!(queue.take(now), None, "it is being worked on");
        queue.done(cluster, now);
        assert_eq!(queue.take(now), None, "too early");
        assert_eq!(queue.next_at(), Some(now + GAP));
        assert_eq!(queue.take(now + GAP), Some(cluster));
        queue.done(cluster, now + GAP);
        assert_eq!(queue.next_at(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn clusters_are_taken_in_the_order_they_may_be_and_an_earlier_call_wins() {
        let mut queue = Queue::new(GAP);
        let (first, second, now) = (ClusterId::random(), ClusterId::random(), Instant::now());
        queue.push(first, now + GAP);
        queue.push(second, now);
        assert_eq!(queue.take(now), Some(second));
        assert_eq!(queue.take(now), None);
        queue.push(first, now);
        assert_eq!(queue.take(now), Some(first));
    }
}
