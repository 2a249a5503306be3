use std::time::Duration;

use jeroboam_model::{Operation, Status};
use jeroboam_store::testing::TestDatabase;
use jeroboam_store::{Acceptance, Recorded, samples};
use tokio::task::JoinSet;

use super::{create, one_cluster};

const TTL: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> jeroboam_model::Timestamp {
    samples::noon() + Duration::from_secs(seconds)
}

pub(crate) async fn of_twenty_claims_one_succeeds(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let mut claims = JoinSet::new();
    for number in 0..20 {
        let (store, id) = (store.clone(), view.cluster.id);
        claims.spawn(async move { store.claim(id, &format!("w{number}"), at(0), TTL).await.expect("an answer") });
    }
    let leases: Vec<_> = claims.join_all().await.into_iter().flatten().collect();
    assert_eq!(leases.len(), 1);
    assert_eq!(leases[0].expires, at(10));
    assert_eq!(store.due(at(1), 10).await.expect("read"), [], "it is held");
}

pub(crate) async fn a_lost_lease_writes_nothing(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let id = view.cluster.id;
    let old = store.claim(id, "a", at(0), TTL).await.expect("an answer").expect("claimed");
    assert_eq!(store.claim(id, "b", at(9), TTL).await.expect("an answer"), None, "it is still held");
    assert_eq!(store.due(at(10), 10).await.expect("read"), [id]);
    let new = store.claim(id, "b", at(10), TTL).await.expect("an answer").expect("claimed");
    assert!(new.fence > old.fence);
    let failed = || Recorded { attempts: Some(9), ..Recorded::default() };
    assert!(!store.record(&old, 1, failed()).await.expect("an answer"));
    assert_eq!(store.load(&old).await.expect("an answer"), None);
    assert_eq!(store.renew(&old, at(11), TTL).await.expect("an answer"), None);
    assert!(!store.release(&old, at(99)).await.expect("an answer"));
    assert!(!store.forget(&old, 1, false).await.expect("an answer"));
    let loaded = store.load(&new).await.expect("an answer").expect("held");
    assert_eq!((loaded.work.attempts, loaded.view), (0, view));
    // The same process again, after it lost the lease, is not the holder either.
    store.release(&new, at(20)).await.expect("an answer");
    let third = store.claim(id, "a", at(20), TTL).await.expect("an answer").expect("claimed");
    assert!(!store.record(&old, 1, failed()).await.expect("an answer"));
    assert!(store.record(&third, 1, failed()).await.expect("an answer"));
}

pub(crate) async fn a_renewed_lease_is_not_taken(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let lease = store.claim(view.cluster.id, "a", at(0), TTL).await.expect("an answer").expect("claimed");
    let lease = store.renew(&lease, at(8), TTL).await.expect("an answer").expect("renewed");
    assert_eq!(lease.expires, at(18));
    assert_eq!(store.claim(view.cluster.id, "b", at(12), TTL).await.expect("an answer"), None);
    assert!(store.record(&lease, 1, Recorded::default()).await.expect("an answer"));
}

pub(crate) async fn a_wake_during_the_run_is_not_lost(db: TestDatabase) {
    let (store, _, view) = one_cluster(&db).await;
    let id = view.cluster.id;
    // Nothing came: it sleeps until then.
    let lease = store.claim(id, "a", at(0), TTL).await.expect("an answer").expect("claimed");
    assert!(store.release(&lease, at(100)).await.expect("an answer"));
    assert_eq!(store.due(at(99), 10).await.expect("read"), []);
    // A wake came.
    assert!(store.wake(id, at(50)).await.expect("an answer"));
    let lease = store.claim(id, "a", at(50), TTL).await.expect("an answer").expect("claimed");
    assert!(store.wake(id, at(51)).await.expect("an answer"));
    assert!(store.release(&lease, at(200)).await.expect("an answer"));
    assert_eq!(store.due(at(52), 10).await.expect("read"), [id]);
    // A request came.
    let lease = store.claim(id, "a", at(52), TTL).await.expect("an answer").expect("claimed");
    let request = Acceptance::of(Operation::Delete, Status::DELETE_IN_PROGRESS, at(53));
    store.accept(&view, request).await.expect("an answer").expect("accepted");
    assert!(store.release(&lease, at(300)).await.expect("an answer"));
    assert_eq!(store.due(at(54), 10).await.expect("read"), [id]);
    // What came before the claim was seen by it.
    let lease = store.claim(id, "a", at(54), TTL).await.expect("an answer").expect("claimed");
    assert!(store.release(&lease, at(400)).await.expect("an answer"));
    assert_eq!(store.due(at(399), 10).await.expect("read"), []);
    // A wake never makes it later, and a cluster that is not ours is not woken.
    assert!(store.wake(id, at(500)).await.expect("an answer"));
    assert_eq!(store.due(at(400), 10).await.expect("read"), [id]);
    assert!(!store.wake(jeroboam_model::ClusterId::random(), at(0)).await.expect("an answer"));
}

pub(crate) async fn what_is_due_comes_oldest_first(db: TestDatabase) {
    let (store, template, first) = one_cluster(&db).await;
    let mut ids = vec![first.cluster.id];
    for name in ["b", "c"] {
        ids.push(create(&store, samples::new_cluster(&template, "p1", name)).await.cluster.id);
    }
    for (id, seconds) in ids.iter().zip([30, 10, 20]) {
        let lease = store.claim(*id, "a", at(0), TTL).await.expect("an answer").expect("claimed");
        store.release(&lease, at(seconds)).await.expect("an answer");
    }
    assert_eq!(store.due(at(30), 10).await.expect("read"), [ids[1], ids[2], ids[0]]);
    assert_eq!(store.due(at(25), 10).await.expect("read"), [ids[1], ids[2]]);
    assert_eq!(store.due(at(30), 1).await.expect("read"), [ids[1]]);
}

pub(crate) async fn a_clock_that_was_far_ahead_keeps_no_cluster_from_being_worked_on(db: TestDatabase) {
    const YEAR: u64 = 365 * 24 * 3600;
    let (store, _, view) = one_cluster(&db).await;
    let id = view.cluster.id;
    let ahead = store.claim(id, "a", at(YEAR), TTL).await.expect("an answer").expect("claimed");
    assert_eq!(store.due(at(1), 10).await.expect("read"), [id], "nobody renews a lease of next year");
    let lease = store.claim(id, "b", at(1), TTL).await.expect("an answer").expect("claimed");
    assert!(!store.record(&ahead, 1, Recorded::default()).await.expect("an answer"));
    assert!(store.release(&lease, at(YEAR)).await.expect("an answer"));
    assert_eq!(store.due(at(2), 10).await.expect("read"), [id]);
    let lease = store.claim(id, "b", at(2), TTL).await.expect("an answer").expect("claimed");
    assert!(store.release(&lease, at(60)).await.expect("an answer"));
    assert_eq!(store.due(at(3), 10).await.expect("read"), []);
}
