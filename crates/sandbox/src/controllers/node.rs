//! Nodes and pods of a workload cluster, as far as somebody looks at them from outside.

use serde_json::{Value, json};

use super::context::{CONTROL_PLANE_LABEL, Context};
use crate::kube::Space;
use crate::kube::object::{at, label, list, name, text};
use crate::kube::seed;
use crate::kube::space::Propagation;
use crate::random;

/// What the node of a machine says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeState {
    Missing,
    Ready,
    NotReady,
}

/// Puts the node of a machine into its cluster, with the pods it runs.
pub(super) fn join(context: &mut Context<'_, '_>, machine: &Value, provider_id: &str, address: &str) {
    let space = context.workload();
    let now = context.now;
    seed::namespaces(&space, context.writer, now);
    let control_plane = !at(machine, &["metadata", "labels", CONTROL_PLANE_LABEL]).is_null();
    let node_name = name(machine);
    let version = text(machine, &["spec", "version"]);
    let stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut labels = json!({
        "kubernetes.io/hostname": node_name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
    });
    if control_plane {
        labels["node-role.kubernetes.io/control-plane"] = json!("");
    }
    for (key, value) in at(machine, &["metadata", "labels"]).as_object().into_iter().flatten() {
        let domain = key.split('/').next().unwrap_or_default();
        let synced = domain == "node-role.kubernetes.io"
            || domain.ends_with("node.cluster.x-k8s.io")
            || domain.ends_with("node-restriction.kubernetes.io");
        if synced {
            labels[key] = value.clone();
        }
    }
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "", "lastHeartbeatTime": stamp, "lastTransitionTime": stamp,
        })
    };
    let taints = if control_plane {
        json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])
    } else {
        json!([])
    };
    let node = json!({
        "metadata": {"name": node_name, "labels": labels, "annotations": {"cluster.x-k8s.io/machine": node_name}},
        "spec": {"providerID": provider_id, "taints": taints},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": node_name}],
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
                condition("Ready", "True", "KubeletReady"),
            ],
            "capacity": {"cpu": "2", "memory": "4Gi", "pods": "110", "ephemeral-storage": "20Gi"},
            "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110", "ephemeral-storage": "20Gi"},
            "nodeInfo": {
                "kubeletVersion": version, "kubeProxyVersion": version, "osImage": "Ubuntu 24.04.3 LTS", "operatingSystem": "linux",
                "architecture": "amd64", "kernelVersion": "6.8.0-63-generic", "containerRuntimeVersion": "containerd://2.1.4",
                "machineID": "", "systemUUID": "", "bootID": "",
            },
        },
    });
    put(context, &space, "Node", node);
    let system = |component: &str| format!("{component}-{node_name}");
    let mut pods: Vec<(String, &str)> = Vec::new();
    if control_plane {
        for component in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
            pods.push((system(component), component));
        }
    }
    let chance = |what: &str| random::suffix(random::mix(context.setup.seed, &[node_name, what]), 5);
    pods.push((format!("kube-proxy-{}", chance("proxy")), "kube-proxy"));
    if control_plane && list_names(context, &space, "Pod").iter().all(|pod| !pod.starts_with("coredns-")) {
        for what in ["first", "second"] {
            pods.push((format!("coredns-{}", chance(what)), "coredns"));
        }
        let settings = json!({"metadata": {"name": "kubeadm-config", "namespace": "kube-system"}, "data": {"ClusterConfiguration": format!("kubernetesVersion: {version}\n")}});
        put(context, &space, "ConfigMap", settings);
        let service = json!({
            "metadata": {"name": "kubernetes", "namespace": "default"},
            "spec": {"type": "ClusterIP", "clusterIP": "10.254.0.1", "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]},
        });
        put(context, &space, "Service", service);
    }
    for (pod_name, component) in pods {
        let pod = json!({
            "metadata": {"name": pod_name, "namespace": "kube-system", "labels": {"component": component, "tier": "control-plane"}},
            "spec": {"nodeName": node_name, "containers": [{"name": component, "image": format!("registry.k8s.io/{component}:{version}")}]},
            "status": {
                "phase": "Running", "podIP": address, "hostIP": address, "startTime": stamp,
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": stamp}],
                "containerStatuses": [{
                    "name": component, "ready": true, "restartCount": 0, "started": true, "image": component, "imageID": "",
                    "state": {"running": {"startedAt": stamp}},
                }],
            },
        });
        put(context, &space, "Pod", pod);
    }
}

/// Takes the node of a machine out of its cluster, with its pods.
pub(super) fn leave(context: &mut Context<'_, '_>, machine: &Value) {
    let space = context.workload();
    let (Some(node), Some(pod)) = (space.kinds().named("Node"), space.kinds().named("Pod")) else { return };
    let now = context.now;
    for (_, found) in context.writer.list_prefix(&space.collection(&pod), "") {
        if found["spec"]["nodeName"] == name(machine) {
            let key = (text(&found, &["metadata", "namespace"]), name(&found));
            let _ = space.delete(context.writer, &pod, key, Propagation::Background, now);
        }
    }
    let _ = space.delete(context.writer, &node, ("", name(machine)), Propagation::Background, now);
}

/// Forgets everything in the workload cluster.
pub(super) fn forget(context: &mut Context<'_, '_>) {
    let space = context.workload();
    for collection in context.writer.collections(space.prefix()) {
        for (id, _) in context.writer.list_prefix(&collection, "") {
            context.writer.remove(&collection, &id);
        }
    }
}

pub(super) fn state(context: &Context<'_, '_>, machine: &Value) -> NodeState {
    let space = context.workload();
    let Some(kind) = space.kinds().named("Node") else { return NodeState::Missing };
    let Some(node) = space.get(context.writer, &kind, "", name(machine)) else { return NodeState::Missing };
    let ready =
        list(&node, &["status", "conditions"]).iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
    if ready { NodeState::Ready } else { NodeState::NotReady }
}

/// Sets the labels that Cluster API syncs to a node, after the machine's changed.
pub(super) fn relabel(context: &mut Context<'_, '_>, machine: &Value) {
    let space = context.workload();
    let Some(kind) = space.kinds().named("Node") else { return };
    let wanted = label(machine, "node.cluster.x-k8s.io/nodegroup").to_owned();
    if !wanted.is_empty() {
        space.change(context.writer, &kind, ("", name(machine)), |node| {
            node["metadata"]["labels"]["node.cluster.x-k8s.io/nodegroup"] = json!(wanted);
        });
    }
}

fn list_names(context: &Context<'_, '_>, space: &Space, kind: &str) -> Vec<String> {
    let Some(kind) = space.kinds().named(kind) else { return Vec::new() };
    context.writer.list_prefix(&space.collection(&kind), "").iter().map(|(_, object)| name(object).to_owned()).collect()
}

fn put(context: &mut Context<'_, '_>, space: &Space, kind: &str, mut object: Value) {
    let Some(kind) = space.kinds().named(kind) else { return };
    object["apiVersion"] = json!(kind.stored_version());
    object["kind"] = json!(kind.kind);
    let now = context.now;
    // A restart may find it there.
    let _ = space.create(context.writer, &kind, object, now);
}
