//! The parameters of distribution's Swift driver, and those that the fork in OpenShift added, as settings of ours.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jeroboam_openstack::object_store::{LegacyAccess, V2Scope};
use jeroboam_openstack::{
    Auth, DomainRef, Interface, Named, Scope, ServiceType, SessionConfig, TransportConfig, clouds,
};
use secrecy::SecretString;

use super::{LargeObject, SwiftAccess, SwiftConfig};

/// What of the parameters can not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadParameters {
    /// One that has to be there is not.
    #[error("swift has no {0}")]
    Missing(&'static str),
    /// One has a value that nobody understands.
    #[error("{name} of swift is not {wanted}")]
    Unreadable {
        /// Its name.
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// The cloud that is named, or that the environment describes.
    #[error("{0}")]
    Cloud(String),
    /// Some that have no place beside a cloud, by their names.
    #[error("swift cannot have {0} beside a cloud: let the cloud say it, or set authurl and all that belongs to it")]
    BesideCloud(String),
}

/// The parameters by their names in lower case, without a thought of what they mean.
struct Given<'a>(BTreeMap<String, &'a str>);

impl Given<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    fn required(&self, name: &'static str) -> Result<String, BadParameters> {
        self.text(name).ok_or(BadParameters::Missing(name))
    }

    fn truth(&self, name: &'static str) -> Result<Option<bool>, BadParameters> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "t" => Ok(Some(true)),
            "false" | "no" | "off" | "0" | "f" => Ok(Some(false)),
            _ => Err(BadParameters::Unreadable { name, wanted: "true or false" }),
        }
    }

    fn seconds(&self, name: &'static str) -> Result<Option<Duration>, BadParameters> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let seconds = text.parse().map_err(|_| BadParameters::Unreadable { name, wanted: "a number of seconds" })?;
        Ok(Some(Duration::from_secs(seconds)))
    }

    fn domain(&self, name: &str, id: &str) -> Option<DomainRef> {
        self.text(id).map(DomainRef::Id).or_else(|| self.text(name).map(DomainRef::Name))
    }
}

/// Every parameter that means something. `chunksize` and what belongs to a key of the account are read by distribution alone.
pub(crate) const KNOWN: &[&str] = &[
    "accesskey",
    "applicationcredentialid",
    "applicationcredentialname",
    "applicationcredentialsecret",
    "authurl",
    "authversion",
    "cacert",
    "chunksize",
    "cloud",
    "container",
    "createcontainer",
    "domain",
    "domainid",
    "endpointtype",
    "insecureskipverify",
    "largeobject",
    "password",
    "prefix",
    "region",
    "rootdirectory",
    "secretkey",
    "storageurl",
    "tempurlcontainerkey",
    "tempurlmethods",
    "tempurlrotateafter",
    "tenant",
    "tenantdomain",
    "tenantdomainid",
    "tenantid",
    "tokenid",
    "trustid",
    "username",
];

