//! `jeroboam registry gc`, `inspect`, `repair`, `scrub`, `retain` and `hand-back`: looking after what a registry keeps.

mod checks;
mod gc;
mod progress;

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jeroboam_blobs::SharedBlobs;
use jeroboam_cli::args::{RegistryConfigArgs, RegistryStoreCommand, ReportArgs, ReportFormat};
use jeroboam_model::{Clock, SystemClock};
use jeroboam_registry::config::{Config, PlaceConfig};
use jeroboam_registry::leases::{GRACE, Leases};
use jeroboam_registry::serve;
use jeroboam_registry::store::Store;
use jeroboam_telemetry::{LogConfig, Shutdown};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{config, environment, print};
use progress::Progress;

/// Carries out a subcommand. `false`: it was done, and what it found is not as it should be, or something stands in its way.
pub(super) async fn run(command: RegistryStoreCommand) -> Result<bool> {
    // What a library has to say besides its report is said only where somebody should look.
    let log = LogConfig { levels: vec!["warn".to_owned()], ..LogConfig::default() };
    jeroboam_telemetry::log::init(&log, Arc::new(SystemClock)).context("open the log")?;
    match command {
        RegistryStoreCommand::Gc(args) => gc::run(args).await,
        RegistryStoreCommand::Inspect(args) => checks::inspect(args).await,
        RegistryStoreCommand::Repair(args) => checks::repair(args).await,
        RegistryStoreCommand::Scrub(args) => checks::scrub(args).await,
        RegistryStoreCommand::Retain(args) => checks::retain(args).await,
        RegistryStoreCommand::HandBack(args) => checks::hand_back(args).await,
    }
}

/// A store that is looked after.
struct Opened {
    config: Config,
    blobs: SharedBlobs,
    clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
    /// Another one each time.
    name: String,
    shutdown: Shutdown,
}

impl Opened {
    async fn open(args: &RegistryConfigArgs) -> Result<Self> {
        let config = config::load(args)?;
        match &config.storage.place {
            PlaceConfig::InMemory => bail!(
                "the store of this configuration is the memory of the process that serves: there is nothing to look at from outside"
            ),
            // Serving makes it; looking at what is not there would only find nothing.
            PlaceConfig::Filesystem { root, .. } if !root.is_dir() => {
                bail!("{} is no directory: is this the configuration of the registry that is meant?", root.display())
            }
            _ => {}
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let place = serve::place(&config, &environment(), Arc::clone(&clock)).await.context("open the store")?;
        let progress = Arc::new(Progress::default());
        let blobs = serve::measured(place, progress.hears());
        let shutdown = Shutdown::new();
        shutdown.listen().context("listen to signals")?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        Ok(Self { config, blobs, clock, progress, name, shutdown })
    }

    /// The store as a registry sees it, with promises that others see; whoever is done retires them.
    fn store(&self) -> (Store, Arc<Leases>) {
        let leases = if self.config.ours.exclusive {
            let times = self.config.ours.collection.times;
            Leases::stored(self.blobs.clone(), self.clock.clone(), times, self.name.clone())
        } else {
            Leases::in_memory(self.clock.clone(), GRACE)
        };
        let (leases, config) = (Arc::new(leases), serve::store_config(&self.config));
        (Store::new(self.blobs.clone(), self.clock.clone(), Arc::clone(&leases), config), leases)
    }

    fn may_write(&self) -> Result<()> {
        if self.config.storage.read_only {
            bail!("the configuration says storage.maintenance.readonly: nothing is changed");
        }
        Ok(())
    }

    fn stop(&self) -> CancellationToken {
        self.shutdown.token()
    }

    /// Does something long, and says meanwhile how far it is. Ctrl-C ends it where it is, which leaves nothing half done that matters.
    async fn follow<T, E>(&self, work: impl Future<Output = std::result::Result<T, E>>) -> Result<T>
    where
        anyhow::Error: From<E>,
    {
        let work = self.progress.follow(work);
        tokio::select! {
            done = work => Ok(done?),
            () = self.shutdown.begun() => bail!("stopped"),
        }
    }
}

/// Prints what was found and done.
fn report<T: Display + Serialize>(report: &T, args: ReportArgs) -> Result<()> {
    match args.format {
        ReportFormat::Text => print(&report.to_string()),
        ReportFormat::Json => json(report),
    }
}

fn json<T: Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("write the report")?;
    print(&format!("{text}\n"))
}
