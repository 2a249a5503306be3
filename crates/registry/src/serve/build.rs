//! From what is configured to the parts: the place of objects, the settings of the store and of the API.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use jeroboam_blobs::s3::{S3, S3Config, Source};
use jeroboam_blobs::swift::BadParameters;
use jeroboam_blobs::{Directory, Memory, SharedBlobs, Swift, SwiftConfig};
use jeroboam_model::Clock;
use jeroboam_openstack::clouds::Lookup;

use super::renewed::Renewed;
use crate::auth::Followed;
use crate::config::{Children, Config, Expressions, LONGEST_PAGE, Parameters, PlaceConfig, Prefix, RedirectMode};
use crate::gc::GcConfig;
use crate::http::{HttpConfig, Redirect};
use crate::retention::RetentionRule;
use crate::store::{Compat, StoreConfig};

/// The place of objects cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The directory.
    #[error("use the directory {}", root.display())]
    Directory {
        /// Which.
        root: PathBuf,
        /// Why not.
        #[source]
        source: jeroboam_blobs::Error,
    },
    /// What is said of a bucket.
    #[error(transparent)]
    S3(#[from] jeroboam_blobs::s3::BadS3Config),
    /// What is said of a container.
    #[error("storage.swift")]
    Swift(#[source] BadParameters),
    /// The file of secrets.
    #[error("read storage.swift.secretsfile {file}: {reason}")]
    Secrets {
        /// Which.
        file: String,
        /// Why not.
        reason: String,
    },
    /// The client of the store cannot be made.
    #[error("prepare the store")]
    Client(#[source] jeroboam_blobs::Error),
}

/// The place that is configured. Nobody has been asked whether it answers, unless it is on this machine.
pub async fn place(
    config: &Config,
    environment: &BTreeMap<String, String>,
    clock: Arc<dyn Clock>,
) -> Result<SharedBlobs, PlaceError> {
    match &config.storage.place {
        PlaceConfig::Filesystem { root, .. } => {
            let failed = |source| PlaceError::Directory { root: root.clone(), source };
            Ok(Arc::new(Directory::open_with(root, config.ours.syncs).await.map_err(failed)?))
        }
        PlaceConfig::InMemory => Ok(Arc::new(Memory::new(clock))),
        PlaceConfig::S3(parameters) => {
            let s3 = S3Config::from_parameters(parameters.all())?;
            let source = Source::choose(s3.keys.as_ref(), &s3.region, &|name| environment.get(name).cloned());
            Ok(Arc::new(S3::new(s3, source, clock).map_err(PlaceError::Client)?))
        }
        PlaceConfig::Swift(parameters) => swift(config, parameters, environment, clock),
    }
}

/// A container in Swift. Where its secrets are in a file it is made anew whenever that changes.
fn swift(
    config: &Config,
    parameters: &Parameters,
    environment: &BTreeMap<String, String>,
    clock: Arc<dyn Clock>,
) -> Result<SharedBlobs, PlaceError> {
    let mut given = parameters.all().clone();
    let file = given.remove("secretsfile");
    let lookup = Lookup::new(environment.clone(), None);
    let exclusive = config.ours.exclusive;
    let temp_urls = !config.storage.redirect_disabled && config.ours.redirect.mode != RedirectMode::Off;
    let clock_s = Arc::clone(&clock);
    let make = move |secrets: BTreeMap<String, String>| -> Result<SharedBlobs, PlaceError> {
        let mut given = given.clone();
        for (name, value) in secrets {
            given.entry(name).or_insert(value);
        }
        let swift = swift_config(&given, &lookup, exclusive, temp_urls).map_err(PlaceError::Swift)?;
        Ok(Arc::new(Swift::new(swift, Arc::clone(&clock_s)).map_err(PlaceError::Client)?))
    };
    let Some(file) = file else { return make(BTreeMap::new()) };
    let read = move |text: &str| {
        let made = make(secrets(text)?);
        made.map_err(|error| std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string))
    };
    let followed = Followed::open(file.clone().into(), read, clock);
    let followed = followed.map_err(|error| PlaceError::Secrets { file, reason: error.to_string() })?;
    Ok(Arc::new(Renewed::new(followed)))
}

/// The parameters, and what else is configured that matters to Swift: whether nobody but us writes there, and whether anybody is sent there.
fn swift_config(
    given: &BTreeMap<String, String>,
    lookup: &Lookup,
    exclusive: bool,
    temp_urls: bool,
) -> Result<SwiftConfig, BadParameters> {
    let (mut swift, _) = SwiftConfig::from_parameters(given, lookup)?;
    swift.exclusive = exclusive;
    swift.temp_url.enabled &= temp_urls;
    // distribution would go on signing with the key that it read when it was started.
    swift.temp_url.rotate_after = swift.temp_url.rotate_after.filter(|_| exclusive);
    Ok(swift)
}

/// `name: value` lines.
fn secrets(text: &str) -> Result<BTreeMap<String, String>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = lines.map(|line| {
        let (name, value) = line.split_once(':').ok_or("a line is not name: value")?;
        Ok((name.trim().to_lowercase(), unquoted(value.trim())))
    });
    read.collect()
}

