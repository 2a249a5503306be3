//! One pass over one cluster: read the rows, do the next thing, look, judge, write down. Every operation is this pass.

use std::collections::BTreeSet;
use std::time::Duration;

use jeroboam_capi::{
    Applied, Assessment, BuildError, ClassInfo, ClusterKey, DELETE_MACHINE_ANNOTATION, OWN_CLASS, Observed, Prepared,
    ResolvedCluster, Resources, Wanted, WantedGroup, WorkerGroup, assess, build, machines_to_remove, namespace,
    own_class, silent_infrastructure,
};
use jeroboam_management::{ErrorKind, ManagementError};
use jeroboam_model::{Cluster, ClusterWithGroups, KubeRelease, NodeGroup, NodeGroupId, Operation, Timestamp, Work};
use jeroboam_openstack::Session;
use jeroboam_store::Loaded;
use tracing::{debug, info, warn};

use crate::config::ReconcileConfig;
use crate::deletion;
use crate::dereference;
use crate::floating_ip;
use crate::keys;
use crate::lease::Guard;
use crate::news;
use crate::next::{Found, Situation, Trouble, next};
use crate::resolve::{self, is_leaving, references, resolve, workers};
use crate::run::{Shared, chain};
use crate::trim::trim;
use crate::worker::Interrupted;

/// The provider is given so long to get on before it is asked what it complains of.
const SILENCE: Duration = Duration::from_secs(20);

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Look again then.
    Next(Timestamp),
    /// What was seen is not written: a newer request came, or another worker. Look again at once.
    Superseded,
    /// The cluster and all its rows are gone.
    Forgotten,
}

/// What this process applied last for a cluster. Without it the same is applied once more, which changes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Memo {
    revision: i64,
    generation: Option<i64>,
    release: Option<KubeRelease>,
    at: Timestamp,
    /// Whether there was something to do but to look on.
    pub(crate) busy: bool,
    /// Whether a cluster that goes was given the credential to go with.
    pub(crate) handed: bool,
    /// Groups that were made with a size, which is an autoscaler's to choose from now on.
    sized: Vec<NodeGroupId>,
}

/// What a pass came to see.
struct Look {
    memo: Memo,
    observed: Observed,
    /// What stands in the way and the management cluster knows nothing of.
    blame: Option<String>,
}

/// What a pass knows from its beginning.
pub(crate) struct Pass<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) guard: &'a Guard,
    pub(crate) loaded: &'a Loaded,
    pub(crate) key: ClusterKey,
}

/// Why a pass did not come to judging what it saw.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It is written down and tried again.
    By(Trouble),
    /// Nothing more may or can be written.
    Interrupted(Interrupted),
}

impl<E: Into<Interrupted>> From<E> for Stopped {
    fn from(interrupted: E) -> Self {
        Self::Interrupted(interrupted.into())
    }
}

impl From<Trouble> for Stopped {
    fn from(trouble: Trouble) -> Self {
        Self::By(trouble)
    }
}

/// The names of a cluster's objects. They follow from its id where the row does not say them yet.
pub(crate) fn key_of(cluster: &Cluster, config: &ReconcileConfig) -> ClusterKey {
    let name = cluster.stack_id.clone();
    ClusterKey {
        namespace: namespace(&config.namespace_prefix, &cluster.project),
        name: name.unwrap_or_else(|| jeroboam_capi::cluster_name(cluster.name.as_deref(), cluster.id)),
    }
}

