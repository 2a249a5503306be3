//! What is left to do for one target: each tag or manifest once, however often it changed. Nothing is asked and nothing is done here.

use std::collections::{BTreeMap, HashSet};

use tokio::time::Instant;

use super::Change;
use crate::journal::EntryName;

/// Tags and manifests that are in memory. Those beyond are in the store alone until there is room.
const MOST: usize = 10_000;

/// Entries of the store that are known to lead to them.
const MOST_NAMES: usize = 4 * MOST;

/// What is left to do for one tag or manifest.
#[derive(Default)]
struct Work {
    /// Its entries in the store, which are done when it is.
    names: Vec<EntryName>,
    /// Those that were known when somebody began to work on it, while they do.
    begun: Option<Vec<EntryName>>,
    /// Whether it has changed since then: who works on it may not have seen that.
    again: bool,
    failures: u32,
    /// When it is worth to try again.
    not_before: Option<Instant>,
}

/// What is left to do for one target.
#[derive(Default)]
pub(super) struct Queue {
    work: BTreeMap<Change, Work>,
    known: HashSet<EntryName>,
}

impl Queue {
    /// Tags and manifests.
    pub(super) fn len(&self) -> usize {
        self.work.len()
    }

    /// Entries of the store that lead to them.
    pub(super) fn names(&self) -> usize {
        self.known.len()
    }

    pub(super) fn knows(&self, name: &EntryName) -> bool {
        self.known.contains(name)
    }

    pub(super) fn is_full(&self) -> bool {
        self.work.len() >= MOST || self.known.len() >= MOST_NAMES
    }

    /// Takes what has just changed, which is worth a try at once. `false`: there is no room, and it has to be found in the store.
    pub(super) fn add(&mut self, name: Option<EntryName>, change: Change) -> bool {
        if self.is_full() && !self.work.contains_key(&change) {
            return false;
        }
        let work = self.work.entry(change.clone()).or_default();
        (work.again, work.not_before) = (true, None);
        if let Some(name) = name {
            self.found(name, change);
        }
        true
    }

    /// Takes what was found in the store.
    pub(super) fn found(&mut self, name: EntryName, change: Change) {
        let work = self.work.entry(change).or_default();
        if self.known.insert(name.clone()) {
            work.names.push(name);
            work.again = true;
        }
    }

    /// What may be begun now, at most so much. Nobody works on the same twice at a time.
    pub(super) fn due(&self, now: Instant, most: usize) -> Vec<Change> {
        let idle = self.work.iter().filter(|(_, work)| work.begun.is_none());
        let due = idle.filter(|(_, work)| work.not_before.is_none_or(|at| at <= now));
        due.map(|(change, _)| change.clone()).take(most).collect()
    }

    /// When there is something to do again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.work.values().filter_map(|work| work.not_before).min()
    }

    /// Somebody begins to work on something. Whatever changes from here on is done the next time.
    pub(super) fn begin(&mut self, change: &Change) {
        let Some(work) = self.work.get_mut(change) else { return };
        work.begun = Some(std::mem::take(&mut work.names));
        (work.again, work.not_before) = (false, None);
    }

    /// Something that was begun is done. Gives the entries in the store that are done with it.
    pub(super) fn finish(&mut self, change: &Change) -> Vec<EntryName> {
        let Some(work) = self.work.get_mut(change) else { return Vec::new() };
        let names = work.begun.take().unwrap_or_default();
        work.failures = 0;
        if !work.again {
            self.work.remove(change);
        }
        for name in &names {
            self.known.remove(name);
        }
        names
    }

    /// Something failed. Gives how often it did.
    pub(super) fn failed(&mut self, change: &Change) -> u32 {
        let Some(work) = self.work.get_mut(change) else { return 1 };
        work.failures += 1;
        work.failures
    }

    /// Something that was begun is not done, and is not worth a try before then, unless it has changed meanwhile.
    pub(super) fn put_off(&mut self, change: &Change, until: Instant) {
        let Some(work) = self.work.get_mut(change) else { return };
        let newer = std::mem::replace(&mut work.names, work.begun.take().unwrap_or_default());
        work.names.extend(newer);
        work.not_before = (!work.again).then_some(until);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Changed;
    use super::*;

    fn change(tag: &str) -> Change {
        let repository = "team/app".parse().expect("a name");
        Change { repository, what: Changed::Tag(tag.parse().expect("a tag")) }
    }

    fn name(n: usize) -> EntryName {
        EntryName::of(format!("{n:020}-one-00000000"))
    }

    #[test]
    fn a_tag_that_changes_often_is_done_once() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert!(
            queue.add(Some(name(1)), change("a"))
                && queue.add(None, change("b"))
                && queue.add(Some(name(2)), change("a"))
        );
        queue.found(name(1), change("a"));
        assert_eq!((queue.len(), queue.names()), (2, 2));
        assert_eq!(queue.due(now, 10), [change("a"), change("b")]);
        queue.begin(&change("a"));
        assert_eq!(queue.due(now, 10), [change("b")], "somebody works on it");
        assert_eq!((queue.failed(&change("a")), queue.failed(&change("a"))), (1, 2));
        queue.put_off(&change("a"), now + Duration::from_secs(5));
        assert_eq!(queue.due(now, 10), [change("b")]);
        assert_eq!(queue.next(), Some(now + Duration::from_secs(5)));
        assert!(queue.add(None, change("a")), "something new is worth a try");
        assert_eq!(queue.due(now, 1), [change("a")]);
        queue.begin(&change("a"));
        assert_eq!(queue.finish(&change("a")), [name(1), name(2)]);
        assert!(!queue.knows(&name(1)));
        assert_eq!(queue.finish(&change("c")), []);
    }

    #[test]
    fn what_changes_while_it_is_worked_on_is_done_once_more() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let a = change("a");
        assert!(queue.add(Some(name(1)), a.clone()));
        queue.begin(&a);
        assert!(queue.add(Some(name(2)), a.clone()));
        assert!(queue.due(now, 10).is_empty(), "not twice at a time");
        assert_eq!(queue.finish(&a), [name(1)], "who worked on it may not have seen the other one");
        assert!(queue.knows(&name(2)) && !queue.knows(&name(1)));
        assert_eq!(queue.due(now, 10), [change("a")]);
        queue.begin(&a);
        queue.found(name(3), a.clone());
        queue.put_off(&a, now + Duration::from_secs(5));
        assert_eq!(queue.due(now, 10), [change("a")], "what failed is not what it is now");
        queue.begin(&a);
        assert!(queue.add(None, a.clone()), "nothing in the store says that it changed");
        assert_eq!(queue.finish(&a), [name(2), name(3)]);
        assert_eq!(queue.due(now, 10), [change("a")]);
        queue.begin(&a);
        assert!(queue.finish(&a).is_empty());
        assert_eq!((queue.len(), queue.names()), (0, 0));
    }

    #[test]
    fn there_is_never_more_in_memory_than_may_be() {
        let mut queue = Queue::default();
        for n in 0..MOST {
            assert!(queue.add(Some(name(n)), change(&format!("t{n}"))));
        }
        assert!(queue.is_full() && !queue.add(Some(name(MOST)), change("more")));
        assert!(queue.add(Some(name(MOST + 1)), change("t7")), "it is there already");
        queue.begin(&change("t7"));
        queue.finish(&change("t7"));
        assert!(!queue.is_full() && queue.add(Some(name(MOST)), change("more")));
    }
}
