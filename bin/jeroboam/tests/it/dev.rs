//! `jeroboam dev` and its client, as a person at a terminal would use them.

use crate::bed::{Cloud, Tenant};
use crate::life;

#[tokio::test]
async fn a_cluster_lives_its_whole_life_on_the_sandbox() {
    let dir = tempfile::tempdir().expect("a folder");
    let cloud = Cloud::start(dir.path(), "20").await;
    let _service = cloud.service(dir.path(), "service", &[]).await;
    let tenant: Tenant = cloud.demo().await;
    life::whole(&tenant, "life", &life::SANDBOX).await;
}
