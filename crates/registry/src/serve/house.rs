//! What is done beside serving, as it is configured: garbage is collected, old uploads are purged, tags and manifests that no rule keeps are removed,
//! and bytes are compared with their digests.
//!
//! Each is a loop of its own, which fails alone and tries again. Several processes of one store may all do it: who collects and who scrubs they settle among
//! themselves, and the rest can be done twice.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::RepositoryName;
use jeroboam_oci::events::{EventAction, Request, Target};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::build::{gc_config, retention_rules};
use super::house_metrics::HouseMetrics;
use crate::around::Around;
use crate::background;
use crate::config::{CollectionConfig, Config, PurgingConfig, ScrubbingConfig};
use crate::events::Happened;
use crate::gc::{Collector, GcConfig, GcError, Keeping, Purged, clear_parts, keep_house, purge_uploads};
use crate::http::failure::chain;
use crate::retention::{Removal, RetentionRule, retain};
use crate::scrub::{self, ScrubConfig, Scrubbed, Turn};
use crate::store::{Compat, Store};

/// Nobody who has just started has time to look for what is old.
const FIRST: Duration = Duration::from_secs(60);

/// After a failure, and where it is somebody else's turn, is looked again no later than this.
const AGAIN: Duration = Duration::from_secs(600);

/// What keeping house needs.
pub(super) struct House {
    pub(super) collection: CollectionConfig,
    pub(super) purging: PurgingConfig,
    pub(super) scrubbing: ScrubbingConfig,
    rules: Vec<RetentionRule>,
    gc: GcConfig,
    /// The store itself, without what a node keeps of it.
    place: SharedBlobs,
    store: Arc<Store>,
    around: Around,
    clock: Arc<dyn Clock>,
    metrics: HouseMetrics,
    /// What this process is called.
    instance: String,
    /// Whether this is a cache before the registry.
    on_a_node: bool,
    /// When what purged uploads left is old enough to go, where nobody collects garbage.
    owed: Mutex<Option<Timestamp>>,
}

impl House {
    pub(super) fn new(
        config: &Config,
        place: SharedBlobs,
        store: Arc<Store>,
        around: Around,
        clock: Arc<dyn Clock>,
        metrics: HouseMetrics,
        instance: String,
    ) -> Self {
        let gc = gc_config(config);
        // A process before this one may owe it.
        let age = gc.leftovers.max(config.storage.purging.age);
        let owed = clock.now().saturating_add(age).unwrap_or(Timestamp::MAX);
        Self {
            collection: config.ours.collection,
            purging: config.storage.purging,
            scrubbing: config.ours.scrubbing,
            rules: retention_rules(config),
            gc,
            place,
            store,
            around,
            clock,
            metrics,
            instance,
            on_a_node: config.ours.node_cache.is_some(),
            owed: Mutex::new(Some(owed)),
        }
    }

    /// Begins with all that is configured, in tasks that end with `stop`.
    pub(super) fn keep(self, tasks: &TaskTracker, stop: &CancellationToken) {
        // Of those on nodes there are many: the registry behind them does all of this.
        if self.on_a_node {
            return;
        }
        let house = Arc::new(self);
        if house.collection.enabled {
            if house.store.config().compat == Compat::Shared {
                warn!("no garbage is collected: with compat: shared, distribution may use what would go");
            } else {
                let house = Arc::clone(&house);
                background::spawn(tasks, stop, "collecting garbage", move |stop| Arc::clone(&house).collect(stop));
            }
        }
        if !house.rules.is_empty() {
            let house = Arc::clone(&house);
            background::spawn(tasks, stop, "removing what no rule keeps", move |stop| Arc::clone(&house).retain(stop));
        }
        if house.purging.enabled {
            let house = Arc::clone(&house);
            background::spawn(tasks, stop, "removing old uploads", move |stop| Arc::clone(&house).purge(stop));
        }
        if house.scrubbing.enabled {
            background::spawn(tasks, stop, "comparing blobs with their digests", move |stop| {
                Arc::clone(&house).scrub(stop)
            });
        }
    }

