//! Power cuts: the service is killed at every write that it makes during a cluster's life, and two fresh processes finish the life.
//!
//! Every write to the database and to the management cluster has two fault points, just before and just after. Life number
//! n is cut at fault point n of its process; the lives go on until one of them ends without a cut. A life has some
//! hundreds: `make test` cuts at every thirty-second, from another beginning at each run, `make test-crash` at each.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jeroboam_model::Timestamp;
use jeroboam_store::testing::KEY;
use jeroboam_store::{Store, StoreConfig};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bed::{Answer, Cloud, Process, Tenant, free_port, setting, writeln};
use crate::life::SANDBOX;

/// Lives lived side by side: while one waits another computes. All watch one management cluster, so more cost each more.
const ABREAST: usize = 3;

/// Where a life keeps its rows.
fn database(dir: &Path) -> String {
    format!("sqlite:///{}/magnum.sqlite", dir.display())
}

/// One life: its own database and port, the same pretend cloud.
struct Life {
    dir: PathBuf,
    name: String,
    tenant: Tenant,
    config: Vec<String>,
    doomed: Process,
    fresh: Vec<Process>,
}

impl Life {
    fn begin(cloud: &Cloud, home: &Path, tenant: &Tenant, number: u64) -> Self {
        let dir = home.join(format!("life-{number}"));
        std::fs::create_dir(&dir).expect("a folder");
        let port = free_port();
        let own = dir.join("own.conf");
        let text = format!(
            "[api]\nport = {port}\n[database]\nconnection = {}\n[jeroboam]\nlease_seconds = 3\nrequest_timeout = 10\n\
             encryption_key = {KEY}\n",
            database(&dir)
        );
        std::fs::write(&own, text).expect("written");
        let text = |path: &Path| path.to_str().expect("utf-8").to_owned();
        let config =
            ["--config-file".to_owned(), text(&cloud.dir.join("magnum.conf")), "--config-file".to_owned(), text(&own)];
        let mut args: Vec<&str> = vec!["all"];
        args.extend(config.iter().map(String::as_str));
        let cut = number.to_string();
        args.extend(["--upgrade-database", "--crash-at-write", &cut]);
        let doomed = Process::start(&dir, "doomed", &args);
        let config = config.to_vec();
        Self { name: format!("crash-{number}"), tenant: tenant.at(port), dir, config, doomed, fresh: Vec::new() }
    }

    /// When the power was cut, two fresh processes take over.
    fn look_after(&mut self) {
        for fresh in &mut self.fresh {
            assert!(!fresh.ended(), "{}: a fresh process ended: {}", self.name, fresh.last_words());
        }
        if !self.fresh.is_empty() || !self.doomed.ended() {
            return;
        }
        for (name, role) in [("fresh-api", "all"), ("fresh-reconcile", "reconcile")] {
            let mut args = vec![role];
            args.extend(self.config.iter().map(String::as_str));
            args.push("--upgrade-database");
            self.fresh.push(Process::start(&self.dir, name, &args));
        }
    }

