//! The secrets that a cluster needs before anything looks at it.
//!
//! The four authorities exist first so that Cluster API takes them instead of making its own: certificates that the
//! service signs for a tenant are trusted by the cluster, and the other way round. Cluster API never overwrites or
//! removes secrets that it does not own, so removing them is up to us.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::labels;
use crate::ClusterKey;
use crate::resolved::{CertificatePair, Credential, ResolvedCluster};
use crate::resources::Object;

/// The name of the one cloud in `clouds.yaml`. Magnum: magnum-cluster-api calls it so too.
pub(crate) const CLOUD_NAME: &str = "default";

/// Name of the secret that the infrastructure provider reads.
pub(crate) fn identity_secret(cluster: &str) -> String {
    format!("{cluster}-cloud-config")
}

pub(super) fn objects(cluster: &ResolvedCluster) -> Vec<Object> {
    let certificates = &cluster.certificates;
    vec![
        identity(&cluster.key, labels(cluster), &cluster.credential),
        authority(cluster, "ca", &certificates.ca),
        authority(cluster, "etcd", &certificates.etcd),
        authority(cluster, "proxy", &certificates.front_proxy),
        authority(cluster, "sa", &certificates.service_account),
    ]
}

pub(super) fn identity(key: &ClusterKey, mut labels: Map<String, Value>, credential: &Credential) -> Object {
    let mut data = Map::new();
    data.insert("clouds.yaml".to_owned(), base64(&clouds_yaml(credential)));
    if let Some(cacert) = &credential.cacert {
        data.insert("cacert".to_owned(), base64(cacert));
    }
    // clusterctl moves a cluster with the secrets that carry this, and forgets the others.
    labels.insert("clusterctl.cluster.x-k8s.io/move".to_owned(), "true".into());
    secret(key, &identity_secret(&key.name), "Opaque", &labels, &data)
}

fn authority(cluster: &ResolvedCluster, suffix: &str, pair: &CertificatePair) -> Object {
    let mut data = Map::new();
    data.insert("tls.crt".to_owned(), base64(&pair.certificate));
    data.insert("tls.key".to_owned(), base64(pair.private_key.expose_secret()));
    let key = &cluster.key;
    secret(key, &format!("{}-{suffix}", key.name), "cluster.x-k8s.io/secret", &labels(cluster), &data)
}

fn secret(key: &ClusterKey, name: &str, kind: &str, labels: &Map<String, Value>, data: &Map<String, Value>) -> Object {
    Object::new(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        "metadata": {"name": name, "namespace": key.namespace, "labels": labels},
        "data": data,
    }))
}

/// JSON is YAML, and needs no quoting rules of its own.
fn clouds_yaml(credential: &Credential) -> String {
    let mut cloud = json!({
        "auth_type": "v3applicationcredential",
        "auth": {
            "auth_url": credential.auth_url,
            "application_credential_id": credential.id,
            "application_credential_secret": credential.secret.expose_secret(),
        },
        "identity_api_version": 3,
        "interface": credential.interface,
        "verify": credential.verify,
    });
    if let Some(region) = &credential.region {
        cloud["region_name"] = region.clone().into();
    }
    json!({"clouds": {CLOUD_NAME: cloud}}).to_string()
}

fn base64(text: &str) -> Value {
    STANDARD.encode(text).into()
}
