//! TLS with files that may change: whoever renews a certificate replaces the files, and new connections get the new one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// The files and what is agreed on.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and those that signed it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of clients' certificates; none, and no client is asked for one.
    pub client_authorities: Vec<PathBuf>,
    /// Whether a client may come without a certificate although there are authorities.
    pub certificate_optional: bool,
    /// Whether nothing older than TLS 1.3 is spoken.
    pub only_1_3: bool,
    /// The only suites, by the names of the standard; none for all.
    pub suites: Vec<String>,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
}

/// TLS cannot be spoken with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file has no certificates.
    #[error("read certificates of {}", .0.display())]
    Certificates(PathBuf, #[source] pem::Error),
    /// A file has no private key.
    #[error("read the private key of {}", .0.display())]
    Key(PathBuf, #[source] pem::Error),
    /// A file has no authorities.
    #[error("read authorities of clients from {}", .0.display())]
    Authorities(PathBuf, #[source] rustls::Error),
    /// There are files of authorities, and nothing in them.
    #[error("read authorities of clients: there are none in {}", .0.display())]
    NoAuthorities(PathBuf),
    /// The authorities cannot be used.
    #[error("use the authorities of clients")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// None of the suites is known.
    #[error("use the cipher suites {0}: none of them is known")]
    Suites(String),
    /// The key is not that of the certificate.
    #[error("use the certificate of {} with its key", .0.display())]
    Mismatch(PathBuf, #[source] rustls::Error),
}

/// Agrees on TLS. Clones follow the files together.
#[derive(Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    current: Arc<ArcSwap<ServerConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// When a file was last written, and how long it is.
type Stamp = Option<(SystemTime, u64)>;

impl Tls {
    /// TLS with the files as they are now.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let current = Arc::new(ArcSwap::from_pointee(load(&files)?));
        Ok(Self { files: Arc::new(files), current })
    }

    /// What agrees on TLS with the next client.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Reads the files again whenever they change. Files that cannot be used change nothing, and are named in the log.
    pub async fn follow(self, stop: CancellationToken) {
        let mut before = self.stamps();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
            let now = self.stamps();
            if now != before && self.reload() {
                before = now;
            }
        }
    }

    /// Reads the files again; whether they can be used.
    pub fn reload(&self) -> bool {
        match load(&self.files) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                info!("certificates were read again");
                true
            }
            Err(error) => {
                let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                warn!(error = %error, reason, "the certificates that were in use stay in use");
                false
            }
        }
    }

    fn stamps(&self) -> Vec<Stamp> {
        let files = &self.files;
        let paths = [&files.certificate, &files.key].into_iter().chain(&files.client_authorities);
        paths.map(|path| stamp(path).ok()).collect()
    }
}

fn stamp(path: &Path) -> io::Result<(SystemTime, u64)> {
    let meta = std::fs::metadata(path)?;
    Ok((meta.modified()?, meta.len()))
}

fn load(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| TlsError::Key(files.key.clone(), error))?;
    let versions: &[&SupportedProtocolVersion] =
        if files.only_1_3 { &[&rustls::version::TLS13] } else { rustls::ALL_VERSIONS };
    let provider = Arc::new(provider(&files.suites)?);
    let mismatch = |error| TlsError::Mismatch(files.certificate.clone(), error);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).map_err(mismatch)?;
    let builder = if files.client_authorities.is_empty() {
        builder.with_no_client_auth()
    } else {
        let roots = Arc::new(authorities(&files.client_authorities)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
        let verifier = if files.certificate_optional { verifier.allow_unauthenticated() } else { verifier };
        builder.with_client_cert_verifier(verifier.build()?)
    };
    let mut server = builder.with_single_cert(chain, key).map_err(mismatch)?;
    if files.http2 {
        server.alpn_protocols.push(b"h2".to_vec());
    }
    server.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(server)
}

