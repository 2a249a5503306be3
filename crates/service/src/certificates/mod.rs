//! Certificates of clusters: made with the cluster, shown, and signed for whoever brings a request.

mod csr;
mod der;
mod issue;
mod keys;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod properties;
mod rotate;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jeroboam_certificates::{Certificate, Error as StoreError, ErrorKind};
use jeroboam_model::{Caller, CertificateRef, Cluster};

use crate::policy::Target;
use crate::{CaCertificate, Error, Service, SignRequest, SignedCertificate};

pub(crate) use issue::{ClusterCertificates, for_cluster};

const ONE_DAY: Duration = Duration::from_secs(86_400);

/// What is made and what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRules {
    /// Size of new RSA keys.
    pub key_bits: u32,
    /// How long certificates hold, in days.
    pub validity_days: u64,
    /// Whether clients may ask for authorities.
    pub allow_ca: bool,
    /// Extensions that requests may bring, by name.
    pub extensions: Vec<String>,
    /// Key usages that requests may bring, by name.
    pub key_usages: Vec<String>,
}

impl Default for SigningRules {
    fn default() -> Self {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            key_bits: 2048,
            validity_days: 1825,
            allow_ca: false,
            extensions: named(&[
                "keyUsage",
                "extendedKeyUsage",
                "subjectAltName",
                "basicConstraints",
                "subjectKeyIdentifier",
            ]),
            key_usages: named(&["Digital Signature", "Key Encipherment", "Non Repudiation"]),
        }
    }
}

/// Certificates.
#[derive(Clone, Copy, Debug)]
pub struct Certificates<'a>(pub(crate) &'a Service);

impl Certificates<'_> {
    /// `GET /v1/certificates/{cluster}?ca_cert_type=`.
    pub async fn authority(&self, caller: &Caller, cluster: &str, kind: Option<&str>) -> Result<CaCertificate, Error> {
        let found = self.0.find_cluster(caller, cluster).await?.cluster;
        self.0.enforce(caller, "certificate:get", &Target::cluster(&found))?;
        let pair = self.0.authority_of(&found, kind).await?;
        Ok(CaCertificate { cluster: found.id, pem: pair.certificate.trim().to_owned() })
    }

    /// `POST /v1/certificates`.
    pub async fn sign(&self, caller: &Caller, request: SignRequest) -> Result<SignedCertificate, Error> {
        let found = self.0.find_cluster(caller, &request.cluster).await.map_err(|error| match error {
            // Magnum: the cluster is part of the body here, so a wrong one is a bad body.
            Error::NoCluster(_) => Error::BadRequest(error.to_string()),
            other => other,
        })?;
        let cluster = found.cluster;
        self.0.enforce(caller, "certificate:create", &Target::cluster(&cluster))?;
        let pair = self.0.authority_of(&cluster, request.ca_cert_type.as_deref()).await?;
        let (csr, rules, now) = (request.csr.clone(), self.0.inner.settings.signing.clone(), self.0.now());
        let signed = tokio::task::spawn_blocking(move || {
            let key = keys::open(&pair.private_key, &pair.passphrase);
            let key = key.map_err(|error| Error::internal("open the key of an authority", error))?;
            csr::sign(&csr, &csr::Issuer { certificate: &pair.certificate, key: &key }, &rules, now)
        });
        let pem = signed.await.map_err(|error| Error::internal("sign a certificate", error))??;
        tracing::info!(cluster.id = %cluster.id, user.id = %caller.user, "signed a certificate");
        Ok(SignedCertificate { cluster: cluster.id, csr: request.csr, pem, ca_cert_type: request.ca_cert_type })
    }
}

impl Service {
    async fn authority_of(&self, cluster: &Cluster, kind: Option<&str>) -> Result<Certificate, Error> {
        let (reference, name) = chosen(cluster, kind);
        let missing = || Error::NoCertificate(cluster.title(), name);
        let found = self.kept_certificates.read(reference.ok_or_else(missing)?).await;
        found.map_err(|error| from_certificates("read a certificate", error))?.ok_or_else(missing)
    }
}

/// What the caller is told of a store of certificates that does not do what it should.
pub(crate) fn from_certificates(doing: &'static str, error: StoreError) -> Error {
    match error.kind() {
        ErrorKind::Away => Error::Unavailable { what: error.place(), source: error.into() },
        ErrorKind::Broken => Error::internal(doing, error),
    }
}

/// The authority that is meant. Magnum: every unknown word is the Kubernetes one.
fn chosen<'a>(cluster: &'a Cluster, kind: Option<&str>) -> (Option<&'a CertificateRef>, &'static str) {
    let refs = &cluster.certificates;
    match kind {
        Some("etcd") => (refs.etcd_ca.as_ref(), "etcd CA"),
        Some("front_proxy" | "front-proxy") => (refs.front_proxy_ca.as_ref(), "front proxy CA"),
        _ => (refs.ca.as_ref(), "CA"),
    }
}
