//! What a controller sees and may do during one step: the objects of one cluster, the cloud's documents, the time.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Setup;
use crate::faults::{Fault, Occasion, strike};
use crate::kube::object::{label, list, name, set};
use crate::kube::space::Propagation;
use crate::kube::{Kind, Space};
use crate::random;
use crate::state::{Document, Writer};

/// Cluster API's label for the cluster something belongs to.
pub(crate) const CLUSTER_LABEL: &str = "cluster.x-k8s.io/cluster-name";
/// Cluster API's label on what belongs to the control plane.
pub(crate) const CONTROL_PLANE_LABEL: &str = "cluster.x-k8s.io/control-plane";
/// Cluster API's label for the machine deployment a machine belongs to.
pub(crate) const DEPLOYMENT_LABEL: &str = "cluster.x-k8s.io/deployment-name";
/// Cluster API's label for the name of a machine deployment within the topology.
pub(crate) const TOPOLOGY_DEPLOYMENT_LABEL: &str = "topology.cluster.x-k8s.io/deployment-name";
/// Cluster API's label on what the topology made.
pub(crate) const TOPOLOGY_OWNED_LABEL: &str = "topology.cluster.x-k8s.io/owned";
/// The collection of what the simulation keeps about a cluster.
pub(crate) const SIMULATION: &str = "simulation";
/// The collection of workload clusters.
pub(crate) const WORKLOAD: &str = "workload";

/// Whose machines and networks a cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    OpenStack,
    /// Cluster API's own provider for tests: nothing of it is seen in the cloud.
    Dev,
}

// === impl Provider ===

impl Provider {
    pub(super) const fn kinds(self) -> [&'static str; 2] {
        match self {
            Self::OpenStack => ["OpenStackCluster", "OpenStackMachine"],
            Self::Dev => ["DevCluster", "DevMachine"],
        }
    }

    pub(super) const fn cluster_kind(self) -> &'static str {
        self.kinds()[0]
    }

    pub(super) const fn machine_kind(self) -> &'static str {
        self.kinds()[1]
    }

    pub(super) const fn template_kind(self) -> &'static str {
        match self {
            Self::OpenStack => "OpenStackMachineTemplate",
            Self::Dev => "DevMachineTemplate",
        }
    }

    /// The collection of a sort of cloud resource.
    pub(super) fn collection(self, resource: &str) -> String {
        match self {
            Self::OpenStack => resource.to_owned(),
            Self::Dev => format!("dev_{resource}"),
        }
    }
}

/// One step of a controller for one cluster.
pub(super) struct Context<'a, 'w> {
    pub(super) writer: &'a mut Writer<'w>,
    pub(super) setup: &'a Setup,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) now: Timestamp,
    wake: Option<Duration>,
}

// === impl Context ===

impl<'a, 'w> Context<'a, 'w> {
    pub(super) fn new(writer: &'a mut Writer<'w>, setup: &'a Setup, key: &str, now: Timestamp) -> Self {
        let (namespace, name) = key.split_once('/').unwrap_or(("", key));
        Self { writer, setup, namespace: namespace.to_owned(), name: name.to_owned(), now, wake: None }
    }

    /// When the controller wants to run again without being told.
    pub(super) const fn wake(&self) -> Option<Duration> {
        self.wake
    }

