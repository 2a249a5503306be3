//! What lies around a registry, as it is configured: who is told what happens, what it is a cache of, and which other regions are kept like it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use jeroboam_oci::RepositoryName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::client::{ClientError, Credentials, Password, RemoteSettings, Retries};
use crate::config::{self, Config, Prefix, RemoteConfig};
use crate::events::{Events, EventsConfig};
use crate::http::Registry;
use crate::mirror::{Mirror, MirrorSettings, UpstreamSettings};
use crate::node::{NodeCache, NodeCacheSettings};
use crate::replicate::{Acknowledge, Believed, ReplicateSettings, Replication, Rule, TargetSettings};
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

/// How long another registry may be silent while a client waits. A blob that was cut off by it goes on where it ended.
const SILENCE: Duration = Duration::from_secs(10);

/// The store as a node sees it: behind a cache, where one is configured.
pub async fn place(config: &Config, place: SharedBlobs) -> Result<SharedBlobs, AroundError> {
    let Some(cache) = &config.ours.node_cache else { return Ok(place) };
    let settings =
        NodeCacheSettings { folder: cache.directory.clone(), size: cache.size, believed: config.ours.existence_ttl };
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
        let mirrors = mirrors(config, spool);
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

fn mirrors(config: &Config, spool: PathBuf) -> MirrorSettings {
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
        let anonymous = everybody || proxy.user_name.is_none();
        upstreams.push(upstream(&remote, None, None, proxy.ttl, anonymous));
    }
    for mirror in &config.ours.mirrors {
        let anonymous = everybody || mirror.remote.user_name.is_none();
        upstreams.push(upstream(
            &mirror.remote,
            Some(mirror.prefix.clone()),
            mirror.host.clone(),
            mirror.ttl,
            anonymous,
        ));
    }
    MirrorSettings::new(spool, upstreams)
}

fn upstream(
    config: &RemoteConfig,
    prefix: Option<RepositoryName>,
    host: Option<String>,
    ttl: Duration,
    anonymous: bool,
) -> UpstreamSettings {
    let lifetime = Some(ttl).filter(|ttl| !ttl.is_zero());
    let remote = RemoteSettings { read_timeout: SILENCE, ..remote(config, IMPATIENT) };
    UpstreamSettings { prefix, host, remote, lifetime, anonymous }
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
    let believed = if config.auth.is_open() {
        Believed::Everybody
    } else {
        if wanted.peers.is_empty() && !targets.is_empty() {
            warn!(
                "jeroboam.replication.peers names no account: what other regions say of when a tag was moved is not believed"
            );
        }
        Believed::Accounts(wanted.peers.iter().cloned().collect())
    };
    let mirrored = config.ours.mirrors.iter().map(|mirror| Prefix::Below(mirror.prefix.to_string()));
    Ok(Some(ReplicateSettings {
        believed,
        left_out: mirrored.chain(config.proxy.is_some().then_some(Prefix::All)).collect(),
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

    use super::regions as regions_of;
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
        let regions = regions_of(&config).expect("it is right").expect("there are regions");
        assert_eq!((regions.origin.as_str(), regions.acknowledge), ("north", Acknowledge::Quorum));
        assert_eq!(regions.rule, Rule::Primary("south".to_owned()));
        let target = &regions.targets[0];
        assert_eq!((target.prefixes.as_slice(), target.remote.rate), (&["team".to_owned()][..], Some(10 << 20)));
        assert!(matches!(&target.remote.credentials, Some(Credentials { password: Password::File(_), .. })));
        assert_eq!(regions.believed, Believed::Everybody, "nobody is asked who they are");
        assert_eq!(regions.left_out, ["hub", "ghcr.io"].map(|name| Prefix::Below(name.to_owned())));
        let mirrors = mirrors(&config, PathBuf::new()).upstreams;
        let prefixes: Vec<_> =
            mirrors.iter().map(|mirror| mirror.prefix.as_ref().map(RepositoryName::as_str)).collect();
        assert_eq!(prefixes, [Some("hub"), Some("ghcr.io")], "what has no name of its own has that of its host");
        // Everybody is let in here anyway.
        assert!(mirrors.iter().all(|mirror| mirror.anonymous));
        assert_eq!(mirrors.iter().map(|mirror| mirror.lifetime.is_some()).collect::<Vec<_>>(), [true, false]);
        let with_users = read(
            "auth: {htpasswd: {realm: r, path: /p}}\njeroboam:\n  mirrors:\n    - {prefix: hub, url: 'https://docker.io', username: u, password: p}\n",
        );
        assert!(!super::mirrors(&with_users, PathBuf::new()).upstreams[0].anonymous);
        let guarded = read(
            "auth: {htpasswd: {realm: r, path: /p}}\nproxy: {remoteurl: 'https://a'}\njeroboam: {origin: n, replication: {peers: [south], targets: [{url: 'https://s'}]}}\n",
        );
        let guarded = regions_of(&guarded).expect("it is right").expect("there are regions");
        assert_eq!(guarded.believed, Believed::Accounts(["south".to_owned()].into()));
        assert_eq!(guarded.left_out, [Prefix::All], "all of it is a cache of another registry");
        let proxy = read("proxy: {remoteurl: 'https://registry-1.docker.io'}\n");
        let upstreams = super::mirrors(&proxy, PathBuf::new()).upstreams;
        assert_eq!((upstreams.len(), upstreams[0].prefix.clone(), upstreams[0].host.clone()), (1, None, None));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let nameless = read("jeroboam: {replication: {targets: [{url: 'https://south.example.org'}]}}\n");
        assert!(matches!(regions_of(&nameless), Err(AroundError::NoOrigin)));
        let twice = read(
            "jeroboam: {origin: n, replication: {targets: [{url: 'https://a.example.org'}, {url: 'https://a.example.org:1'}]}}\n",
        );
        assert!(matches!(regions_of(&twice), Err(AroundError::Twice(_))));
        let refused = |mirrors: &str| {
            let text = format!("version: 0.1\nstorage: inmemory\njeroboam: {{mirrors: [{mirrors}]}}\n");
            Config::read(&text, &BTreeMap::new()).expect("it is YAML").into_config().is_err()
        };
        assert!(refused("{prefix: HUB, url: 'https://docker.io'}"));
        assert!(refused("{prefix: '*', url: 'https://docker.io'}"));
        assert!(refused("{url: 'https://docker.io'}"));
        assert!(refused("{prefix: hub, url: 'https://a'}, {prefix: hub/b, url: 'https://b'}"));
        assert!(refused("{prefix: hub, url: 'https://a'}, {prefix: hub, url: 'https://b'}"));
        assert!(!refused("{prefix: hub, url: 'https://a'}, {host: 'b:5000', url: 'https://b'}"));
        assert!(regions_of(&read("")).expect("it is right").is_none());
    }
}
