//! The contract, in memory.

use std::sync::Arc;

use crate::contract::Bed;
use futures::FutureExt;
use jeroboam_blobs::{Memory, SharedBlobs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_contract() {
    let memory = Memory::default();
    let open = || {
        let memory = memory.clone();
        async move { Arc::new(memory) as SharedBlobs }.boxed()
    };
    crate::contract::run(&Bed { open: &open, large: 12_000_007, notes: true, run: "docker/registry/v2/x".to_owned() })
        .await;
}
