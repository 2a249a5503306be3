//! Tells others what happens to clusters: CADF events to the log or over AMQP, as Magnum tells them.
//!
//! Telling never fails and never waits: what is told goes into a bounded queue, and one task of its own empties it. While
//! RabbitMQ is away messages wait there; those for which there is no room are counted, and the log says how many.

mod broker;
mod event;
mod sender;
mod tls;
mod url;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jeroboam_model::{Caller, Clock, ClusterWithGroups};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use uuid::Uuid;

pub use broker::{BrokerConfig, QueueKind};
pub use event::{Action, Notice, Outcome, ending};
pub use tls::{TlsConfig, TlsError};
pub use url::{BadUrl, TransportUrl};

use event::Message;

/// How others are told. Magnum: `[oslo_messaging_notifications] driver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Over AMQP, in oslo.messaging's envelope.
    MessagingV2,
    /// Over AMQP, without one.
    Messaging,
    /// A line of the log.
    Log,
    /// Nobody is told.
    Noop,
}

impl FromStr for Driver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "messagingv2" => Ok(Self::MessagingV2),
            "messaging" => Ok(Self::Messaging),
            "log" => Ok(Self::Log),
            "noop" | "test" => Ok(Self::Noop),
            other => {
                Err(format!("{other:?} is no driver for notifications, expected messagingv2, messaging, log or noop"))
            }
        }
    }
}

/// What the operator set.
#[derive(Clone, Debug)]
pub struct NotifyConfig {
    /// How others are told; each of these ways is gone.
    pub drivers: Vec<Driver>,
    /// `container-infra.<host>`.
    pub publisher: String,
    /// Begin of the routing keys: `notifications` makes `notifications.info`.
    pub topics: Vec<String>,
    /// How often a message is sent again; `None` for as long as it takes.
    pub retries: Option<u32>,
    /// Messages that may wait.
    pub queue: usize,
    /// RabbitMQ, where a driver sends something there.
    pub broker: Option<BrokerConfig>,
}

/// Tells others. Cheap to clone; [`Notifier::silent`] tells nobody.
#[derive(Clone)]
pub struct Notifier {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    publisher: String,
    log: bool,
    queue: Option<mpsc::Sender<Message>>,
    dropped: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").field("tells", &self.shared.is_some()).finish()
    }
}

impl Notifier {
    /// Tells nobody.
    #[must_use]
    pub const fn silent() -> Self {
        Self { shared: None }
    }

    /// Tells as the operator wants; what goes to RabbitMQ is sent by a task of `tasks`, for a while after `stop`.
    pub fn start(
        config: NotifyConfig,
        clock: Arc<dyn Clock>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, TlsError> {
        let wanted = |driver| config.drivers.contains(&driver);
        let log = wanted(Driver::Log);
        let sends = wanted(Driver::MessagingV2) || wanted(Driver::Messaging);
        let dropped: Arc<AtomicU64> = Arc::default();
        let mut queue = None;
        if let Some(broker) = config.broker.as_ref().filter(|_| sends) {
            let formats =
                config.drivers.iter().filter(|driver| matches!(driver, Driver::MessagingV2 | Driver::Messaging));
            let (tell, told) = mpsc::channel(config.queue.max(1));
            let sender =
                sender::Sender::new(broker.clone(), formats.copied().collect(), &config, Arc::clone(&dropped))?;
            tasks.spawn(sender.run(told, stop));
            queue = Some(tell);
            info!(publisher = config.publisher, "notifications are sent to RabbitMQ");
        }
        if !log && queue.is_none() {
            return Ok(Self::silent());
        }
        let shared = Shared { publisher: config.publisher, log, queue, dropped, clock };
        Ok(Self { shared: Some(Arc::new(shared)) })
    }

    /// Messages for which there was no room, and those that were sent too often in vain.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.dropped.load(Ordering::Relaxed))
    }

    /// Tells of something that a caller wants or is refused.
    pub fn request(&self, caller: &Caller, action: Action, outcome: Outcome, cluster: &ClusterWithGroups) {
        self.tell(&Notice { action, outcome, cluster, caller: Some(caller) });
    }

    /// Tells how an operation ended; nothing where the cluster's status is no end.
    pub fn ended(&self, cluster: &ClusterWithGroups) {
        if let Some((action, outcome)) = ending(cluster.cluster.status) {
            self.tell(&Notice { action, outcome, cluster, caller: None });
        }
    }

    fn tell(&self, notice: &Notice<'_>) {
        let Some(shared) = &self.shared else { return };
        let message = event::message(notice, &shared.publisher, shared.clock.now(), Uuid::new_v4);
        if shared.log {
            let text = message.logged();
            let kind = message.event_type.as_str();
            if notice.outcome == Outcome::Failure {
                error!(target: "oslo.messaging.notification", event_type = kind, "{text}");
            } else {
                info!(target: "oslo.messaging.notification", event_type = kind, "{text}");
            }
        }
        let Some(queue) = &shared.queue else { return };
        let id = notice.cluster.cluster.id;
        if queue.try_send(message).is_err() {
            let dropped = shared.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            // The first is worth a line, and then every power of two: an outage is long.
            if dropped.is_power_of_two() {
                warn!(cluster.id = %id, dropped, "dropped a notification: too many wait for RabbitMQ");
            }
        }
    }
}