/// A text as YAML writes one on a line: in quotes as JSON has them, in single quotes, or without any.
fn unquoted(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.trim_matches(['"', '\'']).to_owned())
}

/// The settings of the store.
#[must_use]
pub fn store_config(config: &Config) -> StoreConfig {
    let (ours, limits) = (&config.ours, &config.ours.limits);
    StoreConfig {
        compat: if ours.exclusive { Compat::Exclusive } else { Compat::Shared },
        read_only: config.storage.read_only,
        delete_enabled: config.storage.delete,
        protect_referenced: ours.protect_referenced,
        children: match ours.sparse_index || !config.manifests.checked {
            true => Children::None,
            false => config.manifests.children.clone(),
        },
        sparse_images: ours.sparse_image,
        elsewhere: if config.manifests.checked { config.manifests.elsewhere.clone() } else { Expressions::default() },
        quotas: ours.quotas.clone(),
        immutable: ours.immutable.clone(),
        manifest_limit: limits.manifest,
        tag_ttl: ours.tag_ttl,
        existence_ttl: ours.existence_ttl,
        manifest_cache: ours.manifest_cache,
        buffered: limits.buffered,
        uploads_per_account: limits.uploads_per_account,
        uploads_per_repository: limits.uploads_per_repository,
        verify_reads: ours.verify_reads,
        secret: config.http.secret.clone(),
        ..StoreConfig::default()
    }
}

/// The settings of the garbage collection.
#[must_use]
pub fn gc_config(config: &Config) -> GcConfig {
    let (collection, purging) = (&config.ours.collection, &config.storage.purging);
    GcConfig {
        times: collection.times,
        per_second: collection.rate,
        window: collection.window,
        trash: collection.trash,
        tag_history: collection.tag_history,
        uploads: purging.enabled.then_some(purging.age),
        uploads_dry_run: purging.dry_run,
        only_collector: collection.only_collector,
        check_clock: true,
        ..GcConfig::default()
    }
}

/// What stays of which repositories.
#[must_use]
pub fn retention_rules(config: &Config) -> Vec<RetentionRule> {
    let rules = config.ours.retention.iter().map(|rule| RetentionRule {
        prefix: match &rule.prefix {
            Prefix::All => String::new(),
            Prefix::Below(name) => name.clone(),
        },
        tags: rule.tags.clone(),
        keep: rule.keep,
        keep_for: rule.keep_for,
        untagged: rule.untagged,
    });
    let collection = &config.ours.collection;
    // The last rule of all: what another one says of untagged manifests counts before it.
    let untagged = collection
        .delete_untagged
        .then(|| RetentionRule { untagged: Some(collection.times.grace()), ..RetentionRule::default() });
    rules.chain(untagged).collect()
}

