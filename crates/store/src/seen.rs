//! What was last read, for a few seconds and within bounds.
//!
//! Nothing is shown from here unless the database said within the same request that it still has the version under which it was
//! read. The few seconds are for those who write past us and give no new version: an operator, or an older release of ours.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long something is shown that others may have changed past us.
const LIFE: Duration = Duration::from_secs(5);

/// What is remembered of one kind, by its id.
pub(crate) struct Seen<K, T> {
    kept: Mutex<Kept<K, T>>,
    room: usize,
}

struct Kept<K, T> {
    all: HashMap<K, One<T>>,
    /// In the order in which they came, which is that in which they go; also those that were replaced meanwhile.
    order: VecDeque<(Instant, K, usize)>,
    bytes: usize,
}

struct One<T> {
    version: i64,
    since: Instant,
    value: Arc<T>,
}

/// What was read in full, and what is to be known of it.
pub(crate) struct Fresh<T> {
    /// The version that the very statement saw which read the rest; `None` where there is none, or where it took several
    /// statements that saw different ones. Then it is shown once and not remembered.
    pub(crate) version: Option<i64>,
    /// How much memory it takes, roughly.
    pub(crate) bytes: usize,
    pub(crate) value: Arc<T>,
}

impl<K: Copy + Eq + Hash, T> Seen<K, T> {
    pub(crate) fn new(room: usize) -> Self {
        Self { kept: Mutex::new(Kept { all: HashMap::new(), order: VecDeque::new(), bytes: 0 }), room }
    }

    /// Whether there is anything at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().let_go(Instant::now(), self.room).all.is_empty()
    }

    /// Whether there is something of this id, of whatever version.
    pub(crate) fn has(&self, id: K) -> bool {
        let now = Instant::now();
        self.lock().all.get(&id).is_some_and(|one| !one.is_old(now))
    }

    /// What is remembered of these ids under these versions.
    pub(crate) fn get(&self, wanted: impl Iterator<Item = Option<(K, i64)>>) -> Vec<Option<Arc<T>>> {
        let (kept, now) = (self.lock(), Instant::now());
        let find = |(id, version)| {
            let one = kept.all.get(&id).filter(|one| one.version == version && !one.is_old(now))?;
            Some(Arc::clone(&one.value))
        };
        wanted.map(|wanted| wanted.and_then(find)).collect()
    }

    /// Remembers what a read has found that began at `since`.
    pub(crate) fn keep<'a>(&self, since: Instant, found: impl Iterator<Item = (K, &'a Fresh<T>)>)
    where
        T: 'a,
    {
        let mut kept = self.lock();
        for (id, fresh) in found {
            let Some(version) = fresh.version else { continue };
            kept.all.insert(id, One { version, since, value: Arc::clone(&fresh.value) });
            kept.order.push_back((since, id, fresh.bytes));
            kept.bytes += fresh.bytes;
        }
        kept.let_go(Instant::now(), self.room);
    }

    fn lock(&self) -> MutexGuard<'_, Kept<K, T>> {
        // Nothing in here can panic half way.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, T> Kept<K, T> {
    /// Forgets what is old, and the oldest where there is more than there is room for.
    fn let_go(&mut self, now: Instant, room: usize) -> &Self {
        while let Some((since, id, bytes)) = self.order.front().copied()
            && (self.bytes > room || now.duration_since(since) >= LIFE)
        {
            self.order.pop_front();
            self.bytes -= bytes;
            if self.all.get(&id).is_some_and(|one| one.since == since) {
                self.all.remove(&id);
            }
        }
        self
    }
}

impl<T> One<T> {
    fn is_old(&self, now: Instant) -> bool {
        now.duration_since(self.since) >= LIFE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(version: Option<i64>, bytes: usize, value: &'static str) -> Fresh<&'static str> {
        Fresh { version, bytes, value: Arc::new(value) }
    }

    fn look(seen: &Seen<u8, &'static str>, wanted: &[(u8, i64)]) -> Vec<Option<&'static str>> {
        seen.get(wanted.iter().copied().map(Some)).into_iter().map(|found| found.as_deref().copied()).collect()
    }

    #[test]
    fn only_the_version_that_was_read_is_shown() {
        let seen = Seen::new(100);
        seen.keep(Instant::now(), [(1, &fresh(Some(7), 10, "a")), (2, &fresh(None, 10, "b"))].into_iter());
        assert_eq!(look(&seen, &[(1, 7), (1, 8), (2, 0), (3, 7)]), [Some("a"), None, None, None]);
        assert!(seen.has(1) && !seen.has(2));
        seen.keep(Instant::now(), [(1, &fresh(Some(8), 10, "c"))].into_iter());
        assert_eq!(look(&seen, &[(1, 7), (1, 8)]), [None, Some("c")]);
        assert_eq!(seen.get([None::<(u8, i64)>].into_iter()).len(), 1);
    }

    #[test]
    fn what_is_old_is_not_shown_and_goes() {
        let seen = Seen::new(100);
        let long_ago = Instant::now().checked_sub(LIFE).expect("the machine has run for so long");
        seen.keep(long_ago, [(1, &fresh(Some(7), 10, "a"))].into_iter());
        assert_eq!(look(&seen, &[(1, 7)]), [None]);
        assert!(seen.is_empty() && !seen.has(1));
        let kept = seen.lock();
        assert_eq!((kept.bytes, kept.order.len()), (0, 0));
    }

    #[test]
    fn the_oldest_go_where_there_is_no_room() {
        let seen = Seen::new(30);
        for number in 0..4 {
            seen.keep(Instant::now(), [(number, &fresh(Some(1), 10, "x"))].into_iter());
        }
        assert_eq!(look(&seen, &[(0, 1), (1, 1), (3, 1)]), [None, Some("x"), Some("x")]);
        // What is replaced counts until it would have gone: many changes of one thing take no more room than many things.
        for version in 0..100 {
            seen.keep(Instant::now(), [(9, &fresh(Some(version), 10, "y"))].into_iter());
        }
        assert_eq!(look(&seen, &[(3, 1), (9, 99)]), [None, Some("y")]);
        let room = |kept: MutexGuard<'_, Kept<_, _>>| (kept.bytes, kept.order.len());
        assert_eq!(room(seen.lock()), (30, 3));
        seen.keep(Instant::now(), [(5, &fresh(Some(1), 31, "too much"))].into_iter());
        assert!(seen.is_empty());
    }
}
