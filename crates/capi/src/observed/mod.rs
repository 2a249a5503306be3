//! What is seen of a cluster in the management cluster, with only the fields that matter, whichever contract wrote them.
//!
//! Reading is tolerant: a field that is missing or of another type counts as not there. An object of the v1beta1
//! contract carries the newer status below `status.v1beta2` since Cluster API 1.9, and that is what is read then.

mod conditions;

use jeroboam_model::{KubeRelease, Timestamp};
use serde_json::Value;

pub(crate) use conditions::one_line;
pub use conditions::{Condition, Conditions, Truth};

use crate::names::{CLUSTER_LABEL, CLUSTER_NAME_LABEL, ClusterKey, DELETE_MACHINE_ANNOTATION, NODEGROUP_LABEL};

/// Cluster API's label for a machine deployment's name within its topology.
const DEPLOYMENT_LABEL: &str = "topology.cluster.x-k8s.io/deployment-name";
/// Cluster API's label on machines of the control plane; its value is empty.
const CONTROL_PLANE_LABEL: &str = "cluster.x-k8s.io/control-plane";

/// Everything that is seen of one cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The Cluster; `None` before it is made and after it is gone.
    pub cluster: Option<ClusterSeen>,
    /// Its control plane object.
    pub control_plane: Option<ControlPlaneSeen>,
    /// Its machine deployments, one per worker group.
    pub deployments: Vec<DeploymentSeen>,
    /// Its machines, those of the control plane included.
    pub machines: Vec<MachineSeen>,
    /// Infrastructure of the cluster: load balancer, networks.
    pub infrastructure: Option<InfrastructureSeen>,
    /// Infrastructure of single machines: servers.
    pub infrastructure_machines: Vec<InfrastructureSeen>,
}

impl Observed {
    /// Whether nothing of the cluster is left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.cluster.is_none()
            && self.control_plane.is_none()
            && self.deployments.is_empty()
            && self.machines.is_empty()
            && self.infrastructure.is_none()
            && self.infrastructure_machines.is_empty()
    }

    /// The infrastructure behind a machine.
    #[must_use]
    pub fn infrastructure_of(&self, machine: &MachineSeen) -> Option<&InfrastructureSeen> {
        let (kind, name) = machine.infrastructure.as_ref()?;
        self.infrastructure_machines.iter().find(|seen| seen.kind == *kind && seen.meta.name == *name)
    }
}

/// What every object has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Kubernetes' id of this very object.
    pub uid: String,
    /// Counts changes of the specification, our own and the controllers'.
    pub generation: i64,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether it is being removed.
    pub deleting: bool,
    /// The cluster it belongs to by name, from Cluster API's label.
    pub cluster_name: Option<String>,
    /// The cluster's id, from our label.
    pub cluster: Option<String>,
    /// The node group's id, from our label.
    pub nodegroup: Option<String>,
    /// Name of the machine deployment within the topology.
    pub deployment: Option<String>,
    /// Whether Cluster API calls it a part of the control plane.
    pub control_plane: bool,
    /// Whether it is to be removed before its siblings.
    pub delete_first: bool,
}

impl Meta {
    /// Reads `metadata`; `None` without a name.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let metadata = object.get("metadata")?;
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
        let label = |key: &str| text_of(metadata.get("labels"), key);
        Some(Self {
            namespace: text("namespace").unwrap_or_default(),
            name: text("name")?,
            uid: text("uid").unwrap_or_default(),
            generation: metadata.get("generation").and_then(Value::as_i64).unwrap_or_default(),
            created: text("creationTimestamp").and_then(|text| text.parse().ok()),
            deleting: metadata.get("deletionTimestamp").is_some_and(Value::is_string),
            cluster_name: label(CLUSTER_NAME_LABEL),
            cluster: label(CLUSTER_LABEL),
            nodegroup: label(NODEGROUP_LABEL),
            deployment: label(DEPLOYMENT_LABEL),
            control_plane: label(CONTROL_PLANE_LABEL).is_some(),
            delete_first: text_of(metadata.get("annotations"), DELETE_MACHINE_ANNOTATION).is_some(),
        })
    }

    /// The cluster that an object belongs to.
    #[must_use]
    pub fn cluster_key(&self) -> Option<ClusterKey> {
        let name = self.cluster_name.clone()?;
        Some(ClusterKey { namespace: self.namespace.clone(), name })
    }
}

/// Numbers of machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Wanted, as the controllers have understood it so far.
    pub desired: Option<i64>,
    /// There.
    pub replicas: Option<i64>,
    /// Ready.
    pub ready: Option<i64>,
    /// Ready for long enough.
    pub available: Option<i64>,
    /// Of the newest version.
    pub up_to_date: Option<i64>,
}

impl Counts {
    /// Whether all of them are this number. What a contract does not report does not count.
    #[must_use]
    pub fn all_are(&self, wanted: i64) -> bool {
        let is = |count: Option<i64>| count.unwrap_or_default() == wanted;
        let may_be = |count: Option<i64>| count.is_none_or(|count| count == wanted);
        may_be(self.desired) && is(self.replicas) && is(self.available) && is(self.up_to_date)
    }

