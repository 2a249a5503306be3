//! `jeroboam`: what distribution does not have.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use jeroboam_blobs::SyncPolicy;
use jeroboam_oci::RepositoryName;
use jeroboam_oci::gc::Times;
use secrecy::SecretString;

use super::auth::Prefix;
use super::distribution::WEEK;
use super::section::Section;
use crate::gc::Window;
use crate::http::{Network, warnings};
use crate::mirror::{UpstreamLimits, overlap};
use crate::replicate::Rule;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest time for which it is believed that a blob is there while distribution may remove it.
const BELIEVED: Duration = Duration::from_secs(60);

/// Whether blobs are read from the store itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedirectMode {
    /// Never.
    Off,
    /// Always.
    On,
    /// Large ones, by clients that can reach the store.
    #[default]
    Auto,
}

/// `jeroboam.redirect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectConfig {
    /// Whether.
    pub mode: RedirectMode,
    /// With `auto`, smaller blobs go through the registry.
    pub minimum: u64,
    /// With `auto`, only these are sent to the store.
    pub networks: Vec<Network>,
    /// How long an address can be used.
    pub lifetime: Duration,
}

/// `jeroboam.limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct LimitsConfig {
    /// As many as the process may open files for, if nothing is set.
    pub connections: Option<usize>,
    pub header: usize,
    pub uri: usize,
    pub manifest: u64,
    pub buffered: u64,
    pub uploads_per_account: usize,
    pub uploads_per_repository: usize,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    pub body_rate: u64,
    pub streams: u32,
}

/// `jeroboam.gc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct CollectionConfig {
    pub enabled: bool,
    pub interval: Duration,
    /// The grace time, the heartbeat and the slack.
    pub times: Times,
    /// Most blobs that go in a second; none for as many as the store takes.
    pub rate: Option<u32>,
    pub window: Option<Window>,
    pub trash: Option<Duration>,
    pub tag_history: bool,
    pub only_collector: bool,
    pub delete_untagged: bool,
    pub dry_run: bool,
}

/// `jeroboam.scrub`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct ScrubbingConfig {
    pub enabled: bool,
    /// Bytes a second; none for as many as the store gives.
    pub rate: Option<u64>,
    pub interval: Duration,
}

/// One of `jeroboam.quotas`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct QuotaRule {
    pub prefix: Prefix,
    /// Whether it is about each namespace right below the prefix, and not about all together.
    pub each: bool,
    pub bytes: Option<u64>,
    pub tags: Option<u64>,
}

/// One of `jeroboam.retention`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct RetentionRule {
    pub prefix: Prefix,
    pub tags: Vec<String>,
    pub keep: Option<usize>,
    pub keep_for: Option<Duration>,
    pub untagged: Option<Duration>,
}

/// One of `jeroboam.immutable`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct ImmutableRule {
    pub prefix: Prefix,
    pub tags: Vec<String>,
}

/// Another registry, and who we are there.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct RemoteConfig {
    pub url: url::Url,
    pub user_name: Option<String>,
    pub password: Option<SecretString>,
    pub password_file: Option<PathBuf>,
    pub ca_cert: Option<PathBuf>,
}

/// One of `jeroboam.replication.targets`.
#[derive(Clone, Debug)]
pub struct TargetConfig {
    /// Its name for the log, the metrics and the state.
    pub name: String,
    /// Where it is.
    pub remote: RemoteConfig,
    /// Which repositories go there.
    pub prefixes: Vec<Prefix>,
}

/// When a pushed manifest is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the values, which the reference explains")]
pub enum Acknowledge {
    #[default]
    Local,
    All,
    Quorum,
}

/// `jeroboam.replication`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct ReplicationConfig {
    pub acknowledge: Acknowledge,
    pub conflict: Rule,
    /// Of the first that covers a repository, the rule there.
    pub conflicts: Vec<(Prefix, Rule)>,
    pub interval: Duration,
    pub rate: Option<u64>,
    pub deletes: bool,
    /// Accounts of other regions here.
    pub peers: Vec<String>,
    pub targets: Vec<TargetConfig>,
}

