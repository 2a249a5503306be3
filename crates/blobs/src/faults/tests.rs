use std::sync::Arc;

use super::*;
use crate::{Listed, Memory};

async fn put(place: &Faults, path: &str, bytes: &'static [u8]) -> Result<()> {
    place.put(path, Bytes::from_static(bytes), Condition::Always).await.map(drop)
}

async fn paths(place: &Faults) -> Vec<String> {
    let page = place.list(List { prefix: "", after: None, folders: false, limit: 100 }).await.expect("a listing");
    page.items
        .into_iter()
        .map(|item| match item {
            Listed::Object { path, .. } | Listed::Folder { path } => path,
        })
        .collect()
}

#[tokio::test]
async fn a_call_fails_before_or_after_it_took_effect() {
    let place = Faults::new(Arc::new(Memory::default()));
    place.plan(Some(Fault { call: 2, told: Told::Before, dies: false }));
    put(&place, "a", b"1").await.expect("the first");
    put(&place, "b", b"2").await.expect_err("the second");
    put(&place, "c", b"3").await.expect("the third");
    place.plan(Some(Fault { call: 1, told: Told::After, dies: false }));
    put(&place, "d", b"4").await.expect_err("nobody hears of it");
    assert_eq!(paths(&place).await, ["a", "c", "d"]);
    assert_eq!(place.counts()[&Operation::Put], 4);
}

#[tokio::test]
async fn the_dead_change_nothing_until_they_live_again() {
    let place = Faults::new(Arc::new(Memory::default()));
    place.plan(Some(Fault { call: 1, told: Told::After, dies: true }));
    put(&place, "a", b"1").await.expect_err("it dies");
    put(&place, "b", b"2").await.expect_err("it is dead");
    place.plan(None);
    assert_eq!(paths(&place).await, ["a"]);
}

#[tokio::test]
async fn listings_lag_and_old_bytes_are_served_until_the_lag_is_over() {
    let place = Faults::new(Arc::new(Memory::default()));
    put(&place, "gone", b"1").await.expect("written");
    put(&place, "link", b"old").await.expect("written");
    let (mut missed, mut ghosts, mut stale) = (0, 0, 0);
    for seed in 0..20 {
        place.lag(8, seed);
        put(&place, "new", b"2").await.expect("written");
        place.delete(&["gone".to_owned()]).await.expect("deleted");
        put(&place, "link", b"newer").await.expect("written");
        let seen = paths(&place).await;
        missed += usize::from(!seen.contains(&"new".to_owned()));
        ghosts += usize::from(seen.contains(&"gone".to_owned()));
        let size = place.head("link", Freshness::Any).await.expect("an answer").map(|meta| meta.size);
        stale += usize::from(size == Some(3));
        let newest = place.head("link", Freshness::Newest).await.expect("an answer").map(|meta| meta.size);
        assert_eq!(newest, Some(5));
        for _ in 0..8 {
            place.probe().await.expect("an answer");
        }
        assert_eq!(paths(&place).await, ["link", "new"], "seed {seed}");
        place.lag(0, 0);
        place.delete(&["new".to_owned()]).await.expect("deleted");
        put(&place, "gone", b"1").await.expect("written");
        put(&place, "link", b"old").await.expect("written");
    }
    assert!(missed > 3 && ghosts > 3 && stale > 3, "missed {missed}, ghosts {ghosts}, stale {stale}");
}
