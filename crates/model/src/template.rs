//! What clusters are made from.

use serde::{Deserialize, Serialize};

use crate::{Labels, ProjectId, TemplateId, Timestamp, UserId};

/// A cluster template. References to images, flavors and networks stay as they were given: names or ids.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterTemplate {
    /// Number of the row; clients may name a template by it.
    pub serial: i64,
    /// Its id for good; a client may choose it.
    pub id: TemplateId,
    /// Names may repeat.
    pub name: Option<String>,
    /// The project that owns it.
    pub project: ProjectId,
    /// Who made it.
    pub user: UserId,
    /// `kubernetes`; old rows may hold other engines.
    pub coe: String,
    /// Glance image.
    pub image_id: Option<String>,
    /// `os_distro` of the image.
    pub cluster_distro: Option<String>,
    /// Flavor of the workers.
    pub flavor_id: Option<String>,
    /// Flavor of the control plane.
    pub master_flavor_id: Option<String>,
    /// Nova key pair.
    pub keypair_id: Option<String>,
    /// Network with the way out, and floating IPs.
    pub external_network_id: Option<String>,
    /// Network that is there already.
    pub fixed_network: Option<String>,
    /// Subnet that is there already.
    pub fixed_subnet: Option<String>,
    /// Comma-separated IPv4 addresses.
    pub dns_nameserver: Option<String>,
    /// `flannel`, `calico`, `cilium`.
    pub network_driver: Option<String>,
    /// `cinder`.
    pub volume_driver: Option<String>,
    /// Port of the API.
    pub apiserver_port: Option<i32>,
    /// Size of the container volume in GiB.
    pub docker_volume_size: Option<i32>,
    /// Free text.
    pub docker_storage_driver: Option<String>,
    /// Proxy for plain requests.
    pub http_proxy: Option<String>,
    /// Proxy for TLS requests.
    pub https_proxy: Option<String>,
    /// What goes around the proxies.
    pub no_proxy: Option<String>,
    /// A registry without TLS.
    pub insecure_registry: Option<String>,
    /// Whether nodes get a registry.
    pub registry_enabled: bool,
    /// Settings for the driver.
    pub labels: Labels,
    /// Dead setting of old drivers.
    pub tls_disabled: bool,
    /// Readable by every project.
    pub public: bool,
    /// Not offered; only its project and administrators see it.
    pub hidden: bool,
    /// Virtual machines or bare metal.
    pub server_type: ServerType,
    /// Whether the API stands behind a load balancer.
    pub master_lb_enabled: bool,
    /// Whether the API gets a floating IP.
    pub floating_ip_enabled: bool,
    /// Comma-separated words.
    pub tags: Option<String>,
    /// The driver by name.
    pub driver: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last change of the row.
    pub updated_at: Option<Timestamp>,
}

/// What nodes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerType {
    /// Virtual machines.
    #[default]
    Vm,
    /// Bare metal.
    Bm,
}

impl ServerType {
    /// The wire and column form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::Bm => "bm",
        }
    }
}
