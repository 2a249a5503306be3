//! A cache of other registries: what is asked for is fetched once, kept, and given again while the other one is away.
//!
//! Each upstream has a beginning of names here, or is chosen by the host that a container runtime says it wants. What has been fetched is content of this registry like any
//! other: authentication, garbage collection and pages know nothing of where it came from. A digest that is here is never asked for again; a tag is asked for when
//! the last answer is old. Whoever asks for the same at the same time reads along with the first. What an upstream gives comes into repositories that are its caches, and nowhere else.

mod expire;
mod fetch;
mod settings;
mod upstream;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jeroboam_model::Clock;
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use crate::access::Actor;
use crate::background;
use crate::client::{BlobStream, ClientError, RawManifest};
use crate::store::{Store, StoreError};

pub(crate) use settings::overlap;
pub use settings::{MirrorSettings, UpstreamSettings};

use fetch::Fetch;
use upstream::{Said, Upstream};

/// What is remembered of tags, and of what upstreams do not have.
const REMEMBERED: u64 = 100_000;

/// How long those who ask for the same hear what the first of them heard, where that was no answer.
const SHARED_FAILURE: Duration = Duration::from_secs(2);

/// Caches of other registries. Cheap to clone; [`Mirror::none`] caches nothing.
#[derive(Clone, Default)]
pub struct Mirror {
    shared: Option<Arc<Shared>>,
}

/// A repository, and what is asked for of it.
type Asked = (RepositoryName, String);

/// Whoever asks for the same waits here.
type Turn = Weak<tokio::sync::Mutex<()>>;

struct Shared {
    upstreams: Vec<Arc<Upstream>>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    settings: MirrorSettings,
    tasks: TaskTracker,
    cancel: CancellationToken,
    /// Tags about which the upstream was asked a short time ago.
    checked: moka::future::Cache<(RepositoryName, Tag), ()>,
    /// What an upstream did not have a short time ago.
    absent: moka::future::Cache<Asked, ()>,
    /// Questions that were not answered a moment ago.
    failed: moka::future::Cache<Asked, Said>,
    /// Manifests whose use was written down a short time ago.
    used: moka::future::Cache<(RepositoryName, Digest), ()>,
    fetches: Mutex<HashMap<(RepositoryName, Digest), Weak<Fetch>>>,
    turns: Mutex<HashMap<Asked, Turn>>,
}

/// A repository that is a cache of one elsewhere.
#[derive(Clone)]
pub struct Mirrored {
    upstream: Arc<Upstream>,
    /// Its name here.
    pub here: RepositoryName,
    /// Its name there.
    pub there: RepositoryName,
}

impl fmt::Debug for Mirrored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}/{}", self.here, self.upstream.remote.name(), self.there)
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            self.shared.iter().flat_map(|shared| shared.upstreams.iter().map(|upstream| upstream.remote.name()));
        f.debug_struct("Mirror").field("upstreams", &names.collect::<Vec<_>>()).finish()
    }
}

/// Where an answer about something cached comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The store has what is to be answered.
    Here,
    /// The upstream does not have it.
    Absent,
}

/// A blob that is not in the store yet, while it is being fetched.
pub struct OnItsWay {
    /// So many bytes it has.
    pub size: u64,
    fetch: Arc<Fetch>,
}

impl fmt::Debug for OnItsWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnItsWay").field("size", &self.size).finish_non_exhaustive()
    }
}

impl OnItsWay {
    /// Its bytes, or a range of them, as they come. The last ones come only when the digest is right.
    #[must_use]
    pub fn read(&self, range: Option<std::ops::Range<u64>>) -> BlobStream {
        fetch::follow(self.fetch.clone(), range.unwrap_or(0..self.size))
    }
}

