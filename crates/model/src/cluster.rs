//! A cluster as its tenant asked for it and as it was last seen.

use std::collections::BTreeMap;

use crate::{
    CertificateRef, ClusterId, HealthStatus, Labels, NodeGroup, ProjectId, Status, TemplateId, Timestamp, UserId,
};

/// A Kubernetes cluster. What `None` means is Magnum's: not given, or not known yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Number of the row; the tie-breaker of every ordering.
    pub serial: i64,
    /// Its id for good.
    pub id: ClusterId,
    /// What the tenant calls it; several clusters of a project may share a name.
    pub name: Option<String>,
    /// The project that owns it.
    pub project: ProjectId,
    /// Who made it; the certificate policies compare with this.
    pub user: UserId,
    /// The template it follows; an upgrade changes it.
    pub template: TemplateId,
    /// The name of its objects in the management cluster. Magnum: `stack_id`.
    pub stack_id: Option<String>,
    /// State of the last operation.
    pub status: Status,
    /// Progress while running, the deepest known cause when failed.
    pub status_reason: Option<String>,
    /// Whether it works.
    pub health_status: Option<HealthStatus>,
    /// What was looked at and what it said; every value is text.
    pub health_status_reason: BTreeMap<String, String>,
    /// `https://host:port`, as soon as the endpoint is known.
    pub api_address: Option<String>,
    /// The Kubernetes version that runs, the lowest of its control plane.
    pub coe_version: Option<String>,
    /// Never filled by Cluster API drivers.
    pub container_version: Option<String>,
    /// Never filled by Cluster API drivers.
    pub discovery_url: Option<String>,
    /// Nova key pair of the nodes.
    pub keypair: Option<String>,
    /// Flavor of the control plane, name or id as given.
    pub master_flavor_id: Option<String>,
    /// Flavor of the workers, name or id as given.
    pub flavor_id: Option<String>,
    /// Size of the container volume in GiB.
    pub docker_volume_size: Option<i32>,
    /// Deadline of the creation in minutes; `None` and 0 mean the configured default.
    pub create_timeout: Option<i32>,
    /// Settings for the driver.
    pub labels: Labels,
    /// Neutron network that was there before, name or id as given.
    pub fixed_network: Option<String>,
    /// Neutron subnet that was there before, name or id as given.
    pub fixed_subnet: Option<String>,
    /// Whether the API gets a floating IP.
    pub floating_ip_enabled: bool,
    /// Whether the API stands behind a load balancer.
    pub master_lb_enabled: bool,
    /// Where its certificates are kept.
    pub certificates: CertificateRefs,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Last change of the row.
    pub updated_at: Option<Timestamp>,
}

impl Cluster {
    /// The name, or the id where there is none.
    #[must_use]
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// Where the certificates of a cluster are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateRefs {
    /// The Kubernetes CA.
    pub ca: Option<CertificateRef>,
    /// The service's own client certificate, `O=system:masters`.
    pub client: Option<CertificateRef>,
    /// The etcd CA.
    pub etcd_ca: Option<CertificateRef>,
    /// The front proxy CA.
    pub front_proxy_ca: Option<CertificateRef>,
}

impl CertificateRefs {
    /// Those that there are.
    pub fn iter(&self) -> impl Iterator<Item = &CertificateRef> {
        [&self.ca, &self.client, &self.etcd_ca, &self.front_proxy_ca].into_iter().flatten()
    }
}

/// A cluster with all of its node groups, read in one query.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterWithGroups {
    /// The cluster.
    pub cluster: Cluster,
    /// Its node groups, oldest first.
    pub groups: Vec<NodeGroup>,
    /// Labels of its template, read without regard to who may see the template; `None` when the template is gone.
    pub template_labels: Option<Labels>,
}

impl ClusterWithGroups {
    /// Sum over the control plane groups. Magnum: `master_count`.
    #[must_use]
    pub fn control_plane_count(&self) -> i32 {
        self.groups.iter().filter(|group| group.is_control_plane()).map(|group| group.node_count).sum()
    }

    /// Sum over all other groups. Magnum: `node_count`.
    #[must_use]
    pub fn worker_count(&self) -> i32 {
        self.groups.iter().filter(|group| !group.is_control_plane()).map(|group| group.node_count).sum()
    }

    /// The group that a resize without a group means: the first default one that is no control plane.
    #[must_use]
    pub fn default_worker(&self) -> Option<&NodeGroup> {
        self.groups.iter().find(|group| group.is_default && !group.is_control_plane())
    }

    /// The control plane's group.
    #[must_use]
    pub fn default_control_plane(&self) -> Option<&NodeGroup> {
        self.groups.iter().find(|group| group.is_default && group.is_control_plane())
    }
}
