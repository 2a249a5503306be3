//! A client: it keeps asking, now one `api` and now the other, and knows what it was promised.
//!
//! Each has clusters, templates and quotas of its own, and some a node group in a cluster with those of others, which nobody else
//! changes, so that after every answer it is plain what has to be there. Where no answer came, or a 503, it looks whether its
//! request was accepted, as anybody would.

mod change;
mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jeroboam_model::{Clock as _, SystemClock};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::bed::Bed;
use super::ledger::{End, Ledger};
use crate::bed::{Answer, PATIENCE, Tenant, until};

/// The group that resizes are of when nobody says.
pub(super) const WORKERS: &str = "default-worker";

/// So many clients make a cluster at the same time.
const MAKERS: usize = 3;

/// So many clients have node groups of their own in clusters that stay, side by side with those of others.
const GUESTS: usize = 12;

/// Limits of quotas are above this, and the one that holds without them is below.
const QUOTAS_FROM: i64 = 100;

/// What all clients have in common.
pub(super) struct Shared {
    pub(super) ledger: Ledger,
    pub(super) demo: [Tenant; 2],
    pub(super) admin: [Tenant; 2],
    /// A template that stays.
    pub(super) template: String,
    /// Clusters that stay.
    common: [String; 2],
    /// Projects whose quotas are changed.
    pub(super) projects: Vec<String>,
    /// As many clusters the project may have.
    clusters: u64,
    over: AtomicBool,
    /// Making the keys of a cluster takes a processor for a while: more at once would only show how long a request may wait.
    makers: Semaphore,
    /// Clusters that somebody has made.
    known: Mutex<Vec<String>>,
}

impl Shared {
    pub(super) async fn new(bed: &Bed, clusters: u64) -> Self {
        let (demo, admin) = (bed.demo().await, bed.admin().await);
        let template = demo[0].template("lasting", "ubuntu-kube-v1.33.5").await;
        let shown = demo[1].must(Method::GET, &format!("/clustertemplates/{template}"), None, 200).await;
        let project = shown["project_id"].as_str().expect("a project").to_owned();
        let quota = json!({"project_id": project, "hard_limit": clusters});
        admin[0].must(Method::POST, "/quotas", Some(quota), 201).await;
        let common = ["common-0", "common-1"].map(str::to_owned);
        for (name, tenant) in common.iter().zip(&demo) {
            let body = json!({"name": name, "cluster_template_id": template, "node_count": 1, "master_count": 1});
            tenant.must(Method::POST, "/clusters", Some(body), 202).await;
        }
        let mut projects = bed.cloud.documents().await.remove("project").expect("projects");
        projects.retain(|other| *other != project);
        let (ledger, makers) = (Ledger::default(), Semaphore::new(MAKERS));
        let (over, known) = (AtomicBool::new(false), Mutex::default());
        Self { ledger, demo, admin, template, common, projects, clusters, over, makers, known }
    }

    /// Waits until there is something to be lost.
    pub(super) async fn until_some_are_made(&self) {
        until("the first clusters", || async {
            let seen = self.demo[0].find("/clusters").await?;
            let is_made = |cluster: &&Value| cluster["status"] != "CREATE_IN_PROGRESS";
            let made = seen["clusters"].as_array()?.iter().filter(is_made).count();
            (made as u64 >= self.clusters / 4).then_some(())
        })
        .await;
    }

    pub(super) fn stop(&self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// What is known of a node group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// The sizes it may have; `None` is not being there.
    pub(super) counts: BTreeSet<Option<i64>>,
    /// The upper bounds it may have; 0 is none.
    pub(super) bounds: BTreeSet<i64>,
}

impl Group {
    fn of(count: i64) -> Self {
        Self { counts: [Some(count)].into(), bounds: [0].into() }
    }

    fn is_there(&self) -> bool {
        !self.counts.contains(&None)
    }
}

/// A cluster of a client's.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    pub(super) name: String,
    /// Its groups of workers.
    pub(super) groups: BTreeMap<String, Group>,
    /// Its deletion was accepted.
    pub(super) leaving: bool,
    /// Others have node groups in it, too, and it stays.
    pub(super) common: bool,
}

impl Owned {
    pub(super) fn path(&self) -> String {
        format!("/clusters/{}", self.name)
    }
}

/// What a client was promised when all is over.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) clusters: Vec<Owned>,
    pub(super) templates: Vec<String>,
    /// Whether these are there nobody knows: no answer came, and they were not there when it was looked.
    pub(super) doubtful_clusters: Vec<Owned>,
    /// Likewise.
    pub(super) doubtful_templates: Vec<String>,
    /// A project and the quotas it may have; `None` is no row.
    pub(super) quota: Option<(String, BTreeSet<Option<i64>>)>,
}

/// What became of a request that changes something.
enum Fate {
    Done,
    Refused(Answer),
    /// Nobody knows.
    Open,
}

pub(super) struct Client {
    number: usize,
    random: StdRng,
    shared: Arc<Shared>,
    left: Left,
    /// How many names were given so far.
    named: usize,
}

