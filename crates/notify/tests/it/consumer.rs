//! A Python program that consumes notifications of Magnum's understands ours.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use jeroboam_model::{Status, SystemClock};
use jeroboam_notify::{Action, Notifier, Outcome};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Rabbit;
use crate::samples::{caller, cluster};

#[expect(clippy::disallowed_methods, reason = "tests have no settings but the environment")]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn python() -> Option<String> {
    let setting = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let bin = setting("JEROBOAM_MAGNUM");
    if bin.is_none() {
        assert!(setting("JEROBOAM_ALL").is_none(), "JEROBOAM_MAGNUM is not set: the bin of tools/setup.sh magnum");
        eprintln!("skipped: JEROBOAM_MAGNUM is not set; the bin of tools/setup.sh magnum");
    }
    bin.map(|bin| format!("{bin}/python"))
}

#[tokio::test(flavor = "multi_thread")]
async fn oslo_messaging_hands_our_notifications_to_its_consumers() {
    let Some(python) = python() else { return };
    let rabbit = Rabbit::start();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let notifier = Notifier::start(rabbit.config(), Arc::new(SystemClock), &tasks, stop.clone()).expect("a notifier");
    notifier.request(&caller(), Action::Create, Outcome::Pending, &cluster(Status::CREATE_IN_PROGRESS));
    let mut failed = cluster(Status::CREATE_FAILED);
    failed.cluster.status_reason = Some("no more floating IPs".to_owned());
    notifier.ended(&failed);
    notifier.ended(&cluster(Status::DELETE_COMPLETE));
    // Still being worked on: nothing to tell.
    notifier.ended(&cluster(Status::UPDATE_IN_PROGRESS));
    stop.cancel();
    tasks.close();
    tasks.wait().await;

    // The consumer comes late, and misses nothing.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/consumer.py");
    let (url, script) = (rabbit.url(), script.to_str().expect("a path").to_owned());
    let output = tokio::task::spawn_blocking(move || {
        Command::new(python).args(["-W", "ignore", &script, &url, "magnum", "3"]).output()
    });
    let output = output.await.expect("it ran").expect("python");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("very-secret"), "{said}");
    let mut heard: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    heard.sort_by_key(|one| (one["event_type"].to_string(), one["priority"].to_string()));

    let seen: Vec<_> = heard
        .iter()
        .map(|one| json!([one["event_type"], one["priority"], one["payload"]["action"], one["payload"]["outcome"]]))
        .collect();
    assert_eq!(
        seen,
        [
            json!(["magnum.cluster.create", "error", "create", "failure"]),
            json!(["magnum.cluster.create", "info", "create", "pending"]),
            json!(["magnum.cluster.delete", "info", "delete", "success"]),
        ]
    );
    let [failed, pending, deleted] = heard.try_into().expect("three");
    for one in [&failed, &pending, &deleted] {
        assert_eq!(one["publisher_id"], "container-infra.node-1");
        assert_eq!(one["payload"]["target"]["id"], "cad92b66-3023-426e-9584-e73170a1c965");
        assert!(one["metadata"]["message_id"].is_string() && one["metadata"]["timestamp"].is_string(), "{one}");
    }
    let content = |one: &Value| one["payload"]["target"]["attachments"][0]["content"].clone();
    assert_eq!(content(&failed)["status_reason"], "no more floating IPs");
    assert_eq!(
        (&content(&pending)["master_addresses"], &content(&pending)["node_count"]),
        (&json!(["10.0.0.5"]), &json!(2))
    );
    assert_eq!(pending["payload"]["initiator"]["user_id"], "u1");
    assert_eq!(pending["context"]["request_id"], "req-1");
    assert_eq!(failed["payload"]["initiator"].get("user_id"), None);
}
