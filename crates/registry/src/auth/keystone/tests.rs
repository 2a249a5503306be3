use std::time::Duration;

use jeroboam_model::ManualClock;
use jeroboam_openstack::{AccessRule, DomainRef, Named, NewApplicationCredential, Scope};
use jeroboam_sandbox::cloud::{Cloud, CloudParts, PASSWORD};
use jeroboam_sandbox::{Fault, FaultRule, Faults, State};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::access::Action;
use crate::config::{Namespaces, Prefix};

struct Bed {
    cloud: Cloud,
    faults: Faults,
    clock: Arc<ManualClock>,
    _tasks: JoinSet<()>,
}

impl Bed {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = State::in_memory();
        let faults = Faults::new(state.clone(), 7);
        let clock = Arc::new(ManualClock::at("2026-11-29T12:00:00Z".parse().expect("a time")));
        let cloud = Cloud::new(CloudParts { state, faults: faults.clone(), clock: clock.clone(), base_url, seed: 7 });
        let router = cloud.router();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.expect("served") });
        Self { cloud, faults, clock, _tasks: tasks }
    }

    fn config(&self) -> KeystoneConfig {
        let roles = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        KeystoneConfig {
            url: self.cloud.identity_url(),
            region: None,
            ca_cert: None,
            insecure: false,
            timeout: Duration::from_secs(5),
            cache: Duration::from_secs(60),
            negative_cache: Duration::from_secs(5),
            stale_ok: Duration::from_secs(900),
            namespaces: Namespaces::ProjectId,
            pull: roles(&["reader", "member", "admin"]),
            push: roles(&["member", "admin"]),
            delete: roles(&["admin"]),
            all: roles(&["admin"]),
            all_projects: vec![self.project("admin")],
        }
    }

    fn keystone(&self) -> Keystone {
        self.with(self.config(), Vec::new())
    }

    fn with(&self, config: KeystoneConfig, table: Vec<Namespace>) -> Keystone {
        Keystone::new(config, table, self.clock.clone()).expect("keystone")
    }

    fn project(&self, name: &str) -> String {
        let users = self.cloud.seeded().users;
        users.into_iter().find(|user| user.project == name).expect("a project").project_id
    }

    /// The demo user's own session, to make application credentials with.
    fn demo(&self) -> Session {
        let named = |name: &str| Named::Name { name: name.to_owned(), domain: DomainRef::default() };
        let scope = Scope::Project(named("demo"));
        let auth = Auth::Password { user: named("demo"), password: PASSWORD.to_owned().into(), scope };
        Session::new(SessionConfig::new(self.cloud.identity_url(), auth), self.clock.clone()).expect("a session")
    }

    async fn credential(&self, new: NewApplicationCredential) -> (String, SecretString) {
        let made = self.demo().identity().create_application_credential(&new).await.expect("a credential");
        (format!("applicationcredential-{}", made.id), made.secret.expect("a secret"))
    }
}

fn own(project: &str) -> String {
    format!("p-{project}/app")
}

#[tokio::test]
async fn a_user_gets_what_the_roles_of_the_project_give() {
    let bed = Bed::start().await;
    let keystone = bed.keystone();
    let password = SecretString::from(PASSWORD.to_owned());
    let demo = keystone.log_in("demo@Default/demo@Default", &password).await.expect("let in");
    assert_eq!(demo.name, "demo@default");
    let own = own(&bed.project("demo"));
    let may = |action| demo.permissions.allows_in(&own, action);
    assert_eq!([may(Action::Pull), may(Action::Push), may(Action::Delete)], [true, true, false]);
    assert!(!demo.permissions.allows_in("team/app", Action::Pull) && !demo.permissions.catalog);
    // An administrator of one project has what is that project's; one of `allprojects` has everything.
    let admin = keystone.log_in("admin/demo", &password).await.expect("let in");
    assert!(admin.permissions.allows_in(&own, Action::Delete) && !admin.permissions.allows_in("x", Action::Pull));
    assert_ne!(admin.id, demo.id, "two users of one project");
    let cloud = keystone.log_in("admin@Default/admin", &password).await.expect("let in");
    assert_eq!(cloud.permissions, Permissions::everything());
    for (name, password) in [
        ("demo@Default/demo", "wrong"),
        ("nobody@Default/demo", PASSWORD),
        ("demo@Default/admin", PASSWORD),
        ("demo@Default/nothing", PASSWORD),
        ("applicationcredential-0123456789", PASSWORD),
    ] {
        let refused = keystone.log_in(name, &password.into()).await;
        assert!(matches!(refused, Err(NotIn::Wrong)), "{name}: {refused:?}");
    }
    assert!(matches!(keystone.log_in("demo", &password).await, Err(NotIn::Name)));
}

#[tokio::test]
async fn names_are_given_to_projects_by_a_table() {
    let bed = Bed::start().await;
    let table = vec![Namespace { prefix: Prefix::Below("team".to_owned()), project: bed.project("demo") }];
    let config = KeystoneConfig { namespaces: Namespaces::TableAlone, ..bed.config() };
    let keystone = bed.with(config, table);
    let demo = keystone.log_in("demo/demo", &PASSWORD.into()).await.expect("let in");
    assert!(demo.permissions.allows_in("team/app", Action::Push));
    assert!(!demo.permissions.allows_in(&own(&bed.project("demo")), Action::Pull));
}

