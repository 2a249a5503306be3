//! What a namespace has, and what pushes that are under way want besides. No I/O here, and no waiting.
//!
//! What was counted from a listing takes the place of what was known; what this process changed since the listing began is then noted once more, in
//! its order. So a count and pushes do not get in each other's way.
//!
//! An unfinished upload counts with what it holds, but for the time in which a request works on it: the request takes room for all of it then.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use jeroboam_oci::{RepositoryName, Tag, UploadId};
use tokio::time::Instant;

use super::tally::{Key, Link, Tally};
use crate::page::shown;

/// How long changes are remembered for a count that is under way.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// Most changes that are; of more, the next count knows.
const MOST: usize = 50_000;

/// Something that changed.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Linked(RepositoryName, Link, Key, u64),
    Unlinked(RepositoryName, Link, Key),
    Tagged(RepositoryName, Tag),
    Untagged(RepositoryName, Tag),
    /// An unfinished upload holds so many bytes; none, once it is over.
    Upload(UploadId, u64),
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Bytes.
    Bytes,
    /// Tags.
    Tags,
}

/// There is no room for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Of what.
    pub counted: Counted,
    /// So many there are.
    pub used: u64,
    /// So many there may be.
    pub limit: u64,
    /// So many were wanted besides.
    pub wanted: u64,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.counted {
            Counted::Bytes => {
                let (used, limit, wanted) = (shown(self.used), shown(self.limit), shown(self.wanted));
                write!(f, "has {used} of {limit}, and this needs {wanted} more")
            }
            Counted::Tags => write!(f, "has {} of {} tags, and this needs one more", self.used, self.limit),
        }
    }
}

/// What a namespace may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) bytes: Option<u64>,
    pub(super) tags: Option<u64>,
}

/// What a namespace has, and what pushes want besides.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    limit: Limit,
    tally: Tally,
    /// Blobs that are being pushed, and by which pushes: each counts once.
    blobs: HashMap<Key, (u64, Vec<u64>)>,
    tags: HashMap<(RepositoryName, Tag), Vec<u64>>,
    /// Bytes that are being pushed, those of uploads that have no digest yet included.
    bytes: u64,
    /// Uploads that requests work on, with the bytes that each held before. None of them is in the tally.
    at_work: HashMap<UploadId, u64>,
    log: VecDeque<(Instant, Change)>,
}

impl Ledger {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// A push wants to give the namespace a blob. One that it has, or that another push is giving it, needs no room.
    pub(super) fn want_blob(&mut self, push: u64, key: Key, size: u64) -> Result<(), Full> {
        if self.tally.has(&key) {
            return Ok(());
        }
        if let Some((_, by)) = self.blobs.get_mut(&key) {
            by.push(push);
            return Ok(());
        }
        self.want_bytes(size)?;
        self.blobs.insert(key, (size, vec![push]));
        Ok(())
    }

    /// A push wants room for bytes whose digest nobody knows yet.
    pub(super) fn want_bytes(&mut self, more: u64) -> Result<(), Full> {
        let used = self.tally.bytes() + self.bytes;
        if let Some(limit) = self.limit.bytes.filter(|limit| used.saturating_add(more) > *limit) {
            return Err(Full { counted: Counted::Bytes, used, limit, wanted: more });
        }
        self.bytes += more;
        Ok(())
    }

    /// A push wants to give a repository a tag. One that is there is only moved.
    pub(super) fn want_tag(&mut self, push: u64, repository: &RepositoryName, tag: &Tag) -> Result<(), Full> {
        if self.tally.has_tag(repository, tag) {
            return Ok(());
        }
        let named = (repository.clone(), tag.clone());
        if let Some(by) = self.tags.get_mut(&named) {
            by.push(push);
            return Ok(());
        }
        let used = self.tally.tags() + self.tags.len() as u64;
        if let Some(limit) = self.limit.tags.filter(|limit| used >= *limit) {
            return Err(Full { counted: Counted::Tags, used, limit, wanted: 1 });
        }
        self.tags.insert(named, vec![push]);
        Ok(())
    }

    /// Whether not even one byte more would find room.
    pub(super) fn is_full(&self) -> Result<(), Full> {
        let used = self.tally.bytes() + self.bytes;
        match self.limit.bytes.filter(|limit| used >= *limit) {
            Some(limit) => Err(Full { counted: Counted::Bytes, used, limit, wanted: 1 }),
            None => Ok(()),
        }
    }

