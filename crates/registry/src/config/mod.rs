//! The configuration: distribution's `config.yml` as it is, `REGISTRY_*` variables in place of its values, and our additions below `jeroboam`.
//!
//! Nothing is skipped in silence: a key that nobody knows is named with its place, and so is one that has no effect here, with the reason.

mod auth;
mod distribution;
mod expressions;
mod http;
mod keys;
mod log;
mod namespaces;
mod ours;
mod overrides;
#[cfg(any(test, feature = "testing"))]
pub mod properties;
mod reference;
mod remarks;
mod scalar;
mod section;
mod storage;
mod tree;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use auth::{
    AttemptLimits, AuthConfig, BuiltinConfig, HtpasswdConfig, KeystoneConfig, Prefix, Rule, SillyConfig, TokenConfig,
};
pub(crate) use distribution::LONGEST_PAGE;
pub use distribution::{
    Cadence, CheckKind, Children, EndpointConfig, HealthConfig, ManifestsConfig, NotificationsConfig, ProxyConfig,
};
pub use expressions::{BadAddress, Expressions};
pub use http::{Address, DebugConfig, HttpConfig, MinimumTls, TlsConfig};
pub use log::{Level, LogConfig};
pub use namespaces::{Namespace, Namespaces};
pub use ours::{
    Acknowledge, Additions, CollectionConfig, ImmutableRule, LimitsConfig, MirrorConfig, NodeCacheConfig, QuotaRule,
    RedirectConfig, RedirectMode, RemoteConfig, ReplicationConfig, RetentionRule, ScrubbingConfig, TargetConfig,
};
pub use reference::{reference, sample};
pub use remarks::{Remark, Severity};
pub use storage::{Parameters, PlaceConfig, PurgingConfig, StorageConfig};
pub use tree::{BadYaml, Place};

use section::Section;
use tree::{Node, Value};

/// Where a configuration is looked for when nobody names one: where images of registry:2 and of registry:3 have it, and last where our image has the one
/// that it is shipped with. So whatever is mounted at one of the first two counts.
pub const USUAL_PLACES: [&str; 3] =
    ["/etc/docker/registry/config.yml", "/etc/distribution/config.yml", "/etc/jeroboam/registry.yml"];

/// The first of the usual places at which there is something, in the file system below `root`.
#[must_use]
pub fn usual_place(root: &Path) -> Option<PathBuf> {
    USUAL_PLACES.iter().map(|place| root.join(place.trim_start_matches('/'))).find(|path| is_there(path))
}

/// Whether there is something at a place, also a link that leads nowhere or what cannot be looked at: whoever reads it is told what is wrong with it.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true) || path.is_symlink()
}

/// All that is configured.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the sections, which the reference explains")]
pub struct Config {
    pub log: LogConfig,
    pub storage: StorageConfig,
    pub auth: AuthConfig,
    pub http: HttpConfig,
    pub notifications: NotificationsConfig,
    pub health: HealthConfig,
    pub proxy: Option<ProxyConfig>,
    pub manifests: ManifestsConfig,
    pub ours: Additions,
}

/// What came of reading.
#[derive(Debug)]
pub struct Read {
    /// The configuration; none where something in it cannot stay as it is.
    pub config: Option<Config>,
    /// What there is to say about it.
    pub remarks: Vec<Remark>,
}

impl Read {
    /// The configuration, or what is wrong with it, one sentence for each.
    pub fn into_config(self) -> Result<Config, Vec<String>> {
        let errors = self.remarks.iter().filter(|remark| remark.severity == Severity::Error);
        let errors: Vec<String> = errors.map(ToString::to_string).collect();
        self.config.filter(|_| errors.is_empty()).ok_or(errors)
    }
}

impl Config {
    /// Reads a file's text, with the variables that take the place of its values.
    pub fn read(text: &str, environment: &BTreeMap<String, String>) -> Result<Read, BadYaml> {
        let mut root = Node::parse(text, None)?;
        if root.value == Value::Null {
            root.value = Value::Map(Vec::new());
        }
        let mut remarks = Vec::new();
        if let Value::Map(entries) = &mut root.value {
            let short = entries.iter_mut().filter(|(name, _)| name == "storage" || name == "auth");
            short.for_each(|(_, node)| overrides::choose(node));
        }
        overrides::apply(&mut root, environment, &mut remarks)?;
        remarks.extend(remarks::of_keys(&root));
        let noted = RefCell::new(Vec::new());
        let section = Section::root(&root, &noted);
        version(&root, &section);
        let config = Self::of(&section);
        remarks.extend(storage::remarks(&section));
        remarks.extend(noted.into_inner());
        remarks.dedup();
        Ok(Read { config, remarks })
    }

    fn of(root: &Section<'_>) -> Option<Self> {
        let (log, auth, http) = (log::read(root), auth::read(root), http::read(root));
        let (notifications, health) = (distribution::notifications(root), distribution::health(root));
        let (proxy, manifests, ours) = (distribution::proxy(root), distribution::manifests(root), ours::read(root));
        let storage = storage::read(root, ours.exclusive)?;
        Some(Self { log, storage, auth, http, notifications, health, proxy, manifests, ours })
    }
}

/// distribution: a file without a version, or with another one, is not read.
fn version(node: &Node, root: &Section<'_>) {
    match node.get("version").map(|node| &node.value) {
        Some(Value::Scalar(text)) if text == "0.1" => {}
        Some(Value::Scalar(text)) => root.refuse("version", &format!("is {text:?}, and there is only 0.1")),
        _ => root.refuse("version", "is missing: it has to be 0.1"),
    }
}

#[cfg(test)]
mod tests;