impl Mirror {
    /// Caches nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Caches these upstreams in a store; what runs on its own ends with `cancel`.
    pub fn start(
        settings: MirrorSettings,
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, ClientError> {
        if settings.upstreams.is_empty() {
            return Ok(Self::none());
        }
        settings.check()?;
        let mut upstreams = Vec::new();
        for upstream in &settings.upstreams {
            upstreams.push(Arc::new(Upstream::new(upstream, &clock)?));
        }
        // The one of everything comes last.
        upstreams.sort_by_key(|upstream| {
            std::cmp::Reverse(upstream.settings.prefix.as_ref().map_or(0, |prefix| prefix.as_str().len()))
        });
        let shared = Arc::new(Shared {
            store,
            clock,
            tasks: tasks.clone(),
            cancel: cancel.clone(),
            checked: remember(settings.check),
            absent: remember(settings.absent),
            failed: remember(SHARED_FAILURE),
            used: remember(expire::WRITTEN_DOWN),
            fetches: Mutex::default(),
            turns: Mutex::default(),
            upstreams,
            settings,
        });
        let expiring = shared.clone();
        background::spawn(tasks, cancel, "letting go of what is old", move |stop| expire::run(expiring.clone(), stop));
        Ok(Self { shared: Some(shared) })
    }

    /// What a repository is a cache of, if it is one. `host` is what a container runtime says it wants: the parameter `ns`.
    #[must_use]
    pub fn place(&self, repository: &RepositoryName, host: Option<&str>) -> Option<Mirrored> {
        let upstreams = &self.shared.as_ref()?.upstreams;
        let by_host = host.and_then(|host| upstreams.iter().find(|upstream| upstream.settings.is_host(host)));
        if let Some(upstream) = by_host {
            // A runtime says the name that it has there; what is below the beginning of names already is meant as it is.
            if upstream.settings.below(repository).is_none() {
                let here = upstream.settings.name_here(repository)?;
                return Some(Mirrored { upstream: upstream.clone(), here, there: repository.clone() });
            }
        }
        let (upstream, there) =
            upstreams.iter().find_map(|upstream| Some((upstream, upstream.settings.below(repository)?)))?;
        Some(Mirrored { upstream: upstream.clone(), here: repository.clone(), there })
    }

    /// Whether somebody may read what is here of another registry: what is had with a password is not for those who have none.
    pub fn may_read(&self, mirrored: &Mirrored, actor: &Actor) -> Result<(), StoreError> {
        if mirrored.upstream.settings.anonymous || actor.name.is_some() {
            return Ok(());
        }
        Err(StoreError::Denied(format!("{} is a cache of a registry that asks for a password: log in", mirrored.here)))
    }

    /// Makes the store ready to answer about a manifest. Whoever asks may read it.
    pub async fn prepare_manifest(&self, mirrored: &Mirrored, reference: &Reference) -> Result<Prepared, StoreError> {
        let Some(shared) = &self.shared else { return Ok(Prepared::Here) };
        let key = (mirrored.here.clone(), reference.to_string());
        if shared.absent.get(&key).await.is_some() {
            return Ok(Prepared::Absent);
        }
        let turn = shared.turn(&key);
        let _turn = turn.lock().await;
        if shared.absent.get(&key).await.is_some() {
            return Ok(Prepared::Absent);
        }
        if let Some(said) = shared.failed.get(&key).await {
            return Err(mirrored.refusal(said));
        }
        let prepared = match reference {
            Reference::Digest(digest) => shared.by_digest(mirrored, digest).await,
            Reference::Tag(tag) => shared.by_tag(mirrored, tag).await,
        };
        match prepared {
            Ok(Prepared::Absent) => shared.absent.insert(key, ()).await,
            Err(Failure::Upstream(said)) => shared.failed.insert(key, said).await,
            Ok(Prepared::Here) | Err(Failure::Store(_)) => {}
        }
        prepared.map_err(|failure| failure.told(mirrored))
    }

    /// Finds out about a blob that the store does not have: it is there now, is on its way, or nobody has it. Whoever asks may read it.
    pub async fn prepare_blob(&self, mirrored: &Mirrored, digest: &Digest) -> Result<Option<OnItsWay>, StoreError> {
        let Some(shared) = &self.shared else { return Ok(None) };
        if shared.has_blob(mirrored, digest).await? {
            return Ok(None);
        }
        let key = (mirrored.here.clone(), digest.to_string());
        if shared.absent.get(&key).await.is_some() {
            return Ok(None);
        }
        let turn = shared.turn(&key);
        let _turn = turn.lock().await;
        if let Some(fetch) = shared.running(&mirrored.here, digest) {
            return Ok(Some(OnItsWay { size: fetch.size(), fetch }));
        }
        // Whoever was before us may have brought it.
        if shared.has_blob(mirrored, digest).await? {
            return Ok(None);
        }
        if let Some(said) = shared.failed.get(&key).await {
            return Err(mirrored.refusal(said));
        }
        let upstream = &mirrored.upstream;
        let size = match upstream.ask(upstream.remote.blob_size(&mirrored.there, digest)).await {
            Ok(Some(size)) => size,
            Ok(None) => {
                shared.absent.insert(key, ()).await;
                return Ok(None);
            }
            Err(said) => {
                shared.failed.insert(key, said).await;
                return Err(mirrored.refusal(said));
            }
        };
        // What came from there before it may give to another one of its repositories. What others have it could only claim to have.
        for from in shared.store.seen_in(digest) {
            let place = self.place(&from, None).filter(|place| Arc::ptr_eq(&place.upstream, upstream));
            if place.is_some()
                && from != mirrored.here
                && shared.store.mount_blob(&mirrored.here, &from, digest).await?.is_some()
            {
                return Ok(None);
            }
        }
        let fetch = fetch::start(shared, mirrored, digest, size).await?;
        Ok(Some(OnItsWay { size, fetch }))
    }
}

impl Shared {
    /// One after the other, about the same.
    fn turn(&self, key: &Asked) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        turns.insert(key.clone(), Arc::downgrade(&turn));
        turn
    }

