//! The same checks in the pretended Swift and in all real ones.

use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt as _;
use jeroboam_blobs::SharedBlobs;
use jeroboam_blobs::swift::SwiftAccess;

use crate::contract::Bed;
use crate::places::{Place, real};
use crate::pretended::Quirks;

/// What every place keeps to.
async fn contract(place: &Place) {
    let open = || async move { Arc::new(place.open()) as SharedBlobs }.boxed();
    let run = format!("docker/registry/v2/x{}", uuid::Uuid::new_v4().simple());
    crate::contract::run(&Bed { open: &open, large: 12_000_007, notes: true, run }).await;
}

/// Ends with nothing left in the container but what is named.
async fn everything(place: &Place) {
    crate::checks::short_objects(place).await;
    crate::checks::ranges(place).await;
    crate::checks::cut_off(place).await;
    crate::checks::resumed(place).await;
    crate::checks::discarded(place).await;
    crate::checks::moved(place).await;
    crate::checks::left_by_distribution(place).await;
    crate::checks::swept(place).await;
    crate::checks::listed(place).await;
    crate::checks::made_by_hand(place).await;
}

#[tokio::test]
async fn a_pretended_swift_keeps_what_is_promised() {
    let place = Place::pretended(Quirks::default()).await;
    everything(&place).await;
    contract(&place).await;
}

#[tokio::test]
async fn a_pretended_gateway_keeps_what_is_promised() {
    let place = Place::pretended(Quirks { gateway: true, no_info: true, ..Quirks::default() }).await;
    everything(&place).await;
    contract(&place).await;
}

/// Whoever takes a page that is shorter than it may be for the last one fails here at every turn.
#[tokio::test]
async fn a_gateway_whose_pages_are_short_keeps_what_is_promised() {
    let place = Place::pretended(Quirks { gateway: true, page: Some(3), ..Quirks::default() }).await;
    everything(&place).await;
    contract(&place).await;
}

#[tokio::test]
async fn static_objects_alone_keep_what_is_promised() {
    let mut place = Place::pretended(Quirks { no_bulk: true, ..Quirks::default() }).await;
    place.config.exclusive = true;
    place.config.prefix = String::new();
    everything(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_store_keeps_the_contract() {
    for place in real().into_iter().filter(|place| place.name == "swift by a trust" || place.name.starts_with("ceph")) {
        let begin = Instant::now();
        contract(&place).await;
        println!("{}: {:.1?}", place.name, begin.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_real_swift_keeps_what_is_promised() {
    for place in real() {
        let begin = Instant::now();
        everything(&place).await;
        println!("{}: {:.1?}", place.name, begin.elapsed());
        if matches!(place.config.access, SwiftAccess::Keystone(_)) {
            continue;
        }
        let mut alone = place;
        alone.config.exclusive = true;
        alone.config.container = format!("{}-x", alone.config.container);
        everything(&alone).await;
    }
}
