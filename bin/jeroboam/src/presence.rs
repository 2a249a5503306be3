//! Says in the database that this process uses it, and ends when the database is no longer ours.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use jeroboam_model::Clock;
use jeroboam_store::{PROCESS_REPORTS, Store};
use jeroboam_telemetry::Shutdown;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, error};

/// A database that does not answer for so long keeps no process from starting: it may come.
const PATIENCE: Duration = Duration::from_secs(2);

/// Refuses to serve a database that is Magnum's.
pub(crate) async fn may_serve(store: &Store) -> Result<()> {
    if let Ok(Ok(Some(why))) = timeout(PATIENCE, store.not_ours()).await {
        bail!(why);
    }
    Ok(())
}

/// What is said.
pub(crate) struct Presence {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) name: String,
    pub(crate) role: &'static str,
}

impl Presence {
    /// Reports until the process ends.
    pub(crate) async fn keep(self, shutdown: Shutdown) {
        let mut tick = interval(PROCESS_REPORTS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.begun() => break,
                _ = tick.tick() => {}
            }
            if let Ok(Some(since)) = self.store.handed_back().await {
                error!("the database was handed back to Magnum at {since}: this process ends");
                shutdown.begin();
                return;
            }
            if let Err(problem) = self.store.announce(&self.name, self.role, self.clock.now()).await {
                debug!(error = %problem, "failed to report that this process is there");
            }
        }
        if let Ok(Err(problem)) = timeout(PATIENCE, self.store.depart(&self.name)).await {
            debug!(error = %problem, "failed to report that this process is gone");
        }
    }
}
