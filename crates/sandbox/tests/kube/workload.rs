//! Workload clusters, by the kubeconfig that a cluster's secret holds, with the real `kubectl` where there is one.

use std::path::Path;
use std::process::Stdio;

use base64::Engine;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::bed::{Bed, CORE, cluster};
use crate::life::CLUSTER;

fn decode(secret: &Value, key: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_users_authority_is_the_clusters_and_its_certificates_are_welcome() {
    let bed = Bed::start().await;
    bed.class("n").await;
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::CertifiedIssuer::self_signed(params, authority_key).unwrap();
    let secret = json!({
        "metadata": {"name": "c-ca"}, "type": "cluster.x-k8s.io/secret",
        "stringData": {"tls.crt": issuer.pem(), "tls.key": issuer.key().serialize_pem()},
    });
    bed.post("/api/v1/namespaces/n/secrets", &secret).await;
    bed.post(&format!("{CORE}/namespaces/n/clusters"), &cluster("c", 1, 1)).await;
    let made = bed.until_complete(CLUSTER).await;

    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "system:masters");
    params.distinguished_name.push(rcgen::DnType::CommonName, "admin");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let identity = reqwest::Identity::from_pem(format!("{certificate}{}", key.serialize_pem()).as_bytes()).unwrap();
    let trusted = reqwest::Certificate::from_pem(issuer.pem().as_bytes()).unwrap();
    let builder = || reqwest::Client::builder().tls_certs_only([trusted.clone()]).no_proxy();
    let url = format!("https://127.0.0.1:{}", made["spec"]["controlPlaneEndpoint"]["port"]);
    let client = builder().identity(identity).build().unwrap();
    let nodes: Value = client.get(format!("{url}/api/v1/nodes")).send().await.unwrap().json().await.unwrap();
    assert_eq!(nodes["items"].as_array().unwrap().len(), 2);
    let stranger = builder().build().unwrap().get(format!("{url}/api/v1/nodes")).send().await.unwrap();
    assert_eq!(stranger.status(), reqwest::StatusCode::UNAUTHORIZED);

    bed.delete(CLUSTER).await;
    bed.until("the cluster to go", CLUSTER, Value::is_null).await;
    let (status, _) = bed.get("/api/v1/namespaces/n/secrets/c-ca").await;
    assert_eq!(status, reqwest::StatusCode::OK, "what the user gave stays");
    assert!(client.get(format!("{url}/healthz")).send().await.is_err(), "and nothing listens any more");
}

async fn kubectl(config: &Path, arguments: &[&str]) -> Option<(bool, String)> {
    let mut command = Command::new("kubectl");
    command.arg("--kubeconfig").arg(config).args(arguments).stdin(Stdio::null());
    let output = match command.output().await {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("{error}"),
    };
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Some((output.status.success(), text))
}

#[tokio::test]
async fn kubectl_is_at_home_in_both_clusters() {
    let bed = Bed::start().await;
    bed.class("n").await;
    bed.post(&format!("{CORE}/namespaces/n/clusters"), &cluster("c", 1, 2)).await;
    bed.until_complete(CLUSTER).await;
    let dir = tempfile::tempdir().unwrap();
    let (management, workload) = (dir.path().join("management"), dir.path().join("workload"));
    std::fs::write(&management, bed.sandbox.kubeconfig.expose_secret()).unwrap();
    let (_, secret) = bed.get("/api/v1/namespaces/n/secrets/c-kubeconfig").await;
    std::fs::write(&workload, decode(&secret, "value")).unwrap();
    let manifest = dir.path().join("manifest.yaml");
    std::fs::write(&manifest, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: \"n\"}\ndata: {a: b}\n")
        .unwrap();
    let manifest = manifest.to_str().unwrap();
    for (config, arguments, expected) in [
        (&workload, vec!["get", "nodes"], "control-plane"),
        (&workload, vec!["get", "nodes", "-o", "wide"], "containerd://"),
        (&workload, vec!["get", "pods", "-A"], "kube-apiserver-c-"),
        (&workload, vec!["version"], "Server Version: v1.33.5"),
        (&workload, vec!["get", "--raw", "/healthz"], "ok"),
        (&management, vec!["get", "clusters", "-A"], "Provisioned"),
        (&management, vec!["get", "cluster", "c", "-n", "n", "-o", "yaml"], "controlPlaneEndpoint"),
        (&management, vec!["apply", "-f", manifest], "configmap/x created"),
        (&management, vec!["apply", "-f", manifest], "configmap/x unchanged"),
        (&management, vec!["apply", "--server-side", "-f", manifest], "serverside-applied"),
        (&management, vec!["create", "namespace", "fresh"], "namespace/fresh created"),
        (&management, vec!["create", "secret", "generic", "s", "-n", "n", "--from-literal=a=b"], "secret/s created"),
        (&management, vec!["get", "secret", "s", "-n", "n", "-o", "jsonpath={.data.a}"], "Yg=="),
        (&management, vec!["delete", "-f", manifest], "deleted"),
        (&management, vec!["get", "-f", manifest], "NotFound"),
    ] {
        let Some((_, said)) = kubectl(config, &arguments).await else { return };
        assert!(said.contains(expected), "kubectl {arguments:?} said {said}");
    }
}
