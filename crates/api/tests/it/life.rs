//! The life of templates, clusters, node groups and certificates, as clients see it.

use http::StatusCode;
use jeroboam_model::Status;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::json;

use crate::bed::{ANN, Bed, ROOT, is};

const SHORT: &str = "uuid name cluster_template_id keypair node_count master_count docker_volume_size labels \
                     master_flavor_id flavor_id create_timeout links cluster_id status health_status merge_labels";
const FULL: &str = "uuid name cluster_template_id keypair node_count master_count docker_volume_size labels \
                    master_flavor_id flavor_id create_timeout links cluster_id status status_reason health_status \
                    health_status_reason discovery_url api_address coe_version container_version project_id user_id \
                    node_addresses master_addresses fixed_network fixed_subnet floating_ip_enabled merge_labels \
                    labels_overridden labels_added labels_skipped master_lb_enabled created_at updated_at";
const TEMPLATE: &str = "uuid name coe image_id flavor_id master_flavor_id dns_nameserver keypair_id \
                        external_network_id fixed_network fixed_subnet network_driver apiserver_port \
                        docker_volume_size cluster_distro links http_proxy https_proxy no_proxy volume_driver \
                        registry_enabled labels tls_disabled public server_type insecure_registry \
                        docker_storage_driver master_lb_enabled floating_ip_enabled project_id user_id hidden tags \
                        driver created_at updated_at";
const GROUP: &str = "id uuid name cluster_id project_id docker_volume_size labels links flavor_id image_id \
                     node_addresses node_count role min_node_count max_node_count is_default stack_id status \
                     status_reason version merge_labels labels_overridden labels_added labels_skipped node_labels \
                     node_taints created_at updated_at";

#[tokio::test]
async fn a_template_is_made_read_changed_and_deleted() {
    let bed = Bed::new().await;
    let body = json!({"name": "t", "coe": "kubernetes", "image_id": "ubuntu", "labels": {"a": true, "n": 1.5}, "public": "False"});
    let made = bed.ann("POST", "/v1/clustertemplates").json(&body).send().await;
    is(&made, StatusCode::CREATED);
    let id = made.value()["uuid"].as_str().expect("an id").to_owned();
    assert_eq!(made.header("location"), format!("http://cloud:9511/v1/clustertemplates/{id}"));
    assert_eq!(made.keys(""), TEMPLATE);
    assert_eq!(made.value()["labels"], json!({"a": "True", "n": "1.5"}));
    assert_eq!(made.value()["cluster_distro"], "ubuntu");
    assert_eq!(made.value()["created_at"], "2026-11-21T12:00:00+00:00");
    let read = bed.ann("GET", "/v1/clustertemplates/t").send().await;
    assert_eq!(read.value(), made.value());
    let patch = json!([
        {"op": "replace", "path": "/name", "value": "u"},
        {"op": "replace", "path": "/labels", "value": "{'b': 'c'}"},
        {"op": "replace", "path": "/floating_ip_enabled", "value": "false"}
    ]);
    let changed = bed.ann("PATCH", &format!("/v1/clustertemplates/{id}")).json(&patch).send().await;
    is(&changed, StatusCode::OK);
    let value = changed.value();
    assert_eq!(
        (&value["name"], &value["labels"], &value["floating_ip_enabled"]),
        (&json!("u"), &json!({"b": "c"}), &json!(false))
    );
    is(&bed.ann("DELETE", "/v1/clustertemplates/u").send().await, StatusCode::NO_CONTENT);
    let gone = bed.ann("GET", &format!("/v1/clustertemplates/{id}")).send().await;
    assert_eq!((gone.status, gone.detail()), (404, format!("ClusterTemplate {id} could not be found.")));
}

