//! The class's own objects before any variable changes them.

use serde_json::{Value, json};

use super::OWN_CLASS;
use crate::build::CLOUD_NAME;
use crate::contract::CoreVersion;
use crate::names::{MANAGED_BY, MANAGED_BY_LABEL};

/// CAPO's kinds. Release 0.13 knows only this version, later ones convert from it.
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io/v1beta1";
/// The one class of worker machines.
const WORKER_CLASS: &str = "default-worker";
/// Stands where a variable always puts something else; the kinds do not allow the fields to be empty.
const REPLACED: &str = "replaced-by-variable";
/// The same where an id of Glance is wanted.
const REPLACED_ID: &str = "00000000-0000-0000-0000-000000000000";

/// What a patch changes.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// OpenStackClusterTemplate.
    Cluster,
    /// OpenStackMachineTemplate of the control plane.
    ControlPlaneMachines,
    /// OpenStackMachineTemplate of the workers.
    WorkerMachines,
    /// Both.
    Machines,
    /// KubeadmControlPlaneTemplate.
    ControlPlane,
    /// KubeadmConfigTemplate of the workers.
    WorkerBootstrap,
}

impl Target {
    /// The selector of a patch.
    pub(super) fn selector(self, version: CoreVersion) -> Value {
        let workers = json!({"names": [WORKER_CLASS]});
        let (api, kind, matches) = match self {
            Self::Cluster => (INFRASTRUCTURE, "OpenStackClusterTemplate", json!({"infrastructureCluster": true})),
            Self::ControlPlaneMachines => (INFRASTRUCTURE, "OpenStackMachineTemplate", json!({"controlPlane": true})),
            Self::WorkerMachines => {
                (INFRASTRUCTURE, "OpenStackMachineTemplate", json!({"machineDeploymentClass": workers}))
            }
            Self::Machines => (
                INFRASTRUCTURE,
                "OpenStackMachineTemplate",
                json!({"controlPlane": true, "machineDeploymentClass": workers}),
            ),
            Self::ControlPlane => {
                (version.control_plane(), "KubeadmControlPlaneTemplate", json!({"controlPlane": true}))
            }
            Self::WorkerBootstrap => {
                (version.bootstrap(), "KubeadmConfigTemplate", json!({"machineDeploymentClass": workers}))
            }
        };
        json!({"apiVersion": api, "kind": kind, "matchResources": matches})
    }
}

pub(super) fn namespace(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
}

/// The templates: one of the cluster's infrastructure, two of machines, the control plane's and the workers' set-up.
pub(super) fn all(version: CoreVersion, namespace: &str) -> Vec<Value> {
    let object = |api: &str, kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": api,
            "kind": kind,
            "metadata": metadata(namespace, name),
            "spec": {"template": {"spec": spec}},
        })
    };
    let machine = json!({"flavor": REPLACED, "image": {"id": REPLACED_ID}, "identityRef": identity()});
    vec![
        object(
            INFRASTRUCTURE,
            "OpenStackClusterTemplate",
            OWN_CLASS,
            json!({
                "identityRef": identity(),
                "managedSecurityGroups": {"allowAllInClusterTraffic": true},
            }),
        ),
        object(INFRASTRUCTURE, "OpenStackMachineTemplate", &control_plane_machines(), machine.clone()),
        object(INFRASTRUCTURE, "OpenStackMachineTemplate", &worker_machines(), machine),
        object(version.control_plane(), "KubeadmControlPlaneTemplate", OWN_CLASS, control_plane(version)),
        object(
            version.bootstrap(),
            "KubeadmConfigTemplate",
            OWN_CLASS,
            json!({
                "joinConfiguration": {"nodeRegistration": node_registration(version)},
            }),
        ),
    ]
}

