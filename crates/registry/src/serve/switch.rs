//! A switch that an operator turns while the registry runs: as long as a file is there, nothing is written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::store::Store;

/// How often the file is looked for.
const OFTEN: Duration = Duration::from_secs(1);

/// Looks for the file until told to stop. `always`: nothing is written, whether it is there or not.
pub(super) async fn follow(file: PathBuf, always: bool, store: Arc<Store>, stop: CancellationToken) {
    let mut unknown = false;
    loop {
        match tokio::fs::try_exists(&file).await {
            Ok(there) => {
                unknown = false;
                let wanted = there || always;
                if wanted != store.is_read_only() {
                    store.set_read_only(wanted);
                    let state = if wanted { "read-only" } else { "written to again" };
                    info!("the registry is {state}: {} {}", file.display(), if there { "is there" } else { "is gone" });
                }
            }
            // It stays as it is: nobody knows what was meant.
            Err(error) => {
                if !std::mem::replace(&mut unknown, true) {
                    warn!(%error, "nobody can say whether {} is there", file.display());
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(OFTEN) => {}
            () = stop.cancelled() => return,
        }
    }
}
