//! Which version knows what: one row for each gate, asked for just before it and from it on.

use http::StatusCode;
use jeroboam_model::Status;
use serde_json::{Value, json};

use crate::bed::{ANN, Bed, is};

/// A request whose answer depends on the version.
struct Gate {
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
    /// The version, and status and detail (its beginning) from this one on.
    answers: &'static [(u16, u16, &'static str)],
}

const UNSAID: &str = "";
const ZERO: &str = "Resizing a nodegroup to zero is not supported in the provided microversion.";

fn gates() -> Vec<Gate> {
    let gate = |method, path, body, answers| Gate { method, path, body, answers };
    vec![
        // 1.3: the argument of PATCH.
        gate(
            "PATCH",
            "/v1/clusters/one?rollback=True",
            Some(json!([])),
            &[(1, 400, "Unknown argument: \"rollback\""), (3, 202, UNSAID)],
        ),
        gate("PATCH", "/v1/clusters/one", Some(json!([])), &[(1, 202, UNSAID)]),
        // Documented from 1.4, 1.5 and 1.6 on, and there in every version.
        gate("GET", "/v1/stats", None, &[(1, 200, UNSAID)]),
        gate("GET", "/v1/certificates/one", None, &[(1, 200, UNSAID)]),
        gate(
            "PATCH",
            "/v1/certificates/one",
            None,
            &[(1, 400, "'rotate_ca_certificate' is not supported by this driver.")],
        ),
        gate("GET", "/v1/quotas/blue/Cluster", None, &[(1, 200, UNSAID)]),
        // 1.7 and 1.8: actions.
        gate(
            "POST",
            "/v1/clusters/one/actions/resize",
            Some(json!({"node_count": -1})),
            &[(1, 406, UNSAID), (7, 400, "Invalid input")],
        ),
        gate(
            "POST",
            "/v1/clusters/one/actions/upgrade",
            Some(json!({"cluster_template": "nope"})),
            &[
                (1, 406, UNSAID),
                (7, 400, "Cluster upgrade is not supported in the provided microversion."),
                (8, 404, UNSAID),
            ],
        ),
        // 1.9: node groups.
        gate("GET", "/v1/clusters/one/nodegroups", None, &[(1, 406, UNSAID), (9, 200, UNSAID)]),
        gate("GET", "/v1/clusters/one/nodegroups/default-worker", None, &[(1, 406, UNSAID), (9, 200, UNSAID)]),
        gate("POST", "/v1/clusters/one/nodegroups", Some(json!({})), &[(1, 406, UNSAID), (9, 400, "Invalid input")]),
        gate(
            "PATCH",
            "/v1/clusters/one/nodegroups/default-worker",
            Some(json!([])),
            &[(1, 406, UNSAID), (9, 202, UNSAID)],
        ),
        gate(
            "DELETE",
            "/v1/clusters/one/nodegroups/default-worker",
            None,
            &[(1, 406, UNSAID), (9, 400, "Deleting a default")],
        ),
        // 1.10: no nodes, and templates that are not there.
        gate(
            "POST",
            "/v1/clusters",
            Some(json!({"cluster_template_id": "nope"})),
            &[(1, 400, "ClusterTemplate nope"), (10, 404, "ClusterTemplate nope")],
        ),
        gate(
            "POST",
            "/v1/clusters",
            Some(json!({"cluster_template_id": "plain", "node_count": 0, "flavor_id": "nope"})),
            &[(1, 400, ZERO), (10, 400, "Unable to find flavor nope.")],
        ),
        gate(
            "POST",
            "/v1/clusters/one/actions/resize",
            Some(json!({"node_count": 0, "nodegroup": "big"})),
            &[(1, 406, UNSAID), (7, 400, ZERO), (10, 404, "Nodegroup big")],
        ),
        // 1.11: gone in every version.
        gate("GET", "/v1/bays", None, &[(1, 404, UNSAID)]),
        gate("GET", "/v1/baymodels", None, &[(1, 404, UNSAID)]),
        // 1.12: credentials.
        gate(
            "PATCH",
            "/v1/credentials/one",
            None,
            &[(1, 406, UNSAID), (12, 400, "Credential rotation is not supported by driver.")],
        ),
        // There in every version.
        gate("GET", "/v1/clusters/detail", None, &[(1, 200, UNSAID)]),
        gate("GET", "/v1/clustertemplates/detail", None, &[(1, 200, UNSAID)]),
        gate("GET", "/v1/federations", None, &[(1, 200, UNSAID)]),
        gate("GET", "/v1/mservices", None, &[(1, 403, UNSAID)]),
    ]
}

#[tokio::test]
async fn every_version_knows_what_it_should() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    bed.settle(&id, Status::CREATE_COMPLETE, None).await;
    for gate in gates() {
        for minor in 1..=14_u16 {
            let answer = gate.answers.iter().rev().find(|(from, ..)| *from <= minor);
            let &(_, status, detail) = answer.expect("an answer from the first version on");
            let mut asking = bed.ask(gate.method, gate.path).token(ANN).version(&format!("1.{minor}"));
            if let Some(body) = &gate.body {
                asking = asking.json(body);
            }
            let answer = asking.send().await;
            let what = format!("{} {} {:?} at 1.{minor}: {}", gate.method, gate.path, gate.body, answer.text);
            assert_eq!(answer.status, status, "{what}");
            assert_eq!(
                answer.header("openstack-api-version"),
                format!("container-infrastructure-management 1.{minor}"),
                "{what}"
            );
            if status >= 400 {
                assert!(answer.detail().starts_with(detail), "{what}");
            }
            if status == 406 {
                assert_eq!(
                    (answer.detail().as_str(), &answer.value()["errors"][0]["code"]),
                    ("", &json!("")),
                    "{what}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_name_of_the_orchestration_id_belongs_to_versions() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    for minor in 1..=14_u16 {
        let of = |path: String| bed.ask("GET", &path).token(ANN).version(&format!("1.{minor}")).send();
        let cluster = of(format!("/v1/clusters/{id}")).await.value();
        let listed = of("/v1/clusters".to_owned()).await.value()["clusters"][0].clone();
        let detailed = of("/v1/clusters/detail".to_owned()).await.value()["clusters"][0].clone();
        for view in [cluster, listed, detailed] {
            let names = (view.get("stack_id").is_some(), view.get("cluster_id").is_some());
            assert_eq!(names, (minor < 13, minor >= 13), "1.{minor}");
        }
        if minor >= 9 {
            let group = of(format!("/v1/clusters/{id}/nodegroups/default-worker")).await;
            is(&group, StatusCode::OK);
            // Magnum: a group keeps the old name at 1.13, and its labels and taints are no matter of 1.14.
            let group = group.value();
            assert!(group.get("stack_id").is_some() && group["cluster_id"] == id.as_str(), "1.{minor}");
            assert!(group.get("node_labels").is_some() && group.get("node_taints").is_some(), "1.{minor}");
        }
    }
}
