//! Lets go of what nobody asks for any more. What lets go here is only the repository: the bytes are the garbage collection's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::{Condition, Freshness, List, Listed};
use jeroboam_model::Timestamp;
use jeroboam_oci::layout::{self, Area, InRepository, Meaning};
use jeroboam_oci::{Algorithm, Digest, Reference, RepositoryName};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Mirrored, Shared};
use crate::http::failure::chain;
use crate::store::StoreError;

/// How often is looked for what is old.
const OFTEN: Duration = Duration::from_secs(3600);

/// How often the use of a manifest is written down at least. Lifetimes are days; of shorter ones it is a quarter.
pub(super) const WRITTEN_DOWN: Duration = Duration::from_secs(3600);

/// And at most, however short a lifetime is: each time is a write into the store.
const LEAST: Duration = Duration::from_secs(60);

/// How often the use of a manifest is written down, so that what is in use all the time is never old.
fn written_down(lifetime: Option<Duration>) -> Duration {
    lifetime.map_or(WRITTEN_DOWN, |lifetime| (lifetime / 4).clamp(LEAST, WRITTEN_DOWN))
}

pub(super) async fn run(shared: Arc<Shared>, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(OFTEN) => {}
            () = cancel.cancelled() => return,
        }
        match shared.expire().await {
            Ok(0) => {}
            Ok(count) => info!(manifests = count, "let go of manifests that nobody asked for"),
            Err(error) => {
                warn!(error = chain(&error), "what is old in caches of other registries could not be looked for");
            }
        }
    }
}

impl Shared {
    /// Writes down that a manifest was fetched. Only what was may be let go of again; what was pushed stays.
    pub(super) async fn is_fetched(&self, here: &RepositoryName, digest: &Digest) {
        self.used.insert((here.clone(), digest.clone()), self.clock.now()).await;
        self.note(here, digest).await;
    }

    /// Writes down that a manifest was asked for, if it is one that was fetched.
    pub(super) async fn use_of(&self, mirrored: &Mirrored, digest: &Digest) {
        let (here, often) = (&mirrored.here, written_down(mirrored.upstream.settings.lifetime));
        let key = (here.clone(), digest.clone());
        if self.used.get(&key).await.is_some_and(|written| self.age(written) < often) {
            return;
        }
        self.used.insert(key, self.clock.now()).await;
        match self.store.place().head(&layout::mirrored(here, digest), Freshness::Newest).await {
            Ok(None) => {}
            Ok(Some(_)) => self.note(here, digest).await,
            Err(error) => {
                warn!(repository = %here, %digest, error = chain(&error), "whether a manifest was fetched could not be looked up");
            }
        }
    }

    async fn note(&self, here: &RepositoryName, digest: &Digest) {
        let path = layout::mirrored(here, digest);
        if let Err(error) = self.store.place().put(&path, Bytes::from_static(b"used"), Condition::Always).await {
            warn!(repository = %here, %digest, error = chain(&error), "the use of a manifest could not be written down");
        }
    }

