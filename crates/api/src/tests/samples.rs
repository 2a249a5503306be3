//! A cluster and a template, as small as they may be.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue, Uri};
use jeroboam_model::{
    CertificateRefs, Cluster, ClusterId, ClusterTemplate, ClusterWithGroups, HealthStatus, Labels, NodeGroup,
    NodeGroupId, ServerType, Status, TemplateId, Timestamp,
};
use uuid::Uuid;

use crate::config::ApiConfig;
use crate::edge::Links;

/// `http://cloud:9511`.
pub(crate) fn links() -> Links {
    let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("cloud:9511"))]);
    Links::of(&Uri::from_static("/"), &headers, &ApiConfig::new("http://keystone"))
}

fn instant() -> Timestamp {
    "2026-11-20T23:55:35.123Z".parse().expect("an instant")
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

/// A cluster of one control plane node and two workers.
pub(crate) fn cluster() -> ClusterWithGroups {
    let id = ClusterId::from(Uuid::from_u128(1));
    let cluster = Cluster {
        serial: 1,
        id,
        name: Some("one".to_owned()),
        project: "p1".into(),
        user: "u1".into(),
        template: TemplateId::from(Uuid::from_u128(2)),
        stack_id: Some("one-abc".to_owned()),
        status: Status::CREATE_COMPLETE,
        status_reason: None,
        health_status: Some(HealthStatus::Healthy),
        health_status_reason: BTreeMap::from([("api".to_owned(), "ok".to_owned())]),
        api_address: Some("https://192.0.2.1:6443".to_owned()),
        coe_version: Some("v1.33.4".to_owned()),
        container_version: None,
        discovery_url: None,
        keypair: None,
        master_flavor_id: Some("m1.small".to_owned()),
        flavor_id: Some("m1.small".to_owned()),
        docker_volume_size: None,
        create_timeout: Some(60),
        labels: labels(&[("kube_tag", "v1.33.4"), ("own", "1"), ("both", "child")]),
        fixed_network: None,
        fixed_subnet: None,
        floating_ip_enabled: true,
        master_lb_enabled: false,
        certificates: CertificateRefs::default(),
        created_at: instant(),
        updated_at: None,
    };
    let groups = vec![
        group(1, id, "default-master", "master", 1, "10.0.0.5"),
        group(2, id, "default-worker", "worker", 2, "10.0.0.6"),
    ];
    let parent = labels(&[("kube_tag", "v1.33.4"), ("both", "parent"), ("gone", "1")]);
    ClusterWithGroups { cluster, groups, template_labels: Some(parent) }
}

fn group(serial: u16, cluster: ClusterId, name: &str, role: &str, node_count: i32, address: &str) -> NodeGroup {
    NodeGroup {
        serial: serial.into(),
        id: NodeGroupId::from(Uuid::from_u128(10 + u128::from(serial))),
        name: name.to_owned(),
        cluster,
        project: "p1".into(),
        role: role.to_owned(),
        is_default: true,
        node_count,
        min_node_count: 0,
        max_node_count: None,
        flavor_id: Some("m1.small".to_owned()),
        image_id: Some("image".to_owned()),
        docker_volume_size: None,
        labels: labels(&[("kube_tag", "v1.33.4")]),
        node_labels: BTreeMap::new(),
        node_taints: Vec::new(),
        node_addresses: vec![address.to_owned()],
        stack_id: Some("one-abc".to_owned()),
        status: Status::CREATE_COMPLETE,
        status_reason: None,
        version: None,
        created_at: instant(),
        updated_at: None,
    }
}

/// A template without anything optional.
pub(crate) fn template() -> ClusterTemplate {
    ClusterTemplate {
        serial: 1,
        id: TemplateId::from(Uuid::from_u128(2)),
        name: Some("small".to_owned()),
        project: "p1".into(),
        user: "u1".into(),
        coe: "kubernetes".to_owned(),
        image_id: Some("image".to_owned()),
        cluster_distro: Some("ubuntu".to_owned()),
        flavor_id: Some("m1.small".to_owned()),
        master_flavor_id: None,
        keypair_id: None,
        external_network_id: Some("public".to_owned()),
        fixed_network: None,
        fixed_subnet: None,
        dns_nameserver: Some("8.8.8.8".to_owned()),
        network_driver: Some("calico".to_owned()),
        volume_driver: None,
        apiserver_port: None,
        docker_volume_size: None,
        docker_storage_driver: None,
        http_proxy: None,
        https_proxy: None,
        no_proxy: None,
        insecure_registry: None,
        registry_enabled: false,
        labels: labels(&[("kube_tag", "v1.33.4")]),
        tls_disabled: false,
        public: false,
        hidden: false,
        server_type: ServerType::Vm,
        master_lb_enabled: false,
        floating_ip_enabled: true,
        tags: None,
        driver: Some("k8s_cluster_api_ubuntu".to_owned()),
        created_at: instant(),
        updated_at: None,
    }
}
