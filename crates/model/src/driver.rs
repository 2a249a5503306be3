//! The drivers that Magnum's clouds had: who made a cluster that was not made here, and what that means for it.

/// A kind of driver, as far as it matters to a cluster that another service left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriverFamily {
    /// Cluster API through ClusterClass: magnum-cluster-api, and ours under the same names.
    Topology,
    /// Cluster API through a Helm chart: magnum-capi-helm.
    Helm,
    /// A Heat stack. Magnum 23 knows none of these any more.
    Heat,
    /// Nothing that was ever part of Magnum or of the two drivers above.
    Unknown,
}

/// Names with which Magnum's Heat drivers registered.
const HEAT: [&str; 8] = [
    "k8s_coreos_v1",
    "k8s_fedora_atomic_v1",
    "k8s_fedora_atomic_v2",
    "k8s_fedora_coreos_v1",
    "k8s_fedora_ironic_v1",
    "mesos_ubuntu_v1",
    "swarm_fedora_atomic_v1",
    "swarm_fedora_atomic_v2",
];

/// Operating systems that only Heat drivers made nodes of.
const HEAT_SYSTEMS: [&str; 4] = ["coreos", "fedora", "fedora-atomic", "fedora-coreos"];

/// Operating systems that only Cluster API drivers make nodes of.
const CLUSTER_API_SYSTEMS: [&str; 5] = ["debian", "flatcar", "rockylinux", "ubuntu", "ubuntu-focal"];

impl DriverFamily {
    /// What made a cluster whose template says this. Magnum: a template names its driver since 18.0; before, the operating
    /// system decided.
    #[must_use]
    pub fn of(driver: Option<&str>, distro: Option<&str>, coe: Option<&str>) -> Self {
        let Some(name) = driver.filter(|name| !name.is_empty()) else { return Self::by_system(distro, coe) };
        if name.starts_with("k8s_cluster_api_") {
            return Self::Topology;
        }
        if name == "k8s_capi_helm_v1" {
            return Self::Helm;
        }
        if HEAT.contains(&name) { Self::Heat } else { Self::Unknown }
    }

    fn by_system(distro: Option<&str>, coe: Option<&str>) -> Self {
        let distro = distro.unwrap_or_default();
        if coe.is_some_and(|coe| coe != "kubernetes") || HEAT_SYSTEMS.contains(&distro) {
            return Self::Heat;
        }
        // Which of the two it was can't be told from here, and makes no difference.
        if CLUSTER_API_SYSTEMS.contains(&distro) { Self::Topology } else { Self::Unknown }
    }

    /// Whether such a cluster lives in a management cluster.
    #[must_use]
    pub const fn is_cluster_api(self) -> bool {
        matches!(self, Self::Topology | Self::Helm)
    }
}

/// Who brings about what a cluster's rows ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// We do: it was made here.
    Us,
    /// Another service made it, and nobody here works on it.
    Other {
        /// The driver that its template names.
        driver: Option<String>,
        /// What that driver is.
        family: DriverFamily,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_family_and_else_the_operating_system() {
        use DriverFamily::{Heat, Helm, Topology, Unknown};
        for (driver, distro, coe, family) in [
            (Some("k8s_cluster_api_rockylinux"), None, None, Topology),
            (Some("k8s_capi_helm_v1"), Some("ubuntu"), Some("kubernetes"), Helm),
            (Some("k8s_fedora_coreos_v1"), Some("ubuntu"), Some("kubernetes"), Heat),
            (Some("vendor_x"), Some("ubuntu"), Some("kubernetes"), Unknown),
            (Some(""), Some("fedora-coreos"), Some("kubernetes"), Heat),
            (None, Some("ubuntu"), Some("kubernetes"), Topology),
            (None, Some("ubuntu"), Some("swarm"), Heat),
            (None, Some("windows"), Some("kubernetes"), Unknown),
            (None, None, None, Unknown),
        ] {
            assert_eq!(DriverFamily::of(driver, distro, coe), family, "{driver:?} {distro:?} {coe:?}");
        }
    }
}
