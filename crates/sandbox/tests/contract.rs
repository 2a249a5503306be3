//! What the sandbox claims of OpenStack, said to the sandbox and, when one is at hand, to the real services.
//!
//! `JEROBOAM_CONTRACT_CLOUDS=clouds.yaml cargo test -p jeroboam-sandbox --test contract` asks the real ones, too: the file has
//! the clouds `admin` and `demo`, and the cloud an external network `public`, a flavor and an image.

#![expect(clippy::unwrap_used, reason = "a test that can not go on should stop where it stands")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jeroboam_model::SystemClock;
use jeroboam_openstack::clouds::{CloudConfig, Lookup, resolve};
use jeroboam_openstack::{
    AccessRule, Auth, Error, Kind, NewApplicationCredential, Presented, Scope, ServiceType, Session, TokenError,
    TokenValidator, ValidatorConfig,
};
use jeroboam_sandbox::cloud::{Cloud, CloudParts};
use jeroboam_sandbox::{Faults, State};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

#[tokio::test]
async fn the_sandbox_keeps_the_contract() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let state = State::in_memory();
    let faults = Faults::new(state.clone(), 1);
    let cloud = Cloud::new(CloudParts { state, faults, clock: Arc::new(SystemClock), base_url, seed: 1 });
    let router = cloud.router();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clouds.yaml");
    std::fs::write(&file, cloud.seeded().clouds_yaml()).unwrap();
    contract(&file).await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "only this test knows where the real services are")]
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
async fn the_real_services_keep_the_contract() {
    match std::env::var_os("JEROBOAM_CONTRACT_CLOUDS").filter(|file| !file.is_empty()) {
        Some(file) => contract(&PathBuf::from(file)).await,
        // `make test` has no real OpenStack, so that this is no failure where everything else has to be there.
        None => eprintln!("skipped: JEROBOAM_CONTRACT_CLOUDS is not set; the clouds.yaml of a real OpenStack"),
    }
}

fn settings(file: &std::path::Path, name: &str) -> CloudConfig {
    let env = [("OS_CLIENT_CONFIG_FILE", file.to_str().unwrap()), ("OS_CLOUD", name)];
    let env: BTreeMap<_, _> = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    resolve(&Lookup::new(env, None)).unwrap()
}

/// Two tenants' views of one cloud.
struct Views {
    demo: Session,
    admin: Session,
    demo_settings: CloudConfig,
}

async fn contract(file: &std::path::Path) {
    let open = |settings: &CloudConfig| Session::new(settings.session_config(), Arc::new(SystemClock)).unwrap();
    let (demo_settings, admin_settings) = (settings(file, "demo"), settings(file, "admin"));
    let views = Views { demo: open(&demo_settings), admin: open(&admin_settings), demo_settings };
    logins(&views).await;
    tokens(&views).await;
    application_credentials(&views).await;
    access_rules(&views).await;
    look_ups(&views).await;
    keypairs(&views).await;
    networks(&views).await;
    secrets(&views).await;
    absences(&views).await;
}

fn kind<T>(outcome: Result<T, Error>) -> Option<Kind> {
    outcome.err().map(|error| error.kind())
}

fn unique(what: &str) -> String {
    format!("contract-{what}-{}", uuid::Uuid::new_v4().simple())
}

async fn logins(views: &Views) {
    let Auth::Password { user, password, scope } = views.demo_settings.auth.clone() else {
        panic!("a password is needed")
    };
    let attempt = async |password: SecretString, scope: Scope| {
        let auth = Auth::Password { user: user.clone(), password, scope };
        views.demo.for_auth(auth).authenticate().await
    };
    assert_eq!(kind(attempt("wrong".into(), scope).await), Some(Kind::Unauthorized));
    let nowhere = Scope::Project(jeroboam_openstack::Named::Id("nowhere".into()));
    assert_eq!(kind(attempt(password.clone(), nowhere).await), Some(Kind::Unauthorized));
    assert_eq!(kind(attempt(password.clone(), Scope::System).await), Some(Kind::Unauthorized));
    let unscoped = attempt(password, Scope::Unscoped).await.unwrap();
    assert!(unscoped.info.roles.is_empty() && unscoped.info.catalog.0.is_empty() && unscoped.info.project.is_none());

    let info = views.demo.token().await.unwrap().info.clone();
    assert!(["member", "reader"].iter().all(|role| info.roles.iter().any(|own| own == role)), "{:?}", info.roles);
    assert_eq!((info.user_domain.as_deref(), info.methods.as_slice()), (Some("default"), &["password".to_owned()][..]));
    let admin = views.admin.token().await.unwrap().info.clone();
    assert!(
        ["admin", "member", "reader"].iter().all(|role| admin.roles.iter().any(|own| own == role)),
        "{:?}",
        admin.roles
    );
}

