//! A sandbox that is stopped in the middle goes on where it was.

use serde_json::Value;

use crate::bed::{Bed, CORE, cluster};
use crate::life::{CLUSTER, MACHINES, names};

#[tokio::test]
async fn a_restart_in_the_middle_of_a_creation_continues() {
    let dir = tempfile::tempdir().unwrap();
    let bed = Bed::in_dir(dir.path()).await;
    bed.class("n").await;
    bed.post(&format!("{CORE}/namespaces/n/clusters"), &cluster("c", 3, 2)).await;
    bed.until("the first machine", MACHINES, |list| !names(list).is_empty()).await;
    let url = bed.sandbox.kubernetes_url.clone();
    bed.sandbox.stop().await;

    let bed = Bed::in_dir(dir.path()).await;
    assert_eq!(bed.sandbox.kubernetes_url, url, "it is where it was");
    let made = bed.until_complete(CLUSTER).await;
    assert_eq!(names(&bed.get(MACHINES).await.1).len(), 5);
    let endpoint = made["spec"]["controlPlaneEndpoint"].clone();
    bed.delete(CLUSTER).await;
    bed.until("the deletion to begin", CLUSTER, |seen| {
        !seen["metadata"]["deletionTimestamp"].is_null() || seen.is_null()
    })
    .await;
    bed.sandbox.stop().await;

    let bed = Bed::in_dir(dir.path()).await;
    bed.until("the cluster to go", CLUSTER, Value::is_null).await;
    bed.until("its machines to go", MACHINES, |list| names(list).is_empty()).await;
    assert!(endpoint["port"].as_u64().unwrap() > 0);
    assert_eq!(bed.sandbox.state().count("server"), 0);
    bed.sandbox.stop().await;
}
