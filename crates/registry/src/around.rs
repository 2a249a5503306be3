//! What lies around a registry, as it is configured: who is told what happens, what it is a cache of, and which other regions are kept like it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jeroboam_blobs::SharedBlobs;
use jeroboam_model::Clock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::client::{ClientError, Credentials, Password, RemoteSettings, Retries};
use crate::config::{self, Config, Prefix, RemoteConfig};
use crate::events::{Events, EventsConfig};
use crate::hits::Hits;
use crate::http::Registry;
use crate::mirror::{Mirror, MirrorSettings, UpstreamLimits, UpstreamSettings};
use crate::node::{NodeCache, NodeCacheSettings};
use crate::replicate::{Acknowledge, Believed, ReplicateSettings, Replication, TargetSettings};
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

/// The store as a node sees it: behind a cache, where one is configured, of which is told how often it had what was asked for.
pub async fn place(config: &Config, place: SharedBlobs) -> Result<(SharedBlobs, Option<Arc<Hits>>), AroundError> {
    let Some(cache) = &config.ours.node_cache else { return Ok((place, None)) };
    let settings =
        NodeCacheSettings { folder: cache.directory.clone(), size: cache.size, believed: config.ours.existence_ttl };
    let cache = NodeCache::new(place, settings).await.map_err(AroundError::NodeCache)?;
    let hits = cache.hits();
    Ok((Arc::new(cache), Some(hits)))
}

/// What keeps other regions alike in a process that does not serve: what it changes is queued for those who do.
pub fn replication_beside(
    config: &Config,
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
) -> Result<Replication, AroundError> {
    match regions(config)? {
        Some(settings) => Ok(Replication::beside(settings, store.clone(), clock.clone())?),
        None => Ok(Replication::none()),
    }
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
        upstreams.push(upstream(&remote, proxy.ttl, everybody));
    }
    for mirror in &config.ours.mirrors {
        let usual = upstream(&mirror.remote, mirror.ttl, everybody);
        upstreams.push(UpstreamSettings {
            prefix: Some(mirror.prefix.clone()),
            host: mirror.host.clone(),
            remote: RemoteSettings { rate: mirror.rate, ..usual.remote },
            limits: mirror.limits,
            ..usual
        });
    }
    MirrorSettings { upstreams, spool }
}

/// One registry that is cached, as far as it is the same whether it is one of several or the only one.
fn upstream(config: &RemoteConfig, ttl: Duration, everybody: bool) -> UpstreamSettings {
    UpstreamSettings {
        prefix: None,
        host: None,
        remote: RemoteSettings { read_timeout: SILENCE, ..remote(config, IMPATIENT) },
        lifetime: Some(ttl).filter(|ttl| !ttl.is_zero()),
        anonymous: everybody || config.user_name.is_none(),
        limits: UpstreamLimits::default(),
    }
}

/// The repositories that hold what other registries have.
#[must_use]
pub fn caches(config: &Config) -> Vec<Prefix> {
    let mirrored = config.ours.mirrors.iter().map(|mirror| Prefix::Below(mirror.prefix.to_string()));
    mirrored.chain(config.proxy.is_some().then_some(Prefix::All)).collect()
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
    Ok(Some(ReplicateSettings {
        believed,
        left_out: caches(config),
        acknowledge: match wanted.acknowledge {
            config::Acknowledge::Local => Acknowledge::Local,
            config::Acknowledge::Quorum => Acknowledge::Quorum,
            config::Acknowledge::All => Acknowledge::All,
        },
        rule: wanted.conflict.clone(),
        rules: wanted.conflicts.clone(),
        interval: wanted.interval,
        deletes: wanted.deletes,
        targets,
        ..ReplicateSettings::new(origin)
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jeroboam_oci::RepositoryName;

    use super::regions as regions_of;
    use super::*;
    use crate::replicate::Rule;

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
    fn each_mirror_has_limits_of_its_own() {
        let config = read(
            "jeroboam:\n  mirrors:\n    - {prefix: hub, url: 'https://docker.io', check: 5m, absent: 1m, patience: 2s, fetches: 4, rate: 1MiB}\n    - {prefix: quay, url: 'https://quay.io'}\n",
        );
        let mirrors = mirrors(&config, PathBuf::new()).upstreams;
        let [hub, quay] = &mirrors[..] else { panic!("{mirrors:?}") };
        let (check, absent, patience) = (Duration::from_secs(300), Duration::from_secs(60), Duration::from_secs(2));
        assert_eq!(hub.limits, UpstreamLimits { check, absent, patience, fetches: 4 });
        assert_eq!((hub.remote.rate, quay.remote.rate), (Some(1 << 20), None));
        assert_eq!(quay.limits, UpstreamLimits::default());
    }

    #[test]
    fn each_repository_has_the_first_rule_that_fits() {
        let replication = |rules: &str| {
            let text = format!("jeroboam: {{origin: north, replication: {{{rules}}}}}\n");
            regions_of(&read(&text)).expect("it is right").expect("there are regions")
        };
        let regions = replication(
            "conflict: deny, primary: south, conflicts: [{prefix: team/app, rule: newest}, {prefix: team/, rule: primary}, {prefix: ci, rule: primary, primary: north}]",
        );
        let primary = |origin: &str| Rule::Primary(origin.to_owned());
        for (repository, rule) in [
            ("team/app", Rule::Newest),
            ("team/app/web", Rule::Newest),
            ("team/apps", primary("south")),
            ("ci", primary("north")),
            ("teams", Rule::Deny),
        ] {
            assert_eq!(*regions.rule_of(&repository.parse().expect("a name")), rule, "{repository}");
        }
        assert_eq!((replication("").rule, replication("").rules.len()), (Rule::Newest, 0));
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
        assert!(refused("{prefix: hub, url: 'https://a', patience: 0s}"));
        assert!(regions_of(&read("")).expect("it is right").is_none());
        for (rules, why) in [
            ("conflict: primary", "jeroboam.replication.primary is missing: with conflict: primary it is"),
            ("conflict: eldest", "jeroboam.replication.conflict is \"eldest\""),
            ("conflicts: [{prefix: a, rule: primary}]", "jeroboam.replication.conflicts[].primary is missing"),
            ("conflicts: [{prefix: a}]", "jeroboam.replication.conflicts[].rule is missing"),
        ] {
            let text = format!("version: 0.1\nstorage: inmemory\njeroboam: {{replication: {{{rules}}}}}\n");
            let errors = Config::read(&text, &BTreeMap::new()).expect("it is YAML").into_config().expect_err(rules);
            assert!(errors.len() == 1 && errors[0].contains(why), "{rules}: {errors:?}");
        }
    }
}
