//! Nothing that a client sends is a 500.

use serde_json::{Value, json};

use crate::bed::{Bed, EVE};

/// Every place that takes a body.
fn places(id: &str) -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("POST", "/v1/clusters".to_owned(), "cluster"),
        ("PATCH", format!("/v1/clusters/{id}"), "patch"),
        ("POST", format!("/v1/clusters/{id}/actions/resize"), "cluster_resize_req"),
        ("POST", format!("/v1/clusters/{id}/actions/upgrade"), "cluster_upgrade_req"),
        ("POST", format!("/v1/clusters/{id}/nodegroups"), "nodegroup"),
        ("PATCH", format!("/v1/clusters/{id}/nodegroups/default-worker"), "patch"),
        ("POST", "/v1/clustertemplates".to_owned(), "cluster_template"),
        ("PATCH", "/v1/clustertemplates/plain".to_owned(), "patch"),
        ("POST", "/v1/certificates".to_owned(), "certificate"),
        ("POST", "/v1/quotas".to_owned(), "quota"),
        ("PATCH", "/v1/quotas/blue/Cluster".to_owned(), "quotapatch"),
        ("POST", "/v1/federations".to_owned(), "federation"),
        ("PATCH", "/v1/federations/x".to_owned(), "patch"),
    ]
}

#[tokio::test]
async fn bodies_that_are_no_objects_of_ours_are_refused_everywhere() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    let huge = format!("{{\"name\": \"{}\"}}", "x".repeat(10 * 1024 * 1024));
    for (method, path, argument) in places(&id) {
        let rows: [(&[u8], u16, String); 6] = [
            (b"", 400, format!("Missing argument: \"{argument}\"")),
            (b"null", 400, format!("Missing argument: \"{argument}\"")),
            (b"{\"a\":", 400, "Request is not in valid JSON format".to_owned()),
            (b"\xff", 400, "Request is not in valid JSON format".to_owned()),
            (b"\"text\"", 400, format!("Invalid input for field/attribute {argument}. Value: 'text'. Value ")),
            (huge.as_bytes(), 413, "Request is too large.".to_owned()),
        ];
        for (body, status, detail) in rows {
            let answer = bed.ann(method, &path).body("application/json", body).send().await;
            let start = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
            assert_eq!(answer.status, status, "{method} {path} {start}: {}", answer.text);
            assert!(answer.detail().starts_with(&detail), "{method} {path} {start}: {}", answer.detail());
        }
        let wrong = if argument == "patch" { json!({"op": "add"}) } else { json!([]) };
        let answer = bed.ann(method, &path).json(&wrong).send().await;
        assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text);
        let answer = bed.ann(method, &format!("{path}?foo=1")).json(&json!({})).send().await;
        assert_eq!((answer.status, answer.detail().as_str()), (400, "Unknown argument: \"foo\""), "{method} {path}");
    }
}

