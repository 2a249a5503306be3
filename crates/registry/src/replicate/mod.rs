//! Two regions and more: what is pushed to one is soon in all, and each serves alone while the others are away.
//!
//! Every push and every removal goes into a queue in the store, one for each target, before the client is answered. A worker brings the target to where this registry
//! stands: blobs, then manifests, children first, then the tag, on the condition that it still points where it did. It looks at what is here when it works, not at what was
//! here when the entry was written, so that an outage of a week leaves one copy of each tag to be made. Now and then all tags are compared. Targets may be any
//! registry; registries of ours tell each other besides when a tag was moved and where, and only then a rule can tell which of two is right.

mod conflict;
mod endpoint;
mod stamps;
mod target;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use http::HeaderMap;
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use uuid::Uuid;

use crate::client::{ClientError, Remote, RemoteSettings, STAMP, Stamp, TagState};
use crate::images::Local;
use crate::store::Store;

pub use conflict::{Rule, Verdict, judge};
pub use endpoint::{Report, TargetReport, Whereabouts};

use stamps::Stamps;
use target::Target;

/// When a push is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// When it is here.
    #[default]
    Local,
    /// When it is in more than half of all regions, this one included.
    Quorum,
    /// When it is everywhere.
    All,
}

/// One of the others.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// Its name for the log and for whoever asks.
    pub name: String,
    /// Where it is.
    pub remote: RemoteSettings,
    /// Beginnings of the names of repositories that go there, each a whole number of parts; all, where there is none.
    pub prefixes: Vec<String>,
}

/// How regions are kept alike.
#[derive(Clone, Debug)]
pub struct ReplicateSettings {
    /// What this region is called.
    pub origin: String,
    /// When a push is answered.
    pub acknowledge: Acknowledge,
    /// For how long a push waits for the others.
    pub patience: Duration,
    /// Which tag wins.
    pub rule: Rule,
    /// How often all tags are compared.
    pub interval: Duration,
    /// Whether what is removed here is removed there.
    pub deletes: bool,
    /// The others.
    pub targets: Vec<TargetSettings>,
}

impl ReplicateSettings {
    /// The usual settings, with no target.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            acknowledge: Acknowledge::Local,
            patience: Duration::from_secs(60),
            rule: Rule::Newest,
            interval: Duration::from_secs(600),
            deletes: false,
            targets: Vec::new(),
        }
    }
}

/// A push that is here and not yet where it has to be. The client asks again and finds it done, or waits some more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the push is kept here, and {have} of {wanted} other regions have it: push again to wait for more")]
pub struct NotYet {
    /// So many have it.
    pub have: usize,
    /// So many have to.
    pub wanted: usize,
}

/// What a queue holds: that something changed. What it is now is looked up when it is worked on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) repository: RepositoryName,
    pub(crate) what: Changed,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Changed {
    Tag(Tag),
    Manifest(Digest),
}

/// Keeps regions alike. Cheap to clone; [`Replication::none`] keeps nothing.
#[derive(Clone, Default)]
pub struct Replication {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    settings: ReplicateSettings,
    local: Local,
    clock: Arc<dyn Clock>,
    stamps: Stamps,
    targets: Vec<Arc<Target>>,
}

impl fmt::Debug for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.shared.iter().flat_map(|shared| shared.targets.iter().map(|target| &target.name));
        f.debug_struct("Replication").field("targets", &names.collect::<Vec<_>>()).finish()
    }
}

