//! The files through which the pretend cloud, the service and clients find each other.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jeroboam_openstack::clouds::CloudConfig;
use jeroboam_openstack::{Auth, DomainRef, Named, Scope};
use jeroboam_sandbox::Sandbox;
use secrecy::{ExposeSecret, SecretString};

/// A cloud to serve: how to log in to it and where its management cluster is.
pub(super) struct Cloud {
    pub(super) auth_url: String,
    pub(super) region: Option<String>,
    /// Options of keystoneauth, as `[keystone_auth]` has them.
    login: Vec<(String, SecretString)>,
    pub(super) kubeconfig_text: Option<SecretString>,
    pub(super) kubeconfig_path: Option<PathBuf>,
    /// Whether this is the sandbox, whose people we may name in a clouds.yaml.
    pub(super) pretend: bool,
    password: Option<SecretString>,
}

impl Cloud {
    /// The pretend cloud: the service is its user `magnum`.
    pub(super) fn of(sandbox: &Sandbox) -> Self {
        let password = sandbox.password.clone();
        let mut login = password_login("magnum", "service");
        login.push(("password".to_owned(), password.clone()));
        Self {
            auth_url: sandbox.identity_url.clone(),
            region: Some(jeroboam_sandbox::cloud::REGION.to_owned()),
            login,
            kubeconfig_text: Some(sandbox.kubeconfig.clone()),
            kubeconfig_path: None,
            pretend: true,
            password: Some(password),
        }
    }

    /// Somebody's real cloud; `None` when its credentials are none that the service could use again and again.
    pub(super) fn real(cloud: &CloudConfig) -> Option<Self> {
        let plain = |name: &str, value: &str| (name.to_owned(), SecretString::from(value.to_owned()));
        let login = match &cloud.auth {
            Auth::Password { user, password, scope } => {
                let mut login = vec![plain("auth_type", "password"), ("password".to_owned(), password.clone())];
                named(&mut login, "user", user);
                if let Scope::Project(project) = scope {
                    named(&mut login, "project", project);
                }
                login
            }
            Auth::ApplicationCredential { id, secret } => vec![
                plain("auth_type", "v3applicationcredential"),
                plain("application_credential_id", id),
                ("application_credential_secret".to_owned(), secret.clone()),
            ],
            _ => return None,
        };
        Some(Self {
            auth_url: cloud.auth_url.clone(),
            region: cloud.region.clone(),
            login,
            kubeconfig_text: None,
            kubeconfig_path: None,
            pretend: false,
            password: None,
        })
    }

    /// What the people of the pretend cloud log in with.
    pub(super) fn password(&self) -> Option<&SecretString> {
        self.password.as_ref()
    }

    fn login(&self) -> String {
        let mut text = format!("auth_url = {}\n", self.auth_url);
        if let Some(region) = &self.region {
            let _ = writeln!(text, "region_name = {region}");
        }
        for (name, value) in &self.login {
            // Magnum: oslo.config replaces $name in values.
            let _ = writeln!(text, "{name} = {}", value.expose_secret().replace('$', "$$"));
        }
        text
    }
}

fn password_login(user: &str, project: &str) -> Vec<(String, SecretString)> {
    let options = [
        ("auth_type", "password"),
        ("username", user),
        ("user_domain_name", "Default"),
        ("project_name", project),
        ("project_domain_name", "Default"),
    ];
    options.map(|(name, value)| (name.to_owned(), SecretString::from(value))).to_vec()
}

fn named(login: &mut Vec<(String, SecretString)>, what: &str, named: &Named) {
    let mut push = |name: String, value: &str| login.push((name, SecretString::from(value.to_owned())));
    match named {
        Named::Id(id) => push(format!("{what}_id"), id),
        Named::Name { name, domain } => {
            push(if what == "user" { "username".to_owned() } else { format!("{what}_name") }, name);
            match domain {
                DomainRef::Id(id) => push(format!("{what}_domain_id"), id),
                DomainRef::Name(name) => push(format!("{what}_domain_name"), name),
            }
        }
    }
}

/// Where things were written.
pub(super) struct Written {
    pub(super) config: PathBuf,
    pub(super) clouds: PathBuf,
}

/// Writes kubeconfig and clouds.yaml, and magnum.conf last: who waits for that finds everything.
pub(super) fn write(dir: &Path, cloud: &Cloud, api_port: u16) -> Result<Written> {
    let written = Written { config: dir.join("magnum.conf"), clouds: dir.join("clouds.yaml") };
    let kubeconfig = match (&cloud.kubeconfig_path, &cloud.kubeconfig_text) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(text)) => {
            let path = dir.join("kubeconfig");
            write_private(&path, text.expose_secret())?;
            Some(path)
        }
        (None, None) => None,
    };
    if let Some(password) = cloud.password() {
        write_private(&written.clouds, &clouds_yaml(cloud, password))?;
    }
    let kubeconfig = kubeconfig.map(|path| format!("kubeconfig = {}\n", path.display())).unwrap_or_default();
    let config = format!(
        "# Written by jeroboam; it is written again at every start.\n[DEFAULT]\nstate_path = {dir}\n\n\
         [api]\nport = {api_port}\n\n[database]\nconnection = sqlite:///{dir}/magnum.sqlite\n\n\
         [keystone_authtoken]\nwww_authenticate_uri = {url}\n{login}\n[keystone_auth]\n{login}\n\
         [certificates]\ncert_manager_type = x509keypair\n\n\
         [cluster_template]\nkubernetes_allowed_network_drivers = all\n\n[jeroboam_management]\n{kubeconfig}",
        dir = dir.display(),
        url = cloud.auth_url,
        login = cloud.login(),
    );
    write_private(&written.config, &config)?;
    Ok(written)
}

fn clouds_yaml(cloud: &Cloud, password: &SecretString) -> String {
    let mut text = "# Written by jeroboam; it is written again at every start.\nclouds:\n".to_owned();
    for (name, user, project) in [("jeroboam-dev", "demo", "demo"), ("jeroboam-dev-admin", "admin", "admin")] {
        let _ = write!(
            text,
            "  {name}:\n    auth:\n      auth_url: {url}\n      username: {user}\n      password: {password}\n      \
             project_name: {project}\n      user_domain_name: Default\n      project_domain_name: Default\n    \
             region_name: {region}\n    identity_api_version: 3\n",
            url = cloud.auth_url,
            password = password.expose_secret(),
            region = cloud.region.as_deref().unwrap_or_default(),
        );
    }
    text
}

/// Copies a private file so that it is there whole or not at all.
pub(super) fn copy_atomically(from: &Path, to: &Path) -> Result<PathBuf> {
    let text = std::fs::read_to_string(from).with_context(|| format!("read {}", from.display()))?;
    write_private(to, &text)?;
    Ok(to.to_owned())
}

/// Writes a file that only its user may read, whole or not at all.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let what = || format!("write {}", path.display());
    std::fs::remove_file(&draft).ok();
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).with_context(what)?;
    file.write_all(text.as_bytes()).with_context(what)?;
    std::fs::rename(&draft, path).with_context(what)
}
