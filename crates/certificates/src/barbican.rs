//! Barbican: a container of the type `certificate` with a secret for each part.
//!
//! Magnum: common/cert_manager/barbican_cert_manager.py, names of secrets included.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jeroboam_model::CertificateRef;
use jeroboam_openstack::{Container, Error as CloudError, Kind, ServiceType, Session};
use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

use crate::{Certificate, Error, Kept, NewCertificate, Place};

const CERTIFICATE: &str = "certificate";
const PRIVATE_KEY: &str = "private_key";
const PASSPHRASE: &str = "private_key_passphrase";

pub(crate) struct Barbican(pub(crate) Session);

impl Place for Barbican {
    fn keep(&self, new: NewCertificate) -> BoxFuture<'_, Result<Kept, Error>> {
        async move {
            let made = self.make(&new).await.map_err(|error| match error {
                CloudError::NoEndpoint { service: ServiceType::KeyManager, .. } => Error::NoKeyManager(error),
                other => Error::KeyManager(other),
            })?;
            Ok(Kept { reference: made.as_str().into(), row: None })
        }
        .boxed()
    }

    fn read<'a>(&'a self, reference: &'a CertificateRef) -> BoxFuture<'a, Result<Option<Certificate>, Error>> {
        async move {
            let Some(container) = self.container(reference).await.map_err(Error::KeyManager)? else { return Ok(None) };
            let (certificate, private_key, passphrase) = tokio::join!(
                self.part(&container, CERTIFICATE),
                self.part(&container, PRIVATE_KEY),
                self.part(&container, PASSPHRASE),
            );
            let missing = |part| Error::Incomplete { reference: reference.to_string(), part };
            Ok(Some(Certificate {
                certificate: certificate?.ok_or_else(|| missing(CERTIFICATE))?.expose_secret().to_owned(),
                private_key: private_key?.ok_or_else(|| missing(PRIVATE_KEY))?,
                passphrase: passphrase?.unwrap_or_default(),
            }))
        }
        .boxed()
    }

    /// The secrets go first: a container that is left still tells of those that are left.
    fn discard<'a>(&'a self, reference: &'a CertificateRef) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            let Some(container) = self.container(reference).await.map_err(Error::KeyManager)? else { return Ok(()) };
            for secret in &container.secret_refs {
                self.0.key_manager().delete(&secret.secret_ref).await.map_err(Error::KeyManager)?;
            }
            let id = reference.container().unwrap_or_default();
            self.0.key_manager().delete_container(id).await.map_err(Error::KeyManager)?;
            Ok(())
        }
        .boxed()
    }
}

impl Barbican {
    async fn make(&self, new: &NewCertificate) -> Result<String, CloudError> {
        let keys = self.0.key_manager();
        let certificate = SecretString::from(new.certificate.as_str());
        let stored = tokio::join!(
            keys.store("Certificate", &certificate),
            keys.store("Private Key", &new.private_key),
            keys.store("Private Key Passphrase", &new.passphrase),
        );
        let outcomes = [(CERTIFICATE, stored.0), (PRIVATE_KEY, stored.1), (PASSPHRASE, stored.2)];
        let (mut parts, mut failure) = (Vec::new(), None);
        for (name, outcome) in outcomes {
            match outcome {
                Ok(secret) => parts.push((name, secret)),
                Err(error) => failure = Some(error),
            }
        }
        let made = match failure {
            None => keys.create_certificate_container(&new.name, &parts).await,
            Some(error) => Err(error),
        };
        if made.is_err() {
            for (_, secret) in &parts {
                if let Err(error) = keys.delete(secret).await {
                    warn!(secret.reference = %secret, %error, "could not take a secret back: it belongs to no cluster");
                }
            }
        }
        made
    }

    async fn container(&self, reference: &CertificateRef) -> Result<Option<Container>, CloudError> {
        let Some(id) = reference.container() else { return Ok(None) };
        match self.0.key_manager().container(id).await {
            Ok(container) => Ok(Some(container)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn part(&self, container: &Container, name: &str) -> Result<Option<SecretString>, Error> {
        let Some(secret) = container.secret_refs.iter().find(|secret| secret.name == name) else { return Ok(None) };
        match self.0.key_manager().payload(&secret.secret_ref).await {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(Error::KeyManager(error)),
        }
    }
}
