//! A cache of other registries: what is asked for is fetched once, kept, and given again while the other one is away.
//!
//! Each upstream has a beginning of names here, or is chosen by the host that a container runtime says it wants. What has been fetched is content of this registry like any
//! other: authentication, garbage collection and pages know nothing of where it came from. A digest that is here is never asked for again; a tag is asked for when
//! the last answer is old, and so are lists. Whoever asks for the same at the same time reads along with the first. What an upstream gives comes into repositories that are its caches, and nowhere else.

mod expire;
mod fetch;
mod lists;
mod settings;
mod upstream;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use crate::access::Actor;
use crate::background;
use crate::client::{BlobStream, ClientError, RawManifest};
use crate::leases::NotNow;
use crate::store::{Store, StoreError};

pub(crate) use settings::overlap;
pub use settings::{MirrorSettings, UpstreamLimits, UpstreamSettings};

use fetch::Fetch;
use lists::Lists;
use upstream::{Said, Upstream};

/// What is remembered of tags, and of what upstreams do not have.
const REMEMBERED: u64 = 100_000;

/// Longest time for which something is remembered: nobody can mean more, and the cache takes no more than a thousand years.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

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
    /// Questions that were not answered a moment ago.
    failed: moka::future::Cache<Asked, Said>,
    /// What upstreams said last that they have.
    lists: Lists,
    /// Manifests whose use was written down a short time ago, and when.
    used: moka::future::Cache<(RepositoryName, Digest), Timestamp>,
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

/// How often something was here that one of the caches was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheCounts {
    /// Below which name it is found here; `*` where it is everything.
    pub prefix: String,
    /// `manifest` or `blob`.
    pub kind: &'static str,
    /// What was given from here, also while somebody else's request was fetching it.
    pub hits: u64,
    /// What was fetched.
    pub misses: u64,
}

/// A manifest that the store can give now.
struct Given {
    digest: Digest,
    /// Whether the upstream was asked for its bytes.
    fetched: bool,
}

impl Given {
    fn from_here(digest: Digest) -> Self {
        Self { digest, fetched: false }
    }
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
            failed: remember(SHARED_FAILURE),
            lists: Lists::new(),
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

    /// How often something was here, of each cache.
    #[must_use]
    pub fn counts(&self) -> Vec<CacheCounts> {
        let upstreams = self.shared.iter().flat_map(|shared| &shared.upstreams);
        let counts = upstreams.flat_map(|upstream| {
            let prefix = upstream.settings.prefix.as_ref().map_or("*", RepositoryName::as_str);
            [("manifest", &upstream.manifests), ("blob", &upstream.blobs)].map(|(kind, counted)| CacheCounts {
                prefix: prefix.to_owned(),
                kind,
                hits: counted.hits(),
                misses: counted.misses(),
            })
        });
        counts.collect()
    }

    /// Makes the store ready to answer about a manifest. Whoever asks may read it.
    pub async fn prepare_manifest(&self, mirrored: &Mirrored, reference: &Reference) -> Result<Prepared, StoreError> {
        let Some(shared) = &self.shared else { return Ok(Prepared::Here) };
        let key = (mirrored.here.clone(), reference.to_string());
        if mirrored.upstream.absent.get(&key).await.is_some() {
            return Ok(Prepared::Absent);
        }
        let turn = shared.turn(&key);
        let _turn = turn.lock().await;
        if mirrored.upstream.absent.get(&key).await.is_some() {
            return Ok(Prepared::Absent);
        }
        if let Some(said) = shared.failed.get(&key).await {
            return Err(mirrored.refusal(said));
        }
        let given = match reference {
            Reference::Digest(digest) => shared.by_digest(mirrored, digest).await,
            Reference::Tag(tag) => shared.by_tag(mirrored, tag).await,
        };
        match given {
            Ok(Some(given)) => {
                mirrored.upstream.manifests.note(!given.fetched);
                Ok(Prepared::Here)
            }
            Ok(None) => {
                mirrored.upstream.absent.insert(key, ()).await;
                Ok(Prepared::Absent)
            }
            Err(failure) => {
                if let Failure::Upstream(said) = &failure {
                    shared.failed.insert(key, *said).await;
                }
                Err(failure.told(mirrored))
            }
        }
    }

    /// So many bytes a blob has that the store does not have, where it is on its way or the upstream has it. Nothing is fetched. Whoever asks may read it.
    pub async fn blob_size(&self, mirrored: &Mirrored, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let Some(shared) = &self.shared else { return Ok(None) };
        let key = (mirrored.here.clone(), digest.to_string());
        if !shared.may_be_elsewhere(mirrored, digest, &key).await? {
            return Ok(None);
        }
        let turn = shared.turn(&key);
        let _turn = turn.lock().await;
        let elsewhere = shared.elsewhere(mirrored, digest, &key).await?;
        Ok(elsewhere.map(|elsewhere| match elsewhere {
            Elsewhere::OnItsWay(fetch) => fetch.size(),
            Elsewhere::There(size) => size,
        }))
    }

