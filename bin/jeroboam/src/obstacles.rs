//! What would keep the service from starting, found without starting it: nothing is connected to, nothing is written.

use std::sync::Arc;

use anyhow::{Context, Result};
use jeroboam_cli::args::ConfigArgs;
use jeroboam_management::Management;
use jeroboam_model::{Clock, SystemClock};
use jeroboam_openstack::{Session, SessionConfig};
use jeroboam_oslo::{Config, Enforcer, PolicySettings};
use jeroboam_store::{Store, StoreConfig};

use crate::{listen, serve, settings};

/// One sentence for each. A configuration that cannot be read at all is somebody else's finding.
pub(crate) async fn of(args: &ConfigArgs) -> Vec<String> {
    let Ok(config) = Config::load(&args.paths(), &settings::environment()) else { return Vec::new() };
    let looks = [
        database(&config).await,
        cloud(settings::token_session(&config), "[keystone_authtoken]"),
        cloud(settings::service_session(&config), "[keystone_auth]"),
        settings::reconcile(&config).map(drop),
        settings::notifications(&config).map(drop),
        management(&config).await,
        serve::api_config(&config).map(drop),
        listen::tls(&config).map(drop),
        Enforcer::new(PolicySettings::from_config(&config)).map(drop).context("read the policy"),
    ];
    let mut sentences = Vec::new();
    for problem in looks.into_iter().filter_map(Result::err) {
        let sentence = format!("{problem:#}");
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

async fn database(config: &Config) -> Result<()> {
    let store = StoreConfig { key: Some(settings::key(config)?), ..StoreConfig::at(settings::database_url(config)?) };
    Store::connect(&store).await.map(drop).context("open the database")
}

fn cloud(session: Result<SessionConfig>, group: &'static str) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Session::new(session?, clock).map(drop).context(group)
}

/// A process that only answers requests needs no management cluster, so only one that is named is looked at.
async fn management(config: &Config) -> Result<()> {
    if !config.is_set("jeroboam_management", "kubeconfig") {
        return Ok(());
    }
    let named = Management::new(settings::management(config)).await;
    named.map(drop).context("[jeroboam_management] kubeconfig")
}
