//! keystoneauth's options of a group, as a session.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jeroboam_openstack::{Auth, DomainRef, Interface, Named, Scope, SessionConfig, TransportConfig};
use jeroboam_oslo::Config;

/// The session that a group describes. `auth_section` may send us to another group for the log-in.
pub(super) fn session(config: &Config, group: &str) -> Result<SessionConfig> {
    let login = config.string(group, "auth_section").unwrap_or_else(|| group.to_owned());
    let auth_url = config.string(&login, "auth_url").with_context(|| format!("[{login}] auth_url is not set"))?;
    let interface = config.string(group, "interface").unwrap_or_default();
    let timeout = config.int(group, "timeout").and_then(|value| u64::try_from(value).ok());
    let call = config.int("jeroboam", "call_timeout").and_then(|value| u64::try_from(value).ok()).unwrap_or(30);
    Ok(SessionConfig {
        region: config.string(group, "region_name"),
        interface: interface.trim_end_matches("URL").parse::<Interface>().unwrap_or_default(),
        transport: TransportConfig {
            timeout: Duration::from_secs(timeout.unwrap_or(call)),
            cacert: config.string(group, "cafile").filter(|path| !path.is_empty()).map(PathBuf::from),
            insecure: config.bool(group, "insecure").unwrap_or(false),
            ..TransportConfig::default()
        },
        ..SessionConfig::new(auth_url, auth(config, &login)?)
    })
}

fn auth(config: &Config, group: &str) -> Result<Auth> {
    let kind = config.string(group, "auth_type").unwrap_or_else(|| "password".to_owned());
    match kind.as_str() {
        "password" | "v3password" => Ok(Auth::Password {
            user: named(config, group, "user").with_context(|| format!("[{group}] username is not set"))?,
            password: super::required(config, group, "password")?,
            scope: named(config, group, "project").map_or(Scope::Unscoped, Scope::Project),
        }),
        "v3applicationcredential" => {
            let secret = super::required(config, group, "application_credential_secret")?;
            if let Some(id) = config.string(group, "application_credential_id") {
                return Ok(Auth::ApplicationCredential { id, secret });
            }
            let name = config.string(group, "application_credential_name");
            let name = name.with_context(|| format!("[{group}] application_credential_id is not set"))?;
            let user = named(config, group, "user").with_context(|| format!("[{group}] username is not set"))?;
            Ok(Auth::ApplicationCredentialName { name, user, secret })
        }
        other => bail!("[{group}] auth_type is {other:?}, expected password or v3applicationcredential"),
    }
}

/// `user` or `project` by id, or by name and domain.
fn named(config: &Config, group: &str, what: &str) -> Option<Named> {
    if let Some(id) = config.string(group, &format!("{what}_id")) {
        return Some(Named::Id(id));
    }
    let name = if what == "user" { "username".to_owned() } else { format!("{what}_name") };
    let name = config.string(group, &name)?;
    let domain = |prefix: &str| {
        let id = config.string(group, &format!("{prefix}_domain_id")).map(DomainRef::Id);
        id.or_else(|| config.string(group, &format!("{prefix}_domain_name")).map(DomainRef::Name))
    };
    Some(Named::Name { name, domain: domain(what).or_else(|| domain("default")).unwrap_or_default() })
}
