//! Ways into an object store, and what becomes of a refused token there. Everything else is tried where the calls are used, on a whole pretended store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jeroboam_openstack::object_store::{
    LegacyAccess, ListingQuery, ObjectStore, StoreAccess, StoreConfig, StoreLimits, V2Scope,
};
use jeroboam_openstack::{Auth, Error, Interface, Kind, Scope, Session, SessionConfig, TransportConfig};
use serde_json::json;

use crate::fake::{Fake, Reply, Seen, clock, login, manual_clock, password, quick};

fn config() -> StoreConfig {
    let transport = TransportConfig { retry: quick(), ..TransportConfig::default() };
    StoreConfig { transport, limits: StoreLimits::default(), container: "c".to_owned() }
}

fn listing() -> Reply {
    Reply::Json(200, json!([{"name": "a", "bytes": 1, "hash": "x", "last_modified": "2026-01-01T00:00:00.000000"}]))
}

async fn names(store: &ObjectStore) -> Result<Vec<String>, Error> {
    let page = store.list(&ListingQuery { limit: 10, ..ListingQuery::default() }).await?;
    Ok(page.unwrap_or_default().iter().map(|entry| entry.name().to_owned()).collect())
}

fn legacy(cloud: &Fake) -> LegacyAccess {
    LegacyAccess { auth_url: format!("{}/auth/v1.0", cloud.url()), user: "u".into(), key: "k".into(), v2: None }
}

fn v1(token: &str, seen: &Seen) -> Reply {
    let storage = ("x-storage-url", format!("{}/v1/AUTH_test", seen.url));
    Reply::Headers(200, vec![("x-auth-token", token.to_owned()), storage], json!({}))
}

fn v2() -> V2Scope {
    V2Scope { tenant: Some("t".into()), tenant_id: None, region: Some("west".into()), interface: Interface::Internal }
}

#[tokio::test]
async fn the_older_ways_in_are_known() {
    let cloud = Fake::start(|seen| match seen.path.as_str() {
        "/auth/v1.0" if seen.header("x-auth-user") == "test:tester" && seen.header("x-auth-key") == "testing" => {
            let storage = ("x-storage-url", format!("{}/store/v1/AUTH_test", seen.url));
            Reply::Headers(200, vec![("x-auth-token", format!("v1-{}", seen.nth)), storage], json!({}))
        }
        "/v2.0/tokens" if seen.body["auth"]["passwordCredentials"]["password"] == "testing" => {
            assert_eq!(seen.body["auth"]["tenantName"], "t");
            let endpoint = |region: &str, path: &str| json!({"region": region, "publicURL": "http://127.0.0.1:1", "internalURL": format!("{}{path}", seen.url)});
            let services = json!([
                {"type": "image", "endpoints": [endpoint("west", "/wrong")]},
                {"type": "object-store", "endpoints": [endpoint("east", "/wrong"), endpoint("west", "/store/v1/AUTH_test")]}]);
            Reply::Json(200, json!({"access": {"token": {"id": format!("v2-{}", seen.nth)}, "serviceCatalog": services}}))
        }
        "/auth/v1.0" | "/v2.0/tokens" => Reply::Json(401, json!({"error": {"message": "no"}})),
        // The first token of each has ended.
        _ if seen.header("x-auth-token").ends_with("-0") => Reply::Json(401, json!({})),
        "/store/v1/AUTH_test/c" => listing(),
        other => panic!("{other}"),
    })
    .await;
    for (path, v2) in [("/auth/v1.0", None), ("/v2.0", Some(v2()))] {
        let auth_url = format!("{}{path}", cloud.url());
        let right = LegacyAccess { auth_url, user: "test:tester".into(), key: "testing".into(), v2 };
        let store = ObjectStore::new(StoreAccess::Legacy(right.clone()), config(), clock());
        let (one, two) = tokio::join!(names(&store), names(&store));
        assert_eq!((one.unwrap(), two.unwrap()), (vec!["a".to_owned()], vec!["a".to_owned()]));
        let logins = cloud.seen().iter().filter(|seen| seen.path.starts_with(path)).count();
        assert_eq!(logins, 2, "many callers log in once, and once again");
        let wrong = LegacyAccess { key: "wrong".into(), ..right };
        let store = ObjectStore::new(StoreAccess::Legacy(wrong), config(), clock());
        assert_eq!(names(&store).await.unwrap_err().kind(), Kind::Unauthorized);
    }
}