#[tokio::test]
async fn tokens_and_application_credentials_are_as_good_as_passwords() {
    let bed = Bed::start().await;
    let keystone = bed.keystone();
    let own = own(&bed.project("demo"));
    let token = bed.demo().token().await.expect("a token");
    let user = keystone.log_in("$token", &token.secret).await.expect("let in");
    assert!(user.permissions.allows_in(&own, Action::Push));
    let demo = user.id.clone();
    assert_eq!(demo, token.info.user.to_string());
    assert!(matches!(keystone.log_in("$token", &"none".into()).await, Err(NotIn::Wrong)));

    let new = NewApplicationCredential { name: "all".to_owned(), ..NewApplicationCredential::default() };
    let (name, secret) = bed.credential(new).await;
    let user = keystone.log_in(&name, &secret).await.expect("let in");
    assert!(user.permissions.allows_in(&own, Action::Push));
    assert_eq!(user.id, demo, "a credential is its user's");
    assert!(matches!(keystone.log_in(&name, &"wrong".into()).await, Err(NotIn::Wrong)));

    let roles = Some(vec!["reader".to_owned()]);
    let new = NewApplicationCredential { name: "reader".to_owned(), roles, ..NewApplicationCredential::default() };
    let (name, secret) = bed.credential(new).await;
    let user = keystone.log_in(&name, &secret).await.expect("let in");
    assert!(user.permissions.allows_in(&own, Action::Pull) && !user.permissions.allows_in(&own, Action::Push));
}

#[tokio::test]
async fn access_rules_of_a_credential_are_kept() {
    let bed = Bed::start().await;
    let keystone = bed.keystone();
    let own = own(&bed.project("demo"));
    let rule = |service: &str, method: &str, path: &str| AccessRule {
        service: service.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
    };
    let credential = |name: &str, rule: AccessRule| NewApplicationCredential {
        name: name.to_owned(),
        access_rules: Some(vec![rule]),
        ..NewApplicationCredential::default()
    };
    let storage = credential("storage", rule("object-store", "GET", "/v1/AUTH_x/docker_registry/**"));
    let (name, secret) = bed.credential(storage).await;
    assert!(matches!(keystone.log_in(&name, &secret).await, Err(NotIn::AccessRules)));
    let (name, secret) = bed.credential(credential("pull", rule("registry", "GET", "/v2/**"))).await;
    let user = keystone.log_in(&name, &secret).await.expect("let in");
    assert!(user.permissions.allows_in(&own, Action::Pull) && !user.permissions.allows_in(&own, Action::Push));
    // A rule for one repository is none for the others of the project.
    let one = credential("one", rule("registry", "GET", &format!("/v2/{own}/one/**")));
    let (name, secret) = bed.credential(one).await;
    let user = keystone.log_in(&name, &secret).await.expect("let in");
    let may = |name: &str| user.permissions.allows_in(&format!("{own}/{name}"), Action::Pull);
    assert_eq!((may("one"), may("two")), (true, false));
}

#[tokio::test]
async fn while_keystone_is_away_who_was_let_in_may_go_on_pulling() {
    let bed = Bed::start().await;
    let keystone = bed.with(KeystoneConfig { cache: Duration::from_millis(1), ..bed.config() }, Vec::new());
    let password = SecretString::from(PASSWORD.to_owned());
    let own = own(&bed.project("demo"));
    keystone.log_in("demo/demo", &password).await.expect("let in");
    bed.faults.add(&FaultRule::always(Fault::Cloud {
        service: "identity".to_owned(),
        status: 503,
        retry_after_seconds: Some(0),
    }));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let stale = keystone.log_in("demo/demo", &password).await.expect("let in for now");
    assert!(stale.permissions.allows_in(&own, Action::Pull) && !stale.permissions.allows_in(&own, Action::Push));
    // Another password was never right, and nobody can say whether it is now.
    let other = keystone.log_in("demo/demo", &"other".into()).await;
    assert!(matches!(other, Err(NotIn::Away(_))), "{other:?}");
    bed.clock.advance(Duration::from_secs(901));
    let late = keystone.log_in("demo/demo", &password).await;
    assert!(matches!(late, Err(NotIn::Away(_))), "{late:?}");
    bed.faults.clear();
    keystone.log_in("demo/demo", &password).await.expect("let in again");
}

#[tokio::test]
async fn while_keystone_is_away_its_word_is_good_until_it_ends() {
    let bed = Bed::start().await;
    let days = Duration::from_secs(2 * 86_400);
    let keystone = bed.with(KeystoneConfig { stale_ok: days, ..bed.config() }, Vec::new());
    let user = keystone.log_in("demo/demo", &PASSWORD.into()).await.expect("let in");
    bed.faults.add(&FaultRule::always(Fault::Cloud {
        service: "identity".to_owned(),
        status: 503,
        retry_after_seconds: Some(0),
    }));
    let left = user.ends.duration_since(bed.clock.now()).unsigned_abs();
    assert!(left < days, "{left:?}");
    bed.clock.advance(left);
    let ended = keystone.log_in("demo/demo", &PASSWORD.into()).await;
    assert!(matches!(ended, Err(NotIn::Away(_))), "{ended:?}");
}

#[tokio::test]
async fn many_who_show_the_same_are_one_log_in() {
    let bed = Bed::start().await;
    let keystone = bed.keystone();
    let rule = FaultRule::always(Fault::CloudSlow { service: "identity".to_owned(), milliseconds: 50 });
    let id = bed.faults.add(&rule);
    let password = SecretString::from(PASSWORD.to_owned());
    let all = futures::future::join_all((0..20).map(|_| keystone.log_in("demo/demo", &password))).await;
    assert!(all.iter().all(Result::is_ok));
    let hits = bed.faults.list().into_iter().find(|rule| rule["id"] == id.as_str()).expect("the rule")["hits"].clone();
    assert_eq!(hits, 1);
}