/// One of `jeroboam.mirrors`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct MirrorConfig {
    pub prefix: RepositoryName,
    pub host: Option<String>,
    pub remote: RemoteConfig,
    pub ttl: Duration,
    pub limits: UpstreamLimits,
    /// Most bytes a second; none for as many as come.
    pub rate: Option<u64>,
}

/// `jeroboam.nodecache`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct NodeCacheConfig {
    pub directory: PathBuf,
    pub size: u64,
    pub push: bool,
}

/// What distribution does not have.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the keys, which the reference explains")]
pub struct Additions {
    /// Whether anything of this was written.
    pub is_there: bool,
    pub exclusive: bool,
    pub syncs: SyncPolicy,
    pub insecure_open: bool,
    pub read_only_file: Option<PathBuf>,
    pub verify_reads: u32,
    pub trusted_proxies: Vec<Network>,
    pub warnings: Vec<HeaderValue>,
    pub manifest_cache: u64,
    pub existence_ttl: Duration,
    pub tag_ttl: Duration,
    pub redirect: RedirectConfig,
    pub limits: LimitsConfig,
    pub protect_referenced: bool,
    pub sparse_index: bool,
    pub sparse_image: bool,
    pub page: bool,
    pub metrics: Option<String>,
    pub collection: CollectionConfig,
    pub scrubbing: ScrubbingConfig,
    pub quotas: Vec<QuotaRule>,
    pub retention: Vec<RetentionRule>,
    pub immutable: Vec<ImmutableRule>,
    pub origin: Option<String>,
    pub replication: ReplicationConfig,
    pub mirrors: Vec<MirrorConfig>,
    pub node_cache: Option<NodeCacheConfig>,
}

const SYNCS: [(&str, SyncPolicy); 3] =
    [("auto", SyncPolicy::Auto), ("ordered", SyncPolicy::Ordered), ("all", SyncPolicy::All)];

const SPARSE: [(&str, bool); 2] = [("allow", true), ("deny", false)];

pub(super) fn read(root: &Section<'_>) -> Additions {
    let ours = root.section("jeroboam");
    let cache = ours.section("cache");
    let exclusive = ours.choice("compat", &[("shared", false), ("exclusive", true)]).unwrap_or(false);
    Additions {
        is_there: ours.is_there(),
        exclusive,
        syncs: ours.section("directory").choice("syncs", &SYNCS).unwrap_or_default(),
        insecure_open: ours.flag("insecureopen").unwrap_or(false),
        verify_reads: ours.number("verifyreads").map_or(100, |number| u32::try_from(number).unwrap_or(u32::MAX)),
        read_only_file: ours.given("readonlyfile").map(PathBuf::from),
        trusted_proxies: networks(&ours, "trustedproxies"),
        warnings: warnings(&ours.texts("warnings").unwrap_or_default()).unwrap_or_else(|why| {
            ours.refuse("warnings", &why.to_string());
            Vec::new()
        }),
        manifest_cache: cache.size("manifests").unwrap_or(64 << 20),
        existence_ttl: existence(&cache, exclusive),
        tag_ttl: cache.duration("tags").unwrap_or(Duration::from_secs(1)).min(Duration::from_secs(1)),
        redirect: redirect(&ours.section("redirect")),
        limits: limits(&ours.section("limits")),
        protect_referenced: ours.section("delete").flag("protectreferenced").unwrap_or(false),
        sparse_index: ours.section("validation").choice("sparseindex", &SPARSE).unwrap_or(false),
        sparse_image: ours.section("validation").choice("sparseimage", &SPARSE).unwrap_or(false),
        page: ours.section("page").flag("enabled").unwrap_or(true),
        metrics: ours.section("metrics").given("addr"),
        collection: collection(&ours, exclusive),
        scrubbing: scrubbing(&ours.section("scrub")),
        quotas: ours.list("quotas").iter().filter_map(quota).collect(),
        retention: ours.list("retention").iter().map(retention).collect(),
        immutable: ours.list("immutable").iter().map(immutable).collect(),
        origin: ours.given("origin"),
        replication: replication(&ours.section("replication")),
        mirrors: mirrors(&ours),
        node_cache: node_cache(&ours.section("nodecache")),
    }
}

