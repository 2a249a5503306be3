//! The Cluster object.

use serde_json::{Map, Value, json};

use super::{BuildError, labels, title, variables};
use crate::class_info::ClassInfo;
use crate::contract::CoreVersion;
use crate::names::{NODEGROUP_LABEL, group_name, label_value};
use crate::resolved::{Healing, ResolvedCluster, WorkerGroup};
use crate::resources::Object;

/// Seconds that a machine on its way out waits for its pods to leave: a disruption budget that never gives in must not
/// keep a cluster from being resized, upgraded or removed.
const DRAIN_SECONDS: u32 = 600;
/// Seconds that it waits for volumes to be detached.
const DETACH_SECONDS: u32 = 300;

/// Cluster API's autoscaler reads its bounds here.
const MIN_SIZE: &str = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size";
const MAX_SIZE: &str = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size";

pub(super) fn cluster(cluster: &ResolvedCluster, class: &ClassInfo) -> Result<Object, BuildError> {
    let worker_class = match class.workers.first() {
        None if !cluster.workers.is_empty() => return Err(BuildError::NoWorkerClass { class: title(class) }),
        worker_class => worker_class.cloned().unwrap_or_default(),
    };
    let mut control_plane = json!({
        "replicas": cluster.control_plane.count,
        "metadata": {"labels": group_labels(cluster, &cluster.control_plane.id.to_string())},
    });
    lay(&mut control_plane, deletion(class.version));
    lay(&mut control_plane, health_check(class.version, cluster.healing, class.control_plane_health_check));
    let workers: Vec<_> = cluster
        .workers
        .iter()
        .map(|group| {
            let mut machines = json!({
                "class": worker_class.name,
                "name": group_name(&group.name, group.id),
                "replicas": group.count,
                "metadata": {"labels": worker_labels(cluster, group)},
            });
            if let Some(scaling) = group.autoscaling {
                machines["metadata"]["annotations"] =
                    json!({MIN_SIZE: scaling.min.to_string(), MAX_SIZE: scaling.max.to_string()});
                if scaling.begun {
                    machines.as_object_mut().map(|fields| fields.remove("replicas"));
                }
            }
            if let Some(zone) = &group.availability_zone {
                machines["failureDomain"] = zone.clone().into();
            }
            let overrides = variables::overrides(cluster, group, class);
            if !overrides.is_empty() {
                machines["variables"] = json!({"overrides": overrides});
            }
            lay(&mut machines, deletion(class.version));
            lay(&mut machines, health_check(class.version, cluster.healing, worker_class.health_check));
            machines
        })
        .collect();
    let mut topology = class_reference(class);
    topology.insert("version".to_owned(), cluster.release.to_string().into());
    topology.insert("controlPlane".to_owned(), control_plane);
    topology.insert("variables".to_owned(), variables::of_cluster(cluster, class)?.into());
    if !workers.is_empty() {
        topology.insert("workers".to_owned(), json!({"machineDeployments": workers}));
    }
    let network = &cluster.cluster_network;
    Ok(Object::new(json!({
        "apiVersion": class.version.core(),
        "kind": "Cluster",
        "metadata": {
            "name": cluster.key.name,
            "namespace": cluster.key.namespace,
            "labels": labels(cluster),
        },
        "spec": {
            "clusterNetwork": {
                "pods": {"cidrBlocks": [network.pods]},
                "services": {"cidrBlocks": [network.services]},
                "serviceDomain": network.domain,
            },
            "topology": topology,
        },
    })))
}

