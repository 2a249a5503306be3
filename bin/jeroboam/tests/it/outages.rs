//! What the service needs goes away while it is needed. Meanwhile each request gets a clear answer; afterwards everything that
//! was accepted is done.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use jeroboam_store::testing::{Engine, KEY, MortalServer};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bed::{Answer, Cloud, Process, Tenant, free_port, until};
use crate::life;

/// A small cluster.
const SMALL: life::Plan<'static> = life::Plan { control_planes: 1, workers: 1, ..life::SANDBOX };

/// What is said of a database that is away.
const NO_DATABASE: &str = "The database is temporarily unavailable, please try again later.";

/// The sentence of an error.
fn detail(answer: &Answer) -> &str {
    answer.body["errors"][0]["detail"].as_str().unwrap_or_default()
}

/// A file of options that is read after the cloud's own.
fn options(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("utf-8").to_owned()
}

/// Waits until a process has said something.
async fn until_said(process: &mut Process, words: &str) {
    until(&format!("the words {words:?}"), || {
        assert!(!process.ended(), "the process ended: {}", process.last_words());
        let said = std::fs::read_to_string(&process.log).is_ok_and(|log| log.contains(words));
        async move { said.then_some(()) }
    })
    .await;
}

/// Waits until clusters are listed again.
async fn until_listed(tenant: &Tenant) {
    until("clusters to be listed", || async {
        let answer = tenant.ask(Method::GET, "/clusters", None).await?;
        assert!(answer.status == 200 || answer.status == 503, "{}", answer.body);
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_down_at_start_is_waited_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut database = MortalServer::prepare(Engine::MariaDb);
    let cloud = Cloud::start(dir.path(), "20").await;
    let shared = options(dir.path(), "shared.conf", &mariadb(&database));
    let mut first = cloud.launch(dir.path(), "first", &["--config-file", &shared]);
    // Another process of the same database, which leaves the tables to others.
    let port = free_port();
    let own = options(dir.path(), "own.conf", &format!("[api]\nport = {port}\n"));
    let base = cloud.dir.join("magnum.conf");
    let args = ["all", "--config-file", base.to_str().expect("utf-8"), "--config-file", &shared, "--config-file", &own];
    let mut second = Process::start(dir.path(), "second", &args);
    let tenant = cloud.demo().await;
    let at_second = tenant.at(port);

    let answer = until("an answer", || at_second.ask(Method::GET, "/clusters", None)).await;
    assert_eq!((answer.status, detail(&answer)), (503, NO_DATABASE), "{}", answer.body);
    until_said(&mut first, "the database does not answer, trying again").await;
    for path in ["/healthz", "/"] {
        let url = format!("http://127.0.0.1:{port}{path}");
        let answer = reqwest::get(&url).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
    }
    let ready = reqwest::get(format!("http://127.0.0.1:{port}/readyz")).await.expect("an answer");
    assert_eq!(ready.status(), 503);

    database.raise("magnum").await;
    until_listed(&tenant).await;
    until_listed(&at_second).await;
    let ready = reqwest::get(format!("http://127.0.0.1:{port}/readyz")).await.expect("an answer");
    assert_eq!(ready.status(), 200);
    assert!(!first.ended() && !second.ended());
}

fn mariadb(database: &MortalServer) -> String {
    let url = database.url("magnum");
    format!("[database]\nconnection = {url}\npool_timeout = 2\n[jeroboam]\nencryption_key = {KEY}\nlease_seconds = 3\n")
}

/// Somebody who keeps asking, whatever happens.
struct Asker {
    tenant: Tenant,
    over: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

impl Asker {
    /// Makes templates until it is over; those that were accepted.
    async fn make_templates(self, name: &str) -> Vec<String> {
        let mut accepted = Vec::new();
        let mut number = 0;
        while !self.over.load(Ordering::SeqCst) {
            number += 1;
            let name = format!("{name}-{number}");
            let body = json!({"name": name, "coe": "kubernetes", "image_id": "ubuntu-kube-v1.33.5", "network_driver": "calico"});
            if self.ask(Method::POST, "/clustertemplates", Some(body), 201).await {
                accepted.push(format!("/clustertemplates/{name}"));
            }
        }
        accepted
    }

    /// Looks at a cluster until it is over.
    async fn look(self, path: String) -> Vec<String> {
        while !self.over.load(Ordering::SeqCst) {
            self.ask(Method::GET, &path, None, 200).await;
        }
        Vec::new()
    }

    /// Makes a few clusters; those that were accepted.
    async fn make_clusters(self, template: &str) -> Vec<String> {
        let mut accepted = Vec::new();
        for number in 0..4 {
            let name = format!("storm-{number}");
            let body = json!({"name": name, "cluster_template_id": template, "node_count": 1});
            if self.ask(Method::POST, "/clusters", Some(body), 202).await {
                accepted.push(format!("/clusters/{name}"));
            }
        }
        accepted
    }

    /// Whether it was done; the only other answer is that the database is away.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>, status: u16) -> bool {
        let what = format!("{method} {path}");
        let answer = self.tenant.ask(method, path, body).await.unwrap_or_else(|| panic!("{what}: no answer"));
        if answer.status == status {
            return true;
        }
        assert_eq!((answer.status, detail(&answer)), (503, NO_DATABASE), "{what}: {}", answer.body);
        self.refused.fetch_add(1, Ordering::SeqCst);
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_dies_under_load_loses_nothing_that_was_accepted() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut database = MortalServer::prepare(Engine::MariaDb);
    database.raise("magnum").await;
    let cloud = Cloud::start(dir.path(), "10").await;
    let shared = options(dir.path(), "shared.conf", &mariadb(&database));
    let mut service = cloud.service(dir.path(), "service", &["--config-file", &shared]).await;
    let tenant = cloud.demo().await;
    let template = tenant.template("good", SMALL.older_image).await;
    let id = life::create(&tenant, "steady", &template, &SMALL).await;

    let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let asker = || Asker { tenant: tenant.clone(), over: Arc::clone(&over), refused: Arc::clone(&refused) };
    let mut askers = JoinSet::new();
    for (name, template) in [("left", template.clone()), ("right", template.clone())] {
        let (maker, looker, path) = (asker(), asker(), format!("/clusters/{id}"));
        askers.spawn(async move { maker.make_templates(name).await });
        askers.spawn(async move { looker.look(path).await });
        let builder = asker();
        if name == "left" {
            askers.spawn(async move { builder.make_clusters(&template).await });
        }
    }
    for round in 1..=2 {
        until("some templates", || async {
            let listed = tenant.find("/clustertemplates?limit=100").await?;
            (listed["clustertemplates"].as_array()?.len() > 3 * round).then_some(())
        })
        .await;
        let before = refused.load(Ordering::SeqCst);
        database.cut_down();
        until("everybody to notice", || async { (refused.load(Ordering::SeqCst) > before + 4).then_some(()) }).await;
        database.raise("magnum").await;
        until_listed(&tenant).await;
    }
    over.store(true, Ordering::SeqCst);
    let mut accepted = Vec::new();
    while let Some(ended) = askers.join_next().await {
        accepted.extend(ended.expect("only clear answers"));
    }
    assert!(accepted.len() > 3, "{accepted:?}");
    for path in &accepted {
        tenant.must(Method::GET, path, None, 200).await;
    }
    tenant.until_status(&id, "CREATE_COMPLETE").await;
    life::until_machines(&tenant, &id, 2).await;
    for cluster in accepted.iter().filter_map(|path| path.strip_prefix("/clusters/")) {
        tenant.until_status(cluster, "CREATE_COMPLETE").await;
    }
    tenant.must(Method::DELETE, &format!("/clusters/{id}"), None, 204).await;
    tenant.until_gone(&id).await;
    assert!(!service.ended());
}

#[tokio::test]
async fn a_management_cluster_that_is_away_is_waited_for_and_said_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut cloud = Cloud::start(dir.path(), "4").await;
    let mut service = cloud.service(dir.path(), "service", &[]).await;
    let tenant = cloud.demo().await;
    let template = tenant.template("good", SMALL.older_image).await;
    let id = life::create(&tenant, "c", &template, &life::Plan { workers: 2, ..SMALL }).await;
    let path = format!("/clusters/{id}");
    until("a first machine", || async {
        let seen = life::machines(&tenant, &id).await;
        (!seen.is_empty()).then_some(())
    })
    .await;

    cloud.process.kill();
    let reason = until("a reason", || async {
        let seen = tenant.must(Method::GET, &path, None, 200).await;
        assert_eq!(seen["status"], "CREATE_IN_PROGRESS", "{seen}");
        let reason = seen["status_reason"].as_str().unwrap_or_default().to_owned();
        reason.contains("management cluster").then_some(reason)
    })
    .await;
    assert!(reason.contains("waiting for the management cluster"), "{reason}");
    // What is known is still told, from the database alone.
    for path in ["/clusters".to_owned(), format!("{path}/nodegroups"), format!("/jeroboam{path}/progress")] {
        tenant.must(Method::GET, &path, None, 200).await;
    }
    let body = json!({"name": "late", "cluster_template_id": template});
    let refused = tenant.ask(Method::POST, "/clusters", Some(body)).await.expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(detail(&refused).contains("temporarily unavailable"), "{}", refused.body);

    cloud.again("20").await;
    let made = tenant.until_status(&id, "CREATE_COMPLETE").await;
    assert!(made["api_address"].as_str().is_some_and(|url| url.starts_with("https://")), "{made}");
    life::until_machines(&tenant, &id, 3).await;

    // It does not answer at all, for a while.
    signal(&cloud.process, "STOP");
    let resize = json!({"node_count": 3});
    tenant.must(Method::POST, &format!("{path}/actions/resize"), Some(resize), 202).await;
    let seen = tenant.must(Method::GET, &path, None, 200).await;
    assert_eq!((&seen["status"], &seen["node_count"]), (&json!("UPDATE_IN_PROGRESS"), &json!(3)));
    signal(&cloud.process, "CONT");
    tenant.until_status(&id, "UPDATE_COMPLETE").await;
    life::until_machines(&tenant, &id, 4).await;

    cloud.process.kill();
    tenant.must(Method::DELETE, &path, None, 204).await;
    let seen = tenant.must(Method::GET, &path, None, 200).await;
    assert_eq!(seen["status"], "DELETE_IN_PROGRESS", "{seen}");
    cloud.again("20").await;
    tenant.until_gone(&id).await;
    assert!(!service.ended());
}

fn signal(process: &Process, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.pid().to_string()]).status();
    assert!(sent.expect("a kill command").success(), "it runs");
}

