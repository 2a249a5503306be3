//! Kubeconfigs, and the nodes of a cluster over TLS with the certificate that the service signed.

use std::sync::Arc;

use axum::{Json, Router, routing::get};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa,
    KeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::fake::Cloud;

type Authority = Arc<CertifiedIssuer<'static, KeyPair>>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, "kube");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Arc::new(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA"))
}

fn sign(authority: &Authority, csr: &str) -> Certificate {
    let csr = CertificateSigningRequestParams::from_pem(csr).expect("a signing request");
    let name = csr.params.distinguished_name.get(&DnType::OrganizationName);
    assert!(matches!(name, Some(rcgen::DnValue::Utf8String(name)) if name == "system:masters"), "{name:?}");
    csr.signed_by(authority).expect("signed")
}

/// A Kubernetes API that lets nobody in without a certificate of the authority.
async fn kubernetes(authority: &Authority) -> (String, JoinSet<()>) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, authority).expect("signed");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("a CA")).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key"),
        )
        .expect("a server");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("https://{}", listener.local_addr().expect("an address"));
    let nodes = json!({"kind": "NodeList", "items": [
        node("kube-cp-1", "True", "10.0.0.5"), node("kube-worker-1", "False", "10.0.0.6"),
    ]});
    let router = Router::new().route("/api/v1/nodes", get(move || async move { Json(nodes) }));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = TowerToHyperService::new(router.clone());
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        }
    });
    (address, serving)
}

fn node(name: &str, ready: &str, address: &str) -> Value {
    let labels = if name.contains("cp") { json!({"node-role.kubernetes.io/control-plane": ""}) } else { json!({}) };
    json!({
        "metadata": {"name": name, "labels": labels},
        "status": {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"kubeletVersion": "v1.33.4"},
                   "addresses": [{"type": "InternalIP", "address": address}]}
    })
}

fn offer(cloud: &Cloud, address: Option<&str>, authority: &Authority) {
    let cluster = json!({"uuid": "c-1", "name": "kube", "status": "CREATE_COMPLETE", "api_address": address});
    cloud.answers("GET /v1/clusters/kube", 200, cluster);
    cloud.answers("GET /v1/certificates/c-1", 200, json!({"cluster_uuid": "c-1", "pem": authority.pem()}));
    let authority = Arc::clone(authority);
    cloud.makes("POST /v1/certificates", move |body| {
        assert_eq!(body["cluster_uuid"], "c-1");
        json!({"pem": sign(&authority, body["csr"].as_str().expect("a csr")).pem()})
    });
}

#[tokio::test]
async fn nodes_are_read_with_the_certificate_that_was_signed() {
    let (cloud, authority) = (Cloud::start().await, authority());
    let (address, _serving) = kubernetes(&authority).await;
    offer(&cloud, Some(&address), &authority);
    let ran = cloud.run("cluster nodes kube").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_data_eq!(
        ran.out,
        str![[r#"
NAME           STATUS    ROLES          VERSION  INTERNAL_IP
kube-cp-1      Ready     control-plane  v1.33.4  10.0.0.5
kube-worker-1  NotReady  <none>         v1.33.4  10.0.0.6

"#]]
    );
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_believed() {
    let (cloud, mine) = (Cloud::start().await, authority());
    let (address, _serving) = kubernetes(&authority()).await;
    offer(&cloud, Some(&address), &mine);
    let ran = cloud.run("cluster nodes kube").await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with(&format!("error: read the nodes of cluster kube at {address}: ")), "{}", ran.err);
}

#[tokio::test]
async fn a_kubeconfig_is_printed_or_written_and_never_written_over_unasked() {
    let (cloud, authority) = (Cloud::start().await, authority());
    offer(&cloud, Some("https://192.0.2.1:6443"), &authority);
    let ran = cloud.run("kubeconfig kube").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("server: \"https://192.0.2.1:6443\"") && ran.out.contains("client-key-data: "));

    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("config");
    let line = format!("kubeconfig kube --output {}", file.display());
    let ran = cloud.run(&line).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert_eq!(ran.err, format!("wrote {0}; use it with: export KUBECONFIG={0}\n", file.display()));
    let asked = cloud.changes().len();
    let ran = cloud.run(&line).await;
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, format!("error: {} is there already\nhint: say --force to write over it\n", file.display()));
    assert_eq!(cloud.changes().len(), asked, "no certificate is signed for nothing");
    assert_eq!(cloud.run(&format!("{line} --force")).await.code, 0);
}

#[tokio::test]
async fn a_cluster_without_an_address_has_no_kubeconfig_yet() {
    let (cloud, authority) = (Cloud::start().await, authority());
    offer(&cloud, None, &authority);
    let ran = cloud.run("kubeconfig kube").await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let expected = "error: cluster kube has no address yet\nhint: wait for it with: jeroboam cluster wait kube\n";
    assert_eq!(ran.err, expected);
}
