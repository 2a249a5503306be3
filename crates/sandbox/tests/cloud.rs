//! The OpenStack half of the sandbox, asked over HTTP with our own client.

#![expect(clippy::unwrap_used, reason = "a test that can not go on should stop where it stands")]

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jeroboam_model::ManualClock;
use jeroboam_openstack::{
    AccessRule, Auth, DomainRef, Error, Interface, Kind, Named, NewApplicationCredential, Presented, RetryPolicy,
    Scope, ServiceType, Session, SessionConfig, TokenError, TokenValidator, ValidatorConfig,
};
use jeroboam_sandbox::cloud::{Cloud, CloudParts, PASSWORD};
use jeroboam_sandbox::{Fault, FaultRule, Faults, State};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

struct Bed {
    cloud: Cloud,
    state: State,
    faults: Faults,
    clock: Arc<ManualClock>,
    url: String,
    _tasks: JoinSet<()>,
}

async fn bed() -> Bed {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let state = State::in_memory();
    let faults = Faults::new(state.clone(), 7);
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let parts = CloudParts {
        state: state.clone(),
        faults: faults.clone(),
        clock: clock.clone(),
        base_url: url.clone(),
        seed: 7,
    };
    let cloud = Cloud::new(parts);
    let router = cloud.router();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Bed { cloud, state, faults, clock, url, _tasks: tasks }
}

impl Bed {
    fn session(&self, auth: Auth) -> Session {
        let mut config = SessionConfig::new(self.cloud.identity_url(), auth);
        config.region = Some("RegionOne".into());
        config.transport.retry =
            RetryPolicy { attempts: 3, base: Duration::from_millis(1), cap: Duration::from_millis(2) };
        Session::new(config, self.clock.clone()).unwrap()
    }

    fn user(&self, name: &str) -> Session {
        let project = if name == "magnum" { "service" } else { name };
        self.session(password(name, PASSWORD, Scope::Project(named(project))))
    }
}

fn named(name: &str) -> Named {
    Named::Name { name: name.to_owned(), domain: DomainRef::Name("Default".to_owned()) }
}

fn password(user: &str, password: &str, scope: Scope) -> Auth {
    Auth::Password { user: named(user), password: password.into(), scope }
}

fn kind<T>(outcome: Result<T, Error>) -> Option<Kind> {
    outcome.err().map(|error| error.kind())
}

#[tokio::test]
async fn everybody_gets_the_roles_of_the_scope_asked_for_and_nobody_else_gets_in() {
    let bed = bed().await;
    for (auth, wanted) in [
        (password("demo", PASSWORD, Scope::Project(named("demo"))), Some("load-balancer_member member reader")),
        (password("admin", PASSWORD, Scope::Project(named("admin"))), Some("admin manager member reader")),
        (password("admin", PASSWORD, Scope::Project(named("demo"))), Some("admin manager member reader")),
        (password("magnum", PASSWORD, Scope::Project(named("service"))), Some("admin manager member reader service")),
        (password("admin", PASSWORD, Scope::System), Some("admin manager member reader")),
        (password("admin", PASSWORD, Scope::Domain(DomainRef::default())), Some("admin manager member reader")),
        (password("demo", PASSWORD, Scope::Unscoped), Some("")),
        (password("demo", "wrong", Scope::Project(named("demo"))), None),
        (password("nobody", PASSWORD, Scope::Unscoped), None),
        (password("demo", PASSWORD, Scope::Project(named("admin"))), None),
        (password("demo", PASSWORD, Scope::Project(named("nothing"))), None),
        (password("demo", PASSWORD, Scope::System), None),
    ] {
        let shown = format!("{auth:?}");
        let roles = bed.session(auth).authenticate().await.map(|token| {
            let mut roles = token.info.roles.clone();
            roles.sort();
            roles.join(" ")
        });
        match wanted {
            Some(wanted) => assert_eq!(roles.unwrap(), wanted, "{shown}"),
            None => assert_eq!(kind(roles), Some(Kind::Unauthorized), "{shown}"),
        }
    }
}

#[tokio::test]
async fn a_token_is_changed_for_one_of_another_scope_and_ends_no_later() {
    let bed = bed().await;
    let first = bed.user("admin").authenticate().await.unwrap();
    bed.clock.advance(Duration::from_secs(1800));
    let auth = Auth::Token { token: first.secret.clone(), scope: Scope::Project(named("demo")) };
    let second = bed.session(auth).authenticate().await.unwrap();
    assert_eq!(second.info.project_name.as_deref(), Some("demo"));
    assert_eq!(second.info.expires_at, first.info.expires_at);
    assert_eq!(second.info.methods, ["token", "password"]);
}

