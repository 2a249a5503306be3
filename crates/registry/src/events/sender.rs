//! Sends one endpoint what it wants to hear, one envelope after the other, until it takes each.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jeroboam_blobs::{Kind, SharedBlobs};
use jeroboam_model::Clock;
use jeroboam_oci::events::{Envelope, Event, MEDIA_TYPE};
use jeroboam_oci::layout::Area;
use reqwest::redirect;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::EndpointCounts;
use crate::config::EndpointConfig;
use crate::http::failure::chain;
use crate::journal::{BEAT, EntryName, Journal};

/// Envelopes that wait in memory; those beyond stay in the store alone.
const IN_MEMORY: usize = 64;

/// Envelopes that wait in the store at most: a million events at the largest. An endpoint that is away for longer loses what comes then.
const IN_STORE: u64 = 10_000;

/// Shortest pause between two attempts, also before there were too many.
const PAUSE: Duration = Duration::from_millis(50);

/// Where an endpoint's envelopes wait, and what all endpoints have in common.
pub(super) struct Place {
    pub(super) blobs: SharedBlobs,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) instance: String,
    /// With the name of its queue, which no other endpoint has.
    pub(super) counts: Arc<EndpointCounts>,
    pub(super) longest_backoff: Duration,
}

/// Where an endpoint's envelopes are put.
pub(super) struct Outbox {
    name: String,
    ignored_media_types: Vec<String>,
    ignored_actions: Vec<String>,
    shared: Arc<Shared>,
    fresh: mpsc::Sender<Letter>,
}

struct Shared {
    journal: Journal,
    /// Whether there are envelopes in the store that are not in memory; then newer ones wait behind them.
    behind: AtomicBool,
    counts: Arc<EndpointCounts>,
}

/// An envelope, and its name in the store; none where the store did not take it.
struct Letter {
    name: Option<EntryName>,
    body: Bytes,
}

impl Outbox {
    pub(super) fn wants(&self, event: &Event) -> bool {
        let action = event.action.name();
        !self.ignored_media_types.contains(&event.target.media_type)
            && !self.ignored_actions.iter().any(|ignored| ignored == action)
    }

    pub(super) fn counts(&self) -> &EndpointCounts {
        &self.shared.counts
    }

    /// Keeps an envelope and has it sent; `false` where there is no room for it.
    pub(super) async fn put(&self, body: Bytes) -> bool {
        if self.shared.counts.waiting() >= IN_STORE {
            return false;
        }
        let name = match self.shared.journal.append(body.clone()).await {
            Ok(name) => {
                self.shared.counts.keep();
                Some(name)
            }
            Err(error) => {
                warn!(
                    endpoint = self.name,
                    error = chain(&error),
                    "a notification could not be kept: it is only in memory"
                );
                None
            }
        };
        let is_kept = name.is_some();
        if is_kept && self.shared.behind.load(Ordering::Acquire) {
            return true;
        }
        match self.fresh.try_send(Letter { name, body }) {
            Ok(()) => true,
            Err(_) if is_kept => {
                self.shared.behind.store(true, Ordering::Release);
                true
            }
            Err(_) => false,
        }
    }
}

/// Begins to send.
pub(super) fn start(
    endpoint: &EndpointConfig,
    place: Place,
    tasks: &TaskTracker,
    cancel: &CancellationToken,
) -> Result<Outbox, reqwest::Error> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("jeroboam/", env!("CARGO_PKG_VERSION")))
        .timeout(endpoint.timeout)
        .redirect(redirect::Policy::none())
        .build()?;
    let Place { blobs, clock, instance, counts, longest_backoff } = place;
    let journal = Journal::new(blobs, clock, Area::Events, counts.name(), &instance);
    // What a process before this one did not send is in the store.
    let shared = Arc::new(Shared { journal, behind: AtomicBool::new(true), counts });
    let (fresh, letters) = mpsc::channel(IN_MEMORY);
    let sender = Sender {
        client,
        url: endpoint.url.clone(),
        headers: headers(endpoint),
        name: endpoint.name.clone(),
        threshold: endpoint.threshold,
        backoff: endpoint.backoff.min(longest_backoff),
        shared: shared.clone(),
    };
    tasks.spawn(sender.run(letters, cancel.clone()));
    Ok(Outbox {
        name: endpoint.name.clone(),
        ignored_media_types: endpoint.ignored_media_types.clone(),
        ignored_actions: endpoint.ignored_actions.clone(),
        shared,
        fresh,
    })
}

fn headers(endpoint: &EndpointConfig) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in &endpoint.headers {
        for value in values {
            let parts = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
            let (Ok(name), Ok(mut value)) = parts else {
                warn!(endpoint = endpoint.name, header = name, "a header of an endpoint cannot be sent");
                continue;
            };
            value.set_sensitive(true);
            headers.append(name, value);
        }
    }
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers
}

struct Sender {
    client: reqwest::Client,
    url: url::Url,
    headers: HeaderMap,
    name: String,
    threshold: u64,
    backoff: Duration,
    shared: Arc<Shared>,
}

