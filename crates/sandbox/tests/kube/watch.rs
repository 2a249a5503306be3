//! Watches.

use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::bed::{Bed, MERGE};

/// The first so many events of a watch.
async fn events(bed: &Bed, path: &str, count: usize) -> Vec<Value> {
    let response = bed.request(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = response.bytes_stream();
    let mut text = Vec::new();
    let mut found = Vec::new();
    while found.len() < count {
        let Some(chunk) = stream.next().await else { break };
        text.extend_from_slice(&chunk.unwrap());
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            found.push(serde_json::from_slice(&line).unwrap());
        }
    }
    found
}

fn brief(events: &[Value]) -> Vec<String> {
    let name = |event: &Value| event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    events.iter().map(|event| format!("{} {}", event["type"].as_str().unwrap(), name(event))).collect()
}

const ALL: &str = "/api/v1/namespaces/n/configmaps";

#[tokio::test]
async fn a_watch_begins_with_what_there_is_or_where_a_list_ended() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    bed.post(ALL, &json!({"metadata": {"name": "a"}})).await;
    let (_, list) = bed.get(ALL).await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    bed.post(ALL, &json!({"metadata": {"name": "b"}})).await;
    bed.patch(&format!("{ALL}/a"), MERGE, &json!({"data": {"x": "1"}})).await;
    bed.delete(&format!("{ALL}/b")).await;
    let seen = events(&bed, &format!("{ALL}?watch=true&resourceVersion={version}"), 3).await;
    assert_eq!(brief(&seen), ["ADDED b", "MODIFIED a", "DELETED b"]);
    let versions: Vec<u64> = seen
        .iter()
        .map(|event| event["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(versions.is_sorted(), "{versions:?}");
    let fresh = events(&bed, &format!("{ALL}?watch=true"), 1).await;
    assert_eq!(brief(&fresh), ["ADDED a"]);
    let streamed = events(&bed, &format!("{ALL}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true"), 2).await;
    assert_eq!(streamed[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn a_selector_turns_changes_into_comings_and_goings() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let (_, list) = bed.get(ALL).await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    bed.post(ALL, &json!({"metadata": {"name": "a"}})).await;
    bed.patch(&format!("{ALL}/a"), MERGE, &json!({"metadata": {"labels": {"x": "1"}}})).await;
    bed.patch(&format!("{ALL}/a"), MERGE, &json!({"metadata": {"labels": {"x": "2"}}})).await;
    let seen = events(&bed, &format!("{ALL}?watch=true&labelSelector=x%3D1&resourceVersion={version}"), 2).await;
    assert_eq!(brief(&seen), ["ADDED a", "DELETED a"]);
}

#[tokio::test]
async fn a_forgotten_or_unknown_version_is_gone() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let (_, list) = bed.get(ALL).await;
    let version: u64 = list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    bed.post(ALL, &json!({"metadata": {"name": "a"}})).await;
    bed.sandbox.state().forget_history();
    for wrong in [version, version + 1_000] {
        let (status, body) = bed.get(&format!("{ALL}?watch=true&resourceVersion={wrong}")).await;
        assert_eq!((status, &body["type"]), (StatusCode::OK, &json!("ERROR")));
        assert_eq!((&body["object"]["code"], &body["object"]["reason"]), (&json!(410), &json!("Expired")));
    }
}

#[tokio::test]
async fn a_watch_ends_in_time_with_a_bookmark() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let seen = events(&bed, &format!("{ALL}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true"), 9).await;
    assert_eq!(seen.len(), 1);
    assert_eq!((&seen[0]["type"], &seen[0]["object"]["kind"]), (&json!("BOOKMARK"), &json!("ConfigMap")));
}
