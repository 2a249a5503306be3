//! What has to be done now and then and belongs to no cluster: reporting that we are here, and revoking application
//! credentials that were made for clusters which never came to be.

use std::sync::Arc;
use std::time::Duration;

use jeroboam_model::ClusterId;
use jeroboam_openstack::Kind;
use jeroboam_store::PendingCredential;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::run::{Shared, Turn, chain};

// Magnum: operators see the conductor under this name in `openstack coe service list`.
const BINARY: &str = "magnum-conductor";
/// How often left credentials are looked for.
const JANITOR_EVERY: Duration = Duration::from_secs(300);

/// How often the management cluster is asked whether it is there: a watch alone may hang without a word.
const PING_EVERY: Duration = Duration::from_secs(1);

/// An API server that takes longer to say its version is as good as none.
const PING_PATIENCE: Duration = Duration::from_secs(5);

/// Keeps track of whether the management cluster answers, and tells of the clusters to which a change is news: they are to say
/// what they wait for, or to go on at once. How many do so at a time is bounded by the number of workers.
pub(crate) async fn watch_management(shared: Arc<Shared>, tell: mpsc::Sender<Vec<ClusterId>>, stop: CancellationToken) {
    let mut tick = interval(PING_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = false;
    loop {
        let ready = shared.management.ready();
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
            () = shared.doubt.notified() => {}
            () = shared.management.wait_ready(), if !ready => {}
        }
        let answer = timeout(PING_PATIENCE, shared.management.ping()).await;
        if !told && !matches!(answer, Ok(Ok(()))) {
            warn!("the management cluster does not answer yet");
        }
        told = true;
        let Some(turn) = shared.note_management(matches!(answer, Ok(Ok(())))) else { continue };
        let why = match answer {
            Ok(Ok(())) => "its watches are not complete yet".to_owned(),
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {} s", PING_PATIENCE.as_secs()),
        };
        let concerned = shared.concerned(turn);
        match turn {
            Turn::Lost => warn!(clusters = concerned.len(), why, "the management cluster does not answer"),
            Turn::Back => {
                info!(clusters = concerned.len(), "the management cluster is there, going on with what waits for it");
            }
        }
        if !concerned.is_empty() && tell.send(concerned).await.is_err() {
            return;
        }
    }
}

/// Writes our row in `magnum_service`.
pub(crate) async fn report(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = interval(shared.settings.report_interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = shared.store.heartbeat(&shared.settings.host, BINARY, shared.clock.now()).await {
            warn!(error = %chain(&error), "failed to report that this process is up");
        }
    }
}

/// Revokes application credentials whose clusters were never committed.
pub(crate) async fn revoke_left_credentials(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = interval(JANITOR_EVERY.min(shared.settings.credential_grace.max(Duration::from_millis(50))));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let noted_before = shared.clock.now() - shared.settings.credential_grace;
        match shared.store.pending_credentials(noted_before).await {
            Ok(left) => {
                for credential in left {
                    // Marked first: from then on no request that was held up can give it to a cluster.
                    match shared.store.condemn_credential(&credential.name).await {
                        Ok(true) => revoke(&shared, &credential).await,
                        Ok(false) => {}
                        Err(error) => warn!(error = %chain(&error), "failed to mark a left application credential"),
                    }
                }
            }
            Err(error) => warn!(error = %chain(&error), "failed to look for left application credentials"),
        }
    }
}

async fn revoke(shared: &Shared, credential: &PendingCredential) {
    let revoked = match revoke_at_keystone(shared, credential).await {
        Ok(()) => Ok(()),
        // The user is gone, and took the credential along.
        Err(error) if error.kind() == Kind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = revoked {
        warn!(cluster.id = %credential.cluster, error = %chain(&error), "failed to revoke a left application credential");
        return;
    }
    match shared.store.forget_credential(&credential.name).await {
        Ok(()) => {
            info!(cluster.id = %credential.cluster, "revoked the application credential of a cluster that never was");
        }
        Err(error) => warn!(error = %chain(&error), "failed to forget a revoked application credential"),
    }
}

/// Without an id the process died between the call and the note of its result: then the name tells.
async fn revoke_at_keystone(shared: &Shared, credential: &PendingCredential) -> Result<(), jeroboam_openstack::Error> {
    let identity = shared.session.identity();
    let ids = match &credential.id {
        Some(id) => vec![id.clone()],
        None => {
            let of_user = identity.application_credentials(&credential.user, Some(&credential.name)).await?;
            of_user.into_iter().filter(|found| found.name == credential.name).map(|found| found.id).collect()
        }
    };
    for id in ids {
        identity.delete_application_credential(&credential.user, &id).await?;
    }
    Ok(())
}
