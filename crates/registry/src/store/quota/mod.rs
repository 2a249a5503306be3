//! Quotas: how many bytes and tags the repositories of a namespace may have together.
//!
//! What a namespace has is counted once from a listing, and then kept by every change that this process makes; a push takes its room before its bytes do. Other
//! processes change the same store, so it is counted anew from time to time, and always before somebody is refused. A blob counts once for a namespace,
//! however many of its repositories have it, and until the last of them has let go of it. What an unfinished upload holds counts until the upload is over.

mod count;
mod ledger;
mod namespace;
mod tally;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use jeroboam_oci::{Digest, RepositoryName, Tag, UploadId};
use moka::sync::Cache;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Result, StoreError};
use crate::config::{Prefix, QuotaRule};
use ledger::{Change, Ledger, Limit};
use namespace::{Counters, Namespace};
use tally::{Key, key};

pub use ledger::{Counted, Full};
pub(super) use tally::Link;

/// Namespaces of rules that are about each of many, as long as somebody pushes into them.
const NAMESPACES: u64 = 10_000;
const KNOWN: Duration = Duration::from_secs(3600);

/// The quotas of a store.
pub(super) struct Quotas {
    /// Namespaces that are named.
    named: Vec<Arc<Namespace>>,
    /// Rules about each namespace below a prefix that is not named.
    each: Vec<QuotaRule>,
    found: Cache<(usize, String), Arc<Namespace>>,
    counters: Counters,
    pushes: AtomicU64,
}

/// What a namespace has and may have, for whoever looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaView {
    /// Its name; empty of the whole registry.
    pub namespace: String,
    /// So many bytes it has, those of unfinished uploads included.
    pub bytes: u64,
    /// So many it may have.
    pub bytes_limit: Option<u64>,
    /// So many tags it has.
    pub tags: u64,
    /// So many it may have.
    pub tags_limit: Option<u64>,
}

impl Quotas {
    pub(super) fn new(rules: &[QuotaRule], blobs: SharedBlobs, clock: Arc<dyn Clock>) -> Self {
        let (each, named): (Vec<_>, Vec<_>) = rules.iter().cloned().partition(|rule| rule.each);
        let named = named.into_iter().map(|rule| Arc::new(Namespace::new(rule.prefix.clone(), limit(&rule))));
        let found = Cache::builder().max_capacity(NAMESPACES).time_to_idle(KNOWN).build();
        let (tasks, cancel, homes) = (TaskTracker::new(), CancellationToken::new(), Cache::new(count::HOMES));
        let counters = Counters { blobs, clock, tasks, cancel, homes };
        Self { named: named.collect(), each, found, counters, pushes: AtomicU64::new(0) }
    }

    /// Ends counts that are under way.
    pub(super) async fn stop(&self) {
        self.counters.cancel.cancel();
        self.counters.tasks.close();
        self.counters.tasks.wait().await;
    }

    /// What the namespaces have that rules name, as far as they were counted.
    pub(super) fn views(&self) -> Vec<QuotaView> {
        let counted = self.named.iter().filter(|namespace| namespace.is_counted());
        let views = counted.map(|namespace| {
            let ledger = namespace.ledger();
            let name = match &namespace.prefix {
                Prefix::All => String::new(),
                Prefix::Below(name) => name.clone(),
            };
            QuotaView {
                namespace: name,
                bytes: ledger.tally().bytes(),
                bytes_limit: namespace.limit.bytes,
                tags: ledger.tally().tags(),
                tags_limit: namespace.limit.tags,
            }
        });
        views.collect()
    }

    /// Room for what a push brings into a repository; none is taken yet. Waits until its namespaces were counted.
    pub(super) async fn room(&self, repository: &RepositoryName) -> Result<Room<'_>> {
        let room = self.room_uncounted(repository);
        room.counted().await?;
        Ok(room)
    }

    /// The same without waiting: before anything is taken, [`Room::counted`] has to wait.
    pub(super) fn room_uncounted(&self, repository: &RepositoryName) -> Room<'_> {
        let shares = self.of(repository).into_iter().map(Share::new).collect();
        Room { quotas: self, push: self.pushes.fetch_add(1, Ordering::Relaxed), shares, upload: None }
    }

    /// Room for a request that works on an upload, which holds so many bytes. They do not count until this is dropped, so that the request can take room for
    /// them, and whatever they become has its own. Then the upload holds them again, or what [`Room::leaves`] says.
    pub(super) fn room_of_upload(&self, repository: &RepositoryName, id: &UploadId, bytes: u64) -> Room<'_> {
        let mut room = self.room_uncounted(repository);
        for share in &room.shares {
            share.namespace.ledger().resume_upload(id, bytes);
        }
        room.upload = Some((id.clone(), bytes));
        room
    }

    pub(super) fn linked(&self, repository: &RepositoryName, link: Link, canonical: &Digest, size: u64) {
        self.note(repository, || Change::Linked(repository.clone(), link, key(canonical), size));
    }

    pub(super) fn unlinked(&self, repository: &RepositoryName, link: Link, canonical: &Digest) {
        self.note(repository, || Change::Unlinked(repository.clone(), link, key(canonical)));
    }

    pub(super) fn tagged(&self, repository: &RepositoryName, tag: &Tag) {
        self.note(repository, || Change::Tagged(repository.clone(), tag.clone()));
    }

    pub(super) fn untagged(&self, repository: &RepositoryName, tag: &Tag) {
        self.note(repository, || Change::Untagged(repository.clone(), tag.clone()));
    }

    fn note(&self, repository: &RepositoryName, change: impl Fn() -> Change) {
        let now = Instant::now();
        for namespace in self.of(repository) {
            namespace.ledger().note(now, change());
        }
    }

    /// The namespaces with a quota that a repository belongs to.
    fn of(&self, repository: &RepositoryName) -> Vec<Arc<Namespace>> {
        let named = self.named.iter().filter(|namespace| namespace.prefix.covers(repository.as_str())).cloned();
        let mut all: Vec<_> = named.collect();
        for (number, rule) in self.each.iter().enumerate() {
            let Some(name) = namespace_of(&rule.prefix, repository.as_str()) else { continue };
            let prefix = Prefix::Below(name.to_owned());
            if self.named.iter().any(|namespace| namespace.prefix == prefix) {
                continue;
            }
            let known = (number, name.to_owned());
            all.push(self.found.get_with(known, || Arc::new(Namespace::new(prefix, limit(rule)))));
        }
        all
    }
}