pub(super) fn class(version: CoreVersion, namespace: &str, variables: &[Value], patches: &[Value]) -> Value {
    let reference = |api: &str, kind: &str, name: &str| {
        let reference = json!({"apiVersion": api, "kind": kind, "name": name});
        match version {
            CoreVersion::V1Beta2 => json!({"templateRef": reference}),
            CoreVersion::V1Beta1 => json!({"ref": reference}),
        }
    };
    let machines = |name: &str| reference(INFRASTRUCTURE, "OpenStackMachineTemplate", name);
    let mut control_plane = reference(version.control_plane(), "KubeadmControlPlaneTemplate", OWN_CLASS);
    control_plane["machineInfrastructure"] = machines(&control_plane_machines());
    let parts = json!({
        "bootstrap": reference(version.bootstrap(), "KubeadmConfigTemplate", OWN_CLASS),
        "infrastructure": machines(&worker_machines()),
    });
    let workers = match version {
        CoreVersion::V1Beta2 => {
            json!({
                "class": WORKER_CLASS, "bootstrap": parts["bootstrap"], "infrastructure": parts["infrastructure"],
            })
        }
        CoreVersion::V1Beta1 => json!({"class": WORKER_CLASS, "template": parts}),
    };
    json!({
        "apiVersion": version.core(),
        "kind": "ClusterClass",
        "metadata": metadata(namespace, OWN_CLASS),
        "spec": {
            "infrastructure": reference(INFRASTRUCTURE, "OpenStackClusterTemplate", OWN_CLASS),
            "controlPlane": control_plane,
            "workers": {"machineDeployments": [workers]},
            "variables": variables,
            "patches": patches,
        },
    })
}

fn metadata(namespace: &str, name: &str) -> Value {
    json!({"name": name, "namespace": namespace, "labels": {MANAGED_BY_LABEL: MANAGED_BY}})
}

fn control_plane_machines() -> String {
    format!("{OWN_CLASS}-control-plane")
}

fn worker_machines() -> String {
    format!("{OWN_CLASS}-{WORKER_CLASS}")
}

fn identity() -> Value {
    json!({"name": REPLACED, "cloudName": CLOUD_NAME})
}

/// Control planes keep their diagnostics to themselves and renew certificates three weeks before they end.
fn control_plane(version: CoreVersion) -> Value {
    let quiet = || arguments(version, &[("profiling", "false")]);
    let registration = node_registration(version);
    let mut spec = json!({
        "kubeadmConfigSpec": {
            "clusterConfiguration": {
                "apiServer": {"extraArgs": quiet(), "certSANs": ["localhost", "127.0.0.1"]},
                "controllerManager": {
                    "extraArgs": arguments(version, &[("cloud-provider", "external"), ("profiling", "false")]),
                },
                "scheduler": {"extraArgs": quiet()},
            },
            "initConfiguration": {"nodeRegistration": registration},
            "joinConfiguration": {"nodeRegistration": registration},
        },
    });
    match version {
        CoreVersion::V1Beta2 => spec["rollout"] = json!({"before": {"certificatesExpiryDays": 21}}),
        CoreVersion::V1Beta1 => spec["rolloutBefore"] = json!({"certificatesExpiryDays": 21}),
    }
    spec
}

/// The node is called as the server is, and tells Cluster API which server that is without waiting for a cloud controller.
fn node_registration(version: CoreVersion) -> Value {
    let provider_id = "openstack:///{{ instance_id }}";
    json!({
        "name": "{{ local_hostname }}",
        "kubeletExtraArgs": arguments(version, &[("cloud-provider", "external"), ("provider-id", provider_id)]),
    })
}

/// Arguments of a program: a list in v1beta2, a map in v1beta1.
pub(super) fn arguments(version: CoreVersion, arguments: &[(&str, &str)]) -> Value {
    match version {
        CoreVersion::V1Beta2 => arguments.iter().map(|(name, value)| json!({"name": name, "value": value})).collect(),
        CoreVersion::V1Beta1 => {
            arguments.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect::<Value>()
        }
    }
}
