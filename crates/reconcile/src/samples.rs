//! Rows for tests: a cluster as a plain request leaves it.

use std::collections::BTreeMap;

use jeroboam_capi::{CertificatePair, Certificates, Credential};
use jeroboam_model::{
    CertificateRefs, Cluster, ClusterId, ClusterTemplate, ClusterWithGroups, Labels, NodeGroup, NodeGroupId, Operation,
    Progress, ServerType, Status, TemplateId, Timestamp, Work,
};

use crate::resolve::{ImageFacts, Inputs, Keys};

pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

pub(crate) fn template() -> ClusterTemplate {
    ClusterTemplate {
        serial: 1,
        id: TemplateId::random(),
        name: Some("plain".into()),
        project: "p1".into(),
        user: "u1".into(),
        coe: "kubernetes".into(),
        image_id: Some("ubuntu-kube".into()),
        cluster_distro: Some("ubuntu".into()),
        flavor_id: Some("m1.medium".into()),
        master_flavor_id: Some("m1.large".into()),
        keypair_id: None,
        external_network_id: Some("public".into()),
        fixed_network: None,
        fixed_subnet: None,
        dns_nameserver: Some("8.8.8.8, 1.1.1.1".into()),
        network_driver: Some("calico".into()),
        volume_driver: None,
        apiserver_port: None,
        docker_volume_size: None,
        docker_storage_driver: None,
        http_proxy: None,
        https_proxy: None,
        no_proxy: None,
        insecure_registry: None,
        registry_enabled: false,
        labels: Labels::default(),
        tls_disabled: false,
        public: false,
        hidden: false,
        server_type: ServerType::Vm,
        master_lb_enabled: true,
        floating_ip_enabled: true,
        tags: None,
        driver: None,
        created_at: now(),
        updated_at: None,
    }
}

pub(crate) fn group(cluster: ClusterId, name: &str, role: &str, count: i32, status: Status) -> NodeGroup {
    NodeGroup {
        serial: 1,
        id: NodeGroupId::random(),
        name: name.into(),
        cluster,
        project: "p1".into(),
        role: role.into(),
        is_default: name.starts_with("default"),
        node_count: count,
        min_node_count: 0,
        max_node_count: None,
        flavor_id: None,
        image_id: None,
        docker_volume_size: None,
        labels: Labels::default(),
        node_labels: BTreeMap::new(),
        node_taints: Vec::new(),
        node_addresses: Vec::new(),
        stack_id: None,
        status,
        status_reason: None,
        version: None,
        created_at: now(),
        updated_at: None,
    }
}

/// One control plane node and two workers, all in `status`.
pub(crate) fn view(status: Status) -> ClusterWithGroups {
    let id = ClusterId::random();
    let cluster = Cluster {
        serial: 1,
        id,
        name: Some("blue".into()),
        project: "p1".into(),
        user: "u1".into(),
        template: TemplateId::random(),
        stack_id: None,
        status,
        status_reason: None,
        health_status: None,
        health_status_reason: BTreeMap::new(),
        api_address: None,
        coe_version: None,
        container_version: None,
        discovery_url: None,
        keypair: None,
        master_flavor_id: None,
        flavor_id: None,
        docker_volume_size: None,
        create_timeout: None,
        labels: [("kube_tag", "v1.33.4")].into_iter().collect(),
        fixed_network: None,
        fixed_subnet: None,
        floating_ip_enabled: true,
        master_lb_enabled: true,
        certificates: CertificateRefs::default(),
        created_at: now(),
        updated_at: None,
    };
    let groups =
        vec![group(id, "default-master", "master", 1, status), group(id, "default-worker", "worker", 2, status)];
    ClusterWithGroups { cluster, groups, template_labels: None }
}

/// Work that began ten minutes ago and may take an hour.
pub(crate) fn work(cluster: ClusterId, operation: Operation) -> Work {
    let began = now() - std::time::Duration::from_secs(600);
    Work {
        cluster,
        operation,
        revision: 1,
        began,
        deadline: (operation != Operation::Observe).then(|| began + std::time::Duration::from_secs(3600)),
        attempts: 0,
        removals: Vec::new(),
        progress: Progress::default(),
    }
}

pub(crate) fn inputs() -> Inputs {
    let image = |id: &str, version: Option<&str>| ImageFacts {
        id: id.into(),
        os_distro: Some("ubuntu".into()),
        kube_version: version.map(str::to_owned),
    };
    Inputs {
        deployed: std::collections::BTreeSet::new(),
        floating_ip: None,
        images: [
            ("ubuntu-kube".to_owned(), image("image-1", None)),
            ("ubuntu-34".to_owned(), image("image-2", Some("v1.34.1"))),
        ]
        .into(),
        flavors: [("m1.medium", "m1.medium"), ("m1.large", "m1.large"), ("42", "m1.huge")]
            .map(|(reference, name)| (reference.to_owned(), name.to_owned()))
            .into(),
        fixed_network: None,
        fixed_subnet: None,
        external_network: Some("net-public".into()),
    }
}

pub(crate) fn keys() -> Keys {
    let pair = || CertificatePair { certificate: "CERT".into(), private_key: "KEY".into() };
    Keys {
        credential: Credential {
            auth_url: "http://keystone/v3".into(),
            region: None,
            interface: "public".into(),
            id: "ac".into(),
            secret: "secret".into(),
            verify: true,
            cacert: None,
        },
        certificates: Certificates { ca: pair(), etcd: pair(), front_proxy: pair(), service_account: pair() },
    }
}
