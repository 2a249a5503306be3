//! Tells others what happens in the registry, as distribution tells it, and does not forget.
//!
//! Telling never fails and never waits: what happened goes into a bounded queue in memory. A task of its own writes it into a queue in the store, one for
//! each endpoint, and another sends it from there until the endpoint takes it. What was written before a restart is sent after it; an endpoint may therefore hear
//! something twice, under the same id.

mod counts;
mod sender;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use jeroboam_oci::events::{Event, EventAction, EventActor, Request, Source, Target};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use uuid::Uuid;

use crate::config::NotificationsConfig;

pub use counts::{Counts, EndpointCounts};

/// Events that wait in memory for the store.
const WAITING: usize = 10_000;

/// Something that happened, told by whoever made it happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// What.
    pub action: EventAction,
    /// To what.
    pub target: Target,
    /// Because of which request.
    pub request: Request,
    /// By whom; nobody where the client is anonymous.
    pub actor: Option<String>,
}

/// Tells others. Cheap to clone; [`Events::silent`] tells nobody.
#[derive(Clone, Debug, Default)]
pub struct Events {
    queue: Option<Arc<Queue>>,
}

struct Queue {
    clock: Arc<dyn Clock>,
    source: Source,
    include_references: bool,
    waiting: mpsc::Sender<Event>,
    counts: Arc<Counts>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// Whom and how.
#[derive(Clone, Debug)]
pub struct EventsConfig {
    /// Whom.
    pub notifications: NotificationsConfig,
    /// What this process is called: host and port.
    pub address: String,
    /// For how long an endpoint that failed too often is left alone at most, whatever its setting says.
    pub longest_backoff: Duration,
}

impl EventsConfig {
    /// With the usual bounds.
    #[must_use]
    pub fn new(notifications: NotificationsConfig, address: impl Into<String>) -> Self {
        Self { notifications, address: address.into(), longest_backoff: Duration::from_secs(300) }
    }
}

impl Events {
    /// Tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::default()
    }

    /// Tells the endpoints, in tasks that end with `cancel`. Without endpoints it tells nobody.
    pub fn start(
        config: &EventsConfig,
        blobs: &SharedBlobs,
        clock: &Arc<dyn Clock>,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, reqwest::Error> {
        if config.notifications.endpoints.is_empty() {
            return Ok(Self::silent());
        }
        let instance = Uuid::new_v4();
        let (waiting, told) = mpsc::channel(WAITING);
        let mut endpoints = Vec::new();
        let queues = queue_names(config.notifications.endpoints.iter().map(|endpoint| endpoint.name.as_str()));
        let counts = Arc::new(Counts::of(&queues));
        for (endpoint, counts) in config.notifications.endpoints.iter().zip(counts.endpoints()) {
            let place = sender::Place {
                blobs: blobs.clone(),
                clock: clock.clone(),
                instance: instance.simple().to_string(),
                counts: counts.clone(),
                longest_backoff: config.longest_backoff,
            };
            endpoints.push(sender::start(endpoint, place, tasks, cancel)?);
        }
        tasks.spawn(writer::run(told, endpoints, cancel.clone()));
        let source = Source { addr: config.address.clone(), instance_id: instance.to_string() };
        let include_references = config.notifications.include_references;
        Ok(Self { queue: Some(Arc::new(Queue { clock: clock.clone(), source, include_references, waiting, counts })) })
    }

    /// Whether anybody is told: where nobody is, there is no need to find out what to tell.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.queue.is_some()
    }

    /// How telling goes.
    #[must_use]
    pub fn counts(&self) -> Option<&Counts> {
        self.queue.as_ref().map(|queue| &*queue.counts)
    }

    /// Tells what happened. Returns at once.
    pub fn record(&self, happened: Happened) {
        let Some(queue) = &self.queue else { return };
        let Happened { action, mut target, request, actor } = happened;
        if !queue.include_references {
            target.references.clear();
        }
        let event = Event {
            id: Uuid::new_v4().to_string(),
            timestamp: queue.clock.now().to_string(),
            action,
            target,
            request,
            actor: EventActor { name: actor },
            source: queue.source.clone(),
        };
        queue.counts.tell();
        if queue.waiting.try_send(event).is_err() {
            let lost = queue.counts.lose();
            // The first, and then ever more rarely: whoever loses thousands needs no thousand lines.
            if lost.is_power_of_two() {
                warn!(events.lost = lost, "there is no room for what happened: notifications are lost");
            }
        }
    }
}

/// A queue of its own for each endpoint. distribution wants no names, and lets several have one: the later ones get a number, in the order in which they are written.
fn queue_names<'a>(endpoints: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for endpoint in endpoints {
        let numbered = (2..).map(|number| format!("{endpoint}-{number}"));
        let mut candidates = std::iter::once(endpoint.to_owned()).chain(numbered);
        let name = candidates.find(|name| !names.contains(name)).expect("numbers do not end");
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests;