    /// `namespace/name` of the cluster.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    pub(super) fn space(&self) -> &'a Space {
        &self.setup.space
    }

    /// The workload cluster's objects.
    pub(super) fn workload(&self) -> Space {
        Space::workload(&self.key(), self.setup.seed)
    }

    pub(super) fn kind(&self, name: &str) -> Kind {
        self.setup.space.kinds().named(name).expect("controllers name kinds of the table")
    }

    /// Runs the controller again after this long by the sandbox's clock at the latest.
    pub(super) fn again_after(&mut self, wait: Duration) {
        self.wake = Some(self.wake.map_or(wait, |sooner| sooner.min(wait)));
    }

    /// How long something takes that takes `seconds` in the real world, with chance for `what`.
    pub(super) fn takes(&self, seconds: f64, what: &[&str]) -> Duration {
        let chance = random::fraction(random::mix(self.setup.seed, what));
        Duration::from_secs_f64(seconds * (0.8 + 0.4 * chance) / self.setup.speed)
    }

    /// The time now in milliseconds.
    pub(super) fn millis(&self) -> i64 {
        self.now.as_millisecond()
    }

    /// The time in milliseconds when something that begins now is over.
    pub(super) fn due(&self, seconds: f64, what: &[&str]) -> i64 {
        let takes = i64::try_from(self.takes(seconds, what).as_millis()).unwrap_or(i64::MAX);
        self.millis().saturating_add(takes)
    }

    /// Whether that time has come; if not, the controller runs again then.
    pub(super) fn is_over(&mut self, due: i64) -> bool {
        let left = due - self.millis();
        if left <= 0 {
            return true;
        }
        self.again_after(Duration::from_millis(left.unsigned_abs() + 1));
        false
    }

    /// A suffix for the name of something, the same whenever it is asked for.
    pub(super) fn suffix(&self, what: &[&str]) -> String {
        random::suffix(random::mix(self.setup.seed, what), 5)
    }

    /// The fault that hits a machine or cluster now, if any.
    pub(super) fn fault(&mut self, name: &str, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        strike(self.writer, self.setup.seed, Occasion { verb: "", resource: "", name }, wanted)
    }

    pub(super) fn cluster(&self) -> Option<Document> {
        self.get("Cluster", &self.name)
    }

    pub(super) fn get(&self, kind: &str, name: &str) -> Option<Document> {
        self.space().get(self.writer, &self.kind(kind), &self.namespace, name)
    }

    /// The objects of a kind that belong to the cluster.
    pub(super) fn mine(&self, kind: &str) -> Vec<Document> {
        let prefix = self.key();
        let all = self.writer.list_prefix(&self.space().collection(&self.kind(kind)), &prefix);
        all.into_iter().map(|(_, object)| object).filter(|object| label(object, CLUSTER_LABEL) == self.name).collect()
    }

    /// The machines of an owner: a control plane or a machine set.
    pub(super) fn machines_of(&self, owner: &Value) -> Vec<Document> {
        let mut machines = self.mine("Machine");
        machines.retain(|machine| crate::kube::object::is_owned_by(machine, owner));
        machines
    }

    /// Makes an object of the cluster's namespace; one that is there stays as it is.
    pub(super) fn create(&mut self, kind: &str, mut object: Value) -> Value {
        let found = self.get(kind, name(&object));
        if let Some(found) = found {
            return Value::clone(&found);
        }
        let kind = self.kind(kind);
        object["apiVersion"] = json!(kind.stored_version());
        object["kind"] = json!(kind.kind);
        set(&mut object, &["metadata", "namespace"], self.namespace.clone());
        let now = self.now;
        match self.setup.space.create(self.writer, &kind, object, now) {
            Ok(made) => made,
            Err(error) => {
                tracing::debug!(error = %error, "the simulation could not make a {}", kind.kind);
                Value::Null
            }
        }
    }

    /// Changes an object; nothing happens when there is none.
    pub(super) fn change(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let kind = self.kind(kind);
        let namespace = self.namespace.clone();
        self.setup.space.change(self.writer, &kind, (&namespace, name), change);
    }

    /// Deletes an object; nothing happens when there is none.
    pub(super) fn delete(&mut self, kind: &str, name: &str) {
        let kind = self.kind(kind);
        let (namespace, now) = (self.namespace.clone(), self.now);
        let _ = self.setup.space.delete(self.writer, &kind, (&namespace, name), Propagation::Background, now);
    }

    /// Whose infrastructure the cluster has: what it refers to, or what its class would make.
    pub(super) fn provider(&self) -> Provider {
        let Some(cluster) = self.cluster() else { return Provider::OpenStack };
        let referred = cluster["spec"]["infrastructureRef"]["kind"].as_str().map(str::to_owned);
        let kind = referred.or_else(|| {
            let class = self.class(&cluster)?;
            class["spec"]["infrastructure"]["templateRef"]["kind"].as_str().map(str::to_owned)
        });
        if kind.is_some_and(|kind| kind.starts_with("Dev")) { Provider::Dev } else { Provider::OpenStack }
    }

    /// The class the cluster wants.
    pub(super) fn class(&self, cluster: &Value) -> Option<Document> {
        let (namespace, name) = (crate::kube::class_namespace(cluster), crate::kube::class_name(cluster));
        self.space().get(self.writer, &self.kind("ClusterClass"), namespace, name)
    }

    /// What the simulation keeps about the cluster.
    pub(super) fn memory(&self) -> Value {
        self.writer.get(SIMULATION, &self.key()).map_or_else(|| json!({}), |kept| Value::clone(&kept))
    }

    /// Keeps that.
    pub(super) fn remember(&mut self, memory: Value) {
        let key = self.key();
        if self.writer.get(SIMULATION, &key).as_deref() != Some(&memory) {
            self.writer.put(SIMULATION, &key, memory);
        }
    }
}

/// Sets a condition in `status.conditions`; the time changes with the status alone.
pub(super) fn condition(object: &mut Value, kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
    condition_of(object, generation, (kind, status, reason, message), now);
}

/// As [`condition`], for conditions that speak of another generation than the present.
pub(super) fn condition_of(
    object: &mut Value,
    generation: i64,
    (kind, status, reason, message): (&str, &str, &str, &str),
    now: Timestamp,
) {
    let conditions = crate::kube::object::entry(object, &["status", "conditions"]);
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Value::Array(conditions) = conditions else { return };
    let fresh = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation,
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    match conditions.iter_mut().find(|one| one["type"] == kind) {
        Some(old) => {
            let since = (old["status"] == status).then(|| old["lastTransitionTime"].clone());
            *old = fresh;
            if let Some(since) = since {
                old["lastTransitionTime"] = since;
            }
        }
        None => conditions.push(fresh),
    }
}

/// As [`condition`] on an object of the old contract: errors are told from delays, and nothing says of which generation.
pub(super) fn old_condition(
    object: &mut Value,
    kind: &str,
    status: &str,
    (reason, severity, message): (&str, &str, &str),
    now: Timestamp,
) {
    condition(object, kind, status, reason, message, now);
    if let Some(one) =
        object["status"]["conditions"].as_array_mut().and_then(|all| all.iter_mut().find(|one| one["type"] == kind))
    {
        let fields = crate::kube::object::fields(one);
        fields.remove("observedGeneration");
        if status == "True" {
            fields.remove("reason");
            fields.remove("message");
        } else {
            fields.insert("severity".to_owned(), json!(severity));
        }
    }
}

/// What a condition says: `True`, `False`, `Unknown`, or nothing.
pub(super) fn says<'a>(object: &'a Value, kind: &str) -> &'a str {
    find(object, kind).and_then(|one| one["status"].as_str()).unwrap_or_default()
}

/// Whether a condition is there and holds.
pub(super) fn holds(object: &Value, kind: &str) -> bool {
    says(object, kind) == "True"
}

/// A condition by type.
pub(super) fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, &["status", "conditions"]).iter().find(|one| one["type"] == kind)
}
