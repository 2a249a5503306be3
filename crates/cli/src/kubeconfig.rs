//! A way into a cluster: a key that is made here, a certificate that the service signs, a kubeconfig of both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::Failure;
use crate::client::Api;

/// The way into one cluster.
#[derive(Debug)]
pub(crate) struct Access {
    /// The cluster's name, or its id where it has none.
    pub(crate) name: String,
    /// `https://host:port`.
    pub(crate) server: String,
    /// Who signed the server's certificate, PEM.
    pub(crate) authority: String,
    /// Our certificate, PEM.
    pub(crate) certificate: String,
    /// Our key, PEM.
    pub(crate) key: SecretString,
}

#[derive(Deserialize)]
struct Cluster {
    uuid: String,
    name: Option<String>,
    api_address: Option<String>,
}

#[derive(Deserialize)]
struct Certificate {
    pem: String,
}

impl Access {
    /// Makes a key and has its certificate signed.
    pub(crate) async fn request(api: &Api, cluster: &str) -> Result<Self, Failure> {
        let found: Cluster = api.get(&["clusters", cluster]).await?;
        let name = found.name.unwrap_or_else(|| found.uuid.clone());
        let Some(server) = found.api_address.filter(|address| !address.is_empty()) else {
            return Err(Failure::new(format!("cluster {name} has no address yet"))
                .hint(format!("wait for it with: jeroboam cluster wait {name}")));
        };
        let authority: Certificate = api.get(&["certificates", &found.uuid]).await?;
        let (key, csr) = administrator().map_err(|error| Failure::new(format!("make a key: {error}")))?;
        let body = json!({"cluster_uuid": found.uuid, "csr": csr});
        let signed = api.post(&["certificates"], body).await?;
        let Some(certificate) = signed["pem"].as_str() else {
            return Err(Failure::new("the service signed no certificate"));
        };
        Ok(Self { name, server, authority: authority.pem, certificate: certificate.to_owned(), key })
    }

    /// The kubeconfig. Every text is written as JSON, which is YAML.
    pub(crate) fn kubeconfig(&self) -> SecretString {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (name, server) = (quoted(&self.name), quoted(&self.server));
        let encoded = |pem: &str| STANDARD.encode(format!("{}\n", pem.trim_end()));
        let (authority, certificate) = (encoded(&self.authority), encoded(&self.certificate));
        let key = encoded(self.key.expose_secret());
        SecretString::from(format!(
            "apiVersion: v1\nkind: Config\n\
             clusters:\n- name: {name}\n  cluster:\n    server: {server}\n    certificate-authority-data: {authority}\n\
             contexts:\n- name: {name}\n  context:\n    cluster: {name}\n    user: admin\n\
             current-context: {name}\npreferences: {{}}\n\
             users:\n- name: admin\n  user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n"
        ))
    }
}

/// A key of the kind that every Kubernetes takes, and the request for an administrator's certificate.
fn administrator() -> Result<(SecretString, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "admin");
    name.push(DnType::OrganizationName, "system:masters");
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = name;
    let csr = params.serialize_request(&key)?.pem()?;
    Ok((SecretString::from(key.serialize_pem()), csr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_holds_what_kubectl_looks_for() {
        let access = Access {
            name: "a \"b\"".to_owned(),
            server: "https://192.0.2.1:6443".to_owned(),
            authority: "CA".to_owned(),
            certificate: "CERT\n".to_owned(),
            key: SecretString::from("KEY"),
        };
        let text = access.kubeconfig();
        let read: serde_json::Value = serde_saphyr::from_str(text.expose_secret()).expect("YAML");
        assert_eq!(read["current-context"], "a \"b\"");
        assert_eq!(read["contexts"][0]["context"], json!({"cluster": "a \"b\"", "user": "admin"}));
        assert_eq!(
            read["clusters"][0]["cluster"],
            json!({"server": "https://192.0.2.1:6443", "certificate-authority-data": STANDARD.encode("CA\n")})
        );
        assert_eq!(read["users"][0]["user"]["client-key-data"], json!(STANDARD.encode("KEY\n")));
    }

    #[test]
    fn every_request_is_for_a_new_key() {
        let (first, csr) = administrator().expect("a key");
        let (second, _) = administrator().expect("a key");
        assert_ne!(first.expose_secret(), second.expose_secret());
        assert!(csr.starts_with("-----BEGIN CERTIFICATE REQUEST-----"), "{csr}");
    }
}
