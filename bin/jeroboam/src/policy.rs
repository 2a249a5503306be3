//! Puts changed policy files in force while the service runs. Magnum looks at them before each check; here a task does.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_oslo::Enforcer;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How often the files are looked at.
const STEP: Duration = Duration::from_secs(1);

/// Says in the log what in the files refuses more than it seems to.
pub(crate) fn warn_of(policy: &Enforcer) {
    for finding in policy.findings().into_iter().filter(|finding| finding.error) {
        warn!("{finding}");
    }
}

/// Looks at the files until told to stop. A file that cannot be used changes nothing.
pub(crate) async fn follow(policy: Arc<Enforcer>, token: CancellationToken) {
    while token.run_until_cancelled(tokio::time::sleep(STEP)).await.is_some() {
        let looked_at = Arc::clone(&policy);
        match tokio::task::spawn_blocking(move || looked_at.refresh()).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => {
                info!("the policy files changed, their new rules are in force");
                warn_of(&policy);
            }
            Ok(Err(error)) => {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                error!("the policy files changed and the old rules stay in force: {error}{cause}");
            }
            Err(error) => error!(error = %error, "could not look at the policy files"),
        }
    }
}
