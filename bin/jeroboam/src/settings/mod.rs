//! From the operator's `magnum.conf` to the settings of each part. The environment and files are read here and nowhere else.

mod credentials;
mod key;
mod notifications;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jeroboam_cli::args::ConfigArgs;
use jeroboam_management::{KubeconfigSource, ManagementConfig};
use jeroboam_notify::NotifyConfig;
use jeroboam_openstack::{SessionConfig, ValidatorConfig};
use jeroboam_oslo::Config;
use jeroboam_reconcile::{CloudConfig, ReconcileConfig};
use jeroboam_service::ServiceConfig;
use jeroboam_store::StoreConfig;
use jeroboam_telemetry::{LogConfig, LogFormat};
use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

/// The process's environment, read once.
#[expect(clippy::disallowed_methods, reason = "this is the front where the environment enters")]
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

/// The name of this machine.
pub(crate) fn hostname(config: &Config) -> String {
    let own = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    config
        .string("DEFAULT", "host")
        .or_else(own)
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// Reads the configuration and warns of everything in it that will not do what it seems to.
pub(crate) fn load(args: &ConfigArgs) -> Result<Config> {
    let config = Config::load(&args.paths(), &environment()).context("read the configuration")?;
    warn_of(&config);
    Ok(config)
}

/// Says in the log what will not do what it seems to.
pub(crate) fn warn_of(config: &Config) {
    for finding in config.findings() {
        warn!("{finding}");
    }
}

fn seconds(config: &Config, group: &str, name: &str, default: u64) -> Duration {
    let value = config.int(group, name).and_then(|value| u64::try_from(value).ok());
    Duration::from_secs(value.unwrap_or(default))
}

fn minutes(config: &Config, name: &str) -> Duration {
    seconds(config, "jeroboam", name, 60) * 60
}

/// Where the database is.
pub(crate) fn database_url(config: &Config) -> Result<SecretString> {
    config.secret("database", "connection").context("[database] connection is not set")
}

/// The key that seals what the database keeps secret, or one like it where a start would make it.
pub(crate) fn key(config: &Config) -> Result<SecretString> {
    key::foreseen(config, database_url(config)?.expose_secret())
}

/// The database and the key that seals its secrets.
pub(crate) fn store(config: &Config) -> Result<StoreConfig> {
    let key = key::find(config, database_url(config)?.expose_secret())?;
    Ok(StoreConfig { key: Some(key), ..database(config)? })
}

/// The database, for whoever opens no secret.
pub(crate) fn database(config: &Config) -> Result<StoreConfig> {
    let number = |name: &str| config.int("database", name).and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
    let connections = number("max_pool_size").saturating_add(number("max_overflow")).clamp(1, 64);
    Ok(StoreConfig {
        max_connections: connections,
        acquire_timeout: seconds(config, "database", "pool_timeout", 30),
        ..StoreConfig::at(database_url(config)?)
    })
}

/// The session that checks callers' tokens.
pub(crate) fn token_session(config: &Config) -> Result<SessionConfig> {
    let group = "keystone_authtoken";
    let mut session = credentials::session(config, group)?;
    session.transport.timeout = seconds(config, group, "http_connect_timeout", 10);
    Ok(session)
}

/// The session for everything that the service asks in its own name.
pub(crate) fn service_session(config: &Config) -> Result<SessionConfig> {
    let group = if config.is_set("keystone_auth", "auth_url") || config.is_set("keystone_auth", "auth_section") {
        "keystone_auth"
    } else {
        "keystone_authtoken"
    };
    Ok(SessionConfig { services: credentials::services(config), ..credentials::session(config, group)? })
}

/// How others are told of clusters.
pub(crate) fn notifications(config: &Config) -> Result<NotifyConfig> {
    notifications::read(config)
}

/// How callers' tokens are checked.
pub(crate) fn validator(config: &Config) -> ValidatorConfig {
    let group = "keystone_authtoken";
    let default = ValidatorConfig::default();
    ValidatorConfig {
        cache_time: seconds(config, group, "token_cache_time", 0),
        service_token_roles: config.list(group, "service_token_roles"),
        service_token_roles_required: config.bool(group, "service_token_roles_required").unwrap_or(false),
        ..default
    }
}

/// The management cluster.
pub(crate) fn management(config: &Config) -> ManagementConfig {
    let group = "jeroboam_management";
    let kubeconfig = config.string(group, "kubeconfig").map(PathBuf::from);
    let source = kubeconfig.map_or(KubeconfigSource::InCluster, KubeconfigSource::File);
    ManagementConfig {
        context: config.string(group, "context"),
        call_timeout: seconds(config, group, "request_timeout", 30),
        ..ManagementConfig::new(source)
    }
}

/// The loop.
pub(crate) fn reconcile(config: &Config) -> Result<ReconcileConfig> {
    let cluster_class = match config.string("jeroboam_topology", "cluster_class") {
        None => None,
        Some(text) => match text.split_once('/') {
            Some((namespace, name)) => Some((namespace.to_owned(), name.to_owned())),
            None => bail!("[jeroboam_topology] cluster_class is {text:?}, expected namespace/name"),
        },
    };
    let whole = |group: &str, name: &str| config.int(group, name).and_then(|value| u32::try_from(value).ok());
    let namespaces = config.string("jeroboam_topology", "namespace_prefix").unwrap_or_else(|| "magnum".to_owned());
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    // 63 letters have to be enough for it and the id of a project.
    if !namespaces.starts_with(|c: char| c != '-') || !namespaces.chars().all(fits) || namespaces.len() > 26 {
        bail!(
            "[jeroboam_topology] namespace_prefix is {namespaces:?}, expected up to 26 small letters, digits and hyphens"
        );
    }
    let settings = ReconcileConfig {
        workers: whole("jeroboam", "workers").unwrap_or(16) as usize,
        lease: seconds(config, "jeroboam", "lease_seconds", 10),
        create_timeout: minutes(config, "create_timeout"),
        update_timeout: minutes(config, "update_timeout"),
        delete_timeout: minutes(config, "delete_timeout"),
        // A request that lasted longer was broken off; as much again is for clocks that differ.
        credential_grace: 2 * seconds(config, "jeroboam", "request_timeout", 60),
        host: hostname(config),
        cloud: cloud(config)?,
        boot_volume_size: whole("cinder", "default_boot_volume_size").unwrap_or(0),
        boot_volume_type: config.string("cinder", "default_boot_volume_type").filter(|text| !text.is_empty()),
        certificates: ServiceConfig::from_oslo(config).certificates,
        cluster_class,
        namespace_prefix: namespaces,
        ..ReconcileConfig::default()
    };
    Ok(settings.checked()?)
}

/// What the management cluster and nodes are told of the cloud.
fn cloud(config: &Config) -> Result<CloudConfig> {
    let session = service_session(config)?;
    let file = config.string("drivers", "openstack_ca_file").filter(|path| !path.is_empty());
    let file = file.map(PathBuf::from).or(session.transport.cacert);
    let read = |path: PathBuf| std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()));
    Ok(CloudConfig {
        auth_url: config.string("keystone_authtoken", "www_authenticate_uri").unwrap_or(session.auth_url),
        region: session.region,
        interface: "public".to_owned(),
        ca_certificates: file.map(read).transpose()?,
        insecure: !config.bool("drivers", "verify_ca").unwrap_or(true),
    })
}

/// Where the log goes and how much of it there is.
pub(crate) fn log(config: &Config) -> LogConfig {
    let file = config.string("DEFAULT", "log_file").map(PathBuf::from);
    let file = match (file, config.string("DEFAULT", "log_dir")) {
        (Some(file), Some(dir)) => Some(PathBuf::from(dir).join(file)),
        (None, Some(dir)) => Some(PathBuf::from(dir).join("jeroboam.log")),
        (file, None) => file,
    };
    let json = config.bool("DEFAULT", "use_json").unwrap_or(false);
    LogConfig {
        format: if json { LogFormat::Json } else { LogFormat::Oslo },
        debug: config.bool("DEFAULT", "debug").unwrap_or(false),
        levels: config.list("DEFAULT", "default_log_levels"),
        file,
        also_stderr: config.bool("DEFAULT", "use_stderr").unwrap_or(false),
    }
}

/// A secret text of an option, or what is wrong without it.
fn required(config: &Config, group: &str, name: &str) -> Result<SecretString> {
    config.secret(group, name).with_context(|| format!("[{group}] {name} is not set"))
}
