//! Whether this process is well: its store answers, what an operator wants to be looked at is as it should be, and it is not about to end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Cadence, CheckKind, HealthConfig};
use crate::http::failure::chain;

/// The store has so long for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The name of the check of the store. distribution: `storagedriver_<name>`.
const STORE: &str = "storagedriver";
/// A store that has not answered yet is asked more often.
const SOON: Duration = Duration::from_millis(500);

/// What is known of the state. Clones are the same.
#[derive(Clone)]
pub(super) struct Health {
    config: Arc<HealthConfig>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is wrong, by the name of the check.
    wrong: BTreeMap<String, String>,
    ending: bool,
}

impl Health {
    pub(super) fn new(config: HealthConfig) -> Self {
        let health = Self { config: Arc::new(config), state: Arc::default() };
        if health.config.store.is_some() {
            health.set(STORE, Some("the store was not asked yet".to_owned()));
        }
        health
    }

    /// What is wrong; empty when nothing is.
    pub(super) fn wrong(&self) -> BTreeMap<String, String> {
        self.locked().wrong.clone()
    }

    /// Whether requests are wanted here.
    pub(super) fn is_ready(&self) -> bool {
        let state = self.locked();
        !state.ending && state.wrong.is_empty()
    }

    /// Says that no more requests are wanted.
    pub(super) fn end(&self) {
        self.locked().ending = true;
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, name: &str, wrong: Option<String>) {
        let mut state = self.locked();
        match wrong {
            Some(reason) => drop(state.wrong.insert(name.to_owned(), reason)),
            None => drop(state.wrong.remove(name)),
        }
    }

    /// Looks at everything from time to time until told to stop.
    pub(super) async fn watch(self, place: SharedBlobs, stop: CancellationToken) {
        let mut checks = JoinSet::new();
        if let Some(cadence) = self.config.store {
            let (health, stop) = (self.clone(), stop.clone());
            checks.spawn(async move { health.repeat(STORE.to_owned(), cadence, stop, || store(&place)).await });
        }
        for (kind, cadence) in self.config.checks.clone() {
            let (health, stop) = (self.clone(), stop.clone());
            checks.spawn(async move { health.repeat(name(&kind), cadence, stop, || look(&kind)).await });
        }
        checks.join_all().await;
        // Where nothing is looked at there is nothing to begin again with.
        stop.cancelled().await;
    }

    async fn repeat<F>(&self, name: String, cadence: Cadence, stop: CancellationToken, check: impl Fn() -> F)
    where
        F: Future<Output = Result<(), String>>,
    {
        let (mut failures, mut known) = (0, None);
        loop {
            let outcome = tokio::select! {
                outcome = check() => outcome,
                () = stop.cancelled() => return,
            };
            match &outcome {
                Ok(()) => failures = 0,
                Err(_) => failures += 1,
            }
            let well = outcome.is_ok();
            if well || failures >= cadence.threshold {
                match (&outcome, known) {
                    (Ok(()), Some(false)) => info!("{name} is well again"),
                    (Err(reason), Some(true) | None) => warn!(reason, "{name} is not well"),
                    _ => {}
                }
                known = Some(well);
                self.set(&name, outcome.err());
            }
            let pause = if well { cadence.interval } else { cadence.interval.min(SOON) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

async fn store(place: &SharedBlobs) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, place.probe()).await {
        Ok(Ok(())) => Ok(()),
        // What stands behind it says whether it is the credentials, the roles or the trust that are wrong.
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err("the store does not answer in time".to_owned()),
    }
}

fn name(kind: &CheckKind) -> String {
    match kind {
        CheckKind::File { file } => file.display().to_string(),
        CheckKind::Http { uri, .. } => uri.to_string(),
        CheckKind::Tcp { address, .. } => address.clone(),
    }
}

async fn look(kind: &CheckKind) -> Result<(), String> {
    match kind {
        CheckKind::File { file } if file.exists() => Err("file exists".to_owned()),
        CheckKind::File { .. } => Ok(()),
        CheckKind::Tcp { address, timeout } => {
            let connected = tokio::time::timeout(*timeout, tokio::net::TcpStream::connect(address)).await;
            connected.map_err(|_| "no connection in time".to_owned())?.map(drop).map_err(|error| error.to_string())
        }
        CheckKind::Http { uri, headers, status, timeout } => {
            let client = reqwest::Client::builder().timeout(*timeout).build().map_err(|error| error.to_string())?;
            let mut request = client.head(uri.clone());
            for (name, values) in headers {
                for value in values {
                    request = request.header(name, value);
                }
            }
            let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
            let found = answer.status().as_u16();
            if found == *status { Ok(()) } else { Err(format!("status {found} in place of {status}")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(kind: CheckKind) -> HealthConfig {
        let cadence = Cadence { interval: Duration::from_millis(10), threshold: 2 };
        HealthConfig { store: None, checks: vec![(kind, cadence)] }
    }

    async fn until(health: &Health, ready: bool) {
        let wait = async {
            while health.is_ready() != ready {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("in time");
    }

    #[tokio::test]
    async fn a_file_says_that_no_requests_are_wanted() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("down");
        let health = Health::new(config(CheckKind::File { file: file.clone() }));
        let clock = Arc::new(jeroboam_model::SystemClock);
        let place: SharedBlobs = Arc::new(jeroboam_blobs::Memory::new(clock));
        let stop = CancellationToken::new();
        let (watching, token) = (health.clone(), stop.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { watching.watch(place, token).await });
        assert!(health.is_ready());
        std::fs::write(&file, "").expect("written");
        until(&health, false).await;
        assert_eq!(health.wrong().values().collect::<Vec<_>>(), ["file exists"]);
        std::fs::remove_file(&file).expect("gone");
        until(&health, true).await;
        health.end();
        assert!(!health.is_ready());
        stop.cancel();
        tasks.join_all().await;
    }

    #[tokio::test]
    async fn a_port_is_knocked_at_and_the_store_is_asked_before_anybody_says_ready() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let tcp = CheckKind::Tcp { address: address.clone(), timeout: Duration::from_secs(5) };
        assert_eq!(look(&tcp).await, Ok(()));
        drop(listener);
        assert!(look(&tcp).await.is_err());
        let health = Health::new(HealthConfig { store: Some(Cadence::default()), checks: Vec::new() });
        assert!(!health.is_ready());
    }
}
