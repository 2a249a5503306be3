//! One database, one pretend cloud, and two of each process of the service.

use std::path::{Path, PathBuf};

use jeroboam_store::testing::{Engine, KEY, MortalServer};
use jeroboam_store::{Store, StoreConfig};

use crate::bed::{Cloud, Process, Tenant, free_port, until};

/// The name of the database.
pub(super) const DATABASE: &str = "magnum";

/// A process of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Api(usize),
    Reconcile(usize),
}

/// What is named first goes first.
pub(super) struct Bed {
    apis: [Process; 2],
    reconcilers: [Process; 2],
    pub(super) cloud: Cloud,
    pub(super) database: MortalServer,
    ports: [u16; 2],
    dir: tempfile::TempDir,
}

impl Bed {
    /// Starts them; a request may last for so many seconds.
    pub(super) async fn start(engine: Engine, request_timeout: u64) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut database = MortalServer::prepare(engine);
        database.raise(DATABASE).await;
        let cloud = Cloud::start(dir.path(), "60").await;
        // Steps of the reconcilers are logged, to see that no two were at one cluster. A request that was held up for longer
        // than it may last has lost its application credential after twice that time.
        let shared = format!(
            "[DEFAULT]\ndefault_log_levels = jeroboam_reconcile::lease=debug\n\
             [database]\nconnection = {url}\npool_timeout = 2\nmax_pool_size = 10\nmax_overflow = 20\n\
             [jeroboam]\nencryption_key = {KEY}\nlease_seconds = 3\nrequest_timeout = {request_timeout}\nmetrics_listen = none\n",
            url = database.url(DATABASE)
        );
        std::fs::write(dir.path().join("shared.conf"), shared).expect("written");
        let ports = [free_port(), free_port()];
        for (number, port) in ports.iter().enumerate() {
            std::fs::write(dir.path().join(format!("api-{number}.conf")), format!("[api]\nport = {port}\n"))
                .expect("written");
        }
        let apis = [0, 1].map(|number| launch(dir.path(), &cloud, Part::Api(number)));
        let reconcilers = [0, 1].map(|number| launch(dir.path(), &cloud, Part::Reconcile(number)));
        let bed = Self { apis, reconcilers, cloud, database, ports, dir };
        for number in [0, 1] {
            bed.until_it_answers(number).await;
        }
        bed
    }

    /// Somebody of the demo project, at each of the two.
    pub(super) async fn demo(&self) -> [Tenant; 2] {
        let tenant = self.cloud.demo().await;
        self.ports.map(|port| tenant.at(port))
    }

    /// An administrator, at each of the two.
    pub(super) async fn admin(&self) -> [Tenant; 2] {
        let tenant = self.cloud.admin().await;
        self.ports.map(|port| tenant.at(port))
    }

    /// The rows themselves.
    pub(super) async fn store(&self) -> Store {
        let url = self.database.url(DATABASE);
        let config = StoreConfig { key: Some(KEY.into()), max_connections: 2, ..StoreConfig::at(url.into()) };
        Store::connect(&config).await.expect("a good address")
    }

    pub(super) fn kill(&mut self, part: Part) {
        self.process(part).kill();
    }

    /// Starts another one in its place, and waits until it answers if it is to.
    pub(super) async fn raise(&mut self, part: Part) {
        let fresh = launch(self.dir.path(), &self.cloud, part);
        *self.process(part) = fresh;
        if let Part::Api(number) = part {
            self.until_it_answers(number).await;
        }
    }

    /// Nothing has ended by itself.
    pub(super) fn all_run(&mut self) {
        for process in self.apis.iter_mut().chain(&mut self.reconcilers) {
            assert!(!process.ended(), "a process ended by itself: {}", process.last_words());
        }
    }

    pub(super) fn reconcile_logs(&self) -> Vec<PathBuf> {
        self.reconcilers.iter().map(|process| process.log.clone()).collect()
    }

    /// What the service itself takes for a defect.
    pub(super) fn errors_in_logs(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for process in self.apis.iter().chain(&self.reconcilers) {
            let text = std::fs::read_to_string(&process.log).unwrap_or_default();
            // Whether a request may be answered so is judged where it was asked.
            let answer = "failed to answer a request";
            // The database went while a connection was made ready; the pool makes another one, or the request fails.
            let cut = "error returned from after_connect error=error communicating with database";
            let weather = |line: &str| line.contains(answer) || line.contains(cut);
            let bad = |line: &&str| (line.contains(" ERROR ") && !weather(line)) || line.contains("panicked at");
            errors.extend(text.lines().filter(bad).take(20).map(|line| format!("logged: {line}")));
        }
        errors
    }

    /// Leaves the logs where somebody can read them.
    pub(super) fn keep_logs(&self) -> PathBuf {
        let kept = tempfile::TempDir::with_prefix("jeroboam-two-").expect("a folder").keep();
        let logs = std::fs::read_dir(self.dir.path()).expect("the folder").flatten();
        for log in logs.filter(|entry| entry.path().extension().is_some_and(|name| name == "log")) {
            std::fs::copy(log.path(), kept.join(log.file_name())).expect("copied");
        }
        kept
    }

    fn process(&mut self, part: Part) -> &mut Process {
        match part {
            Part::Api(number) => &mut self.apis[number],
            Part::Reconcile(number) => &mut self.reconcilers[number],
        }
    }

    async fn until_it_answers(&self, number: usize) {
        let url = format!("http://127.0.0.1:{}/readyz", self.ports[number]);
        let http = reqwest::Client::new();
        until("an api to be ready", || {
            let asked = http.get(&url).send();
            async move { asked.await.is_ok_and(|answer| answer.status().is_success()).then_some(()) }
        })
        .await;
    }
}

fn launch(dir: &Path, cloud: &Cloud, part: Part) -> Process {
    let text = |path: PathBuf| path.to_str().expect("utf-8").to_owned();
    let (role, name, own) = match part {
        Part::Api(number) => ("api", format!("api-{number}"), Some(format!("api-{number}.conf"))),
        Part::Reconcile(number) => ("reconcile", format!("reconcile-{number}"), None),
    };
    let mut files = vec![cloud.dir.join("magnum.conf"), dir.join("shared.conf")];
    files.extend(own.map(|own| dir.join(own)));
    let files: Vec<_> = files.into_iter().flat_map(|file| ["--config-file".to_owned(), text(file)]).collect();
    let mut args = vec![role, "--upgrade-database"];
    args.extend(files.iter().map(String::as_str));
    Process::start(dir, &name, &args)
}