/// Whether there is no connection because of the certificate that a client showed.
pub(crate) fn is_about_certificate(error: &io::Error) -> bool {
    let reason = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(reason, Some(rustls::Error::InvalidCertificate(_)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| TlsError::Certificates(path.to_owned(), error))
}

fn authorities(paths: &[PathBuf]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for path in paths {
        let found = certificates(path)?;
        if found.is_empty() {
            return Err(TlsError::NoAuthorities(path.clone()));
        }
        for certificate in found {
            roots.add(certificate).map_err(|error| TlsError::Authorities(path.clone(), error))?;
        }
    }
    Ok(roots)
}

/// The suites that are wanted, of those that are safe. The names of TLS 1.3 are written with and without its prefix.
fn provider(suites: &[String]) -> Result<CryptoProvider, TlsError> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if suites.is_empty() {
        return Ok(provider);
    }
    let plain = |name: &str| name.replace("TLS13_", "TLS_");
    let wanted: Vec<String> = suites.iter().map(|name| plain(name)).collect();
    provider.cipher_suites.retain(|suite| {
        let name = suite.suite().as_str().map(plain).unwrap_or_default();
        wanted.contains(&name)
    });
    if provider.cipher_suites.is_empty() { Err(TlsError::Suites(suites.join(", "))) } else { Ok(provider) }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::ServerName;
    use tokio_rustls::TlsConnector;

    use super::*;

    struct Bed {
        dir: tempfile::TempDir,
        authority: CertifiedIssuer<'static, KeyPair>,
    }

    impl Bed {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::new()).expect("parameters");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().expect("a key");
            let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
            let bed = Self { dir: tempfile::tempdir().expect("a directory"), authority };
            std::fs::write(bed.path("ca"), bed.authority.pem()).expect("written");
            bed
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        /// A certificate in the files of the server.
        fn issue(&self, name: &str) -> TlsFiles {
            let (certificate, key) = self.certificate(name);
            std::fs::write(self.path("crt"), certificate).expect("written");
            std::fs::write(self.path("key"), key).expect("written");
            TlsFiles {
                certificate: self.path("crt"),
                key: self.path("key"),
                client_authorities: Vec::new(),
                certificate_optional: false,
                only_1_3: false,
                suites: Vec::new(),
                http2: true,
            }
        }

        fn certificate(&self, name: &str) -> (String, String) {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
            let certificate = params.signed_by(&key, &self.authority).expect("a certificate");
            (certificate.pem(), key.serialize_pem())
        }

        /// The suite that server and client agree on.
        async fn meet(&self, tls: &Tls, name: &'static str, own: Option<(String, String)>) -> Result<String, String> {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).expect("an authority");
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let builder = rustls::ClientConfig::builder_with_provider(provider);
            let builder =
                builder.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
            let config = match own {
                None => builder.with_no_client_auth(),
                Some((certificate, key)) => {
                    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate");
                    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
                    builder.with_client_auth_cert(vec![certificate], key).expect("a client")
                }
            };
            let (client, server) = tokio::io::duplex(1 << 16);
            let name = ServerName::try_from(name).expect("a name");
            let connector = TlsConnector::from(Arc::new(config));
            let (server, client) = tokio::join!(tls.acceptor().accept(server), connector.connect(name, client));
            client.map_err(|error| error.to_string())?;
            let why = |error: io::Error| {
                if is_about_certificate(&error) { "the certificate".to_owned() } else { error.to_string() }
            };
            let server = server.map_err(why)?;
            let suite = server.get_ref().1.negotiated_cipher_suite().expect("a suite");
            Ok(suite.suite().as_str().expect("a name").to_owned())
        }
    }

    #[tokio::test]
    async fn a_renewed_certificate_is_shown_to_the_next_client() {
        let bed = Bed::new();
        let tls = Tls::open(bed.issue("a.example")).expect("TLS");
        assert!(bed.meet(&tls, "a.example", None).await.is_ok());
        bed.issue("b.example");
        assert!(bed.meet(&tls, "b.example", None).await.is_err(), "the files were not read yet");
        assert!(tls.reload());
        assert!(bed.meet(&tls, "b.example", None).await.is_ok());
        std::fs::write(bed.path("key"), "half a key").expect("written");
        assert!(!tls.reload());
        assert!(bed.meet(&tls, "b.example", None).await.is_ok(), "what was in use stays in use");
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_followed() {
        let bed = Bed::new();
        let tls = Tls::open(bed.issue("a.example")).expect("TLS");
        let stop = CancellationToken::new();
        let follow = tls.clone().follow(stop.clone());
        let change = async {
            tokio::time::sleep(LOOK / 2).await;
            bed.issue("other.example");
            tokio::time::sleep(LOOK).await;
            stop.cancel();
        };
        tokio::join!(follow, change);
        assert!(bed.meet(&tls, "other.example", None).await.is_ok());
    }

    #[tokio::test]
    async fn clients_show_a_certificate_where_that_is_wanted() {
        let bed = Bed::new();
        let strict = TlsFiles { client_authorities: vec![bed.path("ca")], ..bed.issue("a.example") };
        let tls = Tls::open(strict.clone()).expect("TLS");
        assert!(bed.meet(&tls, "a.example", None).await.is_err());
        assert!(bed.meet(&tls, "a.example", Some(bed.certificate("client"))).await.is_ok());
        let stranger = Bed::new().certificate("client");
        assert!(bed.meet(&tls, "a.example", Some(stranger.clone())).await.is_err());
        let lenient = Tls::open(TlsFiles { certificate_optional: true, ..strict }).expect("TLS");
        assert!(bed.meet(&lenient, "a.example", None).await.is_ok());
        assert_eq!(bed.meet(&lenient, "a.example", Some(stranger)).await, Err("the certificate".to_owned()));
    }

    #[tokio::test]
    async fn versions_and_suites_are_chosen() {
        let bed = Bed::new();
        let suite = "TLS_AES_128_GCM_SHA256";
        let files = TlsFiles { only_1_3: true, suites: vec![suite.to_owned()], ..bed.issue("a.example") };
        let tls = Tls::open(files.clone()).expect("TLS");
        assert_eq!(
            bed.meet(&tls, "a.example", None).await.map(|name| name.replace("TLS13_", "TLS_")),
            Ok(suite.to_owned())
        );
        let unknown = TlsFiles { suites: vec!["TLS_RSA_WITH_RC4_128_SHA".to_owned()], ..files };
        assert!(matches!(Tls::open(unknown), Err(TlsError::Suites(_))));
    }
}
