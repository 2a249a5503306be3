//! Objects: made, read, changed, deleted, listed; and what is refused.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::bed::{Bed, CORE, JSON_PATCH, MERGE, cluster};

#[tokio::test]
async fn an_object_lives_with_versions_and_conflicts() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let all = "/api/v1/namespaces/n/secrets";
    let (status, made) = bed.post(all, &json!({"metadata": {"name": "s"}, "stringData": {"a": "b"}})).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(
        (&made["data"]["a"], &made["type"], &made["stringData"]),
        (&json!("Yg=="), &json!("Opaque"), &Value::Null)
    );
    assert_eq!(made["apiVersion"], "v1");
    let (status, body) = bed.post(all, &json!({"metadata": {"name": "s"}})).await;
    assert_eq!((status, &body["reason"]), (StatusCode::CONFLICT, &json!("AlreadyExists")));

    let one = "/api/v1/namespaces/n/secrets/s";
    let (_, changed) = bed.patch(one, MERGE, &json!({"metadata": {"labels": {"x": "1"}}})).await;
    assert_eq!(changed["metadata"]["uid"], made["metadata"]["uid"]);
    assert_ne!(changed["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let (status, body) = bed.put(one, &made).await;
    assert_eq!((status, &body["reason"]), (StatusCode::CONFLICT, &json!("Conflict")));
    let (_, again) = bed.patch(one, MERGE, &json!({"metadata": {"labels": {"x": "1"}}})).await;
    assert_eq!(again["metadata"]["resourceVersion"], changed["metadata"]["resourceVersion"], "nothing changed");
    let (status, _) =
        bed.patch(one, JSON_PATCH, &json!([{"op": "test", "path": "/metadata/labels/x", "value": "2"}])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (_, dry) = bed.patch(&format!("{one}?dryRun=All"), MERGE, &json!({"metadata": {"labels": {"x": "9"}}})).await;
    assert_eq!(dry["metadata"]["labels"]["x"], "9");
    assert_eq!(bed.get(one).await.1["metadata"]["labels"]["x"], "1");

    assert_eq!(bed.delete(one).await.0, StatusCode::OK);
    let (status, body) = bed.get(one).await;
    assert_eq!((status, &body["reason"]), (StatusCode::NOT_FOUND, &json!("NotFound")));
}

#[tokio::test]
async fn lists_are_selected_and_paged() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    for (name, label) in [("a", "1"), ("b", "2"), ("c", "1")] {
        let object = json!({"metadata": {"name": name, "labels": {"x": label}}});
        bed.post("/api/v1/namespaces/n/configmaps", &object).await;
    }
    let names = |list: &Value| -> Vec<String> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let path = "/api/v1/namespaces/n/configmaps";
    for (query, expected) in [
        ("labelSelector=x%3D1", vec!["a", "c"]),
        ("labelSelector=x%20in%20(2%2C3)", vec!["b"]),
        ("fieldSelector=metadata.name%3Dc", vec!["c"]),
    ] {
        assert_eq!(names(&bed.get(&format!("{path}?{query}")).await.1), expected, "{query}");
    }
    let (_, first) = bed.get(&format!("{path}?limit=2")).await;
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["a".into(), "b".into()], &json!(1)));
    let token = first["metadata"]["continue"].as_str().unwrap();
    assert_eq!(names(&bed.get(&format!("{path}?limit=2&continue={token}")).await.1), ["c"]);
    assert_eq!(names(&bed.get("/api/v1/configmaps").await.1).len(), 3);
    bed.delete(&format!("{path}?labelSelector=x%3D1")).await;
    assert_eq!(names(&bed.get(path).await.1), ["b"]);
}