impl Client {
    pub(super) fn new(number: usize, seed: u64, shared: Arc<Shared>) -> Self {
        let project = shared.projects.get(number).cloned();
        let mut left = Left { quota: project.map(|project| (project, [None].into())), ..Left::default() };
        if number < GUESTS {
            let name = shared.common[number % shared.common.len()].clone();
            left.clusters.push(Owned { name, groups: BTreeMap::new(), leaving: false, common: true });
        }
        Self { number, random: StdRng::seed_from_u64(seed), shared, left, named: 0 }
    }

    /// Asks until it is over.
    pub(super) async fn live(mut self) -> Left {
        while !self.shared.over.load(Ordering::SeqCst) {
            let pause = self.random.random_range(100..700);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            match self.random.random_range(0..100) {
                0..14 => self.look_at_own().await,
                14..24 => self.look_at_others().await,
                24..34 => self.list().await,
                34..42 => self.look_at_groups().await,
                42..46 => self.look_at_template().await,
                46..52 => self.change_templates().await,
                52..62 => self.create().await,
                62..76 => self.resize().await,
                76..92 => self.change_groups().await,
                92..97 => self.delete().await,
                _ => self.change_quota().await,
            }
        }
        self.left
    }

    // === what is asked ===

    /// One request, answered by one of the two. `None`: the connection ended before the answer.
    async fn ask(&mut self, what: &'static str, method: Method, path: &str, body: Option<&Value>) -> Option<Answer> {
        let began = Instant::now();
        let mut api: usize = self.random.random_range(0..2);
        let shared = Arc::clone(&self.shared);
        let callers = if path.starts_with("/quotas") { &shared.admin } else { &shared.demo };
        loop {
            let sent = Instant::now();
            let request = callers[api].request(method.clone(), path);
            let request = body.into_iter().fold(request, reqwest::RequestBuilder::json);
            let error = match answer(request).await {
                Ok(answer) => {
                    shared.ledger.ended(what, sent, End::Status(answer.status));
                    if answer.status >= 500 {
                        shared.ledger.failed(sent, &answer, &format!("{method} {path}"));
                    }
                    return Some(answer);
                }
                Err(error) => error,
            };
            let refused = error.is_connect();
            shared.ledger.ended(what, sent, if refused { End::Refused } else { End::Cut });
            if error.is_timeout() {
                let (at, client) = (SystemClock.now(), self.number);
                shared.ledger.wrong(format!("client {client}: {method} {path} of api {api}: no answer at all by {at}"));
            }
            if !refused && method != Method::GET {
                return None;
            }
            assert!(began.elapsed() < PATIENCE, "{method} {path}: neither of the two answers: {error:?}");
            api = 1 - api;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks for something until it is said whether it is there.
    async fn see(&mut self, what: &'static str, path: &str) -> Answer {
        let began = Instant::now();
        loop {
            match self.ask(what, Method::GET, path, None).await {
                Some(answer) if answer.status < 500 => return answer,
                _ => assert!(began.elapsed() < PATIENCE, "{path}: nobody knows"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn change(
        &mut self,
        what: &'static str,
        method: Method,
        path: &str,
        body: Option<Value>,
        good: StatusCode,
    ) -> Fate {
        match self.ask(what, method, path, body.as_ref()).await {
            Some(answer) if answer.status == good.as_u16() => Fate::Done,
            Some(answer) if answer.status < 500 => Fate::Refused(answer),
            _ => Fate::Open,
        }
    }

    fn wrong(&self, words: &str, about: &str, answer: &Answer) {
        self.shared
            .ledger
            .wrong(format!("client {}: {about}: {words}: {} {}", self.number, answer.status, answer.body));
    }

    /// A refusal is right only where the words of it are among these, or while the cluster is being worked on.
    fn refused(&self, about: &str, answer: &Answer, right: &[&str]) {
        let words = answer.body["errors"][0]["detail"].as_str().unwrap_or_default();
        let at_work = ["is being changed by other requests at the same time", "is not supported."];
        if !at_work.iter().chain(right).any(|part| words.contains(part)) {
            self.wrong("refused", about, answer);
        }
    }

    fn name(&mut self, kind: &str) -> String {
        self.named += 1;
        format!("{kind}{}-{}", self.number, self.named)
    }

    /// One of the client's clusters that are to stay.
    fn pick(&mut self) -> Option<usize> {
        let staying: Vec<_> = (0..self.left.clusters.len()).filter(|&n| !self.left.clusters[n].leaving).collect();
        (!staying.is_empty()).then(|| staying[self.random.random_range(0..staying.len())])
    }

    /// One of them that is made, so that it may be changed.
    async fn pick_ready(&mut self) -> Option<usize> {
        let picked = self.pick()?;
        let status = self.status(picked).await?;
        (status.ends_with("_COMPLETE") || status == "UPDATE_IN_PROGRESS").then_some(picked)
    }
}

async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
}
