//! Tokens of those who call us.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jeroboam_model::ManualClock;
use jeroboam_openstack::{Presented, ServiceType, TokenError, TokenValidator, ValidatorConfig};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::fake::{Fake, Reply, Seen, manual_clock, token_body};

const CHECK: &str = "GET /v3/auth/tokens";

/// Keystone with the tokens `good`, `service`, `old`, `ruled`; `odd` makes it stumble.
fn keystone(seen: &Seen) -> Reply {
    let mut body = token_body(&seen.url);
    let token = &mut body["token"];
    match seen.header("x-subject-token") {
        "good" => {}
        "service" => token["roles"] = json!([{"id": "s", "name": "service"}]),
        "old" if seen.query.contains("allow_expired=1") => token["expires_at"] = json!("2025-12-31T00:00:00.000000Z"),
        "ruled" => {
            token["application_credential"] = json!({"id": "a", "name": "a", "restricted": true, "access_rules": [
                {"id": "1", "service": "container-infra", "method": "GET", "path": "/v1/clusters/*"}]});
        }
        "odd" => return Reply::Json(500, json!({})),
        _ => return Reply::Json(404, json!({"error": {"code": 404, "message": "Could not find token"}})),
    }
    Reply::Json(200, body)
}

async fn validator(config: ValidatorConfig) -> (Fake, TokenValidator, Arc<ManualClock>) {
    let cloud = Fake::cloud(keystone).await;
    let clock = Arc::new(manual_clock());
    let validator = TokenValidator::new(cloud.session(), config, clock.clone());
    (cloud, validator, clock)
}

async fn check(validator: &TokenValidator, token: Option<&str>, service: Option<&str>) -> Result<String, TokenError> {
    check_path(validator, token, service, &Method::GET, "/v1/clusters").await
}

async fn check_path(
    validator: &TokenValidator,
    token: Option<&str>,
    service: Option<&str>,
    method: &Method,
    path: &str,
) -> Result<String, TokenError> {
    let (token, service) = (token.map(SecretString::from), service.map(SecretString::from));
    let shown = Presented { token: token.as_ref(), service_token: service.as_ref(), method, path };
    let validated = validator.validate(&shown).await?;
    Ok(validated.user.user.to_string())
}

fn word(outcome: &Result<String, TokenError>) -> &'static str {
    match outcome {
        Ok(_) => "in",
        Err(TokenError::Missing) => "missing",
        Err(TokenError::Invalid(_)) => "invalid",
        Err(TokenError::Unavailable(_)) => "unavailable",
    }
}

#[tokio::test]
async fn each_token_gets_its_own_answer() {
    let (_cloud, validator, _) = validator(ValidatorConfig::default()).await;
    for (token, service, wanted) in [
        (None, None, "missing"),
        (Some("good"), None, "in"),
        (Some("forged"), None, "invalid"),
        (Some("for\nged"), None, "invalid"),
        (Some(""), None, "invalid"),
        (Some("odd"), None, "unavailable"),
        (Some("old"), None, "invalid"),
        (Some("old"), Some("service"), "in"),
        (Some("good"), Some("forged"), "invalid"),
        (Some("good"), Some("odd"), "unavailable"),
        (Some("good"), Some("good"), "in"),
        (Some("old"), Some("good"), "invalid"),
        (Some("old"), None, "invalid"),
    ] {
        let outcome = check(&validator, token, service).await;
        assert_eq!(word(&outcome), wanted, "{token:?} {service:?}");
    }
}

#[tokio::test]
async fn a_service_token_needs_its_role_where_that_is_required() {
    let config = ValidatorConfig { service_token_roles_required: true, ..ValidatorConfig::default() };
    let (_cloud, validator, _) = validator(config).await;
    assert_eq!(word(&check(&validator, Some("good"), Some("good")).await), "invalid");
    assert_eq!(word(&check(&validator, Some("good"), Some("service")).await), "in");
}

#[tokio::test]
async fn a_token_is_asked_about_once_while_it_is_remembered() {
    let (cloud, validator, clock) = validator(ValidatorConfig::default()).await;
    let all = futures::future::join_all((0..20).map(|_| check(&validator, Some("good"), None))).await;
    assert!(all.iter().all(Result::is_ok));
    check(&validator, Some("forged"), None).await.unwrap_err();
    check(&validator, Some("forged"), None).await.unwrap_err();
    assert_eq!(cloud.count(CHECK), 2);
    let asked = &cloud.seen()[1];
    assert_eq!(asked.header("openstack-identity-access-rules"), "1.0");
    assert_eq!(asked.header("x-auth-token"), "token-0", "the service asks, not the caller");

    clock.advance(Duration::from_secs(3600));
    assert_eq!(word(&check(&validator, Some("good"), None).await), "invalid", "it has ended in the cache");
}

#[tokio::test]
async fn without_a_cache_keystone_is_asked_each_time() {
    let config = ValidatorConfig { cache_time: Duration::ZERO, ..ValidatorConfig::default() };
    let (cloud, validator, _) = validator(config).await;
    for _ in 0..3 {
        check(&validator, Some("good"), None).await.unwrap();
    }
    assert_eq!(cloud.count(CHECK), 3);
}

