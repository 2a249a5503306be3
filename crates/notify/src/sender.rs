//! The task that empties the queue: one message after the other, each until RabbitMQ has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::broker::{Broker, BrokerConfig, BrokerError};
use crate::event::{Message, enveloped};
use crate::tls::{self, TlsError};
use crate::{Driver, NotifyConfig};

/// The first pause after a failure; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What waits when the process is told to stop has so long to get out.
const LAST: Duration = Duration::from_secs(3);

pub(crate) struct Sender {
    config: BrokerConfig,
    tls: Option<TlsConnector>,
    formats: Vec<Driver>,
    topics: Vec<String>,
    retries: Option<u32>,
    broker: Option<Broker>,
    /// The broker whose turn it is.
    turn: usize,
    /// Failures in a row.
    failures: u32,
    /// Messages that were given up.
    dropped: Arc<AtomicU64>,
}

impl Sender {
    pub(crate) fn new(
        config: BrokerConfig,
        formats: Vec<Driver>,
        all: &NotifyConfig,
        dropped: Arc<AtomicU64>,
    ) -> Result<Self, TlsError> {
        let tls = config.tls.as_ref().map(tls::connector).transpose()?;
        let (topics, retries) = (all.topics.clone(), all.retries);
        Ok(Self { config, tls, formats, topics, retries, broker: None, turn: 0, failures: 0, dropped })
    }

    pub(crate) async fn run(mut self, mut told: mpsc::Receiver<Message>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                message = told.recv() => match message {
                    Some(message) => self.deliver(&message, &stop).await,
                    None => break,
                }
            }
        }
        told.close();
        let rest = async {
            while let Some(message) = told.recv().await {
                self.deliver(&message, &stop).await;
            }
        };
        timeout(LAST, rest).await.ok();
        let left = told.len();
        if left > 0 {
            warn!(left, "notifications were still waiting for RabbitMQ and are lost");
        }
        if let Some(broker) = self.broker.take() {
            broker.close(Duration::from_secs(1)).await;
        }
    }

    /// Sends a message in each format to each topic. Once the process is to stop there is one attempt.
    async fn deliver(&mut self, message: &Message, stop: &CancellationToken) {
        for format in self.formats.clone() {
            let body = match format {
                Driver::MessagingV2 => enveloped(&message.body),
                _ => message.body.clone(),
            };
            let body = body.to_string();
            for topic in self.topics.clone() {
                let key = format!("{topic}.{}", message.priority.to_lowercase());
                self.persist(&key, body.as_bytes(), &message.event_type, stop).await;
            }
        }
    }

    async fn persist(&mut self, key: &str, body: &[u8], event_type: &str, stop: &CancellationToken) {
        let mut attempts: u32 = 0;
        loop {
            let Err(error) = self.attempt(key, body).await else {
                if self.failures > 0 {
                    info!(failures = self.failures, "RabbitMQ takes notifications again");
                }
                self.failures = 0;
                return;
            };
            // Whatever it was: the next attempt is made with a new connection, to the next broker where there are several.
            self.broker = None;
            self.turn = self.turn.wrapping_add(1);
            self.failures = self.failures.saturating_add(1);
            attempts += 1;
            if self.failures == 1 {
                warn!(error = %error, "RabbitMQ does not take notifications: they wait, and requests go on");
            } else {
                debug!(error = %error, failures = self.failures, "RabbitMQ still does not take notifications");
            }
            if stop.is_cancelled() || self.retries.is_some_and(|retries| attempts > retries) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                warn!(event_type, attempts, "dropped a notification: RabbitMQ does not take it");
                return;
            }
            let pause = PAUSE.saturating_mul(1 << (self.failures - 1).min(10)).min(LONGEST_PAUSE);
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn attempt(&mut self, key: &str, body: &[u8]) -> Result<(), BrokerError> {
        let brokers = &self.config.url.brokers;
        let address = &brokers[self.turn % brokers.len()];
        let broker = match &mut self.broker {
            Some(broker) => broker,
            None => self.broker.insert(Broker::connect(&self.config, address, self.tls.clone()).await?),
        };
        broker.publish(&self.config, key, body).await
    }
}
