//! Processes of the binary, started on free ports and ended by pid, and a caller who talks to them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

/// How long anything may take before a test gives up on it: generous, as machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A process that dies with its owner.
pub(crate) struct Process {
    child: Child,
    pub(crate) log: PathBuf,
}

impl Process {
    /// Starts the binary with `args`; what it says goes to `dir/name.log`.
    pub(crate) fn start(dir: &Path, name: &str, args: &[&str]) -> Self {
        let log = dir.join(format!("{name}.log"));
        let output = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        // The crash table lives hundreds of lives, and so with the released program, which the bench builds as well.
        let program = setting("JEROBOAM_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_jeroboam").to_owned());
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("the binary starts");
        Self { child, log }
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Whether it ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let from = text.lines().count().saturating_sub(40);
        text.lines().skip(from).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A free port of the loopback address.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Waits until `done` gives something, and fails with `what` when it never does.
pub(crate) async fn until<T, F, Fut>(what: &str, mut done: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let began = Instant::now();
    loop {
        if let Some(found) = done().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited {} s for {what}", began.elapsed().as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The pretend cloud as a process of its own: it survives the service's death.
pub(crate) struct Cloud {
    pub(crate) process: Process,
    pub(crate) dir: PathBuf,
    pub(crate) api_port: u16,
}

impl Cloud {
    /// Starts it in `dir` and waits for its files.
    pub(crate) async fn start(dir: &Path, speed: &str) -> Self {
        Self::at(dir, speed, free_port()).await
    }

    /// The same cloud again, after its process ended: on the same ports and with all that it knew.
    pub(crate) async fn again(&mut self, speed: &str) {
        self.process.kill();
        let dir = self.dir.parent().expect("a folder around the cloud's").to_owned();
        std::fs::remove_file(self.dir.join("magnum.conf")).expect("the mark of a ready cloud");
        *self = Self::at(&dir, speed, self.api_port).await;
    }

    async fn at(dir: &Path, speed: &str, api_port: u16) -> Self {
        let data = dir.join("cloud");
        let port = api_port.to_string();
        let args = ["sandbox", "--dir", data.to_str().expect("utf-8"), "--api-port", &port, "--speed", speed];
        let mut process = Process::start(dir, "cloud", &args);
        let ready = data.join("magnum.conf");
        until("the pretend cloud", || {
            assert!(!process.ended(), "the pretend cloud ended: {}", process.last_words());
            let there = ready.exists().then_some(());
            async move { there }
        })
        .await;
        Self { process, dir: data, api_port }
    }

    /// Starts the service on this cloud and waits until it answers.
    pub(crate) async fn service(&self, dir: &Path, name: &str, extra: &[&str]) -> Process {
        let mut process = self.launch(dir, name, extra);
        let url = format!("http://127.0.0.1:{}/", self.api_port);
        let http = reqwest::Client::new();
        until("the service", || {
            assert!(!process.ended(), "the service ended: {}", process.last_words());
            let asked = http.get(&url).send();
            async move { asked.await.is_ok_and(|answer| answer.status().is_success()).then_some(()) }
        })
        .await;
        process
    }

    /// Starts the service and waits for nothing.
    pub(crate) fn launch(&self, dir: &Path, name: &str, extra: &[&str]) -> Process {
        let config = self.dir.join("magnum.conf");
        let mut args = vec!["all", "--config-file", config.to_str().expect("utf-8"), "--upgrade-database"];
        args.extend_from_slice(extra);
        Process::start(dir, name, &args)
    }

    /// Somebody of the demo project.
    pub(crate) async fn demo(&self) -> Tenant {
        Tenant::log_in(&self.dir.join("clouds.yaml"), self.api_port, "demo", "demo").await
    }

    /// Somebody of another project, who administers everything.
    pub(crate) async fn admin(&self) -> Tenant {
        Tenant::log_in(&self.dir.join("clouds.yaml"), self.api_port, "admin", "admin").await
    }

    /// Where the cloud's services listen.
    pub(crate) fn base(&self) -> String {
        let text = std::fs::read_to_string(self.dir.join("clouds.yaml")).expect("clouds.yaml");
        let url = text.lines().find_map(|line| line.trim_start().strip_prefix("auth_url: ")).expect("auth_url");
        url.trim_end_matches("/v3").to_owned()
    }

    /// Makes something go wrong in the cloud until [`Cloud::mend`].
    pub(crate) async fn damage(&self, rule: &Value) {
        let asked = reqwest::Client::new().post(format!("{}/_sandbox/faults", self.base())).json(rule).send().await;
        assert_eq!(asked.expect("the pretend cloud answers").status(), 201, "{rule}");
    }

    /// The ids of everything that the cloud holds, by collection.
    pub(crate) async fn documents(&self) -> std::collections::BTreeMap<String, Vec<String>> {
        let asked = reqwest::Client::new().get(format!("{}/_sandbox/documents", self.base())).send().await;
        asked.expect("the pretend cloud answers").json().await.expect("collections")
    }

    /// Names of everything in the cloud but what comes and goes by itself, or is made once for all clusters.
    pub(crate) async fn things(&self) -> BTreeSet<String> {
        let lasting = |collection: &str, id: &str| {
            let passing =
                ["token", "sandbox", "faults", "seeded"].contains(&collection) || collection.contains("events");
            !passing && !id.contains("magnum-system") && !id.contains("jeroboam-capo")
        };
        let all = self.documents().await.into_iter().flat_map(|(collection, ids)| {
            let kept = ids.into_iter().filter(|id| lasting(&collection, id)).collect::<Vec<_>>();
            kept.into_iter().map(move |id| format!("{collection} {id}")).collect::<Vec<_>>()
        });
        all.collect()
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn mend(&self) {
        let asked = reqwest::Client::new().delete(format!("{}/_sandbox/faults", self.base())).send().await;
        assert!(asked.expect("the pretend cloud answers").status().is_success());
    }
}

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Tenant {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Tenant {
    /// Gets a token for a user of a project from the Keystone that `clouds` names.
    pub(crate) async fn log_in(clouds: &Path, api_port: u16, user: &str, project: &str) -> Self {
        let text = std::fs::read_to_string(clouds).expect("clouds.yaml");
        let value = |key: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(key)).expect(key);
            line.split_once(": ").expect("a value").1.trim().trim_matches('"').to_owned()
        };
        let http = reqwest::Client::new();
        let auth = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": user, "domain": {"name": "Default"}, "password": value("password")}}},
            "scope": {"project": {"name": project, "domain": {"name": "Default"}}}}});
        let url = format!("{}/auth/tokens", value("auth_url").trim_end_matches('/'));
        let answer = http.post(url).json(&auth).send().await.expect("keystone answers");
        assert_eq!(answer.status(), 201, "a token");
        let token = answer.headers()["x-subject-token"].to_str().expect("ascii").to_owned();
        Self { http, base: format!("http://127.0.0.1:{api_port}/v1"), token }
    }