    fn running(&self, here: &RepositoryName, digest: &Digest) -> Option<Arc<Fetch>> {
        let fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        fetches.get(&(here.clone(), digest.clone())).and_then(Weak::upgrade).filter(|fetch| !fetch.has_failed())
    }

    async fn has_blob(&self, mirrored: &Mirrored, digest: &Digest) -> Result<bool, StoreError> {
        match self.store.promise_blob(&mirrored.here, digest).await {
            Ok(_) => Ok(true),
            Err(StoreError::BlobUnknown(_) | StoreError::RepositoryUnknown(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn has_manifest(&self, here: &RepositoryName, reference: &Reference) -> Result<Option<Digest>, StoreError> {
        match self.store.find_manifest(here, reference).await {
            Ok(view) => Ok(Some(view.digest)),
            Err(StoreError::ManifestUnknown(_) | StoreError::RepositoryUnknown(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn by_digest(&self, mirrored: &Mirrored, digest: &Digest) -> Result<Prepared, Failure> {
        let reference = Reference::Digest(digest.clone());
        if self.has_manifest(&mirrored.here, &reference).await?.is_some() {
            self.use_of(&mirrored.here, digest).await;
            return Ok(Prepared::Here);
        }
        let Some(raw) = self.fetch_manifest(mirrored, &reference).await? else { return Ok(Prepared::Absent) };
        self.adopt(mirrored, &raw, None).await?;
        Ok(Prepared::Here)
    }

    async fn by_tag(&self, mirrored: &Mirrored, tag: &Tag) -> Result<Prepared, Failure> {
        let key = (mirrored.here.clone(), tag.clone());
        let reference = Reference::Tag(tag.clone());
        let Some(here) = self.has_manifest(&mirrored.here, &reference).await? else {
            let fetched = self.fetch_tag(mirrored, tag, None).await?;
            if fetched.is_some() {
                self.checked.insert(key, ()).await;
            }
            return Ok(fetched.map_or(Prepared::Absent, |_| Prepared::Here));
        };
        if self.checked.get(&key).await.is_some() {
            self.use_of(&mirrored.here, &here).await;
            return Ok(Prepared::Here);
        }
        // Whoever asks gets what is here rather than wait for long.
        let fetching = tokio::time::timeout(self.settings.patience, self.fetch_tag(mirrored, tag, Some(&here)));
        let fetched = fetching.await.unwrap_or_else(|_| {
            mirrored.upstream.did_not_answer();
            Err(Failure::Upstream(Said::Away))
        });
        let given = match fetched {
            Ok(Some(digest)) => digest,
            Ok(None) => return Ok(Prepared::Absent),
            Err(Failure::Upstream(said)) if said != Said::Refused => {
                debug!(upstream = mirrored.upstream.remote.name(), repository = %mirrored.here, %tag, ?said, "giving what is here");
                here
            }
            // It cannot be moved now, and points to what it did.
            Err(Failure::Store(StoreError::ReadOnly)) => here,
            Err(failure) => return Err(failure),
        };
        // Not again for every request, also while the upstream is away.
        self.checked.insert(key, ()).await;
        self.use_of(&mirrored.here, &given).await;
        Ok(Prepared::Here)
    }

    /// Asks the upstream where a tag points, and fetches what it points to if that is not here.
    async fn fetch_tag(
        &self,
        mirrored: &Mirrored,
        tag: &Tag,
        here: Option<&Digest>,
    ) -> Result<Option<Digest>, Failure> {
        let (upstream, reference) = (&mirrored.upstream, Reference::Tag(tag.clone()));
        let head = upstream.ask(upstream.remote.head_manifest(&mirrored.there, &reference)).await;
        let Some(head) = head.map_err(Failure::Upstream)? else { return Ok(None) };
        if here == Some(&head.digest) {
            return Ok(Some(head.digest));
        }
        let by_digest = Reference::Digest(head.digest.clone());
        let raw = match self.store.find_manifest(&mirrored.here, &by_digest).await {
            Ok(view) => RawManifest {
                digest: view.digest,
                media_type: view.stored.media_type.to_string(),
                bytes: view.stored.bytes.clone(),
            },
            Err(StoreError::ManifestUnknown(_) | StoreError::RepositoryUnknown(_)) => {
                let Some(raw) = self.fetch_manifest(mirrored, &by_digest).await? else { return Ok(None) };
                raw
            }
            Err(error) => return Err(error.into()),
        };
        self.adopt(mirrored, &raw, Some(tag)).await?;
        debug!(upstream = upstream.remote.name(), repository = %mirrored.here, %tag, digest = %head.digest, "a tag was fetched");
        Ok(Some(head.digest))
    }

    /// Fetches a manifest that is not here, and writes down that it was.
    async fn fetch_manifest(&self, mirrored: &Mirrored, reference: &Reference) -> Result<Option<RawManifest>, Failure> {
        let upstream = &mirrored.upstream;
        let raw = upstream.ask(upstream.remote.manifest(&mirrored.there, reference)).await;
        let raw = raw.map_err(Failure::Upstream)?;
        if let Some(raw) = &raw {
            self.is_fetched(&mirrored.here, &raw.digest).await;
        }
        Ok(raw)
    }

    /// Takes a manifest whose blobs come when somebody asks for them.
    async fn adopt(&self, mirrored: &Mirrored, raw: &RawManifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.store.adopt_manifest(&mirrored.here, &raw.digest, &raw.media_type, raw.bytes.clone(), tag).await?;
        info!(upstream = mirrored.upstream.remote.name(), repository = %mirrored.here, digest = %raw.digest, "a manifest was fetched");
        Ok(())
    }
}

impl Mirrored {
    /// What a client is told of the upstream's trouble.
    fn refusal(&self, said: Said) -> StoreError {
        let name = self.upstream.remote.name();
        match said {
            Said::TooMany(until) => StoreError::TooMany {
                what: format!("{name} wants fewer requests"),
                retry_after: until.saturating_duration_since(Instant::now()).max(Duration::from_secs(1)),
            },
            Said::Refused => StoreError::Denied(format!("{name} does not let this registry read {}", self.there)),
            Said::Away => StoreError::Unavailable(format!("{name} did not answer as it should; ask again")),
        }
    }
}

/// What is remembered for so long.
fn remember<K, V>(lifetime: Duration) -> moka::future::Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + std::marker::Sync + 'static,
    V: Clone + Send + std::marker::Sync + 'static,
{
    moka::future::Cache::builder().max_capacity(REMEMBERED).time_to_live(lifetime).build()
}

/// Why something was not fetched.
enum Failure {
    Upstream(Said),
    Store(StoreError),
}

impl Failure {
    fn told(self, mirrored: &Mirrored) -> StoreError {
        match self {
            Self::Upstream(said) => mirrored.refusal(said),
            Self::Store(error) => error,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
mod tests;