async fn tokens(views: &Views) {
    let config = || ValidatorConfig {
        cache_time: Duration::ZERO,
        negative_cache_time: Duration::ZERO,
        ..ValidatorConfig::default()
    };
    let validator = TokenValidator::new(views.admin.clone(), config(), Arc::new(SystemClock));
    let again = views.demo.for_auth(views.demo_settings.auth.clone());
    let token = again.authenticate().await.unwrap().secret.clone();
    assert_eq!(validator.token(&token).await.unwrap().user, views.demo.token().await.unwrap().info.user);
    assert!(matches!(validator.token(&"forged".into()).await, Err(TokenError::Invalid(_))));
    assert!(matches!(validator.token(&"gAAAAABforged".into()).await, Err(TokenError::Invalid(_))));

    let tenant = TokenValidator::new(views.demo.clone(), config(), Arc::new(SystemClock));
    let others = views.admin.token().await.unwrap().secret.clone();
    assert!(matches!(tenant.token(&others).await, Err(TokenError::Unavailable(_))), "it may not look");
    assert!(tenant.token(&token).await.is_ok(), "its own it may");

    let lent = views.demo.for_token(token.clone(), None);
    assert!(lent.get(ServiceType::Compute, &["flavors"]).send().await.is_ok());
    views.admin.identity().revoke(&token).await.unwrap();
    assert!(matches!(validator.token(&token).await, Err(TokenError::Invalid(_))));
    assert_eq!(kind(views.demo.for_token(token, None).token().await), Some(Kind::Unauthorized));
}

async fn application_credentials(views: &Views) {
    let name = unique("credential");
    let roles = Some(vec!["member".to_owned()]);
    let new = NewApplicationCredential { name: name.clone(), roles, ..NewApplicationCredential::default() };
    let identity = views.demo.identity();
    let made = identity.create_application_credential(&new).await.unwrap();
    assert_eq!(kind(identity.create_application_credential(&new).await), Some(Kind::Conflict));
    let greedy = NewApplicationCredential { name: unique("greedy"), roles: Some(vec!["admin".into()]), ..new.clone() };
    assert_eq!(kind(identity.create_application_credential(&greedy).await), Some(Kind::Bad));

    let user = views.demo.token().await.unwrap().info.user.clone();
    let found = identity.application_credentials(&user, Some(&name)).await.unwrap();
    assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [made.id.as_str()]);
    assert!(found[0].secret.is_none());
    assert!(identity.application_credentials(&user, Some("nothing")).await.unwrap().is_empty());

    let auth = |secret: SecretString| Auth::ApplicationCredential { id: made.id.clone(), secret };
    let robot = views.demo.for_auth(auth(made.secret.clone().unwrap()));
    let info = robot.authenticate().await.unwrap().info.clone();
    assert!(info.roles.iter().any(|role| role == "member") && !info.roles.iter().any(|role| role == "admin"));
    assert_eq!(info.project, views.demo.token().await.unwrap().info.project);
    assert!(info.application_credential.as_ref().unwrap().restricted);
    assert_eq!(kind(views.demo.for_auth(auth("wrong".into())).authenticate().await), Some(Kind::Unauthorized));
    let nested = NewApplicationCredential { name: unique("nested"), ..NewApplicationCredential::default() };
    assert_eq!(kind(robot.identity().create_application_credential(&nested).await), Some(Kind::Forbidden));

    assert!(views.admin.identity().delete_application_credential(&user, &made.id).await.unwrap());
    assert!(!views.admin.identity().delete_application_credential(&user, &made.id).await.unwrap());
    assert!(!identity.delete_application_credential(&user, &made.id).await.unwrap());
    assert_eq!(kind(robot.authenticate().await), Some(Kind::Unauthorized));
}

