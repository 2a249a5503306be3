//! The feature that Magnum never finished, and rotations that no driver knows.

use http::StatusCode;
use jeroboam_model::Status;
use serde_json::{Value, json};

use crate::bed::{ANN, BOB, Bed, EVE, ROOT, is};

#[tokio::test]
async fn there_are_no_federations() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    for path in ["/v1/federations", "/v1/federations/", "/v1/federations/detail", "/v1/federations?limit=1"] {
        assert_eq!(bed.ann("GET", path).send().await.text, r#"{"federations":[]}"#, "{path}");
    }
    let zone = json!({"dns-zone": "example.com."});
    let move_op = json!([{"op": "move", "path": "/a"}]);
    let dead = "Federations can not be made, changed or deleted: Magnum never finished them.";
    let rows: [(&str, &str, Option<Value>, u16, &str); 12] = [
        ("GET", "/v1/federations/x", None, 404, "Federation x could not be found."),
        ("DELETE", "/v1/federations/x", None, 404, "Federation x could not be found."),
        ("PATCH", "/v1/federations/x", Some(json!([])), 404, "Federation x could not be found."),
        ("PATCH", "/v1/federations/x", Some(move_op), 400, "Invalid input for field/attribute op."),
        ("PATCH", "/v1/federations/x", None, 400, "Missing argument: \"patch\""),
        ("POST", "/v1/federations", Some(json!({})), 400, "No hostcluster specified."),
        ("POST", "/v1/federations", Some(json!({"hostcluster_id": "nope"})), 404, "Cluster nope could not be found."),
        ("POST", "/v1/federations", Some(json!({"hostcluster_id": "one"})), 400, "Please specify a `properties` dict"),
        (
            "POST",
            "/v1/federations",
            Some(json!({"hostcluster_id": id, "properties": {}})),
            400,
            "No DNS zone specified.",
        ),
        ("POST", "/v1/federations", Some(json!({"hostcluster_id": id, "properties": zone})), 400, dead),
        ("POST", "/v1/federations", Some(json!({"name": "1"})), 400, "Invalid input for field/attribute name."),
        ("POST", "/v1/federations", Some(json!({"project_id": "x"})), 400, "Unknown attribute for argument federation"),
    ];
    for (method, path, body, status, detail) in rows {
        let mut asking = bed.ann(method, path);
        if let Some(body) = &body {
            asking = asking.json(body);
        }
        let answer = asking.send().await;
        assert_eq!(answer.status, status, "{method} {path} {body:?}: {}", answer.text);
        assert!(answer.detail().starts_with(detail), "{method} {path} {body:?}: {}", answer.text);
    }
    let refused = bed.ask("POST", "/v1/federations").token(EVE).json(&json!({})).send().await;
    assert_eq!(
        (refused.status, refused.detail().as_str()),
        (403, "Policy doesn't allow federation:create to be performed.")
    );
}

#[tokio::test]
async fn what_can_not_be_rotated_is_refused_before_anything_changes() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    let (ca, credential) = (format!("/v1/certificates/{id}"), format!("/v1/credentials/{id}"));
    let tries = [
        (&ca, "Updating a cluster", "'rotate_ca_certificate' is not supported by this driver."),
        (&credential, "Rotating the credential of a cluster", "Credential rotation is not supported by driver."),
    ];
    for (path, doing, unable) in tries {
        let early = bed.ann("PATCH", path).send().await;
        let expected = format!("{doing} when status is \"CREATE_IN_PROGRESS\" is not supported.");
        assert_eq!((early.status, early.detail()), (400, expected));
        bed.settle(&id, Status::CREATE_COMPLETE, None).await;
        let before = bed.ann("GET", &format!("/v1/clusters/{id}")).send().await.value();
        let refused = bed.ann("PATCH", path).body("application/octet-stream", b"").send().await;
        assert_eq!((refused.status, refused.detail().as_str()), (400, unable));
        assert_eq!(bed.ann("GET", &format!("/v1/clusters/{id}")).send().await.value(), before);
        is(&bed.ask("PATCH", path).token(BOB).version("latest").send().await, StatusCode::NOT_FOUND);
        bed.settle(&id, Status::CREATE_IN_PROGRESS, None).await;
    }
    // The rule about credentials has no word for administrators: what is not their project's they do not see.
    let admin = "ann/red/admin,member";
    is(&bed.ask("PATCH", &credential).token(admin).version("latest").send().await, StatusCode::NOT_FOUND);
    let reader = bed.ask("PATCH", &credential).token(EVE).version("latest").send().await;
    assert_eq!(
        (reader.status, reader.detail().as_str()),
        (403, "Policy doesn't allow credential:rotate to be performed.")
    );
    for token in [ANN, ROOT] {
        let unknown = bed.ask("PATCH", "/v1/credentials/nope").token(token).version("latest").send().await;
        assert!([404, 403].contains(&unknown.status), "{}", unknown.text);
    }
}
