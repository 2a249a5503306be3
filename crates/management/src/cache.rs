//! What was last seen of every cluster, in as little memory as that takes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use jeroboam_capi::{
    ClusterKey, ClusterSeen, ControlPlaneSeen, DeploymentSeen, InfrastructureSeen, MachineSeen, Meta, Observed,
};
use serde_json::Value;

use crate::dirty::Dirty;
use crate::discovery::Role;

/// One object, read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Cluster(Box<ClusterSeen>),
    ControlPlane(Box<ControlPlaneSeen>),
    Deployment(DeploymentSeen),
    Machine(Box<MachineSeen>),
    Infrastructure(InfrastructureSeen),
    InfrastructureMachine(InfrastructureSeen),
}

impl Seen {
    /// Reads an object in its role; `None` when it is none, or of no cluster.
    pub(crate) fn read(role: Role, object: &Value) -> Option<Self> {
        let boxed = |seen: InfrastructureSeen| match role {
            Role::InfrastructureMachine => Self::InfrastructureMachine(seen),
            _ => Self::Infrastructure(seen),
        };
        match role {
            Role::Cluster => ClusterSeen::read(object).map(|seen| Self::Cluster(Box::new(seen))),
            Role::ControlPlane => ControlPlaneSeen::read(object).map(|seen| Self::ControlPlane(Box::new(seen))),
            Role::Deployment => DeploymentSeen::read(object).map(Self::Deployment),
            Role::Machine => MachineSeen::read(object).map(|seen| Self::Machine(Box::new(seen))),
            Role::Infrastructure | Role::InfrastructureMachine => InfrastructureSeen::read(object).map(boxed),
        }
    }

    fn meta(&self) -> &Meta {
        match self {
            Self::Cluster(seen) => &seen.meta,
            Self::ControlPlane(seen) => &seen.meta,
            Self::Deployment(seen) => &seen.meta,
            Self::Machine(seen) => &seen.meta,
            Self::Infrastructure(seen) | Self::InfrastructureMachine(seen) => &seen.meta,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.meta().name
    }

    /// The cluster it belongs to. A Cluster is its own, whatever its labels say.
    pub(crate) fn key(&self) -> Option<ClusterKey> {
        match self {
            Self::Cluster(seen) => Some(seen.key()),
            _ => self.meta().cluster_key(),
        }
    }

    /// Puts it where it belongs.
    pub(crate) fn put(self, observed: &mut Observed) {
        match self {
            Self::Cluster(seen) => observed.cluster = Some(*seen),
            Self::ControlPlane(seen) => observed.control_plane = Some(*seen),
            Self::Deployment(seen) => observed.deployments.push(seen),
            Self::Machine(seen) => observed.machines.push(*seen),
            Self::Infrastructure(seen) => observed.infrastructure = Some(seen),
            Self::InfrastructureMachine(seen) => observed.infrastructure_machines.push(seen),
        }
    }
}

/// Kind and name within a namespace.
type Name = (String, String);

/// All that is known.
#[derive(Debug)]
pub(crate) struct Cache {
    state: Mutex<State>,
    dirty: Dirty,
}

#[derive(Debug, Default)]
struct State {
    clusters: HashMap<ClusterKey, BTreeMap<Name, Seen>>,
    listed: HashSet<String>,
}

impl Cache {
    pub(crate) fn new(dirty: Dirty) -> Self {
        Self { state: Mutex::default(), dirty }
    }

    /// Notes an object. What looks the same as before does not count as a change.
    pub(crate) fn apply(&self, kind: &str, seen: Seen) {
        let Some(key) = seen.key() else { return };
        let name = (kind.to_owned(), seen.meta().name.clone());
        let mut state = self.lock();
        let objects = state.clusters.entry(key.clone()).or_default();
        if objects.get(&name) != Some(&seen) {
            objects.insert(name, seen);
            drop(state);
            self.dirty.mark(key);
        }
    }

    /// Notes that an object is gone.
    pub(crate) fn remove(&self, kind: &str, seen: &Seen) {
        let Some(key) = seen.key() else { return };
        let name = (kind.to_owned(), seen.meta().name.clone());
        if self.lock().forget(&key, &name) {
            self.dirty.mark(key);
        }
    }

