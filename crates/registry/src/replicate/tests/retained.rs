//! What no rule keeps goes in all regions.

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::SystemClock;

use super::*;
use crate::leases::{GRACE, Leases};
use crate::retention::{RetentionRule, retain};
use crate::store::StoreConfig;

/// Goes through a rule as a process does that does not serve. One tag goes.
async fn retain_by_hand(blobs: &SharedBlobs, settings: ReplicateSettings, keep: usize) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let leases = Arc::new(Leases::in_memory(clock.clone(), GRACE));
    let store = Arc::new(Store::new(blobs.clone(), clock.clone(), leases, StoreConfig::default()));
    let replication = Replication::beside(settings, store.clone(), clock.clone()).unwrap();
    let rule = RetentionRule { keep: Some(keep), ..RetentionRule::default() };
    let retained = retain(&store, &replication, &[rule], clock.now(), false).await.unwrap();
    assert_eq!(retained.removals[&name("team/app")].len(), 1, "{retained:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_keeps_is_removed_by_hand_in_all_regions_and_does_not_come_back() {
    let change = |settings| ReplicateSettings { deletes: true, ..settings };
    let (north, south) = regions(change).await;
    for label in ["v1", "v2", "v3"] {
        let image = image(label, None);
        push(&north, "team/app", Some(label), &image).await.unwrap();
        both_serve(&north, &south, label, &image).await;
    }
    idle(&north).await;
    idle(&south).await;
    let settings = change(region("north", south.address));
    // Beside a registry that serves, and when all tags are compared.
    retain_by_hand(&north.blobs, settings.clone(), 2).await;
    until("its memory is over", || async { target(&north, "v1").await.is_none() }).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for server in [&south, &north] {
        server.replication.compare_now();
    }
    until("it is gone there", || async { target(&south, "v1").await.is_none() }).await;
    idle(&south).await;
    assert_eq!(target(&north, "v1").await, None);
    // While nobody serves: whoever begins to finds what is queued, and nothing is compared.
    let (at, blobs) = north.kill().await;
    retain_by_hand(&blobs, settings.clone(), 1).await;
    let north = Server::at(at, blobs, wanted(settings)).await;
    until("it is gone there, too", || async { target(&south, "v2").await.is_none() }).await;
    assert!(target(&north, "v2").await.is_none() && target(&south, "v3").await.is_some());
}
