//! What has to be done now and then and belongs to no cluster: reporting that we are here, and revoking application
//! credentials that were made for clusters which never came to be.

use std::sync::Arc;
use std::time::Duration;

use jeroboam_openstack::Kind;
use jeroboam_store::PendingCredential;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::run::{Shared, chain};

// Magnum: operators see the conductor under this name in `openstack coe service list`.
const BINARY: &str = "magnum-conductor";
/// How often left credentials are looked for.
const JANITOR_EVERY: Duration = Duration::from_secs(300);

/// How often the management cluster is asked whether it is there: a watch alone may hang without a word.
const PING_EVERY: Duration = Duration::from_secs(5);

/// Keeps track of whether the management cluster answers.
pub(crate) async fn watch_management(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = interval(PING_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let answer = shared.management.ping().await;
        let was_up = shared.note_reachable(answer.is_ok());
        match answer {
            Ok(()) if !was_up => info!("the management cluster answers again"),
            Err(error) if was_up => warn!(error = %chain(&error), "the management cluster does not answer"),
            _ => {}
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
                    revoke(&shared, &credential).await;
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
