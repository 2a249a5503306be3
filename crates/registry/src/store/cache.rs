//! What is remembered of the place of objects, so that it need not be asked again.
//!
//! Bounded in number or bytes, and in time. That something is *not* there is never remembered. An answer that was on its way while we wrote or
//! deleted is not remembered either: each entry carries the version of its corner of the cache, and a write begins a new one.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jeroboam_oci::manifest::Descriptor;
use jeroboam_oci::{Digest, RepositoryName, Tag};
use moka::future;

use super::manifests::{Outline, StoredManifest};
use super::{Compat, StoreConfig};
use crate::hits::Hits;

/// Corners of a cache. A write makes everything in one of them to be asked again.
const CORNERS: usize = 1024;

/// Links that are remembered.
const LINKS: u64 = 50_000;

/// How long something is believed that only we delete. Other replicas may: their garbage collection waits longer than this.
const OURS_ALONE: Duration = Duration::from_secs(600);

/// Lists of tags that are remembered, for as long as somebody turns their pages.
const LISTS: u64 = 64;

/// How long the list of all repositories is believed after it was made. What this process writes is added to it.
const CATALOG: Duration = Duration::from_secs(5);

/// So many digests are remembered whose bytes are no manifest.
const OTHERS: u64 = 10_000;

/// So many outlines of manifests are remembered.
const OUTLINES: u64 = 10_000;

/// Bytes of descriptors that are remembered.
const DESCRIPTORS: u64 = 16 << 20;

/// What a manifest takes in memory besides its bytes, and once more for what was read of them.
fn weight(bytes: usize) -> u32 {
    u32::try_from(2 * bytes + 512).unwrap_or(u32::MAX)
}

fn length(descriptor: &Descriptor) -> usize {
    descriptor.annotations.iter().map(|(name, value)| name.len() + value.len()).sum()
}

pub(super) struct Cache {
    /// Links of blobs and revisions by path: where they lead never changes, but they go.
    pub(super) links: Versioned<String, Digest>,
    /// Links of tags by path.
    pub(super) tags: Versioned<String, Digest>,
    /// Sizes of blobs that are there.
    pub(super) sizes: Versioned<Digest, u64>,
    /// All tags of a repository.
    pub(super) tag_lists: Versioned<RepositoryName, Arc<Vec<Tag>>>,
    /// All repositories. Those who ask at the same time share one listing.
    pub(super) catalog: future::Cache<(), Arc<Vec<RepositoryName>>>,
    /// Manifests by digest: their bytes never change. Whether a repository has them is another question.
    pub(super) manifests: future::Cache<Digest, Arc<StoredManifest>>,
    /// Bytes that are no manifest. They never become one.
    pub(super) no_manifests: moka::sync::Cache<Digest, ()>,
    /// What is noted at tags of the manifests that they point to.
    pub(super) outlines: moka::sync::Cache<Digest, Outline>,
    /// What lists of referrers say of manifests.
    pub(super) descriptors: future::Cache<Digest, Arc<Descriptor>>,
}

impl Cache {
    pub(super) fn new(config: &StoreConfig) -> Self {
        let existence = match config.compat {
            Compat::Shared => config.existence_ttl,
            Compat::Exclusive => config.existence_ttl.max(OURS_ALONE),
        };
        let tag = config.tag_ttl.min(Duration::from_secs(1));
        Self {
            links: Versioned::new(LINKS, existence),
            tags: Versioned::new(LINKS, tag),
            sizes: Versioned::new(LINKS, existence),
            tag_lists: Versioned::new(LISTS, tag),
            catalog: future::Cache::builder().max_capacity(1).time_to_live(CATALOG).build(),
            manifests: future::Cache::builder()
                .max_capacity(config.manifest_cache)
                .weigher(|_, stored: &Arc<StoredManifest>| weight(stored.bytes.len()))
                .build(),
            no_manifests: moka::sync::Cache::new(OTHERS),
            outlines: moka::sync::Cache::new(OUTLINES),
            descriptors: future::Cache::builder()
                .max_capacity(DESCRIPTORS)
                .weigher(|_, descriptor: &Arc<Descriptor>| weight(length(descriptor)))
                .build(),
        }
    }
}

/// A cache whose entries end with the next write to their corner.
pub(super) struct Versioned<K, V> {
    entries: future::Cache<K, (u64, V)>,
    versions: Arc<[AtomicU64]>,
    hasher: RandomState,
    /// How often what somebody asked for was remembered.
    pub(super) hits: Hits,
}

/// The version that a corner had before the store was asked.
#[derive(Clone, Copy)]
pub(super) struct Before(u64);

impl<K, V> Versioned<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new(capacity: u64, ttl: Duration) -> Self {
        Self {
            entries: future::Cache::builder().max_capacity(capacity).time_to_live(ttl).build(),
            versions: (0..CORNERS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            hits: Hits::default(),
        }
    }

    fn corner(&self, key: &K) -> &AtomicU64 {
        &self.versions[self.hasher.hash_one(key) as usize % CORNERS]
    }

    pub(super) async fn get(&self, key: &K) -> Option<V> {
        let found = self.entries.get(key).await;
        let is_current = |version: u64| version == self.corner(key).load(Ordering::Acquire);
        let current = found.filter(|(version, _)| is_current(*version)).map(|(_, value)| value);
        self.hits.note(current.is_some());
        current
    }

    /// Called before the store is asked; what it answers is remembered with [`Self::learn`].
    pub(super) fn before(&self, key: &K) -> Before {
        Before(self.corner(key).load(Ordering::Acquire))
    }

    /// Remembers what the store answered, unless somebody wrote since `before`.
    pub(super) async fn learn(&self, before: Before, key: K, value: V) {
        self.entries.insert(key, (before.0, value)).await;
    }

    /// Remembers what was just written.
    pub(super) async fn wrote(&self, key: K, value: V) {
        let version = self.corner(&key).fetch_add(1, Ordering::AcqRel) + 1;
        self.entries.insert(key, (version, value)).await;
    }

    /// Forgets what was just deleted, or may have been.
    pub(super) async fn forget(&self, key: &K) {
        self.corner(key).fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate(key).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_a_write_overtook_is_not_remembered() {
        let cache: Versioned<String, u8> = Versioned::new(10, Duration::from_secs(60));
        let key = || "tag".to_owned();
        let slow = cache.before(&key());
        cache.wrote(key(), 2).await;
        cache.learn(slow, key(), 1).await;
        assert_eq!(cache.get(&key()).await, None, "the old answer came late");
        let before = cache.before(&key());
        cache.learn(before, key(), 2).await;
        assert_eq!(cache.get(&key()).await, Some(2));
        cache.forget(&key()).await;
        assert_eq!(cache.get(&key()).await, None);
        assert_eq!((cache.hits.hits(), cache.hits.misses()), (1, 2));
    }
}
