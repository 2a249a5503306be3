use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use jeroboam_blobs::Memory;
use jeroboam_model::SystemClock;
use jeroboam_oci::Digest;
use jeroboam_oci::events::Envelope;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::config::EndpointConfig;

/// An endpoint that answers as it is told and writes down what it took.
#[derive(Clone, Default)]
struct Endpoint {
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
    taken: Arc<Mutex<Vec<Event>>>,
    headers: Arc<Mutex<Vec<http::HeaderMap>>>,
}

async fn take(State(endpoint): State<Endpoint>, headers: http::HeaderMap, body: String) -> StatusCode {
    endpoint.headers.lock().expect("a list").push(headers);
    let answer = endpoint.answers.lock().expect("a list").pop_front().unwrap_or(StatusCode::OK);
    if answer.as_u16() < 400 {
        let envelope: Envelope = serde_json::from_str(&body).expect("an envelope");
        endpoint.taken.lock().expect("a list").extend(envelope.events);
    }
    answer
}

impl Endpoint {
    async fn listen(&self, tasks: &mut JoinSet<()>, address: &str) -> SocketAddr {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new().route("/hook", post(take)).with_state(self.clone());
        tasks.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        address
    }

    async fn has_taken(&self, count: usize) -> Vec<Event> {
        for _ in 0..400 {
            let taken = self.taken.lock().expect("a list").clone();
            if taken.len() >= count {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{} of {count} events came", self.taken.lock().expect("a list").len());
    }
}

fn config(address: SocketAddr) -> EventsConfig {
    let endpoint = EndpointConfig {
        name: "hook".to_owned(),
        url: format!("http://{address}/hook").parse().expect("an address"),
        headers: vec![("Authorization".to_owned(), vec!["Bearer x".to_owned()])],
        timeout: Duration::from_secs(1),
        threshold: 2,
        backoff: Duration::from_millis(100),
        ignored_media_types: vec!["application/octet-stream".to_owned()],
        ignored_actions: vec!["pull".to_owned()],
    };
    EventsConfig::new(NotificationsConfig { include_references: false, endpoints: vec![endpoint] }, "registry:5000")
}

fn happened(action: EventAction, n: usize) -> Happened {
    let target = Target::of("team/app".parse().expect("a name"));
    Happened {
        action,
        target: target.with("application/vnd.oci.image.manifest.v1+json", Digest::sha256(&n.to_be_bytes()), n as u64),
        request: Request::default(),
        actor: Some("somebody".to_owned()),
    }
}

struct Running {
    events: Events,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Running {
    fn start(config: &EventsConfig, blobs: &SharedBlobs) -> Self {
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let events = Events::start(config, blobs, &clock, &tasks, &cancel).expect("it starts");
        Self { events, tasks, cancel }
    }

    async fn end(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn sizes(events: &[Event]) -> Vec<u64> {
    events.iter().filter_map(|event| event.target.size).collect()
}

#[tokio::test]
async fn an_endpoint_is_told_in_order_and_again_until_it_takes_it() {
    let mut servers = JoinSet::new();
    let endpoint = Endpoint::default();
    let fails = [StatusCode::BAD_GATEWAY, StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE];
    endpoint.answers.lock().expect("a list").extend(fails);
    let address = endpoint.listen(&mut servers, "127.0.0.1:0").await;
    let blobs: SharedBlobs = Arc::new(Memory::default());
    let running = Running::start(&config(address), &blobs);
    assert!(running.events.is_heard());
    running.events.record(happened(EventAction::Push, 1));
    running.events.record(happened(EventAction::Pull, 2));
    running.events.record(happened(EventAction::Delete, 3));
    let blob = Happened {
        target: Target { media_type: "application/octet-stream".to_owned(), ..happened(EventAction::Push, 4).target },
        ..happened(EventAction::Push, 4)
    };
    running.events.record(blob);
    running.events.record(happened(EventAction::Mount, 5));
    let taken = endpoint.has_taken(3).await;
    assert_eq!(sizes(&taken), [1, 3, 5]);
    assert_eq!(taken[0].source.addr, "registry:5000");
    assert_eq!(taken[0].actor.name.as_deref(), Some("somebody"));
    let headers = endpoint.headers.lock().expect("a list")[0].clone();
    assert_eq!(headers["content-type"], "application/vnd.docker.distribution.events.v1+json");
    assert_eq!(headers["authorization"], "Bearer x");
    let counts = running.events.counts().expect("it is heard");
    let [hook] = counts.endpoints() else { panic!("one endpoint: {counts:?}") };
    while hook.sent() < 3 || hook.waiting() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((counts.told(), counts.lost_before()), (5, 0));
    assert_eq!((hook.name(), hook.wanted(), hook.sent()), ("hook", 3, 3));
    assert_eq!((hook.refused(), hook.unanswered(), hook.lost()), (3, 0, 0));
    let statuses = hook.statuses();
    for refusal in ["404 Not Found", "502 Bad Gateway", "503 Service Unavailable"] {
        assert!(statuses.contains(&(refusal.to_owned(), 1)), "{refusal} is not in {statuses:?}");
    }
    assert!(statuses[0].0 == "200 OK" && statuses.len() == 4, "{statuses:?}");
    running.end().await;
}

#[tokio::test]
async fn what_was_not_sent_is_sent_after_a_restart() {
    let mut servers = JoinSet::new();
    let endpoint = Endpoint::default();
    // A port where nobody listens yet.
    let address = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let blobs: SharedBlobs = Arc::new(Memory::new(clock.clone()));
    let running = Running::start(&config(address), &blobs);
    for n in 0..250 {
        running.events.record(happened(EventAction::Push, n));
    }
    let hook = running.events.counts().expect("it is heard").endpoints()[0].clone();
    while hook.unanswered() < 3 {
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    running.end().await;
    endpoint.listen(&mut servers, &address.to_string()).await;
    let again = Running::start(&config(address), &blobs);
    let taken = endpoint.has_taken(250).await;
    assert_eq!(sizes(&taken), (0..250).collect::<Vec<u64>>());
    again.events.record(happened(EventAction::Push, 250));
    assert_eq!(endpoint.has_taken(251).await.len(), 251);
    again.end().await;
}

#[tokio::test]
async fn without_endpoints_nobody_is_told() {
    let blobs: SharedBlobs = Arc::new(Memory::default());
    let running = Running::start(&EventsConfig::new(NotificationsConfig::default(), ""), &blobs);
    assert!(!running.events.is_heard());
    running.events.record(happened(EventAction::Push, 1));
    running.end().await;
}

#[test]
fn each_endpoint_has_a_queue_of_its_own() {
    let names = queue_names(["a", "a", "b", "a-2", "a", ""].into_iter());
    assert_eq!(names, ["a", "a-2", "b", "a-2-2", "a-3", ""]);
}

#[tokio::test]
async fn endpoints_of_one_name_hear_what_they_want_and_not_what_the_other_one_wants() {
    let mut servers = JoinSet::new();
    let (pushes, deletes) = (Endpoint::default(), Endpoint::default());
    let (one, other) =
        (pushes.listen(&mut servers, "127.0.0.1:0").await, deletes.listen(&mut servers, "127.0.0.1:0").await);
    let mut config = config(one);
    config.notifications.endpoints[0].ignored_actions = vec!["delete".to_owned()];
    let mut second = config.notifications.endpoints[0].clone();
    second.url = format!("http://{other}/hook").parse().expect("an address");
    second.ignored_actions = vec!["push".to_owned()];
    config.notifications.endpoints.push(second);
    let blobs: SharedBlobs = Arc::new(Memory::default());
    // What waits in the store is found by its queue's name alone.
    for answers in [&pushes.answers, &deletes.answers] {
        answers.lock().expect("a list").extend(std::iter::repeat_n(StatusCode::BAD_GATEWAY, 1000));
    }
    let before = Running::start(&config, &blobs);
    for n in 0..20 {
        before.events.record(happened(EventAction::Push, n));
        before.events.record(happened(EventAction::Delete, n));
    }
    before.end().await;
    for answers in [&pushes.answers, &deletes.answers] {
        answers.lock().expect("a list").clear();
    }
    let after = Running::start(&config, &blobs);
    let (pushed, deleted) = (pushes.has_taken(20).await, deletes.has_taken(20).await);
    after.end().await;
    assert!(pushed.iter().all(|event| event.action == EventAction::Push), "{pushed:?}");
    assert!(deleted.iter().all(|event| event.action == EventAction::Delete), "{deleted:?}");
    assert_eq!((pushed.len(), deleted.len()), (20, 20));
}
