//! `clouds.yaml`, `secure.yaml` and the `OS_*` variables, as openstacksdk understands them.
//!
//! The environment and the directories come as arguments. Messages name files and keys, never values.

mod files;
mod render;
mod settings;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

pub use render::{ApplicationCredentialCloud, application_credential_clouds_yaml};
pub use settings::CloudConfig;

use crate::Error;

/// Name of the cloud that the `OS_*` variables describe.
pub const ENVIRONMENT: &str = "envvars";

/// Where settings may come from.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The cloud that was asked for on the command line; `OS_CLOUD` where none was.
    pub cloud: Option<String>,
    /// The region that was asked for on the command line.
    pub region: Option<String>,
    /// The working directory, where `clouds.yaml` is looked for first.
    pub working_directory: Option<PathBuf>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// The machine's directories, last: `/etc/xdg/openstack`, `/etc/openstack`.
    pub site_directories: Vec<PathBuf>,
}

impl Lookup {
    /// The places of a usual machine.
    #[must_use]
    pub fn new(env: BTreeMap<String, String>, working_directory: Option<PathBuf>) -> Self {
        let home = env.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let site_directories = vec!["/etc/xdg/openstack".into(), "/etc/openstack".into()];
        Self { env, cloud: None, region: None, working_directory, home, site_directories }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Directories in the order in which they are tried.
    fn directories(&self) -> Vec<PathBuf> {
        let configured = self.variable("XDG_CONFIG_HOME").map(|dir| PathBuf::from(dir).join("openstack"));
        let own = self.home.as_ref().map(|home| home.join(".config/openstack"));
        let all = self.working_directory.clone().into_iter().chain(configured).chain(own);
        all.chain(self.site_directories.iter().cloned()).collect()
    }
}

/// The settings of the cloud that is meant: the one asked for, else `OS_CLOUD`, else the one of the `OS_*` variables,
/// else the only one of the files.
pub fn resolve(lookup: &Lookup) -> Result<CloudConfig, Error> {
    let clouds = files::clouds(lookup)?;
    let environment = from_environment(&lookup.env);
    let wanted = lookup.cloud.as_deref().or_else(|| lookup.variable("OS_CLOUD"));
    let (name, section) = match (wanted, environment) {
        (Some(ENVIRONMENT) | None, Some(environment)) => (ENVIRONMENT.to_owned(), environment),
        (Some(name), _) => match clouds.get(name) {
            Some(section) => (name.to_owned(), section.clone()),
            None => return Err(unknown(name, &clouds)),
        },
        (None, None) => only(clouds)?,
    };
    let section = files::with_profile(section, lookup)?;
    settings::read(&name, &section, lookup)
}

fn only(clouds: BTreeMap<String, Value>) -> Result<(String, Value), Error> {
    let mut clouds = clouds.into_iter();
    match (clouds.next(), clouds.next()) {
        (Some(cloud), None) => Ok(cloud),
        (None, _) => Err(Error::Settings(
            "no cloud is configured: set OS_CLOUD and write a clouds.yaml, or set OS_AUTH_URL and its companions"
                .into(),
        )),
        (Some(_), Some(_)) => {
            Err(Error::Settings("clouds.yaml has several clouds: set OS_CLOUD to one of them".into()))
        }
    }
}

fn unknown(name: &str, clouds: &BTreeMap<String, Value>) -> Error {
    let known: Vec<&str> = clouds.keys().map(String::as_str).collect();
    let known =
        if known.is_empty() { "no clouds.yaml was found".to_owned() } else { format!("known: {}", known.join(", ")) };
    Error::Settings(format!("cloud {name} was not found ({known})"))
}

/// Variables that choose or that belong to others; they alone make no cloud.
const SELECTORS: [&str; 5] =
    ["OS_CLOUD", "OS_REGION_NAME", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE", "OS_CLOUD_NAME"];

fn from_environment(env: &BTreeMap<String, String>) -> Option<Value> {
    let ours = |name: &&String| {
        name.starts_with("OS_") && !["OS_TEST", "OS_STD", "OS_LOG"].iter().any(|other| name.starts_with(other))
    };
    let names: Vec<&String> = env.keys().filter(ours).filter(|name| !env[*name].is_empty()).collect();
    if names.iter().all(|name| SELECTORS.contains(&name.as_str())) {
        return None;
    }
    let pairs = names.iter().map(|name| (name["OS_".len()..].to_lowercase(), Value::from(env[*name].as_str())));
    Some(Value::Object(pairs.collect()))
}
