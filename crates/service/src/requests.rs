//! What callers ask for, in fields that are typed already.
//!
//! Lengths, patterns and ranges of single fields are checked where the wire format is read; what is decided from several
//! fields, from rows or from the cloud is decided here.

use std::collections::BTreeMap;

use jeroboam_model::{Cluster, ClusterId, HealthStatus, Labels, NodeGroup, Progress, ServerType, Status, TemplateId};

/// A cluster that is to be made. `None` is "not given": the template's value, or the default.
#[derive(Clone, Debug, Default)]
pub struct NewCluster {
    /// Number, id or name of the template.
    pub template: String,
    /// A generated one when absent.
    pub name: Option<String>,
    /// Nova key pair.
    pub keypair: Option<String>,
    /// Workers; 1 when absent.
    pub node_count: Option<i32>,
    /// Control plane nodes; 1 when absent.
    pub master_count: Option<i32>,
    /// GiB.
    pub docker_volume_size: Option<i32>,
    /// Absent and empty mean the template's.
    pub labels: Option<Labels>,
    /// Whether the labels are laid over the template's instead of replacing them.
    pub merge_labels: bool,
    /// Flavor of the control plane.
    pub master_flavor_id: Option<String>,
    /// Flavor of the workers.
    pub flavor_id: Option<String>,
    /// Minutes; 60 when absent, kept as NULL when null.
    pub create_timeout: Option<Option<i32>>,
    /// Free text, kept.
    pub discovery_url: Option<String>,
    /// Network that is there already.
    pub fixed_network: Option<String>,
    /// Subnet that is there already.
    pub fixed_subnet: Option<String>,
    /// Null means true. Magnum: the object's default wins over the template's value.
    pub floating_ip_enabled: Option<Option<bool>>,
    /// Null means the template's.
    pub master_lb_enabled: Option<bool>,
    /// The client speaks 1.9 or older: no empty groups, and an unknown template is a bad request.
    pub before_1_10: bool,
}

/// What a PATCH of a cluster may change; `None` leaves a field alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterChange {
    /// Size of the default worker group.
    pub node_count: Option<i32>,
    /// Health as an outside healer sees it.
    pub health_status: Option<Option<HealthStatus>>,
    /// Its reasons.
    pub health_status_reason: Option<BTreeMap<String, String>>,
    /// The client speaks 1.9 or older: no empty groups.
    pub before_1_10: bool,
}

/// A new size for a node group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resize {
    /// The size.
    pub node_count: i32,
    /// Nova server ids, machine names or node names that are to go first.
    pub nodes_to_remove: Vec<String>,
    /// Number, id or name of the group; the default worker when absent.
    pub nodegroup: Option<String>,
    /// The client speaks 1.9 or older: no empty groups.
    pub before_1_10: bool,
}

/// A move to another template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// Id or name of the template.
    pub template: String,
    /// How many nodes at a time; 1 when absent. Cluster API decides by its own rollout strategy.
    pub max_batch_size: Option<i32>,
    /// Number, id or name of the group; the default worker when absent.
    pub nodegroup: Option<String>,
}

/// A node group that is to be made.
#[derive(Clone, Debug, Default)]
pub struct NewNodeGroup {
    /// Unique within its cluster.
    pub name: String,
    /// 1 when absent.
    pub node_count: Option<i32>,
    /// 0 when absent.
    pub min_node_count: Option<i32>,
    /// `None` and 0 are no bound.
    pub max_node_count: Option<i32>,
    /// `worker` when absent.
    pub role: Option<String>,
    /// The cluster's when absent.
    pub flavor_id: Option<String>,
    /// The template's when absent.
    pub image_id: Option<String>,
    /// GiB.
    pub docker_volume_size: Option<i32>,
    /// The cluster's when absent.
    pub labels: Option<Labels>,
    /// Whether the labels are laid over the cluster's instead of replacing them.
    pub merge_labels: bool,
    /// Kubernetes labels of the nodes.
    pub node_labels: BTreeMap<String, String>,
    /// Kubernetes taints of the nodes, not looked at yet.
    pub node_taints: Vec<RawTaint>,
}

/// A taint as the client wrote it: `key`, `effect` and perhaps `value`.
pub type RawTaint = BTreeMap<String, String>;

/// What a PATCH of a node group may change; `None` leaves a field alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeGroupChange {
    /// The lower bound.
    pub min_node_count: Option<i32>,
    /// The upper bound.
    pub max_node_count: Option<Option<i32>>,
    /// All Kubernetes labels of the nodes.
    pub node_labels: Option<BTreeMap<String, String>>,
    /// All Kubernetes taints of the nodes.
    pub node_taints: Option<Vec<RawTaint>>,
}

/// A node group with the cluster it is in: its label differences are against the cluster's.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupInCluster {
    /// The cluster.
    pub cluster: Cluster,
    /// The group.
    pub group: NodeGroup,
}

/// A template that is to be made. `None` is "not given".
#[derive(Clone, Debug, Default)]
pub struct NewTemplate {
    /// Chosen by the client, else random.
    pub id: Option<TemplateId>,
    /// A generated one when absent.
    pub name: Option<String>,
    /// Glance image, name or id.
    pub image_id: String,
    /// Flavor of the workers.
    pub flavor_id: Option<String>,
    /// Flavor of the control plane.
    pub master_flavor_id: Option<String>,
    /// Nova key pair, looked at when a cluster is made.
    pub keypair_id: Option<String>,
    /// Network with the way out.
    pub external_network_id: Option<String>,
    /// Network that is there already.
    pub fixed_network: Option<String>,
    /// Subnet that is there already.
    pub fixed_subnet: Option<String>,
    /// Comma-separated IPv4 addresses.
    pub dns_nameserver: Option<String>,
    /// The configured default when absent.
    pub network_driver: Option<String>,
    /// `cinder`.
    pub volume_driver: Option<String>,
    /// `vm` when absent.
    pub server_type: ServerType,
    /// Port of the API.
    pub apiserver_port: Option<i32>,
    /// GiB.
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
    /// Not offered.
    pub hidden: bool,
    /// Whether the API stands behind a load balancer.
    pub master_lb_enabled: bool,
    /// True when absent.
    pub floating_ip_enabled: Option<bool>,
    /// Comma-separated words.
    pub tags: Option<String>,
    /// The driver by name; found from the image or the settings when absent.
    pub driver: Option<String>,
}

/// Which listing is asked for; each has its own policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// `GET /v1/clusters`.
    Short,
    /// `GET /v1/clusters/detail`.
    Detail,
}

/// A certificate authority's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificate {
    /// The cluster.
    pub cluster: ClusterId,
    /// Without a newline at the end.
    pub pem: String,
}

/// A certificate that is to be signed.
#[derive(Clone, Debug, Default)]
pub struct SignRequest {
    /// Id or name of the cluster.
    pub cluster: String,
    /// PKCS#10 in PEM.
    pub csr: String,
    /// `etcd`, `front-proxy`, `front_proxy`; everything else is the Kubernetes CA.
    pub ca_cert_type: Option<String>,
}

/// A certificate that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCertificate {
    /// The cluster.
    pub cluster: ClusterId,
    /// The request, as it came.
    pub csr: String,
    /// The certificate, without a newline at the end.
    pub pem: String,
    /// As asked for.
    pub ca_cert_type: Option<String>,
}

/// How far a cluster is, for a client that watches.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterProgress {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its status.
    pub status: Status,
    /// The reason for it.
    pub reason: Option<String>,
    /// Phases and machines.
    pub progress: Progress,
}
