use std::pin::pin;
use std::task::Poll;

use jeroboam_model::{Page, Scope};
use jeroboam_store::testing::{Engine, TestDatabase, execute, texts};
use jeroboam_store::{Ident, Store, StoreConfig, samples};
use tokio::task::JoinSet;

use super::one_cluster;

pub(crate) async fn dead_connections_are_replaced_unnoticed(db: TestDatabase) {
    let kill = match db.engine {
        // A file has no connections that somebody else could end.
        Engine::Sqlite => return,
        Engine::MariaDb => {
            "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
        Engine::PostgreSql => {
            "SELECT 'SELECT pg_terminate_backend(' || pid || ')' FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
    };
    let (store, template, view) = one_cluster(&db).await;
    let ident = Ident::Id(view.cluster.id.uuid());
    let killer = StoreConfig { max_connections: 1, ..db.config() };
    let killer = Store::connect(&killer).await.expect("a store");
    let mut killed = 0;
    for round in 0..3 {
        // Enough at once that the pool holds several connections.
        let mut reads = JoinSet::new();
        for _ in 0..20 {
            let (store, ident) = (store.clone(), ident.clone());
            reads.spawn(async move { store.cluster(&ident, &Scope::All).await.expect("read").is_some() });
        }
        assert!(reads.join_all().await.into_iter().all(|found| found));
        for statement in texts(&killer, kill).await.into_iter().flatten() {
            execute(&killer, &statement).await;
            killed += 1;
        }
        match round {
            0 => assert_eq!(store.clusters(&Scope::All, &Page::first(5)).await.expect("listed").len(), 1),
            1 => store.heartbeat("a", "b", samples::noon()).await.expect("written"),
            _ => assert_eq!(store.template_unfiltered(template.id).await.expect("read").as_ref(), Some(&template)),
        }
    }
    assert!(killed >= 6, "only {killed} connections were ended");
}

pub(crate) async fn writers_of_two_processes_wait_for_each_other(db: TestDatabase) {
    let (store, _, _) = one_cluster(&db).await;
    store.heartbeat("host", "binary", samples::noon()).await.expect("written");
    let other = db.bare().await;
    let mut writes = JoinSet::new();
    for number in 0..200 {
        let store = if number % 2 == 0 { store.clone() } else { other.clone() };
        writes.spawn(async move { store.heartbeat("host", "binary", samples::noon()).await });
    }
    for written in writes.join_all().await {
        written.expect("written");
    }
    assert_eq!(other.services().await.expect("listed")[0].report_count, 201);
}

pub(crate) async fn a_call_that_is_given_up_leaves_nothing_behind(db: TestDatabase) {
    if db.engine == Engine::Sqlite {
        return;
    }
    db.store().await.close().await;
    for writes in [true, false] {
        for waits in 0.. {
            // One connection, so that whoever comes next has the one that the call was made on, if it is still there.
            let store = Store::connect(&StoreConfig { max_connections: 1, ..db.config() }).await.expect("a store");
            let given_up = if writes {
                given_up(store.heartbeat("host", "binary", samples::noon()), waits).await
            } else {
                given_up(store.clusters(&Scope::All, &Page::first(5)), waits).await
            };
            if !given_up {
                // How many there are depends on how fast the database answers; a call that never waits proves nothing.
                assert!(waits > 0, "the call never waited");
                break;
            }
            let what = format!("after a call (that writes: {writes}) was given up at its wait {waits}");
            let open = match db.engine {
                // Within one transaction its time stands still.
                Engine::PostgreSql => {
                    let now = "SELECT CAST(now() AS text)";
                    texts(&store, now).await == texts(&store, now).await
                }
                _ => texts(&store, "SELECT CAST(@@in_transaction AS CHAR)").await == [Some("1".to_owned())],
            };
            assert!(!open, "a transaction is open {what}");
            let said = texts(&store, &format!("SELECT 'word {waits}'")).await;
            assert_eq!(said, [Some(format!("word {waits}"))], "{what}");
            store.close().await;
        }
    }
}

/// Drops a call at its wait of this number; whether it got that far.
async fn given_up<T>(call: impl Future<Output = T>, waits: usize) -> bool {
    let (mut call, mut left) = (pin!(call), waits);
    std::future::poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(false),
        Poll::Pending if left == 0 => Poll::Ready(true),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