    /// Finds out about a blob that the store does not have: it is there now, is on its way, or nobody has it. Whoever asks may read it.
    pub async fn prepare_blob(&self, mirrored: &Mirrored, digest: &Digest) -> Result<Option<OnItsWay>, StoreError> {
        let Some(shared) = &self.shared else { return Ok(None) };
        let upstream = &mirrored.upstream;
        let key = (mirrored.here.clone(), digest.to_string());
        if !shared.may_be_elsewhere(mirrored, digest, &key).await? {
            return Ok(None);
        }
        let turn = shared.turn(&key);
        let _turn = turn.lock().await;
        let size = match shared.elsewhere(mirrored, digest, &key).await? {
            None => return Ok(None),
            Some(Elsewhere::OnItsWay(fetch)) => return Ok(Some(OnItsWay { size: fetch.size(), fetch })),
            Some(Elsewhere::There(size)) => size,
        };
        // It is here next, or something was wrong and all is asked anew.
        upstream.sizes.invalidate(&key).await;
        // What came from there before it may give to another one of its repositories. What others have it could only claim to have.
        for from in shared.store.seen_in(digest) {
            let place = self.place(&from, None).filter(|place| Arc::ptr_eq(&place.upstream, upstream));
            if place.is_some()
                && from != mirrored.here
                && shared.store.mount_blob(&mirrored.here, &from, digest).await?.is_some()
            {
                upstream.blobs.note(true);
                return Ok(None);
            }
        }
        let room = match upstream.room().await {
            Ok(room) => room,
            Err(said) => {
                shared.failed.insert(key, said).await;
                return Err(mirrored.refusal(said));
            }
        };
        let fetch = fetch::start(shared, mirrored, digest, size, room).await?;
        upstream.blobs.note(false);
        Ok(Some(OnItsWay { size, fetch }))
    }
}

/// Where a blob is that is not here.
enum Elsewhere {
    /// It is being fetched.
    OnItsWay(Arc<Fetch>),
    /// The upstream has it, with so many bytes.
    There(u64),
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

