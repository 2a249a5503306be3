//! Lets go of what nobody asks for any more. What lets go here is only the repository: the bytes are the garbage collection's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jeroboam_blobs::{Condition, List, Listed};
use jeroboam_oci::layout::{self, Area, InRepository, Meaning};
use jeroboam_oci::{Digest, Reference, RepositoryName};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Shared;
use crate::store::StoreError;

/// How often is looked for what is old.
const OFTEN: Duration = Duration::from_secs(3600);

/// How often the use of a manifest is written down at most. Lifetimes are days.
pub(super) const WRITTEN_DOWN: Duration = Duration::from_secs(3600);

pub(super) async fn run(shared: Arc<Shared>, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(OFTEN) => {}
            () = cancel.cancelled() => return,
        }
        match shared.expire().await {
            Ok(0) => {}
            Ok(count) => info!(manifests = count, "let go of manifests that nobody asked for"),
            Err(error) => warn!(%error, "what is old in caches of other registries could not be looked for"),
        }
    }
}

impl Shared {
    /// Writes down that a manifest was asked for.
    pub(super) async fn use_of(&self, here: &RepositoryName, digest: &Digest) {
        let key = (here.clone(), digest.clone());
        if self.used.get(&key).await.is_some() {
            return;
        }
        self.used.insert(key, ()).await;
        let path = layout::mirrored(here, digest);
        if let Err(error) = self.store.place().put(&path, Bytes::from_static(b"used"), Condition::Always).await {
            warn!(repository = %here, %digest, %error, "the use of a manifest could not be written down");
        }
    }

    /// Lets go of all manifests that nobody asked for in their lifetime. Gives how many.
    pub(super) async fn expire(&self) -> Result<usize, StoreError> {
        let (prefix, mut after, mut count) = (layout::area(Area::Mirror), None, 0);
        loop {
            let list = List { prefix: &prefix, after: after.as_deref(), folders: false, limit: 1000 };
            let page = self.store.place().list(list).await?;
            for item in &page.items {
                let Listed::Object { path, modified: Some(modified), .. } = item else { continue };
                let Some((here, digest)) = parse(path) else { continue };
                let by_name = self.upstreams.iter().find(|upstream| upstream.settings.below(&here).is_some());
                let by_host = || self.upstreams.iter().find(|upstream| upstream.settings.prefix.is_none());
                let upstream = by_name.or_else(by_host);
                let Some(lifetime) = upstream.and_then(|upstream| upstream.settings.lifetime) else { continue };
                let age = Duration::try_from(self.clock.now().duration_since(*modified)).unwrap_or_default();
                if age > lifetime {
                    self.let_go(&here, &digest).await?;
                    self.store.place().delete(std::slice::from_ref(path)).await?;
                    count += 1;
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// Lets go of a manifest, its tags, and the blobs that no other manifest of the repository names.
    async fn let_go(&self, here: &RepositoryName, digest: &Digest) -> Result<(), StoreError> {
        let named = match self.store.find_manifest(here, &Reference::Digest(digest.clone())).await {
            Ok(view) => view.stored.manifest.as_ref().map(|manifest| manifest.keeps().into_iter().cloned().collect()),
            Err(StoreError::ManifestUnknown(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let named: BTreeSet<Digest> = named.unwrap_or_default();
        self.store.remove_manifest(here, digest).await?;
        let kept = self.kept_in(here).await?;
        for blob in named.difference(&kept) {
            match self.store.remove_blob(here, blob).await {
                Ok(()) | Err(StoreError::BlobUnknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// All that the manifests of a repository name.
    async fn kept_in(&self, here: &RepositoryName) -> Result<BTreeSet<Digest>, StoreError> {
        let (prefix, mut after, mut kept) = (layout::revisions(here), None, BTreeSet::new());
        loop {
            let list = List { prefix: &prefix, after: after.as_deref(), folders: false, limit: 1000 };
            let page = self.store.place().list(list).await?;
            for item in &page.items {
                let Listed::Object { path, .. } = item else { continue };
                let Meaning::Repository(_, InRepository::Revision(digest)) = layout::meaning(path) else { continue };
                match self.store.find_manifest(here, &Reference::Digest(digest.clone())).await {
                    Ok(view) => kept.extend(view.stored.manifest.iter().flat_map(|manifest| manifest.keeps()).cloned()),
                    Err(StoreError::ManifestUnknown(_)) => {}
                    Err(error) => return Err(error),
                }
                kept.insert(digest);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(kept),
            }
        }
    }
}

fn parse(path: &str) -> Option<(RepositoryName, Digest)> {
    let Meaning::Own(Area::Mirror, rest) = layout::meaning(path) else { return None };
    let (name, rest) = rest.split_once("/_manifests/")?;
    let (algorithm, hex) = rest.split_once('/')?;
    Some((name.parse().ok()?, Digest::from_parts(algorithm.parse().ok()?, hex).ok()?))
}
