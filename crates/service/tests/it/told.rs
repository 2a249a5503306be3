//! Others are told of what callers want of clusters, at Magnum's moments and no others.

use std::sync::{Arc, Mutex};

use jeroboam_model::{Clock, ManualClock, Status};
use jeroboam_notify::{Driver, NotifyConfig};
use jeroboam_service::{Notifier, Resize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::bed::Bed;

/// Listens to the driver `log`.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// `create pending CREATE_IN_PROGRESS` and so on since the last time.
    fn take(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.0.lock().expect("lock"));
        let told = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        told.map(|told| {
            let event = &told["payload"];
            assert_eq!(told["event_type"], format!("magnum.cluster.{}", text(&event["action"])));
            let status = &event["target"]["attachments"][0]["content"]["status"];
            let user = &event["initiator"]["user_id"];
            format!("{} {} {} {}", text(&event["action"]), text(&event["outcome"]), text(status), text(user))
        })
        .collect()
    }
}

struct Message<'a>(&'a Heard);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.0.lock().expect("lock").push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "oslo.messaging.notification"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut Message(self));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn notifier() -> Notifier {
    let config = NotifyConfig {
        drivers: vec![Driver::Log],
        publisher: "container-infra.node-1".to_owned(),
        topics: vec!["notifications".to_owned()],
        retries: None,
        queue: 10,
        broker: None,
    };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().expect("time")));
    Notifier::start(config, clock, &TaskTracker::new(), CancellationToken::new()).expect("a notifier")
}

fn to(node_count: i32) -> Resize {
    Resize { node_count, ..Resize::default() }
}

#[tokio::test]
async fn what_callers_want_is_told_with_the_cluster_as_it_was() {
    let heard = Heard::default();
    let _guard = tracing::subscriber::set_default(heard.clone());
    let bed = Bed::telling(|_| {}, notifier()).await;
    let cluster = bed.running().await.cluster;
    assert_eq!(heard.take(), ["create pending CREATE_IN_PROGRESS ann"], "a template is told to nobody");
    let id = cluster.id.to_string();
    let (ann, clusters) = (bed.ann(), bed.service.clusters());

    clusters.resize(&ann, &id, to(4)).await.expect("accepted");
    assert_eq!(heard.take(), ["update pending CREATE_COMPLETE ann"]);
    clusters.resize(&ann, &id, to(0)).await.ok();
    heard.take();

    clusters.delete(&ann, &id).await.expect("accepted");
    assert_eq!(heard.take(), ["delete pending UPDATE_IN_PROGRESS ann"]);
    clusters.resize(&ann, &id, to(5)).await.expect_err("it goes");
    assert_eq!(heard.take(), ["update failure DELETE_IN_PROGRESS ann"]);
    bed.service.certificates().rotate(&ann, &id).await.expect_err("it goes");
    assert_eq!(heard.take(), ["update failure DELETE_IN_PROGRESS ann"]);
    clusters.resize(&bed.caller("bob", "red", &["member"]), &id, to(5)).await.expect_err("not his");
    assert_eq!(heard.take(), [""; 0], "who sees no cluster is told nothing of it, nor are others");
    assert_eq!(bed.read(cluster.id).await.cluster.status, Status::DELETE_IN_PROGRESS);
}
