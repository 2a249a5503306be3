//! Swift, and what speaks its language: objects in one container, read and written as streams of any length.
//!
//! Bodies pass through in pieces and are never held whole. A body that is cut off makes no object, and leaves one that is there as it was: that is
//! what [`ObjectUpload`] rests on. Listings may be old; nothing here takes one for the truth.

mod access;
mod breaker;
mod bulk;
mod call;
mod head;
mod info;
mod listing;
mod objects;
#[cfg(any(test, feature = "testing"))]
pub mod properties;
mod quoting;
mod read;
mod temp_url;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use jeroboam_model::{Clock, Timestamp};
use reqwest::Client;
use tokio::sync::{OnceCell, Semaphore};

pub use access::{LegacyAccess, StoreAccess, V2Scope};
pub use head::ObjectHead;
pub use info::StoreInfo;
pub use listing::{ListedObject, ListingEntry, ListingQuery};
pub use objects::{PutOptions, Segment};
pub use quoting::{quoted, unquoted};
pub use read::{Found, Newest, Reading};
pub use temp_url::{TempUrl, TempUrlDigest};
pub use upload::{Finished, ObjectUpload, Taken, UploadOptions};

use crate::transport::streaming_client;
use crate::{Error, RetryPolicy, ServiceType, TransportConfig};
use access::Access;
use breaker::Breaker;

const SERVICE: ServiceType = ServiceType::ObjectStore;

/// How long something may take.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// From a request to the beginning of its answer.
    pub answer: Duration,
    /// The same for what the store itself has to work on: copies, manifests of a thousand segments, the end of a large object.
    pub long_answer: Duration,
    /// Between two pieces of a body, in either direction.
    pub stall: Duration,
    /// How many bytes of an upload are kept to be able to send them again.
    pub replay: usize,
    /// For how long a store is left alone that has not answered many in a row.
    pub rest: Duration,
    /// How many short requests wait for the beginning of their answers at once. Others wait here, where that costs nobody anything: a proxy of Swift that
    /// is asked by more than it can attend to no longer finds tokens in time and refuses those that are good. Bodies on their way, in either direction,
    /// do not count, nor does what the store works on for long.
    pub at_once: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            long_answer: Duration::from_secs(300),
            stall: Duration::from_secs(50),
            replay: 4 << 20,
            rest: Duration::from_secs(5),
            at_once: 128,
        }
    }
}

/// What an object store needs to begin.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// How connections are made; `timeout` is not used.
    pub transport: TransportConfig,
    /// How long something may take.
    pub limits: StoreLimits,
    /// The container.
    pub container: String,
}

/// One container of a store. Clones share the connections and the login.
#[derive(Clone)]
pub struct ObjectStore {
    shared: Arc<Shared>,
}

struct Shared {
    access: Access,
    transport: TransportConfig,
    limits: StoreLimits,
    container: String,
    clock: Arc<dyn Clock>,
    /// Made when the address is known: this machine itself is asked without a proxy.
    client: OnceCell<Client>,
    breaker: Breaker,
    turns: Semaphore,
    /// So many seconds the store's clock is ahead of ours.
    ahead: AtomicI64,
    /// Found out when it is first needed.
    no_bulk: AtomicBool,
    /// Whether a page of a listing is shorter than it may be at the end alone; found out when it is first needed.
    pages_are_full: OnceCell<bool>,
    /// Most lines of a page of a listing, as far as it is known.
    longest_page: AtomicUsize,
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore")
            .field("access", &self.shared.access)
            .field("container", &self.shared.container)
            .finish_non_exhaustive()
    }
}

impl ObjectStore {
    /// A container that is first asked when it is first used.
    #[must_use]
    pub fn new(access: StoreAccess, config: StoreConfig, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            access: Access::new(access, &config.transport),
            transport: config.transport,
            turns: Semaphore::new(config.limits.at_once.clamp(1, Semaphore::MAX_PERMITS)),
            limits: config.limits,
            container: config.container,
            clock,
            client: OnceCell::new(),
            breaker: Breaker::default(),
            ahead: AtomicI64::new(0),
            no_bulk: AtomicBool::new(false),
            pages_are_full: OnceCell::new(),
            longest_page: AtomicUsize::new(usize::MAX),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The container's name.
    #[must_use]
    pub fn container(&self) -> &str {
        &self.shared.container
    }

    /// The time by the store's clock, as far as its answers told it.
    #[must_use]
    pub fn store_time(&self) -> Timestamp {
        let ahead = jiff::SignedDuration::from_secs(self.shared.ahead.load(Ordering::Relaxed));
        let now = self.shared.clock.now();
        now.checked_add(ahead).unwrap_or(now)
    }

    /// So many seconds the store's clock is ahead of ours.
    #[must_use]
    pub fn seconds_ahead(&self) -> i64 {
        self.shared.ahead.load(Ordering::Relaxed)
    }

    pub(crate) fn limits(&self) -> &StoreLimits {
        &self.shared.limits
    }

    pub(crate) fn retry(&self) -> &RetryPolicy {
        &self.shared.transport.retry
    }

    async fn client(&self, url: &reqwest::Url) -> Result<&Client, Error> {
        self.shared.client.get_or_try_init(|| async { streaming_client(&self.shared.transport, url) }).await
    }
}