#[tokio::test]
async fn tokens_are_checked_ended_and_revoked_as_keystone_does() {
    let bed = bed().await;
    let service = bed.user("magnum");
    let validator = |config| TokenValidator::new(service.clone(), config, bed.clock.clone());
    let uncached = ValidatorConfig {
        cache_time: Duration::ZERO,
        negative_cache_time: Duration::ZERO,
        ..ValidatorConfig::default()
    };
    let validator = validator(uncached);
    let demo = bed.user("demo").authenticate().await.unwrap();
    let info = validator.token(&demo.secret).await.unwrap();
    assert_eq!((info.user_name.as_str(), info.user_domain.as_deref()), ("demo", Some("default")));
    assert!(matches!(validator.token(&"forged".into()).await, Err(TokenError::Invalid(_))));

    // A tenant may not look at the tokens of others.
    let admin = bed.user("admin").authenticate().await.unwrap();
    let tenant = TokenValidator::new(bed.user("demo"), ValidatorConfig::default(), bed.clock.clone());
    assert!(matches!(tenant.token(&admin.secret).await, Err(TokenError::Unavailable(_))));

    // One hour later only a service may still pass it on.
    bed.clock.advance(Duration::from_secs(3601));
    assert!(matches!(validator.token(&demo.secret).await, Err(TokenError::Invalid(_))));
    let token = service.authenticate().await.unwrap().secret.clone();
    let shown = Presented {
        token: Some(&demo.secret),
        service_token: Some(&token),
        method: &Method::GET,
        path: "/v1/clusters",
    };
    assert_eq!(validator.validate(&shown).await.unwrap().user.user_name, "demo");

    let again = bed.user("demo").authenticate().await.unwrap();
    service.identity().revoke(&again.secret).await.unwrap();
    assert!(matches!(validator.token(&again.secret).await, Err(TokenError::Invalid(_))));
}

#[tokio::test]
async fn an_application_credential_opens_its_project_until_it_is_deleted() {
    let bed = bed().await;
    let demo = bed.user("demo");
    let new = NewApplicationCredential {
        name: "robot".into(),
        roles: Some(vec!["member".into()]),
        ..NewApplicationCredential::default()
    };
    let made = demo.identity().create_application_credential(&new).await.unwrap();
    assert_eq!(kind(demo.identity().create_application_credential(&new).await), Some(Kind::Conflict));
    let greedy = NewApplicationCredential { name: "g".into(), roles: Some(vec!["admin".into()]), ..new.clone() };
    assert_eq!(kind(demo.identity().create_application_credential(&greedy).await), Some(Kind::Bad));

    let robot = bed.session(Auth::ApplicationCredential { id: made.id.clone(), secret: made.secret.clone().unwrap() });
    let token = robot.authenticate().await.unwrap();
    assert_eq!(token.info.roles, ["member"]);
    assert!(token.info.application_credential.as_ref().unwrap().restricted);
    let by_name = Auth::ApplicationCredentialName {
        name: "robot".into(),
        user: named("demo"),
        secret: made.secret.clone().unwrap(),
    };
    assert!(bed.session(by_name).authenticate().await.is_ok());
    let other = NewApplicationCredential { name: "other".into(), ..NewApplicationCredential::default() };
    assert_eq!(kind(robot.identity().create_application_credential(&other).await), Some(Kind::Forbidden));
    assert_eq!(
        kind(robot.identity().delete_application_credential(&token.info.user, &made.id).await),
        Some(Kind::Forbidden)
    );

    let found = demo.identity().application_credentials(&token.info.user, Some("robot")).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].secret.is_none());
    let service = bed.user("magnum");
    assert!(service.identity().delete_application_credential(&token.info.user, &made.id).await.unwrap());
    assert!(!service.identity().delete_application_credential(&token.info.user, &made.id).await.unwrap());
    assert_eq!(kind(robot.authenticate().await), Some(Kind::Unauthorized));
    let gone = robot.for_token(token.secret.clone(), None).authenticate().await;
    assert!(gone.is_err(), "its tokens end with it");
}

