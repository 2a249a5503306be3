//! The same checks in the pretended Swift and in all real ones.

use std::sync::Arc;

use futures::FutureExt as _;
use jeroboam_blobs::SharedBlobs;

use crate::contract::Bed;
use crate::places::{LIMITED, Place, real};
use crate::pretended::Quirks;

/// What every place keeps to.
async fn contract(place: &Place) {
    let open = || async move { Arc::new(place.open()) as SharedBlobs }.boxed();
    let run = format!("docker/registry/v2/x{}", uuid::Uuid::new_v4().simple());
    crate::contract::run(&Bed { open: &open, large: 12_000_007, run }).await;
}

/// Ends with nothing left in the container but what is named.
async fn everything(place: &Place) {
    crate::checks::short_objects(place).await;
    crate::checks::ranges(place).await;
    crate::checks::cut_off(place).await;
    crate::checks::resumed(place).await;
    crate::checks::discarded(place).await;
    crate::checks::moved(place).await;
    crate::checks::swept(place).await;
    crate::checks::listed(place).await;
    crate::checks::made_by_hand(place).await;
    contract(place).await;
}

#[tokio::test]
async fn a_pretended_swift_keeps_what_is_promised() {
    everything(&Place::pretended(Quirks::default()).await).await;
}

#[tokio::test]
async fn a_pretended_gateway_keeps_what_is_promised() {
    everything(&Place::pretended(Quirks { gateway: true, no_info: true, ..Quirks::default() }).await).await;
}

#[tokio::test]
async fn static_objects_alone_keep_what_is_promised() {
    let mut place = Place::pretended(Quirks { no_bulk: true, ..Quirks::default() }).await;
    place.config.exclusive = true;
    place.config.prefix = String::new();
    everything(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_real_swift_keeps_what_is_promised() {
    for place in real() {
        println!("{}", place.name);
        everything(&place).await;
        if place.name == LIMITED {
            continue;
        }
        let mut alone = place;
        alone.config.exclusive = true;
        alone.config.container = format!("{}-x", alone.config.container);
        everything(&alone).await;
    }
}
