//! Keystone and the API on one port: every answer is written down beforehand, every request is kept.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use clap::Parser as _;
use http::StatusCode;
use jeroboam_cli::{Cli, Command, Screen, Surroundings};
use jeroboam_model::ManualClock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A cloud with one service.
pub(crate) struct Cloud {
    pub(crate) url: String,
    answers: Answers,
    _serving: JoinSet<()>,
}

type Queue = VecDeque<(u16, Value)>;
type Answerer = Box<dyn Fn(&Value) -> Value + Send + Sync>;

#[derive(Clone, Default)]
struct Answers {
    written: Arc<Mutex<BTreeMap<String, Queue>>>,
    made: Arc<Mutex<BTreeMap<String, Answerer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answers = Answers::default();
        let router = Router::new().fallback(answer).with_state((url.clone(), answers.clone()));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.expect("serve") });
        Self { url, answers, _serving: serving }
    }

    /// Answers `GET /v1/clusters` and the like; several answers are given one after the other, the last for ever.
    pub(crate) fn answers(&self, request: &str, status: u16, body: Value) -> &Self {
        let mut written = self.answers.written.lock().expect("answers");
        written.entry(request.to_owned()).or_default().push_back((status, body));
        drop(written);
        self
    }

    /// Answers a request by looking at its body.
    pub(crate) fn makes(&self, request: &str, answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> &Self {
        self.answers.made.lock().expect("answers").insert(request.to_owned(), Box::new(answer));
        self
    }

    /// What the API was asked, Keystone left out.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.answers.asked.lock().expect("requests").clone()
    }

    /// What changed anything.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.asked().into_iter().filter(|request| !request.starts_with("GET ")).collect()
    }

    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let variables = [
            ("OS_AUTH_URL", format!("{}/v3", self.url)),
            ("OS_USERNAME", "u".to_owned()),
            ("OS_PASSWORD", "hunter2".to_owned()),
            ("OS_PROJECT_NAME", "p".to_owned()),
            ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
            ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Runs a line as somebody would who has no terminal.
    pub(crate) async fn run(&self, line: &str) -> Ran {
        run(self.env(), line, None).await
    }

    /// Runs a line and types an answer.
    pub(crate) async fn run_and_say(&self, line: &str, answer: &str) -> Ran {
        run(self.env(), line, Some(answer)).await
    }
}

pub(crate) async fn run(env: BTreeMap<String, String>, line: &str, answer: Option<&str>) -> Ran {
    let (out, err) = (Kept::default(), Kept::default());
    let start = "2026-11-21T18:00:00Z".parse().expect("a time");
    let mut surroundings = Surroundings {
        env,
        working_directory: None,
        clock: Arc::new(ManualClock::at(start)),
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        input: Box::new(Cursor::new(answer.unwrap_or_default().to_owned())),
        screen: Screen { input: answer.is_some(), ..Screen::default() },
        poll: Duration::from_millis(1),
        obstacles: Vec::new(),
    };
    let words = std::iter::once("jeroboam").chain(line.split_whitespace());
    let code = match Cli::try_parse_from(words).expect("a good line").command {
        Command::Client(command) => jeroboam_cli::run_client(command, &mut surroundings).await,
        Command::Operator(command) => jeroboam_cli::run_operator(command, &mut surroundings),
        Command::Server(command) => panic!("{command:?} is not carried out here"),
        Command::Registry(command) => panic!("{command:?} is not carried out here"),
    };
    Ran { code, out: out.text(), err: err.text() }
}

async fn answer(State((url, answers)): State<(String, Answers)>, request: Request<Body>) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    let version = request.headers().get("openstack-api-version").cloned();
    let body = to_bytes(request.into_body(), 1 << 20).await.expect("a body");
    if line == "POST /v3/auth/tokens" {
        return (StatusCode::CREATED, [("X-Subject-Token", "token")], Json(token(&url))).into_response();
    }
    assert_eq!(version.expect("a version"), "container-infra latest");
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let shown = if body.is_null() { line.clone() } else { format!("{line} {body}") };
    answers.asked.lock().expect("requests").push(shown);
    if let Some(make) = answers.made.lock().expect("answers").get(&line) {
        return (StatusCode::CREATED, Json(make(&body))).into_response();
    }
    let mut written = answers.written.lock().expect("answers");
    let (status, body) = match written.get_mut(&line) {
        Some(queue) if queue.len() > 1 => queue.pop_front().expect("more than one"),
        Some(queue) => queue.front().cloned().expect("never empty"),
        None => (404, refusal(404, &format!("nothing at {line}."))),
    };
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("x-openstack-request-id", "req-1")], Json(body)).into_response()
}

/// An error as Magnum writes it.
pub(crate) fn refusal(status: u16, detail: &str) -> Value {
    json!({"errors": [{"request_id": "", "code": "client", "status": status, "title": detail, "detail": detail, "links": []}]})
}

fn token(url: &str) -> Value {
    let endpoint =
        json!({"id": "e", "interface": "public", "region": "r", "region_id": "r", "url": format!("{url}/v1")});
    json!({"token": {
        "methods": ["password"],
        "expires_at": "2030-01-01T00:00:00.000000Z",
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": "p", "name": "p", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": "m", "name": "member"}],
        "catalog": [{"id": "c", "type": "container-infra", "name": "magnum", "endpoints": [endpoint]}],
    }})
}

/// A stream that remembers.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("bytes").clone()).expect("text")
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("bytes").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
