//! How a cluster template is shown: keys, their order and their nulls are Magnum's.

use jeroboam_model::{ClusterTemplate, Labels, TemplateId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::edge::{Link, Links};
use crate::v1::time;

/// A cluster template.
#[derive(Serialize, ToSchema)]
pub(crate) struct TemplateView<'a> {
    #[schema(value_type = String, format = "uuid")]
    uuid: TemplateId,
    name: Option<&'a str>,
    coe: &'a str,
    image_id: Option<&'a str>,
    flavor_id: Option<&'a str>,
    master_flavor_id: Option<&'a str>,
    dns_nameserver: Option<&'a str>,
    keypair_id: Option<&'a str>,
    external_network_id: Option<&'a str>,
    fixed_network: Option<&'a str>,
    fixed_subnet: Option<&'a str>,
    network_driver: Option<&'a str>,
    apiserver_port: Option<i32>,
    docker_volume_size: Option<i32>,
    cluster_distro: Option<&'a str>,
    links: [Link; 2],
    http_proxy: Option<&'a str>,
    https_proxy: Option<&'a str>,
    no_proxy: Option<&'a str>,
    volume_driver: Option<&'a str>,
    registry_enabled: bool,
    #[schema(value_type = BTreeMap<String, String>)]
    labels: &'a Labels,
    tls_disabled: bool,
    public: bool,
    server_type: &'static str,
    insecure_registry: Option<&'a str>,
    docker_storage_driver: Option<&'a str>,
    master_lb_enabled: bool,
    floating_ip_enabled: bool,
    project_id: &'a str,
    user_id: &'a str,
    hidden: bool,
    tags: Option<&'a str>,
    driver: Option<&'a str>,
    created_at: String,
    updated_at: Option<String>,
}

impl<'a> TemplateView<'a> {
    /// The one form that templates have.
    pub(crate) fn new(template: &'a ClusterTemplate, links: &Links) -> Self {
        Self {
            uuid: template.id,
            name: template.name.as_deref(),
            coe: &template.coe,
            image_id: template.image_id.as_deref(),
            flavor_id: template.flavor_id.as_deref(),
            master_flavor_id: template.master_flavor_id.as_deref(),
            dns_nameserver: template.dns_nameserver.as_deref(),
            keypair_id: template.keypair_id.as_deref(),
            external_network_id: template.external_network_id.as_deref(),
            fixed_network: template.fixed_network.as_deref(),
            fixed_subnet: template.fixed_subnet.as_deref(),
            network_driver: template.network_driver.as_deref(),
            apiserver_port: template.apiserver_port,
            docker_volume_size: template.docker_volume_size,
            cluster_distro: template.cluster_distro.as_deref(),
            links: links.pair(&format!("clustertemplates/{}", template.id)),
            http_proxy: template.http_proxy.as_deref(),
            https_proxy: template.https_proxy.as_deref(),
            no_proxy: template.no_proxy.as_deref(),
            volume_driver: template.volume_driver.as_deref(),
            registry_enabled: template.registry_enabled,
            labels: &template.labels,
            tls_disabled: template.tls_disabled,
            public: template.public,
            server_type: template.server_type.as_str(),
            insecure_registry: template.insecure_registry.as_deref(),
            docker_storage_driver: template.docker_storage_driver.as_deref(),
            master_lb_enabled: template.master_lb_enabled,
            floating_ip_enabled: template.floating_ip_enabled,
            project_id: template.project.as_str(),
            user_id: template.user.as_str(),
            hidden: template.hidden,
            tags: template.tags.as_deref(),
            driver: template.driver.as_deref(),
            created_at: time(template.created_at),
            updated_at: template.updated_at.map(time),
        }
    }
}
