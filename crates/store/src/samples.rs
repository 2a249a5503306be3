//! Rows to test with. Behind the feature `testing`.

use jeroboam_model::{
    CertificateRefs, Cluster, ClusterId, ClusterTemplate, KeyPairId, Labels, NodeGroup, NodeGroupId, ProjectId,
    ServerType, Status, TemplateId, Timestamp,
};

use crate::{KeyPair, NewCluster};

/// 2026-11-21 18:00 UTC, in whole seconds as the columns are.
#[must_use]
pub fn noon() -> Timestamp {
    Timestamp::from_second(1_795_284_000).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A template with the least that there must be.
#[must_use]
pub fn template(project: &str, name: &str) -> ClusterTemplate {
    ClusterTemplate {
        serial: 0,
        id: TemplateId::random(),
        name: Some(name.to_owned()),
        project: project.into(),
        user: "user-1".into(),
        coe: "kubernetes".to_owned(),
        image_id: Some("ubuntu-24.04-kube-v1.33.4".to_owned()),
        cluster_distro: Some("ubuntu".to_owned()),
        flavor_id: Some("m1.small".to_owned()),
        master_flavor_id: Some("m1.small".to_owned()),
        keypair_id: None,
        external_network_id: Some("public".to_owned()),
        fixed_network: None,
        fixed_subnet: None,
        dns_nameserver: Some("8.8.8.8".to_owned()),
        network_driver: Some("calico".to_owned()),
        volume_driver: Some("cinder".to_owned()),
        apiserver_port: None,
        docker_volume_size: Some(10),
        docker_storage_driver: None,
        http_proxy: None,
        https_proxy: None,
        no_proxy: None,
        insecure_registry: None,
        registry_enabled: false,
        labels: [("kube_tag", "v1.33.4"), ("größe", "😀")].into_iter().collect(),
        tls_disabled: false,
        public: false,
        hidden: false,
        server_type: ServerType::Vm,
        master_lb_enabled: true,
        floating_ip_enabled: true,
        tags: None,
        driver: Some("k8s_cluster_api_ubuntu".to_owned()),
        created_at: noon(),
        updated_at: None,
    }
}

/// A cluster with one control plane node and two workers, with a certificate and a secret.
#[must_use]
pub fn new_cluster(template: &ClusterTemplate, project: &str, name: &str) -> NewCluster {
    let id = ClusterId::random();
    let project: ProjectId = project.into();
    let ca = KeyPairId::random();
    let cluster = Cluster {
        serial: 0,
        id,
        name: Some(name.to_owned()),
        project: project.clone(),
        user: "user-1".into(),
        template: template.id,
        stack_id: None,
        status: Status::CREATE_IN_PROGRESS,
        status_reason: None,
        health_status: None,
        health_status_reason: [].into(),
        api_address: None,
        coe_version: None,
        container_version: None,
        discovery_url: None,
        keypair: Some("key".to_owned()),
        master_flavor_id: template.master_flavor_id.clone(),
        flavor_id: template.flavor_id.clone(),
        docker_volume_size: None,
        create_timeout: Some(60),
        labels: template.labels.clone(),
        fixed_network: None,
        fixed_subnet: None,
        floating_ip_enabled: true,
        master_lb_enabled: true,
        certificates: CertificateRefs { ca: Some(ca.into()), ..CertificateRefs::default() },
        created_at: noon(),
        updated_at: None,
    };
    let key_pair = KeyPair {
        id: ca,
        certificate: "-----BEGIN CERTIFICATE-----".to_owned(),
        private_key: "-----BEGIN ENCRYPTED PRIVATE KEY-----".into(),
        passphrase: "abcdefghijkl".into(),
        intermediates: None,
        project,
        user: "user-1".into(),
    };
    NewCluster {
        groups: vec![group(&cluster, "default-master", "master", 1), group(&cluster, "default-worker", "worker", 2)],
        cluster,
        key_pairs: vec![key_pair],
        secrets: vec![("cloud-config".to_owned(), "clouds: {}".into())],
        deadline: Some(noon()),
        credential: None,
    }
}

/// A node group; a default one where its name begins so.
#[must_use]
pub fn group(cluster: &Cluster, name: &str, role: &str, count: i32) -> NodeGroup {
    NodeGroup {
        serial: 0,
        id: NodeGroupId::random(),
        name: name.to_owned(),
        cluster: cluster.id,
        project: cluster.project.clone(),
        role: role.to_owned(),
        is_default: name.starts_with("default"),
        node_count: count,
        min_node_count: 0,
        max_node_count: None,
        flavor_id: cluster.flavor_id.clone(),
        image_id: Some("ubuntu-24.04-kube-v1.33.4".to_owned()),
        docker_volume_size: None,
        labels: Labels::default(),
        node_labels: [].into(),
        node_taints: Vec::new(),
        node_addresses: Vec::new(),
        stack_id: None,
        status: Status::CREATE_IN_PROGRESS,
        status_reason: None,
        version: None,
        created_at: noon(),
        updated_at: None,
    }
}
