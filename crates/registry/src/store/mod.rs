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
mod ingest;
mod links;
mod manifests;
mod recent;
mod referrers;
mod sightings;
mod tags;
mod turns;
mod uploads;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use jeroboam_oci::RepositoryName;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::TaskTracker;

use crate::leases::Leases;

pub use blobs::BlobView;
pub use config::{Compat, StoreConfig};
pub use error::{BodyError, Result, StoreError};
pub use ingest::Incoming;
pub use manifests::{ManifestView, NewManifest, Stored, StoredManifest, TagCondition};
pub use uploads::{Chunk, SessionRecord, UploadRef, UploadView};

/// Repositories of which is remembered how complete their index of referrers is.
const SCANS: u64 = 1000;

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
    sessions: uploads::Sessions,
    secret: uploads::Secret,
    recent: recent::Recent,
    sightings: sightings::Sightings,
    turns: turns::Turns,
    scans: moka::future::Cache<RepositoryName, referrers::SharedScan>,
    /// Room for bodies that are taken into memory whole, in units of a kibibyte.
    buffers: Semaphore,
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
            sessions: uploads::Sessions::new(),
            secret: uploads::Secret::new(config.secret.clone()),
            recent: recent::Recent::new(blobs.capabilities().listing_is_fresh),
            sightings: sightings::Sightings::default(),
            turns: turns::Turns::default(),
            scans: moka::future::Cache::builder().max_capacity(SCANS).build(),
            buffers: Semaphore::new(kibibytes(config.buffered) as usize),
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

    /// Waits for what is still being made durable. Called when no more requests come.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits until there is room for a body of this length in memory.
    pub(crate) async fn room(&self, bytes: u64) -> Result<SemaphorePermit<'_>> {
        let wanted = kibibytes(bytes.min(self.config.buffered));
        let room = tokio::time::timeout(ROOM, self.buffers.acquire_many(wanted)).await;
        let full = |_| StoreError::TooMany { what: "too many pushes at once".to_owned(), retry_after: ROOM };
        Ok(room.map_err(full)?.expect("nobody closes it"))
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