/// A blob that distribution removed meanwhile would be promised to whoever pushes a manifest that names it.
fn existence(cache: &Section<'_>, exclusive: bool) -> Duration {
    let time = cache.duration("existence").unwrap_or(BELIEVED);
    if !exclusive && time > BELIEVED {
        let why = "has to be at most 60s with compat: shared: distribution may remove what is believed to be there for longer";
        cache.refuse("existence", why);
    }
    time
}

fn networks(section: &Section<'_>, name: &str) -> Vec<Network> {
    let mut found = Vec::new();
    for text in section.texts(name).unwrap_or_default() {
        match text.parse() {
            Ok(network) => found.push(network),
            Err(why) => section.refuse(name, &format!("has {text:?}: {why}")),
        }
    }
    found
}

fn redirect(section: &Section<'_>) -> RedirectConfig {
    let modes = [
        ("off", RedirectMode::Off),
        ("false", RedirectMode::Off),
        ("on", RedirectMode::On),
        ("true", RedirectMode::On),
        ("auto", RedirectMode::Auto),
    ];
    RedirectConfig {
        mode: section.choice("mode", &modes).unwrap_or_default(),
        minimum: section.size("minimum").unwrap_or(1 << 20),
        networks: networks(section, "networks"),
        lifetime: section.duration("lifetime").unwrap_or(Duration::from_secs(1200)),
    }
}

fn limits(section: &Section<'_>) -> LimitsConfig {
    let count = |name: &str, default: usize| section.count(name).unwrap_or(default).max(1);
    let size = |name: &str, default: u64| section.size(name).unwrap_or(default);
    let bytes =
        |name: &str, default: usize| section.size(name).and_then(|size| usize::try_from(size).ok()).unwrap_or(default);
    let seconds = |name: &str, default: u64| section.duration(name).unwrap_or(Duration::from_secs(default));
    let manifest = size("manifest", 4 << 20);
    if !(4 << 20..=16 << 20).contains(&manifest) {
        section.refuse("manifest", "has to lie between 4MiB and 16MiB");
    }
    let header = bytes("header", 64 << 10);
    if !(8 << 10..=1 << 20).contains(&header) {
        section.refuse("header", "has to lie between 8KiB and 1MiB");
    }
    let uri = bytes("uri", 16 << 10);
    if uri > 1 << 20 {
        section.refuse("uri", "has to be at most 1MiB");
    }
    LimitsConfig {
        connections: section.count("connections").map(|count| count.max(1)),
        header,
        uri,
        manifest,
        buffered: size("buffered", 64 << 20),
        uploads_per_account: count("uploadsperaccount", 64),
        uploads_per_repository: count("uploadsperrepository", 256),
        header_timeout: seconds("headertimeout", 30),
        idle_timeout: seconds("idletimeout", 75),
        body_rate: size("bodyrate", 1 << 10),
        streams: section.number("streams").and_then(|number| u32::try_from(number).ok()).unwrap_or(128).max(1),
    }
}

