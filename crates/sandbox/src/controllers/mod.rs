//! The simulated controllers: Cluster API's, its kubeadm and OpenStack providers', the garbage collector's. One loop owns
//! when each of them runs; what they know is in the state alone, so a restart goes on where the last process ended.

mod class;
mod cluster;
mod context;
mod control_plane;
mod deletion;
mod garbage;
mod health;
mod infrastructure;
mod machine;
mod node;
mod server;
mod topology;
mod variables;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::Clock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use context::WORKLOAD;
use context::{CLUSTER_LABEL, Context};

use crate::kube::Space;
use crate::kube::object::{finalizers, is_deleting, label, name, namespace};
use crate::kube::space::FOREGROUND;
use crate::state::{Change, State};

/// What controllers are started with.
pub(crate) struct Setup {
    pub(crate) state: State,
    pub(crate) space: Space,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: u64,
    /// How much faster than the real thing.
    pub(crate) speed: f64,
    /// Where workload clusters listen.
    pub(crate) listen: IpAddr,
}

/// A controller, in the order in which they look at the same change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Controller {
    Cluster,
    Infrastructure,
    ControlPlane,
    Workers,
    Machines,
    Health,
    Deletion,
    Topology,
    Class,
    Garbage,
}

const OF_A_CLUSTER: [Controller; 8] = [
    Controller::Cluster,
    Controller::Infrastructure,
    Controller::ControlPlane,
    Controller::Workers,
    Controller::Machines,
    Controller::Health,
    Controller::Deletion,
    Controller::Topology,
];

// === impl Controller ===

impl Controller {
    /// Seconds between a change and the look at it, in the real world. The topology controller is the slow one: the status
    /// of a new generation is there before the generation has had any effect.
    const fn latency(self) -> f64 {
        match self {
            Self::Cluster => 0.2,
            Self::Infrastructure | Self::Machines | Self::Class => 0.3,
            Self::ControlPlane | Self::Workers | Self::Health | Self::Deletion => 0.4,
            Self::Topology => 1.0,
            Self::Garbage => 1.5,
        }
    }

    fn run(self, context: &mut Context<'_, '_>) {
        match self {
            Self::Cluster => cluster::run(context),
            Self::Infrastructure => infrastructure::run(context),
            Self::ControlPlane => control_plane::run(context),
            Self::Workers => workers::run(context),
            Self::Machines => machine::run(context),
            Self::Health => health::run(context),
            Self::Deletion => deletion::run(context),
            Self::Topology => topology::run(context),
            Self::Class => class::run(context),
            Self::Garbage => garbage::run(context),
        }
    }
}

type Item = (Controller, Arc<str>);

/// When which controller looks at what.
#[derive(Default)]
struct Queue {
    by_time: BTreeSet<(Instant, Item)>,
    by_item: BTreeMap<Item, Instant>,
}

// === impl Queue ===

impl Queue {
    /// At the latest then.
    fn add(&mut self, item: Item, at: Instant) {
        if let Some(planned) = self.by_item.get(&item) {
            if *planned <= at {
                return;
            }
            self.by_time.remove(&(*planned, item.clone()));
        }
        self.by_item.insert(item.clone(), at);
        self.by_time.insert((at, item));
    }

    fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Instant) -> Option<Item> {
        let (at, item) = self.by_time.first()?;
        if *at > now {
            return None;
        }
        let (at, item) = (*at, item.clone());
        self.by_time.remove(&(at, item.clone()));
        self.by_item.remove(&item);
        Some(item)
    }
}