    /// The same person at another service's port.
    pub(crate) fn at(&self, port: u16) -> Self {
        Self { base: format!("http://127.0.0.1:{port}/v1"), ..self.clone() }
    }

    /// The token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The beginning of a call.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .header("x-auth-token", &self.token)
            .header("openstack-api-version", "container-infra latest")
            .timeout(Duration::from_secs(60))
    }

    /// One call; `None` when nobody answered.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Option<Answer> {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    /// One call that must be answered with `status`.
    pub(crate) async fn must(&self, method: Method, path: &str, body: Option<Value>, status: u16) -> Value {
        let what = format!("{method} {path}");
        let answer = self.ask(method, path, body).await.unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        answer.body
    }

    /// The object, or `None` when it is not there.
    pub(crate) async fn find(&self, path: &str) -> Option<Value> {
        let answer = self.ask(Method::GET, path, None).await?;
        (answer.status == 200).then_some(answer.body)
    }

    /// A template for the seeded image of a version.
    pub(crate) async fn template(&self, name: &str, image: &str) -> String {
        let body = json!({"name": name, "coe": "kubernetes", "image_id": image, "external_network_id": "public",
            "flavor_id": "m1.small", "master_flavor_id": "m1.medium", "dns_nameserver": "9.9.9.9",
            "master_lb_enabled": true, "floating_ip_enabled": true, "network_driver": "calico"});
        let made = self.must(Method::POST, "/clustertemplates", Some(body), 201).await;
        made["uuid"].as_str().expect("a uuid").to_owned()
    }

    /// Waits until the cluster has the status; fails at once when it ends in another failure.
    pub(crate) async fn until_status(&self, cluster: &str, wanted: &str) -> Value {
        until(&format!("{cluster} to become {wanted}"), || async move {
            let seen = self.find(&format!("/clusters/{cluster}")).await?;
            let status = seen["status"].as_str().unwrap_or_default().to_owned();
            assert!(
                !status.ends_with("_FAILED") || status == wanted,
                "{cluster} became {status} and not {wanted}: {}",
                seen["status_reason"]
            );
            (status == wanted).then_some(seen)
        })
        .await
    }

    /// Waits until nobody knows the cluster any more.
    pub(crate) async fn until_gone(&self, cluster: &str) {
        until(&format!("{cluster} to be gone"), || async move {
            let answer = self.ask(Method::GET, &format!("/clusters/{cluster}"), None).await?;
            (answer.status == 404).then_some(())
        })
        .await;
    }
}

/// A part of the test machine that `make test` provides through the environment. Without it a test says that it was
/// skipped and why; where everything has to be there (`JEROBOAM_ALL`) it fails.
pub(crate) fn provided(name: &str, by: &str) -> Option<String> {
    let value = setting(name);
    if value.is_none() {
        assert!(setting("JEROBOAM_ALL").is_none(), "{name} is not set: {by}");
        writeln(&format!("skipped: {name} is not set; {by}"));
    }
    value
}

/// A variable of the environment, unless it is empty.
#[expect(clippy::disallowed_methods, reason = "tests have no settings but the environment")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// One line for whoever reads the test's output.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub(crate) fn writeln(line: &str) {
    eprintln!("{line}");
}