    fn read(status: &Value, desired: Option<i64>) -> Self {
        let number = |key: &str| status.get(key).and_then(Value::as_i64);
        let newer = |key: &str| status.pointer("/v1beta2").and_then(|status| status.get(key)).and_then(Value::as_i64);
        let ready = newer("readyReplicas").or_else(|| number("readyReplicas"));
        Self {
            desired: number("desiredReplicas").or(desired),
            replicas: number("replicas"),
            ready,
            available: newer("availableReplicas").or_else(|| number("availableReplicas")).or(ready),
            up_to_date: newer("upToDateReplicas")
                .or_else(|| number("upToDateReplicas"))
                .or_else(|| number("updatedReplicas")),
        }
    }
}

/// A Cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSeen {
    /// Its metadata.
    pub meta: Meta,
    /// Host and port of the API, once they are known.
    pub endpoint: Option<(String, i64)>,
    /// Cluster API's phase: `Provisioned` says no more than that there is an endpoint.
    pub phase: String,
    /// The last generation that the cluster's main controller looked at.
    pub observed_generation: i64,
    /// Whether load balancer and networks are there.
    pub infrastructure_provisioned: bool,
    /// Whether the first control plane machine has answered.
    pub control_plane_initialized: bool,
    /// Machines of the control plane.
    pub control_plane: Option<Counts>,
    /// Machines of all worker groups.
    pub workers: Option<Counts>,
    /// Conditions of the v1beta2 contract; of the older one where there are no others.
    pub conditions: Conditions,
    /// Whether [`conditions`](Self::conditions) are of the v1beta2 contract.
    pub modern: bool,
    /// `failureMessage` of the old contract.
    pub failure: Option<String>,
    /// Kubernetes release that the topology asks for.
    pub wanted_release: Option<KubeRelease>,
}

/// A control plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControlPlaneSeen {
    /// Its metadata.
    pub meta: Meta,
    /// The last generation that its controller looked at.
    pub observed_generation: i64,
    /// Machines.
    pub counts: Counts,
    /// The lowest Kubernetes release of its machines.
    pub release: Option<KubeRelease>,
    /// The release that it is to run.
    pub wanted_release: Option<KubeRelease>,
    /// Its conditions.
    pub conditions: Conditions,
    /// `failureMessage` of the old contract.
    pub failure: Option<String>,
}

/// A machine deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeploymentSeen {
    /// Its metadata.
    pub meta: Meta,
    /// The last generation that its controller looked at.
    pub observed_generation: i64,
    /// Machines.
    pub counts: Counts,
    /// The release that its machines are to run.
    pub wanted_release: Option<KubeRelease>,
    /// Its conditions.
    pub conditions: Conditions,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MachineSeen {
    /// Its metadata.
    pub meta: Meta,
    /// Cluster API's phase.
    pub phase: String,
    /// Its Kubernetes release.
    pub release: Option<KubeRelease>,
    /// `openstack:///<server id>` or the like.
    pub provider_id: Option<String>,
    /// The node it became.
    pub node: Option<String>,
    /// Its internal address.
    pub address: Option<String>,
    /// Kind and name of the object behind it.
    pub infrastructure: Option<(String, String)>,
    /// Its conditions.
    pub conditions: Conditions,
    /// `failureMessage` of the old contract.
    pub failure: Option<String>,
}

impl MachineSeen {
    /// The id of the server behind it: the last part of the provider's id.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        let id = self.provider_id.as_deref()?.rsplit('/').next()?;
        (!id.is_empty()).then_some(id)
    }

    /// Whether its node is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.meta.deleting && self.node.is_some() && self.conditions.is_true("Ready")
    }
}

/// An object of the infrastructure provider: a cluster's or a machine's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InfrastructureSeen {
    /// Its kind.
    pub kind: String,
    /// Its metadata.
    pub meta: Meta,
    /// Whether it is there for use.
    pub ready: bool,
    /// Its conditions.
    pub conditions: Conditions,
    /// What stopped it for good: `failureMessage`, with the reason before it.
    pub failure: Option<String>,
}

impl ClusterSeen {
    /// Reads a Cluster of either contract; `None` for anything without a name.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let meta = Meta::read(object)?;
        let status = object.get("status").unwrap_or(&Value::Null);
        let flag = |pointer: &str| status.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
        let (conditions, modern) = conditions_of(object);
        let counts = |key: &str| {
            let block = status.get(key).or_else(|| status.pointer(&format!("/v1beta2/{key}")));
            block.map(|block| Counts::read(block, None))
        };
        let endpoint = object.pointer("/spec/controlPlaneEndpoint").and_then(|endpoint| {
            let host = endpoint.get("host").and_then(Value::as_str).filter(|host| !host.is_empty())?;
            let port = endpoint.get("port").and_then(Value::as_i64).filter(|port| *port > 0)?;
            Some((host.to_owned(), port))
        });
        let initialized =
            flag("/initialization/controlPlaneInitialized") || conditions.is_true("ControlPlaneInitialized");
        Some(Self {
            endpoint,
            phase: text_of(Some(status), "phase").unwrap_or_default(),
            observed_generation: observed_generation(status),
            infrastructure_provisioned: flag("/initialization/infrastructureProvisioned")
                || flag("/infrastructureReady"),
            control_plane_initialized: initialized,
            control_plane: counts("controlPlane"),
            workers: counts("workers"),
            conditions,
            modern,
            failure: failure_of(status),
            wanted_release: release_at(object, "/spec/topology/version"),
            meta,
        })
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> ClusterKey {
        ClusterKey { namespace: self.meta.namespace.clone(), name: self.meta.name.clone() }
    }
}