    async fn collect(self: Arc<Self>, stop: CancellationToken) {
        let (place, clock, gc) = (Arc::clone(&self.place), Arc::clone(&self.clock), self.gc.clone());
        let collector = match Collector::new(place, clock, self.store.config().compat, gc, self.instance.clone()) {
            Ok(collector) => {
                let metrics = self.metrics.clone();
                collector.telling(Box::new(move |now| metrics.sweeping(now)))
            }
            Err(error) => {
                warn!(error = chain(&error), "no garbage is collected");
                return stop.cancelled().await;
            }
        };
        if self.collection.dry_run {
            return self.look_for_garbage(&collector, &stop).await;
        }
        let keeping = Keeping {
            every: self.collection.interval,
            rests: &|| self.store.is_read_only(),
            told: &|outcome| self.metrics.collected(outcome, self.clock.now()),
        };
        keep_house(&collector, keeping, stop).await;
    }

    /// Only tells what would be collected.
    async fn look_for_garbage(&self, collector: &Collector, stop: &CancellationToken) {
        let failed = "garbage could not be looked for";
        again_and_again(self.collection.interval, stop, failed, || self.look_once(collector)).await;
    }

    async fn look_once(&self, collector: &Collector) -> Result<Duration, GcError> {
        let report = collector.look().await?;
        self.metrics.looked(&report);
        let found = report.found;
        info!(
            gc.unreferenced = found.unreferenced,
            gc.bytes = found.unreferenced_bytes,
            gc.kept = found.kept,
            gc.uploads = report.left_over.uploads,
            gc.leftovers = report.left_over.objects,
            "garbage was looked for, and nothing removed"
        );
        Ok(self.collection.interval)
    }

    async fn purge(self: Arc<Self>, stop: CancellationToken) {
        let failed = "old uploads could not be looked for";
        again_and_again(self.purging.interval, &stop, failed, || self.purge_once()).await;
    }

    async fn purge_once(&self) -> jeroboam_blobs::Result<Duration> {
        let PurgingConfig { interval, age, dry_run, .. } = self.purging;
        if self.store.is_read_only() {
            return Ok(interval);
        }
        let purged = purge_uploads(&self.place, age, self.clock.now(), dry_run).await?;
        let uploads = purged.uploads;
        match uploads {
            0 => {}
            _ if dry_run => info!(uploads, "uploads that nobody went on with would be removed"),
            _ => {
                self.metrics.purged(uploads);
                info!(uploads, "uploads that nobody went on with were removed");
            }
        }
        if !dry_run && self.store.config().compat == Compat::Shared {
            self.clear_after(&purged).await?;
        }
        Ok(interval)
    }

    /// Where garbage is collected, that comes after what uploads left; where distribution writes, nobody else does. It takes a look at each large
    /// object of the store, so that it is done after uploads were purged only: at once, and once more when all that they had is old enough.
    async fn clear_after(&self, purged: &Purged) -> jeroboam_blobs::Result<()> {
        let now = self.clock.now();
        let age = self.gc.leftovers.max(self.purging.age);
        let due = {
            let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
            if purged.uploads > 0 {
                *owed = Some(now.saturating_add(age).unwrap_or(Timestamp::MAX));
            }
            purged.uploads > 0 || owed.is_some_and(|at| at <= now)
        };
        if !due {
            return Ok(());
        }
        let older_than = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let left_over = clear_parts(&self.place, purged, older_than, false).await?;
        self.owed.lock().unwrap_or_else(PoisonError::into_inner).take_if(|at| *at <= now);
        self.metrics.cleared(left_over);
        info!(objects = left_over.objects, bytes = left_over.bytes, "what uploads had left was removed");
        Ok(())
    }

    async fn retain(self: Arc<Self>, stop: CancellationToken) {
        let failed = "what no rule keeps could not be removed";
        again_and_again(self.collection.interval, &stop, failed, || self.retain_once()).await;
    }

