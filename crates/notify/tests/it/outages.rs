//! RabbitMQ comes, goes and freezes: whoever tells something never notices.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use jeroboam_model::{Status, SystemClock};
use jeroboam_notify::{Action, Notifier, NotifyConfig, Outcome};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Rabbit;
use crate::samples::{caller, cluster};

const SOON: Duration = Duration::from_secs(60);

struct Teller {
    notifier: Notifier,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Teller {
    fn start(config: NotifyConfig) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let notifier = Notifier::start(config, Arc::new(SystemClock), &tasks, stop.clone()).expect("a notifier");
        Self { notifier, stop, tasks }
    }

    /// Tells of a cluster with this name. It is no async function: there is nothing to wait for.
    fn tell(&self, name: &str) {
        let mut told = cluster(Status::CREATE_IN_PROGRESS);
        told.cluster.name = Some(name.to_owned());
        self.notifier.request(&caller(), Action::Create, Outcome::Pending, &told);
    }

    async fn finish(self) {
        self.stop.cancel();
        self.tasks.close();
        timeout(SOON, self.tasks.wait()).await.expect("the task ends");
    }
}

/// Names of clusters as they come out of the queue, until all of these have come.
async fn heard(rabbit: &Rabbit, wanted: &[&str]) {
    let url = rabbit.url().replace("rabbit://", "amqp://").trim_end_matches('/').to_owned();
    let all = async {
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare("notifications.info".into(), options, FieldTable::default()).await.expect("a queue");
        let mut consumer = channel
            .basic_consume(
                "notifications.info".into(),
                "test".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .expect("a consumer");
        let mut missing: BTreeSet<&str> = wanted.iter().copied().collect();
        while !missing.is_empty() {
            let delivery = consumer.next().await.expect("more").expect("a message");
            let envelope: Value = serde_json::from_slice(&delivery.data).expect("JSON");
            let message: Value = serde_json::from_str(envelope["oslo.message"].as_str().expect("text")).expect("JSON");
            let name = message["payload"]["target"]["name"].as_str().expect("a name").to_owned();
            missing.remove(name.as_str());
            delivery.acker.ack(BasicAckOptions::default()).await.expect("acknowledged");
        }
    };
    timeout(SOON, all).await.expect("all messages come");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_while_rabbitmq_is_killed_or_frozen_comes_later() {
    let mut rabbit = Rabbit::start();
    let teller = Teller::start(rabbit.config());
    teller.tell("before");
    heard(&rabbit, &["before"]).await;

    rabbit.freeze();
    teller.tell("frozen-1");
    teller.tell("frozen-2");
    // Longer than a message may take: the connection is given up meanwhile.
    tokio::time::sleep(Duration::from_secs(1)).await;
    rabbit.thaw();
    heard(&rabbit, &["frozen-1", "frozen-2"]).await;

    rabbit.kill();
    teller.tell("dead-1");
    teller.tell("dead-2");
    rabbit.raise();
    heard(&rabbit, &["dead-1", "dead-2"]).await;
    assert_eq!(teller.notifier.dropped(), 0);

    // The last words get out when the process stops.
    teller.tell("last");
    teller.finish().await;
    heard(&rabbit, &["last"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_no_room_for_is_counted() {
    // It listens and never says a word.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let teller = Teller::start(NotifyConfig { queue: 3, ..no_rabbit_at(&nobody) });
    for number in 0..20 {
        teller.tell(&number.to_string());
    }
    // Three wait, and one more at most is on its way.
    assert!((16..=17).contains(&teller.notifier.dropped()), "{}", teller.notifier.dropped());
    teller.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_too_often_in_vain_is_counted() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let teller = Teller::start(NotifyConfig { retries: Some(0), ..no_rabbit_at(&nobody) });
    teller.tell("first");
    teller.tell("second");
    let counted = async {
        while teller.notifier.dropped() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, counted).await.expect("both are counted");
    teller.finish().await;
}

/// Messages go to a port behind which there is no RabbitMQ.
fn no_rabbit_at(port: &std::net::TcpListener) -> NotifyConfig {
    let address = port.local_addr().expect("an address");
    let broker = jeroboam_notify::BrokerConfig {
        url: format!("rabbit://guest:guest@{address}/").parse().expect("an address"),
        exchange: "magnum".to_owned(),
        durable: false,
        auto_delete: false,
        queues: jeroboam_notify::QueueKind::Classic,
        heartbeat: 60,
        tls: None,
        patience: Duration::from_millis(200),
    };
    NotifyConfig {
        drivers: vec![jeroboam_notify::Driver::MessagingV2],
        publisher: "container-infra.node-1".to_owned(),
        topics: vec!["notifications".to_owned()],
        retries: None,
        queue: 100,
        broker: Some(broker),
    }
}
