//! What repositories, blobs, manifests, tags and uploads mean, over a place of objects that distribution v2 may have filled.
//!
//! No HTTP here, and no path is put together here: those come from `jeroboam_oci::layout`. What can be lost in a crash is garbage and never a
//! promise: bytes are durable before a link leads to them, a link before a tag does, and a tag before anybody is told.

mod blobs;
mod cache;
mod catalog;
mod config;
mod error;
mod flights;
mod hashing;
mod immutable;
mod ingest;
mod links;
mod manifests;
mod quota;
mod recent;
mod referrers;
mod scans;
mod sightings;
mod tags;
#[cfg(test)]
mod tests;
mod turns;
mod uploads;
mod verify;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use jeroboam_oci::{Digest, RepositoryName, layout};
use tokio::sync::{MutexGuard, Semaphore, SemaphorePermit};
use tokio_util::task::TaskTracker;

use crate::hits::Hits;
use crate::leases::Leases;

pub use blobs::BlobView;
pub use config::{Compat, StoreConfig};
pub use error::{BodyError, Result, StoreError};
pub use ingest::Incoming;
pub use manifests::{ManifestView, NewManifest, Outline, Stored, StoredManifest, TagCondition};
pub use quota::{Counted, Full, QuotaView};
pub use uploads::{Chunk, SessionRecord, UploadRef, UploadView};

/// How long a body waits for room in memory.
const ROOM: Duration = Duration::from_secs(20);

/// A registry's content. Shared by all requests of a process.
pub struct Store {
    blobs: SharedBlobs,
    clock: Arc<dyn Clock>,
    leases: Arc<Leases>,
    config: StoreConfig,
    read_only: AtomicBool,
    cache: cache::Cache,
    flights: flights::Flights,
    quotas: quota::Quotas,
    sessions: uploads::Sessions,
    secret: uploads::Secret,
    recent: recent::Recent,
    sightings: sightings::Sightings,
    suspects: verify::Suspects,
    /// Of tags, by the path of what they point to.
    turns: turns::Turns,
    /// Of manifests in repositories, by the path of their link. Who needs turns of both takes these first.
    revisions: turns::Turns,
    /// Of repositories, for what their manifests are about.
    scans: scans::Scans,
    /// Room for bodies that are taken into memory whole, in units of a kibibyte.
    buffers: Semaphore,
    /// The same for what is read whole: nobody who pushes slowly keeps others from pulling.
    reading: Semaphore,
    /// Work that goes on although its client went away: what is half received is made durable.
    tasks: TaskTracker,
}

impl Store {
    /// A registry over a place of objects.
    #[must_use]
    pub fn new(blobs: SharedBlobs, clock: Arc<dyn Clock>, leases: Arc<Leases>, config: StoreConfig) -> Self {
        Self {
            read_only: AtomicBool::new(config.read_only),
            cache: cache::Cache::new(&config),
            flights: flights::Flights::default(),
            quotas: quota::Quotas::new(&config.quotas, blobs.clone(), clock.clone()),
            sessions: uploads::Sessions::new(config.uploads_known),
            secret: uploads::Secret::new(config.secret.clone()),
            recent: recent::Recent::new(blobs.capabilities().listing_is_fresh, clock.clone()),
            sightings: sightings::Sightings::default(),
            suspects: verify::Suspects::default(),
            turns: turns::Turns::default(),
            revisions: turns::Turns::default(),
            scans: scans::Scans::default(),
            buffers: Semaphore::new(kibibytes(config.buffered) as usize),
            reading: Semaphore::new(kibibytes(config.buffered) as usize),
            tasks: TaskTracker::new(),
            blobs,
            clock,
            leases,
            config,
        }
    }

    /// The place of objects below.
    #[must_use]
    pub fn place(&self) -> &SharedBlobs {
        &self.blobs
    }

    /// How it was set up.
    #[must_use]
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// Whether nothing is written now.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// Switches writing off or on, for requests that begin after this.
    pub fn set_read_only(&self, read_only: bool) {
        self.read_only.store(read_only, Ordering::Relaxed);
    }

    /// Waits for what is still being made durable, and ends what only looks. Called when no more requests come.
    pub async fn drain(&self) {
        self.scans.stop().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.quotas.stop().await;
    }

    /// How often the size of a blob was remembered that somebody asked for.
    pub(crate) fn remembered(&self) -> &Hits {
        &self.cache.sizes.hits
    }

    /// What namespaces have that rules of quotas name, as far as they were counted.
    #[must_use]
    pub fn quotas(&self) -> Vec<QuotaView> {
        self.quotas.views()
    }

    /// Waits until there is room for so many more bytes of a body in memory, beside what it has.
    async fn more_room<'a>(&'a self, room: &mut SemaphorePermit<'a>, bytes: u64) -> Result<()> {
        let wanted = kibibytes(bytes.min(self.config.buffered)) as usize;
        let missing = u32::try_from(wanted.saturating_sub(room.num_permits())).unwrap_or(u32::MAX);
        let more = tokio::time::timeout(ROOM, self.buffers.acquire_many(missing)).await;
        let full = |_| StoreError::TooMany { what: "too many pushes at once".to_owned(), retry_after: ROOM };
        room.merge(more.map_err(full)?.expect("nobody closes it"));
        Ok(())
    }

    /// The room of a body of which nothing has come.
    async fn no_room(&self) -> SemaphorePermit<'_> {
        self.buffers.acquire_many(0).await.expect("nobody closes it")
    }

    /// Waits until there is room for what is read from the store whole.
    async fn reading_room(&self, bytes: u64) -> Result<SemaphorePermit<'_>> {
        let wanted = kibibytes(bytes.min(self.config.buffered));
        let room = tokio::time::timeout(ROOM, self.reading.acquire_many(wanted)).await;
        let full = |_| StoreError::TooMany { what: "too much is read at once".to_owned(), retry_after: ROOM };
        Ok(room.map_err(full)?.expect("nobody closes it"))
    }

    /// The turn to push or to remove a manifest of a repository.
    async fn revision_turn(&self, repository: &RepositoryName, canonical: &Digest) -> Result<Vec<MutexGuard<'_, ()>>> {
        self.revisions.of(&[layout::revision(repository, canonical)]).await
    }

    fn may_write(&self) -> Result<()> {
        if self.is_read_only() { Err(StoreError::ReadOnly) } else { Ok(()) }
    }

    fn may_delete(&self) -> Result<()> {
        self.may_write()?;
        if self.config.delete_enabled { Ok(()) } else { Err(StoreError::DeleteDisabled) }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("blobs", &self.blobs).field("config", &self.config).finish_non_exhaustive()
    }
}

fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX >> 4).clamp(1, u32::MAX >> 4)
}
