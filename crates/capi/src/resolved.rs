//! A cluster with everything looked up: what [`build`](crate::build()) works from.

use std::collections::BTreeMap;

use jeroboam_model::{ClusterId, KubeRelease, NodeGroupId, ProjectId, Taint, UserId};
use secrecy::SecretString;
use serde_json::Value;

use crate::ClusterKey;

/// Everything about a cluster that its objects need, looked up and valid.
#[derive(Clone, Debug)]
pub struct ResolvedCluster {
    /// Namespace and name of its objects.
    pub key: ClusterKey,
    /// Its id.
    pub id: ClusterId,
    /// Its project.
    pub project: ProjectId,
    /// Who made it.
    pub user: UserId,
    /// The Kubernetes release of all its machines.
    pub release: KubeRelease,
    /// The control plane.
    pub control_plane: ControlPlaneGroup,
    /// All other node groups; those that are to go are left out.
    pub workers: Vec<WorkerGroup>,
    /// Where the nodes are connected.
    pub network: Network,
    /// Addresses of name servers for a network that is made for the cluster.
    pub dns_nameservers: Vec<String>,
    /// How the API is reached.
    pub api: ApiEndpoint,
    /// Nova key pair of the nodes.
    pub ssh_key: Option<String>,
    /// Ranges inside the cluster.
    pub cluster_network: ClusterNetwork,
    /// What becomes of machines that fail; `None` leaves them as they are.
    pub healing: Option<Healing>,
    /// How the cluster's controllers speak to OpenStack.
    pub credential: Credential,
    /// Certificates that exist before the cluster, so that both sides trust the same authorities.
    pub certificates: Certificates,
    /// Values for variables that only the operator's class knows, by name; those that it does not declare are left out.
    pub extra_variables: BTreeMap<String, Value>,
}

/// The control plane's machines.
#[derive(Clone, Debug)]
pub struct ControlPlaneGroup {
    /// The node group.
    pub id: NodeGroupId,
    /// How many machines; odd.
    pub count: u32,
    /// Name of the Nova flavor.
    pub flavor: String,
    /// What they boot.
    pub image: Image,
    /// Disk that outlives nothing but is larger than the flavor's.
    pub boot_volume: Option<BootVolume>,
    /// Availability zones to spread over; empty leaves it to the cloud.
    pub availability_zones: Vec<String>,
}

/// Worker machines that are alike.
#[derive(Clone, Debug)]
pub struct WorkerGroup {
    /// The node group.
    pub id: NodeGroupId,
    /// Its name, as the tenant gave it.
    pub name: String,
    /// What it is for; becomes the node's role.
    pub role: String,
    /// How many machines.
    pub count: u32,
    /// Where an autoscaler chooses the number.
    pub autoscaling: Option<Autoscaling>,
    /// Name of the Nova flavor.
    pub flavor: String,
    /// What they boot.
    pub image: Image,
    /// Disk to boot from instead of the flavor's.
    pub boot_volume: Option<BootVolume>,
    /// The one availability zone of the group; `None` leaves it to the cloud.
    pub availability_zone: Option<String>,
    /// Kubernetes labels of the nodes.
    pub node_labels: BTreeMap<String, String>,
    /// Kubernetes taints of the nodes.
    pub node_taints: Vec<Taint>,
}

/// The bounds within which an autoscaler chooses the size of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// No fewer machines.
    pub min: u32,
    /// No more machines.
    pub max: u32,
    /// Whether the group is there already. Its size is the autoscaler's from then on, and we say none.
    pub begun: bool,
}

/// A Glance image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// What is on it.
    pub operating_system: OperatingSystem,
}

/// What nodes run, from the image's `os_distro`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OperatingSystem {
    /// Ubuntu and its relatives, with cloud-init.
    #[default]
    Ubuntu,
    /// Flatcar Container Linux, with ignition.
    Flatcar,
}

impl OperatingSystem {
    /// The value of the class variable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ubuntu => "ubuntu",
            Self::Flatcar => "flatcar",
        }
    }

    /// Reads `os_distro`; `None` for systems that we cannot set up.
    #[must_use]
    pub fn from_distro(distro: &str) -> Option<Self> {
        match distro.to_ascii_lowercase().as_str() {
            "ubuntu" | "ubuntu-focal" | "debian" => Some(Self::Ubuntu),
            "flatcar" => Some(Self::Flatcar),
            _ => None,
        }
    }
}