async fn access_rules(views: &Views) {
    let rule = AccessRule { service: "container-infra".into(), method: "GET".into(), path: "/v1/clusters".into() };
    let new = NewApplicationCredential {
        name: unique("ruled"),
        access_rules: Some(vec![rule]),
        ..NewApplicationCredential::default()
    };
    let made = views.demo.identity().create_application_credential(&new).await.unwrap();
    let auth = Auth::ApplicationCredential { id: made.id.clone(), secret: made.secret.clone().unwrap() };
    let token = views.demo.for_auth(auth).authenticate().await.unwrap().secret.clone();
    let validator = TokenValidator::new(views.admin.clone(), ValidatorConfig::default(), Arc::new(SystemClock));
    for (method, path, wanted) in [(Method::GET, "/v1/clusters", true), (Method::POST, "/v1/clusters", false)] {
        let shown = Presented { token: Some(&token), service_token: None, method: &method, path };
        assert_eq!(validator.validate(&shown).await.is_ok(), wanted, "{method} {path}");
    }
    let user = views.demo.token().await.unwrap().info.user.clone();
    assert!(views.demo.identity().delete_application_credential(&user, &made.id).await.unwrap());
}

async fn look_ups(views: &Views) {
    let demo = &views.demo;
    let all: Vec<Value> = demo.get(ServiceType::Compute, &["flavors"]).all_pages("flavors").await.unwrap();
    let paged = demo.get(ServiceType::Compute, &["flavors"]).query("limit", "1").all_pages("flavors").await.unwrap();
    let ids = |all: &[Value]| all.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&all), ids(&paged));
    let (id, name) = (all[0]["id"].as_str().unwrap(), all[0]["name"].as_str().unwrap());
    assert_eq!(demo.compute().flavor(id).await.unwrap(), demo.compute().flavor(name).await.unwrap());

    let images: Vec<Value> = demo.get(ServiceType::Image, &["images"]).all_pages("images").await.unwrap();
    let paged = demo.get(ServiceType::Image, &["images"]).query("limit", "1").all_pages("images").await.unwrap();
    assert_eq!(images.len(), Vec::<Value>::len(&paged));
    let image = demo.image().find(images[0]["name"].as_str().unwrap()).await.unwrap();
    assert_eq!(demo.image().find(&image.id).await.unwrap().name, image.name);
    for odd in ["nothing", "", "..", "a/b", "é ü", "%2e%2e", "'; --", "a?b=c#d"] {
        assert_eq!(kind(demo.compute().flavor(odd).await), Some(Kind::NotFound), "{odd:?}");
        assert_eq!(kind(demo.image().find(odd).await), Some(Kind::NotFound), "{odd:?}");
        assert_eq!(kind(demo.compute().keypair(odd).await), Some(Kind::NotFound), "{odd:?}");
        assert_eq!(kind(demo.network().network(odd, None).await), Some(Kind::NotFound), "{odd:?}");
        assert_eq!(kind(demo.network().subnet(odd, None).await), Some(Kind::NotFound), "{odd:?}");
    }
    let public = demo.network().network("public", Some(true)).await.unwrap();
    assert_eq!(demo.network().network(&public.id, Some(true)).await.unwrap().name, "public");
    assert_eq!(kind(demo.network().network("public", Some(false)).await), Some(Kind::NotFound));
    assert!(!demo.network().subnets_of(&public.id).await.unwrap().is_empty());
    assert!(demo.network().security_group("default").await.is_ok());
}