    async fn retain_once(&self) -> crate::store::Result<Duration> {
        if self.store.is_read_only() {
            return Ok(self.collection.interval);
        }
        let dry_run = self.collection.dry_run;
        let replication = &self.around.replication;
        let retained = retain(&self.store, replication, &self.rules, self.clock.now(), dry_run).await?;
        for repository in &retained.unreadable {
            warn!(%repository, "a manifest cannot be read, and nothing without a tag goes there");
        }
        for (repository, why) in &retained.failed {
            warn!(%repository, why, "not all that no rule keeps could be removed");
        }
        let mut count = 0;
        for (repository, removals) in &retained.removals {
            for removal in removals {
                count += 1;
                info!(%repository, what = %shown(removal), dry_run, "no rule keeps it");
                if !dry_run {
                    self.tell(repository, removal);
                }
            }
        }
        info!(removed = count, dry_run, "the rules of retention were gone through");
        let interval = self.collection.interval;
        Ok(if retained.failed.is_empty() { interval } else { interval.min(AGAIN) })
    }

    /// Notifies others, as of what a client deletes.
    fn tell(&self, repository: &RepositoryName, removal: &Removal) {
        let (tag, digest) = match removal {
            Removal::Tag(tag, _) => (Some(tag.clone()), None),
            Removal::Manifest(digest) => (None, Some(digest.clone())),
        };
        self.metrics.retained(if tag.is_some() { "tag" } else { "manifest" });
        let target = Target { tag, digest, ..Target::of(repository.clone()) };
        let request = Request { useragent: "retention".to_owned(), ..Request::default() };
        self.around.events.record(Happened { action: EventAction::Delete, target, request, actor: None });
    }

    async fn scrub(self: Arc<Self>, stop: CancellationToken) {
        let failed = "blobs cannot be compared with their digests now";
        again_and_again(self.scrubbing.interval, &stop, failed, || self.scrub_once(&stop)).await;
    }

    /// Goes on until all is compared, if it is this process's turn. Gives how long to rest.
    async fn scrub_once(&self, stop: &CancellationToken) -> jeroboam_blobs::Result<Duration> {
        let before = scrub::last(&self.place).await?.unwrap_or_default();
        let now = self.clock.now();
        if let Turn::After(until) = before.turn(&self.instance, self.scrubbing.interval, now) {
            let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            return Ok(wait.clamp(Duration::from_secs(1), AGAIN));
        }
        let config = ScrubConfig {
            bytes_per_second: self.scrubbing.rate,
            dry_run: self.store.is_read_only(),
            me: self.instance.clone(),
        };
        let scrubbed = scrub::scrub(&self.place, &self.clock, &config, Some(&self.store), stop).await?;
        let old = if before.ended { Scrubbed::default() } else { before };
        let count = |all: &Scrubbed| (all.wrong.len() + all.unreadable.len()) as u64;
        self.metrics.scrubbed(
            scrubbed.blobs.saturating_sub(old.blobs),
            scrubbed.bytes.saturating_sub(old.bytes),
            count(&scrubbed).saturating_sub(count(&old)),
        );
        Ok(self.scrubbing.interval)
    }
}

/// Does something, which says how long to rest after it, until it is told to stop. What fails is told as `failed`, and tried again.
async fn again_and_again<F, E>(every: Duration, stop: &CancellationToken, failed: &str, mut turn: impl FnMut() -> F)
where
    F: Future<Output = Result<Duration, E>>,
    E: Error,
{
    let mut rest = every.min(FIRST);
    loop {
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = stop.cancelled() => return,
        }
        rest = turn().await.unwrap_or_else(|error| {
            warn!(error = chain(&error), "{failed}");
            every.min(AGAIN)
        });
    }
}

fn shown(removal: &Removal) -> String {
    match removal {
        Removal::Tag(tag, target) => format!("{tag} ({target})"),
        Removal::Manifest(digest) => digest.to_string(),
    }
}
