//! The one memory of the sandbox: JSON documents by collection and id, a revision that only grows, a bounded history of
//! changes, and a journal that survives a restart. It knows nothing of OpenStack or Kubernetes.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::journal::Journal;

/// How many changes are remembered for those who follow; older ones are gone, as in etcd after a compaction.
const HISTORY: usize = 20_000;

/// A document, shared rather than copied.
pub type Document = Arc<Value>;

/// One document was put or removed.
#[derive(Clone, Debug)]
pub struct Change {
    /// The revision this change made.
    pub revision: u64,
    /// The collection of the document.
    pub collection: Arc<str>,
    /// The id of the document within its collection.
    pub id: Arc<str>,
    /// The document before, if there was one.
    pub before: Option<Document>,
    /// The document after, unless it was removed.
    pub after: Option<Document>,
}

/// The revision asked for is older than the history that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision {asked} is no longer remembered, the oldest is {oldest}")]
pub struct Forgotten {
    /// What was asked for.
    pub asked: u64,
    /// The oldest revision that can still be followed from.
    pub oldest: u64,
}

/// Cloneable handle on all documents of the sandbox.
#[derive(Clone, Debug)]
pub struct State {
    inner: Arc<Mutex<Inner>>,
    signal: Arc<watch::Sender<u64>>,
}

#[derive(Debug)]
struct Inner {
    collections: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Document>>,
    revision: u64,
    history: VecDeque<Change>,
    journal: Option<Journal>,
}

// === impl State ===

