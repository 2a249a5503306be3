//! What the process counts, as an operator's collector reads it.

use reqwest::Method;
use serde_json::json;

use crate::bed::{Cloud, free_port, until};

#[tokio::test(flavor = "multi_thread")]
async fn notifications_that_rabbitmq_did_not_get_are_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    let cloud = Cloud::start(dir.path(), "20").await;
    let (numbers, nobody) = (free_port(), free_port());
    let own = dir.path().join("own.conf");
    let text = format!(
        "[jeroboam]\nmetrics_listen = 127.0.0.1:{numbers}\n[oslo_messaging_notifications]\ndriver = messagingv2\n\
         transport_url = rabbit://guest:guest@127.0.0.1:{nobody}/\nretry = 0\n"
    );
    std::fs::write(&own, text).expect("written");
    let own = own.display().to_string();
    let _service = cloud.service(dir.path(), "service", &["--config-file", &own]).await;
    let dropped = async || {
        let answer = reqwest::get(format!("http://127.0.0.1:{numbers}/metrics")).await.expect("an answer");
        let text = answer.text().await.expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("jeroboam_notifications_dropped_total "));
        line.unwrap_or_else(|| panic!("no such number: {text}")).parse::<u64>().expect("a number")
    };
    assert_eq!(dropped().await, 0);
    let demo = cloud.demo().await;
    let template = demo.template("small", "ubuntu-kube-v1.33.5").await;
    let body = json!({"name": "told", "cluster_template_id": template});
    demo.must(Method::POST, "/clusters", Some(body), 202).await;
    until("a notification to be given up", || async { (dropped().await > 0).then_some(()) }).await;
}
