//! From nouns to rows: what an INSERT or an UPDATE writes.

use jeroboam_model::{CertificateRef, Cluster, ClusterTemplate, Labels, NodeGroup, Progress, Removal};
use sea_orm::ActiveValue::{NotSet, Set};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::entity::{cluster, cluster_template, nodegroup, x509keypair};
use crate::rows::database_time;
use crate::{KeyPair, json};

pub(crate) fn labels(labels: &Labels) -> String {
    json::dumps_map(labels.iter())
}

pub(crate) fn texts(map: &std::collections::BTreeMap<String, String>) -> String {
    json::dumps_map(map.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

pub(crate) fn list(items: &[String]) -> String {
    json::dumps(&Value::from(items.to_vec()))
}

pub(crate) fn taints(group: &NodeGroup) -> String {
    json::dumps(&json!(group.node_taints))
}

pub(crate) fn removals(removals: &[Removal]) -> String {
    json::dumps(&json!(removals))
}

pub(crate) fn progress(progress: &Progress) -> String {
    json::dumps(&json!(progress))
}

/// How a reference is written.
pub(crate) fn text(reference: &Option<CertificateRef>) -> Option<String> {
    reference.as_ref().map(ToString::to_string)
}

/// A new row for a cluster.
pub(crate) fn new_cluster(new: &Cluster) -> cluster::ActiveModel {
    let refs = &new.certificates;
    cluster::ActiveModel {
        created_at: Set(Some(database_time(new.created_at))),
        updated_at: Set(new.updated_at.map(database_time)),
        id: NotSet,
        uuid: Set(Some(new.id.to_string())),
        name: Set(new.name.clone()),
        cluster_template_id: Set(Some(new.template.to_string())),
        keypair: Set(new.keypair.clone()),
        docker_volume_size: Set(new.docker_volume_size),
        labels: Set(Some(labels(&new.labels))),
        master_flavor_id: Set(new.master_flavor_id.clone()),
        flavor_id: Set(new.flavor_id.clone()),
        create_timeout: Set(new.create_timeout),
        stack_id: Set(new.stack_id.clone()),
        status: Set(Some(new.status.as_str().to_owned())),
        status_reason: Set(new.status_reason.clone()),
        health_status: Set(new.health_status.map(|health| health.as_str().to_owned())),
        health_status_reason: Set(Some(texts(&new.health_status_reason))),
        discovery_url: Set(new.discovery_url.clone()),
        api_address: Set(new.api_address.clone()),
        coe_version: Set(new.coe_version.clone()),
        container_version: Set(new.container_version.clone()),
        project_id: Set(Some(new.project.to_string())),
        user_id: Set(Some(new.user.to_string())),
        ca_cert_ref: Set(text(&refs.ca)),
        magnum_cert_ref: Set(text(&refs.client)),
        etcd_ca_cert_ref: Set(text(&refs.etcd_ca)),
        front_proxy_ca_cert_ref: Set(text(&refs.front_proxy_ca)),
        fixed_network: Set(new.fixed_network.clone()),
        fixed_subnet: Set(new.fixed_subnet.clone()),
        floating_ip_enabled: Set(Some(new.floating_ip_enabled)),
        master_lb_enabled: Set(Some(new.master_lb_enabled)),
    }
}

/// A new row for a node group.
pub(crate) fn new_group(new: &NodeGroup) -> nodegroup::ActiveModel {
    nodegroup::ActiveModel {
        created_at: Set(Some(database_time(new.created_at))),
        updated_at: Set(new.updated_at.map(database_time)),
        id: NotSet,
        uuid: Set(new.id.to_string()),
        name: Set(new.name.clone()),
        cluster_id: Set(new.cluster.to_string()),
        project_id: Set(new.project.to_string()),
        docker_volume_size: Set(new.docker_volume_size),
        labels: Set(Some(labels(&new.labels))),
        flavor_id: Set(new.flavor_id.clone()),
        image_id: Set(new.image_id.clone()),
        node_addresses: Set(Some(list(&new.node_addresses))),
        node_count: Set(Some(new.node_count)),
        max_node_count: Set(new.max_node_count),
        min_node_count: Set(Some(new.min_node_count)),
        role: Set(Some(new.role.clone())),
        is_default: Set(Some(new.is_default)),
        stack_id: Set(new.stack_id.clone()),
        status: Set(Some(new.status.as_str().to_owned())),
        status_reason: Set(new.status_reason.clone()),
        version: Set(new.version.clone()),
        node_labels: Set(Some(texts(&new.node_labels))),
        node_taints: Set(Some(taints(new))),
    }
}

/// What a request may change of a node group.
pub(crate) fn changed_group(group: &NodeGroup) -> nodegroup::ActiveModel {
    nodegroup::ActiveModel {
        labels: Set(Some(labels(&group.labels))),
        image_id: Set(group.image_id.clone()),
        node_count: Set(Some(group.node_count)),
        max_node_count: Set(group.max_node_count),
        min_node_count: Set(Some(group.min_node_count)),
        status: Set(Some(group.status.as_str().to_owned())),
        status_reason: Set(group.status_reason.clone()),
        node_labels: Set(Some(texts(&group.node_labels))),
        node_taints: Set(Some(taints(group))),
        ..Default::default()
    }
}

/// All of a template but its number and its times.
pub(crate) fn template(template: &ClusterTemplate) -> cluster_template::ActiveModel {
    cluster_template::ActiveModel {
        created_at: NotSet,
        updated_at: NotSet,
        id: NotSet,
        uuid: Set(Some(template.id.to_string())),
        name: Set(template.name.clone()),
        image_id: Set(template.image_id.clone()),
        flavor_id: Set(template.flavor_id.clone()),
        master_flavor_id: Set(template.master_flavor_id.clone()),
        keypair_id: Set(template.keypair_id.clone()),
        external_network_id: Set(template.external_network_id.clone()),
        fixed_network: Set(template.fixed_network.clone()),
        fixed_subnet: Set(template.fixed_subnet.clone()),
        network_driver: Set(template.network_driver.clone()),
        volume_driver: Set(template.volume_driver.clone()),
        dns_nameserver: Set(template.dns_nameserver.clone()),
        apiserver_port: Set(template.apiserver_port),
        docker_volume_size: Set(template.docker_volume_size),
        docker_storage_driver: Set(template.docker_storage_driver.clone()),
        cluster_distro: Set(template.cluster_distro.clone()),
        coe: Set(Some(template.coe.clone())),
        http_proxy: Set(template.http_proxy.clone()),
        https_proxy: Set(template.https_proxy.clone()),
        no_proxy: Set(template.no_proxy.clone()),
        registry_enabled: Set(Some(template.registry_enabled)),
        labels: Set(Some(labels(&template.labels))),
        tls_disabled: Set(Some(template.tls_disabled)),
        public: Set(Some(template.public)),
        server_type: Set(Some(template.server_type.as_str().to_owned())),
        insecure_registry: Set(template.insecure_registry.clone()),
        master_lb_enabled: Set(Some(template.master_lb_enabled)),
        floating_ip_enabled: Set(Some(template.floating_ip_enabled)),
        project_id: Set(Some(template.project.to_string())),
        user_id: Set(Some(template.user.to_string())),
        hidden: Set(Some(template.hidden)),
        tags: Set(template.tags.clone()),
        driver: Set(template.driver.clone()),
    }
}

/// A new row for a certificate.
pub(crate) fn new_key_pair(new: &KeyPair, now: sea_orm::prelude::DateTime) -> x509keypair::ActiveModel {
    x509keypair::ActiveModel {
        created_at: Set(Some(now)),
        updated_at: Set(None),
        id: NotSet,
        uuid: Set(Some(new.id.to_string())),
        certificate: Set(Some(new.certificate.clone())),
        private_key: Set(Some(new.private_key.expose_secret().to_owned())),
        private_key_passphrase: Set(Some(new.passphrase.expose_secret().to_owned())),
        intermediates: Set(new.intermediates.clone()),
        project_id: Set(Some(new.project.to_string())),
        user_id: Set(Some(new.user.to_string())),
    }
}
