//! What this process has written a moment ago, for places whose listings lag behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::{Digest, RepositoryName, Tag};
use moka::sync::Cache;

/// How long a listing may lag behind.
const LAG: Duration = Duration::from_secs(120);

/// Repositories that were written within that time and are remembered.
const MOST: u64 = 10_000;

/// Tags of a repository that are remembered, and manifests about one of its manifests; of more, the listing has to know.
const MOST_TAGS: usize = 10_000;

/// What was written, and when: others write too, so that nothing is believed for longer than a listing may lag behind, however often somebody asks.
type Notes<K, V> = Mutex<BTreeMap<K, (V, Timestamp)>>;

type Tags = Arc<Notes<Tag, bool>>;
type Referrers = Arc<Notes<Digest, ()>>;

/// What this process has written a moment ago.
pub(super) struct Recent {
    /// Whether listings lag at all.
    needed: bool,
    clock: Arc<dyn Clock>,
    tags: Cache<RepositoryName, Tags>,
    repositories: Cache<RepositoryName, ()>,
    referrers: Cache<(RepositoryName, Digest), Referrers>,
}

impl Recent {
    pub(super) fn new(listing_is_fresh: bool, clock: Arc<dyn Clock>) -> Self {
        Self {
            needed: !listing_is_fresh,
            clock,
            tags: Cache::builder().max_capacity(MOST).time_to_idle(LAG).build(),
            repositories: Cache::builder().max_capacity(MOST).time_to_live(LAG).build(),
            referrers: Cache::builder().max_capacity(MOST).time_to_idle(LAG).build(),
        }
    }

    /// A tag was written, or deleted.
    pub(super) fn tag_is(&self, repository: &RepositoryName, tag: &Tag, there: bool) {
        if !self.needed {
            return;
        }
        let tags = self.tags.get_with_by_ref(repository, Tags::default);
        note(&tags, tag.clone(), there, self.clock.now());
    }

    /// Corrects what a listing shows.
    pub(super) fn merge_tags(&self, repository: &RepositoryName, listed: &mut BTreeSet<Tag>) {
        let Some(tags) = self.tags.get(repository) else { return };
        for (tag, (there, _)) in &*lately(&tags, self.clock.now()) {
            if *there {
                listed.insert(tag.clone());
            } else {
                listed.remove(tag);
            }
        }
    }

    /// Tags that were written.
    pub(super) fn tags_written(&self, repository: &RepositoryName) -> Vec<Tag> {
        let Some(tags) = self.tags.get(repository) else { return Vec::new() };
        let tags = lately(&tags, self.clock.now());
        tags.iter().filter(|(_, (there, _))| *there).map(|(tag, _)| tag.clone()).collect()
    }

    /// Something of a repository was written, so that it exists. Lists of repositories are remembered longer than those of tags.
    pub(super) fn repository_is(&self, repository: &RepositoryName) {
        if !self.repositories.contains_key(repository) {
            self.repositories.insert(repository.clone(), ());
        }
    }

    /// Adds repositories that a listing does not show yet.
    pub(super) fn merge_repositories(&self, listed: &mut BTreeSet<RepositoryName>) {
        listed.extend(self.repositories.iter().map(|(repository, ())| (*repository).clone()));
    }

    /// A manifest is about another one.
    pub(super) fn referrer_is(&self, repository: &RepositoryName, subject: &Digest, digest: &Digest) {
        if !self.needed {
            return;
        }
        let referrers = self.referrers.get_with((repository.clone(), subject.clone()), Referrers::default);
        note(&referrers, digest.clone(), (), self.clock.now());
    }

    /// Manifests about another one that were written.
    pub(super) fn referrers_written(&self, repository: &RepositoryName, subject: &Digest) -> BTreeSet<Digest> {
        let Some(referrers) = self.referrers.get(&(repository.clone(), subject.clone())) else {
            return BTreeSet::new();
        };
        let referrers = lately(&referrers, self.clock.now());
        referrers.keys().cloned().collect()
    }
}

/// Notes what was just written. Where there is no room for it, what was noted before goes.
fn note<K: Ord, V>(notes: &Notes<K, V>, key: K, value: V, now: Timestamp) {
    let mut noted = notes.lock().unwrap_or_else(PoisonError::into_inner);
    if noted.len() >= MOST_TAGS {
        forget_old(&mut noted, now);
    }
    if noted.len() >= MOST_TAGS {
        noted.clear();
    }
    noted.insert(key, (value, now));
}

/// What was written so short a time ago that a listing need not show it.
fn lately<K: Ord, V>(notes: &Notes<K, V>, now: Timestamp) -> MutexGuard<'_, BTreeMap<K, (V, Timestamp)>> {
    let mut noted = notes.lock().unwrap_or_else(PoisonError::into_inner);
    forget_old(&mut noted, now);
    noted
}

fn forget_old<K: Ord, V>(noted: &mut BTreeMap<K, (V, Timestamp)>, now: Timestamp) {
    // A clock that was put back says nothing.
    noted.retain(|_, (_, written)| now.duration_since(*written).unsigned_abs() <= LAG);
}
