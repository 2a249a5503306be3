//! Who may do what, as it is configured.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::namespaces::{self, Namespace, Namespaces};
use super::section::Section;
use crate::access::Action;
use crate::mirror::overlap;

/// Repositories of a name and below it, or all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// All.
    All,
    /// The repository of this name and those below it; no slash at its end.
    Below(String),
}

impl Prefix {
    /// Whether a repository is one of them.
    #[must_use]
    pub fn covers(&self, repository: &str) -> bool {
        match self {
            Self::All => true,
            Self::Below(name) => {
                repository.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }

    /// Whether a repository lies below it: the one of its very name does not.
    pub(crate) fn is_above(&self, repository: &str) -> bool {
        match self {
            Self::All => true,
            Self::Below(name) => repository.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/')),
        }
    }

    /// Whether there may be repositories that are of both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Below(one), Self::Below(other)) => overlap(one, other),
            (Self::All, _) | (_, Self::All) => true,
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text.trim_end_matches(['*', '/']) {
            "" => Self::All,
            name => Self::Below(name.to_owned()),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "*",
            Self::Below(name) => name,
        })
    }
}

/// What somebody may do in some repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whom it is about; `*` is everybody.
    pub names: Vec<String>,
    /// Where.
    pub prefixes: Vec<Prefix>,
    /// What.
    pub actions: Vec<Action>,
    /// Whether they may see the list of all repositories.
    pub catalog: bool,
}

/// `auth.silly`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct SillyConfig {
    pub realm: String,
    pub service: String,
}

/// `auth.htpasswd`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct HtpasswdConfig {
    pub realm: String,
    pub path: PathBuf,
    pub rules: Vec<Rule>,
}

/// `auth.token`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct TokenConfig {
    pub realm: String,
    /// The path of the realm at the address of the request, where it is to be there.
    pub auto_redirect: Option<String>,
    pub service: String,
    pub issuer: String,
    pub root_certificates: Option<PathBuf>,
    pub key_set: Option<PathBuf>,
    pub algorithms: Option<Vec<String>>,
    pub leeway: Duration,
}

/// `auth.builtin`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct BuiltinConfig {
    pub realm: Option<String>,
    pub service: Option<String>,
    pub issuer: String,
    pub key: Option<PathBuf>,
    pub lifetime: Duration,
    pub refresh_lifetime: Duration,
    pub refresh_tokens: Option<PathBuf>,
}

/// `auth.keystone`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct KeystoneConfig {
    pub url: String,
    pub region: Option<String>,
    pub ca_cert: Option<PathBuf>,
    pub insecure: bool,
    pub timeout: Duration,
    pub cache: Duration,
    pub negative_cache: Duration,
    pub stale_ok: Duration,
    pub namespaces: Namespaces,
    pub pull: Vec<String>,
    pub push: Vec<String>,
    pub delete: Vec<String>,
    pub all: Vec<String>,
    pub all_projects: Vec<String>,
}

/// How often somebody may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Failed log-ins of one user from one address in a minute, each wrong password counted once.
    pub failures: u32,
    /// Requests for tokens from one address in a second, on the average.
    pub tokens: u32,
    /// Passwords that are hashed at a time.
    pub hashing: usize,
}