    /// Notes that a kind was listed: of this kind there is `present` and nothing else.
    pub(crate) fn listed(&self, kind: &str, present: &BTreeSet<(ClusterKey, String)>) {
        let mut state = self.lock();
        state.listed.insert(kind.to_owned());
        let all = state.clusters.iter().flat_map(|(key, objects)| objects.keys().map(move |name| (key, name)));
        let gone: Vec<_> = all
            .filter(|(key, (of, name))| of == kind && !present.contains(&((*key).clone(), name.clone())))
            .map(|(key, name)| (key.clone(), name.clone()))
            .collect();
        for (key, name) in gone {
            state.forget(&key, &name);
            self.dirty.mark(key);
        }
    }

    /// Whether all of these kinds were listed.
    pub(crate) fn has_listed<'a>(&self, mut kinds: impl Iterator<Item = &'a str>) -> bool {
        let state = self.lock();
        kinds.all(|kind| state.listed.contains(kind))
    }

    /// Forgets kinds that are no longer watched.
    pub(crate) fn keep(&self, kinds: &HashSet<&str>) {
        let mut state = self.lock();
        state.listed.retain(|kind| kinds.contains(kind.as_str()));
        for objects in state.clusters.values_mut() {
            objects.retain(|(kind, _), _| kinds.contains(kind.as_str()));
        }
    }

    /// All of one cluster.
    pub(crate) fn observe(&self, key: &ClusterKey) -> Observed {
        let mut observed = Observed::default();
        let objects = self.lock().clusters.get(key).cloned().unwrap_or_default();
        objects.into_values().for_each(|seen| seen.put(&mut observed));
        observed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes an object out; whether it was there.
    fn forget(&mut self, key: &ClusterKey, name: &Name) -> bool {
        let Some(objects) = self.clusters.get_mut(key) else { return false };
        let was_there = objects.remove(name).is_some();
        if objects.is_empty() {
            self.clusters.remove(key);
        }
        was_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn machine(cluster: &str, name: &str, phase: &str) -> Seen {
        let object = json!({
            "metadata": {"namespace": "n", "name": name, "labels": {"cluster.x-k8s.io/cluster-name": cluster}},
            "status": {"phase": phase},
        });
        Seen::read(Role::Machine, &object).expect("a machine")
    }

    fn key(name: &str) -> ClusterKey {
        ClusterKey { namespace: "n".into(), name: name.into() }
    }

    #[test]
    fn only_what_looks_different_is_a_change() {
        let cache = Cache::new(Dirty::default());
        cache.apply("Machine", machine("c", "m", "Pending"));
        assert_eq!(cache.dirty.take(), [key("c")].into());
        cache.apply("Machine", machine("c", "m", "Pending"));
        assert!(cache.dirty.take().is_empty());
        cache.apply("Machine", machine("c", "m", "Running"));
        assert_eq!(cache.dirty.take(), [key("c")].into());
        assert_eq!(cache.observe(&key("c")).machines[0].phase, "Running");
    }

    #[test]
    fn a_new_list_takes_away_what_was_deleted_unseen() {
        let cache = Cache::new(Dirty::default());
        cache.apply("Machine", machine("c", "m-1", "Running"));
        cache.apply("Machine", machine("c", "m-2", "Running"));
        cache.apply("Machine", machine("d", "m-1", "Running"));
        assert_eq!(cache.dirty.take().len(), 2);
        assert!(!cache.has_listed(["Machine"].into_iter()));
        cache.listed("Machine", &[(key("c"), "m-2".to_owned())].into());
        assert!(cache.has_listed(["Machine"].into_iter()));
        assert_eq!(cache.dirty.take(), [key("c"), key("d")].into());
        assert_eq!(cache.observe(&key("c")).machines.len(), 1);
        assert!(cache.observe(&key("d")).is_gone());
        cache.remove("Machine", &machine("c", "m-2", "Running"));
        assert!(cache.lock().clusters.is_empty(), "nothing is kept of a cluster that is gone");
    }
}
