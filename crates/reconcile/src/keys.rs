//! A cluster's secrets as its objects need them: keys without their passphrases, the credential with its cloud.

use jeroboam_capi::{CertificatePair, Certificates, Credential};
use jeroboam_certificates::{Certificates as KeptCertificates, Error as CertificateError, ErrorKind, open_key};
use jeroboam_model::{CertificateRef, Cluster, ClusterId, UserId, secrets};
use jeroboam_store::{Store, StoreError, StoreErrorKind};
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
    #[error("the {} is away", .0.place())]
    CertificatesAway(#[source] CertificateError),
    #[error("read the cluster's {what}")]
    UnreadableCertificate { what: &'static str, source: CertificateError },
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
            Self::CertificatesAway(error) => Trouble::Waiting(format!("the {}", error.place())),
            Self::Unreadable { what, .. } | Self::UnreadableCertificate { what, .. } => {
                Trouble::Waiting(format!("the operator: the {what} can not be read"))
            }
            Self::Missing(_) | Self::Malformed(_) => Trouble::Impossible(self.to_string()),
        }
    }
}

/// Reads what the objects of a cluster need.
pub(crate) async fn read(
    store: &Store,
    kept: &KeptCertificates,
    cluster: &Cluster,
    cloud: &CloudConfig,
) -> Result<Keys, KeyProblem> {
    let stored = credential(store, cluster.id).await?.ok_or(KeyProblem::Missing("application credential"))?;
    let refs = &cluster.certificates;
    let certificates = Certificates {
        ca: authority(kept, refs.ca.as_ref(), "certificate authority").await?,
        etcd: authority(kept, refs.etcd_ca.as_ref(), "etcd certificate authority").await?,
        front_proxy: authority(kept, refs.front_proxy_ca.as_ref(), "front proxy certificate authority").await?,
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

/// The user whose application credential it is: whoever deleted the cluster made another where the first was lost.
pub(crate) async fn owner(store: &Store, cluster: &Cluster) -> Result<UserId, KeyProblem> {
    let owner = store.secret(cluster.id, secrets::APPLICATION_CREDENTIAL_USER).await;
    let owner = owner.map_err(problem("application credential"))?;
    Ok(owner.map_or_else(|| cluster.user.clone(), |owner| owner.expose_secret().into()))
}

/// The application credential; `None` when the cluster has none.
pub(crate) async fn credential(store: &Store, cluster: ClusterId) -> Result<Option<StoredCredential>, KeyProblem> {
    const WHAT: &str = "application credential";
    let id = store.secret(cluster, secrets::APPLICATION_CREDENTIAL_ID).await.map_err(problem(WHAT))?;
    let secret = store.secret(cluster, secrets::APPLICATION_CREDENTIAL_SECRET).await.map_err(problem(WHAT))?;
    let both = id.zip(secret);
    Ok(both.map(|(id, secret)| StoredCredential { id: id.expose_secret().to_owned(), secret }))
}

async fn authority(
    kept: &KeptCertificates,
    reference: Option<&CertificateRef>,
    what: &'static str,
) -> Result<CertificatePair, KeyProblem> {
    let reference = reference.ok_or(KeyProblem::Missing(what))?;
    let found = kept.read(reference).await.map_err(|source| match source.kind() {
        ErrorKind::Away => KeyProblem::CertificatesAway(source),
        ErrorKind::Broken => KeyProblem::UnreadableCertificate { what, source },
    })?;
    let found = found.ok_or(KeyProblem::Missing(what))?;
    let private_key = open_key(&found.private_key, &found.passphrase).map_err(|_| KeyProblem::Malformed(what))?;
    Ok(CertificatePair { certificate: format!("{}\n", found.certificate.trim()), private_key })
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
