//! keystoneauth's options of a group, as a session, and what is set for single services.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jeroboam_openstack::{
    Auth, DomainRef, Interface, Named, Scope, ServiceOptions, ServiceType, SessionConfig, TransportConfig,
};
use jeroboam_oslo::Config;

/// The session that a group describes. `auth_section` may send us to another group for the log-in.
pub(super) fn session(config: &Config, group: &str) -> Result<SessionConfig> {
    let login = config.string(group, "auth_section").unwrap_or_else(|| group.to_owned());
    let auth_url = config.string(&login, "auth_url").with_context(|| format!("[{login}] auth_url is not set"))?;
    let interface = config.string(group, "interface").unwrap_or_default();
    let timeout = config.float(group, "timeout").and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let call = config.int("jeroboam", "call_timeout").and_then(|value| u64::try_from(value).ok()).unwrap_or(30);
    Ok(SessionConfig {
        region: config.string(group, "region_name"),
        interface: interface.trim_end_matches("URL").parse::<Interface>().unwrap_or_default(),
        transport: TransportConfig {
            timeout: timeout.unwrap_or(Duration::from_secs(call)),
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
            scope: scope(config, group),
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

/// keystoneauth takes the first of these that is set; one of them is all there may be.
fn scope(config: &Config, group: &str) -> Scope {
    if let Some(trust) = config.string(group, "trust_id") {
        return Scope::Trust(trust);
    }
    if config.string(group, "system_scope").is_some_and(|scope| scope == "all") {
        return Scope::System;
    }
    let domain = config.string(group, "domain_id").map(DomainRef::Id);
    if let Some(domain) = domain.or_else(|| config.string(group, "domain_name").map(DomainRef::Name)) {
        return Scope::Domain(domain);
    }
    named(config, group, "project").map_or(Scope::Unscoped, Scope::Project)
}

/// The groups of single services. Magnum: conf/{barbican,cinder,glance,magnum_client,neutron,nova,octavia}.py.
const CLIENTS: [(&str, ServiceType); 7] = [
    ("barbican_client", ServiceType::KeyManager),
    ("cinder_client", ServiceType::BlockStorage),
    ("glance_client", ServiceType::Image),
    ("magnum_client", ServiceType::ContainerInfra),
    ("neutron_client", ServiceType::Network),
    ("nova_client", ServiceType::Compute),
    ("octavia_client", ServiceType::LoadBalancer),
];

/// What is set for single services. Where nothing is, Magnum takes their public endpoints, whatever the log-in's group says.
pub(super) fn services(config: &Config) -> BTreeMap<ServiceType, ServiceOptions> {
    let all = config.string("keystone_auth", "interface").and_then(|name| name.parse().ok());
    let options = |group: &str| {
        let own = config.string(group, "endpoint_type").and_then(|name| name.parse().ok());
        let own = if config.is_set(group, "endpoint_type") { own.or(all) } else { all.or(own) };
        ServiceOptions {
            region: config.string(group, "region_name").filter(|name| !name.is_empty()),
            interface: Some(own.unwrap_or(Interface::Public)),
            cacert: config.string(group, "ca_file").filter(|path| !path.is_empty()).map(PathBuf::from),
            insecure: config.bool(group, "insecure").unwrap_or(false),
        }
    };
    CLIENTS.into_iter().map(|(group, service)| (service, options(group))).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("magnum.conf");
        std::fs::write(&file, text).expect("write");
        Config::load(&[file], &BTreeMap::new()).expect("configuration")
    }

    #[test]
    fn each_group_is_for_its_own_service() {
        for (group, service) in CLIENTS {
            // Magnum has no such options there.
            let tls = if group == "magnum_client" { "" } else { "ca_file = /ca.pem\ninsecure = true\n" };
            let set = config(&format!("[{group}]\nregion_name = west\nendpoint_type = internalURL\n{tls}"));
            let found = services(&set);
            let wanted = ServiceOptions {
                region: Some("west".to_owned()),
                interface: Some(Interface::Internal),
                cacert: (!tls.is_empty()).then(|| PathBuf::from("/ca.pem")),
                insecure: !tls.is_empty(),
            };
            assert_eq!(found[&service], wanted, "{group}");
            let plain = ServiceOptions { interface: Some(Interface::Public), ..ServiceOptions::default() };
            assert!(found.iter().all(|(other, options)| *other == service || *options == plain), "{group}: {found:?}");
        }
    }

    #[test]
    fn services_are_public_but_where_somebody_says_otherwise() {
        use Interface::{Admin, Internal, Public};
        for (text, wanted) in [
            ("", Public),
            // That is where tokens are checked.
            ("[keystone_authtoken]\ninterface = internal", Public),
            ("[keystone_auth]\ninterface = internal", Internal),
            ("[nova_client]\nendpoint_type = adminURL\n[keystone_auth]\ninterface = internal", Admin),
            ("[nova_client]\nendpoint_type = public\n[keystone_auth]\ninterface = internal", Public),
        ] {
            assert_eq!(services(&config(text))[&ServiceType::Compute].interface, Some(wanted), "{text}");
        }
    }

    #[test]
    fn a_log_in_is_for_a_project_a_domain_a_trust_or_everything() {
        for (text, wanted) in [
            ("", Scope::Unscoped),
            ("project_id = p", Scope::Project(Named::Id("p".into()))),
            ("domain_name = D", Scope::Domain(DomainRef::Name("D".into()))),
            ("domain_id = d", Scope::Domain(DomainRef::Id("d".into()))),
            ("trust_id = t", Scope::Trust("t".into())),
            ("system_scope = all", Scope::System),
        ] {
            let set = config(&format!("[keystone_auth]\n{text}"));
            assert_eq!(scope(&set, "keystone_auth"), wanted, "{text}");
        }
    }
}
