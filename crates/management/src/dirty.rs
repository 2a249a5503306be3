//! Which clusters have changed. A set and not a queue: a cluster that changes a hundred times before anybody looks is there
//! once, and nothing is ever lost or unbounded.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jeroboam_capi::ClusterKey;
use tokio::sync::Notify;

/// The clusters that changed since they were last taken. Meant for one taker.
#[derive(Clone, Debug, Default)]
pub struct Dirty {
    keys: Arc<Mutex<BTreeSet<ClusterKey>>>,
    some: Arc<Notify>,
}

impl Dirty {
    /// Waits until something has changed and takes all of it. Dropping the future loses nothing.
    pub async fn next(&self) -> BTreeSet<ClusterKey> {
        loop {
            let woken = self.some.notified();
            let keys = self.take();
            if !keys.is_empty() {
                return keys;
            }
            woken.await;
        }
    }

    /// Takes what has changed, without waiting.
    #[must_use]
    pub fn take(&self) -> BTreeSet<ClusterKey> {
        std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a change.
    pub(crate) fn mark(&self, key: ClusterKey) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        self.some.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ClusterKey {
        ClusterKey { namespace: "n".into(), name: name.into() }
    }

    #[tokio::test]
    async fn a_cluster_is_there_once_however_often_it_changed() {
        let dirty = Dirty::default();
        for name in ["a", "b", "a", "a"] {
            dirty.mark(key(name));
        }
        assert_eq!(dirty.next().await, [key("a"), key("b")].into());
        assert!(dirty.take().is_empty());
    }

    #[tokio::test]
    async fn a_change_wakes_the_one_who_waits() {
        let dirty = Dirty::default();
        let (taken, ()) = tokio::join!(dirty.next(), async {
            tokio::task::yield_now().await;
            dirty.mark(key("a"));
        });
        assert_eq!(taken, [key("a")].into());
    }
}