impl Default for AttemptLimits {
    fn default() -> Self {
        Self { failures: 10, tokens: 10, hashing: std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

/// `auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthConfig {
    /// Whether it is said in words that everybody is let in.
    pub none: bool,
    /// For tests.
    pub silly: Option<SillyConfig>,
    /// A file of users.
    pub htpasswd: Option<HtpasswdConfig>,
    /// Tokens of another server.
    pub token: Option<TokenConfig>,
    /// Tokens of this registry.
    pub builtin: Option<BuiltinConfig>,
    /// Users of OpenStack.
    pub keystone: Option<KeystoneConfig>,
    /// What subjects of certificates may do.
    pub certificates: Vec<Rule>,
    /// What anybody may pull.
    pub anonymous: Vec<Prefix>,
    /// What belongs to which project.
    pub table: Vec<Namespace>,
    /// How often somebody may try.
    pub limits: AttemptLimits,
}

impl AuthConfig {
    /// Whether everybody is let in: there is no way to tell who somebody is. A file that names none although it has something to say about it is
    /// refused when it is read.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let by_password = self.silly.is_some() || self.htpasswd.is_some() || self.keystone.is_some();
        let by_token = self.token.is_some() || self.builtin.is_some();
        !by_password && !by_token && self.certificates.is_empty() && self.anonymous.is_empty()
    }
}

pub(super) fn read(root: &Section<'_>) -> AuthConfig {
    let auth = root.section("auth");
    let there = |name: &str| Some(auth.section(name)).filter(Section::is_there);
    let keystone = there("keystone").and_then(|section| keystone(&section));
    let builtin = there("builtin").map(|section| builtin(&section));
    let by_id = keystone.as_ref().map_or(Namespaces::TableAlone, |keystone| keystone.namespaces);
    let table = namespaces::read(&root.section("jeroboam"), by_id);
    let config = AuthConfig {
        none: auth.section("none").is_there(),
        silly: there("silly")
            .map(|section| SillyConfig { realm: needed(&section, "realm"), service: needed(&section, "service") }),
        htpasswd: there("htpasswd").map(|section| HtpasswdConfig {
            realm: needed(&section, "realm"),
            path: needed(&section, "path").into(),
            rules: rules(&section),
        }),
        token: there("token").map(|section| token(&section)),
        builtin,
        keystone,
        certificates: rules(&auth.section("certificates")),
        anonymous: prefixes(&auth.section("anonymous"), "pull"),
        table,
        limits: limits(&auth.section("limits")),
    };
    // Somebody wanted to keep others out, and a slip of the pen would let them in. distribution does not start either.
    let wanted = auth.is_list() || auth.entries().iter().any(|(name, _)| name != "none");
    if config.is_open() && wanted {
        let why = "names no way to tell who somebody is (htpasswd, token, builtin, keystone, certificates.rules, anonymous.pull): \
                   say auth: none if everybody is to be let in";
        root.refuse("auth", why);
    }
    config
}

pub(super) fn needed(section: &Section<'_>, name: &str) -> String {
    let text = section.given(name);
    if text.is_none() {
        section.refuse(name, "is missing");
    }
    text.unwrap_or_default()
}

fn prefixes(section: &Section<'_>, name: &str) -> Vec<Prefix> {
    section.texts(name).unwrap_or_default().iter().map(|text| Prefix::parse(text)).collect()
}

fn rules(section: &Section<'_>) -> Vec<Rule> {
    let rules = section.list("rules");
    rules
        .iter()
        .map(|rule| {
            let mut actions = Vec::new();
            let mut catalog = false;
            for word in rule.texts("actions").unwrap_or_default() {
                match word.as_str() {
                    "pull" => actions.push(Action::Pull),
                    "push" => actions.push(Action::Push),
                    "delete" => actions.push(Action::Delete),
                    "catalog" => catalog = true,
                    "*" => {
                        actions.extend([Action::Pull, Action::Push, Action::Delete]);
                        catalog = true;
                    }
                    _ => rule.refuse("actions", &format!("has {word:?}: pull, push, delete and catalog are known")),
                }
            }
            Rule {
                names: rule.texts("names").unwrap_or_default(),
                prefixes: prefixes(rule, "prefixes"),
                actions,
                catalog,
            }
        })
        .collect()
}

fn token(section: &Section<'_>) -> TokenConfig {
    let config = TokenConfig {
        realm: needed(section, "realm"),
        auto_redirect: section.flag("autoredirect").unwrap_or(false).then(|| redirect_path(section)),
        service: needed(section, "service"),
        issuer: needed(section, "issuer"),
        root_certificates: section.given("rootcertbundle").map(PathBuf::from),
        key_set: section.given("jwks").map(PathBuf::from),
        algorithms: section.texts("signingalgorithms").filter(|names| !names.is_empty()),
        leeway: section.duration("leeway").unwrap_or(Duration::from_secs(60)),
    };
    if config.root_certificates.is_none() && config.key_set.is_none() {
        section.refuse("rootcertbundle", "is missing, and so is jwks: nobody could say which tokens are good");
    }
    config
}

/// distribution: a slash is put before a path that has none.
fn redirect_path(section: &Section<'_>) -> String {
    let path = section.given("autoredirectpath").unwrap_or_else(|| "/auth/token".to_owned());
    if path.starts_with('/') { path } else { format!("/{path}") }
}

fn builtin(section: &Section<'_>) -> BuiltinConfig {
    let default = BuiltinConfig::default();
    let lifetime = section.duration("ttl").unwrap_or(default.lifetime);
    // Clients take a token that does not say for how long it lives for one of a minute.
    if lifetime < Duration::from_secs(60) {
        section.refuse("ttl", "has to be at least 60s");
    }
    BuiltinConfig {
        realm: section.given("realm"),
        service: section.given("service"),
        issuer: section.given("issuer").unwrap_or(default.issuer),
        key: section.given("key").map(PathBuf::from),
        lifetime,
        refresh_lifetime: section.duration("refreshttl").unwrap_or(default.refresh_lifetime),
        refresh_tokens: section.given("refreshtokens").map(PathBuf::from),
    }
}

impl Default for BuiltinConfig {
    fn default() -> Self {
        Self {
            realm: None,
            service: None,
            issuer: "jeroboam".to_owned(),
            key: None,
            lifetime: Duration::from_secs(300),
            refresh_lifetime: Duration::from_secs(720 * 3600),
            refresh_tokens: None,
        }
    }
}

fn keystone(section: &Section<'_>) -> Option<KeystoneConfig> {
    let url = needed(section, "url");
    let seconds = |name: &str, default: u64| section.duration(name).unwrap_or(Duration::from_secs(default));
    let roles = |name: &str, default: &[&str]| {
        section.texts(name).unwrap_or_else(|| default.iter().map(|role| (*role).to_owned()).collect())
    };
    let namespaces = [("project-id", Namespaces::ProjectId), ("none", Namespaces::TableAlone)];
    (!url.is_empty()).then(|| KeystoneConfig {
        url,
        region: section.given("region"),
        ca_cert: section.given("cacert").map(PathBuf::from),
        insecure: section.flag("insecure").unwrap_or(false),
        timeout: seconds("timeout", 10),
        cache: seconds("cachettl", 60),
        negative_cache: seconds("negativettl", 5),
        stale_ok: seconds("staleok", 900),
        namespaces: section.choice("namespaces", &namespaces).unwrap_or_default(),
        pull: roles("pull", &["reader", "member", "manager", "admin"]),
        push: roles("push", &["member", "manager", "admin"]),
        delete: roles("delete", &["manager", "admin"]),
        all: roles("all", &[]),
        all_projects: roles("allprojects", &[]),
    })
}

fn limits(section: &Section<'_>) -> AttemptLimits {
    let default = AttemptLimits::default();
    let count = |name: &str, default: u32| {
        section.number(name).and_then(|number| u32::try_from(number).ok()).unwrap_or(default).max(1)
    };
    AttemptLimits {
        failures: count("failures", default.failures),
        tokens: count("tokens", default.tokens),
        hashing: section.count("hashing").unwrap_or(default.hashing).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_name_does() {
        for (prefix, repository, covered) in [
            ("*", "a", true),
            ("team/", "team/app", true),
            ("team", "team", true),
            ("team/*", "team/app", true),
            ("team", "teamwork/app", false),
            ("team/app", "team", false),
        ] {
            assert_eq!(Prefix::parse(prefix).covers(repository), covered, "{prefix} {repository}");
        }
    }
}