#[tokio::test]
async fn access_rules_come_with_the_token_and_hold() {
    let bed = bed().await;
    let demo = bed.user("demo");
    let rule = AccessRule { service: "container-infra".into(), method: "GET".into(), path: "/v1/clusters".into() };
    let new = NewApplicationCredential {
        name: "ruled".into(),
        access_rules: Some(vec![rule]),
        ..NewApplicationCredential::default()
    };
    let made = demo.identity().create_application_credential(&new).await.unwrap();
    let robot = bed.session(Auth::ApplicationCredential { id: made.id, secret: made.secret.unwrap() });
    let token = robot.authenticate().await.unwrap().secret.clone();
    let validator = TokenValidator::new(bed.user("magnum"), ValidatorConfig::default(), bed.clock.clone());
    for (method, path, wanted) in
        [(Method::GET, "/v1/clusters", true), (Method::POST, "/v1/clusters", false), (Method::GET, "/v1/quotas", false)]
    {
        let shown = Presented { token: Some(&token), service_token: None, method: &method, path };
        assert_eq!(validator.validate(&shown).await.is_ok(), wanted, "{method} {path}");
    }
}

#[tokio::test]
async fn what_a_cluster_names_is_found_by_id_and_by_name() {
    let bed = bed().await;
    bed.cloud.set_container_infra("http://127.0.0.1:9511/v1/");
    let demo = bed.user("demo");
    let flavor = demo.compute().flavor("m1.medium").await.unwrap();
    assert_eq!(demo.compute().flavor(&flavor.id).await.unwrap(), flavor);
    assert_eq!(demo.compute().flavor("m1.volume").await.unwrap().disk, 0);
    assert_eq!(kind(demo.compute().flavor("m9").await), Some(Kind::NotFound));
    let image = demo.image().find("ubuntu-kube-v1.34.2").await.unwrap();
    assert_eq!((image.os_distro(), image.kube_version()), (Some("ubuntu"), Some("v1.34.2")));
    assert_eq!(demo.image().find(&image.id).await.unwrap().name, image.name);
    assert_eq!(demo.image().find("cirros").await.unwrap().os_distro(), None);
    let network = demo.network().network("public", Some(true)).await.unwrap();
    assert_eq!(demo.network().network(&network.id, None).await.unwrap().subnets.len(), 1);
    assert_eq!(kind(demo.network().network("public", Some(false)).await), Some(Kind::NotFound));
    assert_eq!(demo.network().subnets_of(&network.id).await.unwrap()[0].name, "public-subnet");
    assert!(demo.compute().keypair("demo").await.unwrap().public_key.starts_with("ssh-"));
    assert_eq!(kind(bed.user("admin").compute().keypair("demo").await), Some(Kind::NotFound));
    assert_eq!(demo.volume().volume_type("ssd").await.unwrap().name, "ssd");
    assert_eq!(demo.volume().default_volume_type().await.unwrap().unwrap().name, "standard");
    assert_eq!(demo.load_balancer().providers().await.unwrap().len(), 2);
    let magnum = demo.endpoint(ServiceType::ContainerInfra).await.unwrap();
    assert_eq!(magnum.as_str(), "http://127.0.0.1:9511/v1");
    assert!(demo.clone().with_interface(Interface::Admin).endpoint(ServiceType::Compute).await.is_ok());
    assert!(matches!(
        demo.with_region(Some("Two".into())).endpoint(ServiceType::Compute).await,
        Err(Error::NoEndpoint { .. })
    ));
}

#[tokio::test]
async fn a_project_sees_its_own_and_an_administrator_all() {
    let bed = bed().await;
    let demo = bed.user("demo");
    let project = demo.token().await.unwrap().info.project.clone().unwrap();
    let other = bed.user("admin").token().await.unwrap().info.project.clone().unwrap();
    for (id, project) in [("s1", &project), ("s2", &other)] {
        bed.state.put("server", id, json!({"id": id, "name": format!("c1-{id}"), "status": "ACTIVE", "project_id": project.as_str(), "_cluster": "a/b"}));
        bed.state.put(
            "loadbalancer",
            id,
            json!({"id": id, "name": id, "project_id": project.as_str(), "vip_network_id": "n"}),
        );
        bed.state.put("volume", id, json!({"id": id, "project_id": project.as_str(), "metadata": {"cluster": "c1"}}));
    }
    bed.state.put("listener", "l", json!({"id": "l", "loadbalancers": [{"id": "s1"}], "project_id": project.as_str()}));
    let ids =
        |servers: Vec<jeroboam_openstack::Server>| servers.into_iter().map(|server| server.id).collect::<Vec<_>>();
    assert_eq!(ids(demo.compute().servers("c1-").await.unwrap()), ["s1"]);
    assert_eq!(
        ids(bed.user("admin").compute().servers("c1-").await.unwrap()),
        ["s2"],
        "Nova shows all only when told to"
    );
    assert_eq!(kind(demo.compute().server("s2").await), Some(Kind::NotFound));
    let shown: Value =
        demo.get(ServiceType::Compute, &["servers", "s1"]).send().await.unwrap().member("server").unwrap();
    assert_eq!((&shown["_cluster"], &shown["OS-EXT-STS:vm_state"]), (&Value::Null, &json!("active")));
    assert_eq!(demo.volume().volumes_tagged("cluster", "c1").await.unwrap().len(), 1);
    assert_eq!(demo.load_balancer().list(Some("n")).await.unwrap().len(), 1);
    assert_eq!(bed.user("admin").load_balancer().list(None).await.unwrap().len(), 2);
    assert!(demo.load_balancer().delete("s1").await.unwrap());
    assert_eq!(bed.state.count("listener"), 0, "what is below goes along");
    assert!(!demo.load_balancer().delete("s2").await.unwrap(), "it is not ours to see");
}

