//! Why a certificate could not be kept, read or forgotten. No text holds a secret.

use std::io;
use std::path::PathBuf;

use jeroboam_openstack::Error as CloudError;
use jeroboam_store::{StoreError, StoreErrorKind};

/// What callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The place is away: the same may work later.
    Away,
    /// The operator has to mend something first.
    Broken,
}

/// A certificate could not be kept, read or forgotten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Barbican.
    #[error("the key manager did not do what it was asked")]
    KeyManager(#[source] CloudError),
    /// The cloud has no Barbican.
    #[error(
        "there is no key manager to keep certificates in; set [certificates] cert_manager_type = x509keypair to keep them in the database"
    )]
    NoKeyManager(#[source] CloudError),
    /// Our own database.
    #[error("the database did not do what it was asked")]
    Store(#[source] StoreError),
    /// A file of the directory.
    #[error("failed to {doing} {}", .path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody took a part of it away.
    #[error("the certificate {reference} has no {part}")]
    Incomplete {
        /// Which certificate.
        reference: String,
        /// The part.
        part: &'static str,
    },
}

impl Error {
    /// What the error means.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        let away = match self {
            Self::KeyManager(error) => error.is_temporary(),
            Self::Store(error) => error.kind() == StoreErrorKind::Unavailable,
            Self::NoKeyManager(_) | Self::File { .. } | Self::Incomplete { .. } => false,
        };
        if away { ErrorKind::Away } else { ErrorKind::Broken }
    }

    /// The place, for a sentence.
    #[must_use]
    pub const fn place(&self) -> &'static str {
        match self {
            Self::KeyManager(_) | Self::NoKeyManager(_) => "key manager service",
            Self::Store(_) => "database",
            Self::File { .. } => "certificate directory",
            Self::Incomplete { .. } => "certificate store",
        }
    }
}