fn collection(ours: &Section<'_>, exclusive: bool) -> CollectionConfig {
    let gc = ours.section("gc");
    let rate = gc.number("rate").unwrap_or(50);
    let enabled = gc.flag("enabled").unwrap_or(false);
    if enabled && !exclusive {
        gc.warn("enabled", "has no effect with compat: shared: distribution may use what would go");
    }
    CollectionConfig {
        enabled,
        interval: some(&gc, "interval", DAY),
        times: times(&gc),
        rate: u32::try_from(rate).ok().filter(|rate| *rate > 0),
        window: gc.parsed("window", str::parse),
        trash: gc.duration("trash").filter(|kept| !kept.is_zero()),
        tag_history: gc.flag("taghistory").unwrap_or(true),
        only_collector: gc.flag("onlycollector").unwrap_or(false),
        delete_untagged: gc.flag("deleteuntagged").unwrap_or(false),
        dry_run: gc.flag("dryrun").unwrap_or(false),
    }
}

/// The grace time says what the others are, unless they are set.
fn times(gc: &Section<'_>) -> Times {
    let mut grace = some(gc, "grace", DAY);
    if grace < Duration::from_secs(1) {
        gc.refuse("grace", "has to be a second, and should be hours");
        grace = DAY;
    }
    let minutes = |count: u64| Duration::from_secs(60 * count).min(grace / 4);
    let times = Times::new(grace, some(gc, "heartbeat", minutes(2)), some(gc, "slack", minutes(5)));
    times.unwrap_or_else(|why| {
        gc.refuse("heartbeat", &format!("does not fit: {why}"));
        Times::default()
    })
}

fn scrubbing(scrub: &Section<'_>) -> ScrubbingConfig {
    ScrubbingConfig {
        enabled: scrub.flag("enabled").unwrap_or(false),
        rate: Some(scrub.size("rate").unwrap_or(8 << 20)).filter(|rate| *rate > 0),
        interval: some(scrub, "interval", WEEK),
    }
}

/// A time that is more than none: what is done again without a pause does nothing else.
fn some(section: &Section<'_>, name: &str, default: Duration) -> Duration {
    let time = section.duration(name).unwrap_or(default);
    if time.is_zero() {
        section.refuse(name, "has to be more than nothing");
        return default;
    }
    time
}

fn prefix(section: &Section<'_>) -> Prefix {
    section.given("prefix").map_or(Prefix::All, |text| Prefix::parse(&text))
}

fn quota(section: &Section<'_>) -> Option<QuotaRule> {
    let rule = QuotaRule {
        prefix: prefix(section),
        each: section.flag("each").unwrap_or(false),
        bytes: section.size("bytes"),
        tags: section.number("tags"),
    };
    if rule.bytes.is_none() && rule.tags.is_none() {
        section.refuse("bytes", "is missing, and so is tags: the rule would limit nothing");
        return None;
    }
    Some(rule)
}

fn retention(section: &Section<'_>) -> RetentionRule {
    RetentionRule {
        prefix: prefix(section),
        tags: section.texts("tags").unwrap_or_default(),
        keep: section.count("keep"),
        keep_for: section.duration("keepfor"),
        untagged: section.duration("untagged"),
    }
}

fn immutable(section: &Section<'_>) -> ImmutableRule {
    ImmutableRule { prefix: prefix(section), tags: section.texts("tags").unwrap_or_else(|| vec!["*".to_owned()]) }
}

fn remote(section: &Section<'_>) -> Option<RemoteConfig> {
    if section.given("url").is_none() {
        section.refuse("url", "is missing");
    }
    Some(RemoteConfig {
        url: section.parsed("url", str::parse)?,
        user_name: section.given("username"),
        password: section.secret("password"),
        password_file: section.given("passwordfile").map(PathBuf::from),
        ca_cert: section.given("cacert").map(PathBuf::from),
    })
}