    /// A push has ended, well or not. What it brought was noted before.
    pub(super) fn release_blob(&mut self, push: u64, key: &Key) {
        let Some((size, by)) = self.blobs.get_mut(key) else { return };
        by.retain(|other| *other != push);
        if by.is_empty() {
            self.bytes -= *size;
            self.blobs.remove(key);
        }
    }

    pub(super) fn release_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn release_tag(&mut self, push: u64, repository: &RepositoryName, tag: &Tag) {
        let named = (repository.clone(), tag.clone());
        let Some(by) = self.tags.get_mut(&named) else { return };
        by.retain(|other| *other != push);
        if by.is_empty() {
            self.tags.remove(&named);
        }
    }

    /// A request begins to work on an upload that holds so many bytes, and will take room for them itself.
    pub(super) fn resume_upload(&mut self, id: &UploadId, bytes: u64) {
        self.tally.upload(id, 0);
        self.at_work.insert(id.clone(), bytes);
    }

    /// No request works on an upload any more: it holds so many bytes until one does again.
    pub(super) fn rest_upload(&mut self, now: Instant, id: &UploadId, bytes: u64) {
        let before = self.at_work.remove(id).unwrap_or_default();
        // Most uploads come in one request, and nobody has to remember anything of them.
        if before > 0 || bytes > 0 {
            self.note(now, Change::Upload(id.clone(), bytes));
        }
    }

    /// Notes what has changed.
    pub(super) fn note(&mut self, now: Instant, change: Change) {
        self.apply(&change);
        while self.log.len() >= MOST || self.log.front().is_some_and(|(noted, _)| now - *noted > REMEMBERED) {
            self.log.pop_front();
        }
        self.log.push_back((now, change));
    }

