//! What lies around a registry, as it is configured: who is told what happens, what it is a cache of, and which other regions are kept like it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use jeroboam_oci::RepositoryName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{ClientError, Credentials, Password, RemoteSettings, Retries};
use crate::config::{self, Config, Prefix, RemoteConfig};
use crate::events::{Events, EventsConfig};
use crate::http::Registry;
use crate::mirror::{Mirror, MirrorSettings, UpstreamSettings};
use crate::node::{NodeCache, NodeCacheSettings};
use crate::replicate::{Acknowledge, ReplicateSettings, Replication, Rule, TargetSettings};
use crate::store::Store;

/// What lies around a registry.
#[derive(Clone, Debug)]
pub struct Around {
    /// Who is told what happens.
    pub events: Events,
    /// What it is a cache of.
    pub mirror: Mirror,
    /// Which other regions are kept like it.
    pub replication: Replication,
}

/// Why something around a registry cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum AroundError {
    /// Another registry cannot be spoken to as it is configured.
    #[error("speak to another registry")]
    Remote(#[from] ClientError),
    /// Endpoints of notifications cannot be spoken to.
    #[error("speak to the endpoints of notifications")]
    Endpoint(#[from] reqwest::Error),
    /// A name is none.
    #[error("{0:?} cannot stand before the names of repositories")]
    Prefix(String),
    /// Regions are kept alike, and this one has no name.
    #[error("jeroboam.origin is missing: regions that are kept alike need a name each")]
    NoOrigin,
    /// Two things have one name.
    #[error("there are two targets of replication that are called {0:?}: their queues would be one")]
    Twice(String),
    /// The cache of a node cannot be used.
    #[error("use the cache of this node")]
    NodeCache(#[source] std::io::Error),
}

/// How others are spoken to on whose answer nobody waits.
const PATIENT: Retries = Retries { attempts: 5, base: Duration::from_millis(500), patience: Duration::from_secs(60) };

/// How others are spoken to while a client waits for the answer.
const IMPATIENT: Retries = Retries { attempts: 3, base: Duration::from_millis(200), patience: Duration::from_secs(5) };

/// The store as a node sees it: behind a cache, where one is configured.
pub async fn place(config: &Config, place: SharedBlobs) -> Result<SharedBlobs, AroundError> {
    let Some(cache) = &config.ours.node_cache else { return Ok(place) };
    let settings = NodeCacheSettings {
        folder: cache.directory.clone(),
        size: cache.size,
        push: cache.push,
        believed: config.ours.existence_ttl,
    };
    let cache = NodeCache::new(place, settings).await.map_err(AroundError::NodeCache)?;
    Ok(Arc::new(cache))
}

impl Around {
    /// Begins with all of it, in tasks that end with `cancel`. `address` is what this registry is called in notifications, and blobs are kept in `spool`
    /// while they are fetched.
    pub fn start(
        config: &Config,
        store: &Arc<Store>,
        clock: &Arc<dyn Clock>,
        address: &str,
        spool: PathBuf,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, AroundError> {
        let told = EventsConfig::new(config.notifications.clone(), address);
        let events = Events::start(&told, store.place(), clock, tasks, cancel)?;
        let mirrors = mirrors(config, spool)?;
        let mirror = Mirror::start(mirrors, store.clone(), clock.clone(), tasks, cancel)?;
        let replication = match regions(config)? {
            Some(settings) => Replication::start(settings, store.clone(), clock.clone(), tasks, cancel)?,
            None => Replication::none(),
        };
        Ok(Self { events, mirror, replication })
    }

    /// The registry with what lies around it.
    #[must_use]
    pub fn put_around(&self, registry: Registry) -> Registry {
        registry.with_mirror(self.mirror.clone()).with_replication(self.replication.clone())
    }
}

fn remote(config: &RemoteConfig, retries: Retries) -> RemoteSettings {
    let password = match (&config.password, &config.password_file) {
        (Some(password), _) => Some(Password::Given(password.clone())),
        (None, Some(file)) => Some(Password::File(file.clone())),
        (None, None) => None,
    };
    let credentials = config.user_name.clone().zip(password);
    let credentials = credentials.map(|(user_name, password)| Credentials { user_name, password });
    RemoteSettings { credentials, ca_cert: config.ca_cert.clone(), retries, ..RemoteSettings::new(config.url.clone()) }
}

/// The name that stands before those of a mirror; none where it is everything.
fn name(prefix: &Prefix) -> Result<Option<RepositoryName>, AroundError> {
    match prefix {
        Prefix::All => Ok(None),
        Prefix::Below(text) => text.parse().map(Some).map_err(|_| AroundError::Prefix(text.clone())),
    }
}

fn mirrors(config: &Config, spool: PathBuf) -> Result<MirrorSettings, AroundError> {
    let everybody = config.auth.is_open();
    let mut upstreams = Vec::new();
    // distribution's: everything, from one place.
    if let Some(proxy) = &config.proxy {
        let remote = RemoteConfig {
            url: proxy.remote.clone(),
            user_name: proxy.user_name.clone(),
            password: proxy.password.clone(),
            password_file: None,
            ca_cert: None,
        };
        upstreams.push(upstream(&remote, None, None, proxy.ttl, true));
    }
    for mirror in &config.ours.mirrors {
        let prefix = mirror.prefix.as_ref().map(name).transpose()?.flatten();
        let anonymous = everybody || mirror.remote.user_name.is_none();
        upstreams.push(upstream(&mirror.remote, prefix, mirror.host.clone(), mirror.ttl, anonymous));
    }
    Ok(MirrorSettings::new(spool, upstreams))
}

fn upstream(
    config: &RemoteConfig,
    prefix: Option<RepositoryName>,
    host: Option<String>,
    ttl: Duration,
    anonymous: bool,
) -> UpstreamSettings {
    let lifetime = Some(ttl).filter(|ttl| !ttl.is_zero());
    UpstreamSettings { prefix, host, remote: remote(config, IMPATIENT), lifetime, anonymous }
}

/// What keeps regions alike; none where this registry has neither a name nor others.
fn regions(config: &Config) -> Result<Option<ReplicateSettings>, AroundError> {
    let wanted = &config.ours.replication;
    let Some(origin) = config.ours.origin.clone() else {
        return if wanted.targets.is_empty() { Ok(None) } else { Err(AroundError::NoOrigin) };
    };
    let mut targets: Vec<TargetSettings> = Vec::new();
    for target in &wanted.targets {
        if targets.iter().any(|other| other.name == target.name) {
            return Err(AroundError::Twice(target.name.clone()));
        }
        let below = |prefix: &Prefix| match prefix {
            Prefix::All => None,
            Prefix::Below(text) => Some(text.clone()),
        };
        let all = target.prefixes.contains(&Prefix::All);
        targets.push(TargetSettings {
            name: target.name.clone(),
            remote: RemoteSettings { rate: wanted.rate, ..remote(&target.remote, PATIENT) },
            prefixes: if all { Vec::new() } else { target.prefixes.iter().filter_map(below).collect() },
        });
    }
    Ok(Some(ReplicateSettings {
        acknowledge: match wanted.acknowledge {
            config::Acknowledge::Local => Acknowledge::Local,
            config::Acknowledge::Quorum => Acknowledge::Quorum,
            config::Acknowledge::All => Acknowledge::All,
        },
        rule: match (wanted.conflict, &wanted.primary) {
            (config::ConflictRule::Newest, _) | (config::ConflictRule::Primary, None) => Rule::Newest,
            (config::ConflictRule::Primary, Some(primary)) => Rule::Primary(primary.clone()),
            (config::ConflictRule::Deny, _) => Rule::Deny,
        },
        interval: wanted.interval,
        deletes: wanted.deletes,
        targets,
        ..ReplicateSettings::new(origin)
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(text: &str) -> Config {
        let text = format!("version: 0.1\nstorage: inmemory\n{text}");
        Config::read(&text, &BTreeMap::new()).expect("it is YAML").into_config().expect("a configuration")
    }

    #[test]
    fn a_configuration_says_what_is_around() {
        let config = read(
            "jeroboam:\n  origin: north\n  replication:\n    ack: quorum\n    conflict: primary\n    primary: south\n    rate: 10MiB\n    targets:\n      - name: south\n        url: https://south.example.org\n        username: ci\n        passwordfile: /run/password\n        prefixes: [team]\n  mirrors:\n    - {prefix: hub, host: docker.io, url: 'https://docker.io', username: u, password: p}\n    - {host: ghcr.io, url: 'https://ghcr.io', ttl: 0s}\n",
        );
        let regions = regions(&config).expect("it is right").expect("there are regions");
        assert_eq!((regions.origin.as_str(), regions.acknowledge), ("north", Acknowledge::Quorum));
        assert_eq!(regions.rule, Rule::Primary("south".to_owned()));
        let target = &regions.targets[0];
        assert_eq!((target.prefixes.as_slice(), target.remote.rate), (&["team".to_owned()][..], Some(10 << 20)));
        assert!(matches!(&target.remote.credentials, Some(Credentials { password: Password::File(_), .. })));
        let mirrors = mirrors(&config, PathBuf::new()).expect("it is right").upstreams;
        assert_eq!(mirrors[0].prefix.as_ref().map(RepositoryName::as_str), Some("hub"));
        // Everybody is let in here anyway.
        assert!(mirrors.iter().all(|mirror| mirror.anonymous));
        assert_eq!(mirrors.iter().map(|mirror| mirror.lifetime.is_some()).collect::<Vec<_>>(), [true, false]);
        let with_users = read(
            "auth: {htpasswd: {realm: r, path: /p}}\njeroboam:\n  mirrors:\n    - {prefix: hub, url: 'https://docker.io', username: u, password: p}\n",
        );
        assert!(!super::mirrors(&with_users, PathBuf::new()).expect("it is right").upstreams[0].anonymous);
        let proxy = read("proxy: {remoteurl: 'https://registry-1.docker.io'}\n");
        let upstreams = super::mirrors(&proxy, PathBuf::new()).expect("it is right").upstreams;
        assert_eq!((upstreams.len(), upstreams[0].prefix.clone(), upstreams[0].host.clone()), (1, None, None));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let nameless = read("jeroboam: {replication: {targets: [{url: 'https://south.example.org'}]}}\n");
        assert!(matches!(regions(&nameless), Err(AroundError::NoOrigin)));
        let twice = read(
            "jeroboam: {origin: n, replication: {targets: [{url: 'https://a.example.org'}, {url: 'https://a.example.org:1'}]}}\n",
        );
        assert!(matches!(regions(&twice), Err(AroundError::Twice(_))));
        let shouting = read("jeroboam: {mirrors: [{prefix: HUB, url: 'https://docker.io'}]}\n");
        assert!(matches!(mirrors(&shouting, PathBuf::new()), Err(AroundError::Prefix(_))));
        assert!(regions(&read("")).expect("it is right").is_none());
    }
}
