//! Which repositories have lately been given a blob, by digest: for a client that wants it mounted and does not say from where.

use std::sync::{Arc, Mutex, PoisonError};

use jeroboam_oci::{Digest, RepositoryName};
use moka::sync::Cache;

/// Blobs of which it is remembered.
const BLOBS: u64 = 20_000;

/// Repositories of each.
const REPOSITORIES: usize = 4;

/// Which repositories have lately been given a blob.
pub(super) struct Sightings(Cache<Digest, Arc<Mutex<Vec<RepositoryName>>>>);

impl Default for Sightings {
    fn default() -> Self {
        Self(Cache::new(BLOBS))
    }
}

impl Sightings {
    /// A repository has the blob now. The latest ones are remembered.
    pub(super) fn note(&self, digest: &Digest, repository: &RepositoryName) {
        let seen = self.0.get_with_by_ref(digest, Arc::default);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(repository) {
            if seen.len() == REPOSITORIES {
                seen.remove(0);
            }
            seen.push(repository.clone());
        }
    }

    /// Where it was seen.
    pub(super) fn of(&self, digest: &Digest) -> Vec<RepositoryName> {
        self.0.get(digest).map_or_else(Vec::new, |seen| seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
