//! What replicas that lag behind show: listings without what is new and with what is gone, and former bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use jeroboam_model::Timestamp;

use super::Chance;
use crate::listing::Line;
use crate::{Error, Freshness, Kind, List, Listed, Object, ObjectMeta, Result, SharedBlobs};

/// What was changed of late.
pub(super) struct Lag {
    longest: u64,
    chance: Chance,
    now: u64,
    changes: BTreeMap<String, Change>,
}

struct Change {
    /// Until this call others see what was before.
    until: u64,
    old: Option<Old>,
}

/// An object as it was.
#[derive(Clone)]
pub(super) struct Old {
    bytes: Bytes,
    modified: Option<Timestamp>,
}

/// An object of a listing, owned.
pub(super) struct Seen {
    path: String,
    size: u64,
    modified: Option<Timestamp>,
}

impl Lag {
    pub(super) fn new(longest: u64, chance: Chance) -> Self {
        Self { longest, chance, now: 0, changes: BTreeMap::new() }
    }

    pub(super) fn tick(&mut self) {
        self.now += 1;
        let now = self.now;
        self.changes.retain(|_, change| change.until > now);
    }

    /// Something is at `path` that was `old` before.
    pub(super) fn changed(&mut self, path: &str, old: Option<Old>) {
        let until = self.now + self.chance.below(self.longest + 1);
        // Who did not see the former change yet does not see this one either.
        let before = self.changes.remove(path);
        let old = before.map_or(old, |before| before.old);
        self.changes.insert(path.to_owned(), Change { until, old });
    }

    /// The former object, if this reader happens to meet a replica that still has it. What is new is seen at once, as in Swift.
    pub(super) fn old(&mut self, path: &str) -> Option<Old> {
        let old = self.changes.get(path)?.old.clone()?;
        (self.chance.below(2) == 0).then_some(old)
    }

    /// The listing as it is seen late.
    pub(super) fn as_seen(&self, mut lines: Vec<Seen>, prefix: &str) -> Vec<Seen> {
        lines.retain(|line| !self.changes.contains_key(&line.path));
        for (path, change) in self.changes.iter().filter(|(path, _)| path.starts_with(prefix)) {
            if let Some(old) = &change.old {
                lines.push(Seen { path: path.clone(), size: old.bytes.len() as u64, modified: old.modified });
            }
        }
        lines.sort_by(|a, b| a.path.cmp(&b.path));
        lines
    }
}

impl Old {
    pub(super) async fn read(inner: &SharedBlobs, path: &str) -> Result<Option<Self>> {
        let Some(object) = inner.read(path, None, Freshness::Newest).await? else { return Ok(None) };
        let modified = object.meta.modified;
        let collect = |mut bytes: BytesMut, piece: Bytes| async move {
            bytes.extend_from_slice(&piece);
            Ok(bytes)
        };
        let bytes = object.body.try_fold(BytesMut::new(), collect).await?;
        Ok(Some(Self { bytes: bytes.freeze(), modified }))
    }

    pub(super) fn meta(&self) -> ObjectMeta {
        ObjectMeta { size: self.bytes.len() as u64, modified: self.modified }
    }

    pub(super) fn object(&self, range: Option<Range<u64>>) -> Result<Object> {
        let meta = self.meta();
        let range = range.unwrap_or(0..meta.size);
        if range.start > range.end || range.end > meta.size {
            return Err(Error::new(Kind::Misuse, "read behind the end of what was overwritten"));
        }
        let bytes = self.bytes.slice(range.start as usize..range.end as usize);
        Ok(Object { meta, note: None, body: futures::stream::iter([Ok(bytes)]).boxed() })
    }
}

/// All objects below a prefix as they are.
pub(super) async fn all_below(inner: &SharedBlobs, prefix: &str) -> Result<Vec<Seen>> {
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let what = List { prefix, after: after.as_deref(), folders: false, limit: 1000 };
        let page = inner.list(what).await?;
        lines.extend(page.items.into_iter().filter_map(|item| match item {
            Listed::Object { path, size, modified } => Some(Seen { path, size, modified }),
            Listed::Folder { .. } => None,
        }));
        after = page.next;
        if after.is_none() {
            return Ok(lines);
        }
    }
}

pub(super) fn line(seen: &Seen) -> Line<'_> {
    (&seen.path, seen.size, seen.modified)
}
