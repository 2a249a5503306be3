//! Which place of objects, and what may be done with it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{self, Kind};
use super::remarks::Remark;
use super::section::Section;

/// `storage`.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// Which place.
    pub place: PlaceConfig,
    /// Whether clients may delete.
    pub delete: bool,
    /// Whether blobs always go through the registry.
    pub redirect_disabled: bool,
    /// Whether nothing is written.
    pub read_only: bool,
    /// What becomes of uploads that nobody went on with.
    pub purging: PurgingConfig,
}

/// A place of objects.
#[derive(Clone, Debug)]
pub enum PlaceConfig {
    /// A directory.
    Filesystem {
        /// The directory.
        root: PathBuf,
        /// Most files that are worked on at a time.
        threads: usize,
    },
    /// Memory, for trying things out.
    InMemory,
    /// A bucket.
    S3(Parameters),
    /// A container.
    Swift(Parameters),
}

impl PlaceConfig {
    /// The name of the driver.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Filesystem { .. } => "filesystem",
            Self::InMemory => "inmemory",
            Self::S3(_) => "s3aws",
            Self::Swift(_) => "swift",
        }
    }
}

/// `storage.maintenance.uploadpurging`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgingConfig {
    /// Whether it is done.
    pub enabled: bool,
    /// How old they have to be.
    pub age: Duration,
    /// How often they are looked for.
    pub interval: Duration,
    /// Whether they are only named.
    pub dry_run: bool,
}

/// The parameters of a driver, by their names in lower case, as the crate of the store reads them. Secrets among them do not print themselves.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    driver: &'static str,
    given: BTreeMap<String, String>,
}

impl Parameters {
    /// What is set for a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.given
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.given.iter().map(|(name, value)| {
            let is_secret = keys::kind(self.driver, name) == Some(Kind::Secret);
            (name, if is_secret { "…" } else { value.as_str() })
        });
        f.debug_map().entries(shown).finish()
    }
}

/// What may stand beside a driver.
const BESIDE: &[&str] = &["maintenance", "cache", "delete", "redirect", "tag"];
const DRIVERS: &str = "filesystem, s3, swift and inmemory are known";

/// `None` where there is no place that could be used; the remarks say why.
pub(super) fn read(root: &Section<'_>, exclusive: bool) -> Option<StorageConfig> {
    let storage = root.section("storage");
    let drivers: Vec<&str> =
        storage.entries().iter().map(|(name, _)| name.as_str()).filter(|name| !BESIDE.contains(name)).collect();
    let place = match drivers.as_slice() {
        [] => {
            root.refuse("storage", &format!("names no driver: {DRIVERS}"));
            None
        }
        [driver] => place(&storage, driver),
        several => {
            root.refuse("storage", &format!("names more than one driver: {}", several.join(", ")));
            None
        }
    };
    if let Some(PlaceConfig::Swift(swift)) = &place {
        check_rotation(&storage.section("swift"), swift, exclusive);
    }
    let maintenance = storage.section("maintenance");
    Some(StorageConfig {
        place: place?,
        delete: storage.section("delete").flag("enabled").unwrap_or(false),
        redirect_disabled: storage.section("redirect").flag("disable").unwrap_or(false),
        read_only: maintenance.section("readonly").flag("enabled").unwrap_or(false),
        purging: purging(&maintenance.section("uploadpurging")),
    })
}

fn purging(section: &Section<'_>) -> PurgingConfig {
    let hours = |count: u64| Duration::from_secs(count * 3600);
    PurgingConfig {
        enabled: section.flag("enabled").unwrap_or(true),
        age: section.duration("age").unwrap_or(hours(168)),
        interval: section.duration("interval").filter(|time| !time.is_zero()).unwrap_or(hours(24)),
        dry_run: section.flag("dryrun").unwrap_or(false),
    }
}

fn place(storage: &Section<'_>, driver: &str) -> Option<PlaceConfig> {
    let section = storage.section(driver);
    match driver {
        "filesystem" => Some(PlaceConfig::Filesystem {
            root: section.given("rootdirectory").unwrap_or_else(|| "/var/lib/registry".to_owned()).into(),
            // distribution: fewer than 25 are 25.
            threads: section.count("maxthreads").unwrap_or(100).max(25),
        }),
        "inmemory" => Some(PlaceConfig::InMemory),
        "s3" | "s3aws" => parameters(&section, "s3", "bucket").map(PlaceConfig::S3),
        "swift" => parameters(&section, "swift", "container").map(PlaceConfig::Swift),
        "gcs" | "azure" | "oss" => {
            storage.refuse(driver, &format!("is a driver that is not here: {DRIVERS}"));
            None
        }
        _ => {
            storage.refuse(driver, &format!("is no driver: {DRIVERS}"));
            None
        }
    }
}

/// What is written down for a driver, as text that says the same: sizes are bytes, times whole seconds, flags `true` or `false`.
fn parameters(section: &Section<'_>, driver: &'static str, needed: &str) -> Option<Parameters> {
    let mut given = BTreeMap::new();
    for name in keys::children(&["storage".to_owned(), driver.to_owned()]) {
        let value = match keys::kind(driver, name) {
            Some(Kind::Flag) => section.flag(name).map(|flag| flag.to_string()),
            Some(Kind::Number) => section.number(name).map(|number| number.to_string()),
            Some(Kind::Size) => section.size(name).map(|size| size.to_string()),
            Some(Kind::Duration) => section.duration(name).map(|time| time.as_secs().to_string()),
            Some(Kind::Texts) => section.texts(name).map(|texts| texts.join(",")),
            Some(Kind::Text | Kind::Secret) => section.given(name),
            _ => None,
        };
        given.extend(value.map(|value| (name.to_owned(), value)));
    }
    if !given.contains_key(needed) {
        section.refuse(needed, "is missing");
        return None;
    }
    Some(Parameters { driver, given })
}

/// Says so where the key of temporary addresses is not replaced, or more often than the old one goes.
fn check_rotation(swift: &Section<'_>, parameters: &Parameters, exclusive: bool) {
    let name = "tempurlrotateafter";
    let Some(seconds) = parameters.get(name).and_then(|text| text.parse::<u64>().ok()) else { return };
    if seconds < 24 * 3600 {
        swift.refuse(name, "has to be at least 24h: the old key stays for so long beside the new one");
    }
    if parameters.get("secretkey").is_some() {
        swift.warn(name, "has no effect with secretkey: whoever set that key replaces it");
    } else if !exclusive {
        swift.warn(
            name,
            "has no effect with compat: shared: distribution reads the key once, and would sign with the old one",
        );
    }
}

/// What is dangerous about it although it can be used.
pub(super) fn remarks(root: &Section<'_>) -> Vec<Remark> {
    let storage = root.section("storage");
    let swift = storage.section("swift");
    let blind =
        swift.flag("insecureskipverify").unwrap_or(false) || storage.section("s3").flag("skipverify").unwrap_or(false);
    let place = if swift.is_there() { swift.place() } else { storage.place() };
    let warning = "any certificate of the store is believed: whoever stands between can read the credentials";
    place.filter(|_| blind).map(|place| Remark::warning(place, warning)).into_iter().collect()
}
