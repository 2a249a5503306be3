//! distribution's other sections: notifications, health, the upstream registry, checks and pages.

use std::time::Duration;

use jeroboam_oci::manifest::Platform;
use secrecy::SecretString;

use super::expressions::Expressions;
use super::section::Section;

/// `notifications`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationsConfig {
    /// Whether events of manifests name what these refer to.
    pub include_references: bool,
    /// Who is told.
    pub endpoints: Vec<EndpointConfig>,
}

/// One of `notifications.endpoints` that is not disabled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct EndpointConfig {
    pub name: String,
    pub url: url::Url,
    pub headers: Vec<(String, Vec<String>)>,
    pub timeout: Duration,
    pub threshold: u64,
    pub backoff: Duration,
    pub ignored_media_types: Vec<String>,
    pub ignored_actions: Vec<String>,
}

pub(super) fn notifications(root: &Section<'_>) -> NotificationsConfig {
    let section = root.section("notifications");
    NotificationsConfig {
        include_references: section.section("events").flag("includereferences").unwrap_or(false),
        endpoints: section.list("endpoints").iter().filter_map(endpoint).collect(),
    }
}

fn endpoint(section: &Section<'_>) -> Option<EndpointConfig> {
    if section.flag("disabled").unwrap_or(false) {
        return None;
    }
    if section.given("url").is_none() {
        section.refuse("url", "is missing");
    }
    let url: url::Url = section.parsed("url", str::parse)?;
    let ignore = section.section("ignore");
    let mut ignored_media_types = section.texts("ignoredmediatypes").unwrap_or_default();
    ignored_media_types.extend(ignore.texts("mediatypes").unwrap_or_default());
    let some = |time: &Duration| !time.is_zero();
    Some(EndpointConfig {
        name: section.given("name").unwrap_or_else(|| url.host_str().unwrap_or_default().to_owned()),
        url,
        headers: section.multimap("headers"),
        timeout: section.duration("timeout").filter(some).unwrap_or(Duration::from_secs(1)),
        threshold: section.number("threshold").filter(|count| *count > 0).unwrap_or(10),
        backoff: section.duration("backoff").filter(some).unwrap_or(Duration::from_secs(1)),
        ignored_media_types,
        ignored_actions: ignore.texts("actions").unwrap_or_default(),
    })
}

/// How often something is looked at, and how many failures in a row count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// How often.
    pub interval: Duration,
    /// How many.
    pub threshold: u64,
}

impl Default for Cadence {
    fn default() -> Self {
        Self { interval: Duration::from_secs(10), threshold: 1 }
    }
}

/// What else has to be well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub enum CheckKind {
    /// No such file.
    File { file: std::path::PathBuf },
    /// An answer with this status.
    Http { uri: url::Url, headers: Vec<(String, Vec<String>)>, status: u16, timeout: Duration },
    /// A connection.
    Tcp { address: String, timeout: Duration },
}

/// `health`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthConfig {
    /// How the store is looked at, if it is.
    pub store: Option<Cadence>,
    /// What else is.
    pub checks: Vec<(CheckKind, Cadence)>,
}

pub(super) fn health(root: &Section<'_>) -> HealthConfig {
    let section = root.section("health");
    let store = section.section("storagedriver");
    let mut checks = Vec::new();
    for file in section.list("file") {
        if let Some(path) = file.given("file") {
            checks.push((CheckKind::File { file: path.into() }, cadence(&file)));
        }
    }
    let five = Duration::from_secs(5);
    for http in section.list("http") {
        if let Some(uri) = http.parsed("uri", str::parse::<url::Url>) {
            let kind = CheckKind::Http {
                uri,
                headers: http.multimap("headers"),
                status: http.number("statuscode").and_then(|code| u16::try_from(code).ok()).unwrap_or(200),
                timeout: http.duration("timeout").unwrap_or(five),
            };
            checks.push((kind, cadence(&http)));
        }
    }
    for tcp in section.list("tcp") {
        if let Some(address) = tcp.given("addr") {
            let kind = CheckKind::Tcp { address, timeout: tcp.duration("timeout").unwrap_or(five) };
            checks.push((kind, cadence(&tcp)));
        }
    }
    HealthConfig { store: store.flag("enabled").unwrap_or(true).then(|| cadence(&store)), checks }
}

fn cadence(section: &Section<'_>) -> Cadence {
    let default = Cadence::default();
    Cadence {
        interval: section.duration("interval").filter(|time| !time.is_zero()).unwrap_or(default.interval),
        threshold: section.number("threshold").unwrap_or(default.threshold).max(1),
    }
}

/// `proxy`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct ProxyConfig {
    pub remote: url::Url,
    pub user_name: Option<String>,
    pub password: Option<SecretString>,
    pub ttl: Duration,
}

pub(super) const WEEK: Duration = Duration::from_secs(168 * 3600);

pub(super) fn proxy(root: &Section<'_>) -> Option<ProxyConfig> {
    let section = root.section("proxy");
    Some(ProxyConfig {
        remote: section.parsed("remoteurl", str::parse)?,
        user_name: section.given("username"),
        password: section.secret("password"),
        ttl: section.duration("ttl").unwrap_or(WEEK),
    })
}

/// Which children of an index have to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Children {
    /// All.
    #[default]
    All,
    /// None.
    None,
    /// Those of these platforms: operating system and architecture.
    Of(Vec<(String, String)>),
}

impl Children {
    /// Whether one of this platform has to be. One that says nothing of a platform is none of a list.
    #[must_use]
    pub fn have_to_be_there(&self, platform: Option<&Platform>) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Of(listed) => platform.is_some_and(|platform| {
                listed.iter().any(|(os, architecture)| *os == platform.os && *architecture == platform.architecture)
            }),
        }
    }
}

/// `validation`, `catalog` and `tags`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestsConfig {
    /// Whether references are looked at.
    pub checked: bool,
    /// Which addresses of what is kept elsewhere a manifest may name.
    pub elsewhere: Expressions,
    /// Which children of an index have to be there.
    pub children: Children,
    /// Most repositories of one page.
    pub catalog_page: usize,
    /// Most tags of one page, for those who ask for a number of them.
    pub tags_page: usize,
}

/// Longest page that anybody may set, and that anybody gets.
pub(crate) const LONGEST_PAGE: usize = 10_000;

pub(super) fn manifests(root: &Section<'_>) -> ManifestsConfig {
    let section = root.section("validation");
    let manifests = section.section("manifests");
    let indexes = manifests.section("indexes");
    let platforms = indexes.list("platformlist");
    let listed = platforms.iter().map(|one| {
        let part = |name: &str| one.given(name).unwrap_or_default();
        (part("os"), part("architecture"))
    });
    let listed: Vec<_> = listed.collect();
    let kinds = [("all", 0), ("none", 1), ("list", 2)];
    let page = |section: &str, name: &str| {
        let wanted = root.section(section).count(name).filter(|count| *count > 0);
        wanted.unwrap_or(1000).min(LONGEST_PAGE)
    };
    ManifestsConfig {
        checked: !section.flag("disabled").unwrap_or(false) && section.flag("enabled").unwrap_or(true),
        elsewhere: Expressions::read(&manifests.section("urls")),
        children: match indexes.choice("platforms", &kinds) {
            Some(1) => Children::None,
            // distribution: a list of nothing means all.
            Some(2) if !listed.is_empty() => Children::Of(listed),
            _ => Children::All,
        },
        catalog_page: page("catalog", "maxentries"),
        tags_page: page("tags", "maxtags"),
    }
}