    /// Takes what was counted for what there is; what was changed since then is noted once more.
    pub(super) fn replace(&mut self, counted: Tally, since: Instant) {
        self.tally = counted;
        let log = std::mem::take(&mut self.log);
        for (_, change) in log.iter().filter(|(noted, _)| *noted >= since) {
            self.apply(change);
        }
        self.log = log;
        let here: Vec<Key> = self.blobs.keys().filter(|key| self.tally.has(key)).copied().collect();
        here.iter().for_each(|key| self.arrived(key));
        self.at_work.keys().for_each(|id| self.tally.upload(id, 0));
        self.tags.retain(|(repository, tag), _| !self.tally.has_tag(repository, tag));
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Linked(repository, link, key, size) => {
                self.tally.link(repository, *link, *key, *size);
                self.arrived(key);
            }
            Change::Unlinked(repository, link, key) => self.tally.unlink(repository, *link, key),
            Change::Tagged(repository, tag) => {
                self.tally.tag(repository, tag.clone());
                self.tags.remove(&(repository.clone(), tag.clone()));
            }
            Change::Untagged(repository, tag) => self.tally.untag(repository, tag),
            Change::Upload(id, bytes) => self.tally.upload(id, *bytes),
        }
    }

    /// What is there is not counted a second time for those who bring it.
    fn arrived(&mut self, key: &Key) {
        if let Some((size, _)) = self.blobs.remove(key) {
            self.bytes -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use jeroboam_oci::Digest;

    use super::super::tally::key;
    use super::*;

    fn name(text: &str) -> RepositoryName {
        text.parse().expect("a name")
    }

    fn blob(text: &str) -> Key {
        key(&Digest::sha256(text.as_bytes()))
    }

    fn ledger() -> Ledger {
        Ledger::new(Limit { bytes: Some(100), tags: Some(2) })
    }

    fn linked(text: &str, size: u64) -> Change {
        Change::Linked(name("team/a"), Link::Layer, blob(text), size)
    }

    #[tokio::test]
    async fn pushes_at_the_same_moment_do_not_share_the_same_room() {
        let mut ledger = ledger();
        ledger.want_blob(1, blob("a"), 60).expect("room");
        let full = Full { counted: Counted::Bytes, used: 60, limit: 100, wanted: 60 };
        assert_eq!(ledger.want_blob(2, blob("b"), 60), Err(full));
        ledger.want_blob(2, blob("a"), 60).expect("the same blob needs no more");
        ledger.release_blob(1, &blob("a"));
        assert_eq!(ledger.want_blob(3, blob("b"), 60), Err(full), "the other one still brings it");
        ledger.release_blob(2, &blob("a"));
        ledger.want_blob(3, blob("b"), 60).expect("both were given up");
    }

    #[tokio::test]
    async fn what_arrived_counts_once() {
        let mut ledger = ledger();
        let now = Instant::now();
        ledger.want_blob(1, blob("a"), 60).expect("room");
        ledger.want_blob(2, blob("a"), 60).expect("room");
        ledger.note(now, linked("a", 60));
        ledger.want_blob(3, blob("b"), 40).expect("there are 40 left");
        ledger.release_blob(1, &blob("a"));
        ledger.release_blob(2, &blob("a"));
        assert!(ledger.is_full().is_err());
        ledger.note(now, Change::Unlinked(name("team/a"), Link::Layer, blob("a")));
        ledger.want_bytes(60).expect("it went");
        ledger.release_bytes(60);
        ledger.release_blob(3, &blob("b"));
        ledger.want_blob(4, blob("c"), 100).expect("nothing is left over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_and_what_changed_meanwhile_add_up() {
        let mut ledger = ledger();
        ledger.note(Instant::now(), linked("old", 10));
        tokio::time::advance(Duration::from_secs(1)).await;
        let began = Instant::now();
        // Another process deleted `old` and pushed `other`; this one pushes and deletes while the listing is read.
        let mut counted = Tally::default();
        counted.link(&name("team/b"), Link::Layer, blob("other"), 20);
        counted.link(&name("team/a"), Link::Layer, blob("deleted"), 30);
        ledger.want_blob(1, blob("new"), 5).expect("room");
        ledger.note(began, linked("new", 5));
        ledger.note(began, Change::Unlinked(name("team/a"), Link::Layer, blob("deleted")));
        ledger.want_blob(2, blob("other"), 20).expect("room");
        ledger.replace(counted, began);
        assert_eq!(ledger.tally().bytes(), 25);
        ledger.want_bytes(75).expect("what another brought as well is not counted twice");
        assert!(ledger.is_full().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_counts_until_it_is_over_and_never_twice() {
        let (mut ledger, id) = (ledger(), UploadId::of_random([1; 16]));
        ledger.resume_upload(&id, 0);
        ledger.want_bytes(60).expect("room");
        ledger.release_bytes(60);
        ledger.rest_upload(Instant::now(), &id, 60);
        let full = Full { counted: Counted::Bytes, used: 60, limit: 100, wanted: 60 };
        assert_eq!(ledger.want_bytes(60), Err(full), "it stays between two requests");

        tokio::time::advance(Duration::from_secs(1)).await;
        ledger.resume_upload(&id, 60);
        ledger.want_bytes(60).expect("it has its own room");
        // A count sees it in the store meanwhile.
        let counted = || {
            let mut counted = Tally::default();
            counted.upload(&id, 60);
            counted
        };
        ledger.replace(counted(), Instant::now());
        ledger.want_bytes(40).expect("it does not count a second time");
        assert!(ledger.is_full().is_err());

        let began = Instant::now();
        ledger.note(began, linked("a", 100));
        ledger.release_bytes(100);
        ledger.rest_upload(began, &id, 0);
        // That of a count which began before it was over.
        ledger.replace(counted(), began);
        assert_eq!(ledger.tally().bytes(), 100);
        // Another process goes on with it, and it is not over there.
        tokio::time::advance(Duration::from_secs(1)).await;
        ledger.replace(counted(), Instant::now());
        assert_eq!(ledger.tally().bytes(), 60);
    }

    #[tokio::test]
    async fn a_tag_that_is_moved_needs_no_room() {
        let mut ledger = ledger();
        let tags: Vec<Tag> = ["v1", "v2", "v3"].map(|tag| tag.parse().expect("a tag")).into();
        ledger.want_tag(1, &name("a"), &tags[0]).expect("room");
        ledger.note(Instant::now(), Change::Tagged(name("a"), tags[0].clone()));
        ledger.release_tag(1, &name("a"), &tags[0]);
        ledger.want_tag(2, &name("a"), &tags[1]).expect("room");
        ledger.want_tag(3, &name("a"), &tags[1]).expect("the same tag");
        let full = Full { counted: Counted::Tags, used: 2, limit: 2, wanted: 1 };
        assert_eq!(ledger.want_tag(4, &name("b"), &tags[1]), Err(full), "that of another repository is another");
        ledger.want_tag(4, &name("a"), &tags[0]).expect("it is there");
        ledger.release_tag(2, &name("a"), &tags[1]);
        ledger.release_tag(3, &name("a"), &tags[1]);
        ledger.want_tag(5, &name("a"), &tags[2]).expect("that was given up");
    }
}
