//! A queue that survives: what has to be sent to somebody else stays in the store until it was.
//!
//! Every entry is an object of its own, named by its time and by the process that wrote it, so that any number of processes write into one queue. A
//! process works on what it wrote itself, and on what is left of processes that no longer say that they live. Nothing is sent never; after a crash some of
//! it may be sent twice.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use jeroboam_blobs::{Condition, Error, Freshness, Kind, List, Listed, SharedBlobs};
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::layout::{self, Area};

/// How often a process says that it lives.
pub(crate) const BEAT: Duration = Duration::from_secs(60);

/// After how long without a word a process is taken for dead.
const SILENCE: Duration = Duration::from_secs(5 * 60);

/// Entries of one page.
const PAGE: usize = 1000;

/// Largest entry that is read.
const LARGEST: usize = 16 << 20;

/// The folder of an area in which processes say that they live.
const ALIVE: &str = "@alive";

/// A queue in the store.
pub(crate) struct Journal {
    blobs: SharedBlobs,
    clock: Arc<dyn Clock>,
    area: Area,
    name: String,
    instance: String,
    next: AtomicU64,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("area", &self.area).field("name", &self.name).finish_non_exhaustive()
    }
}

/// The name of an entry. Sorted as they were written, as far as clocks agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryName(String);

impl Journal {
    /// The queue of that name. `instance` is this process's, of letters and digits, and no other's.
    pub(crate) fn new(blobs: SharedBlobs, clock: Arc<dyn Clock>, area: Area, name: &str, instance: &str) -> Self {
        let (name, instance) = (name.to_owned(), instance.to_owned());
        Self { blobs, clock, area, name, instance, next: AtomicU64::new(0) }
    }

    /// Puts something into the queue; it is durable when this returns.
    pub(crate) async fn append(&self, bytes: Bytes) -> Result<EntryName, Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = EntryName(format!("{:020}-{}-{number:08}", self.clock.now().as_microsecond(), self.instance));
        self.blobs.put(&self.path(&name), bytes, Condition::Always).await?;
        Ok(name)
    }

    /// What an entry says; `None` where somebody was faster.
    pub(crate) async fn read(&self, name: &EntryName) -> Result<Option<Bytes>, Error> {
        read_small(&self.blobs, &self.path(name), LARGEST).await
    }

    /// Takes entries out of the queue.
    pub(crate) async fn remove(&self, names: &[EntryName]) -> Result<(), Error> {
        let paths: Vec<_> = names.iter().map(|name| self.path(name)).collect();
        if paths.is_empty() { Ok(()) } else { self.blobs.delete(&paths).await }
    }

    /// Says that this process lives.
    pub(crate) async fn beat(&self) -> Result<(), Error> {
        let path = layout::own(self.area, &[ALIVE, &self.instance]);
        self.blobs.put(&path, Bytes::from_static(b"alive"), Condition::Always).await.map(|_| ())
    }

    /// Says that this process ends: others may work on what it leaves at once.
    pub(crate) async fn leave(&self) -> Result<(), Error> {
        self.blobs.delete(&[layout::own(self.area, &[ALIVE, &self.instance])]).await
    }

    /// The entries that this process is to work on, at most so many, oldest first.
    pub(crate) async fn pending(&self, limit: usize) -> Result<Vec<EntryName>, Error> {
        let mut found = Vec::new();
        let mut alive: BTreeMap<String, bool> = BTreeMap::from([(self.instance.clone(), false)]);
        let mut after = None;
        loop {
            let (names, next) = self.page(after.as_deref()).await?;
            for name in names {
                let instance = name.instance().to_owned();
                let others = match alive.get(&instance) {
                    Some(alive) => *alive,
                    None => {
                        let lives = self.lives(&instance).await?;
                        alive.insert(instance, lives);
                        lives
                    }
                };
                if !others {
                    found.push(name);
                }
                if found.len() == limit {
                    return Ok(found);
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }

    async fn page(&self, after: Option<&str>) -> Result<(Vec<EntryName>, Option<String>), Error> {
        let prefix = format!("{}/", layout::own(self.area, &[&self.name]));
        let page = self.blobs.list(List { prefix: &prefix, after, folders: false, limit: PAGE }).await?;
        let names = page.items.iter().filter_map(|item| match item {
            Listed::Object { path, .. } => path.strip_prefix(&prefix).map(|name| EntryName(name.to_owned())),
            Listed::Folder { .. } => None,
        });
        Ok((names.collect(), page.next))
    }

    async fn lives(&self, instance: &str) -> Result<bool, Error> {
        let path = layout::own(self.area, &[ALIVE, instance]);
        let Some(meta) = self.blobs.head(&path, Freshness::Newest).await? else { return Ok(false) };
        let heard = |at: Timestamp| self.clock.now().duration_since(at).unsigned_abs() < SILENCE;
        // Where a store has no times, nobody is taken for dead while their word stands there.
        Ok(meta.modified.is_none_or(heard))
    }

    fn path(&self, name: &EntryName) -> String {
        layout::own(self.area, &[&self.name, &name.0])
    }
}

impl EntryName {
    #[cfg(test)]
    pub(crate) fn of(text: String) -> Self {
        Self(text)
    }

    fn instance(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }
}

/// Reads a small object whole; `None` where there is none.
pub(crate) async fn read_small(blobs: &SharedBlobs, path: &str, most: usize) -> Result<Option<Bytes>, Error> {
    let Some(object) = blobs.read(path, None, Freshness::Newest).await? else { return Ok(None) };
    let mut body = object.body;
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.try_next().await? {
        if bytes.len() + piece.len() > most {
            return Err(Error::new(Kind::Broken, format!("read {path}: it has more than {most} bytes")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes.freeze()))
}

#[cfg(test)]
mod tests {
    use jeroboam_blobs::Memory;
    use jeroboam_model::ManualClock;

    use super::*;

    #[tokio::test]
    async fn a_process_takes_its_own_entries_and_those_of_the_dead() {
        let clock = Arc::new(ManualClock::at("2026-11-22T00:00:00Z".parse().expect("a time")));
        let blobs: SharedBlobs = Arc::new(Memory::new(clock.clone()));
        let journal = |instance| Journal::new(blobs.clone(), clock.clone(), Area::Events, "end/point", instance);
        let (one, other) = (journal("one"), journal("other"));
        one.beat().await.expect("it beats");
        other.beat().await.expect("it beats");
        let first = one.append(Bytes::from_static(b"1")).await.expect("it is kept");
        clock.advance(Duration::from_secs(1));
        let second = other.append(Bytes::from_static(b"2")).await.expect("it is kept");
        assert_eq!(one.pending(10).await.expect("a list"), std::slice::from_ref(&first));
        assert_eq!(other.pending(10).await.expect("a list"), std::slice::from_ref(&second));

        clock.advance(SILENCE);
        other.beat().await.expect("it beats");
        assert_eq!(other.pending(10).await.expect("a list"), [first.clone(), second.clone()], "one is silent");
        assert_eq!(other.pending(1).await.expect("a list"), std::slice::from_ref(&first));
        assert_eq!(other.read(&first).await.expect("it is read").as_deref(), Some(&b"1"[..]));
        other.remove(std::slice::from_ref(&first)).await.expect("it is removed");
        assert_eq!(other.read(&first).await.expect("it is read"), None);
        assert_eq!(other.pending(10).await.expect("a list"), [second]);
    }
}