impl Replication {
    /// There are no other regions.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Begins to keep the targets like this store, in tasks that end with `cancel`. Without targets it still writes down when tags are moved, for those
    /// who keep this registry like theirs.
    pub fn start(
        settings: ReplicateSettings,
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, ClientError> {
        let instance = Uuid::new_v4().simple().to_string();
        let mut targets = Vec::new();
        for target in &settings.targets {
            let remote = Arc::new(Remote::new(target.remote.clone(), clock.clone())?);
            targets.push(Arc::new(Target::new(target, remote, store.place().clone(), clock.clone(), &instance)));
        }
        let stamps = Stamps::new(store.place().clone(), clock.clone(), &settings.origin);
        let shared = Arc::new(Shared { settings, local: Local::new(store), clock, stamps, targets });
        for target in &shared.targets {
            tasks.spawn(worker::run(shared.clone(), target.clone(), cancel.clone()));
        }
        Ok(Self { shared: Some(shared) })
    }

    /// What another region says of a push or a removal, in the headers of its request. A time in the future is none: it would win for ever.
    #[must_use]
    pub fn stamp_of(&self, headers: &HeaderMap) -> Option<Stamp> {
        let shared = self.shared.as_ref()?;
        let stamp = Stamp::parse(headers.get(STAMP)?.to_str().ok()?)?;
        let latest = shared.clock.now() + Duration::from_secs(300);
        (stamp.at <= latest).then_some(stamp)
    }

    /// What is told of a tag in the header of an answer; `digest` is where it points, if anywhere.
    pub async fn stamp_for(&self, repository: &RepositoryName, tag: &Tag, digest: Option<&Digest>) -> Option<Stamp> {
        let shared = self.shared.as_ref()?;
        match shared.stamps.state(repository, tag, digest.cloned()).await {
            Ok(state) => state.stamp,
            Err(error) => {
                warn!(repository = %repository, %tag, %error, "a record of a tag cannot be read");
                None
            }
        }
    }

    /// After a manifest was stored and its tags were moved, before the client is told. `stamp` is that of the request.
    pub async fn pushed(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        tags: &[Tag],
        stamp: Option<Stamp>,
    ) -> Result<(), NotYet> {
        let Some(shared) = &self.shared else { return Ok(()) };
        for tag in tags {
            if let Err(error) = shared.stamps.moved(repository, tag, Some(digest.clone()), stamp.clone()).await {
                warn!(repository = %repository, %tag, %error, "it could not be written down when a tag was moved");
            }
        }
        if shared.is_foreign(stamp.as_ref()) {
            return Ok(());
        }
        let tags = tags.iter().cloned().map(Changed::Tag);
        let mut what: Vec<_> = tags.collect();
        if what.is_empty() {
            what.push(Changed::Manifest(digest.clone()));
        }
        shared.spread(repository, what).await
    }

    /// After something was removed, before the client is told. `tags` are those that went with a manifest.
    pub async fn deleted(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        tags: &[Tag],
        stamp: Option<Stamp>,
    ) {
        let Some(shared) = &self.shared else { return };
        let of_reference = match reference {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => None,
        };
        for tag in tags.iter().chain(of_reference) {
            if let Err(error) = shared.stamps.moved(repository, tag, None, stamp.clone()).await {
                warn!(repository = %repository, %tag, %error, "it could not be written down when a tag was removed");
            }
        }
        if shared.is_foreign(stamp.as_ref()) || !shared.settings.deletes {
            return;
        }
        let what = match reference {
            Reference::Tag(tag) => Changed::Tag(tag.clone()),
            Reference::Digest(digest) => Changed::Manifest(digest.clone()),
        };
        let tags = tags.iter().cloned().map(Changed::Tag);
        // Nobody waits for a removal to be everywhere.
        let _ = shared.spread_to(repository, tags.chain([what]).collect(), 0).await;
    }

    /// Where a manifest is.
    pub async fn report(&self, repository: &RepositoryName, digest: &Digest) -> Report {
        match &self.shared {
            Some(shared) => endpoint::report(shared, repository, digest).await,
            None => Report { digest: digest.clone(), complete: true, targets: Vec::new() },
        }
    }

    /// Where all tags of a repository point; `None` where nobody keeps records of it.
    pub async fn snapshot(&self, repository: &RepositoryName) -> Option<Result<crate::client::Snapshot, ClientError>> {
        let shared = self.shared.as_ref()?;
        Some(endpoint::snapshot(shared, repository).await)
    }

    /// Has all tags compared now, and not only when it is time.
    pub fn compare_now(&self) {
        for target in self.shared.iter().flat_map(|shared| &shared.targets) {
            target.compare.notify_one();
        }
    }

    /// For each target its name, how many changes wait for it, and what went wrong last.
    #[must_use]
    pub fn backlog(&self) -> Vec<(String, usize, Option<String>)> {
        let targets = self.shared.iter().flat_map(|shared| &shared.targets);
        targets.map(|target| (target.name.clone(), target.waiting(), target.trouble())).collect()
    }
}

impl Shared {
    /// Whether it came from another region, which sends it to all by itself.
    fn is_foreign(&self, stamp: Option<&Stamp>) -> bool {
        stamp.is_some_and(|stamp| stamp.origin != self.settings.origin)
    }

    async fn spread(&self, repository: &RepositoryName, what: Vec<Changed>) -> Result<(), NotYet> {
        let all = self.targets.iter().filter(|target| target.covers(repository)).count();
        let wanted = match self.settings.acknowledge {
            Acknowledge::Local => 0,
            Acknowledge::All => all,
            // More than half of all and this one, which has it.
            Acknowledge::Quorum => all.div_ceil(2),
        };
        self.spread_to(repository, what, wanted).await
    }

    /// Queues changes for every target, and waits until so many have them.
    async fn spread_to(&self, repository: &RepositoryName, what: Vec<Changed>, wanted: usize) -> Result<(), NotYet> {
        let mut waiting = FuturesUnordered::new();
        for target in self.targets.iter().filter(|target| target.covers(repository)) {
            let mut done = Vec::new();
            for what in &what {
                let change = Change { repository: repository.clone(), what: what.clone() };
                done.push(target.queue(change, wanted > 0).await);
            }
            waiting.push(async move {
                for done in done.into_iter().flatten() {
                    done.await.map_err(|_| ())?;
                }
                Ok::<_, ()>(())
            });
        }
        let mut have = 0;
        let enough = async {
            while have < wanted {
                match waiting.next().await {
                    Some(Ok(())) => have += 1,
                    Some(Err(())) => {}
                    None => return,
                }
            }
        };
        let _ = tokio::time::timeout(self.settings.patience, enough).await;
        if have >= wanted { Ok(()) } else { Err(NotYet { have, wanted }) }
    }

    /// Where a tag points here, and since when.
    async fn state(&self, repository: &RepositoryName, tag: &Tag) -> Result<TagState, ClientError> {
        let digest = self.local.store().tag_target(repository, tag).await?;
        self.stamps.state(repository, tag, digest).await.map_err(|error| crate::store::StoreError::from(error).into())
    }

    /// Writes down that another region has the tag as it is here: whatever comes after it here follows what is there.
    async fn common(&self, repository: &RepositoryName, tag: &Tag, ours: &TagState) -> Result<(), ClientError> {
        let Some(stamp) = ours.stamp.as_ref().filter(|stamp| ours.digest.is_some() && stamp.base != ours.digest) else {
            return Ok(());
        };
        let stamp = Stamp { base: ours.digest.clone(), ..stamp.clone() };
        let moved = self.stamps.moved(repository, tag, ours.digest.clone(), Some(stamp)).await;
        moved.map_err(|error| crate::store::StoreError::from(error).into())
    }

    /// What is sent along with what has no tag.
    fn stamp_now(&self) -> Stamp {
        let at: Timestamp = self.clock.now();
        Stamp { at, origin: self.settings.origin.clone(), base: None }
    }
}

#[cfg(test)]
mod tests;
