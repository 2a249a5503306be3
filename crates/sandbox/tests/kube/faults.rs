//! Faults that are asked for.

use jeroboam_sandbox::{Fault, FaultRule};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::bed::{Bed, CORE, cluster, condition, is};
use crate::life::{CLUSTER, MACHINES, names};

#[tokio::test]
async fn the_api_refuses_as_often_as_it_is_told_to() {
    let bed = Bed::start().await;
    let rule = json!({"fault": "api", "status": 429, "retry_after_seconds": 7, "verb": "list", "resource": "configmaps", "times": 1});
    let (status, made) = bed.post("/_sandbox/faults", &rule).await;
    assert_eq!(status, StatusCode::CREATED);
    let response = bed.request(reqwest::Method::GET, "/api/v1/configmaps").send().await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"7".parse().unwrap())
    );
    assert_eq!(bed.get("/api/v1/configmaps").await.0, StatusCode::OK);
    let (_, all) = bed.get("/_sandbox/faults").await;
    assert_eq!((&all["faults"][0]["hits"], &all["faults"][0]["seen"]), (&json!(1), &json!(2)));
    let one = format!("/_sandbox/faults/{}", made["id"].as_str().unwrap());
    assert_eq!(bed.delete(&one).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bed.delete(&one).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_lost_answer_is_lost_after_the_deed() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    bed.sandbox.faults.add(&FaultRule::always(Fault::LostAnswer).times(1));
    let path = "/api/v1/namespaces/n/configmaps";
    let sent = bed.request(reqwest::Method::POST, path).json(&json!({"metadata": {"name": "a"}})).send().await;
    let lost = match sent {
        Err(_) => true,
        Ok(response) => response.bytes().await.is_err(),
    };
    assert!(lost);
    assert_eq!(bed.get(&format!("{path}/a")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_watch_can_end_or_be_gone() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let path = "/api/v1/namespaces/n/configmaps?watch=true&resourceVersion=";
    let version = bed.sandbox.state().revision();
    bed.sandbox.faults.add(&FaultRule::always(Fault::WatchClosed).times(1));
    bed.sandbox.faults.add(&FaultRule::always(Fault::WatchGone).times(1));
    let (status, body) = bed.get(&format!("{path}{version}")).await;
    assert_eq!((status, body), (StatusCode::OK, json!("")));
    assert_eq!(bed.get(&format!("{path}{version}")).await.0, StatusCode::GONE);
}

async fn make(bed: &Bed) {
    bed.class("n").await;
    let (status, body) = bed.post(&format!("{CORE}/namespaces/n/clusters"), &cluster("c", 1, 1)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
}

async fn gone(bed: &Bed) {
    bed.delete(CLUSTER).await;
    bed.until("the cluster to go", CLUSTER, Value::is_null).await;
    assert_eq!(bed.sandbox.state().count("server"), 0);
}

#[tokio::test]
async fn a_server_in_error_shows_its_fault_up_to_the_machine() {
    let bed = Bed::start().await;
    let message = "No valid host was found";
    bed.sandbox.faults.add(&FaultRule::always(Fault::ServerError { message: message.into() }).named("c-w-"));
    make(&bed).await;
    let machines = bed
        .until("the failure", MACHINES, |list| {
            list["items"].as_array().is_some_and(|all| {
                all.iter().any(|one| {
                    condition(one, "InfrastructureReady")["message"].as_str().unwrap_or("").contains(message)
                })
            })
        })
        .await;
    let failed = names(&machines).into_iter().find(|name| name.starts_with("c-w-")).unwrap();
    let path = format!("/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/n/openstackmachines/{failed}");
    let (_, object) = bed.get(&path).await;
    assert!(object["status"]["failureMessage"].as_str().unwrap().contains(message));
    assert_eq!(condition(&object, "InstanceReady")["severity"], "Error");
    gone(&bed).await;
}

#[tokio::test]
async fn a_quota_and_a_balancer_heal_when_they_may() {
    let bed = Bed::start().await;
    bed.sandbox.faults.add(&FaultRule::always(Fault::LoadBalancerError).times(1));
    bed.sandbox.faults.add(&FaultRule::always(Fault::QuotaExceeded).named("c-w-").times(2));
    make(&bed).await;
    let infrastructure = "/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/n/openstackclusters";
    bed.until("the broken balancer or its repair", infrastructure, |list| {
        let first = &list["items"][0];
        condition(first, "APIEndpointReady")["reason"] == "LoadBalancerFailed" || first["status"]["ready"] == true
    })
    .await;
    bed.until_complete(CLUSTER).await;
    assert!(bed.sandbox.faults.list().iter().all(|rule| rule["hits"] == rule["rule"]["times"]));
    gone(&bed).await;
}

#[tokio::test]
async fn a_machine_that_never_starts_is_replaced_by_its_health_check() {
    let bed = Bed::start().await;
    bed.sandbox.faults.add(&FaultRule::always(Fault::NeverStarts).named("c-w-").times(1));
    bed.class("n").await;
    let mut wanted = cluster("c", 1, 1);
    wanted["spec"]["topology"]["workers"]["machineDeployments"][0]["healthCheck"] =
        json!({"enabled": true, "checks": {"nodeStartupTimeoutSeconds": 100}});
    bed.post(&format!("{CORE}/namespaces/n/clusters"), &wanted).await;
    let seen = bed.until_complete(CLUSTER).await;
    assert!(is(&seen, "Remediating", "False"));
    assert_eq!(bed.sandbox.faults.list()[0]["hits"], 1);
    gone(&bed).await;
}