async fn keypairs(views: &Views) {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB4TWoX7ZgAPGSYUGJoKMBCYJhTCPTSIkvFYlSrDFoAV a@b";
    let name = unique("key");
    let post = async |key: &str| {
        let body = json!({"keypair": {"name": name, "public_key": key}});
        views.demo.request(ServiceType::Compute, Method::POST, &["os-keypairs"]).json(body).send().await
    };
    assert_eq!(kind(post("ssh-ed25519 nonsense").await), Some(Kind::Bad));
    post(key).await.unwrap();
    assert_eq!(kind(post(key).await), Some(Kind::Conflict));
    assert_eq!(views.demo.compute().keypair(&name).await.unwrap().public_key.trim(), key);
    assert_eq!(kind(views.admin.compute().keypair(&name).await), Some(Kind::NotFound));
    let path = ["os-keypairs", name.as_str()];
    let spare = format!("{name}-spare");
    let named = async |name: &str, version: &str| {
        let body = json!({"keypair": {"name": name}});
        let request = views.demo.request(ServiceType::Compute, Method::POST, &["os-keypairs"]).json(body);
        request.microversion(version).send().await
    };
    assert!(named(&spare, "2.1").await.unwrap().member::<Value>("keypair").unwrap()["private_key"].is_string());
    for (odd, version) in [
        // From 2.92 on a key has to be given.
        (name.as_str(), "2.92"),
        // Names have no dots before, and never these.
        ("key.1", "2.1"),
        ("key@home", "2.91"),
        (" key", "2.1"),
        ("schl\u{fc}ssel", "2.1"),
        ("", "2.1"),
    ] {
        assert_eq!(kind(named(odd, version).await), Some(Kind::Bad), "{odd:?} {version}");
    }
    let path_of_spare = ["os-keypairs", spare.as_str()];
    assert!(views.demo.request(ServiceType::Compute, Method::DELETE, &path_of_spare).gone().await.unwrap());
    assert!(views.demo.request(ServiceType::Compute, Method::DELETE, &path).gone().await.unwrap());
    assert!(!views.demo.request(ServiceType::Compute, Method::DELETE, &path).gone().await.unwrap());
}

async fn networks(views: &Views) {
    let demo = &views.demo;
    let post = async |path: &str, one: &str, body: Value| -> Result<Value, Error> {
        demo.request(ServiceType::Network, Method::POST, &[path]).json(json!({one: body})).send().await?.member(one)
    };
    let name = unique("net");
    let network = post("networks", "network", json!({"name": name})).await.unwrap();
    let network = network["id"].as_str().unwrap();
    let twin = post("networks", "network", json!({"name": name})).await.unwrap();
    assert_eq!(kind(demo.network().network(&name, None).await), Some(Kind::Ambiguous));
    let delete = async |path: &[&str]| kind(demo.request(ServiceType::Network, Method::DELETE, path).send().await);
    assert_eq!(delete(&["networks", twin["id"].as_str().unwrap()]).await, None);
    assert_eq!(demo.network().network(&name, Some(false)).await.unwrap().id, network);
    assert_eq!(kind(post("networks", "network", json!({"router:external": true})).await), Some(Kind::Forbidden));

    let wish = json!({"network_id": network, "cidr": "10.99.0.0/24", "ip_version": 4, "name": name});
    let subnet = post("subnets", "subnet", wish).await.unwrap();
    let stray = json!({"network_id": uuid::Uuid::new_v4().to_string(), "cidr": "10.0.0.0/24", "ip_version": 4});
    assert_eq!(kind(post("subnets", "subnet", stray).await), Some(Kind::NotFound));
    assert_eq!(demo.network().subnet(&name, Some(network)).await.unwrap().cidr, "10.99.0.0/24");
    assert_eq!(kind(demo.network().subnet(&name, Some("elsewhere")).await), Some(Kind::NotFound));

    let router = post("routers", "router", json!({"name": name})).await.unwrap();
    let router = router["id"].as_str().unwrap();
    let body = json!({"subnet_id": subnet["id"]});
    let plug = async |verb: &str| {
        demo.request(ServiceType::Network, Method::PUT, &["routers", router, verb]).json(body.clone()).send().await
    };
    plug("add_router_interface").await.unwrap();
    assert_eq!(demo.network().ports_of(router).await.unwrap().len(), 1);
    assert_eq!(delete(&["networks", network]).await, Some(Kind::Conflict));
    assert_eq!(delete(&["routers", router]).await, Some(Kind::Conflict));
    plug("remove_router_interface").await.unwrap();
    assert_eq!(delete(&["routers", router]).await, None);
    assert_eq!(delete(&["networks", network]).await, None);
    assert_eq!(delete(&["networks", network]).await, Some(Kind::NotFound));
    assert_eq!(kind(demo.network().subnet(&name, None).await), Some(Kind::NotFound), "it went along");

    let public = demo.network().network("public", None).await.unwrap().id;
    let ip = post("floatingips", "floatingip", json!({"floating_network_id": public})).await.unwrap();
    let (id, address) = (ip["id"].as_str().unwrap(), ip["floating_ip_address"].as_str().unwrap());
    assert_eq!(demo.network().floating_ip_at(address).await.unwrap().unwrap().id, id);
    assert!(demo.network().delete_floating_ip(id).await.unwrap());
    assert!(!demo.network().delete_floating_ip(id).await.unwrap());
}