impl Sender {
    async fn run(self, mut letters: mpsc::Receiver<Letter>, cancel: CancellationToken) {
        tokio::select! {
            () = self.work(&mut letters) => {}
            // Also while an endpoint is away, or a backlog lasts: this process lives.
            () = self.beat() => {}
            () = cancel.cancelled() => {}
        }
        if let Err(error) = self.shared.journal.leave().await {
            warn!(
                endpoint = self.name,
                error = chain(&error),
                "notifications that wait are sent only after some minutes"
            );
        }
    }

    async fn work(&self, letters: &mut mpsc::Receiver<Letter>) {
        let mut look = tokio::time::interval(BEAT);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // What was sent from the store although it was in memory, too.
        let mut sent = HashSet::new();
        loop {
            tokio::select! {
                biased;
                // There may be something of a process that died.
                _ = look.tick() => self.shared.behind.store(true, Ordering::Release),
                letter = letters.recv() => match letter {
                    Some(letter) if letter.name.as_ref().is_some_and(|name| sent.remove(name)) => {}
                    Some(letter) => self.deliver(letter).await,
                    None => return,
                },
                // Only when memory is empty: what is there is older than what is in the store alone.
                () = std::future::ready(()), if self.shared.behind.load(Ordering::Acquire) => {
                    sent = self.catch_up(letters).await;
                }
            }
        }
    }

    async fn beat(&self) {
        loop {
            if let Err(error) = self.shared.journal.beat().await {
                warn!(endpoint = self.name, error = chain(&error), "a queue of notifications cannot be written");
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Sends what is in the store alone. Gives what it sent.
    async fn catch_up(&self, letters: &mut mpsc::Receiver<Letter>) -> HashSet<EntryName> {
        let mut sent = HashSet::new();
        while let Ok(letter) = letters.try_recv() {
            self.deliver(letter).await;
        }
        // From here on new envelopes go into memory again; those that come between this line and the listing are in both.
        self.shared.behind.store(false, Ordering::Release);
        let mut pending: VecDeque<EntryName> =
            match self.shared.journal.pending(usize::try_from(IN_STORE).unwrap_or(usize::MAX)).await {
                Ok(pending) => pending.into(),
                Err(error) => {
                    warn!(
                        endpoint = self.name,
                        error = chain(&error),
                        "a queue of notifications cannot be read; trying again"
                    );
                    self.shared.behind.store(true, Ordering::Release);
                    tokio::time::sleep(self.backoff.max(PAUSE)).await;
                    return sent;
                }
            };
        self.shared.counts.keeps(pending.len() as u64);
        if !pending.is_empty() {
            info!(endpoint = self.name, envelopes = pending.len(), "sending notifications that waited");
        }
        while let Some(name) = pending.pop_front() {
            match self.shared.journal.read(&name).await {
                Ok(Some(body)) => {
                    sent.insert(name.clone());
                    self.deliver(Letter { name: Some(name), body }).await;
                }
                Ok(None) => {}
                Err(error) if error.kind() == Kind::Broken => {
                    // A disk that is wrong once is not always: it is looked at again with the next look, and holds up no other.
                    warn!(endpoint = self.name, error = chain(&error), "a notification cannot be read, and waits");
                }
                Err(error) => {
                    warn!(endpoint = self.name, error = chain(&error), "a notification cannot be read; trying again");
                    self.shared.behind.store(true, Ordering::Release);
                    tokio::time::sleep(self.backoff.max(PAUSE)).await;
                    return sent;
                }
            }
        }
        sent
    }

    /// Sends an envelope until the endpoint takes it. After as many failures as are allowed there is a pause before each attempt.
    async fn deliver(&self, letter: Letter) {
        let mut failures = 0;
        loop {
            match self.post(letter.body.clone()).await {
                Ok(()) => break,
                Err(why) => {
                    failures += 1;
                    if failures == self.threshold {
                        warn!(
                            endpoint = self.name,
                            failures, why, "an endpoint does not take notifications; they wait"
                        );
                    }
                }
            }
            let pause = if failures >= self.threshold { self.backoff } else { Duration::ZERO };
            tokio::time::sleep(pause.max(PAUSE)).await;
        }
        if self.threshold <= failures {
            info!(endpoint = self.name, failures, "an endpoint takes notifications again");
        }
        let count = serde_json::from_slice::<Envelope>(&letter.body).map_or(1, |envelope| envelope.events.len());
        self.shared.counts.send(count as u64);
        if let Some(name) = letter.name {
            match self.shared.journal.remove(&[name]).await {
                Ok(()) => self.shared.counts.let_go(),
                Err(error) => {
                    warn!(endpoint = self.name, error = chain(&error), "a notification was sent and may be sent again");
                }
            }
        }
    }

    async fn post(&self, body: Bytes) -> Result<(), String> {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        let outcome = request.send().await.map(|answer| answer.status());
        // distribution: anything below 400 is taken.
        let is_taken = |status: &StatusCode| status.is_success() || status.is_redirection();
        let taken = outcome.as_ref().is_ok_and(is_taken);
        self.shared.counts.answered(outcome.as_ref().ok().copied(), taken);
        match outcome {
            Ok(_) if taken => Ok(()),
            Ok(status) => Err(format!("status {}", status.as_u16())),
            Err(error) => Err(error.without_url().to_string()),
        }
    }
}
