//! Cluster API objects: what we build from a resolved cluster, and what an observed one means.
//!
//! No I/O, no clock, no Kubernetes client. [`build()`] turns a [`ResolvedCluster`] into the objects that the management
//! cluster is to hold, in the order in which they are applied; [`assess()`] turns what is seen there into a state, a
//! reason and addresses. Both are pure: the same inputs always give the same result.

mod assess;
mod build;
mod class_info;
mod contract;
mod names;
mod observed;
mod own_class;
mod removal;
mod resolved;
mod resources;

pub use assess::{
    Assessment, GroupAssessment, GroupState, Health, Phase, Wanted, WantedGroup, assess, silent_infrastructure,
};
pub use build::{BuildError, build, cloud_config};
pub use class_info::{ClassInfo, Variable, WorkerClass};
pub use contract::CoreVersion;
pub use names::{
    CLUSTER_LABEL, CLUSTER_NAME_LABEL, ClusterKey, DELETE_MACHINE_ANNOTATION, MANAGED_BY, MANAGED_BY_LABEL,
    NODEGROUP_LABEL, PROJECT_LABEL, cluster_name, group_name, namespace,
};
pub use observed::{
    ClusterSeen, Condition, Conditions, ControlPlaneSeen, Counts, DeploymentSeen, InfrastructureSeen, MachineSeen,
    Meta, Observed, Truth,
};
pub use own_class::{OWN_CLASS, SYSTEM_NAMESPACE, own_class};
pub use removal::{UnknownNodes, machines_to_remove};
pub use resolved::{
    ApiEndpoint, Autoscaling, BootVolume, CertificatePair, Certificates, ClusterNetwork, ControlPlaneGroup, Credential,
    Healing, Image, Network, OperatingSystem, ResolvedCluster, WorkerGroup,
};
pub use resources::{Applied, Object, Prepared, Resources};
