//! Goes once through all repositories, so that what distribution took is in the index of what manifests are about before anybody asks.
//!
//! One repository after the other, with a rest between them. Of each it is written down that it was looked through: whoever starts after that reads no more
//! than this. What distribution writes later is looked at when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::http::failure::chain;
use crate::store::{Result, Store};

/// Nobody who has just started has time for what nobody asks for.
const FIRST: Duration = Duration::from_secs(60);

/// The rest after a repository whose manifests were read, or could not be.
const REST: Duration = Duration::from_secs(1);

/// The rest after one of which that was written down.
const STEP: Duration = Duration::from_millis(20);

/// When it is tried again where not all could be looked through, or nothing may be written.
const AGAIN: Duration = Duration::from_secs(600);

/// What became of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Became {
    result: &'static str,
}

const INDEXED: Became = Became { result: "indexed" };
const KNOWN: Became = Became { result: "known" };
const FAILED: Became = Became { result: "failed" };

/// Counts repositories by what became of them. Clones count together.
#[derive(Clone, Default)]
pub(super) struct Indexed(Family<Became, Counter>);

impl Indexed {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Repositories that were gone through for what their manifests are about";
        registry.register("referrers_repositories", help, self.0.clone());
    }

    fn note(&self, became: Became) {
        self.0.get_or_create(&became).inc();
    }
}

/// Goes through all repositories until each was looked through, or until told to stop.
pub(super) async fn index(store: Arc<Store>, indexed: Indexed, stop: CancellationToken) {
    tokio::select! {
        () = all(&store, &indexed) => {}
        () = stop.cancelled() => return,
    }
    // Once is enough for a process.
    stop.cancelled().await;
}

async fn all(store: &Arc<Store>, indexed: &Indexed) {
    let mut rest = FIRST;
    loop {
        tokio::time::sleep(rest).await;
        rest = AGAIN;
        match each_once(store, indexed).await {
            Ok(true) => {
                info!("the index knows what the manifests of all repositories are about");
                return;
            }
            Ok(false) => {}
            Err(error) => warn!(error = chain(&error), "repositories could not be looked through; trying again"),
        }
    }
}

/// Whether all are looked through now.
async fn each_once(store: &Arc<Store>, indexed: &Indexed) -> Result<bool> {
    let mut left = false;
    for repository in &*store.repositories().await? {
        if store.is_read_only() {
            return Ok(false);
        }
        // Why one could not be is in the log.
        let became = match store.index_referrers(repository).await {
            Ok(true) => INDEXED,
            Ok(false) => KNOWN,
            Err(_) => FAILED,
        };
        indexed.note(became);
        left |= became == FAILED;
        tokio::time::sleep(if became == KNOWN { STEP } else { REST }).await;
    }
    Ok(!left && !store.is_read_only())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jeroboam_blobs::{Condition, Faults, Freshness, Memory, Operation, SharedBlobs};
    use jeroboam_model::{Clock, SystemClock};
    use jeroboam_oci::{RepositoryName, layout, link};

    use super::*;
    use crate::bed::{image, name};
    use crate::client::RawManifest;
    use crate::leases::{GRACE, Leases};
    use crate::store::StoreConfig;

    /// A process that has the store for a while, and what became of repositories in it.
    async fn process(place: &SharedBlobs, read_only: bool) -> [u64; 3] {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
        let config = StoreConfig { read_only, ..StoreConfig::default() };
        let store = Arc::new(Store::new(place.clone(), clock, leases, config));
        let (indexed, stop) = (Indexed::default(), CancellationToken::new());
        let ended =
            tokio::time::timeout(Duration::from_secs(3000), index(store.clone(), indexed.clone(), stop.clone()));
        assert!(ended.await.is_err(), "it ends when it is told to");
        stop.cancel();
        index(store.clone(), indexed.clone(), stop).await;
        store.drain().await;
        [INDEXED, KNOWN, FAILED].map(|became| indexed.0.get_or_create(&became).get())
    }

    /// Writes what distribution would have written of a manifest.
    async fn taken_by_distribution(place: &SharedBlobs, repository: &RepositoryName, manifest: &RawManifest) {
        let (digest, bytes) = (&manifest.digest, manifest.bytes.clone());
        place.put(&layout::blob(digest), bytes, Condition::Always).await.expect("it is put");
        let text = Bytes::from(link::content(digest));
        place.put(&layout::revision(repository, digest), text, Condition::Always).await.expect("it is put");
    }

    #[tokio::test(start_paused = true)]
    async fn what_distribution_took_is_indexed_once_before_anybody_asks() {
        let faults = Faults::new(Arc::new(Memory::default()));
        let place: SharedBlobs = Arc::new(faults.clone());
        let subject = image("subject", None).manifest;
        let about = image("about", Some(&subject)).manifest;
        let repositories = [name("team/a"), name("team/b")];
        for repository in &repositories {
            taken_by_distribution(&place, repository, &subject).await;
            taken_by_distribution(&place, repository, &about).await;
        }
        assert_eq!(process(&place, true).await, [0, 0, 0], "nothing is written");
        assert_eq!(process(&place, false).await, [2, 0, 0]);
        for repository in &repositories {
            for path in
                [layout::referrers_complete(repository), layout::referrer(repository, &subject.digest, &about.digest)]
            {
                let found = place.head(&path, Freshness::Newest).await.expect("it is asked");
                assert!(found.is_some(), "{path} is not there");
            }
        }
        let reads = || faults.counts().get(&Operation::Read).copied().unwrap_or_default();
        let before = reads();
        assert_eq!(process(&place, false).await, [0, 2, 0], "that it was done is written down");
        assert_eq!(reads() - before, 2, "and nothing else is read");
    }
}