impl State {
    /// A state that is forgotten with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::from_parts(BTreeMap::new(), 0, None)
    }

    /// The state kept in `dir`, which is made if missing; `fresh` forgets what it held.
    ///
    /// # Errors
    /// When the directory or its journal cannot be read or written, or a line other than the last is damaged.
    pub fn open(dir: &Path, fresh: bool) -> io::Result<Self> {
        let (journal, loaded) = Journal::open(dir, fresh)?;
        let mut collections: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Document>> = BTreeMap::new();
        for (collection, id, document) in loaded.documents {
            collections.entry(collection.into()).or_default().insert(id.into(), Arc::new(document));
        }
        Ok(Self::from_parts(collections, loaded.revision, Some(journal)))
    }

    fn from_parts(
        collections: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Document>>,
        revision: u64,
        journal: Option<Journal>,
    ) -> Self {
        let inner = Inner { collections, revision, history: VecDeque::new(), journal };
        Self { inner: Arc::new(Mutex::new(inner)), signal: Arc::new(watch::Sender::new(revision)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The document, if there is one.
    #[must_use]
    pub fn get(&self, collection: &str, id: &str) -> Option<Document> {
        self.lock().get(collection, id)
    }

    /// All documents of a collection by id, in the order of their ids.
    #[must_use]
    pub fn list(&self, collection: &str) -> Vec<(Arc<str>, Document)> {
        self.lock().list(collection, "")
    }

    /// The documents whose id begins with `prefix`, in the order of their ids, and the revision they are of.
    #[must_use]
    pub fn list_prefix(&self, collection: &str, prefix: &str) -> (Vec<(Arc<str>, Document)>, u64) {
        let inner = self.lock();
        (inner.list(collection, prefix), inner.revision)
    }

    /// How many documents a collection has.
    #[must_use]
    pub fn count(&self, collection: &str) -> usize {
        self.lock().collections.get(collection).map_or(0, BTreeMap::len)
    }

    /// The names of all collections that hold something.
    #[must_use]
    pub fn collections(&self) -> Vec<Arc<str>> {
        self.lock().collections.keys().cloned().collect()
    }

    /// Puts one document; returns the revision that made.
    pub fn put(&self, collection: &str, id: &str, document: Value) -> u64 {
        self.write(|writer| writer.put(collection, id, document))
    }

    /// Removes one document; returns what it was.
    pub fn remove(&self, collection: &str, id: &str) -> Option<Document> {
        self.write(|writer| writer.remove(collection, id))
    }

    /// Changes one document in place; returns it as it is afterwards, `None` when there is none.
    pub fn update(&self, collection: &str, id: &str, change: impl FnOnce(&mut Value)) -> Option<Document> {
        self.write(|writer| {
            let mut document = Value::clone(&*writer.get(collection, id)?);
            change(&mut document);
            writer.put(collection, id, document);
            writer.get(collection, id)
        })
    }

    /// Runs several reads and writes as one step: nobody sees half of it, and the journal holds all of it or nothing.
    pub fn write<R>(&self, step: impl FnOnce(&mut Writer<'_>) -> R) -> R {
        let mut inner = self.lock();
        let before = inner.revision;
        let mut writer = Writer { inner: &mut inner, changes: Vec::new() };
        let result = step(&mut writer);
        let changes = writer.changes;
        if inner.revision != before {
            inner.commit(&changes);
            let revision = inner.revision;
            drop(inner);
            self.signal.send_modify(|last| *last = (*last).max(revision));
        }
        result
    }

    /// Runs a step and undoes it: what would it have come to?
    pub fn rehearse<R>(&self, step: impl FnOnce(&mut Writer<'_>) -> R) -> R {
        let mut inner = self.lock();
        let before = inner.revision;
        let mut writer = Writer { inner: &mut inner, changes: Vec::new() };
        let result = step(&mut writer);
        for change in writer.changes.into_iter().rev() {
            match change.before {
                Some(document) => {
                    inner.collections.entry(change.collection).or_default().insert(change.id, document);
                }
                None => {
                    let documents = inner.collections.get_mut(&change.collection);
                    let is_empty = documents.is_some_and(|documents| {
                        documents.remove(&change.id);
                        documents.is_empty()
                    });
                    if is_empty {
                        inner.collections.remove(&change.collection);
                    }
                }
            }
        }
        inner.revision = before;
        result
    }

    /// The revision of the last change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Every change after `revision`, oldest first.
    ///
    /// # Errors
    /// [`Forgotten`] when some of them are no longer kept: read everything again.
    pub fn changes_since(&self, revision: u64) -> Result<Vec<Change>, Forgotten> {
        let inner = self.lock();
        let oldest = inner.oldest();
        if revision < oldest {
            return Err(Forgotten { asked: revision, oldest });
        }
        let skip = usize::try_from(revision - oldest).unwrap_or(usize::MAX);
        Ok(inner.history.iter().skip(skip).cloned().collect())
    }

    /// Forgets the history, so that everybody who follows has to read again (a fault one can ask for).
    pub fn forget_history(&self) {
        self.lock().history.clear();
    }

    /// Told the newest revision whenever something changed.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.signal.subscribe()
    }

    /// A copy of everything, for comparing before and after.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, BTreeMap<String, Value>> {
        let inner = self.lock();
        let copy = |documents: &BTreeMap<Arc<str>, Document>| {
            documents.iter().map(|(id, document)| (id.to_string(), Value::clone(document))).collect()
        };
        inner.collections.iter().map(|(name, documents)| (name.to_string(), copy(documents))).collect()
    }
}

/// The reads and writes of one step.
#[derive(Debug)]
pub struct Writer<'a> {
    inner: &'a mut Inner,
    changes: Vec<Change>,
}

// === impl Writer ===

impl Writer<'_> {
    /// The document, if there is one, with this step's own writes.
    #[must_use]
    pub fn get(&self, collection: &str, id: &str) -> Option<Document> {
        self.inner.get(collection, id)
    }

    /// The documents whose id begins with `prefix`, with this step's own writes.
    #[must_use]
    pub fn list_prefix(&self, collection: &str, prefix: &str) -> Vec<(Arc<str>, Document)> {
        self.inner.list(collection, prefix)
    }

    /// The names of all collections that begin with `prefix`.
    #[must_use]
    pub fn collections(&self, prefix: &str) -> Vec<Arc<str>> {
        self.inner.collections.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }

    /// The revision that the next put or remove of this step makes.
    #[must_use]
    pub fn next_revision(&self) -> u64 {
        self.inner.revision + 1
    }

    /// Puts a document, also over an old one; returns the revision that made.
    pub fn put(&mut self, collection: &str, id: &str, document: Value) -> u64 {
        let document = Arc::new(document);
        let (name, key) = self.inner.names(collection, id);
        let before = self
            .inner
            .collections
            .entry(Arc::clone(&name))
            .or_default()
            .insert(Arc::clone(&key), Arc::clone(&document));
        self.note(name, key, before, Some(document))
    }

    /// Removes a document; returns what it was.
    pub fn remove(&mut self, collection: &str, id: &str) -> Option<Document> {
        let (name, key) = self.inner.names(collection, id);
        let documents = self.inner.collections.get_mut(&name)?;
        let before = documents.remove(&key)?;
        if documents.is_empty() {
            self.inner.collections.remove(&name);
        }
        self.note(name, key, Some(Arc::clone(&before)), None);
        Some(before)
    }

    fn note(&mut self, collection: Arc<str>, id: Arc<str>, before: Option<Document>, after: Option<Document>) -> u64 {
        self.inner.revision += 1;
        let revision = self.inner.revision;
        self.changes.push(Change { revision, collection, id, before, after });
        revision
    }
}

// === impl Inner ===

impl Inner {
    fn get(&self, collection: &str, id: &str) -> Option<Document> {
        self.collections.get(collection)?.get(id).cloned()
    }

