//! Who is let in, and what the others are told.

use std::time::Duration;

use serde_json::json;

use crate::bed::{ANN, BOB, Bed, EVE, ROOT};

#[tokio::test]
async fn a_token_that_does_not_do_is_a_401_in_keystones_words() {
    let bed = Bed::new().await;
    let rows = [None, Some("nonsense"), Some(""), Some("expired/blue/member"), Some("tok\u{e9}n")];
    for token in rows {
        let mut asking = bed.ask("GET", "/v1/clusters");
        if let Some(token) = token {
            asking = asking.header("X-Auth-Token", token);
        }
        let answer = asking.send().await;
        assert_eq!(answer.status, 401, "{token:?}");
        assert_eq!(
            answer.text,
            r#"{"error":{"code":401,"title":"Unauthorized","message":"The request you have made requires authentication."}}"#
        );
        assert_eq!(answer.header("www-authenticate"), "Keystone uri=\"http://keystone.example/\"");
        assert_eq!(answer.header("openstack-api-version"), "");
        assert!(answer.header("x-openstack-request-id").starts_with("req-"));
    }
    // Nobody learns what is routed.
    assert_eq!(bed.ask("GET", "/v1/nope").send().await.status, 401);
    assert_eq!(bed.ask("PUT", "/v1/clusters").send().await.status, 401);
}

#[tokio::test]
async fn keystone_away_is_no_reason_to_send_people_away() {
    let bed = Bed::new().await;
    bed.cloud.things().failing = Some("/v3/auth/tokens");
    let answer = bed.ann("GET", "/v1/clusters").send().await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("content-type").starts_with("text/html"));
    assert!(answer.text.contains("The Keystone service is temporarily unavailable."), "{}", answer.text);
    bed.cloud.things().failing = None;
    assert_eq!(bed.ann("GET", "/v1/clusters").send().await.status, 200);
    // From now on the token is known, and Keystone may rest.
    bed.cloud.things().failing = Some("/v3/auth/tokens");
    let before = bed.cloud.things().asked.len();
    assert_eq!(bed.ann("GET", "/v1/clusters").send().await.status, 200);
    assert_eq!(bed.cloud.things().asked.len(), before, "a GET with a known token asks nobody");
}

#[tokio::test]
async fn a_keystone_that_never_answers_takes_no_longer_than_a_request_may() {
    let bed = Bed::with(|config| config.request_timeout = Duration::from_secs(1)).await;
    bed.cloud.things().hanging = Some("/v3/auth/tokens");
    let asking = bed.ann("GET", "/v1/clusters").send();
    let answer = tokio::time::timeout(Duration::from_secs(10), asking).await.expect("an answer");
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("The Keystone service is temporarily unavailable."), "{}", answer.text);
    // Who waited in vain keeps nobody else from asking again.
    bed.cloud.things().hanging = None;
    assert_eq!(bed.ann("GET", "/v1/clusters").send().await.status, 200);
}

#[tokio::test]
async fn access_rules_bind_an_application_credential() {
    let bed = Bed::new().await;
    let rules = "rules/blue/member,reader";
    assert_eq!(bed.ask("GET", "/v1/clusters").token(rules).send().await.status, 200);
    assert_eq!(bed.ask("GET", "/clusters/").token(rules).send().await.status, 200);
    assert_eq!(bed.ask("GET", "/v1/clustertemplates").token(rules).send().await.status, 401);
    assert_eq!(bed.ask("POST", "/v1/clusters").token(rules).send().await.status, 401);
}

#[tokio::test]
async fn others_find_nothing_and_readers_change_nothing() {
    let bed = Bed::new().await;
    let id = bed.cluster("one").await;
    let path = format!("/v1/clusters/{id}");
    let (template, groups) = (bed.ann("GET", &path).send().await.value(), format!("{path}/nodegroups"));
    let template = format!("/v1/clustertemplates/{}", template["cluster_template_id"].as_str().expect("an id"));
    let certificate = format!("/v1/certificates/{id}");
    let progress = format!("/v1/jeroboam/clusters/{id}/progress");
    for path in [&path, &template, &groups, &certificate, &progress] {
        let of = |token: &str| bed.ask("GET", path).token(token).version("latest").send();
        assert_eq!(of(BOB).await.status, 404, "{path}");
        assert_eq!(of(ANN).await.status, 200, "{path}");
        assert_eq!(of(ROOT).await.status, 200, "{path}");
    }
    let patch = json!([{"op": "replace", "path": "/node_count", "value": 2}]);
    let patched = |token: &'static str| bed.ask("PATCH", &path).token(token).version("latest").json(&patch).send();
    assert_eq!(patched(BOB).await.status, 404);
    let refused = patched(EVE).await;
    assert_eq!(
        (refused.status, refused.detail().as_str()),
        (403, "Policy doesn't allow cluster:update to be performed.")
    );
    let listed = bed.ask("GET", "/v1/clusters").token(BOB).send().await;
    assert_eq!(listed.text, r#"{"clusters":[]}"#);
    let listed = bed.ask("GET", "/v1/clusters").token(ROOT).send().await;
    assert_eq!(listed.value()["clusters"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn services_are_for_administrators() {
    let bed = Bed::new().await;
    let now = "2026-11-21T12:00:00Z".parse().expect("time");
    bed.store.heartbeat("host", "magnum-conductor", now).await.expect("a heartbeat");
    let refused = bed.ann("GET", "/v1/mservices").send().await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.detail(), "Policy doesn't allow magnum-service:get_all to be performed.");
    let listed = bed.ask("GET", "/v1/mservices").token(ROOT).send().await;
    let services = listed.value()["mservices"].clone();
    assert_eq!((services[0]["binary"].as_str(), services[0]["state"].as_str()), (Some("magnum-conductor"), Some("up")));
    assert_eq!(
        listed.keys("\"mservices\":["),
        "host binary state id report_count disabled disabled_reason created_at updated_at"
    );
}