/// Makes one pass.
pub(crate) async fn make(shared: &Shared, guard: &Guard) -> Result<End, Interrupted> {
    guard.may("load")?;
    let Some(mut loaded) = shared.store.load(&guard.lease()).await? else { return Ok(End::Forgotten) };
    let key = key_of(&loaded.view.cluster, &shared.settings);
    shared.note_name(&key, loaded.view.cluster.id);
    // Everything from here on shows the name; it is written down with the first record.
    let unnamed = loaded.clone();
    loaded.view.cluster.stack_id = Some(key.name.clone());
    let pass = Pass { shared, guard, loaded: &loaded, key };
    let seen = match loaded.work.operation {
        Operation::Delete => match deletion::step(&pass).await {
            Ok(deletion::Step::Gone { others }) => return pass.forget(others).await,
            Ok(deletion::Step::Left { observed, handed, blame }) => {
                let memo = Memo { handed: handed.is_some(), at: handed.unwrap_or(loaded.work.began), ..pass.no_memo() };
                Ok(Look { memo, observed: *observed, blame })
            }
            Err(stopped) => Err(stopped),
        },
        Operation::Observe => pass.look().map(|observed| Look { memo: pass.no_memo(), observed, blame: None }),
        Operation::Create | Operation::Update | Operation::Upgrade => {
            pass.bring_about().await.map(|(memo, observed)| Look { memo, observed, blame: None })
        }
    };
    let now = shared.clock.now();
    let situation =
        Situation { view: &loaded.view, work: &loaded.work, config: &shared.settings, now, chance: shared.chance() };
    let next = match seen {
        Ok(Look { memo, observed, blame }) => {
            let wanted = wanted(&loaded.view, &loaded.work, &memo, &shared.settings, &observed);
            let mut assessment = assess(&wanted, &observed, now);
            match blame {
                Some(blame) => assessment.blame(blame),
                None => pass.ask_why(&mut assessment, &observed, now).await,
            }
            shared.remember(loaded.view.cluster.id, Some(memo));
            shared.note_going_on(loaded.view.cluster.id);
            next(situation, Found::Seen(&assessment))
        }
        Err(Stopped::By(trouble)) => {
            info!(cluster.id = %loaded.view.cluster.id, "{trouble}");
            shared.remember(loaded.view.cluster.id, None);
            let mut next = next(situation, Found::Trouble(&trouble));
            let stays_away = match trouble {
                Trouble::Away(_) | Trouble::Unanswered(_) => shared.note_waiting(loaded.view.cluster.id),
                _ => {
                    shared.note_going_on(loaded.view.cluster.id);
                    true
                }
            };
            if !stays_away && matches!(trouble, Trouble::Away(_)) {
                next.run_at = now;
            }
            next
        }
        Err(Stopped::Interrupted(interrupted)) => return Err(interrupted),
    };
    if let Some(news) = trim(next.recorded, &unnamed) {
        guard.may("record")?;
        announce(&unnamed, &news);
        let ended = news::ended(&unnamed.view, &news);
        if !shared.store.record(&guard.lease(), loaded.work.revision, news).await? {
            return Ok(End::Superseded);
        }
        if let Some(ended) = ended {
            shared.notifier.ended(&ended);
        }
    }
    Ok(End::Next(next.run_at))
}

/// What the rows want, for comparison with what is seen.
fn wanted(view: &ClusterWithGroups, work: &Work, memo: &Memo, config: &ReconcileConfig, observed: &Observed) -> Wanted {
    // Where an autoscaler chooses the size, whatever it chose is what is wanted.
    let chosen = |group: &NodeGroup| {
        resolve::autoscaling(&view.cluster, group).ok().flatten()?;
        let of_group = |id: &str| id.parse() == Ok(group.id);
        let seen = observed.deployments.iter().find(|seen| seen.meta.nodegroup.as_deref().is_some_and(of_group))?;
        seen.counts.desired.and_then(|desired| u32::try_from(desired).ok())
    };
    let group = |group: &NodeGroup| WantedGroup {
        id: group.id,
        name: group.name.clone(),
        count: chosen(group).unwrap_or_else(|| u32::try_from(group.node_count).unwrap_or_default()),
    };
    let control_plane = view.groups.iter().find(|group| group.is_control_plane());
    let nobody = || WantedGroup { id: uuid::Uuid::nil().into(), name: String::new(), count: 0 };
    Wanted {
        operation: work.operation,
        release: memo.release.clone(),
        control_plane: control_plane.map_or_else(nobody, group),
        workers: workers(view).map(group).collect(),
        leaving: view.groups.iter().filter(|g| !g.is_control_plane() && is_leaving(g)).map(group).collect(),
        generation: memo.generation,
        grace: config.refusal_grace,
    }
}