#[tokio::test]
async fn a_service_of_the_cloud_that_fails_is_named_and_leaves_nothing_half_made() {
    let dir = tempfile::tempdir().expect("a folder");
    let cloud = Cloud::start(dir.path(), "20").await;
    let impatient = options(dir.path(), "impatient.conf", "[jeroboam]\ncall_timeout = 1\n");
    let mut service = cloud.service(dir.path(), "service", &["--config-file", &impatient]).await;
    let tenant = cloud.demo().await;
    let template = tenant.template("good", SMALL.older_image).await;
    let body = json!({"name": "c", "cluster_template_id": template, "keypair": "demo"});
    let credential = ("POST", "/v3/users");
    let any = ("", "");
    let rows = [
        (json!({"fault": "cloud", "status": 503}), "compute", any, "compute service"),
        (json!({"fault": "cloud", "status": 500}), "compute", any, "compute service"),
        (json!({"fault": "cloud", "status": 429, "retry_after_seconds": 1}), "compute", any, "compute service"),
        (json!({"fault": "cloud-slow", "milliseconds": 60_000}), "compute", any, "compute service"),
        (json!({"fault": "cloud-cut"}), "compute", any, "compute service"),
        (json!({"fault": "cloud", "status": 503}), "image", any, "image service"),
        (json!({"fault": "cloud-cut"}), "image", any, "image service"),
        (json!({"fault": "cloud-slow", "milliseconds": 60_000}), "network", any, "network service"),
        (json!({"fault": "cloud", "status": 503}), "identity", credential, "identity service"),
        (json!({"fault": "cloud-slow", "milliseconds": 60_000}), "identity", credential, "identity service"),
        (json!({"fault": "cloud-cut"}), "identity", credential, "identity service"),
    ];
    let mut wrongs = Vec::new();
    for (mut rule, name, (verb, resource), said) in rows {
        rule["service"] = json!(name);
        rule["verb"] = json!(verb);
        rule["resource"] = json!(resource);
        cloud.damage(&rule).await;
        let answer = tenant.ask(Method::POST, "/clusters", Some(body.clone())).await.expect("an answer");
        cloud.mend().await;
        let words = format!("The {said} is temporarily unavailable, please try again later.");
        if (answer.status, detail(&answer)) != (503, words.as_str()) {
            wrongs.push(format!("{rule}: {}", answer.body));
        }
        let listed = tenant.must(Method::GET, "/clusters", None, 200).await;
        assert_eq!(listed["clusters"], json!([]), "{rule}");
    }
    for rule in [
        json!({"fault": "cloud", "status": 503}),
        json!({"fault": "cloud", "status": 500}),
        json!({"fault": "cloud-slow", "milliseconds": 60_000}),
        json!({"fault": "cloud-cut"}),
    ] {
        let unknown = cloud.demo().await;
        let mut rule = rule;
        rule["service"] = json!("identity");
        cloud.damage(&rule).await;
        let answer = unknown.ask(Method::GET, "/clusters", None).await.expect("an answer");
        let known = tenant.ask(Method::GET, "/clusters", None).await.expect("an answer");
        cloud.mend().await;
        let said = answer.body.as_str().unwrap_or_default();
        if answer.status != 503 || !said.contains("The Keystone service is temporarily unavailable.") {
            wrongs.push(format!("{rule}: {} {}", answer.status, answer.body));
        }
        assert_eq!(known.status, 200, "whoever is known needs no Keystone: {}", known.body);
        unknown.must(Method::GET, "/clusters", None, 200).await;
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
    let made = tenant.must(Method::POST, "/clusters", Some(body), 202).await;
    let id = made["uuid"].as_str().expect("a uuid").to_owned();
    tenant.until_status(&id, "CREATE_COMPLETE").await;
    assert!(!service.ended());
}