/// Swift hands out the token that there is, also where it has just refused it because it could not look it up in time.
#[tokio::test]
async fn many_whose_token_is_refused_log_in_once() {
    let logins = AtomicUsize::new(0);
    let cloud = Fake::start(move |seen| {
        if seen.path == "/auth/v1.0" {
            logins.fetch_add(1, Ordering::SeqCst);
            return v1("t", seen);
        }
        if logins.load(Ordering::SeqCst) < 2 { Reply::Json(401, json!({})) } else { listing() }
    })
    .await;
    let store = ObjectStore::new(StoreAccess::Legacy(legacy(&cloud)), config(), clock());
    let all = futures::future::join_all((0..20).map(|_| names(&store))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(cloud.count("GET /auth/v1.0"), 2);
}

/// So a Swift does that is asked by more than it can attend to: it cannot look tokens up, and gives none.
#[tokio::test]
async fn who_is_refused_by_a_store_that_is_busy_and_cannot_log_in_there_asks_again() {
    let logins = AtomicUsize::new(0);
    let cloud = Fake::start(move |seen| {
        if seen.path == "/auth/v1.0" {
            return match logins.fetch_add(1, Ordering::SeqCst) {
                1..=11 => Reply::Json(503, json!({})),
                _ => v1("t", seen),
            };
        }
        if logins.load(Ordering::SeqCst) <= 12 { Reply::Json(401, json!({})) } else { listing() }
    })
    .await;
    let store = ObjectStore::new(StoreAccess::Legacy(legacy(&cloud)), config(), clock());
    let all = futures::future::join_all((0..20).map(|_| names(&store))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
}

#[tokio::test]
async fn no_more_than_so_many_requests_wait_for_answers_at_once() {
    let cloud = Fake::start(|seen| if seen.path == "/auth/v1.0" { v1("t", seen) } else { Reply::Slow }).await;
    let limits = StoreLimits { at_once: 3, ..StoreLimits::default() };
    let store = ObjectStore::new(StoreAccess::Legacy(legacy(&cloud)), StoreConfig { limits, ..config() }, clock());
    let asked = || cloud.seen().iter().filter(|seen| seen.path != "/auth/v1.0").count();
    let asking = futures::future::join_all((0..10).map(|_| names(&store)));
    let looking = async {
        while asked() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        asked()
    };
    tokio::select! {
        all = asking => panic!("{all:?}"),
        asked = looking => assert_eq!(asked, 3),
    }
}

#[tokio::test]
async fn a_token_of_version_1_is_replaced_before_its_end() {
    let cloud = Fake::start(|seen| match seen.path.as_str() {
        "/auth/v1.0" => {
            let storage = ("x-storage-url", format!("{}/v1/AUTH_test", seen.url));
            let life = ("x-auth-token-expires", "1000".to_owned());
            Reply::Headers(200, vec![("x-auth-token", "t".to_owned()), storage, life], json!({}))
        }
        _ => listing(),
    })
    .await;
    let moving = Arc::new(manual_clock());
    let store = ObjectStore::new(StoreAccess::Legacy(legacy(&cloud)), config(), moving.clone());
    for (seconds, logins) in [(0, 1), (790, 1), (20, 2), (790, 2)] {
        moving.advance(Duration::from_secs(seconds));
        names(&store).await.unwrap();
        assert_eq!(cloud.count("GET /auth/v1.0"), logins, "{seconds}");
    }
}

#[tokio::test]
async fn an_old_token_is_replaced_while_it_still_serves() {
    let cloud = Fake::start(|seen| match (seen.path.as_str(), seen.nth) {
        ("/v3/auth/tokens", 0 | 5..) => login(seen),
        ("/v3/auth/tokens", _) => Reply::Json(503, json!({})),
        _ => Reply::Json(200, json!({"flavor": {"id": "1", "name": "m1", "vcpus": 1, "ram": 1, "disk": 1}})),
    })
    .await;
    let moving = Arc::new(manual_clock());
    let mut config = SessionConfig::new(cloud.url(), password());
    config.transport.retry = quick();
    let session = Session::new(config, moving.clone()).unwrap();
    // Keystone is away at 80 % of the token's life: the old one serves, and Keystone is not asked by everybody.
    for (seconds, logins) in [(0, 1), (2800, 1), (100, 5), (5, 5), (10, 6), (10, 6)] {
        moving.advance(Duration::from_secs(seconds));
        session.compute().flavor("1").await.unwrap();
        assert_eq!(cloud.count("POST /v3/auth/tokens"), logins, "{seconds}");
    }
}

#[tokio::test]
async fn a_trust_that_is_gone_is_told_from_other_refusals() {
    // As Keystone answers today; older ones say 404.
    let cloud = Fake::start(|seen| match seen.body["auth"]["scope"]["OS-TRUST:trust"]["id"].as_str() {
        Some("t1") => Reply::Json(401, json!({"error": {"message": "The request requires authentication."}})),
        Some(_) => Reply::Json(404, json!({"error": {"message": "Could not find trust: t2."}})),
        None if seen.body["auth"]["scope"].is_null() => login(seen),
        None => Reply::Json(404, json!({})),
    })
    .await;
    let trusted = |scope: Scope| {
        let mut auth = password();
        if let Auth::Password { scope: of, .. } = &mut auth {
            *of = scope;
        }
        cloud.session_with(move |config| config.auth = auth.clone())
    };
    let error = trusted(Scope::Trust("t1".into())).token().await.unwrap_err();
    assert_eq!(error.to_string(), "trust t1 is no longer there: The request requires authentication.");
    assert_eq!(error.kind(), Kind::Forbidden);
    let error = trusted(Scope::Trust("t2".into())).token().await.unwrap_err();
    assert_eq!(error.to_string(), "trust t2 is no longer there: Could not find trust: t2.");
    let error = trusted(Scope::System).token().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
}