impl SwiftConfig {
    /// The settings that distribution's `storage: swift:` describes, and the names in it that nobody knows. Names count in any case.
    ///
    /// Without an `authurl` it is `lookup` that says how to get in: `cloud` of a `clouds.yaml`, or the `OS_*` variables. User, project, region and endpoint
    /// that are set count before the cloud's.
    pub fn from_parameters(
        parameters: &BTreeMap<String, String>,
        lookup: &clouds::Lookup,
    ) -> Result<(Self, Vec<String>), BadParameters> {
        let lower = |(name, value): (&String, &'_ String)| (name.to_lowercase(), value.clone());
        let owned: BTreeMap<String, String> = parameters.iter().map(lower).collect();
        let given = Given(owned.iter().map(|(name, value)| (name.clone(), value.as_str())).collect());
        let unknown =
            parameters.keys().filter(|name| !KNOWN.contains(&name.to_lowercase().as_str())).cloned().collect();
        let transport = transport(&given)?;
        let access = match given.text("authurl") {
            Some(url) => access(&given, url, transport)?,
            None => from_cloud(&given, lookup, transport)?,
        };
        let mut config = Self::new(access, given.required("container")?);
        config.prefix = given.text("prefix").unwrap_or_default();
        config.create_container = given.truth("createcontainer")?.unwrap_or(true);
        config.large_object = match given.text("largeobject").as_deref() {
            None | Some("auto") => LargeObject::Auto,
            Some("dlo") => LargeObject::Dynamic,
            Some("slo") => LargeObject::Static,
            Some(_) => return Err(BadParameters::Unreadable { name: "largeobject", wanted: "auto, dlo or slo" }),
        };
        config.temp_url.enabled = true;
        // Whether it is the container's or the account's, somebody else looks after it.
        config.temp_url.key = given.secret("secretkey");
        if let Some(methods) = given.text("tempurlmethods") {
            config.temp_url.enabled = methods.to_ascii_uppercase().contains("GET");
        }
        config.temp_url.rotate_after = given.seconds("tempurlrotateafter")?;
        Ok((config, unknown))
    }
}

fn transport(given: &Given<'_>) -> Result<TransportConfig, BadParameters> {
    let insecure = given.truth("insecureskipverify")?.unwrap_or(false);
    let cacert = given.text("cacert").map(PathBuf::from).filter(|_| !insecure);
    Ok(TransportConfig { insecure, cacert, ..TransportConfig::default() })
}

fn interface(given: &Given<'_>) -> Result<Interface, BadParameters> {
    let Some(text) = given.text("endpointtype") else { return Ok(Interface::Public) };
    text.parse().map_err(|_| BadParameters::Unreadable { name: "endpointtype", wanted: "public, internal or admin" })
}

/// Distribution guesses the version from the address where it is not told.
fn version(given: &Given<'_>, url: &str) -> Result<u8, BadParameters> {
    let wrong = BadParameters::Unreadable { name: "authversion", wanted: "1, 2 or 3" };
    match given.text("authversion").as_deref() {
        Some("1") => Ok(1),
        Some("2") => Ok(2),
        Some("3") => Ok(3),
        None | Some("0") if url.contains("v3") => Ok(3),
        None | Some("0") if url.contains("v2") => Ok(2),
        None | Some("0") if url.contains("v1") => Ok(1),
        None | Some("0") => Ok(3),
        Some(_) => Err(wrong),
    }
}

fn access(given: &Given<'_>, url: String, transport: TransportConfig) -> Result<SwiftAccess, BadParameters> {
    match version(given, &url)? {
        3 => {
            // Old guides print the address of the tokens themselves.
            let url = url.trim_end_matches('/');
            let url = url.strip_suffix("/tokens").unwrap_or(url);
            let url = url.strip_suffix("/auth").unwrap_or(url);
            let mut session = SessionConfig::new(url, auth(given)?);
            session.region = given.text("region");
            session.interface = interface(given)?;
            session.transport = transport;
            if let Some(url) = given.text("storageurl") {
                session.endpoint_overrides.insert(ServiceType::ObjectStore, url);
            }
            Ok(SwiftAccess::Keystone(Box::new(session)))
        }
        other => {
            let user = given.required("username")?;
            let key = given.secret("password").ok_or(BadParameters::Missing("password"))?;
            let v2 = (other == 2).then_some(V2Scope {
                tenant: given.text("tenant"),
                tenant_id: given.text("tenantid"),
                region: given.text("region"),
                interface: interface(given)?,
            });
            Ok(SwiftAccess::Legacy(LegacyAccess { auth_url: url, user, key, v2 }))
        }
    }
}

fn auth(given: &Given<'_>) -> Result<Auth, BadParameters> {
    if let Some(secret) = given.secret("applicationcredentialsecret") {
        return Ok(match given.text("applicationcredentialid") {
            Some(id) => Auth::ApplicationCredential { id, secret },
            None => {
                let name = given.required("applicationcredentialname")?;
                Auth::ApplicationCredentialName { name, user: user(given)?, secret }
            }
        });
    }
    if let Some(token) = given.secret("tokenid") {
        return Ok(Auth::Token { token, scope: scope(given) });
    }
    let password = given.secret("password").ok_or(BadParameters::Missing("password"))?;
    Ok(Auth::Password { user: user(given)?, password, scope: scope(given) })
}

fn user(given: &Given<'_>) -> Result<Named, BadParameters> {
    let domain = given.domain("domain", "domainid").unwrap_or_default();
    Ok(Named::Name { name: given.required("username")?, domain })
}

/// A trust is its own scope; a tenant by name is in its own domain, else in the user's, else in the first one.
fn scope(given: &Given<'_>) -> Scope {
    scope_if_any(given, DomainRef::default()).unwrap_or_default()
}

fn scope_if_any(given: &Given<'_>, otherwise: DomainRef) -> Option<Scope> {
    if let Some(trust) = given.text("trustid") {
        return Some(Scope::Trust(trust));
    }
    if let Some(id) = given.text("tenantid") {
        return Some(Scope::Project(Named::Id(id)));
    }
    let name = given.text("tenant")?;
    let own = given.domain("tenantdomain", "tenantdomainid");
    let domain = own.or_else(|| given.domain("domain", "domainid")).unwrap_or(otherwise);
    Some(Scope::Project(Named::Name { name, domain }))
}

fn from_cloud(
    given: &Given<'_>,
    lookup: &clouds::Lookup,
    transport: TransportConfig,
) -> Result<SwiftAccess, BadParameters> {
    let mut lookup = lookup.clone();
    lookup.cloud = given.text("cloud").or(lookup.cloud);
    lookup.region = given.text("region").or(lookup.region);
    let cloud = clouds::resolve(&lookup).map_err(|error| BadParameters::Cloud(error.to_string()))?;
    let mut session = cloud.session_config();
    let misplaced = without_place(given, &session.auth);
    if !misplaced.is_empty() {
        return Err(BadParameters::BesideCloud(misplaced.join(", ")));
    }
    session.auth = over_cloud(given, session.auth);
    if let Some(url) = given.text("storageurl") {
        session.endpoint_overrides.insert(ServiceType::ObjectStore, url);
    }
    if given.text("endpointtype").is_some() {
        session.interface = interface(given)?;
    }
    session.transport.insecure |= transport.insecure;
    session.transport.cacert = transport.cacert.or(session.transport.cacert);
    Ok(SwiftAccess::Keystone(Box::new(session)))
}

const DOMAIN: [&str; 2] = ["domain", "domainid"];
const TENANT_DOMAIN: [&str; 2] = ["tenantdomain", "tenantdomainid"];

/// What is set and has no place beside a cloud that is entered so: nobody is to be let in as somebody else, or elsewhere, than what is set says.
fn without_place(given: &Given<'_>, auth: &Auth) -> Vec<&'static str> {
    let is_set = |name: &&str| given.text(name).is_some();
    // Another way in than the cloud's.
    let mut names =
        vec!["applicationcredentialid", "applicationcredentialname", "applicationcredentialsecret", "tokenid"];
    if matches!(given.text("authversion").as_deref(), Some("1" | "2")) {
        names.push("authversion");
    }
    match auth {
        Auth::Password { user: Named::Id(_), .. } if !is_set(&"username") => names.extend(DOMAIN),
        Auth::Password { .. } => {}
        Auth::Token { .. } => names.extend(["username", "password", "domain", "domainid"]),
        // Its user and its project cannot be others.
        Auth::ApplicationCredential { .. } | Auth::ApplicationCredentialName { .. } => {
            names.extend(["username", "password", "domain", "domainid", "tenant", "tenantid", "trustid"]);
            names.extend(TENANT_DOMAIN);
        }
    }
    if !["tenant", "tenantid", "trustid"].iter().any(is_set) {
        names.extend(TENANT_DOMAIN);
    }
    names.retain(is_set);
    names.sort_unstable();
    names.dedup();
    names
}

/// Lays the user and the project that are set over the cloud's.
fn over_cloud(given: &Given<'_>, auth: Auth) -> Auth {
    match auth {
        Auth::Password { user, password, scope } => {
            let user = user_over(given, user);
            let scope = scope_over(given, scope, domain_of(&user));
            Auth::Password { user, password: given.secret("password").unwrap_or(password), scope }
        }
        Auth::Token { token, scope } => Auth::Token { token, scope: scope_over(given, scope, None) },
        credential => credential,
    }
}

fn user_over(given: &Given<'_>, user: Named) -> Named {
    let own = given.domain("domain", "domainid");
    match (given.text("username"), user) {
        (None, Named::Id(id)) => Named::Id(id),
        (None, Named::Name { name, domain }) => Named::Name { name, domain: own.unwrap_or(domain) },
        (Some(name), Named::Name { domain, .. }) => Named::Name { name, domain: own.unwrap_or(domain) },
        (Some(name), Named::Id(_)) => Named::Name { name, domain: own.unwrap_or_default() },
    }
}

/// A tenant by name of which no domain is set is in that of the cloud's project, else in the user's.
fn scope_over(given: &Given<'_>, scope: Scope, of_user: Option<DomainRef>) -> Scope {
    let of_project = match &scope {
        Scope::Project(project) => domain_of(project),
        Scope::Unscoped | Scope::Domain(_) | Scope::System | Scope::Trust(_) => None,
    };
    scope_if_any(given, of_project.or(of_user).unwrap_or_default()).unwrap_or(scope)
}

fn domain_of(named: &Named) -> Option<DomainRef> {
    match named {
        Named::Name { domain, .. } => Some(domain.clone()),
        Named::Id(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    /// With a cloud of the environment.
    fn beside(cloud: &[(&str, &str)], pairs: &[(&str, &str)]) -> Result<SessionConfig, BadParameters> {
        let owned = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut env = owned(cloud);
        env.insert("OS_AUTH_URL".to_owned(), "http://k/v3".to_owned());
        let mut parameters = owned(pairs);
        parameters.insert("container".to_owned(), "c".to_owned());
        let lookup = clouds::Lookup { env, ..clouds::Lookup::default() };
        SwiftConfig::from_parameters(&parameters, &lookup).map(|(config, _)| session(config))
    }

    const PASSWORD: [(&str, &str); 5] = [
        ("OS_USERNAME", "u"),
        ("OS_PASSWORD", "p"),
        ("OS_USER_DOMAIN_NAME", "People"),
        ("OS_PROJECT_NAME", "prod"),
        ("OS_PROJECT_DOMAIN_NAME", "Projects"),
    ];

    #[test]
    fn what_is_set_counts_before_the_cloud() {
        let named = |name: &str, domain: &str| Named::Name {
            name: name.to_owned(),
            domain: DomainRef::Name(domain.to_owned()),
        };
        let own = Scope::Project(named("prod", "Projects"));
        for (pairs, wanted_user, wanted_password, wanted_scope) in [
            (vec![], named("u", "People"), "p", own.clone()),
            (vec![("tenantid", "x")], named("u", "People"), "p", Scope::Project(Named::Id("x".into()))),
            (vec![("tenant", "x")], named("u", "People"), "p", Scope::Project(named("x", "Projects"))),
            (vec![("tenant", "x"), ("tenantdomain", "Y")], named("u", "People"), "p", Scope::Project(named("x", "Y"))),
            (vec![("trustid", "t"), ("authversion", "3")], named("u", "People"), "p", Scope::Trust("t".into())),
            (vec![("password", "q")], named("u", "People"), "q", own.clone()),
            (vec![("username", "v"), ("password", "q")], named("v", "People"), "q", own.clone()),
            (vec![("username", "v"), ("domain", "Robots")], named("v", "Robots"), "p", own.clone()),
        ] {
            let Auth::Password { user, password, scope } = beside(&PASSWORD, &pairs).unwrap().auth else {
                panic!("a password")
            };
            assert_eq!((user, scope), (wanted_user, wanted_scope), "{pairs:?}");
            assert_eq!(password.expose_secret(), wanted_password, "{pairs:?}");
        }
        let session = beside(&PASSWORD, &[("region", "r"), ("storageurl", "http://swift/v1/AUTH_x")]).unwrap();
        assert_eq!(session.region.as_deref(), Some("r"));
        assert_eq!(session.endpoint_overrides[&ServiceType::ObjectStore], "http://swift/v1/AUTH_x");
        let token = beside(&[("OS_TOKEN", "t")], &[("tenantid", "x")]).unwrap().auth;
        let project = Scope::Project(Named::Id("x".into()));
        assert!(matches!(token, Auth::Token { scope, .. } if scope == project));
    }

    #[test]
    fn what_has_no_place_beside_a_cloud_is_named() {
        let credential = [("OS_APPLICATION_CREDENTIAL_ID", "i"), ("OS_APPLICATION_CREDENTIAL_SECRET", "s")];
        let by_id = [("OS_USER_ID", "i"), ("OS_PASSWORD", "p")];
        for (cloud, pairs, wanted) in [
            (&PASSWORD[..], vec![("tokenid", "t"), ("tenant", "x")], "tokenid"),
            (
                &PASSWORD[..],
                vec![("applicationcredentialid", "i"), ("applicationcredentialsecret", "s")],
                "applicationcredentialid, applicationcredentialsecret",
            ),
            (&PASSWORD[..], vec![("tenantdomain", "x")], "tenantdomain"),
            (&PASSWORD[..], vec![("authversion", "2")], "authversion"),
            (&credential[..], vec![("tenantid", "x"), ("password", "q"), ("region", "r")], "password, tenantid"),
            (&credential[..], vec![("tenantdomain", "x")], "tenantdomain"),
            (&by_id[..], vec![("domain", "x")], "domain"),
            (&[("OS_TOKEN", "t")][..], vec![("username", "v")], "username"),
        ] {
            let error = beside(cloud, &pairs).map(|_| ()).unwrap_err();
            assert_eq!(error, BadParameters::BesideCloud(wanted.to_owned()), "{pairs:?}");
        }
        let both = beside(&by_id, &[("username", "v"), ("domain", "x")]).unwrap().auth;
        assert!(matches!(both, Auth::Password { user: Named::Name { name, .. }, .. } if name == "v"));
    }

    fn read(pairs: &[(&str, &str)]) -> Result<(SwiftConfig, Vec<String>), BadParameters> {
        let parameters = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        SwiftConfig::from_parameters(&parameters, &clouds::Lookup::default())
    }

    fn session(config: SwiftConfig) -> SessionConfig {
        match config.access {
            SwiftAccess::Keystone(session) => *session,
            SwiftAccess::Legacy(_) => panic!("Keystone is meant"),
        }
    }

    #[test]
    fn magnums_settings_are_a_trust_in_the_trustees_domain() {
        let (config, unknown) = read(&[
            ("authurl", "http://keystone:5000/v3"),
            ("region", "RegionOne"),
            ("username", "trustee"),
            ("password", "secret"),
            ("domainid", "d1"),
            ("trustid", "t1"),
            ("container", "docker_registry"),
            ("insecureskipverify", "true"),
            ("chunksize", "5242880"),
        ])
        .unwrap();
        assert_eq!((config.container.as_str(), unknown), ("docker_registry", vec![]));
        let session = session(config);
        assert!(session.transport.insecure);
        assert_eq!(session.region.as_deref(), Some("RegionOne"));
        let Auth::Password { user, scope, .. } = session.auth else { panic!("a password") };
        assert_eq!(scope, Scope::Trust("t1".into()));
        assert_eq!(user, Named::Name { name: "trustee".into(), domain: DomainRef::Id("d1".into()) });
    }

    #[test]
    fn tutors_settings_are_a_password_in_a_project() {
        let (config, _) = read(&[
            ("authurl", "http://keystone:5000/v3"),
            ("authversion", "3"),
            ("username", "alice"),
            ("domain", "Default"),
            ("password", "secret"),
            ("container", "docker_registry"),
            ("tenant", "proj"),
            ("tenantdomain", "Other"),
            ("region", "RegionOne"),
        ])
        .unwrap();
        let Auth::Password { scope, .. } = session(config).auth else { panic!("a password") };
        let project = Named::Name { name: "proj".into(), domain: DomainRef::Name("Other".into()) };
        assert_eq!(scope, Scope::Project(project));
    }

    #[test]
    fn an_application_credential_needs_no_user() {
        let (config, unknown) = read(&[
            ("AuthURL", "http://keystone:5000/v3/auth"),
            ("ApplicationCredentialID", "a"),
            ("applicationcredentialsecret", "s"),
            ("container", "c"),
            ("rootdir", "x"),
        ])
        .unwrap();
        let session = session(config);
        assert_eq!((session.auth_url.as_str(), unknown), ("http://keystone:5000/v3", vec!["rootdir".to_owned()]));
        assert!(matches!(session.auth, Auth::ApplicationCredential { id, .. } if id == "a"));
    }

    #[test]
    fn the_version_is_guessed_from_the_address() {
        for (url, is_v1) in [("http://swift/auth/v1.0", true), ("http://keystone:5000", false)] {
            let read = read(&[("authurl", url), ("username", "test:tester"), ("password", "p"), ("container", "c")]);
            assert_eq!(matches!(read.unwrap().0.access, SwiftAccess::Legacy(_)), is_v1, "{url}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (pairs, wanted) in [
            (vec![("authurl", "http://k/v3"), ("username", "u")], "swift has no password"),
            (vec![("authurl", "http://k/v3"), ("username", "u"), ("password", "p")], "swift has no container"),
            (vec![("authurl", "http://k/v9"), ("authversion", "9")], "authversion of swift is not 1, 2 or 3"),
            (
                vec![
                    ("authurl", "http://k/v3"),
                    ("username", "u"),
                    ("password", "p"),
                    ("container", "c"),
                    ("tempurlrotateafter", "7d"),
                ],
                "tempurlrotateafter of swift is not a number of seconds",
            ),
            (
                vec![("container", "c")],
                "no cloud is configured: set OS_CLOUD and write a clouds.yaml, or set OS_AUTH_URL and its companions",
            ),
        ] {
            assert_eq!(read(&pairs).unwrap_err().to_string(), wanted);
        }
    }
}