#[tokio::test]
async fn finalizers_hold_and_owners_take_along() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let all = "/api/v1/namespaces/n/configmaps";
    let (_, owner) = bed.post(all, &json!({"metadata": {"name": "owner", "finalizers": ["x/hold"]}})).await;
    let reference =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}]);
    bed.post(all, &json!({"metadata": {"name": "owned", "ownerReferences": reference}})).await;
    let one = format!("{all}/owner");
    bed.delete(&one).await;
    let (_, held) = bed.get(&one).await;
    assert!(held["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(bed.get(&format!("{all}/owned")).await.0, StatusCode::OK);
    bed.patch(&one, MERGE, &json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(bed.get(&one).await.0, StatusCode::NOT_FOUND);
    bed.until("the owned to go", &format!("{all}/owned"), Value::is_null).await;
}

#[tokio::test]
async fn a_namespace_takes_its_content_along() {
    let bed = Bed::start().await;
    let before = bed.sandbox.state().snapshot();
    bed.namespace("n").await;
    bed.post("/api/v1/namespaces/n/configmaps", &json!({"metadata": {"name": "a"}})).await;
    bed.delete("/api/v1/namespaces/n").await;
    bed.until("the namespace to go", "/api/v1/namespaces/n", Value::is_null).await;
    assert_eq!(bed.sandbox.state().snapshot(), before);
    let (status, _) = bed.post("/api/v1/namespaces/n/configmaps", &json!({"metadata": {"name": "a"}})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn generation_counts_the_specification_alone() {
    let bed = Bed::start().await;
    bed.namespace("n").await;
    let all = "/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/n/openstackmachinetemplates";
    let object =
        json!({"metadata": {"name": "t"}, "spec": {"template": {"spec": {"flavor": "a"}}}, "status": {"capacity": {}}});
    let (_, made) = bed.post(all, &object).await;
    assert_eq!((&made["metadata"]["generation"], &made["status"]), (&json!(1), &Value::Null));
    let one = format!("{all}/t");
    let (_, labelled) = bed.patch(&one, MERGE, &json!({"metadata": {"labels": {"a": "b"}}, "status": {"x": 1}})).await;
    assert_eq!((&labelled["metadata"]["generation"], &labelled["status"]), (&json!(1), &Value::Null));
    let (_, status) = bed.patch(&format!("{one}/status"), MERGE, &json!({"spec": null, "status": {"x": 1}})).await;
    assert_eq!((&status["spec"]["template"]["spec"]["flavor"], &status["status"]["x"]), (&json!("a"), &json!(1)));
    let (code, refused) = bed.patch(&one, MERGE, &json!({"spec": {"template": {"spec": {"flavor": "b"}}}})).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY, "templates are immutable: {refused}");
}

#[tokio::test]
async fn bad_requests_get_the_status_they_deserve() {
    let bed = Bed::start().await;
    bed.class("n").await;
    let clusters = format!("{CORE}/namespaces/n/clusters");
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut body = cluster("c", 1, 1);
        change(&mut body);
        body
    };
    for (what, body, status, text) in [
        ("type", wrong(&|c| c["spec"]["topology"]["variables"][0]["value"] = json!(3)), 422, "must be of type string"),
        (
            "range",
            wrong(&|c| c["spec"]["topology"]["variables"][0] = json!({"name": "size", "value": 0})),
            422,
            "greater than",
        ),
        ("missing", wrong(&|c| c["spec"]["topology"]["variables"] = json!([])), 422, "required variable"),
        ("unknown", wrong(&|c| c["spec"]["topology"]["variables"][0]["name"] = json!("x")), 422, "not defined"),
        (
            "class",
            wrong(&|c| c["spec"]["topology"]["workers"]["machineDeployments"][0]["class"] = json!("x")),
            422,
            "does not exist",
        ),
        ("version", wrong(&|c| c["spec"]["topology"]["version"] = json!(1.33)), 400, "topology.version"),
        ("name", wrong(&|c| c["metadata"]["name"] = json!("Upper_case")), 422, "RFC 1123"),
        ("kind", wrong(&|c| c["kind"] = json!("Machine")), 400, "kind"),
        ("namespace", wrong(&|c| c["metadata"]["namespace"] = json!("other")), 400, "namespace"),
    ] {
        let (code, answer) = bed.post(&clusters, &body).await;
        assert_eq!(code.as_u16(), status, "{what}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(text), "{what}: {answer}");
    }
    for (method, path, status) in [
        (Method::GET, "/apis/nowhere.io/v1/things", 404),
        (Method::GET, "/api/v1/namespaces/n/unknowns", 404),
        (Method::POST, "/api/v1/namespaces/n/configmaps/x", 405),
        (Method::POST, "/api/v1/configmaps", 405),
    ] {
        let response = bed.request(method, path).json(&json!({})).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
    assert_eq!(bed.anonymous("/api/v1/namespaces").await, StatusCode::UNAUTHORIZED);
    assert_eq!(bed.anonymous("/version").await, StatusCode::OK);
}

#[tokio::test]
async fn versions_may_only_rise_one_minor_at_a_time() {
    let bed = Bed::start().await;
    bed.class("n").await;
    let all = format!("{CORE}/namespaces/n/clusters");
    let (status, made) = bed.post(&all, &cluster("c", 1, 0)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(made["spec"]["topology"]["variables"][1], json!({"name": "size", "value": 3}), "defaults are filled in");
    for version in ["v1.35.0", "v1.32.9", "v1.33.4", "v2.0.0"] {
        let body = json!({"spec": {"topology": {"version": version}}});
        let (status, answer) = bed.patch(&format!("{all}/c"), MERGE, &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{version}");
        assert_eq!(answer["details"]["causes"][0]["field"], "spec.topology.version");
    }
}

#[tokio::test]
async fn discovery_has_both_forms() {
    let bed = Bed::start().await;
    let (_, groups) = bed.get("/apis").await;
    let core = groups["groups"].as_array().unwrap().iter().find(|one| one["name"] == "cluster.x-k8s.io").unwrap();
    assert_eq!(core["preferredVersion"]["version"], "v1beta2");
    let (_, resources) = bed.get("/apis/infrastructure.cluster.x-k8s.io/v1beta1").await;
    assert!(resources["resources"].as_array().unwrap().iter().any(|one| one["name"] == "openstackclusters/status"));
    let form = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let response = bed.request(Method::GET, "/apis").header("accept", form).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], form);
    let (status, _) = bed.get("/openapi/v3/apis/cluster.x-k8s.io/v1beta2").await;
    assert_eq!(status, StatusCode::OK);
    let (_, version) = bed.get("/version").await;
    assert_eq!(version["minor"], "34");
}
