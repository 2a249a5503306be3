//! One loop owns the queue and hands clusters to workers; everything else tells it that something may have happened.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jeroboam_capi::ClusterKey;
use jeroboam_certificates::Certificates;
use jeroboam_management::{Management, ManagementError};
use jeroboam_model::{Clock, ClusterId, Page, Scope, Timestamp};
use jeroboam_notify::Notifier;
use jeroboam_openstack::Session;
use jeroboam_store::{Store, StoreError};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::{Notify, mpsc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::backoff::Backoff;
use crate::chores;
use crate::config::ReconcileConfig;
use crate::lease::StepHook;
use crate::next::Trouble;
use crate::pass::Memo;
use crate::worker::{self, After};

/// A cluster is looked at this much later when something happened to it while it was being worked on.
const GAP: Duration = Duration::from_millis(200);
/// The names of all clusters are read anew at most so often when the management cluster speaks of an unknown one.
const NAMES_EVERY: Duration = Duration::from_secs(5);
/// How many clusters one question to the database may bring.
const BATCH: u64 = 200;

/// What a reconciler is made of.
pub struct ReconcileParts {
    /// The database.
    pub store: Store,
    /// The management cluster.
    pub management: Management,
    /// The service's own session: removes application credentials, and lends its connections to those of clusters.
    pub session: Session,
    /// Settings.
    pub settings: ReconcileConfig,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// This process, different from every other: host and process id, say.
    pub owner: String,
    /// Where the jitter of pauses comes from.
    pub seed: u64,
    /// Called before every step of every pass.
    pub hook: Option<StepHook>,
    /// Tells others how operations end.
    pub notifier: Notifier,
}

impl std::fmt::Debug for ReconcileParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReconcileParts").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// What workers and chores share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) management: Management,
    pub(crate) session: Session,
    pub(crate) certificates: Certificates,
    pub(crate) settings: ReconcileConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) owner: String,
    pub(crate) hook: StepHook,
    pub(crate) notifier: Notifier,
    random: Mutex<StdRng>,
    memos: Mutex<HashMap<ClusterId, Memo>>,
    /// The clusters behind names in the management cluster, as far as they are known.
    names: Mutex<HashMap<ClusterKey, ClusterId>>,
    class_is_applied: AtomicBool,
    reach: Mutex<Reach>,
    /// Asks for a look at whether the management cluster answers.
    pub(crate) doubt: Notify,
}

/// What is known of the management cluster.
#[derive(Debug)]
struct Reach {
    /// Whether it answered when it was last asked, and all watches had listed.
    up: bool,
    /// Since when it did not.
    since: Option<Timestamp>,
    /// The clusters whose work waits for it.
    waiting: HashSet<ClusterId>,
}

/// What a look at the management cluster changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It no longer answers.
    Lost,
    /// It is there again.
    Back,
}

impl Shared {
    /// A number in 0..1.
    pub(crate) fn chance(&self) -> f64 {
        locked(&self.random).random()
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff { first: self.settings.backoff_first, max: self.settings.backoff_max }
    }

    /// Whether this process has applied our own class.
    pub(crate) fn class_is_applied(&self) -> bool {
        self.class_is_applied.load(Ordering::Acquire)
    }

    pub(crate) fn note_class(&self, applied: bool) {
        self.class_is_applied.store(applied, Ordering::Release);
    }

    /// Whether what the watches have seen can be trusted to be how things are.
    pub(crate) fn management_is_up(&self) -> bool {
        self.management.ready() && locked(&self.reach).up
    }

    /// Notes whether the management cluster answered a question that it always can answer.
    pub(crate) fn note_management(&self, answered: bool) -> Option<Turn> {
        let up = answered && self.management.ready();
        let mut reach = locked(&self.reach);
        let was_up = std::mem::replace(&mut reach.up, up);
        reach.since = if up { None } else { reach.since.or_else(|| Some(self.clock.now())) };
        match (was_up, up) {
            (true, false) => Some(Turn::Lost),
            (false, true) => Some(Turn::Back),
            _ => None,
        }
    }

    /// Notes that the work on a cluster waits for the management cluster. `false`: it has come back since that was found out.
    pub(crate) fn note_waiting(&self, cluster: ClusterId) -> bool {
        let mut reach = locked(&self.reach);
        reach.waiting.insert(cluster);
        !reach.up
    }

    /// Notes that the work on a cluster waits for nothing, or for something else.
    pub(crate) fn note_going_on(&self, cluster: ClusterId) {
        locked(&self.reach).waiting.remove(&cluster);
    }