async fn secrets(views: &Views) {
    let (keys, text) = (views.demo.key_manager(), SecretString::from("-----BEGIN CERTIFICATE-----"));
    let secret = keys.store("Certificate", &text).await.unwrap();
    let other = keys.store("Private Key", &SecretString::from("key")).await.unwrap();
    assert!(secret.contains("/v1/secrets/"), "{secret}");
    let read = keys.payload(&secret).await.unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&read), "-----BEGIN CERTIFICATE-----");

    let id = uuid::Uuid::new_v4().to_string();
    let nowhere = secret.replace(secret.rsplit('/').next().unwrap(), &id);
    for (parts, refused) in [
        (vec![("private_key", other.clone())], Kind::Bad),
        (vec![("certificate", secret.clone()), ("nonsense", other.clone())], Kind::Bad),
        (vec![("certificate", nowhere)], Kind::NotFound),
        (vec![("certificate", secret.clone()), ("certificate", other.clone())], Kind::Bad),
        (vec![("certificate", secret.clone()), ("private_key", secret.clone())], Kind::Bad),
    ] {
        assert_eq!(kind(keys.create_certificate_container("odd", &parts).await), Some(refused), "{parts:?}");
    }
    let parts = [("certificate", secret.clone()), ("private_key", other.clone())];
    let container = keys.create_certificate_container(&unique("container"), &parts).await.unwrap();
    assert!(container.contains("/v1/containers/"), "{container}");
    let found = keys.container(&container).await.unwrap();
    let mut names: Vec<&str> = found.secret_refs.iter().map(|part| part.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!((found.kind.as_str(), names), ("certificate", vec!["certificate", "private_key"]));
    let refs: Vec<&str> = found.secret_refs.iter().map(|part| part.secret_ref.as_str()).collect();
    assert!(refs.contains(&secret.as_str()) && refs.contains(&other.as_str()), "{refs:?}");

    // A secret may go before the container that names it.
    assert!(keys.delete(&secret).await.unwrap() && keys.delete(&other).await.unwrap());
    assert!(!keys.delete(&secret).await.unwrap());
    assert_eq!(kind(keys.payload(&secret).await), Some(Kind::NotFound));
    assert!(keys.container(&container).await.unwrap().secret_refs.is_empty());
    assert!(keys.delete_container(&container).await.unwrap());
    assert!(!keys.delete_container(&container).await.unwrap());
    assert_eq!(kind(keys.container(&container).await), Some(Kind::NotFound));
    assert_eq!(kind(keys.container(&id).await), Some(Kind::NotFound));
}

async fn absences(views: &Views) {
    let (demo, id) = (&views.demo, uuid::Uuid::new_v4().to_string());
    assert_eq!(kind(demo.compute().server(&id).await), Some(Kind::NotFound));
    assert!(!demo.compute().delete_server(&id).await.unwrap());
    assert!(demo.compute().servers(&unique("server")).await.unwrap().is_empty());
    assert!(!demo.load_balancer().delete(&id).await.unwrap());
    assert!(demo.load_balancer().named(&unique("balancer")).await.unwrap().is_empty());
    assert!(demo.load_balancer().list(Some(&id)).await.unwrap().is_empty());
    assert!(!demo.load_balancer().providers().await.unwrap().is_empty());
    assert!(views.admin.identity().project(&unique("project").as_str().into()).await.unwrap().is_none());
}