    /// One call; `None` when the power was cut before the answer.
    async fn ask(&mut self, method: Method, path: &str, body: Option<Value>) -> Option<Answer> {
        self.look_after();
        let answer = self.tenant.ask(method.clone(), path, body).await;
        if let Some(answer) = &answer {
            let words = || format!("{}: {method} {path}: {answer:?}\n{}", self.name, self.last_words());
            assert!(answer.status < 500 || answer.status == 503, "{}", words());
        } else {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        answer.filter(|answer| answer.status != 503)
    }

    fn last_words(&self) -> String {
        self.fresh.iter().chain([&self.doomed]).map(Process::last_words).collect::<Vec<_>>().join("\n---\n")
    }

    /// Asks until somebody answers.
    async fn answer(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let began = std::time::Instant::now();
        loop {
            if let Some(answer) = self.ask(method.clone(), path, body.clone()).await {
                return answer;
            }
            assert!(began.elapsed() < crate::bed::PATIENCE, "{}: nobody answers\n{}", self.name, self.last_words());
        }
    }

    async fn template(&mut self, name: &str, image: &str) -> String {
        let body = json!({"name": name, "coe": "kubernetes", "image_id": image, "external_network_id": "public",
            "flavor_id": "m1.small", "master_flavor_id": "m1.medium", "master_lb_enabled": true, "floating_ip_enabled": true});
        loop {
            let known = self.answer(Method::GET, &format!("/clustertemplates/{name}"), None).await;
            if known.status == 200 {
                return known.body["uuid"].as_str().expect("a uuid").to_owned();
            }
            if let Some(made) = self.ask(Method::POST, "/clustertemplates", Some(body.clone())).await {
                assert_eq!(made.status, 201, "{}", made.body);
            }
        }
    }

    /// An application credential of a create that was never accepted is found and revoked.
    async fn until_no_credential_is_left(&self) {
        let config = StoreConfig { key: Some(KEY.into()), ..StoreConfig::at(database(&self.dir).into()) };
        let store = Store::connect(&config).await.expect("the life's database");
        crate::bed::until("nobody's credentials to be revoked", || async {
            let left = store.pending_credentials(Timestamp::MAX).await.expect("the notes");
            left.is_empty().then_some(())
        })
        .await;
    }

    /// Create: an answered request is never lost, an unanswered one is sent again unless it was accepted.
    async fn create(&mut self, template: &str) {
        let body = json!({"name": self.name, "cluster_template_id": template, "node_count": 1, "master_count": 1});
        let path = format!("/clusters/{}", self.name);
        loop {
            if let Some(made) = self.ask(Method::POST, "/clusters", Some(body.clone())).await {
                assert_eq!(made.status, 202, "{}", made.body);
                let there = self.answer(Method::GET, &path, None).await;
                assert_eq!(there.status, 200, "{}: the accepted cluster is lost", self.name);
                return;
            }
            let known = self.answer(Method::GET, &path, None).await;
            if known.status == 200 {
                return;
            }
        }
    }

    async fn until_status(&mut self, wanted: &str) -> Value {
        let path = format!("/clusters/{}", self.name);
        let began = std::time::Instant::now();
        loop {
            let seen = self.answer(Method::GET, &path, None).await;
            assert_eq!(seen.status, 200, "{}: {}", self.name, seen.body);
            let status = seen.body["status"].as_str().unwrap_or_default().to_owned();
            assert!(!status.ends_with("_FAILED"), "{}: {status}: {}", self.name, seen.body["status_reason"]);
            if status == wanted {
                return seen.body;
            }
            assert!(
                began.elapsed() < crate::bed::PATIENCE,
                "{}: waited for {wanted}: {}\n{}",
                self.name,
                seen.body,
                self.last_words()
            );
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    }

    async fn machines(&mut self) -> usize {
        let path = format!("/jeroboam/clusters/{}/progress", self.name);
        let seen = self.answer(Method::GET, &path, None).await;
        seen.body["progress"]["machines"].as_array().map_or(0, Vec::len)
    }

    async fn live(&mut self) {
        let older = self.template("older", SANDBOX.older_image).await;
        let newer = self.template("newer", SANDBOX.newer_image).await;
        self.create(&older).await;
        self.until_status("CREATE_COMPLETE").await;
        assert_eq!(self.machines().await, 2, "{}: a machine too many or too few", self.name);

        let (cluster, name) = (format!("/clusters/{}", self.name), self.name.clone());
        let resize = json!({"node_count": 2});
        let accepted = self.answer(Method::POST, &format!("{cluster}/actions/resize"), Some(resize)).await;
        assert_eq!(accepted.status, 202, "{name}: {}", accepted.body);
        let resized = self.until_status("UPDATE_COMPLETE").await;
        assert_eq!(resized["node_count"], 2, "{name}: the accepted resize is lost");
        assert_eq!(self.machines().await, 3, "{name}: a machine too many or too few");

        loop {
            let upgrade = json!({"cluster_template": newer, "max_batch_size": 1});
            let asked = self.ask(Method::POST, &format!("{cluster}/actions/upgrade"), Some(upgrade)).await;
            assert!(asked.as_ref().is_none_or(|answer| answer.status == 202), "{name}: {asked:?}");
            let seen = self.answer(Method::GET, &cluster, None).await;
            if seen.body["cluster_template_id"] == newer.as_str() {
                break;
            }
            assert!(asked.is_none(), "{name}: the accepted upgrade is lost");
        }
        let upgraded = self.until_status("UPDATE_COMPLETE").await;
        assert_eq!(upgraded["coe_version"], SANDBOX.newer, "{name}");
        assert_eq!(self.machines().await, 3, "{name}: a machine too many or too few");

        let began = std::time::Instant::now();
        self.answer(Method::DELETE, &cluster, None).await;
        loop {
            let seen = self.answer(Method::GET, &cluster, None).await;
            if seen.status == 404 {
                break;
            }
            let status = seen.body["status"].as_str().unwrap_or_default();
            if status != "DELETE_IN_PROGRESS" {
                // The cut came before the request was accepted: it was never answered, so it is sent again.
                assert!(!status.starts_with("DELETE"), "{name}: {}", seen.body);
                self.answer(Method::DELETE, &cluster, None).await;
            }
            assert!(began.elapsed() < crate::bed::PATIENCE, "{name}: never gone: {}\n{}", seen.body, self.last_words());
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_life_cut_at_any_write_is_finished_by_others() {
    let home = tempfile::tempdir().expect("a folder");
    let cloud = Arc::new(Cloud::start(home.path(), "100").await);
    let tenant = cloud.demo().await;
    let before = cloud.things().await;
    let stride: u64 = setting("JEROBOAM_CRASH_STRIDE").map_or(32, |text| text.parse().expect("a whole number"));
    let first = 1 + u64::from(std::process::id()) % stride;
    writeln(&format!("cutting at every {stride}. fault point from {first} on"));
    let (next, uncut) = (Arc::new(AtomicU64::new(first)), Arc::new(AtomicBool::new(false)));
    let mut lives = JoinSet::new();
    for _ in 0..ABREAST {
        let (cloud, tenant, home) = (Arc::clone(&cloud), tenant.clone(), home.path().to_owned());
        let (next, uncut) = (Arc::clone(&next), Arc::clone(&uncut));
        lives.spawn(async move {
            while !uncut.load(Ordering::SeqCst) {
                let number = next.fetch_add(stride, Ordering::SeqCst);
                let mut life = Life::begin(&cloud, &home, &tenant, number);
                life.live().await;
                life.until_no_credential_is_left().await;
                if !life.doomed.ended() {
                    uncut.store(true, Ordering::SeqCst);
                }
                drop(life);
                std::fs::remove_dir_all(home.join(format!("life-{number}"))).ok();
            }
        });
    }
    while let Some(ended) = lives.join_next().await {
        ended.expect("every life ends well");
    }
    let points = next.load(Ordering::SeqCst);
    writeln(&format!("a life has about {points} fault points; {} lives were cut and finished", points / stride));
    assert!(points > 200, "a life of {points} fault points can't be whole");
    let began = std::time::Instant::now();
    loop {
        let after = cloud.things().await;
        let left: Vec<_> = after.difference(&before).collect();
        if left.is_empty() {
            break;
        }
        assert!(began.elapsed() < crate::bed::PATIENCE, "left in the cloud: {left:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
