//! One turn at one cluster: take the lease, make a pass, keep the lease alive meanwhile, give it back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jeroboam_model::{ClusterId, Timestamp};
use jeroboam_store::{StoreError, StoreErrorKind};
use tracing::{debug, error, warn};

use crate::lease::{Guard, LeaseLost};
use crate::pass::{self, End};
use crate::run::{Shared, chain};

/// Why a pass stopped half-way.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Interrupted {
    #[error(transparent)]
    Lost(#[from] LeaseLost),
    #[error("use the database")]
    Store(#[from] StoreError),
}

/// What the floor does with a cluster whose turn is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// The database says when it is due again.
    Rest,
    /// There is something to do at once.
    Again,
}

/// Works on a cluster if nobody else does.
pub(crate) async fn work(shared: Arc<Shared>, cluster: ClusterId) -> After {
    let asked = Instant::now();
    let ttl = shared.settings.lease;
    let lease = match shared.store.claim(cluster, &shared.owner, shared.clock.now(), ttl).await {
        Ok(Some(lease)) => lease,
        Ok(None) => return After::Rest,
        Err(error) => {
            warn!(cluster.id = %cluster, error = %chain(&error), "failed to claim a cluster, trying again later");
            return After::Rest;
        }
    };
    let guard = Guard::new(lease, asked, ttl, Arc::clone(&shared.clock), Arc::clone(&shared.hook));
    let ended = tokio::select! {
        biased;
        lost = keep_alive(&shared, &guard) => Err(Interrupted::Lost(lost)),
        ended = pass::make(&shared, &guard) => ended,
    };
    match ended {
        Ok(End::Forgotten) => shared.forget(cluster),
        Ok(End::Next(at)) => release(&shared, &guard, at).await,
        Ok(End::Superseded) => {
            release(&shared, &guard, shared.clock.now()).await;
            return After::Again;
        }
        Err(Interrupted::Lost(lost)) => {
            shared.remember(cluster, None);
            warn!(cluster.id = %cluster, "{lost}: another process goes on");
        }
        Err(Interrupted::Store(error)) => {
            say(cluster, &error);
            if matches!(error, StoreError::BadRow { .. }) {
                show(&shared, &guard, &error).await;
            }
            let pause = match error.kind() {
                StoreErrorKind::Unavailable => shared.backoff().after(1, shared.chance()),
                _ => shared.settings.observe_interval,
            };
            release(&shared, &guard, shared.clock.now() + pause).await;
        }
    }
    After::Rest
}

fn say(cluster: ClusterId, problem: &StoreError) {
    match problem.kind() {
        StoreErrorKind::Unavailable => {
            warn!(cluster.id = %cluster, error = %chain(problem), "the database is away, trying again later");
        }
        _ => error!(cluster.id = %cluster, error = %chain(problem), "the database did not take what a pass came to"),
    }
}

/// Tells the tenant that nothing can be done before somebody has mended the database.
async fn show(shared: &Shared, guard: &Guard, problem: &StoreError) {
    let lease = guard.lease();
    let reason = format!("waiting for the operator: {problem}");
    if let Err(error) = shared.store.note_unreadable(&lease, &reason).await {
        warn!(cluster.id = %lease.cluster, error = %chain(&error), "failed to show that a cluster's rows are unreadable");
    }
}

/// Gives the lease back. If that can't be done it ends by itself.
async fn release(shared: &Shared, guard: &Guard, next_run: Timestamp) {
    let lease = guard.lease();
    guard.tell("release");
    match shared.store.release(&lease, next_run).await {
        Ok(true) => {}
        Ok(false) => debug!(cluster.id = %lease.cluster, "the lease had ended before it was given back"),
        Err(error) => {
            warn!(cluster.id = %lease.cluster, error = %chain(&error), "failed to give a lease back, it will end by itself");
        }
    }
}

/// Renews the lease as long as that is possible, and returns when it is no more: what is under way then is dropped before
/// anybody else may begin, however long the database or the call takes.
async fn keep_alive(shared: &Shared, guard: &Guard) -> LeaseLost {
    let ttl = shared.settings.lease;
    let mut pause = ttl / 3;
    loop {
        tokio::time::sleep(pause.min(guard.left()).max(Duration::from_millis(10))).await;
        let lease = guard.lease();
        let asked = Instant::now();
        let renewal = shared.store.renew(&lease, shared.clock.now(), ttl);
        match tokio::time::timeout(guard.left().min(ttl / 3), renewal).await {
            Ok(Ok(Some(renewed))) => {
                guard.renewed(renewed, asked);
                pause = ttl / 3;
                continue;
            }
            Ok(Ok(None)) => return LeaseLost(lease.cluster),
            Ok(Err(error)) => {
                warn!(cluster.id = %lease.cluster, error = %chain(&error), "failed to renew a lease");
            }
            Err(_) => warn!(cluster.id = %lease.cluster, "the database takes too long to renew a lease"),
        }
        if !guard.is_live() {
            return LeaseLost(lease.cluster);
        }
        pause = ttl / 10;
    }
}
