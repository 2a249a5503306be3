//! One cloud's settings, from whatever keys they were written with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;
use serde_json::Value;

use super::Lookup;
use crate::{Auth, DomainRef, Error, Interface, Named, Scope, ServiceType, SessionConfig, TransportConfig};

/// A cloud and how we are known to it.
#[derive(Clone, Debug)]
pub struct CloudConfig {
    /// Its name in `clouds.yaml`, or `envvars`.
    pub name: String,
    /// Keystone.
    pub auth_url: String,
    /// The credentials.
    pub auth: Auth,
    /// The region.
    pub region: Option<String>,
    /// Which endpoints to use.
    pub interface: Interface,
    /// Whether certificates are checked.
    pub verify: bool,
    /// The only authorities to believe.
    pub cacert: Option<PathBuf>,
    /// Addresses that take the place of the catalogue's.
    pub endpoint_overrides: BTreeMap<ServiceType, String>,
}

impl CloudConfig {
    /// What a session with this cloud needs.
    #[must_use]
    pub fn session_config(&self) -> SessionConfig {
        SessionConfig {
            auth_url: self.auth_url.clone(),
            auth: self.auth.clone(),
            region: self.region.clone(),
            interface: self.interface,
            transport: TransportConfig {
                cacert: self.cacert.clone().filter(|_| self.verify),
                insecure: !self.verify,
                ..TransportConfig::default()
            },
            endpoint_overrides: self.endpoint_overrides.clone(),
            services: BTreeMap::new(),
        }
    }
}

/// A section's values: those under `auth` first, then those beside it.
struct Keys<'a>(&'a Value);

impl Keys<'_> {
    fn text(&self, key: &str) -> Option<String> {
        let inner = self.0.get("auth").and_then(|auth| auth.get(key));
        inner.or_else(|| self.0.get(key)).and_then(as_text)
    }

    /// The first of several spellings.
    fn any(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| self.text(key))
    }

    fn domain(&self, prefix: &str) -> Option<DomainRef> {
        let id = self.text(&format!("{prefix}domain_id")).map(DomainRef::Id);
        id.or_else(|| self.text(&format!("{prefix}domain_name")).map(DomainRef::Name))
    }

    fn required(&self, cloud: &str, keys: &[&str]) -> Result<String, Error> {
        self.any(keys).ok_or_else(|| Error::Settings(format!("cloud {cloud} has no {}", keys[0])))
    }
}

pub(super) fn read(name: &str, section: &Value, lookup: &Lookup) -> Result<CloudConfig, Error> {
    let keys = Keys(section);
    let auth_url = keys.required(name, &["auth_url"])?;
    let interface = match keys.any(&["interface", "endpoint_type"]) {
        Some(text) => text.parse()?,
        None => Interface::Public,
    };
    let insecure = boolean(name, section, "insecure")?.unwrap_or(false);
    let verify = boolean(name, section, "verify")?.unwrap_or(true) && !insecure;
    Ok(CloudConfig {
        name: name.to_owned(),
        auth_url,
        auth: auth(name, &keys)?,
        region: region(section, &keys, lookup),
        interface,
        verify,
        cacert: keys.text("cacert").map(|path| expand(&path, lookup)),
        endpoint_overrides: overrides(section),
    })
}

fn auth(cloud: &str, keys: &Keys<'_>) -> Result<Auth, Error> {
    let has_credential = keys.text("application_credential_secret").is_some();
    let default = match () {
        () if has_credential => "v3applicationcredential",
        () if keys.text("token").is_some() && keys.text("password").is_none() => "token",
        () => "password",
    };
    let kind = keys.text("auth_type").unwrap_or_else(|| default.to_owned());
    match kind.as_str() {
        "password" | "v3password" => Ok(Auth::Password {
            user: user(cloud, keys)?,
            password: SecretString::from(keys.required(cloud, &["password"])?),
            scope: scope(keys),
        }),
        "token" | "v3token" => Ok(Auth::Token {
            token: SecretString::from(keys.required(cloud, &["token", "auth_token"])?),
            scope: scope(keys),
        }),
        "v3applicationcredential" | "applicationcredential" => {
            let secret = SecretString::from(keys.required(cloud, &["application_credential_secret"])?);
            match keys.text("application_credential_id") {
                Some(id) => Ok(Auth::ApplicationCredential { id, secret }),
                None => {
                    let name = keys.required(cloud, &["application_credential_id", "application_credential_name"])?;
                    Ok(Auth::ApplicationCredentialName { name, user: user(cloud, keys)?, secret })
                }
            }
        }
        other => Err(Error::Settings(format!("cloud {cloud} has auth_type {other}, which is not supported"))),
    }
}