#[tokio::test]
async fn networks_are_made_used_and_taken_away_in_order() {
    let bed = bed().await;
    let demo = bed.user("demo");
    let post = async |path: &str, one: &str, body: Value| -> Result<Value, Error> {
        demo.request(ServiceType::Network, Method::POST, &[path]).json(json!({one: body})).send().await?.member(one)
    };
    let network = post("networks", "network", json!({"name": "n"})).await.unwrap();
    let network = network["id"].as_str().unwrap();
    let subnet = json!({"network_id": network, "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1"});
    let subnet = post("subnets", "subnet", subnet).await.unwrap();
    let stray = json!({"network_id": "nothing", "cidr": "10.0.0.0/24"});
    assert_eq!(kind(post("subnets", "subnet", stray).await), Some(Kind::NotFound));
    assert_eq!(kind(post("networks", "network", json!({"router:external": true})).await), Some(Kind::Forbidden));
    let router = post("routers", "router", json!({"name": "r"})).await.unwrap();
    let plug = ["routers", router["id"].as_str().unwrap(), "add_router_interface"];
    let body = json!({"subnet_id": subnet["id"]});
    demo.request(ServiceType::Network, Method::PUT, &plug).json(body.clone()).send().await.unwrap();
    let delete = async |path: &[&str]| kind(demo.request(ServiceType::Network, Method::DELETE, path).send().await);
    assert_eq!(delete(&["networks", network]).await, Some(Kind::Conflict));
    let unplug = ["routers", plug[1], "remove_router_interface"];
    demo.request(ServiceType::Network, Method::PUT, &unplug).json(body).send().await.unwrap();
    assert_eq!(delete(&["networks", network]).await, None);
    assert_eq!(demo.network().subnets_of(network).await.unwrap().len(), 0);

    let public = demo.network().network("public", None).await.unwrap().id;
    let first = post("floatingips", "floatingip", json!({"floating_network_id": public})).await.unwrap();
    let second = post("floatingips", "floatingip", json!({"floating_network_id": public})).await.unwrap();
    assert_ne!(first["floating_ip_address"], second["floating_ip_address"]);
    let address = first["floating_ip_address"].as_str().unwrap();
    assert!(demo.network().floating_ip_at(address).await.unwrap().is_some());
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let bed = bed().await;
    for n in 0..25 {
        bed.state.put(
            "flavor",
            &format!("x{n:02}"),
            json!({"id": format!("x{n:02}"), "name": format!("f{n}"), "vcpus": 1, "ram": 1, "disk": 1}),
        );
    }
    let demo = bed.user("demo");
    for (service, path, collection) in [
        (ServiceType::Compute, "flavors", "flavors"),
        (ServiceType::Image, "images", "images"),
        (ServiceType::Network, "security-groups", "security_groups"),
    ] {
        let all: Vec<Value> = demo.get(service, &[path]).all_pages(collection).await.unwrap();
        let paged: Vec<Value> = demo.get(service, &[path]).query("limit", "2").all_pages(collection).await.unwrap();
        assert_eq!(paged, all, "{service}");
    }
}

#[tokio::test]
async fn a_secret_is_kept_and_given_back() {
    let bed = bed().await;
    let demo = bed.user("demo");
    let id = demo.key_manager().store("ca", &SecretString::from("-----BEGIN")).await.unwrap();
    let text = demo.key_manager().payload(&id).await.unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&text), "-----BEGIN");
    assert_eq!(kind(bed.user("admin").key_manager().payload(&id).await), Some(Kind::NotFound));
    assert!(demo.key_manager().delete(&id).await.unwrap());
    assert!(!demo.key_manager().delete(&id).await.unwrap());
}

