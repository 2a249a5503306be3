//! Certificates and the listeners that speak TLS with them.

use std::io;
use std::sync::Arc;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::kube::Peer;

/// A certificate and its key could not be made or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("make or read a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("read a PEM text")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("set TLS up")]
    Setup(#[from] rustls::Error),
    #[error("check client certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A certificate with its key, both PEM.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) certificate: String,
    pub(crate) key: SecretString,
}

/// Makes a certificate authority.
pub(crate) fn authority(name: &str) -> Result<Credential, TlsError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name = subject(name, &[]);
    let certificate = params.self_signed(&key)?.pem();
    Ok(Credential { certificate, key: key.serialize_pem().into() })
}

/// Signs a certificate for a server with these names and addresses.
pub(crate) fn server(authority: &Credential, names: &[&str]) -> Result<Credential, TlsError> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = subject("kube-apiserver", &[]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    sign(authority, params)
}

/// Signs a certificate for a client.
pub(crate) fn client(authority: &Credential, user: &str, groups: &[&str]) -> Result<Credential, TlsError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(user, groups);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    sign(authority, params)
}

fn sign(authority: &Credential, mut params: CertificateParams) -> Result<Credential, TlsError> {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.use_authority_key_identifier_extension = true;
    let issuer_key = KeyPair::from_pem(authority.key.expose_secret())?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, issuer_key)?;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?.pem();
    Ok(Credential { certificate, key: key.serialize_pem().into() })
}

fn subject(name: &str, groups: &[&str]) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    for group in groups {
        subject.push(DnType::OrganizationName, *group);
    }
    subject.push(DnType::CommonName, name);
    subject
}

/// What a listener presents, and whose client certificates it takes.
pub(crate) fn acceptor(server: &Credential, clients: &str) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(clients.as_bytes()) {
        roots.add(certificate?)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()?;
    let chain = CertificateDer::pem_slice_iter(server.certificate.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(server.key.expose_secret().as_bytes())?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves a router over TLS until cancelled. Connections end with it.
pub(crate) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    router: Router,
    tracker: TaskTracker,
    cancelled: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = cancelled.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: wait for some to be closed.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (acceptor, router, cancelled) = (acceptor.clone(), router.clone(), cancelled.clone());
        tracker.spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let peer = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(peer);
            let peer = peer.unwrap_or_default();
            let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer.clone());
                request
            });
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let connection =
                builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
            tokio::select! {
                () = cancelled.cancelled() => {}
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(error = %error, "a connection to the sandbox ended early");
                    }
                }
            }
        });
    }
}

/// Reads who a client certificate is for.
fn peer(certificate: &CertificateDer<'_>) -> Peer {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return Peer::default() };
    let subject = parsed.subject();
    let user = subject.iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
    let groups = subject.iter_organization().filter_map(|name| name.as_str().ok()).map(str::to_owned).collect();
    Peer { user, groups }
}

/// A kubeconfig for one user of one cluster.
pub(crate) fn kubeconfig(name: &str, url: &str, authority: &str, user: &Credential) -> String {
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let document = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name, "preferences": {},
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": encode(authority)}}],
        "users": [{"name": name, "user": {
            "client-certificate-data": encode(&user.certificate), "client-key-data": encode(user.key.expose_secret()),
        }}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    });
    // JSON is YAML, and every reader of a kubeconfig takes it.
    format!("{document:#}\n")
}

/// A listener on loopback, on the port wanted or, when that is taken or 0, on a free one.
pub(crate) async fn listen(address: std::net::IpAddr, port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((address, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) if port != 0 => TcpListener::bind((address, 0)).await,
        Err(error) => Err(error),
    }
}
