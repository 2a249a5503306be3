//! Writes the `clouds.yaml` that others log in with.

use secrecy::{ExposeSecret, SecretString};

use crate::Interface;

/// A cloud that is entered with an application credential.
#[derive(Clone, Debug)]
pub struct ApplicationCredentialCloud<'a> {
    /// The name in `clouds`; Cluster API's identity secret calls it `default`.
    pub name: &'a str,
    /// Keystone as the reader reaches it.
    pub auth_url: &'a str,
    /// The region.
    pub region: Option<&'a str>,
    /// Which endpoints to use.
    pub interface: Interface,
    /// Whether certificates are checked.
    pub verify: bool,
    /// The credential.
    pub id: &'a str,
    /// Its secret.
    pub secret: &'a SecretString,
}

/// The file. Every text is quoted: an id of digits alone must not be read as a number.
#[must_use]
pub fn application_credential_clouds_yaml(cloud: &ApplicationCredentialCloud<'_>) -> SecretString {
    let region = cloud.region.map(|region| format!("    region_name: {}\n", quoted(region))).unwrap_or_default();
    let yaml = format!(
        "clouds:\n  {name}:\n    auth_type: v3applicationcredential\n    auth:\n      auth_url: {auth_url}\n      \
         application_credential_id: {id}\n      application_credential_secret: {secret}\n{region}    \
         interface: {interface}\n    identity_api_version: 3\n    verify: {verify}\n",
        name = quoted(cloud.name),
        auth_url = quoted(cloud.auth_url),
        id = quoted(cloud.id),
        secret = quoted(cloud.secret.expose_secret()),
        interface = quoted(cloud.interface.as_str()),
        verify = cloud.verify,
    );
    SecretString::from(yaml)
}

/// JSON's quotes are YAML's double quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