#[tokio::test]
async fn each_fault_shows_as_what_it_is_and_then_is_over() {
    let bed = bed().await;
    let demo = bed.user("demo");
    demo.token().await.unwrap();
    let compute = || "compute".to_owned();
    let busy = |status| Fault::Cloud { service: compute(), status, retry_after_seconds: Some(0) };
    for (fault, times, wanted) in [
        (busy(503), 2, None),
        (busy(429), 1, None),
        (busy(503), 9, Some(Kind::Unavailable)),
        (busy(500), 1, Some(Kind::Unavailable)),
        (Fault::CloudCut { service: compute() }, 1, None),
        (Fault::CloudCut { service: compute() }, 9, Some(Kind::Unavailable)),
        (Fault::CloudSlow { service: compute(), milliseconds: 5 }, 1, None),
        (Fault::Cloud { service: "image".into(), status: 503, retry_after_seconds: None }, 9, None),
    ] {
        bed.faults.clear();
        bed.faults.add(&FaultRule::always(fault.clone()).times(times));
        assert_eq!(kind(demo.compute().flavor("2").await), wanted, "{fault:?} {times}");
    }
    bed.faults.clear();
    assert_eq!(demo.compute().flavor("2").await.unwrap().name, "m1.small");
}

#[tokio::test]
async fn faults_are_asked_for_over_http() {
    let bed = bed().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/_sandbox/faults", bed.url);
    let send = async |method: Method, url: &str, body: Value| {
        let request = client.request(method, url).header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap_or_default())
    };
    let rule = json!({"fault": "cloud", "service": "identity", "status": 503, "verb": "POST", "resource": "/v3/auth", "times": 1});
    let (status, added) = send(Method::POST, &url, rule).await;
    assert_eq!(status, 201);
    assert_eq!(send(Method::POST, &url, json!({"fault": "earthquake"})).await.0, 400);
    let (status, _) = send(Method::POST, &format!("{}/v3/auth/tokens", bed.url), json!({})).await;
    assert_eq!(status, 503);
    let (_, listed) = send(Method::GET, &url, Value::Null).await;
    assert_eq!((&listed["faults"][0]["id"], &listed["faults"][0]["hits"]), (&added["id"], &json!(1)));
    let one = format!("{url}/{}", added["id"].as_str().unwrap());
    assert_eq!(send(Method::DELETE, &one, Value::Null).await.0, 204);
    assert_eq!(send(Method::DELETE, &one, Value::Null).await.0, 404);
    assert!(bed.faults.list().is_empty());
}

#[tokio::test]
async fn nonsense_is_refused_in_the_words_of_each_service() {
    let bed = bed().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = bed.user("demo").authenticate().await.unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&token.secret).to_owned();
    for (method, path, body, with_token, status, member) in [
        (Method::POST, "/v3/auth/tokens", "not json", false, 400, "error"),
        (Method::POST, "/v3/auth/tokens", "{}", false, 400, "error"),
        (Method::GET, "/v3/users", "", true, 403, "error"),
        (Method::GET, "/v3/nothing", "", true, 404, "error"),
        (Method::GET, "/compute/v2.1/servers", "", false, 401, "error"),
        (Method::GET, "/compute/v2.1/servers/none", "", true, 404, "itemNotFound"),
        (Method::POST, "/compute/v2.1/os-keypairs", "[]", true, 400, "badRequest"),
        (Method::PUT, "/compute/v2.1/servers", "", true, 405, "computeFault"),
        (Method::GET, "/image/v2/images/none", "", true, 404, "message"),
        (Method::GET, "/network/v2.0/networks/none", "", true, 404, "NeutronError"),
        (Method::GET, "/load-balancer/v2/lbaas/loadbalancers/none", "", true, 404, "faultstring"),
        (Method::GET, "/key-manager/v1/secrets/none", "", true, 404, "description"),
    ] {
        let mut request = client.request(method.clone(), format!("{}{path}", bed.url)).body(body);
        if with_token {
            request = request.header("x-auth-token", &token);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert!(body.get(member).is_some(), "{method} {path}: {body}");
    }
}

#[tokio::test]
async fn what_was_planted_is_planted_once_and_found_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let start = |state: State| {
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let faults = Faults::new(state.clone(), 7);
        Cloud::new(CloudParts { state, faults, clock, base_url: "http://127.0.0.1:1".into(), seed: 7 })
    };
    let state = State::open(dir.path(), false).unwrap();
    start(state.clone());
    state.remove("image", &state.list("image")[0].0);
    let before = state.snapshot();
    drop(state);
    let state = State::open(dir.path(), false).unwrap();
    let cloud = start(state.clone());
    assert_eq!(state.snapshot(), before);
    let yaml = cloud.seeded().clouds_yaml();
    assert!(yaml.contains("  demo:\n") && yaml.contains("auth_url: http://127.0.0.1:1/v3"), "{yaml}");
}
