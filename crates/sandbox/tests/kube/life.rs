//! The life of a cluster.

use jeroboam_sandbox::{SandboxConfig, ServedVersions};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::bed::{Bed, CORE, JSON_PATCH, MERGE, cluster, condition, config, is};

pub(crate) const CLUSTER: &str = "/apis/cluster.x-k8s.io/v1beta2/namespaces/n/clusters/c";
pub(crate) const MACHINES: &str = "/apis/cluster.x-k8s.io/v1beta2/namespaces/n/machines";

pub(crate) fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_cluster_is_made_resized_upgraded_healed_and_leaves_nothing() {
    let bed = Bed::start().await;
    bed.class("n").await;
    bed.until("the class", &format!("{CORE}/namespaces/n/clusterclasses/plain"), |class| {
        is(class, "VariablesReady", "True")
    })
    .await;
    let before = bed.sandbox.state().snapshot();
    let mut wanted = cluster("c", 3, 2);
    let check = json!({
        "enabled": true,
        "checks": {"nodeStartupTimeoutSeconds": 6000, "unhealthyNodeConditions": [{"type": "Ready", "status": "False", "timeoutSeconds": 20}]},
    });
    wanted["spec"]["topology"]["workers"]["machineDeployments"][0]["healthCheck"] = check;
    let (status, _) = bed.post(&format!("{CORE}/namespaces/n/clusters"), &wanted).await;
    assert_eq!(status, StatusCode::CREATED);
    let made = bed.until_complete(CLUSTER).await;
    assert_eq!(made["status"]["phase"], "Provisioned");
    assert_eq!(made["spec"]["controlPlaneEndpoint"]["host"], "127.0.0.1");
    assert_eq!(names(&bed.get(MACHINES).await.1).len(), 5);
    let state = bed.sandbox.state();
    assert_eq!((state.count("server"), state.count("loadbalancer")), (5, 1));
    let flavors: Vec<String> = state
        .list("server")
        .iter()
        .map(|(_, server)| server["flavor"]["original_name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(flavors, ["m1.small"; 5]);

    // A named machine goes first, and only it.
    let (_, all) = bed.get(&format!("{MACHINES}?labelSelector=topology.cluster.x-k8s.io%2Fdeployment-name%3Dw")).await;
    let workers = names(&all);
    let (gone, stays) = (&workers[1], &workers[0]);
    let mark = json!({"metadata": {"annotations": {"cluster.x-k8s.io/delete-machine": "true"}}});
    bed.patch(&format!("{MACHINES}/{gone}"), MERGE, &mark).await;
    let replicas = |number: u32| json!([{"op": "replace", "path": "/spec/topology/workers/machineDeployments/0/replicas", "value": number}]);
    bed.patch(CLUSTER, JSON_PATCH, &replicas(1)).await;
    bed.until_complete(CLUSTER).await;
    let left = names(&bed.get(MACHINES).await.1);
    assert!(left.contains(stays) && !left.contains(gone), "{left:?}");

    // Another group comes and goes.
    let group = json!([{"op": "add", "path": "/spec/topology/workers/machineDeployments/1", "value": {"class": "workers", "name": "g", "replicas": 2}}]);
    bed.patch(CLUSTER, JSON_PATCH, &group).await;
    bed.until_complete(CLUSTER).await;
    assert_eq!(names(&bed.get(MACHINES).await.1).len(), 6);
    bed.patch(CLUSTER, JSON_PATCH, &json!([{"op": "remove", "path": "/spec/topology/workers/machineDeployments/1"}]))
        .await;
    bed.until_complete(CLUSTER).await;
    bed.until("the group's machines to go", MACHINES, |list| names(list).len() == 4).await;

    // One minor up: the control plane first, every machine new.
    let old = names(&bed.get(MACHINES).await.1);
    bed.patch(CLUSTER, MERGE, &json!({"spec": {"topology": {"version": "v1.34.2"}}})).await;
    bed.until("the upgrade to be taken up", CLUSTER, |seen| {
        condition(seen, "TopologyReconciled")["reason"] == "ClusterUpgrading"
    })
    .await;
    bed.until_complete(CLUSTER).await;
    let (_, machines) = bed.get(MACHINES).await;
    assert!(names(&machines).iter().all(|name| !old.contains(name)));
    assert!(machines["items"].as_array().unwrap().iter().all(|machine| machine["spec"]["version"] == "v1.34.2"));

    // A node that stays NotReady is replaced.
    let (_, all) = bed.get(&format!("{MACHINES}?labelSelector=topology.cluster.x-k8s.io%2Fdeployment-name%3Dw")).await;
    let ill = names(&all).remove(0);
    bed.sandbox.state().update("workload/n/c/nodes", &ill, |node| {
        node["status"]["conditions"] = json!([{"type": "Ready", "status": "False", "reason": "KubeletDown"}]);
    });
    bed.until("the machine to be replaced", &format!("{MACHINES}/{ill}"), Value::is_null).await;
    bed.until_complete(CLUSTER).await;

    bed.delete(CLUSTER).await;
    bed.until("the cluster to go", CLUSTER, Value::is_null).await;
    bed.until("its secrets to go", "/api/v1/namespaces/n/secrets", |list| names(list).is_empty()).await;
    let templates = "/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/n/openstackmachinetemplates";
    bed.until("its templates to go", templates, |list| names(list).is_empty()).await;
    let checks = format!("{CORE}/namespaces/n/machinehealthchecks");
    bed.until("its health checks to go", &checks, |list| names(list).is_empty()).await;
    assert_eq!(bed.sandbox.state().snapshot(), before);
}

#[tokio::test]
async fn an_unknown_class_and_an_even_control_plane_say_so_and_nothing_more() {
    let bed = Bed::start().await;
    bed.class("n").await;
    let mut unknown = cluster("c", 1, 1);
    unknown["spec"]["topology"]["classRef"]["name"] = json!("missing");
    let all = format!("{CORE}/namespaces/n/clusters");
    let response = bed.request(reqwest::Method::POST, &all).json(&unknown).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert!(response.headers()["warning"].to_str().unwrap().contains("does not exist"));
    let seen = bed.until("the refusal", CLUSTER, |seen| is(seen, "TopologyReconciled", "False")).await;
    assert_eq!(condition(&seen, "TopologyReconciled")["reason"], "ReconcileFailed");
    assert_eq!(seen["status"]["conditions"].as_array().unwrap().len(), 1);
    assert_eq!(seen["status"]["phase"], Value::Null);

    bed.post(&all, &cluster("even", 2, 1)).await;
    let seen = bed
        .until("the refusal", &format!("{all}/even"), |seen| {
            condition(seen, "TopologyReconciled")["reason"] == "ReconcileFailed"
                && seen["status"]["phase"] == "Provisioning"
        })
        .await;
    assert!(condition(&seen, "TopologyReconciled")["message"].as_str().unwrap().contains("even number"));
}

#[tokio::test]
async fn the_old_contract_sees_the_same_cluster() {
    let bed = Bed::with(SandboxConfig { served: ServedVersions::OnlyV1Beta1, ..config() }).await;
    bed.namespace("n").await;
    let old = "/apis/cluster.x-k8s.io/v1beta1/namespaces/n";
    assert_eq!(bed.get(CLUSTER).await.0, StatusCode::NOT_FOUND);
    let class = json!({
        "metadata": {"name": "plain"},
        "spec": {
            "workers": {"machineDeployments": [{"class": "workers", "template": {"bootstrap": {"ref": {"name": "b"}}, "infrastructure": {"ref": {"name": "i"}}}}]},
            "variables": [{"name": "flavor", "required": true, "schema": {"openAPIV3Schema": {"type": "string"}}}],
        },
    });
    let (status, body) = bed.post(&format!("{old}/clusterclasses"), &class).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let mut wanted = cluster("c", 1, 1);
    wanted["apiVersion"] = json!("cluster.x-k8s.io/v1beta1");
    let topology = wanted["spec"]["topology"].as_object_mut().unwrap();
    topology.remove("classRef");
    topology.insert("class".into(), json!("plain"));
    let (status, made) = bed.post(&format!("{old}/clusters"), &wanted).await;
    assert_eq!((status, &made["spec"]["topology"]["class"]), (StatusCode::CREATED, &json!("plain")));
    let seen =
        bed.until("the cluster to be ready", &format!("{old}/clusters/c"), |seen| is(seen, "Ready", "True")).await;
    assert_eq!(
        (&seen["status"]["infrastructureReady"], &seen["status"]["controlPlaneReady"]),
        (&json!(true), &json!(true))
    );
    assert!(seen["status"]["v1beta2"]["conditions"].is_array());
    let (_, machines) = bed.get(&format!("{old}/machines")).await;
    assert_eq!(
        machines["items"][0]["spec"]["infrastructureRef"]["apiVersion"],
        "infrastructure.cluster.x-k8s.io/v1beta1"
    );
}