/// The groups of which there is something already.
fn deployed(observed: &Observed) -> BTreeSet<NodeGroupId> {
    let ids = observed.deployments.iter().filter_map(|seen| seen.meta.nodegroup.as_deref());
    ids.filter_map(|id| id.parse().ok()).collect()
}

/// The groups that an autoscaler is to take over once they are there.
fn sized(resolved: &ResolvedCluster) -> Vec<NodeGroupId> {
    let new = |group: &&WorkerGroup| group.autoscaling.is_some_and(|scaling| !scaling.begun);
    resolved.workers.iter().filter(new).map(|group| group.id).collect()
}

/// One line in the log for each change of status.
fn announce(before: &Loaded, news: &jeroboam_store::Recorded) {
    let Some(after) = news.cluster.as_ref().filter(|after| after.status != before.view.cluster.status) else { return };
    let (id, was, is) = (before.view.cluster.id, before.view.cluster.status, after.status);
    let reason = after.status_reason.as_deref().unwrap_or_default();
    if is.failed() {
        warn!(cluster.id = %id, reason, "cluster went from {was} to {is}");
    } else {
        info!(cluster.id = %id, "cluster went from {was} to {is}");
    }
}

impl Pass<'_> {
    /// Nothing was applied: what is seen is compared with what the Cluster object itself asks for.
    fn no_memo(&self) -> Memo {
        let work = &self.loaded.work;
        Memo {
            revision: work.revision,
            generation: None,
            release: None,
            at: work.began,
            busy: work.operation != Operation::Observe,
            handed: false,
            sized: Vec::new(),
        }
    }

    /// Whether this process has just given the cluster, as it is to go now, a credential to go with; and when.
    pub(crate) fn handed(&self) -> Option<Timestamp> {
        let memo = self.shared.memo(self.loaded.view.cluster.id).filter(|memo| memo.handed)?;
        let fresh = memo.revision == self.loaded.work.revision && self.age(&memo) < self.shared.settings.apply_interval;
        fresh.then_some(memo.at)
    }

    /// Creates or changes: applies what is wanted where that was not just done, and looks.
    async fn bring_about(&self) -> Result<(Memo, Observed), Stopped> {
        if let Some(memo) = self.shared.memo(self.loaded.view.cluster.id).filter(|memo| self.is_fresh(memo)) {
            let observed = self.look()?;
            if !memo.sized.is_empty() && !deployed(&observed).is_disjoint(&memo.sized.iter().copied().collect()) {
                let memo = self.apply().await?;
                return Ok((memo, self.look()?));
            }
            // Right after it was made it may not be seen yet; if it is never seen, somebody has taken it away.
            if observed.cluster.is_some() || self.age(&memo) < self.shared.settings.progress_interval {
                return Ok((memo, observed));
            }
        }
        let memo = self.apply().await?;
        Ok((memo, self.look()?))
    }

    /// Looks at what is in the management cluster.
    fn look(&self) -> Result<Observed, Stopped> {
        self.management_is_up()?;
        self.shared.management.observe(&self.key).ok_or_else(|| self.shared.away().into())
    }

    /// Adds what the provider complains of where an operation does not get on and no status says why. It is only a better
    /// reason: without an answer the pass goes on.
    async fn ask_why(&self, assessment: &mut Assessment, observed: &Observed, now: Timestamp) {
        let work = &self.loaded.work;
        let made_before = now - SILENCE;
        let settled = work.operation == Operation::Observe || assessment.complete || assessment.failed.is_some();
        if settled || work.began > made_before {
            return;
        }
        let Some(silent) = silent_infrastructure(observed, made_before) else { return };
        let name = &silent.meta.name;
        match self.shared.management.warning(&self.key, &silent.kind, name, work.began).await {
            Ok(Some(warning)) => assessment.blame(format!("{} {name}: {warning}", silent.kind)),
            Ok(None) => {}
            Err(error) => debug!(error = %chain(&error), "failed to read what the provider complains of"),
        }
    }

    /// Stops a pass that could only fail, or judge from what was there long ago.
    pub(crate) fn management_is_up(&self) -> Result<(), Stopped> {
        if self.shared.management_is_up() { Ok(()) } else { Err(self.shared.away().into()) }
    }

    /// How long ago something was applied; a clock that went back makes it old.
    fn age(&self, memo: &Memo) -> Duration {
        Duration::try_from(self.shared.clock.now().duration_since(memo.at)).unwrap_or(Duration::MAX)
    }

    fn is_fresh(&self, memo: &Memo) -> bool {
        let young = self.age(memo) < self.shared.settings.apply_interval;
        let work = &self.loaded.work;
        memo.generation.is_some() && memo.revision == work.revision && work.attempts == 0 && young
    }

    async fn apply(&self) -> Result<Memo, Stopped> {
        let Shared { store, certificates, settings, .. } = self.shared;
        let view = &self.loaded.view;
        self.management_is_up()?;
        let gone =
            || Trouble::Impossible(resolve::Unresolvable::NoTemplate(view.cluster.template.to_string()).to_string());
        let template = self.loaded.template.as_ref().ok_or_else(gone)?;
        self.guard.may("read secrets")?;
        let keys = keys::read(store, certificates, &view.cluster, &settings.cloud).await.map_err(|problem| {
            warn!(cluster.id = %view.cluster.id, error = %chain(&problem), "failed to read a cluster's secrets");
            problem.trouble()
        })?;
        self.guard.may("look up")?;
        let session = dereference::session_of(&self.shared.session, &keys.credential);
        let inputs = dereference::look_up(&session, &references(view, template)).await;
        let mut inputs = inputs.map_err(|error| dereference::trouble(&error))?;
        let class = self.class().await?;
        inputs.floating_ip = self.floating_ip(&session, &class, inputs.external_network.as_deref()).await?;
        inputs.deployed = deployed(&self.look()?);
        let resolved = resolve(view, template, &inputs, &keys, self.key.clone(), settings);
        let resolved = resolved.map_err(|problem| Trouble::Impossible(problem.to_string()))?;
        let prepared = build(&resolved, &class).map_err(|problem| match &problem {
            BuildError::NotReady { class, message } => {
                let why = message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
                Trouble::Waiting(format!("the cluster class {class} to be ready{why}"))
            }
            _ => Trouble::Impossible(problem.to_string()),
        })?;
        self.mark_removals().await?;
        let applied = self.send(prepared).await?;
        Ok(Memo {
            generation: applied.cluster_generation(),
            sized: sized(&resolved),
            release: Some(resolved.release),
            at: self.shared.clock.now(),
            ..self.no_memo()
        })
    }
}

