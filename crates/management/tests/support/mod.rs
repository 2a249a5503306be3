//! What the tests against a real management cluster start from.

use std::collections::BTreeMap;

use jeroboam_capi::{
    ApiEndpoint, CertificatePair, Certificates, ClusterKey, ClusterNetwork, ControlPlaneGroup, Credential, Healing,
    Image, Network, Object, OperatingSystem, Prepared, ResolvedCluster, Resources, SYSTEM_NAMESPACE, WorkerGroup,
    cluster_name, namespace,
};
use jeroboam_management::{KubeconfigSource, Management, ManagementConfig};
use jeroboam_model::{ClusterId, NodeGroupId, ProjectId, UserId};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

/// The management cluster that the environment names. Without one a test says that it was skipped; where everything has
/// to be there (`JEROBOAM_ALL`) it fails.
#[expect(clippy::disallowed_methods, reason = "tests have no settings but the environment")]
pub(crate) async fn management() -> Option<Management> {
    let Some(path) = std::env::var_os("JEROBOAM_KUBECONFIG").filter(|path| !path.is_empty()) else {
        assert!(std::env::var_os("JEROBOAM_ALL").is_none(), "JEROBOAM_KUBECONFIG names no management cluster");
        println!("skipped: JEROBOAM_KUBECONFIG is not set; a management cluster: make test starts one");
        return None;
    };
    // Whichever test comes first installs it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = ManagementConfig::new(KubeconfigSource::File(path.into()));
    Some(Management::new(config).await.expect("a kubeconfig"))
}

/// The in-memory class with its templates, and the namespace they live in.
pub(crate) fn class_objects() -> Resources<Prepared> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}});
    let text = include_str!("../manifests/memory-class.yaml");
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("valid YAML");
    documents.rotate_left(1);
    let documents = std::iter::once(namespace).chain(documents);
    Resources::prepared(documents.map(Object::new).collect())
}

/// A group of workers.
pub(crate) fn worker(name: &str, count: u32) -> WorkerGroup {
    WorkerGroup {
        id: NodeGroupId::random(),
        name: name.into(),
        role: "worker".into(),
        count,
        autoscaling: None,
        flavor: "m1.small".into(),
        image: image(),
        boot_volume: None,
        availability_zone: None,
        node_labels: BTreeMap::new(),
        node_taints: Vec::new(),
    }
}

/// A cluster in a project of its own.
pub(crate) fn resolved(title: &str, release: &str, control_planes: u32, workers: Vec<WorkerGroup>) -> ResolvedCluster {
    let id = ClusterId::random();
    let project = ProjectId::from(ClusterId::random().to_string().replace('-', ""));
    ResolvedCluster {
        key: ClusterKey { namespace: namespace("magnum", &project), name: cluster_name(Some(title), id) },
        id,
        project,
        user: UserId::from("a-user"),
        release: release.parse().expect("a release"),
        control_plane: ControlPlaneGroup {
            id: NodeGroupId::random(),
            count: control_planes,
            flavor: "m1.medium".into(),
            image: image(),
            boot_volume: None,
            availability_zones: Vec::new(),
        },
        workers,
        network: Network::Managed { cidr: "10.0.0.0/24".into(), external: None },
        dns_nameservers: vec!["9.9.9.9".into()],
        api: ApiEndpoint::default(),
        ssh_key: Some("a-key".into()),
        cluster_network: ClusterNetwork::default(),
        healing: Some(Healing::default()),
        credential: Credential {
            auth_url: "https://identity.example/v3".into(),
            region: Some("RegionOne".into()),
            interface: "public".into(),
            id: "an-id".into(),
            secret: "a-secret".into(),
            verify: true,
            cacert: None,
        },
        certificates: Certificates {
            ca: authority("kubernetes"),
            etcd: authority("etcd"),
            front_proxy: authority("front-proxy"),
            service_account: authority("service-account"),
        },
        extra_variables: BTreeMap::new(),
    }
}

fn image() -> Image {
    Image { id: "5d0f0f0e-4e7d-4c2b-9d0e-0a1b2c3d4e5f".into(), operating_system: OperatingSystem::Ubuntu }
}

fn authority(name: &str) -> CertificatePair {
    // The in-memory provider knows no other keys.
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    CertificatePair { certificate, private_key: key.serialize_pem().into() }
}