/// Runs the controllers until cancelled.
pub(crate) async fn run(setup: Setup, cancelled: CancellationToken) {
    let mut queue = Queue::default();
    let mut changed = setup.state.subscribe();
    let mut position = resync(&setup, &mut queue);
    loop {
        changed.mark_unchanged();
        position = match setup.state.changes_since(position) {
            Ok(changes) => {
                for change in &changes {
                    react(&setup, &mut queue, change);
                }
                changes.last().map_or(position, |change| change.revision)
            }
            Err(_) => resync(&setup, &mut queue),
        };
        // One at a time, and then the changes it made, so that nobody waits behind a long queue of the same cluster.
        let now = Instant::now();
        if let Some((controller, key)) = queue.take_due(now) {
            let wake = setup.state.write(|writer| {
                let mut context = Context::new(writer, &setup, &key, setup.clock.now());
                controller.run(&mut context);
                context.wake()
            });
            if let Some(wake) = wake {
                queue.add((controller, key), Instant::now() + wake);
            }
            if cancelled.is_cancelled() {
                return;
            }
            tokio::task::yield_now().await;
            continue;
        }
        let due = queue.next().unwrap_or_else(|| now + Duration::from_secs(3_600));
        tokio::select! {
            () = cancelled.cancelled() => return,
            () = tokio::time::sleep_until(due) => {}
            _ = changed.changed() => {}
        }
    }
}

/// Looks at everything once, as after a start; returns the revision that was looked at.
fn resync(setup: &Setup, queue: &mut Queue) -> u64 {
    let revision = setup.state.revision();
    let now = Instant::now();
    for kind in setup.space.kinds().all() {
        for (id, object) in setup.state.list(&setup.space.collection(kind)) {
            match kind.kind {
                "Cluster" => {
                    for controller in OF_A_CLUSTER {
                        queue.add((controller, Arc::clone(&id)), now);
                    }
                }
                "ClusterClass" => queue.add((Controller::Class, Arc::clone(&id)), now),
                "Namespace" => queue.add((Controller::Garbage, name(&object).into()), now),
                _ => {}
            }
        }
    }
    revision
}

fn react(setup: &Setup, queue: &mut Queue, change: &Change) {
    let mut plan = |controller: Controller, key: Arc<str>| {
        let latency = Duration::from_secs_f64(controller.latency() / setup.speed);
        queue.add((controller, key), Instant::now() + latency);
    };
    let Some(object) = change.after.as_deref().or(change.before.as_deref()) else { return };
    if let Some(rest) = change.collection.strip_prefix("workload/") {
        // The nodes of a cluster, by `namespace/name/nodes`.
        if let Some((cluster, "nodes")) = rest.rsplit_once('/') {
            plan(Controller::Machines, cluster.into());
            plan(Controller::Health, cluster.into());
        }
        return;
    }
    if &*change.collection == WORKLOAD {
        plan(Controller::Infrastructure, Arc::clone(&change.id));
        return;
    }
    if let Some(cluster) = object["_cluster"].as_str() {
        plan(Controller::Machines, cluster.into());
        plan(Controller::Infrastructure, cluster.into());
        return;
    }
    let Some(kind) = setup.space.kind_of(&change.collection) else { return };
    let waits = is_deleting(object) && (kind.kind == "Namespace" || finalizers(object).contains(&FOREGROUND));
    if change.after.is_none() || waits {
        let scope = if kind.kind == "Namespace" { name(object) } else { namespace(object) };
        plan(Controller::Garbage, scope.into());
    }
    let cluster = match kind.kind {
        "ClusterClass" => {
            plan(Controller::Class, Arc::clone(&change.id));
            for (id, cluster) in setup.state.list(&format!("{}clusters.cluster.x-k8s.io", setup.space.prefix())) {
                if crate::kube::class_name(&cluster) == name(object) {
                    plan(Controller::Topology, id);
                }
            }
            return;
        }
        "Cluster" => Arc::clone(&change.id),
        _ if label(object, CLUSTER_LABEL).is_empty() => return,
        _ => format!("{}/{}", namespace(object), label(object, CLUSTER_LABEL)).into(),
    };
    for controller in OF_A_CLUSTER {
        plan(controller, Arc::clone(&cluster));
    }
}