/// The settings of the API.
pub(super) fn http_config(config: &Config) -> HttpConfig {
    let (http, ours) = (&config.http, &config.ours);
    let headers = http.headers.iter().flat_map(|(name, values)| {
        let name: Option<HeaderName> = name.parse().ok();
        let values = values.iter().filter_map(|value| HeaderValue::from_str(value).ok());
        name.into_iter().flat_map(move |name| values.clone().map(move |value| (name.clone(), value)))
    });
    let pages = &config.manifests;
    HttpConfig {
        host: http.host.clone(),
        relative_urls: http.relative_urls,
        prefix: http.prefix.clone(),
        trusted_proxies: ours.trusted_proxies.clone(),
        headers: headers.collect(),
        warnings: ours.warnings.clone(),
        redirect: match ours.redirect.mode {
            _ if config.storage.redirect_disabled => Redirect::Off,
            RedirectMode::Off => Redirect::Off,
            RedirectMode::On => Redirect::On,
            // Nobody knows which clients reach the store, unless somebody said so.
            RedirectMode::Auto if ours.redirect.networks.is_empty() => Redirect::Off,
            RedirectMode::Auto => Redirect::Auto(ours.redirect.networks.clone()),
        },
        redirect_minimum: ours.redirect.minimum,
        redirect_lifetime: ours.redirect.lifetime,
        tags_page: (LONGEST_PAGE, pages.tags_page),
        catalog_page: (pages.catalog_page.min(100), pages.catalog_page),
        longest_target: ours.limits.uri,
        body_pace: (Duration::from_secs(30), ours.limits.body_rate),
        takes_no_pushes: ours
            .node_cache
            .as_ref()
            .filter(|cache| !cache.push)
            .map(|_| "this registry is a cache on a node, and takes no pushes: push to the registry behind it"),
        ..HttpConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        let text = format!("version: 0.1\nstorage: {{inmemory: {{}}}}\n{text}");
        Config::read(&text, &BTreeMap::new()).expect("YAML").into_config().expect("a configuration")
    }

    #[test]
    fn the_grace_time_says_what_the_other_times_are() {
        let seconds = |text: &str| {
            let times = gc_config(&read(text)).times;
            [times.grace(), times.interval(), times.slack()].map(|time| time.as_secs())
        };
        assert_eq!(seconds(""), [86_400, 120, 300]);
        assert_eq!(seconds("jeroboam: {gc: {grace: 20s}}\n"), [20, 5, 5]);
        assert_eq!(seconds("jeroboam: {gc: {grace: 1h, heartbeat: 1m, slack: 10s}}\n"), [3600, 60, 10]);
        let config =
            gc_config(&read("jeroboam: {gc: {rate: 0, window: '22:00-04:30', trash: 7d, taghistory: false}}\n"));
        assert!(config.per_second.is_none() && config.window.is_some() && !config.tag_history);
        assert_eq!(config.trash, Some(Duration::from_secs(7 * 86_400)));
    }

    #[test]
    fn times_that_do_not_fit_are_refused() {
        for text in ["{grace: 10s, heartbeat: 5s}", "{grace: 0s}", "{slack: 0s}", "{grace: 10ms}", "{window: night}"] {
            let text = format!("version: 0.1\nstorage: {{inmemory: {{}}}}\njeroboam: {{gc: {text}}}\n");
            assert!(Config::read(&text, &BTreeMap::new()).expect("YAML").into_config().is_err(), "{text}");
        }
    }

    #[test]
    fn uploads_stay_where_nobody_wants_them_purged() {
        let text = "version: 0.1\nstorage: {inmemory: {}, maintenance: {uploadpurging: {enabled: false}}}\n";
        let off = Config::read(text, &BTreeMap::new()).expect("YAML").into_config().expect("a configuration");
        assert_eq!(gc_config(&off).uploads, None);
        assert_eq!(gc_config(&read("")).uploads, Some(Duration::from_secs(168 * 3600)));
    }

    #[test]
    fn untagged_manifests_go_by_the_last_rule() {
        let rules = retention_rules(&read(
            "jeroboam:\n  gc: {deleteuntagged: true, grace: 1h}\n  retention:\n    - {prefix: team/*, tags: ['v*'], keep: 3, untagged: 2h}\n",
        ));
        assert_eq!((rules[0].prefix.as_str(), rules[0].keep), ("team", Some(3)));
        let last = RetentionRule { untagged: Some(Duration::from_secs(3600)), ..RetentionRule::default() };
        assert_eq!(rules[1..], [last]);
        assert!(retention_rules(&read("")).is_empty());
    }

    #[test]
    fn a_file_of_secrets_is_lines_of_names_and_values() {
        let read = secrets("# ours\n\nPassword: 'a: b'\ntrustid:t\n").expect("secrets");
        assert_eq!((read["password"].as_str(), read["trustid"].as_str()), ("a: b", "t"));
        let read = secrets("password: \"hunter\\\"2\"\ntrustid: 123\n").expect("secrets");
        assert_eq!((read["password"].as_str(), read["trustid"].as_str()), ("hunter\"2", "123"));
        let error = secrets("opensesame\n").expect_err("no lines");
        assert!(error.contains("is not name: value") && !error.contains("opensesame"), "{error}");
    }

    #[test]
    fn keys_of_temporary_addresses_are_replaced_where_nobody_else_signs_with_them() {
        let day = 24 * 3600;
        for (ours, age, rotate_after, remarks) in [
            ("compat: exclusive", "30d", Some(30 * day), ""),
            ("compat: exclusive", "86400000000000", Some(day), ""),
            ("compat: shared", "30d", None, "no effect with compat: shared"),
            ("compat: exclusive", "12h", None, "at least 24h"),
        ] {
            let text = format!(
                "version: 0.1\nstorage: {{swift: {{authurl: 'http://k/v3', username: u, password: p, container: c, tempurl_rotate_after: {age}}}}}\njeroboam: {{{ours}}}\n"
            );
            let read = Config::read(&text, &BTreeMap::new()).expect("YAML");
            let said: Vec<String> = read.remarks.iter().map(ToString::to_string).collect();
            assert!(said.is_empty() == remarks.is_empty() && said.concat().contains(remarks), "{text}: {said:?}");
            let Ok(config) = read.into_config() else { continue };
            let PlaceConfig::Swift(parameters) = &config.storage.place else { panic!("{:?}", config.storage.place) };
            let swift = swift_config(parameters.all(), &Lookup::default(), config.ours.exclusive, true).expect("Swift");
            assert_eq!(swift.temp_url.rotate_after, rotate_after.map(Duration::from_secs), "{text}");
        }
    }

    #[tokio::test]
    async fn a_place_whose_secrets_are_missing_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secrets");
        let text = format!(
            "version: 0.1\nstorage:\n  swift: {{authurl: 'http://127.0.0.1:1/v3', container: c, secretsfile: {}}}\n",
            file.display()
        );
        let config = Config::read(&text, &BTreeMap::new()).expect("YAML").into_config().expect("a configuration");
        let nothing = BTreeMap::new();
        let open = || place(&config, &nothing, Arc::new(jeroboam_model::SystemClock));
        assert!(matches!(open().await, Err(PlaceError::Secrets { .. })), "there is no such file");
        std::fs::write(&file, "username: u\n").expect("written");
        let wrong = open().await.expect_err("something is missing").to_string();
        assert!(wrong.contains("password"), "{wrong}");
        std::fs::write(&file, "username: u\npassword: p\ndomain: d\ntenant: t\n").expect("written");
        open().await.expect("nobody is asked yet");
    }
}