#[tokio::test]
async fn a_cluster_is_accepted_shown_resized_and_deleted() {
    let bed = Bed::new().await;
    let template = bed.template().await;
    let body = json!({"name": "one", "cluster_template_id": "plain", "node_count": "2", "labels": {"both": "child", "own": 2}});
    let made = bed.ann("POST", "/v1/clusters").json(&body).send().await;
    is(&made, StatusCode::ACCEPTED);
    assert_eq!(made.keys(""), "uuid");
    let id = made.value()["uuid"].as_str().expect("an id").to_owned();
    // It is there at once.
    let read = bed.ann("GET", "/v1/clusters/one").send().await;
    assert_eq!(read.keys(""), FULL);
    let value = read.value();
    assert_eq!((&value["uuid"], &value["cluster_template_id"]), (&json!(id), &json!(template)));
    assert_eq!((&value["status"], &value["node_count"]), (&json!("CREATE_IN_PROGRESS"), &json!(2)));
    assert_eq!(
        value["links"],
        json!([
            {"href": format!("http://cloud:9511/v1/clusters/{id}"), "rel": "self"},
            {"href": format!("http://cloud:9511/clusters/{id}"), "rel": "bookmark"}
        ])
    );
    assert_eq!(
        (&value["labels_overridden"], &value["labels_added"]),
        (&json!({"both": "parent"}), &json!({"own": "2"}))
    );
    assert_eq!((&value["labels_skipped"], &value["health_status_reason"]), (&json!({"only": "1"}), &json!({})));
    assert_eq!((&value["merge_labels"], &value["created_at"]), (&json!(false), &json!("2026-11-21T12:00:00+00:00")));
    let list = bed.ann("GET", "/v1/clusters").send().await;
    assert_eq!((list.keys("\"clusters\":["), list.keys("")), (SHORT.to_owned(), "clusters".to_owned()));
    assert_eq!(bed.ann("GET", "/v1/clusters/detail").send().await.keys("\"clusters\":["), FULL);

    let resize = format!("/v1/clusters/{id}/actions/resize");
    let early = bed.ann("POST", &resize).json(&json!({"node_count": 3})).send().await;
    assert_eq!(
        (early.status, early.detail().as_str()),
        (400, "Resizing a cluster when status is \"CREATE_IN_PROGRESS\" is not supported.")
    );
    bed.settle(&id, Status::CREATE_COMPLETE, None).await;
    let resized = bed.ann("POST", &resize).json(&json!({"node_count": "3", "nodes_to_remove": null})).send().await;
    assert_eq!((resized.status, resized.text.clone()), (202, format!(r#"{{"uuid":"{id}"}}"#)));
    assert_eq!(bed.ann("GET", "/v1/clusters/one").send().await.value()["status"], "UPDATE_IN_PROGRESS");
    bed.settle(&id, Status::UPDATE_COMPLETE, None).await;
    let patch = json!([{"op": "replace", "path": "/node_count", "value": "4"}]);
    is(&bed.ann("PATCH", "/v1/clusters/one").json(&patch).send().await, StatusCode::ACCEPTED);
    assert_eq!(bed.ann("GET", "/v1/clusters/one").send().await.value()["node_count"], 4);
    let progress = bed.ann("GET", "/v1/jeroboam/clusters/one/progress").send().await;
    assert_eq!(progress.keys(""), "uuid status status_reason progress");

    for _ in 0..2 {
        let deleted = bed.ann("DELETE", "/v1/clusters/one").send().await;
        assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    }
    assert_eq!(bed.ann("GET", "/v1/clusters/one").send().await.value()["status"], "DELETE_IN_PROGRESS");
}

#[tokio::test]
async fn faults_are_shown_of_one_failed_cluster_alone() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    bed.settle(&id, Status::CREATE_FAILED, Some("no valid host")).await;
    let read = bed.ann("GET", "/v1/clusters/one").send().await;
    assert_eq!(read.value()["faults"], json!({"default-master": "no valid host", "default-worker": "no valid host"}));
    assert!(read.keys("").contains("master_addresses faults fixed_network"));
    let list = bed.ann("GET", "/v1/clusters/detail").send().await;
    assert!(list.value()["clusters"][0].get("faults").is_none());
}

#[tokio::test]
async fn node_groups_come_change_and_go() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    let groups = format!("/v1/clusters/{id}/nodegroups");
    let body = json!({"name": "gpu", "node_count": 2, "labels": {"x": 1}, "merge_labels": true,
                      "node_taints": [{"key": "gpu", "effect": "NoSchedule"}], "node_labels": {"tier": "gpu"}});
    let early = bed.ann("POST", &groups).json(&body).send().await;
    assert_eq!((early.status, early.detail().as_str()), (409, "Cluster API address is not available yet"));
    bed.settle(&id, Status::CREATE_COMPLETE, None).await;
    let made = bed.ann("POST", &groups).json(&body).send().await;
    is(&made, StatusCode::ACCEPTED);
    assert_eq!(made.keys(""), GROUP);
    let value = made.value();
    assert_eq!((&value["labels_added"], &value["is_default"]), (&json!({"x": "1"}), &json!(false)));
    assert_eq!(value["node_taints"], json!([{"key": "gpu", "effect": "NoSchedule"}]));
    let group = value["uuid"].as_str().expect("an id").to_owned();
    assert_eq!(value["links"][0]["href"], format!("http://cloud:9511{groups}/{group}"));
    bed.settle(&id, Status::UPDATE_COMPLETE, None).await;
    let patch = json!([{"op": "add", "path": "/max_node_count", "value": 5},
                       {"op": "replace", "path": "/node_labels", "value": "{'tier': 'cpu'}"}]);
    let changed = bed.ann("PATCH", &format!("{groups}/gpu")).json(&patch).send().await;
    is(&changed, StatusCode::ACCEPTED);
    assert_eq!(
        (&changed.value()["max_node_count"], &changed.value()["node_labels"]),
        (&json!(5), &json!({"tier": "cpu"}))
    );
    let number = changed.value()["id"].to_string();
    assert_eq!(bed.ann("GET", &format!("{groups}/{number}")).send().await.value()["uuid"], json!(group));
    let refused = bed.ann("DELETE", &format!("{groups}/default-worker")).send().await;
    assert_eq!((refused.status, refused.detail().as_str()), (400, "Deleting a default nodegroup is not supported."));
    is(&bed.ann("DELETE", &format!("{groups}/gpu")).send().await, StatusCode::NO_CONTENT);
    let missing = bed.ann("GET", &format!("{groups}/nope")).send().await;
    assert_eq!((missing.status, missing.detail().as_str()), (404, "Nodegroup nope could not be found."));
}

#[tokio::test]
async fn certificates_are_shown_and_signed() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    let path = format!("/v1/certificates/{id}");
    let ca = bed.ann("GET", &path).send().await;
    assert_eq!(ca.keys(""), "cluster_uuid links pem");
    let value = ca.value();
    let pem = value["pem"].as_str().expect("text");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("-----END CERTIFICATE-----"));
    assert_eq!(value["links"][1]["href"], format!("http://cloud:9511/certificates/{id}"));
    let other = |kind: &str| bed.ann("GET", &format!("/v1/certificates/one?ca_cert_type={kind}")).send();
    assert_ne!(other("etcd").await.value()["pem"], value["pem"]);
    assert_eq!(other("front-proxy").await.value()["pem"], other("front_proxy").await.value()["pem"]);
    assert_eq!(other("whatever").await.value()["pem"], value["pem"]);

    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "admin");
    let key = KeyPair::generate().expect("a key");
    let csr = params.serialize_request(&key).and_then(|csr| csr.pem()).expect("a request");
    let body = json!({"cluster_uuid": "one", "csr": csr});
    let signed = bed.ann("POST", "/v1/certificates").json(&body).send().await;
    is(&signed, StatusCode::CREATED);
    assert_eq!(signed.keys(""), "cluster_uuid links csr pem");
    let rows = [
        (
            json!({"csr": "x"}),
            "Invalid input for field/attribute cluster_uuid. Value: 'None'. Mandatory field missing.",
        ),
        (
            json!({"cluster_uuid": "one"}),
            "Invalid input for field/attribute csr. Value: 'None'. Mandatory field missing.",
        ),
        (json!({"cluster_uuid": "nope", "csr": "x"}), "Cluster nope could not be found."),
        (json!({"cluster_uuid": "one", "csr": "bad"}), "Received invalid csr"),
        (json!({"bay_uuid": "one", "csr": "x"}), "Unknown attribute for argument certificate: bay_uuid"),
    ];
    for (body, expected) in rows {
        let refused = bed.ann("POST", "/v1/certificates").json(&body).send().await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
        assert!(refused.detail().starts_with(expected), "{body}: {}", refused.detail());
    }
}

#[tokio::test]
async fn two_of_a_name_are_told_apart_by_id_alone() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    bed.ann("POST", "/v1/clusters").json(&json!({"name": "one", "cluster_template_id": "plain"})).send().await;
    let many = bed.ann("GET", "/v1/clusters/one").send().await;
    assert_eq!(many.status, 409);
    assert_eq!(many.detail(), "Multiple clusters exist with same name. Please use the cluster uuid instead.");
    is(&bed.ann("GET", &format!("/v1/clusters/{}", id.replace('-', "").to_uppercase())).send().await, StatusCode::OK);
    // Another project's cluster of the same name is no rival.
    is(&bed.ask("GET", "/v1/clusters/one").token("bob/red/member").send().await, StatusCode::NOT_FOUND);
    is(&bed.ask("GET", "/v1/clusters").token(ROOT).send().await, StatusCode::OK);
    is(&bed.ask("GET", "/v1/clusters").token(ANN).send().await, StatusCode::OK);
}
