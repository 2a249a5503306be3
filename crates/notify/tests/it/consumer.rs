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
    let python = setting("JEROBOAM_ORACLE");
    if python.is_none() {
        assert!(setting("JEROBOAM_ALL").is_none(), "JEROBOAM_ORACLE is not set: tools/setup.sh magnum installs it");
        eprintln!("skipped: JEROBOAM_ORACLE is not set; it names the Python that tools/setup.sh magnum installs");
    }
    python
}

/// What Magnum itself gives to the bus for the same cluster, caller and moment.
fn says_magnum(python: &str) -> Value {
    let view = cluster(Status::CREATE_IN_PROGRESS);
    let told = json!({
        "cluster": {
            "uuid": view.cluster.id, "name": view.cluster.name, "status": "CREATE_IN_PROGRESS", "status_reason": null,
            "project_id": "p1", "user_id": "u1", "created_at": "2026-11-21T00:04:41+00:00", "updated_at": null,
            "cluster_template_id": view.cluster.template, "keypair": null, "docker_volume_size": null,
            "labels": {"kube_tag": "v1.33.4"}, "master_flavor_id": "m", "flavor_id": "f", "stack_id": "prod-abc",
            "health_status": null, "create_timeout": 60, "api_address": null, "discovery_url": null,
        },
        "groups": [
            {"role": "master", "node_count": 1, "node_addresses": ["10.0.0.5"], "is_default": true},
            {"role": "worker", "node_count": 2, "node_addresses": ["10.0.0.6"], "is_default": true},
        ],
        "caller": {
            "user_id": "u1", "user_name": "demo", "user_domain_id": "default", "project_id": "p1", "project_name": "demo",
            "roles": ["member", "reader"], "request_id": "req-1",
        },
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cluster.json");
    std::fs::write(&file, told.to_string()).expect("written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/oracle/magnum_notification.py");
    let output = Command::new(python).args(["-W", "ignore", script, "create", "pending"]).arg(file).output();
    let output = output.expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said
        .lines()
        .rfind(|line| line.starts_with('{'))
        .unwrap_or_else(|| panic!("Magnum said nothing: {said}{}", String::from_utf8_lossy(&output.stderr)));
    let sent: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&sent["exchange"], &sent["topic"]), (&json!("magnum"), &json!("notifications.info")));
    sent["message"].clone()
}

/// An event without what is new each time.
fn masked(event: &Value) -> Value {
    let mut event = event.clone();
    event["eventTime"] = json!("");
    for part in ["", "/observer", "/initiator"] {
        event.pointer_mut(part).expect("a part")["id"] = json!("");
    }
    event
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
    let magnum = says_magnum(&python);
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
    assert_eq!(masked(&pending["payload"]), masked(&magnum["payload"]));
    assert_eq!(magnum["publisher_id"], pending["publisher_id"]);
    for (name, value) in pending["context"].as_object().expect("a context") {
        // oslo.messaging adds these to what was sent.
        if ["client_timeout", "msg_id", "reply_q"].contains(&name.as_str()) {
            continue;
        }
        let theirs = &magnum[format!("_context_{name}")];
        assert_eq!(value, theirs, "{name}");
    }
    assert_eq!(pending["payload"]["initiator"]["user_id"], "u1");
    assert_eq!(pending["context"]["request_id"], "req-1");
    assert_eq!(failed["payload"]["initiator"].get("user_id"), None);
}
