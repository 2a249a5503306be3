//! Logging in, logging in again, trying again, giving up.

use std::time::Duration;

use jeroboam_openstack::{Interface, Kind, ServiceType};
use serde_json::json;

use crate::fake::{Fake, Reply, clock, login, not_found, token_body};

fn flavor() -> Reply {
    Reply::Json(200, json!({"flavor": {"id": "1", "name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20}}))
}

const FLAVOR: &str = "GET /compute/v2.1/flavors/1";

#[tokio::test]
async fn one_login_serves_many_requests_at_once() {
    let cloud = Fake::cloud(|_| flavor()).await;
    let session = cloud.session();
    let compute = session.compute();
    let (a, b, c) = tokio::join!(compute.flavor("1"), compute.flavor("1"), compute.flavor("1"));
    assert_eq!([a.unwrap().name, b.unwrap().name, c.unwrap().name], ["m1.small"; 3]);
    assert_eq!(cloud.count("POST /v3/auth/tokens"), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let refused = Reply::Json as fn(u16, serde_json::Value) -> Reply;
    let cloud = Fake::cloud(move |seen| match seen.header("x-auth-token") {
        "token-0" => refused(401, json!({"error": {"message": "expired"}})),
        _ => flavor(),
    })
    .await;
    assert_eq!(cloud.session().compute().flavor("1").await.unwrap().id, "1");
    assert_eq!((cloud.count("POST /v3/auth/tokens"), cloud.count(FLAVOR)), (2, 2));

    let never = Fake::cloud(move |_| refused(401, json!({"error": {"message": "no"}}))).await;
    let error = never.session().compute().flavor("1").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert_eq!((never.count("POST /v3/auth/tokens"), never.count(FLAVOR)), (2, 2));
}

#[tokio::test]
async fn a_lent_token_is_never_replaced() {
    let cloud = Fake::start(|seen| match seen.path.as_str() {
        "/v3/auth/tokens" => Reply::Json(200, token_body(&seen.url)),
        _ => Reply::Json(401, json!({})),
    })
    .await;
    let lent = cloud.session().for_token("theirs".into(), None);
    let error = lent.compute().flavor("1").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert_eq!(
        (cloud.count("POST /v3/auth/tokens"), cloud.count("GET /v3/auth/tokens"), cloud.count(FLAVOR)),
        (0, 1, 1)
    );
    assert!(cloud.seen().iter().all(|seen| seen.header("x-auth-token") == "theirs"));
}

#[tokio::test]
async fn passing_trouble_is_waited_out_only_where_repeating_is_harmless() {
    for (status, method, wanted) in
        [(429, "GET", 3), (503, "GET", 3), (503, "DELETE", 3), (503, "POST", 1), (500, "GET", 1)]
    {
        let cloud = Fake::cloud(move |seen| match seen.nth {
            0 | 1 => Reply::Headers(status, vec![("retry-after", "0".into())], json!({})),
            _ => Reply::Json(200, json!({})),
        })
        .await;
        let session = cloud.session();
        let outcome = session.request(ServiceType::Compute, method.parse().unwrap(), &["servers"]).send().await;
        assert_eq!(cloud.count(&format!("{method} /compute/v2.1/servers")), wanted, "{method} {status}");
        assert_eq!(outcome.is_ok(), wanted == 3, "{method} {status}");
    }
}

#[tokio::test]
async fn trouble_that_stays_is_reported_as_unavailable() {
    let cloud = Fake::cloud(|_| Reply::Json(503, json!({"message": "down for the night"}))).await;
    let error = cloud.session().compute().flavor("1").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(error.to_string(), "compute answered 503 to GET /flavors/1: down for the night");
    assert_eq!(cloud.count(FLAVOR), 4);
}

#[tokio::test]
async fn a_broken_answer_is_asked_for_again() {
    let cloud = Fake::cloud(|seen| if seen.nth == 0 { Reply::Half } else { flavor() }).await;
    assert_eq!(cloud.session().compute().flavor("1").await.unwrap().vcpus, 1);
    assert_eq!(cloud.count(FLAVOR), 2);
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout_and_is_not_asked_for_again() {
    let cloud = Fake::cloud(|_| Reply::Slow).await;
    let session = cloud.session_with(|config| config.transport.timeout = Duration::from_millis(200));
    let error = session.compute().flavor("1").await.unwrap_err();
    assert_eq!((error.kind(), cloud.count(FLAVOR)), (Kind::Timeout, 1));
    assert_eq!(error.to_string(), "compute did not answer in time");
}

#[tokio::test]
async fn an_answer_without_end_is_refused() {
    let cloud = Fake::cloud(|_| Reply::Huge(1 << 20)).await;
    let session = cloud.session_with(|config| config.transport.max_body = 100_000);
    let error = session.compute().flavor("1").await.unwrap_err();
    assert_eq!(error.to_string(), "compute gave an answer that can not be read: it is longer than 100000 bytes");
}

#[tokio::test]
async fn wrong_credentials_are_told_apart_from_an_absent_keystone() {
    let cloud = Fake::start(|_| {
        Reply::Json(401, json!({"error": {"message": "The request you have made requires authentication."}}))
    })
    .await;
    let error = cloud.session().authenticate().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert_eq!(
        error.to_string(),
        "identity refused the credentials: The request you have made requires authentication."
    );

    let nobody = cloud.session_with(|config| config.auth_url = "http://127.0.0.1:1/identity".into());
    let error = nobody.authenticate().await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Unavailable, "identity can not be reached"));
}

#[tokio::test]
async fn a_schema_error_of_keystone_is_not_passed_on() {
    let echo = json!({"error": {"message": "Invalid input for field 'password': 'hunter2' is too funny"}});
    let cloud = Fake::start(move |_| Reply::Json(400, echo.clone())).await;
    let error = cloud.session().authenticate().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_token_near_its_end_is_replaced_before_it_is_used() {
    let cloud = Fake::cloud(|_| flavor()).await;
    let moving = std::sync::Arc::new(crate::fake::manual_clock());
    let mut config = jeroboam_openstack::SessionConfig::new(cloud.url(), crate::fake::password());
    config.region = Some("RegionOne".into());
    let session = jeroboam_openstack::Session::new(config, moving.clone()).unwrap();
    session.compute().flavor("1").await.unwrap();
    moving.advance(Duration::from_secs(3550));
    session.compute().flavor("1").await.unwrap();
    assert_eq!(cloud.count("POST /v3/auth/tokens"), 2);
}

#[tokio::test]
async fn what_the_catalogue_lacks_is_named() {
    let cloud = Fake::cloud(|_| not_found()).await;
    let session = cloud.session().with_region(Some("west".into())).with_interface(Interface::Internal);
    let error = session.endpoint(ServiceType::Compute).await.unwrap_err();
    assert_eq!(error.to_string(), "the catalogue has no internal endpoint of compute in region west");
    assert_eq!(session.endpoint(ServiceType::Identity).await.unwrap().as_str(), format!("{}/v3", cloud.url()));
}

#[tokio::test]
async fn a_redirect_elsewhere_does_not_carry_the_token_along() {
    let thief = Fake::start(|_| flavor()).await;
    let away = format!("{}/v2.1/flavors/1", thief.url());
    let cloud = Fake::cloud(move |_| Reply::Headers(302, vec![("location", away.clone())], json!({}))).await;
    assert_eq!(cloud.session().compute().flavor("1").await.unwrap_err().kind(), Kind::Bad);
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn the_login_itself_is_repeated_when_keystone_is_busy() {
    let cloud = Fake::start(|seen| if seen.nth == 0 { Reply::Json(429, json!({})) } else { login(seen) }).await;
    let token = cloud.session().token().await.unwrap();
    assert_eq!(token.info.roles, ["member", "reader"]);
    assert!(!token.info.expired(clock().now()));
    assert_eq!(cloud.seen()[1].body["auth"]["scope"]["project"]["name"], "demo");
}