/// A domain that is given for everything is the scope only where there is no project.
fn common_domain(keys: &Keys<'_>) -> DomainRef {
    keys.domain("default_").or_else(|| keys.domain("").filter(|_| has_project(keys))).unwrap_or_default()
}

fn has_project(keys: &Keys<'_>) -> bool {
    keys.any(&["project_id", "tenant_id", "project_name", "tenant_name"]).is_some()
}

fn user(cloud: &str, keys: &Keys<'_>) -> Result<Named, Error> {
    if let Some(id) = keys.text("user_id") {
        return Ok(Named::Id(id));
    }
    let name = keys.required(cloud, &["username", "user_name"])?;
    let domain = keys.domain("user_").unwrap_or_else(|| common_domain(keys));
    Ok(Named::Name { name, domain })
}

fn scope(keys: &Keys<'_>) -> Scope {
    if let Some(id) = keys.text("trust_id") {
        return Scope::Trust(id);
    }
    if keys.text("system_scope").is_some_and(|scope| scope == "all") {
        return Scope::System;
    }
    if let Some(id) = keys.any(&["project_id", "tenant_id"]) {
        return Scope::Project(Named::Id(id));
    }
    if let Some(name) = keys.any(&["project_name", "tenant_name"]) {
        let domain = keys.domain("project_").unwrap_or_else(|| common_domain(keys));
        return Scope::Project(Named::Name { name, domain });
    }
    keys.domain("").map_or(Scope::Unscoped, Scope::Domain)
}

fn region(section: &Value, keys: &Keys<'_>, lookup: &Lookup) -> Option<String> {
    let asked = lookup.region.clone().or_else(|| lookup.variable("OS_REGION_NAME").map(str::to_owned));
    let first = section.get("regions").and_then(|regions| regions.get(0));
    let listed = || first.and_then(|region| region.get("name").and_then(as_text).or_else(|| as_text(region)));
    asked.or_else(|| keys.text("region_name")).or_else(listed)
}

/// `container_infra_endpoint_override` and its like; kinds of services that we do not know are not ours to judge.
fn overrides(section: &Value) -> BTreeMap<ServiceType, String> {
    let known = [
        ServiceType::Identity,
        ServiceType::Compute,
        ServiceType::Image,
        ServiceType::Network,
        ServiceType::LoadBalancer,
        ServiceType::BlockStorage,
        ServiceType::KeyManager,
        ServiceType::ContainerInfra,
        ServiceType::ObjectStore,
        ServiceType::Orchestration,
    ];
    let find = |service: ServiceType| {
        let keys = service.aliases().iter().map(|alias| format!("{}_endpoint_override", alias.replace('-', "_")));
        keys.into_iter().find_map(|key| section.get(key).and_then(as_text)).map(|url| (service, url))
    };
    known.into_iter().filter_map(find).collect()
}

fn boolean(cloud: &str, section: &Value, key: &str) -> Result<Option<bool>, Error> {
    let Some(value) = section.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    let word = as_text(value).unwrap_or_default().to_lowercase();
    match word.as_str() {
        "true" | "yes" | "on" | "1" => Ok(Some(true)),
        "false" | "no" | "off" | "0" => Ok(Some(false)),
        _ => Err(Error::Settings(format!("cloud {cloud} has a {key} that is neither true nor false"))),
    }
}

/// YAML reads unquoted numbers as numbers; here everything is text.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn expand(path: &str, lookup: &Lookup) -> PathBuf {
    match (path.strip_prefix("~/"), &lookup.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}