fn replication(section: &Section<'_>) -> ReplicationConfig {
    let acknowledge = [("local", Acknowledge::Local), ("all", Acknowledge::All), ("quorum", Acknowledge::Quorum)];
    let targets = section.list("targets");
    let targets = targets.iter().filter_map(|target| {
        let remote = remote(target)?;
        let prefixes = target.texts("prefixes").unwrap_or_default();
        Some(TargetConfig {
            name: target.given("name").or_else(|| remote.url.host_str().map(str::to_owned)).unwrap_or_default(),
            remote,
            prefixes: prefixes.iter().map(|text| Prefix::parse(text)).collect(),
        })
    });
    ReplicationConfig {
        acknowledge: section.choice("ack", &acknowledge).unwrap_or_default(),
        conflict: rule(section, "conflict", section.given("primary")),
        conflicts: section.list("conflicts").iter().map(|one| conflict(one, section)).collect(),
        interval: section.duration("interval").unwrap_or(Duration::from_secs(600)),
        rate: section.size("rate"),
        deletes: section.flag("deletes").unwrap_or(false),
        peers: section.texts("peers").unwrap_or_default(),
        targets: targets.collect(),
    }
}

/// Which of two tags wins in some repositories. Which origin is the primary one may be said once for all.
fn conflict(section: &Section<'_>, replication: &Section<'_>) -> (Prefix, Rule) {
    if section.given("rule").is_none() {
        section.refuse("rule", "is missing");
    }
    let primary = section.given("primary").or_else(|| replication.given("primary"));
    (prefix(section), rule(section, "rule", primary))
}

fn rule(section: &Section<'_>, name: &str, primary: Option<String>) -> Rule {
    match (section.choice(name, &["newest", "primary", "deny"].map(|word| (word, word))), primary) {
        (Some("primary"), Some(primary)) => Rule::Primary(primary),
        (Some("primary"), None) => {
            section.refuse("primary", &format!("is missing: with {name}: primary it is the origin whose tags win"));
            Rule::Deny
        }
        (Some("deny"), _) => Rule::Deny,
        _ => Rule::Newest,
    }
}

fn mirrors(ours: &Section<'_>) -> Vec<MirrorConfig> {
    let mut all: Vec<MirrorConfig> = Vec::new();
    for section in ours.list("mirrors") {
        let Some(mirror) = mirror(&section) else { continue };
        if let Some(other) = all.iter().find(|other| overlap(other.prefix.as_str(), mirror.prefix.as_str())) {
            let why =
                format!("is {}, and another one has {}: neither may lie below the other", mirror.prefix, other.prefix);
            section.refuse("prefix", &why);
            continue;
        }
        all.push(mirror);
    }
    all
}

/// What is fetched from there needs a place where nothing is pushed; where no name is given the host is one.
fn mirror(section: &Section<'_>) -> Option<MirrorConfig> {
    let (prefix, host) = (section.given("prefix"), section.given("host"));
    let Some(text) = prefix.or_else(|| host.as_deref().map(name_of_host)) else {
        section.refuse("prefix", "is missing, and so is host: nothing would be read from there");
        return None;
    };
    let Ok(prefix) = text.trim_end_matches(['*', '/']).parse() else {
        let why = format!(
            "is {text:?}, which cannot stand before the names of repositories; proxy is for everything from one registry"
        );
        section.refuse("prefix", &why);
        return None;
    };
    let usual = UpstreamLimits::default();
    let limits = UpstreamLimits {
        check: section.duration("check").unwrap_or(usual.check),
        absent: section.duration("absent").unwrap_or(usual.absent),
        patience: some(section, "patience", usual.patience),
        fetches: section.count("fetches").unwrap_or(usual.fetches).max(1),
    };
    Some(MirrorConfig {
        prefix,
        host,
        remote: remote(section)?,
        ttl: section.duration("ttl").unwrap_or(WEEK),
        limits,
        rate: section.size("rate"),
    })
}

/// A host as the beginning of names.
fn name_of_host(host: &str) -> String {
    host.to_ascii_lowercase().replace(':', "-")
}

fn node_cache(section: &Section<'_>) -> Option<NodeCacheConfig> {
    Some(NodeCacheConfig {
        directory: section.given("directory")?.into(),
        size: section.size("size").unwrap_or(20 << 30),
        push: section.flag("push").unwrap_or(true),
    })
}