#[tokio::test]
async fn values_of_every_wrong_type_are_refused_and_never_crash() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    let attributes = [
        "cluster_template_id",
        "cluster_template",
        "name",
        "keypair",
        "node_count",
        "master_count",
        "labels",
        "merge_labels",
        "flavor_id",
        "create_timeout",
        "floating_ip_enabled",
        "docker_volume_size",
        "coe",
        "image_id",
        "public",
        "apiserver_port",
        "server_type",
        "tags",
        "uuid",
        "nodegroup",
        "nodes_to_remove",
        "max_batch_size",
        "min_node_count",
        "max_node_count",
        "role",
        "node_labels",
        "node_taints",
        "cluster_uuid",
        "csr",
        "links",
    ];
    let values = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!(1.5),
        json!(""),
        json!("maybe"),
        json!("\u{0}"),
        json!("😀"),
        json!([]),
        json!([[]]),
        json!([null]),
        json!({}),
        json!({"a": null}),
        json!({"a": {"b": []}}),
        json!(true),
        json!("x".repeat(70_000)),
        json!(u64::MAX),
    ];
    for (method, path, argument) in places(&id) {
        for attribute in attributes {
            for value in &values {
                let body: Value = if argument == "patch" {
                    json!([{"op": "replace", "path": format!("/{attribute}"), "value": value}])
                } else {
                    json!({"coe": "kubernetes", "image_id": "nope", "cluster_template_id": "nope", attribute: value})
                };
                let answer = bed.ann(method, &path).json(&body).send().await;
                assert!(answer.status < 500, "{method} {path} {body}: {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn odd_names_are_looked_for_and_not_found_wherever_a_name_may_stand() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    bed.settle(&id, jeroboam_model::Status::CREATE_COMPLETE, None).await;
    let long = "x".repeat(10_000);
    let odd =
        ["i-1/members", "i-1%2Fmembers", "/", "..", "%", "%zz", "a?b", "#", " ", "a b", "ü", "🦀", "'", "\\", &long];
    for name in odd {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let paths = [
            format!("/v1/clusters/{encoded}"),
            format!("/v1/clustertemplates/{encoded}"),
            format!("/v1/clusters/{id}/nodegroups/{encoded}"),
            format!("/v1/certificates/{encoded}"),
        ];
        for path in paths {
            let answer = bed.ann("GET", &path).send().await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        }
        let template = json!({"coe": "kubernetes", "image_id": "ubuntu"});
        let cluster = json!({"cluster_template_id": "plain"});
        let rows = [
            ("/v1/clustertemplates", &template, "image_id"),
            ("/v1/clustertemplates", &template, "flavor_id"),
            ("/v1/clustertemplates", &template, "external_network_id"),
            ("/v1/clustertemplates", &template, "fixed_network"),
            ("/v1/clusters", &cluster, "keypair"),
            ("/v1/clusters", &cluster, "flavor_id"),
            ("/v1/clusters", &cluster, "cluster_template_id"),
        ];
        for (path, base, attribute) in rows {
            let mut body = base.clone();
            body[attribute] = json!(name);
            let answer = bed.ann("POST", path).json(&body).send().await;
            let start: String = name.chars().take(30).collect();
            assert!((400..=404).contains(&answer.status), "{attribute} {start:?}: {} {}", answer.status, answer.text);
        }
    }
}

#[tokio::test]
async fn what_crashes_magnum_is_refused_in_a_sentence() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    bed.settle(&id, jeroboam_model::Status::CREATE_COMPLETE, None).await;
    let template = json!({"coe": "kubernetes", "image_id": "ubuntu"});
    let with = |base: &Value, name: &str, value: Value| {
        let mut body = base.clone();
        body[name] = value;
        body
    };
    let cluster = json!({"cluster_template_id": "plain"});
    let groups = format!("/v1/clusters/{id}/nodegroups");
    let upgrade = format!("/v1/clusters/{id}/actions/upgrade");
    let rows = [
        ("POST", "/v1/clustertemplates", with(&template, "labels", json!(null)), 400),
        ("POST", "/v1/clustertemplates", with(&template, "labels", json!({"a": null})), 400),
        ("POST", "/v1/clustertemplates", with(&template, "labels", json!({"boot_volume_size": "big"})), 400),
        ("POST", "/v1/clustertemplates", with(&template, "image_id", json!("nope")), 400),
        ("POST", "/v1/clusters", with(&cluster, "labels", json!({"boot_volume_size": "big"})), 400),
        ("POST", "/v1/clusters", with(&cluster, "floating_ip_enabled", json!("maybe")), 400),
        ("POST", "/v1/clusters", with(&cluster, "master_count", json!(null)), 400),
        ("POST", "/v1/clusters", with(&cluster, "master_count", json!(0)), 400),
        ("POST", "/v1/clusters", with(&cluster, "master_count", json!(2)), 400),
        ("POST", "/v1/clusters", with(&cluster, "flavor_id", json!("nope")), 400),
        ("POST", "/v1/clusters", with(&cluster, "keypair", json!("nope")), 404),
        ("POST", "/v1/clusters", with(&cluster, "name", json!("1a")), 400),
        ("POST", groups.as_str(), json!({"node_count": 1}), 400),
        ("POST", groups.as_str(), json!({"name": "a", "node_taints": [{"effect": "NoSchedule"}]}), 409),
        ("POST", upgrade.as_str(), json!({"max_batch_size": 1}), 400),
        ("POST", upgrade.as_str(), json!({"cluster_template": "nope"}), 404),
    ];
    for (method, path, body, status) in rows {
        let answer = bed.ann(method, path).json(&body).send().await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text);
        assert!(!answer.detail().is_empty());
    }
}

#[tokio::test]
async fn a_patch_is_read_before_its_object_is_looked_for() {
    let bed = Bed::new().await;
    let nobody = "/v1/clusters/11111111-1111-1111-1111-111111111111";
    let bad = bed.ann("PATCH", nobody).json(&json!({"op": "add"})).send().await;
    assert_eq!(bad.status, 400);
    let name = json!([{"op": "replace", "path": "/name", "value": "x"}]);
    assert_eq!(bed.ann("PATCH", nobody).json(&name).send().await.status, 404);
    let id = bed.cluster("one").await;
    bed.settle(&id, jeroboam_model::Status::CREATE_COMPLETE, None).await;
    let refused = bed.ann("PATCH", "/v1/clusters/one").json(&name).send().await;
    assert_eq!((refused.status, refused.detail().as_str()), (400, "cannot change cluster property(ies) name."));
    assert_eq!(bed.ask("PATCH", "/v1/clusters/one").token(EVE).json(&json!([])).send().await.status, 403);
}