    fn list(&self, collection: &str, prefix: &str) -> Vec<(Arc<str>, Document)> {
        let Some(documents) = self.collections.get(collection) else { return Vec::new() };
        let from = documents.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        from.take_while(|(id, _)| id.starts_with(prefix)).map(|(id, document)| (id.clone(), document.clone())).collect()
    }

    /// The names as they are already stored, so that a thousand changes share one string.
    fn names(&self, collection: &str, id: &str) -> (Arc<str>, Arc<str>) {
        match self.collections.get_key_value(collection) {
            Some((name, documents)) => {
                let key = documents.get_key_value(id).map_or_else(|| id.into(), |(key, _)| Arc::clone(key));
                (Arc::clone(name), key)
            }
            None => (collection.into(), id.into()),
        }
    }

    /// The revision from which all later changes are still known.
    fn oldest(&self) -> u64 {
        self.revision - self.history.len() as u64
    }

    fn commit(&mut self, changes: &[Change]) {
        self.history.extend(changes.iter().cloned());
        while self.history.len() > HISTORY {
            self.history.pop_front();
        }
        let Some(journal) = &mut self.journal else { return };
        let written = journal.append(self.revision, changes).and_then(|()| {
            if journal.wants_compaction(self.collections.values().map(BTreeMap::len).sum()) {
                let all = self.collections.iter().flat_map(|(name, documents)| {
                    documents.iter().map(move |(id, document)| (&**name, &**id, &**document))
                });
                journal.compact(self.revision, all)?;
            }
            Ok(())
        });
        if let Err(error) = written {
            tracing::error!(error = %error, "the sandbox could not write its journal; a restart will not know this change");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_followed_in_order_and_forgotten_ones_are_refused() {
        let state = State::in_memory();
        state.put("server", "a", json!({"name": "a"}));
        let seen = state.revision();
        state.put("server", "a", json!({"name": "b"}));
        state.remove("server", "a");
        let changes = state.changes_since(seen).unwrap();
        assert_eq!(changes.iter().map(|change| change.revision).collect::<Vec<_>>(), vec![seen + 1, seen + 2]);
        assert_eq!(changes[1].before.as_deref(), Some(&json!({"name": "b"})));
        assert!(changes[1].after.is_none());
        state.forget_history();
        assert!(state.changes_since(state.revision()).unwrap().is_empty());
        assert_eq!(state.changes_since(seen).unwrap_err().oldest, state.revision());
    }

    #[test]
    fn empty_collections_disappear() {
        let state = State::in_memory();
        let before = state.snapshot();
        state.put("server", "a", json!({}));
        state.remove("server", "a");
        assert_eq!(state.snapshot(), before);
    }

    #[test]
    fn a_prefix_lists_only_its_own() {
        let state = State::in_memory();
        for id in ["a/1", "a/2", "ab/1", "b/1"] {
            state.put("c", id, json!(id));
        }
        let (found, _) = state.list_prefix("c", "a/");
        assert_eq!(found.iter().map(|(id, _)| &**id).collect::<Vec<_>>(), ["a/1", "a/2"]);
    }

    #[test]
    fn a_restart_finds_everything_and_a_torn_last_line_hurts_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path(), false).unwrap();
        state.put("server", "a", json!({"n": 1}));
        state.write(|writer| {
            writer.put("server", "b", json!({"n": 2}));
            writer.put("port", "p", json!({"n": 3}));
        });
        state.remove("server", "a");
        let (snapshot, revision) = (state.snapshot(), state.revision());
        drop(state);
        let journal = dir.path().join("state.jsonl");
        let mut text = std::fs::read(&journal).unwrap();
        text.extend_from_slice(br#"{"revision":99,"changes":[["server","c",{"n""#);
        std::fs::write(&journal, text).unwrap();
        for _ in 0..2 {
            let again = State::open(dir.path(), false).unwrap();
            assert_eq!((again.snapshot(), again.revision()), (snapshot.clone(), revision));
        }
        assert!(State::open(dir.path(), true).unwrap().snapshot().is_empty());
    }

    #[test]
    fn compaction_keeps_what_there_is() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path(), false).unwrap();
        for n in 0..5_000 {
            state.put("server", "a", json!({"n": n}));
        }
        let length = std::fs::metadata(dir.path().join("state.jsonl")).unwrap().len();
        assert!(length < 150_000, "the journal of one document has {length} bytes");
        let (snapshot, revision) = (state.snapshot(), state.revision());
        drop(state);
        let again = State::open(dir.path(), false).unwrap();
        assert_eq!((again.snapshot(), again.revision()), (snapshot, revision));
    }
}