impl Pass<'_> {
    /// The address of the API, taken before anything is made; `None` where the class or the tenant sees to it.
    async fn floating_ip(
        &self,
        session: &Session,
        class: &ClassInfo,
        network: Option<&str>,
    ) -> Result<Option<String>, Stopped> {
        let cluster = &self.loaded.view.cluster;
        let wanted = resolve::wants_floating_ip(cluster).map_err(|problem| Trouble::Impossible(problem.to_string()))?;
        if !wanted || !class.declares("apiServerFloatingIP") {
            return Ok(None);
        }
        let cloud = |error: jeroboam_openstack::Error| dereference::trouble(&error);
        let network = match network {
            Some(network) => network.to_owned(),
            None => {
                let mut all = session.network().external_networks().await.map_err(cloud)?;
                match (all.pop(), all.is_empty()) {
                    (Some(only), true) => only.id,
                    // None, or several to choose from: the provider says what it makes of that.
                    _ => return Ok(None),
                }
            }
        };
        self.guard.may("take floating ip")?;
        Ok(Some(floating_ip::take(session, cluster.id, &network).await.map_err(cloud)?))
    }

    /// The class that the cluster is to be of. Our own is brought up to this program's form once in each process.
    async fn class(&self) -> Result<ClassInfo, Stopped> {
        let Shared { management, settings, .. } = self.shared;
        let (namespace, name) = match &settings.cluster_class {
            Some((namespace, name)) => (namespace.as_str(), name.as_str()),
            None => (settings.class_namespace.as_str(), OWN_CLASS),
        };
        let own = settings.cluster_class.is_none();
        if own && !self.shared.class_is_applied() {
            let served = management.served().await.map_err(|error| self.refusal(&error))?;
            self.send(own_class(served, namespace)).await?;
            self.shared.note_class(true);
        }
        match management.class(namespace, name).await {
            Ok(Some(class)) => Ok(class),
            Ok(None) if own => {
                self.shared.note_class(false);
                Err(Trouble::Waiting(format!("the cluster class {namespace}/{name}")).into())
            }
            Ok(None) => Err(Trouble::Impossible(format!("there is no cluster class {namespace}/{name}")).into()),
            Err(error) => Err(self.refusal(&error).into()),
        }
    }

    /// Marks the machines that a resize named, so that they go before others. Always before the numbers shrink.
    async fn mark_removals(&self) -> Result<(), Stopped> {
        let removals = &self.loaded.work.removals;
        if removals.is_empty() {
            return Ok(());
        }
        let management = &self.shared.management;
        let observed = management.fresh_observe(&self.key).await.map_err(|error| self.refusal(&error))?;
        for machine in machines_to_remove(&observed, removals) {
            if machine.meta.delete_first {
                continue;
            }
            self.guard.may("mark machine")?;
            let marked =
                management.annotate_machine(&self.key, &machine.meta.name, DELETE_MACHINE_ANNOTATION, "true").await;
            marked.map_err(|error| self.refusal(&error))?;
        }
        Ok(())
    }

    /// Applies objects one after the other, each only while the cluster is ours.
    async fn send(&self, prepared: Resources<Prepared>) -> Result<Resources<Applied>, Stopped> {
        let mut applied = Vec::with_capacity(prepared.len());
        for object in prepared.into_objects() {
            self.guard.may("apply")?;
            let one = self.shared.management.apply(Resources::prepared(vec![object])).await;
            applied.extend(one.map_err(|error| self.refusal(&error))?.into_objects());
        }
        Ok(Resources::applied(applied))
    }
}

impl Pass<'_> {
    /// What an answer of the management cluster means for the cluster.
    pub(crate) fn refusal(&self, error: &ManagementError) -> Trouble {
        debug!(error = %chain(error), "the management cluster did not do what it was asked");
        match error.kind() {
            ErrorKind::Refused => Trouble::Refused(error.to_string()),
            ErrorKind::Unavailable if matches!(error, ManagementError::NotServed { .. }) => {
                Trouble::Waiting(format!("Cluster API to be installed: {error}"))
            }
            ErrorKind::Unavailable => self.shared.unanswered(error),
            ErrorKind::Conflict if matches!(error, ManagementError::Terminating { .. }) => Trouble::Waiting(format!(
                "the project's namespace {} to be gone: it is being deleted, and is made again then",
                self.key.namespace
            )),
            ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Config => {
                Trouble::Waiting(format!("the management cluster: {error}"))
            }
        }
    }
}
