//! Where the certificates of clusters are kept: rows of Magnum's own table, Barbican, or files of this machine.
//!
//! Each place is written as Magnum writes it, and read as Magnum may have written it. Which of them takes new certificates is
//! the operator's choice; an old one is found by its reference, whatever is chosen now. Nothing here makes or signs anything.

mod barbican;
mod database;
mod directory;
mod error;
mod keys;
mod legacy;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use jeroboam_model::{CertificateRef, ProjectId, UserId};
use jeroboam_openstack::Session;
use jeroboam_store::{KeyPair, Store};
use secrecy::SecretString;
use tracing::warn;

use crate::barbican::Barbican;
use crate::database::Database;
use crate::directory::Directory;

pub use error::{Error, ErrorKind};
pub use keys::{BadKey, SealedKey, open_key, seal_key};

/// The place that takes new certificates. Magnum: `[certificates] cert_manager_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Rows of the table `x509keypair`, written together with their cluster.
    Database,
    /// Containers of Barbican's, in the service's own project.
    #[default]
    Barbican,
    /// Files of this machine.
    Directory,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "x509keypair" => Ok(Self::Database),
            "barbican" => Ok(Self::Barbican),
            "local" => Ok(Self::Directory),
            _ => Err(format!("{text:?} is no store of certificates, expected barbican, x509keypair or local")),
        }
    }
}

/// What the operator set.
#[derive(Clone, Debug)]
pub struct CertificatesConfig {
    /// Where new certificates go.
    pub kind: Kind,
    /// The directory of [`Kind::Directory`].
    pub storage_path: PathBuf,
}

impl Default for CertificatesConfig {
    fn default() -> Self {
        Self { kind: Kind::default(), storage_path: "/var/lib/magnum/certificates/".into() }
    }
}

/// A certificate to keep.
#[derive(Clone, Debug)]
pub struct NewCertificate {
    /// What it is called where such things have names.
    pub name: String,
    /// PEM.
    pub certificate: String,
    /// PEM, under the passphrase.
    pub private_key: SecretString,
    /// Opens the private key.
    pub passphrase: SecretString,
    /// Whose cluster it is for.
    pub project: ProjectId,
    /// Who asked for the cluster.
    pub user: UserId,
}

/// A certificate that was kept.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// PEM.
    pub certificate: String,
    /// PEM, under the passphrase where there is one.
    pub private_key: SecretString,
    /// Opens the private key; empty where that is open.
    pub passphrase: SecretString,
}

/// Where a new certificate is.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What the cluster's row says of it.
    pub reference: CertificateRef,
    /// The row to write with the cluster, where the place is our own database.
    pub row: Option<KeyPair>,
}

/// One place that keeps certificates.
trait Place: Send + Sync {
    fn keep(&self, new: NewCertificate) -> BoxFuture<'_, Result<Kept, Error>>;
    /// `None`: it is not there.
    fn read<'a>(&'a self, reference: &'a CertificateRef) -> BoxFuture<'a, Result<Option<Certificate>, Error>>;
    /// Nothing happens where it is gone already.
    fn discard<'a>(&'a self, reference: &'a CertificateRef) -> BoxFuture<'a, Result<(), Error>>;
}

/// The certificates of all clusters. Cheap to clone.
#[derive(Clone)]
pub struct Certificates {
    places: Arc<Places>,
}

struct Places {
    kind: Kind,
    database: Database,
    barbican: Barbican,
    directory: Directory,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("kind", &self.places.kind).finish_non_exhaustive()
    }
}

impl Certificates {
    /// The certificates of this database; `session` is the service's own, which Barbican knows their owner by.
    #[must_use]
    pub fn new(config: CertificatesConfig, store: Store, session: Session) -> Self {
        let places = Places {
            kind: config.kind,
            database: Database(store),
            barbican: Barbican(session),
            directory: Directory(config.storage_path),
        };
        Self { places: Arc::new(places) }
    }

    /// Keeps certificates, all of them or none.
    pub async fn keep(&self, new: Vec<NewCertificate>) -> Result<Vec<Kept>, Error> {
        let place = self.places.chosen();
        let outcomes = join_all(new.into_iter().map(|new| place.keep(new))).await;
        let (mut kept, mut failure) = (Vec::new(), None);
        for outcome in outcomes {
            match outcome {
                Ok(one) => kept.push(one),
                Err(error) => failure = Some(error),
            }
        }
        let Some(failure) = failure else { return Ok(kept) };
        self.take_back(&kept).await;
        Err(failure)
    }

    /// Takes back certificates of a cluster that was not made. What can not be taken back is told in the log.
    pub async fn take_back(&self, kept: &[Kept]) {
        for one in kept {
            if let Err(error) = self.discard(&one.reference).await {
                warn!(certificate.reference = %one.reference, %error, "could not take a certificate back: it belongs to no cluster");
            }
        }
    }

    /// A certificate with its key; `None`: it is not there any more.
    pub async fn read(&self, reference: &CertificateRef) -> Result<Option<Certificate>, Error> {
        for place in self.places.of(reference) {
            if let Some(found) = place.read(reference).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Forgets a certificate, but for a row of our own database: that goes together with its cluster.
    pub async fn discard(&self, reference: &CertificateRef) -> Result<(), Error> {
        for place in self.places.of(reference) {
            place.discard(reference).await?;
        }
        Ok(())
    }
}

impl Places {
    fn chosen(&self) -> &dyn Place {
        match self.kind {
            Kind::Database => &self.database,
            Kind::Barbican => &self.barbican,
            Kind::Directory => &self.directory,
        }
    }

    /// Where a certificate may be. An id names a row or a file, and only one of the two is ever there.
    fn of(&self, reference: &CertificateRef) -> Vec<&dyn Place> {
        if reference.key_pair().is_none() {
            return vec![&self.barbican];
        }
        match self.kind {
            Kind::Directory => vec![&self.directory, &self.database],
            Kind::Database | Kind::Barbican => vec![&self.database, &self.directory],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_chosen_by_magnums_names() {
        for (text, wanted) in [
            ("x509keypair", Some(Kind::Database)),
            ("barbican", Some(Kind::Barbican)),
            ("local", Some(Kind::Directory)),
            ("vault", None),
        ] {
            assert_eq!(text.parse::<Kind>().ok(), wanted, "{text}");
        }
    }
}
