//! Two regions and more: what is pushed to one is soon in all, and each serves alone while the others are away.
//!
//! Every push and every removal goes into a queue in the store, one for each target, before the client is answered; that a tag is removed is written down before it is. A worker brings the target to where this registry
//! stands: blobs, then manifests, children first, then the tag, on the condition that it still points where it did. It looks at what is here when it works, not at what was
//! here when the entry was written, so that an outage of a week leaves one copy of each tag to be made. Soon after the start and then now and then all tags are compared. Targets may be any
//! registry; registries of ours tell each other besides when a tag was moved and where, and only then a rule can tell which of two is right.

mod apply;
mod compare;
mod conflict;
mod endpoint;
mod queue;
mod stamps;
mod target;
mod worker;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use http::HeaderMap;
use jeroboam_model::{Clock, Timestamp};
use jeroboam_oci::{Digest, Reference, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use uuid::Uuid;

use crate::client::{ClientError, RemoteSettings, STAMP, Stamp, TagState};
use crate::config::Prefix;
use crate::http::failure::chain;
use crate::images::Local;
use crate::store::{Store, StoreError};

pub use conflict::{Rule, Verdict, judge};
pub use endpoint::{Report, TargetReport, Whereabouts};

use stamps::Stamps;
use target::Target;

/// How long it is believed where a manifest is.
const BELIEVED: Duration = Duration::from_secs(1);

/// Answers of that kind that are remembered.
const REPORTS: u64 = 1000;

/// How many may ask where manifests are, at once.
const QUESTIONS: usize = 32;

/// Tags of one page for others that compare.
const PAGE: usize = 500;

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

/// Of whose clients is believed when and where they say that a tag was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Believed {
    /// Everybody's: nobody is asked who they are.
    #[default]
    Everybody,
    /// Those of other regions, which have these accounts here.
    Accounts(BTreeSet<String>),
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
    /// Which one wins in some repositories; the first that fits one is its rule.
    pub rules: Vec<(Prefix, Rule)>,
    /// How often all tags are compared.
    pub interval: Duration,
    /// Whether what is removed here is removed there.
    pub deletes: bool,
    /// Who is believed.
    pub believed: Believed,
    /// Repositories that are caches of other registries: each region has its own, and fetches what is asked for there.
    pub left_out: Vec<Prefix>,
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
            rules: Vec::new(),
            interval: Duration::from_secs(600),
            deletes: false,
            believed: Believed::Everybody,
            left_out: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Which tag of a repository wins.
    #[must_use]
    pub fn rule_of(&self, repository: &RepositoryName) -> &Rule {
        let first = self.rules.iter().find(|(prefix, _)| prefix.covers(repository.as_str()));
        first.map_or(&self.rule, |(_, rule)| rule)
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
    /// A manifest was pushed without a tag.
    Manifest(Digest),
    /// A client removed a manifest.
    Removed(Digest),
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
    /// Answers of a moment ago: whoever waits asks again and again.
    reports: moka::future::Cache<(RepositoryName, Digest), Report>,
    questions: Semaphore,
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
        let replication = Self::beside(settings, store, clock)?;
        if let Some(shared) = &replication.shared {
            for target in &shared.targets {
                tasks.spawn(worker::run(shared.clone(), target.clone(), cancel.clone()));
            }
        }
        Ok(replication)
    }

    /// The same for a process that does not serve: what it changes is written down and queued in the store, and those who serve bring it to the targets when they
    /// next look for what others have left.
    pub fn beside(settings: ReplicateSettings, store: Arc<Store>, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let instance = Uuid::new_v4().simple().to_string();
        let mut targets = Vec::new();
        for target in &settings.targets {
            targets.push(Arc::new(Target::new(target, store.place().clone(), clock.clone(), &instance)?));
        }
        let stamps = Stamps::new(store.place().clone(), clock.clone(), &settings.origin);
        let reports = moka::future::Cache::builder().max_capacity(REPORTS).time_to_live(BELIEVED).build();
        let (local, questions) = (Local::new(store), Semaphore::new(QUESTIONS));
        let shared = Shared { settings, local, clock, stamps, targets, reports, questions };
        Ok(Self { shared: Some(Arc::new(shared)) })
    }

    /// What another region says of a push or a removal, in the headers of its request. A time in the future is none: it would win for ever. Who is not another region
    /// would win with it, too, and keep what is pushed from going there.
    #[must_use]
    pub fn stamp_of(&self, headers: &HeaderMap, account: Option<&str>) -> Option<Stamp> {
        let shared = self.shared.as_ref()?;
        if let Believed::Accounts(accounts) = &shared.settings.believed
            && !account.is_some_and(|account| accounts.contains(account))
        {
            return None;
        }
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
                warn!(repository = %repository, %tag, error = chain(&error), "a record of a tag cannot be read");
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
                warn!(repository = %repository, %tag, error = chain(&error), "it could not be written down when a tag was moved");
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

    /// Before something is removed: from here on its tags count as removed here, also if nobody gets as far as telling the others. Gives those tags.
    pub async fn deleting(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        stamp: Option<&Stamp>,
    ) -> Result<Vec<Tag>, StoreError> {
        let Some(shared) = &self.shared else { return Ok(Vec::new()) };
        let store = shared.local.store();
        if store.is_read_only() || !store.config().delete_enabled {
            // It will be refused.
            return Ok(Vec::new());
        }
        let tags = match reference {
            Reference::Tag(tag) => store.tag_name(repository, tag).await?.map(|_| tag.clone()).into_iter().collect(),
            Reference::Digest(digest) => store.tags_of(repository, digest).await?,
        };
        shared.removing(repository, &tags, stamp).await?;
        Ok(tags)
    }

    /// Before those who keep house remove tags, whom no switch stops.
    pub async fn removing(&self, repository: &RepositoryName, tags: &[Tag]) -> Result<(), StoreError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        shared.removing(repository, tags, None).await
    }

    /// After something was removed, before the client is told. `tags` are those that are gone, and `known` those that were written down before.
    pub async fn deleted(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        tags: &[Tag],
        known: &[Tag],
        stamp: Option<Stamp>,
    ) {
        let Some(shared) = &self.shared else { return };
        for tag in tags.iter().filter(|tag| !known.contains(tag)) {
            if let Err(error) = shared.stamps.moved(repository, tag, None, stamp.clone()).await {
                warn!(repository = %repository, %tag, error = chain(&error), "it could not be written down when a tag was removed");
            }
        }
        if shared.is_foreign(stamp.as_ref()) || !shared.settings.deletes {
            return;
        }
        let mut what: Vec<Changed> = tags.iter().cloned().map(Changed::Tag).collect();
        if let Reference::Digest(digest) = reference {
            what.push(Changed::Removed(digest.clone()));
        }
        // Nobody waits for a removal to be everywhere.
        let _ = shared.spread_to(repository, what, 0).await;
    }

    /// Where a manifest is, with its tags. Whoever may read it may ask, so that the others are not asked for each of them.
    pub async fn report(&self, repository: &RepositoryName, digest: &Digest) -> Result<Report, StoreError> {
        let Some(shared) = &self.shared else {
            return Ok(Report { digest: digest.clone(), complete: true, targets: Vec::new() });
        };
        let key = (repository.clone(), digest.clone());
        if let Some(report) = shared.reports.get(&key).await {
            return Ok(report);
        }
        let busy =
            || StoreError::TooMany { what: "too many ask where manifests are".to_owned(), retry_after: BELIEVED };
        let _question = shared.questions.try_acquire().map_err(|_| busy())?;
        Ok(shared.reports.get_with(key, endpoint::report(shared, repository, digest)).await)
    }

    /// Where tags of a repository point, those after `after`; `None` where nobody keeps records of it.
    pub async fn snapshot(
        &self,
        repository: &RepositoryName,
        after: Option<&Tag>,
    ) -> Option<Result<crate::client::Snapshot, ClientError>> {
        let shared = self.shared.as_ref()?;
        Some(endpoint::snapshot(shared, repository, after, PAGE).await)
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

    /// Whether a repository is kept alike at a target.
    fn covers(&self, target: &Target, repository: &RepositoryName) -> bool {
        target.covers(repository) && !self.settings.left_out.iter().any(|prefix| prefix.is_above(repository.as_str()))
    }

    fn targets_of<'a>(&'a self, repository: &'a RepositoryName) -> impl Iterator<Item = &'a Arc<Target>> {
        self.targets.iter().filter(|target| self.covers(target, repository))
    }

    async fn spread(&self, repository: &RepositoryName, what: Vec<Changed>) -> Result<(), NotYet> {
        let all = self.targets_of(repository).count();
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
        for target in self.targets_of(repository) {
            let mut done = Vec::new();
            for what in &what {
                let change = Change { repository: repository.clone(), what: what.clone() };
                done.push(target.queue(change, wanted > 0).await);
            }
            // Whether all of it is there. Of what nobody tells us anything, it is not.
            waiting.push(async move {
                for done in done {
                    let Some(done) = done else { return false };
                    if !done.await.unwrap_or(false) {
                        return false;
                    }
                }
                true
            });
        }
        let mut have = 0;
        let enough = async {
            while have < wanted {
                match waiting.next().await {
                    Some(there) => have += usize::from(there),
                    None => return,
                }
            }
        };
        let _ = tokio::time::timeout(self.settings.patience, enough).await;
        if have >= wanted { Ok(()) } else { Err(NotYet { have, wanted }) }
    }

    /// Writes down that tags are removed here.
    async fn removing(
        &self,
        repository: &RepositoryName,
        tags: &[Tag],
        stamp: Option<&Stamp>,
    ) -> Result<(), StoreError> {
        for tag in tags {
            self.stamps.moved(repository, tag, None, stamp.cloned()).await?;
        }
        Ok(())
    }

    /// Where a tag points here, and since when.
    async fn state(&self, repository: &RepositoryName, tag: &Tag) -> Result<TagState, ClientError> {
        let digest = self.local.store().tag_target(repository, tag).await?;
        self.stamps.state(repository, tag, digest).await.map_err(|error| StoreError::from(error).into())
    }

    /// Writes down that another region has the tag as it is here: whatever comes after it here follows what is there.
    async fn common(&self, repository: &RepositoryName, tag: &Tag, ours: &TagState) -> Result<(), ClientError> {
        let Some(stamp) = ours.stamp.as_ref().filter(|stamp| ours.digest.is_some() && stamp.base != ours.digest) else {
            return Ok(());
        };
        let stamp = Stamp { base: ours.digest.clone(), ..stamp.clone() };
        let moved = self.stamps.moved(repository, tag, ours.digest.clone(), Some(stamp)).await;
        moved.map_err(|error| StoreError::from(error).into())
    }

    /// What is sent along with what has no tag.
    fn stamp_now(&self) -> Stamp {
        let at: Timestamp = self.clock.now();
        Stamp { at, origin: self.settings.origin.clone(), base: None }
    }
}

#[cfg(test)]
mod tests;