    /// The clusters that a turn of the management cluster is news to: those that something is being done to, or whose work
    /// waited.
    pub(crate) fn concerned(&self, turn: Turn) -> Vec<ClusterId> {
        match turn {
            Turn::Lost => {
                let memos = locked(&self.memos);
                memos.iter().filter(|(_, memo)| memo.busy).map(|(cluster, _)| *cluster).collect()
            }
            Turn::Back => locked(&self.reach).waiting.drain().collect(),
        }
    }

    /// The management cluster is known not to answer.
    pub(crate) fn away(&self) -> Trouble {
        Trouble::Away(self.silence())
    }

    /// Says since when, and has somebody look whether it is so.
    fn silence(&self) -> String {
        let now = self.clock.now();
        let since = *locked(&self.reach).since.get_or_insert(now);
        self.doubt.notify_one();
        format!("the management cluster, which does not answer since {}", whole_seconds(since))
    }

    /// A call that got no answer, or one that is none. What the API server says is worth more than that it said it.
    pub(crate) fn unanswered(&self, error: &ManagementError) -> Trouble {
        let silence = self.silence();
        match error.answer() {
            Some((_, words)) => Trouble::Unanswered(format!("the management cluster, which answers: {words}")),
            None => Trouble::Unanswered(silence),
        }
    }

    /// Notes the name of a cluster before anything is made under it: what happens to that is noticed from the first moment.
    pub(crate) fn note_name(&self, key: &ClusterKey, cluster: ClusterId) {
        locked(&self.names).insert(key.clone(), cluster);
    }

    /// Forgets a cluster that is gone.
    pub(crate) fn forget(&self, cluster: ClusterId) {
        self.remember(cluster, None);
        self.note_going_on(cluster);
        locked(&self.names).retain(|_, named| *named != cluster);
    }

    /// What this process remembers of its last pass over a cluster. Nothing depends on it but speed.
    pub(crate) fn memo(&self, cluster: ClusterId) -> Option<Memo> {
        locked(&self.memos).get(&cluster).cloned()
    }

    pub(crate) fn remember(&self, cluster: ClusterId, memo: Option<Memo>) {
        match memo {
            Some(memo) => locked(&self.memos).insert(cluster, memo),
            None => locked(&self.memos).remove(&cluster),
        };
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The loop. Any number of them may run on one database.
pub struct Reconciler {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reconciler").field("owner", &self.shared.owner).finish_non_exhaustive()
    }
}

impl Reconciler {
    /// A loop that does nothing until it is run.
    #[must_use]
    pub fn new(parts: ReconcileParts) -> Self {
        let shared = Shared {
            certificates: Certificates::new(
                parts.settings.certificates.clone(),
                parts.store.clone(),
                parts.session.clone(),
            ),
            store: parts.store,
            management: parts.management,
            session: parts.session,
            settings: parts.settings,
            clock: parts.clock,
            owner: parts.owner,
            hook: parts.hook.unwrap_or_else(|| Arc::new(|_, _| {})),
            notifier: parts.notifier,
            random: Mutex::new(StdRng::seed_from_u64(parts.seed)),
            memos: Mutex::new(HashMap::new()),
            names: Mutex::new(HashMap::new()),
            class_is_applied: AtomicBool::new(false),
            reach: Mutex::new(Reach { up: false, since: None, waiting: HashSet::new() }),
            doubt: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Works until it is told to stop. What is under way then is finished, as long as that takes no longer than a lease.
    pub async fn run(self, stop: CancellationToken) {
        info!(owner = %self.shared.owner, workers = self.shared.settings.workers, "reconciling clusters");
        let (tell, told) = mpsc::channel(64);
        let mut helpers = JoinSet::new();
        helpers.spawn(look_for_work(Arc::clone(&self.shared), tell.clone(), stop.clone()));
        helpers.spawn(chores::watch_management(Arc::clone(&self.shared), tell, stop.clone()));
        helpers.spawn(chores::report(Arc::clone(&self.shared), stop.clone()));
        helpers.spawn(chores::revoke_left_credentials(Arc::clone(&self.shared), stop.clone()));
        let mut floor = Floor::new(Arc::clone(&self.shared));
        floor.work(told, &mut helpers, &stop).await;
        floor.finish().await;
        helpers.shutdown().await;
        info!(owner = %self.shared.owner, "stopped reconciling clusters");
    }
}

/// Asks the database for clusters that are due: at once when this process accepted something, and every now and then
/// because others may have.
async fn look_for_work(shared: Arc<Shared>, tell: mpsc::Sender<Vec<ClusterId>>, stop: CancellationToken) {
    let mut changes = shared.store.changes();
    // Up to a fifth more, or several processes would ask in step.
    let mut tick = interval(shared.settings.poll.mul_f64(0.9 + shared.chance() / 10.0));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
        match shared.store.due(shared.clock.now(), BATCH).await {
            Ok(due) => {
                away = false;
                if !due.is_empty() && tell.send(due).await.is_err() {
                    return;
                }
            }
            Err(error) if away => debug!(error = %chain(&error), "the database is still away"),
            Err(error) => {
                away = true;
                warn!(error = %chain(&error), "failed to look for work, trying on");
            }
        }
    }
}

/// The clusters that wait, those that are worked on, and who works on them.
struct Floor {
    shared: Arc<Shared>,
    queue: crate::queue::Queue,
    workers: JoinSet<After>,
    at_work: HashMap<Id, ClusterId>,
    names_read: Option<Instant>,
}

impl Floor {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            queue: crate::queue::Queue::new(GAP),
            workers: JoinSet::new(),
            at_work: HashMap::new(),
            names_read: None,
        }
    }