    /// Whether the store has a blob, which then stays for as long as anybody reads it.
    async fn has_blob(&self, mirrored: &Mirrored, digest: &Digest) -> Result<bool, StoreError> {
        match self.store.promise_blob(&mirrored.here, digest).await {
            Ok(_) => Ok(true),
            Err(StoreError::BlobUnknown(_) | StoreError::RepositoryUnknown(_)) => Ok(false),
            // While the store is away a node may have it. Nobody pushes here who would rely on that.
            Err(error @ (StoreError::Blobs(_) | StoreError::NotNow(NotNow::OutOfTouch | NotNow::NotWritten))) => {
                let found = self.store.find_blob(&mirrored.here, digest).await;
                found.map(|_| true).map_err(|_| error)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a blob is not here, and nobody has just said that the upstream does not have it either.
    async fn may_be_elsewhere(&self, mirrored: &Mirrored, digest: &Digest, key: &Asked) -> Result<bool, StoreError> {
        if self.has_blob(mirrored, digest).await? {
            mirrored.upstream.blobs.note(true);
            return Ok(false);
        }
        Ok(mirrored.upstream.absent.get(key).await.is_none())
    }

    /// Where a blob is that is not here; `None` where it is, or nobody has it. For whoever has its turn.
    async fn elsewhere(
        &self,
        mirrored: &Mirrored,
        digest: &Digest,
        key: &Asked,
    ) -> Result<Option<Elsewhere>, StoreError> {
        if let Some(fetch) = self.running(&mirrored.here, digest) {
            mirrored.upstream.blobs.note(true);
            return Ok(Some(Elsewhere::OnItsWay(fetch)));
        }
        // Whoever was before us may have brought it.
        if self.has_blob(mirrored, digest).await? {
            mirrored.upstream.blobs.note(true);
            return Ok(None);
        }
        Ok(self.size_there(mirrored, digest, key).await?.map(Elsewhere::There))
    }

    /// So many bytes a blob has at the upstream; `None` where that does not have it. It is asked by one at a time.
    async fn size_there(&self, mirrored: &Mirrored, digest: &Digest, key: &Asked) -> Result<Option<u64>, StoreError> {
        let upstream = &mirrored.upstream;
        if upstream.absent.get(key).await.is_some() {
            return Ok(None);
        }
        if let Some(said) = self.failed.get(key).await {
            return Err(mirrored.refusal(said));
        }
        if let Some(size) = upstream.sizes.get(key).await {
            return Ok(Some(size));
        }
        match upstream.ask(upstream.remote.blob_size(&mirrored.there, digest)).await {
            Ok(Some(size)) => {
                upstream.sizes.insert(key.clone(), size).await;
                Ok(Some(size))
            }
            Ok(None) => {
                upstream.absent.insert(key.clone(), ()).await;
                Ok(None)
            }
            Err(said) => {
                self.failed.insert(key.clone(), said).await;
                Err(mirrored.refusal(said))
            }
        }
    }

    async fn has_manifest(&self, here: &RepositoryName, reference: &Reference) -> Result<Option<Digest>, StoreError> {
        match self.store.find_manifest(here, reference).await {
            Ok(view) => Ok(Some(view.digest)),
            Err(StoreError::ManifestUnknown(_) | StoreError::RepositoryUnknown(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A manifest by its digest; `None` where the upstream does not have it.
    async fn by_digest(&self, mirrored: &Mirrored, digest: &Digest) -> Result<Option<Given>, Failure> {
        let reference = Reference::Digest(digest.clone());
        if self.has_manifest(&mirrored.here, &reference).await?.is_some() {
            self.use_of(mirrored, digest).await;
            return Ok(Some(Given::from_here(digest.clone())));
        }
        let Some(raw) = self.fetch_manifest(mirrored, &reference).await? else { return Ok(None) };
        self.adopt(mirrored, &raw, None).await?;
        Ok(Some(Given { digest: raw.digest, fetched: true }))
    }

    /// The manifest that a tag points to; `None` where the upstream does not have it.
    async fn by_tag(&self, mirrored: &Mirrored, tag: &Tag) -> Result<Option<Given>, Failure> {
        let key = (mirrored.here.clone(), tag.clone());
        let reference = Reference::Tag(tag.clone());
        let Some(here) = self.has_manifest(&mirrored.here, &reference).await? else {
            let fetched = self.fetch_tag(mirrored, tag, None).await?;
            if fetched.is_some() {
                mirrored.upstream.checked.insert(key, ()).await;
            }
            return Ok(fetched);
        };
        if mirrored.upstream.checked.get(&key).await.is_some() {
            self.use_of(mirrored, &here).await;
            return Ok(Some(Given::from_here(here)));
        }
        // Whoever asks gets what is here rather than wait for long.
        let patience = mirrored.upstream.settings.limits.patience;
        let fetching = tokio::time::timeout(patience, self.fetch_tag(mirrored, tag, Some(&here)));
        let fetched = fetching.await.unwrap_or_else(|_| {
            mirrored.upstream.did_not_answer();
            Err(Failure::Upstream(Said::Away))
        });
        let given = match fetched {
            Ok(Some(given)) => given,
            Ok(None) => return Ok(None),
            Err(Failure::Upstream(said)) if said != Said::Refused => {
                debug!(upstream = mirrored.upstream.remote.name(), repository = %mirrored.here, %tag, ?said, "giving what is here");
                Given::from_here(here)
            }
            // It cannot be moved now, and points to what it did.
            Err(Failure::Store(StoreError::ReadOnly)) => Given::from_here(here),
            Err(failure) => return Err(failure),
        };
        // Not again for every request, also while the upstream is away.
        mirrored.upstream.checked.insert(key, ()).await;
        self.use_of(mirrored, &given.digest).await;
        Ok(Some(given))
    }

    /// Asks the upstream where a tag points, and fetches what it points to if that is not here.
    async fn fetch_tag(&self, mirrored: &Mirrored, tag: &Tag, here: Option<&Digest>) -> Result<Option<Given>, Failure> {
        let (upstream, reference) = (&mirrored.upstream, Reference::Tag(tag.clone()));
        let head = upstream.ask(upstream.remote.head_manifest(&mirrored.there, &reference)).await;
        let Some(head) = head.map_err(Failure::Upstream)? else { return Ok(None) };
        if here == Some(&head.digest) {
            return Ok(Some(Given::from_here(head.digest)));
        }
        let by_digest = Reference::Digest(head.digest.clone());
        let (raw, fetched) = match self.store.find_manifest(&mirrored.here, &by_digest).await {
            Ok(view) => {
                let (media_type, bytes) = (view.stored.media_type.to_string(), view.stored.bytes.clone());
                (RawManifest { digest: view.digest, media_type, bytes }, false)
            }
            Err(StoreError::ManifestUnknown(_) | StoreError::RepositoryUnknown(_)) => {
                let Some(raw) = self.fetch_manifest(mirrored, &by_digest).await? else { return Ok(None) };
                (raw, true)
            }
            Err(error) => return Err(error.into()),
        };
        self.adopt(mirrored, &raw, Some(tag)).await?;
        debug!(upstream = upstream.remote.name(), repository = %mirrored.here, %tag, digest = %head.digest, "a tag was fetched");
        Ok(Some(Given { digest: head.digest, fetched }))
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
            Said::Busy => StoreError::Unavailable(format!("too many blobs of {name} are being fetched; ask again")),
        }
    }
}

/// What is remembered for so long.
fn remember<K, V>(lifetime: Duration) -> moka::future::Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + std::marker::Sync + 'static,
    V: Clone + Send + std::marker::Sync + 'static,
{
    moka::future::Cache::builder().max_capacity(REMEMBERED).time_to_live(lifetime.min(LONGEST)).build()
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