    /// Lets go of all manifests that nobody asked for in their lifetime. Gives how many. What cannot be let go of does not keep the others.
    pub(super) async fn expire(&self) -> Result<usize, StoreError> {
        let (prefix, mut after, mut count) = (layout::area(Area::Mirror), None, 0);
        loop {
            let list = List { prefix: &prefix, after: after.as_deref(), folders: false, limit: 1000 };
            let page = self.store.place().list(list).await?;
            for item in &page.items {
                let Listed::Object { path, .. } = item else { continue };
                let Some((here, digest)) = parse(path) else { continue };
                let upstream = self.upstreams.iter().find(|upstream| upstream.settings.below(&here).is_some());
                let Some(lifetime) = upstream.and_then(|upstream| upstream.settings.lifetime) else { continue };
                match self.expire_one(path, &here, &digest, lifetime).await {
                    Ok(gone) => count += usize::from(gone),
                    Err(error) => {
                        warn!(repository = %here, %digest, error = chain(&error), "a manifest that nobody asks for could not be let go of");
                    }
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// Whether it was old, and is gone.
    async fn expire_one(
        &self,
        path: &str,
        here: &RepositoryName,
        digest: &Digest,
        lifetime: Duration,
    ) -> Result<bool, StoreError> {
        // A listing may be old, and somebody may have asked for it since.
        let Some(used) = self.used_at(path).await? else { return Ok(false) };
        if self.age(used) <= lifetime {
            return Ok(false);
        }
        self.let_go(here, digest).await?;
        // Whoever asked for it meanwhile has fetched it anew.
        if self.used_at(path).await? == Some(used) {
            self.store.place().delete(&[path.to_owned()]).await?;
        }
        self.used.invalidate(&(here.clone(), digest.clone())).await;
        Ok(true)
    }

    fn age(&self, since: Timestamp) -> Duration {
        Duration::try_from(self.clock.now().duration_since(since)).unwrap_or_default()
    }

    async fn used_at(&self, path: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.store.place().head(path, Freshness::Newest).await?.and_then(|meta| meta.modified))
    }

    /// Lets go of the blobs that a manifest names and no other one of the repository, and then of itself with its tags: what is broken off is done again, and
    /// a blob that is missing meanwhile is fetched.
    async fn let_go(&self, here: &RepositoryName, digest: &Digest) -> Result<(), StoreError> {
        let mut named = BTreeSet::new();
        if self.names(here, digest, &mut named).await?
            && let Some(kept) = self.kept_in(here, digest).await?
        {
            for blob in named.difference(&kept) {
                match self.store.remove_blob(here, blob).await {
                    Ok(()) | Err(StoreError::BlobUnknown(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        match self.store.remove_manifest(here, digest).await {
            Ok(_) | Err(StoreError::ManifestUnknown(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All that the manifests of a repository name, but for one of them; `None` where one of them cannot be read.
    async fn kept_in(&self, here: &RepositoryName, but: &Digest) -> Result<Option<BTreeSet<Digest>>, StoreError> {
        let (prefix, mut after, mut kept) = (layout::revisions(here), None, BTreeSet::new());
        loop {
            let list = List { prefix: &prefix, after: after.as_deref(), folders: false, limit: 1000 };
            let page = self.store.place().list(list).await?;
            for item in &page.items {
                let Listed::Object { path, .. } = item else { continue };
                let Meaning::Repository(_, InRepository::Revision(digest)) = layout::meaning(path) else { continue };
                if digest == *but {
                    continue;
                }
                if !self.names(here, &digest, &mut kept).await? {
                    return Ok(None);
                }
                kept.insert(digest);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(Some(kept)),
            }
        }
    }

    /// Adds what a manifest names, by the digests that the store sorts by. `false`: nobody knows what it names.
    async fn names(
        &self,
        here: &RepositoryName,
        digest: &Digest,
        all: &mut BTreeSet<Digest>,
    ) -> Result<bool, StoreError> {
        let view = match self.store.find_manifest(here, &Reference::Digest(digest.clone())).await {
            Ok(view) => view,
            Err(StoreError::ManifestUnknown(_)) => return Ok(true),
            Err(error @ StoreError::Damaged { .. }) => {
                warn!(repository = %here, %digest, %error, "a manifest is damaged: the blobs of its repository stay");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let Some(manifest) = &view.stored.manifest else { return Ok(false) };
        for named in manifest.keeps() {
            if named.algorithm() == Algorithm::Sha256 {
                all.insert(named.clone());
                continue;
            }
            match self.store.find_blob(here, named).await {
                Ok(blob) => _ = all.insert(blob.canonical),
                Err(StoreError::BlobUnknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn parse(path: &str) -> Option<(RepositoryName, Digest)> {
    let Meaning::Own(Area::Mirror, rest) = layout::meaning(path) else { return None };
    let (name, rest) = rest.split_once("/_manifests/")?;
    let (algorithm, hex) = rest.split_once('/')?;
    Some((name.parse().ok()?, Digest::from_parts(algorithm.parse().ok()?, hex).ok()?))
}
