//! Server-side apply over HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::bed::{APPLY, Bed, CORE, JSON_PATCH, MERGE, cluster};

#[tokio::test]
async fn a_cluster_is_applied_again_without_what_was_dropped() {
    let bed = Bed::start().await;
    bed.class("n").await;
    let one = format!("{CORE}/namespaces/n/clusters/c");
    let apply = format!("{one}?fieldManager=product");
    let mut body = cluster("c", 1, 1);
    let second = json!({"class": "workers", "name": "x", "replicas": 0});
    body["spec"]["topology"]["workers"]["machineDeployments"].as_array_mut().unwrap().push(second);
    let (status, made) = bed.patch(&apply, APPLY, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    bed.until("the references", &one, |seen| seen["spec"]["controlPlaneRef"].is_object()).await;
    body["spec"]["topology"]["workers"]["machineDeployments"].as_array_mut().unwrap().pop();
    let (status, applied) = bed.patch(&apply, APPLY, &body).await;
    assert_eq!(status, StatusCode::OK);
    let names: Vec<&Value> = applied["spec"]["topology"]["workers"]["machineDeployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, [&json!("w")]);
    assert!(applied["spec"]["controlPlaneRef"].is_object(), "what controllers wrote stays");
    assert_eq!(applied["spec"]["topology"]["variables"].as_array().unwrap().len(), 2, "and so do defaults");
}

#[tokio::test]
async fn applying_the_same_again_changes_nothing() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let apply = "/api/v1/namespaces/n/configmaps/c?fieldManager=product";
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}});
    let (_, first) = bed.patch(apply, APPLY, &body).await;
    let (_, second) = bed.patch(apply, APPLY, &body).await;
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_field_of_somebody_else_is_a_conflict_unless_forced() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let one = "/api/v1/namespaces/n/configmaps/c";
    let apply = format!("{one}?fieldManager=product");
    let body =
        |value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": value}});
    bed.patch(&apply, APPLY, &body("1")).await;
    bed.patch(&format!("{one}?fieldManager=human"), MERGE, &json!({"data": {"a": "2"}})).await;
    let (status, refused) = bed.patch(&apply, APPLY, &body("1")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(refused["details"]["causes"][0]["field"], ".data.a");
    assert!(refused["message"].as_str().unwrap().contains("human"));
    let (status, forced) = bed.patch(&format!("{apply}&force=true"), APPLY, &body("1")).await;
    assert_eq!((status, &forced["data"]["a"]), (StatusCode::OK, &json!("1")));
}

#[tokio::test]
async fn apply_needs_a_manager_and_reads_yaml() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let one = "/api/v1/namespaces/n/configmaps/c";
    let (status, _) = bed.patch(one, APPLY, &json!({"apiVersion": "v1", "kind": "ConfigMap"})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  a: 'yes'\n";
    let request = bed.request(reqwest::Method::PATCH, &format!("{one}?fieldManager=m")).header("content-type", APPLY);
    let response = request.body(yaml).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let (status, _) = bed.patch(one, JSON_PATCH, &json!([{"op": "replace", "path": "/data/a", "value": "no"}])).await;
    assert_eq!(status, StatusCode::OK);
}