fn limit(rule: &QuotaRule) -> Limit {
    Limit { bytes: rule.bytes, tags: rule.tags }
}

/// The namespace right below a prefix that a repository is of; `None` of one that is not below it.
fn namespace_of<'a>(prefix: &Prefix, repository: &'a str) -> Option<&'a str> {
    let above = match prefix {
        Prefix::All => 0,
        Prefix::Below(name) => repository.strip_prefix(name.as_str())?.strip_prefix('/').map(|_| name.len() + 1)?,
    };
    let end = repository[above..].find('/').map_or(repository.len(), |slash| above + slash);
    Some(&repository[..end])
}

/// Room that a push has taken. What it brought is noted by then, so that dropping it gives back only what was not used.
pub(super) struct Room<'a> {
    quotas: &'a Quotas,
    push: u64,
    shares: Vec<Share>,
    /// The upload that a request works on, and what it holds when that is over.
    upload: Option<(UploadId, u64)>,
}

/// What a push has taken of one namespace.
struct Share {
    namespace: Arc<Namespace>,
    blobs: Vec<Key>,
    bytes: u64,
    tags: Vec<(RepositoryName, Tag)>,
}

impl Share {
    fn new(namespace: Arc<Namespace>) -> Self {
        Self { namespace, blobs: Vec::new(), bytes: 0, tags: Vec::new() }
    }

    /// Tries, and tries once more when it was counted anew.
    async fn take(
        &self,
        counters: &Counters,
        mut want: impl FnMut(&mut Ledger) -> std::result::Result<(), Full>,
    ) -> Result<()> {
        loop {
            let wanted = want(&mut self.namespace.ledger());
            let Err(full) = wanted else { return Ok(()) };
            if !self.namespace.recounted(counters).await? {
                return Err(StoreError::OverQuota { namespace: self.namespace.name().to_owned(), full });
            }
        }
    }
}

impl Room<'_> {
    /// Waits until the namespaces were counted.
    pub(super) async fn counted(&self) -> Result<()> {
        for share in &self.shares {
            share.namespace.counted(&self.quotas.counters).await?;
        }
        Ok(())
    }

    /// Says how many bytes the upload holds when the request has ended; none, if it is over.
    pub(super) fn leaves(&mut self, bytes: u64) {
        if let Some((_, left)) = &mut self.upload {
            *left = bytes;
        }
    }

    /// Takes room for a blob.
    pub(super) async fn blob(&mut self, canonical: &Digest, size: u64) -> Result<()> {
        let (push, key) = (self.push, key(canonical));
        for share in &mut self.shares {
            share.take(&self.quotas.counters, |ledger| ledger.want_blob(push, key, size)).await?;
            share.blobs.push(key);
        }
        Ok(())
    }

    /// Takes room for bytes of which nobody knows yet what blob they become.
    pub(super) async fn bytes(&mut self, more: u64) -> Result<()> {
        for share in &mut self.shares {
            share.take(&self.quotas.counters, |ledger| ledger.want_bytes(more)).await?;
            share.bytes += more;
        }
        Ok(())
    }

    /// Refuses where not even one byte would find room. Takes nothing.
    pub(super) async fn any(&self) -> Result<()> {
        for share in &self.shares {
            share.take(&self.quotas.counters, |ledger| ledger.is_full()).await?;
        }
        Ok(())
    }

    /// Takes room for a tag.
    pub(super) async fn tag(&mut self, repository: &RepositoryName, tag: &Tag) -> Result<()> {
        let push = self.push;
        for share in &mut self.shares {
            share.take(&self.quotas.counters, |ledger| ledger.want_tag(push, repository, tag)).await?;
            share.tags.push((repository.clone(), tag.clone()));
        }
        Ok(())
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        for share in &self.shares {
            let mut ledger = share.namespace.ledger();
            share.blobs.iter().for_each(|key| ledger.release_blob(self.push, key));
            ledger.release_bytes(share.bytes);
            share.tags.iter().for_each(|(repository, tag)| ledger.release_tag(self.push, repository, tag));
            if let Some((id, bytes)) = &self.upload {
                ledger.rest_upload(now, id, *bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_about_each_names_the_namespace() {
        let below = |name: &str| Prefix::Below(name.to_owned());
        for (prefix, repository, namespace) in [
            (Prefix::All, "team/app", Some("team")),
            (Prefix::All, "alone", Some("alone")),
            (below("org"), "org/team/app/x", Some("org/team")),
            (below("org"), "org/team", Some("org/team")),
            (below("org"), "org", None),
            (below("org"), "organ/team", None),
        ] {
            assert_eq!(namespace_of(&prefix, repository), namespace, "{prefix:?} {repository}");
        }
    }
}
