//! A client: it keeps asking, now one `api` and now the other, and knows what it was promised.
//!
//! Each has clusters, templates and quotas of its own, which nobody else changes, so that after every answer it is plain what
//! has to be there. Where no answer came, or a 503, it looks whether its request was accepted, as anybody would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// Limits of quotas are above this, and the one that holds without them is below.
const QUOTAS_FROM: i64 = 100;

/// What all clients have in common.
pub(super) struct Shared {
    pub(super) ledger: Ledger,
    pub(super) demo: [Tenant; 2],
    pub(super) admin: [Tenant; 2],
    /// A template that stays.
    pub(super) template: String,
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
        let mut projects = bed.cloud.documents().await.remove("project").expect("projects");
        projects.retain(|other| *other != project);
        let (ledger, makers) = (Ledger::default(), Semaphore::new(MAKERS));
        let (over, known) = (AtomicBool::new(false), Mutex::default());
        Self { ledger, demo, admin, template, projects, clusters, over, makers, known }
    }

    /// Waits until there is something to be lost.
    pub(super) async fn until_half_full(&self) {
        until("the first clusters", || {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
            async move { (known >= self.clusters / 2).then_some(()) }
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
        let left = Left { quota: project.map(|project| (project, [None].into())), ..Left::default() };
        Self { number, random: StdRng::seed_from_u64(seed), shared, left, named: 0 }
    }

    /// Asks until it is over.
    pub(super) async fn live(mut self) -> Left {
        while !self.shared.over.load(Ordering::SeqCst) {
            let pause = self.random.random_range(100..700);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            match self.random.random_range(0..100) {
                0..20 => self.look_at_own().await,
                20..34 => self.look_at_others().await,
                34..46 => self.list().await,
                46..54 => self.look_at_groups().await,
                54..58 => self.look_at_template().await,
                58..66 => self.change_templates().await,
                66..76 => self.create().await,
                76..84 => self.resize().await,
                84..92 => self.change_groups().await,
                92..96 => self.delete().await,
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
                    shared.ledger.ended(what, End::Status(answer.status));
                    if answer.status >= 500 {
                        shared.ledger.failed(sent, format!("{} {method} {path}: {}", answer.status, answer.body));
                    }
                    return Some(answer);
                }
                Err(error) => error,
            };
            assert!(!error.is_timeout(), "{method} {path}: no answer at all: {error:?}");
            let refused = error.is_connect();
            shared.ledger.ended(what, if refused { End::Refused } else { End::Cut });
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

/// Reading.
impl Client {
    /// The status of one of the client's own, which must be such as its requests make it; `None` when it is gone.
    async fn status(&mut self, number: usize) -> Option<String> {
        let (path, leaving) = (self.left.clusters[number].path(), self.left.clusters[number].leaving);
        let seen = self.see("GET cluster", &path).await;
        if seen.status == 404 {
            if !leaving {
                self.wrong("an accepted cluster is lost", &path, &seen);
            }
            self.left.clusters.remove(number);
            return None;
        }
        let status = seen.body["status"].as_str().unwrap_or_default().to_owned();
        let right = if leaving { status == "DELETE_IN_PROGRESS" } else { !status.starts_with("DELETE") };
        if seen.status != 200 || status.ends_with("_FAILED") || !right {
            self.wrong("it should not be so", &path, &seen);
        }
        Some(status)
    }

    async fn look_at_own(&mut self) {
        if !self.left.clusters.is_empty() {
            let number = self.random.random_range(0..self.left.clusters.len());
            self.status(number).await;
        }
    }

    async fn look_at_others(&mut self) {
        let picked = {
            let known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.is_empty() { None } else { Some(known[self.random.random_range(0..known.len())].clone()) }
        };
        let Some(name) = picked else { return };
        let path = format!("/clusters/{name}");
        if let Some(seen) = self.ask("GET other", Method::GET, &path, None).await
            && ![200, 404, 503].contains(&seen.status)
        {
            self.wrong("it should be there or not", &path, &seen);
        }
    }

    /// All that are the client's own are listed, and no more are there than the project may have.
    async fn list(&mut self) {
        let seen = self.see("GET clusters", "/clusters").await;
        let listed = seen.body["clusters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names: BTreeSet<_> = listed.iter().filter_map(|cluster| cluster["name"].as_str()).collect();
        let staying = self.left.clusters.iter().filter(|own| !own.leaving);
        let lost: Vec<_> = staying.filter(|own| !names.contains(own.name.as_str())).map(|own| &own.name).collect();
        if seen.status != 200 || !lost.is_empty() || listed.len() as u64 > self.shared.clusters {
            let words = format!("client {}: the list lacks {lost:?}, or has too many: {}", self.number, seen.body);
            self.shared.ledger.wrong(words);
        }
    }

    async fn look_at_groups(&mut self) {
        if let Some(number) = self.pick() {
            self.groups(number).await;
        }
    }

    /// The sizes of a cluster's groups, which must be such as were asked for.
    async fn groups(&mut self, number: usize) -> BTreeMap<String, i64> {
        let path = format!("{}/nodegroups", self.left.clusters[number].path());
        let seen = self.see("GET nodegroups", &path).await;
        let listed = seen.body["nodegroups"].as_array().cloned().unwrap_or_default();
        let sizes: BTreeMap<_, _> = listed
            .iter()
            .filter_map(|group| Some((group["name"].as_str()?.to_owned(), group["node_count"].as_i64()?)))
            .collect();
        let known = &self.left.clusters[number].groups;
        let right = |(name, group): (&String, &Group)| match sizes.get(name) {
            // A group that is to go is there until its machines are gone.
            Some(count) => !group.is_there() || group.counts.contains(&Some(*count)),
            None => group.counts.contains(&None),
        };
        let strangers = sizes.keys().any(|name| name != "default-master" && !known.contains_key(name));
        if seen.status != 200 || strangers || !known.iter().all(right) {
            self.wrong(&format!("{known:?} is what was asked for"), &path, &seen);
        }
        sizes
    }

    async fn look_at_template(&mut self) {
        let Some(name) = self.left.templates.last().cloned() else { return };
        let path = format!("/clustertemplates/{name}");
        let seen = self.see("GET template", &path).await;
        if seen.status != 200 {
            self.wrong("an accepted template is lost", &path, &seen);
        }
    }
}

/// Changing.
impl Client {
    async fn change_templates(&mut self) {
        if self.left.templates.len() < 3 && self.random.random_bool(0.6) {
            let name = self.name("t");
            let path = format!("/clustertemplates/{name}");
            let body = json!({"name": name, "coe": "kubernetes", "image_id": "ubuntu-kube-v1.33.5",
                "external_network_id": "public", "flavor_id": "m1.small", "master_flavor_id": "m1.medium",
                "master_lb_enabled": true, "floating_ip_enabled": true, "network_driver": "calico"});
            let fate = self.change("POST template", Method::POST, "/clustertemplates", Some(body), StatusCode::CREATED);
            match fate.await {
                Fate::Done => self.left.templates.push(name),
                Fate::Refused(answer) => self.refused(&path, &answer, &[]),
                Fate::Open if self.see("GET template", &path).await.status == 200 => self.left.templates.push(name),
                Fate::Open => self.left.doubtful_templates.push(name),
            }
            self.look_at_template().await;
        } else if !self.left.templates.is_empty() {
            let picked = self.random.random_range(0..self.left.templates.len());
            let path = format!("/clustertemplates/{}", self.left.templates[picked]);
            match self.change("DELETE template", Method::DELETE, &path, None, StatusCode::NO_CONTENT).await {
                Fate::Done => drop(self.left.templates.remove(picked)),
                Fate::Refused(answer) => self.refused(&path, &answer, &["is referenced by one or multiple clusters"]),
                Fate::Open => {
                    let name = self.left.templates.remove(picked);
                    self.left.doubtful_templates.push(name);
                }
            }
        }
    }

    async fn create(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Ok(_maker) = shared.makers.try_acquire() else { return };
        if self.left.clusters.len() >= 2 {
            return;
        }
        let (name, count) = (self.name("c"), self.random.random_range(1..3));
        let template = match self.left.templates.last() {
            Some(own) if self.random.random_bool(0.3) => own.clone(),
            _ => self.shared.template.clone(),
        };
        let own = Owned { name, groups: [(WORKERS.to_owned(), Group::of(count))].into(), leaving: false };
        let body = json!({"name": own.name, "cluster_template_id": template, "master_count": 1, "node_count": count});
        match self.change("POST cluster", Method::POST, "/clusters", Some(body), StatusCode::ACCEPTED).await {
            Fate::Done => {}
            Fate::Refused(answer) => {
                return self.refused(&own.path(), &answer, &["You have reached the maximum clusters per project"]);
            }
            Fate::Open => {
                if self.see("GET cluster", &own.path()).await.status == 404 {
                    return self.left.doubtful_clusters.push(own);
                }
            }
        }
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner).push(own.name.clone());
        self.left.clusters.push(own);
        // All of it is there from the first moment.
        let number = self.left.clusters.len() - 1;
        if self.status(number).await.is_some() {
            self.groups(number).await;
        }
    }

    async fn resize(&mut self) {
        let Some(number) = self.pick_ready().await else { return };
        let own = &self.left.clusters[number];
        let there: Vec<_> = own.groups.iter().filter(|(_, group)| group.is_there()).map(|(name, _)| name).collect();
        let group = there[self.random.random_range(0..there.len())].clone();
        let (path, count) = (format!("{}/actions/resize", own.path()), self.random.random_range(1..4));
        let body = json!({"node_count": count, "nodegroup": group});
        let fate = self.change("POST resize", Method::POST, &path, Some(body), StatusCode::ACCEPTED).await;
        let counts = |client: &mut Self| {
            let group = client.left.clusters[number].groups.get_mut(&group);
            group.map(|group| &mut group.counts).map(std::mem::take).unwrap_or_default()
        };
        let mut possible = counts(self);
        match fate {
            Fate::Done => possible = [Some(count)].into(),
            Fate::Refused(answer) => self.refused(&path, &answer, &[]),
            Fate::Open => drop(possible.insert(Some(count))),
        }
        let before = possible.len();
        self.left.clusters[number].groups.entry(group.clone()).or_default().counts = possible;
        if before > 1 {
            let seen = self.groups(number).await;
            if seen.get(&group) == Some(&count) {
                self.left.clusters[number].groups.entry(group).or_default().counts = [Some(count)].into();
            }
        }
    }

    async fn change_groups(&mut self) {
        let Some(number) = self.pick_ready().await else { return };
        let mut extra = self.left.clusters[number].groups.iter().filter(|(name, _)| *name != WORKERS);
        let extra = extra.find(|(_, group)| group.is_there()).map(|(name, _)| name.clone());
        match (extra, self.random.random_range(0..3)) {
            (None, 0 | 1) => self.add_group(number).await,
            (Some(name), 0) => self.remove_group(number, name).await,
            (Some(name), _) => self.bound_group(number, name).await,
            (None, _) => self.bound_group(number, WORKERS.to_owned()).await,
        }
    }

    async fn add_group(&mut self, number: usize) {
        let (name, count) = (self.name("g"), self.random.random_range(1..3));
        let path = format!("{}/nodegroups", self.left.clusters[number].path());
        let body = json!({"name": name, "node_count": count});
        let mut group = Group::of(count);
        match self.change("POST nodegroup", Method::POST, &path, Some(body), StatusCode::ACCEPTED).await {
            Fate::Done => {}
            Fate::Refused(answer) => return self.refused(&path, &answer, &[]),
            Fate::Open => {
                let seen = self.see("GET nodegroup", &format!("{path}/{name}")).await;
                if seen.status == 404 {
                    group.counts.insert(None);
                }
            }
        }
        self.left.clusters[number].groups.insert(name, group);
        self.groups(number).await;
    }

    async fn remove_group(&mut self, number: usize, name: String) {
        let path = format!("{}/nodegroups/{name}", self.left.clusters[number].path());
        let fate = self.change("DELETE nodegroup", Method::DELETE, &path, None, StatusCode::NO_CONTENT).await;
        let Some(group) = self.left.clusters[number].groups.get_mut(&name) else { return };
        match fate {
            Fate::Done => group.counts = [None].into(),
            Fate::Refused(answer) => self.refused(&path, &answer, &[]),
            Fate::Open => {
                group.counts.insert(None);
                self.groups(number).await;
            }
        }
    }

    /// Another upper bound.
    async fn bound_group(&mut self, number: usize, name: String) {
        let path = format!("{}/nodegroups/{name}", self.left.clusters[number].path());
        let bound = self.random.random_range(3..9);
        let patch = json!([{"op": "replace", "path": "/max_node_count", "value": bound}]);
        let fate = self.change("PATCH nodegroup", Method::PATCH, &path, Some(patch), StatusCode::ACCEPTED).await;
        let Some(group) = self.left.clusters[number].groups.get_mut(&name) else { return };
        match fate {
            Fate::Done => group.bounds = [bound].into(),
            Fate::Refused(answer) => return self.refused(&path, &answer, &[]),
            Fate::Open => drop(group.bounds.insert(bound)),
        }
        let possible = group.bounds.clone();
        let seen = self.see("GET nodegroup", &path).await;
        let shown = seen.body["max_node_count"].as_i64().unwrap_or_default();
        if seen.status != 200 || !possible.contains(&shown) {
            self.wrong(&format!("its bound is none of {possible:?}"), &path, &seen);
        }
    }

    async fn delete(&mut self) {
        let Some(number) = self.pick() else { return };
        let Some(status) = self.status(number).await else { return };
        if !status.ends_with("_COMPLETE") && self.random.random_bool(0.8) {
            return;
        }
        let path = self.left.clusters[number].path();
        loop {
            match self.change("DELETE cluster", Method::DELETE, &path, None, StatusCode::NO_CONTENT).await {
                Fate::Done => break,
                Fate::Refused(answer) => {
                    self.refused(&path, &answer, &[]);
                    if answer.status != 409 {
                        return;
                    }
                }
                Fate::Open => {
                    let seen = self.see("GET cluster", &path).await;
                    if seen.status == 404 || seen.body["status"] == "DELETE_IN_PROGRESS" {
                        break;
                    }
                }
            }
        }
        self.left.clusters[number].leaving = true;
    }

    async fn change_quota(&mut self) {
        let Some((project, before)) = self.left.quota.clone() else {
            let seen = self.see("GET stats", "/stats").await;
            if seen.status != 200 {
                self.wrong("no figures", "/stats", &seen);
            }
            return;
        };
        let path = format!("/quotas/{project}/Cluster");
        let seen = self.see("GET quota", &path).await;
        let shown = seen.body["hard_limit"].as_i64().filter(|limit| *limit >= QUOTAS_FROM);
        if seen.status != 200 || !before.contains(&shown) {
            self.wrong(&format!("the quota is none of {before:?}"), &path, &seen);
        }
        let wanted = Some(self.random.random_range(QUOTAS_FROM..QUOTAS_FROM + 900));
        let body = json!({"hard_limit": wanted});
        let (fate, after) = match shown {
            None => {
                let body = json!({"project_id": project, "resource": "Cluster", "hard_limit": wanted});
                (self.change("POST quota", Method::POST, "/quotas", Some(body), StatusCode::CREATED).await, wanted)
            }
            Some(_) if self.random.random_bool(0.3) => {
                (self.change("DELETE quota", Method::DELETE, &path, None, StatusCode::NO_CONTENT).await, None)
            }
            Some(_) => {
                (self.change("PATCH quota", Method::PATCH, &path, Some(body), StatusCode::ACCEPTED).await, wanted)
            }
        };
        let possible = match fate {
            Fate::Done => [after].into(),
            Fate::Refused(answer) => {
                // What was open has been decided since it was looked at.
                if before.len() == 1 {
                    self.wrong("refused", &path, &answer);
                }
                before
            }
            Fate::Open => [after, shown].into_iter().chain(before).collect(),
        };
        self.left.quota = Some((project, possible));
    }
}
