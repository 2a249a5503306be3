//! Which of Cluster API's contracts is spoken.

use std::fmt;

/// The version of Cluster API's own kinds that the management cluster serves; the newest one is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoreVersion {
    /// Served until Cluster API 1.15.
    V1Beta1,
    /// Served since Cluster API 1.11.
    #[default]
    V1Beta2,
}

impl CoreVersion {
    /// The version's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1Beta1 => "v1beta1",
            Self::V1Beta2 => "v1beta2",
        }
    }

    /// `cluster.x-k8s.io` at this version.
    #[must_use]
    pub const fn core(self) -> &'static str {
        match self {
            Self::V1Beta1 => "cluster.x-k8s.io/v1beta1",
            Self::V1Beta2 => "cluster.x-k8s.io/v1beta2",
        }
    }

    /// The kubeadm control plane provider's group, released with the core.
    #[must_use]
    pub const fn control_plane(self) -> &'static str {
        match self {
            Self::V1Beta1 => "controlplane.cluster.x-k8s.io/v1beta1",
            Self::V1Beta2 => "controlplane.cluster.x-k8s.io/v1beta2",
        }
    }

    /// The kubeadm bootstrap provider's group, released with the core.
    #[must_use]
    pub const fn bootstrap(self) -> &'static str {
        match self {
            Self::V1Beta1 => "bootstrap.cluster.x-k8s.io/v1beta1",
            Self::V1Beta2 => "bootstrap.cluster.x-k8s.io/v1beta2",
        }
    }
}

impl fmt::Display for CoreVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
