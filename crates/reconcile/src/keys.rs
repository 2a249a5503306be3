//! A cluster's secrets as its objects need them: keys without their passphrases, the credential with its cloud.

use jeroboam_capi::{CertificatePair, Certificates, Credential};
use jeroboam_model::{Cluster, ClusterId, KeyPairId, secrets};
use jeroboam_store::{KeyPair, Store, StoreError, StoreErrorKind};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, SecretDocument};
use secrecy::{ExposeSecret, SecretString};

use crate::config::CloudConfig;
use crate::next::Trouble;
use crate::resolve::Keys;

/// The application credential that was made with the cluster.
#[derive(Clone, Debug)]
pub(crate) struct StoredCredential {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
}

/// Why the secrets are not to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyProblem {
    #[error("the database is away")]
    Away(#[source] StoreError),
    #[error("read the cluster's {what}")]
    Unreadable { what: &'static str, source: StoreError },
    #[error("the cluster has no {0}")]
    Missing(&'static str),
    #[error("the cluster's {0} is not in the form it should be")]
    Malformed(&'static str),
}

impl KeyProblem {
    /// What the tenant is told. An unreadable secret is the operator's to mend, and then work goes on.
    pub(crate) fn trouble(&self) -> Trouble {
        match self {
            Self::Away(_) => Trouble::Waiting("the database".to_owned()),
            Self::Unreadable { what, .. } => Trouble::Waiting(format!("the operator: the {what} can not be read")),
            Self::Missing(_) | Self::Malformed(_) => Trouble::Impossible(self.to_string()),
        }
    }
}

/// Reads what the objects of a cluster need.
pub(crate) async fn read(store: &Store, cluster: &Cluster, cloud: &CloudConfig) -> Result<Keys, KeyProblem> {
    let stored = credential(store, cluster.id).await?.ok_or(KeyProblem::Missing("application credential"))?;
    let refs = &cluster.certificates;
    let certificates = Certificates {
        ca: authority(store, refs.ca, "certificate authority").await?,
        etcd: authority(store, refs.etcd_ca, "etcd certificate authority").await?,
        front_proxy: authority(store, refs.front_proxy_ca, "front proxy certificate authority").await?,
        service_account: service_account(store, cluster.id).await?,
    };
    Ok(Keys { credential: stored.credential(cloud), certificates })
}

impl StoredCredential {
    /// The credential with what is needed to use it.
    pub(crate) fn credential(self, cloud: &CloudConfig) -> Credential {
        Credential {
            auth_url: cloud.auth_url.clone(),
            region: cloud.region.clone(),
            interface: cloud.interface.clone(),
            id: self.id,
            secret: self.secret,
            verify: !cloud.insecure,
            cacert: cloud.ca_certificates.clone(),
        }
    }
}

/// The application credential; `None` when the cluster has none.
pub(crate) async fn credential(store: &Store, cluster: ClusterId) -> Result<Option<StoredCredential>, KeyProblem> {
    const WHAT: &str = "application credential";
    let id = store.secret(cluster, secrets::APPLICATION_CREDENTIAL_ID).await.map_err(problem(WHAT))?;
    let secret = store.secret(cluster, secrets::APPLICATION_CREDENTIAL_SECRET).await.map_err(problem(WHAT))?;
    let both = id.zip(secret);
    Ok(both.map(|(id, secret)| StoredCredential { id: id.expose_secret().to_owned(), secret }))
}

async fn authority(store: &Store, id: Option<KeyPairId>, what: &'static str) -> Result<CertificatePair, KeyProblem> {
    let id = id.ok_or(KeyProblem::Missing(what))?;
    let pair = store.keypair(id).await.map_err(problem(what))?.ok_or(KeyProblem::Missing(what))?;
    opened(&pair).ok_or(KeyProblem::Malformed(what))
}

async fn service_account(store: &Store, cluster: ClusterId) -> Result<CertificatePair, KeyProblem> {
    const WHAT: &str = "service account key";
    let key = store.secret(cluster, secrets::SERVICE_ACCOUNT_KEY).await.map_err(problem(WHAT))?;
    let key = key.ok_or(KeyProblem::Missing(WHAT))?;
    let pair = rcgen::KeyPair::from_pem(key.expose_secret()).map_err(|_| KeyProblem::Malformed(WHAT))?;
    Ok(CertificatePair { certificate: pair.public_key_pem(), private_key: key })
}

fn problem(what: &'static str) -> impl Fn(StoreError) -> KeyProblem {
    move |source| match source.kind() {
        StoreErrorKind::Unavailable => KeyProblem::Away(source),
        _ => KeyProblem::Unreadable { what, source },
    }
}

/// A stored pair with its key in the clear. Old rows may hold keys that never were encrypted.
fn opened(pair: &KeyPair) -> Option<CertificatePair> {
    let certificate = format!("{}\n", pair.certificate.trim());
    let pem = pair.private_key.expose_secret().trim();
    let (label, document) = SecretDocument::from_pem(pem).ok()?;
    if label != "ENCRYPTED PRIVATE KEY" {
        return Some(CertificatePair { certificate, private_key: format!("{pem}\n").into() });
    }
    let sealed = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).ok()?;
    let plain = sealed.decrypt(pair.passphrase.expose_secret()).ok()?;
    let private_key = plain.to_pem("PRIVATE KEY", LineEnding::LF).ok()?;
    Some(CertificatePair { certificate, private_key: private_key.as_str().to_owned().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ed25519 key that `openssl genpkey -aes256 -pass pass:s3cret` wrote.
    const SEALED: &str = include_str!("../tests/data/sealed.key");

    fn pair(key: &str, passphrase: &str) -> KeyPair {
        KeyPair {
            id: KeyPairId::random(),
            certificate: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----".into(),
            private_key: key.to_owned().into(),
            passphrase: passphrase.to_owned().into(),
            intermediates: None,
            project: "p1".into(),
            user: "u1".into(),
        }
    }

    #[test]
    fn a_key_that_openssl_sealed_is_opened_with_its_passphrase_alone() {
        let open = opened(&pair(SEALED, "s3cret")).expect("the right passphrase");
        assert!(rcgen::KeyPair::from_pem(open.private_key.expose_secret()).is_ok());
        assert!(open.private_key.expose_secret().starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(opened(&pair(SEALED, "another")).is_none());
        assert!(opened(&pair("no key at all", "s3cret")).is_none());
    }

    #[test]
    fn a_key_that_was_never_sealed_is_taken_as_it_is() {
        let open = opened(&pair(SEALED, "s3cret")).expect("the right passphrase");
        let again = opened(&pair(open.private_key.expose_secret(), "")).expect("a plain key");
        assert_eq!(again.private_key.expose_secret(), open.private_key.expose_secret());
    }
}