/// The class is in the system's namespace and the cluster in the project's, so that a tenant's namespace holds nothing that
/// other tenants depend on and a new release of the class is one set of objects. Both contracts can say so: v1beta2 in
/// `classRef.namespace`, v1beta1 in `classNamespace` (Cluster API 1.9, which is also the oldest that CAPO 0.12 works with).
fn class_reference(class: &ClassInfo) -> Map<String, Value> {
    let mut topology = Map::new();
    match class.version {
        CoreVersion::V1Beta2 => {
            topology.insert("classRef".to_owned(), json!({"name": class.name, "namespace": class.namespace}));
        }
        CoreVersion::V1Beta1 => {
            topology.insert("class".to_owned(), class.name.clone().into());
            topology.insert("classNamespace".to_owned(), class.namespace.clone().into());
        }
    }
    topology
}

fn deletion(version: CoreVersion) -> Value {
    match version {
        CoreVersion::V1Beta2 => json!({
            "deletion": {
                "nodeDrainTimeoutSeconds": DRAIN_SECONDS,
                "nodeVolumeDetachTimeoutSeconds": DETACH_SECONDS,
            },
        }),
        CoreVersion::V1Beta1 => json!({
            "nodeDrainTimeout": format!("{DRAIN_SECONDS}s"),
            "nodeVolumeDetachTimeout": format!("{DETACH_SECONDS}s"),
        }),
    }
}

/// A class that says itself when a machine has failed is only told whether to look; else we say it.
fn health_check(version: CoreVersion, healing: Option<Healing>, class_says: bool) -> Value {
    let enabled = healing.is_some();
    let ours = healing.filter(|_| !class_says);
    match version {
        CoreVersion::V1Beta2 => {
            let mut check = json!({"enabled": enabled});
            if let Some(healing) = ours {
                let ill = |status: &str| json!({"type": "Ready", "status": status, "timeoutSeconds": healing.not_ready_seconds});
                check["checks"] = json!({
                    "nodeStartupTimeoutSeconds": healing.startup_seconds,
                    "unhealthyNodeConditions": [ill("False"), ill("Unknown")],
                });
                let limit = format!("{}%", healing.at_most_percent);
                check["remediation"] = json!({"triggerIf": {"unhealthyLessThanOrEqualTo": limit}});
            }
            json!({"healthCheck": check})
        }
        CoreVersion::V1Beta1 => {
            let mut check = json!({"enable": enabled});
            if let Some(healing) = ours {
                let ill = |status: &str| json!({"type": "Ready", "status": status, "timeout": format!("{}s", healing.not_ready_seconds)});
                check["nodeStartupTimeout"] = format!("{}s", healing.startup_seconds).into();
                check["unhealthyConditions"] = json!([ill("False"), ill("Unknown")]);
                check["maxUnhealthy"] = format!("{}%", healing.at_most_percent).into();
            }
            json!({"machineHealthCheck": check})
        }
    }
}

/// Labels that Cluster API hands on to the machine deployment or control plane, its machines and their infrastructure.
fn group_labels(cluster: &ResolvedCluster, group: &str) -> Map<String, Value> {
    let mut labels = labels(cluster);
    // Cluster API sets its own.
    labels.remove(crate::names::CLUSTER_NAME_LABEL);
    labels.insert(NODEGROUP_LABEL.to_owned(), group.into());
    labels
}

/// The group's labels and those that Cluster API puts on nodes: it does so for its own domains only, and kubelets may not
/// give themselves a role.
fn worker_labels(cluster: &ResolvedCluster, group: &WorkerGroup) -> Map<String, Value> {
    let mut labels = group_labels(cluster, &group.id.to_string());
    let role = label_value(&group.role);
    if !role.is_empty() {
        labels.insert(format!("node-role.kubernetes.io/{role}"), "".into());
    }
    labels.insert("node.cluster.x-k8s.io/nodegroup".to_owned(), label_value(&group.name).into());
    for (key, value) in &group.node_labels {
        labels.entry(key.clone()).or_insert_with(|| value.clone().into());
    }
    labels
}

/// Lays the fields of one object over another's.
fn lay(onto: &mut Value, fields: Value) {
    if let (Some(onto), Value::Object(fields)) = (onto.as_object_mut(), fields) {
        onto.extend(fields);
    }
}
