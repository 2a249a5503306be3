//! What this process has written a moment ago, for places whose listings lag behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jeroboam_oci::{Digest, RepositoryName, Tag};
use moka::sync::Cache;

/// How long a listing may lag behind.
const LAG: Duration = Duration::from_secs(120);

/// Repositories that were written within that time and are remembered.
const MOST: u64 = 10_000;

/// Tags of a repository that are remembered; of more, the listing has to know.
const MOST_TAGS: usize = 10_000;

type Tags = Arc<Mutex<BTreeMap<Tag, bool>>>;
type Referrers = Arc<Mutex<BTreeSet<Digest>>>;

/// What this process has written a moment ago.
pub(super) struct Recent {
    /// Whether listings lag at all.
    needed: bool,
    tags: Cache<RepositoryName, Tags>,
    repositories: Cache<RepositoryName, ()>,
    referrers: Cache<(RepositoryName, Digest), Referrers>,
}

impl Recent {
    pub(super) fn new(listing_is_fresh: bool) -> Self {
        Self {
            needed: !listing_is_fresh,
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
        let mut tags = tags.lock().unwrap_or_else(PoisonError::into_inner);
        if tags.len() >= MOST_TAGS {
            tags.clear();
        }
        tags.insert(tag.clone(), there);
    }

    /// Corrects what a listing shows.
    pub(super) fn merge_tags(&self, repository: &RepositoryName, listed: &mut BTreeSet<Tag>) {
        let Some(tags) = self.tags.get(repository) else { return };
        for (tag, there) in &*tags.lock().unwrap_or_else(PoisonError::into_inner) {
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
        let tags = tags.lock().unwrap_or_else(PoisonError::into_inner);
        tags.iter().filter(|(_, there)| **there).map(|(tag, _)| tag.clone()).collect()
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
        let mut referrers = referrers.lock().unwrap_or_else(PoisonError::into_inner);
        if referrers.len() < MOST_TAGS {
            referrers.insert(digest.clone());
        }
    }

    /// Manifests about another one that were written.
    pub(super) fn referrers_written(&self, repository: &RepositoryName, subject: &Digest) -> BTreeSet<Digest> {
        let Some(referrers) = self.referrers.get(&(repository.clone(), subject.clone())) else {
            return BTreeSet::new();
        };
        referrers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