    async fn work(
        &mut self,
        mut due: mpsc::Receiver<Vec<ClusterId>>,
        helpers: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        let dirty = self.shared.management.dirty();
        loop {
            let wake = self.start_workers();
            tokio::select! {
                () = stop.cancelled() => return,
                Some(clusters) = due.recv() => {
                    let now = Instant::now();
                    clusters.into_iter().for_each(|cluster| self.queue.push(cluster, now));
                }
                keys = dirty.next() => self.noticed(keys).await,
                Some(ended) = self.workers.join_next_with_id(), if !self.workers.is_empty() => self.ended(ended),
                Some(ended) = helpers.join_next() => {
                    if let Err(problem) = ended {
                        error!(error = %problem, "a task beside the workers broke, stopping");
                    }
                    // Without it clusters would be left alone silently: better that the whole process is started again.
                    stop.cancel();
                    return;
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    /// Gives every free worker a cluster; returns when the next one may be begun.
    fn start_workers(&mut self) -> Option<Instant> {
        while self.queue.running() < self.shared.settings.workers {
            let Some(cluster) = self.queue.take(Instant::now()) else { return self.queue.next_at() };
            let task = self.workers.spawn(worker::work(Arc::clone(&self.shared), cluster));
            self.at_work.insert(task.id(), cluster);
        }
        None
    }

    fn ended(&mut self, ended: Result<(Id, After), JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(problem) => problem.id(),
        };
        let Some(cluster) = self.at_work.remove(&id) else { return };
        match ended {
            Ok((_, After::Rest)) => {}
            Ok((_, After::Again)) => self.queue.push(cluster, Instant::now()),
            // Its lease stays until it ends by itself: whatever broke must not be tried again at once.
            Err(problem) => error!(cluster.id = %cluster, error = %problem, "the work on a cluster broke"),
        }
        self.queue.done(cluster, Instant::now());
    }
}

impl Floor {
    /// Finds the clusters behind names in the management cluster.
    async fn noticed(&mut self, keys: BTreeSet<ClusterKey>) {
        if keys.iter().any(|key| !locked(&self.shared.names).contains_key(key)) {
            self.read_names().await;
        }
        let now = Instant::now();
        let names = locked(&self.shared.names);
        // What is still unknown is somebody else's cluster.
        for cluster in keys.iter().filter_map(|key| names.get(key)) {
            self.queue.push(*cluster, now);
        }
    }

    async fn read_names(&mut self) {
        let now = Instant::now();
        if self.names_read.is_some_and(|read| now < read + NAMES_EVERY) {
            return;
        }
        self.names_read = Some(now);
        match names(&self.shared).await {
            Ok(names) => locked(&self.shared.names).extend(names),
            Err(error) => debug!(error = %chain(&error), "failed to read the names of the clusters"),
        }
    }

    /// Lets running passes come to their end. Those that take longer are dropped, and their leases end by themselves.
    async fn finish(&mut self) {
        let patience = self.shared.settings.lease;
        let all = async { while self.workers.join_next().await.is_some() {} };
        if timeout(patience, all).await.is_err() {
            warn!(workers = self.workers.len(), "stopping in the middle of passes, others will go on with them");
        }
        self.workers.shutdown().await;
    }
}

/// The names of all clusters' objects.
async fn names(shared: &Shared) -> Result<HashMap<ClusterKey, ClusterId>, StoreError> {
    const AT_ONCE: u64 = 1000;
    let mut names = HashMap::new();
    let mut page = Page::first(AT_ONCE);
    loop {
        let views = shared.store.clusters(&Scope::All, &page).await?;
        let whole = views.len() as u64 == AT_ONCE;
        page.marker = views.last().map(|view| view.cluster.id.uuid());
        for view in views {
            names.insert(crate::pass::key_of(&view.cluster, &shared.settings), view.cluster.id);
        }
        if !whole {
            return Ok(names);
        }
    }
}

/// An error with everything that caused it, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A time as people write it.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