/// A Cinder volume that a machine boots from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootVolume {
    /// In GiB.
    pub size: u32,
    /// Volume type; the cloud's default when `None`.
    pub volume_type: Option<String>,
    /// Where it is made; near the machine when `None`.
    pub availability_zone: Option<String>,
}

/// Where nodes are connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// A network, subnet and router of the cluster's own.
    Managed {
        /// Range of the subnet.
        cidr: String,
        /// Id of the network with the way out; the only one there is when `None`.
        external: Option<String>,
    },
    /// A network that is there already.
    Existing {
        /// Id of the network.
        network: String,
        /// Id of the one subnet to use; all of the network's when `None`.
        subnet: Option<String>,
        /// Id of the network that floating IPs come from.
        external: Option<String>,
    },
}

impl Network {
    /// Id of the network with the way out.
    #[must_use]
    pub fn external(&self) -> Option<&str> {
        match self {
            Self::Managed { external, .. } | Self::Existing { external, .. } => external.as_deref(),
        }
    }
}

/// How the Kubernetes API is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiEndpoint {
    /// Behind an Octavia load balancer.
    pub load_balancer: bool,
    /// With a floating IP.
    pub floating_ip: bool,
    /// This floating IP, which is there already.
    pub floating_ip_address: Option<String>,
    /// Octavia provider; the cloud's default when `None`.
    pub provider: Option<String>,
    /// Octavia flavor.
    pub lb_flavor: Option<String>,
    /// Octavia availability zone.
    pub lb_availability_zone: Option<String>,
    /// Who may connect; everybody when empty.
    pub allowed_cidrs: Vec<String>,
    /// Names and addresses that the API's certificate holds besides Cluster API's own.
    pub cert_sans: Vec<String>,
}

impl Default for ApiEndpoint {
    fn default() -> Self {
        Self {
            load_balancer: true,
            floating_ip: true,
            floating_ip_address: None,
            provider: None,
            lb_flavor: None,
            lb_availability_zone: None,
            allowed_cidrs: Vec::new(),
            cert_sans: Vec::new(),
        }
    }
}

/// Ranges and names inside the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterNetwork {
    /// Range of the pods.
    pub pods: String,
    /// Range of the services.
    pub services: String,
    /// DNS domain of the services.
    pub domain: String,
}

impl Default for ClusterNetwork {
    fn default() -> Self {
        Self {
            pods: "10.100.0.0/16".to_owned(),
            services: "10.254.0.0/16".to_owned(),
            domain: "cluster.local".to_owned(),
        }
    }
}

/// When a machine counts as failed and is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Healing {
    /// Seconds that a node may be not ready.
    pub not_ready_seconds: u32,
    /// Seconds that a machine may take to become a node.
    pub startup_seconds: u32,
    /// Nothing is replaced while more than this share of a group is ill, in percent.
    pub at_most_percent: u8,
}

impl Default for Healing {
    fn default() -> Self {
        Self { not_ready_seconds: 300, startup_seconds: 1200, at_most_percent: 80 }
    }
}

/// An application credential and how to use it.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Keystone as the cluster's controllers reach it.
    pub auth_url: String,
    /// The region.
    pub region: Option<String>,
    /// `public`, `internal` or `admin`.
    pub interface: String,
    /// The application credential's id.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
    /// Whether certificates are checked.
    pub verify: bool,
    /// Authorities that OpenStack's certificates come from, PEM.
    pub cacert: Option<String>,
}

/// The authorities of a cluster, as PEM. Keys are RSA: kubeadm's tools and Cluster API's in-memory provider take no others
/// everywhere.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The Kubernetes CA.
    pub ca: CertificatePair,
    /// The etcd CA.
    pub etcd: CertificatePair,
    /// The front proxy CA.
    pub front_proxy: CertificatePair,
    /// Signs service account tokens. Cluster API wants the **public key** here; a certificate does as well.
    pub service_account: CertificatePair,
}

/// A certificate, or public key, and its private key.
#[derive(Clone, Debug)]
pub struct CertificatePair {
    /// PEM.
    pub certificate: String,
    /// PEM, not encrypted.
    pub private_key: SecretString,
}