#[tokio::test]
async fn trouble_with_keystone_is_not_remembered_as_a_bad_token() {
    let cloud = Fake::cloud(|seen| if seen.nth < 4 { Reply::Json(503, json!({})) } else { keystone(seen) }).await;
    let validator = TokenValidator::new(cloud.session(), ValidatorConfig::default(), crate::fake::clock());
    assert_eq!(word(&check(&validator, Some("good"), None).await), "unavailable");
    assert_eq!(word(&check(&validator, Some("good"), None).await), "in");
}

#[tokio::test]
async fn our_own_lost_token_is_replaced_and_the_caller_does_not_notice() {
    let cloud = Fake::cloud(|seen| match seen.header("x-auth-token") {
        "token-0" => Reply::Json(401, json!({"error": {"message": "who are you"}})),
        _ => keystone(seen),
    })
    .await;
    let validator = TokenValidator::new(cloud.session(), ValidatorConfig::default(), crate::fake::clock());
    assert_eq!(check(&validator, Some("good"), None).await.unwrap(), "u1");

    let locked_out = Fake::cloud(|_| Reply::Json(401, json!({}))).await;
    let validator = TokenValidator::new(locked_out.session(), ValidatorConfig::default(), crate::fake::clock());
    assert_eq!(word(&check(&validator, Some("good"), None).await), "unavailable", "our trouble is not the caller's");
}

#[tokio::test]
async fn access_rules_hold_for_the_caller_and_not_for_a_service_that_passes_the_request_on() {
    let (_cloud, ours, _) = validator(ValidatorConfig::default()).await;
    for (method, path, service, wanted) in [
        (Method::GET, "/v1/clusters/abc", None, "in"),
        (Method::GET, "/v1/clusters", None, "invalid"),
        (Method::DELETE, "/v1/clusters/abc", None, "invalid"),
        (Method::DELETE, "/v1/clusters/abc", Some("service"), "in"),
        (Method::DELETE, "/v1/clusters/abc", Some("good"), "invalid"),
        (Method::DELETE, "/v1/clusters/abc", Some("ruled"), "invalid"),
    ] {
        let outcome = check_path(&ours, Some("ruled"), service, &method, path).await;
        assert_eq!(word(&outcome), wanted, "{method} {path} {service:?}");
    }
    let (_cloud, nameless, _) =
        validator(ValidatorConfig { service_types: vec![], ..ValidatorConfig::default() }).await;
    let outcome = check_path(&nameless, Some("ruled"), None, &Method::GET, "/v1/clusters/abc").await;
    assert_eq!(word(&outcome), "invalid");
}

#[tokio::test]
async fn a_caller_has_what_the_token_says_and_calls_in_its_own_name() {
    let (cloud, validator, _) = validator(ValidatorConfig::default()).await;
    let token = SecretString::from("good");
    let info = validator.token(&token).await.unwrap();
    let caller = info.caller(token, "req-1".into());
    assert_eq!(
        json!([caller.user.as_str(), caller.user_name, caller.user_domain, caller.roles, caller.system_scope]),
        json!(["u1", "demo", "default", ["member", "reader"], Value::Null])
    );
    assert_eq!((caller.project.unwrap().as_str(), caller.application_credential), ("p1", false));

    let caller = info.caller("good".into(), "req-1".into());
    let session = validator.session_for(&caller).await;
    assert_eq!(session.token().await.unwrap().secret.expose_secret(), "good");
    session.get(ServiceType::Compute, &["flavors"]).send_any_status().await.unwrap();
    assert_eq!(cloud.count(CHECK), 1, "the catalogue came with the check");
    assert_eq!(cloud.seen().last().unwrap().header("x-auth-token"), "good");
}

#[tokio::test]
async fn a_session_of_other_credentials_may_know_what_the_validator_knows() {
    let (cloud, validator, _) = validator(ValidatorConfig::default()).await;
    let token = SecretString::from("good");
    validator.token(&token).await.unwrap();
    let other = cloud.session().with_known_tokens(&validator);
    assert!(other.for_token(token, None).endpoint(ServiceType::Compute).await.is_ok());
    assert_eq!(cloud.count(CHECK), 1);
    assert!(other.for_token("forged".into(), None).endpoint(ServiceType::Compute).await.is_err());
}

#[tokio::test]
async fn nothing_printed_holds_a_token() {
    let (_cloud, validator, _) = validator(ValidatorConfig::default()).await;
    let token = SecretString::from("good");
    let info = validator.token(&token).await.unwrap();
    let printed = format!("{validator:?} {info:?} {:?}", info.caller(token, "req-1".into()));
    assert!(!printed.contains("good"), "{printed}");
}

#[tokio::test]
async fn nothing_printed_of_a_call_holds_what_was_sent_or_answered() {
    let answer = || Reply::Headers(200, vec![("x-subject-token", "quiet-token".to_owned())], json!({"a": 1}));
    let cloud = Fake::cloud(move |_| answer()).await;
    let session = cloud.session();
    let request = session.request(ServiceType::KeyManager, Method::POST, &["secrets"]);
    let request = request.json(json!({"payload": "quiet-payload"}));
    let asked = format!("{request:?}");
    let printed = format!("{asked} {:?}", request.send().await.unwrap());
    assert!(printed.contains("secrets") && printed.contains("200"), "{printed}");
    assert!(!printed.contains("quiet") && !printed.contains("body"), "{printed}");
}