impl ControlPlaneSeen {
    /// Reads a control plane of either contract.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let meta = Meta::read(object)?;
        let status = object.get("status").unwrap_or(&Value::Null);
        let desired = object.pointer("/spec/replicas").and_then(Value::as_i64);
        Some(Self {
            observed_generation: observed_generation(status),
            counts: Counts::read(status, desired),
            release: release_at(status, "/version"),
            wanted_release: release_at(object, "/spec/version"),
            conditions: conditions_of(object).0,
            failure: failure_of(status),
            meta,
        })
    }
}

impl DeploymentSeen {
    /// Reads a machine deployment of either contract.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let meta = Meta::read(object)?;
        let status = object.get("status").unwrap_or(&Value::Null);
        let desired = object.pointer("/spec/replicas").and_then(Value::as_i64);
        Some(Self {
            observed_generation: observed_generation(status),
            counts: Counts::read(status, desired),
            wanted_release: release_at(object, "/spec/template/spec/version"),
            conditions: conditions_of(object).0,
            meta,
        })
    }
}

impl MachineSeen {
    /// Reads a machine of either contract.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let meta = Meta::read(object)?;
        let status = object.get("status").unwrap_or(&Value::Null);
        let addresses = status.get("addresses").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let of_type = |wanted: &str| {
            let found = addresses.iter().find(|a| a.get("type").and_then(Value::as_str) == Some(wanted));
            text_of(found, "address")
        };
        let infrastructure = object.pointer("/spec/infrastructureRef").and_then(|reference| {
            let text = |key: &str| text_of(Some(reference), key);
            Some((text("kind")?, text("name")?))
        });
        Some(Self {
            phase: text_of(Some(status), "phase").unwrap_or_default(),
            release: release_at(object, "/spec/version"),
            provider_id: object.pointer("/spec/providerID").and_then(Value::as_str).map(str::to_owned),
            node: status.pointer("/nodeRef/name").and_then(Value::as_str).map(str::to_owned),
            address: of_type("InternalIP").or_else(|| of_type("ExternalIP")),
            infrastructure,
            conditions: conditions_of(object).0,
            failure: failure_of(status),
            meta,
        })
    }
}

impl InfrastructureSeen {
    /// Reads an object of an infrastructure provider.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let meta = Meta::read(object)?;
        let status = object.get("status").unwrap_or(&Value::Null);
        let flag = |pointer: &str| status.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
        let conditions = conditions_of(object).0;
        Some(Self {
            kind: text_of(Some(object), "kind").unwrap_or_default(),
            ready: flag("/ready") || flag("/initialization/provisioned") || conditions.is_true("Ready"),
            conditions,
            failure: failure_of(status),
            meta,
        })
    }
}

/// The newest conditions that an object carries, and whether they are of the v1beta2 contract.
fn conditions_of(object: &Value) -> (Conditions, bool) {
    let status = object.get("status").unwrap_or(&Value::Null);
    let newer = Conditions::read(status.pointer("/v1beta2/conditions"));
    if !newer.is_empty() {
        return (newer, true);
    }
    let of_old_version = object.get("apiVersion").and_then(Value::as_str).is_some_and(|v| v.ends_with("/v1beta1"));
    (Conditions::read(status.get("conditions")), !of_old_version)
}

/// Why something stopped for good, in the old contract's words, which v1beta2 objects keep aside.
fn failure_of(status: &Value) -> Option<String> {
    let at = |key: &str| {
        let value = status.get(key).or_else(|| status.pointer(&format!("/deprecated/v1beta1/{key}")));
        value.and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    match (at("failureReason"), at("failureMessage")) {
        (None, None) => None,
        (Some(reason), None) => Some(reason.to_owned()),
        (None, Some(message)) => Some(message.to_owned()),
        (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
    }
}

fn observed_generation(status: &Value) -> i64 {
    status.get("observedGeneration").and_then(Value::as_i64).unwrap_or_default()
}

fn release_at(value: &Value, pointer: &str) -> Option<KubeRelease> {
    value.pointer(pointer).and_then(Value::as_str).and_then(|text| text.parse().ok())
}

fn text_of(value: Option<&Value>, key: &str) -> Option<String> {
    value?.get(key).and_then(Value::as_str).map(str::to_owned)
}
