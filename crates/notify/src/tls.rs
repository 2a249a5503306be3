//! TLS towards RabbitMQ. Certificates are always checked: against the operator's authorities, else against the machine's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Files for TLS, PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsConfig {
    /// The only authorities to believe; `None` for those of the machine.
    pub ca_file: Option<PathBuf>,
    /// A certificate of our own and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// TLS can not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or not what it should be.
    #[error("failed to read {} for TLS with RabbitMQ", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// What the files hold does not fit.
    #[error("failed to set up TLS with RabbitMQ")]
    Setup(#[from] rustls::Error),
    /// There is nobody to believe.
    #[error("no certificate authority is known for TLS with RabbitMQ: set ssl_ca_file in [oslo_messaging_rabbit]")]
    NoAuthority,
}

/// What makes connections of streams.
pub(crate) fn connector(config: &TlsConfig) -> Result<TlsConnector, TlsError> {
    let mut roots = RootCertStore::empty();
    match &config.ca_file {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoAuthority);
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let client = match &config.identity {
        Some((chain, key)) => {
            let file = |source| TlsError::File { path: key.clone(), source };
            let key = PrivateKeyDer::from_pem_file(key).map_err(file)?;
            builder.with_client_auth_cert(certificates(chain)?, key)?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(client)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|source| TlsError::File { path: path.to_owned(), source })
}
