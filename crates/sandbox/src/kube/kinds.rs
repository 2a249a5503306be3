//! The kinds that are served: one table for the management cluster, a smaller one for workload clusters.

use std::sync::Arc;

/// A column of `kubectl get`: its heading, its type, and where in the object its value is.
pub(crate) type Column = (&'static str, &'static str, &'static str);

/// One kind of object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    /// The version objects are kept in comes first and is preferred.
    pub(crate) versions: &'static [&'static str],
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) namespaced: bool,
    /// Whether `/status` is a resource of its own.
    pub(crate) status: bool,
    /// Whether there is `/scale`.
    pub(crate) scale: bool,
    /// Whether `metadata.generation` counts changes of it.
    pub(crate) generation: bool,
    /// Whether it is a custom resource, and so has a definition and a merge patch of `kubectl apply`.
    pub(crate) custom: bool,
    pub(crate) columns: &'static [Column],
}

// === impl Kind ===

impl Kind {
    const fn builtin(
        group: &'static str,
        kind: &'static str,
        plural: &'static str,
        short: &'static [&'static str],
        namespaced: bool,
    ) -> Self {
        Self {
            group,
            versions: &["v1"],
            kind,
            plural,
            short,
            namespaced,
            status: false,
            scale: false,
            generation: false,
            custom: false,
            columns: &[],
        }
    }

    const fn with_status(mut self) -> Self {
        self.status = true;
        self
    }

    const fn with_generation(mut self) -> Self {
        self.generation = true;
        self
    }

    const fn custom(
        group: &'static str,
        versions: &'static [&'static str],
        kind: &'static str,
        plural: &'static str,
        short: &'static [&'static str],
        columns: &'static [Column],
    ) -> Self {
        Self {
            group,
            versions,
            kind,
            plural,
            short,
            namespaced: true,
            status: true,
            scale: false,
            generation: true,
            custom: true,
            columns,
        }
    }

    const fn scalable(mut self) -> Self {
        self.scale = true;
        self
    }

    const fn without_status(mut self) -> Self {
        self.status = false;
        self
    }

    const fn cluster_scoped(mut self) -> Self {
        self.namespaced = false;
        self
    }

    /// `group/version`, or `version` alone in the core group.
    pub(crate) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// The version objects of this kind are kept in.
    pub(crate) fn stored_version(&self) -> String {
        self.api_version(self.versions[0])
    }

    /// The name of the collection that holds them, after the prefix of the cluster.
    pub(crate) fn collection(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The word `kubectl` takes for one of them.
    pub(crate) fn singular(&self) -> String {
        self.kind.to_lowercase()
    }
}

/// The group of Cluster API's own kinds.
pub(crate) const CORE: &str = "cluster.x-k8s.io";
/// The group of control planes.
pub(crate) const CONTROL_PLANE: &str = "controlplane.cluster.x-k8s.io";
/// The group of bootstrap configuration.
pub(crate) const BOOTSTRAP: &str = "bootstrap.cluster.x-k8s.io";
/// The group of infrastructure.
pub(crate) const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io";
/// The group of resource sets.
pub(crate) const ADDONS: &str = "addons.cluster.x-k8s.io";

const BOTH: &[&str] = &["v1beta2", "v1beta1"];
const ALPHA: &[&str] = &["v1alpha1"];
const BETA1: &[&str] = &["v1beta1"];
const RBAC: &str = "rbac.authorization.k8s.io";

const AVAILABLE: Column = ("Available", "string", "?Available");
const CLUSTER: Column = ("Cluster", "string", "/metadata/labels/cluster.x-k8s.io~1cluster-name");
const PHASE: Column = ("Phase", "string", "/status/phase");
const REPLICAS: [Column; 4] = [
    ("Desired", "integer", "/spec/replicas"),
    ("Current", "integer", "/status/replicas"),
    ("Ready", "integer", "/status/readyReplicas"),
    ("Up-to-date", "integer", "/status/upToDateReplicas"),
];

/// Kinds that every cluster has.
const COMMON: &[Kind] = &[
    Kind::builtin("", "Namespace", "namespaces", &["ns"], false).with_status(),
    Kind::builtin("", "Secret", "secrets", &[], true),
    Kind::builtin("", "ServiceAccount", "serviceaccounts", &["sa"], true),
    Kind::builtin("", "ConfigMap", "configmaps", &["cm"], true),
    Kind::builtin("", "Node", "nodes", &["no"], false).with_status(),
    Kind::builtin("", "Pod", "pods", &["po"], true).with_status(),
    Kind::builtin("", "Service", "services", &["svc"], true).with_status(),
    Kind::builtin("", "Event", "events", &["ev"], true),
    Kind::builtin("apps", "Deployment", "deployments", &["deploy"], true).with_status().with_generation(),
    Kind::builtin("apps", "DaemonSet", "daemonsets", &["ds"], true).with_status().with_generation(),
    Kind::builtin("coordination.k8s.io", "Lease", "leases", &[], true),
    Kind::builtin(RBAC, "Role", "roles", &[], true),
    Kind::builtin(RBAC, "RoleBinding", "rolebindings", &[], true),
    Kind::builtin(RBAC, "ClusterRole", "clusterroles", &[], false),
    Kind::builtin(RBAC, "ClusterRoleBinding", "clusterrolebindings", &[], false),
];

/// Kinds of a management cluster with Cluster API, its kubeadm providers and the OpenStack provider.
const MANAGEMENT: &[Kind] = &[
    Kind::builtin(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        &["crd", "crds"],
        false,
    ),
    Kind::custom(
        CORE,
        BOTH,
        "Cluster",
        "clusters",
        &["cl"],
        &[
            ("ClusterClass", "string", "/spec/topology/classRef/name"),
            AVAILABLE,
            ("CP Desired", "integer", "/status/controlPlane/desiredReplicas"),
            ("CP Available", "integer", "/status/controlPlane/availableReplicas"),
            ("CP Up-to-date", "integer", "/status/controlPlane/upToDateReplicas"),
            ("W Desired", "integer", "/status/workers/desiredReplicas"),
            ("W Available", "integer", "/status/workers/availableReplicas"),
            ("W Up-to-date", "integer", "/status/workers/upToDateReplicas"),
            PHASE,
        ],
    ),
    Kind::custom(
        CORE,
        BOTH,
        "ClusterClass",
        "clusterclasses",
        &["cc"],
        &[("Variables Ready", "string", "?VariablesReady")],
    ),
    Kind::custom(
        CORE,
        BOTH,
        "Machine",
        "machines",
        &["ma"],
        &[
            CLUSTER,
            ("Node Name", "string", "/status/nodeRef/name"),
            ("Ready", "string", "?Ready"),
            AVAILABLE,
            ("Up-to-date", "string", "?UpToDate"),
            PHASE,
        ],
    ),
    Kind::custom(CORE, BOTH, "MachineSet", "machinesets", &["ms"], &[CLUSTER, REPLICAS[0], REPLICAS[1], REPLICAS[2]])
        .scalable(),
    Kind::custom(
        CORE,
        BOTH,
        "MachineDeployment",
        "machinedeployments",
        &["md"],
        &[CLUSTER, AVAILABLE, REPLICAS[0], REPLICAS[1], REPLICAS[2], REPLICAS[3], PHASE],
    )
    .scalable(),
    Kind::custom(CORE, BOTH, "MachineHealthCheck", "machinehealthchecks", &["mhc"], &[CLUSTER]),
    Kind::custom(CORE, BOTH, "MachinePool", "machinepools", &["mp"], &[CLUSTER, PHASE]).scalable(),
    Kind::custom(ADDONS, BOTH, "ClusterResourceSet", "clusterresourcesets", &[], &[]),
    Kind::custom(ADDONS, BOTH, "ClusterResourceSetBinding", "clusterresourcesetbindings", &[], &[]).without_status(),
    Kind::custom(
        CONTROL_PLANE,
        BOTH,
        "KubeadmControlPlane",
        "kubeadmcontrolplanes",
        &["kcp"],
        &[
            CLUSTER,
            AVAILABLE,
            REPLICAS[0],
            REPLICAS[1],
            REPLICAS[2],
            REPLICAS[3],
            ("Version", "string", "/spec/version"),
        ],
    )
    .scalable(),
    Kind::custom(CONTROL_PLANE, BOTH, "KubeadmControlPlaneTemplate", "kubeadmcontrolplanetemplates", &[], &[])
        .without_status(),
    Kind::custom(BOOTSTRAP, BOTH, "KubeadmConfig", "kubeadmconfigs", &[], &[CLUSTER]),
    Kind::custom(BOOTSTRAP, BOTH, "KubeadmConfigTemplate", "kubeadmconfigtemplates", &[], &[]).without_status(),
    Kind::custom(
        INFRASTRUCTURE,
        BETA1,
        "OpenStackCluster",
        "openstackclusters",
        &["osc"],
        &[CLUSTER, ("Ready", "boolean", "/status/ready"), ("Endpoint", "string", "/spec/controlPlaneEndpoint/host")],
    ),
    Kind::custom(INFRASTRUCTURE, BETA1, "OpenStackClusterTemplate", "openstackclustertemplates", &["osct"], &[])
        .without_status(),
    Kind::custom(
        INFRASTRUCTURE,
        BETA1,
        "OpenStackMachine",
        "openstackmachines",
        &["osm"],
        &[
            CLUSTER,
            ("InstanceState", "string", "/status/instanceState"),
            ("Ready", "boolean", "/status/ready"),
            ("ProviderID", "string", "/spec/providerID"),
        ],
    ),
    Kind::custom(INFRASTRUCTURE, BETA1, "OpenStackMachineTemplate", "openstackmachinetemplates", &["osmt"], &[]),
    Kind::custom(
        INFRASTRUCTURE,
        ALPHA,
        "OpenStackServer",
        "openstackservers",
        &["oss"],
        &[("InstanceState", "string", "/status/instanceState"), ("Ready", "boolean", "/status/ready")],
    ),
    Kind::custom(INFRASTRUCTURE, ALPHA, "OpenStackClusterIdentity", "openstackclusteridentities", &[], &[])
        .cluster_scoped(),
    Kind::custom(INFRASTRUCTURE, BOTH, "DevCluster", "devclusters", &[], &[CLUSTER]),
    Kind::custom(INFRASTRUCTURE, BOTH, "DevClusterTemplate", "devclustertemplates", &[], &[]).without_status(),
    Kind::custom(INFRASTRUCTURE, BOTH, "DevMachine", "devmachines", &[], &[CLUSTER]),
    Kind::custom(INFRASTRUCTURE, BOTH, "DevMachineTemplate", "devmachinetemplates", &[], &[]),
];

/// Which versions of Cluster API's own groups a management cluster serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServedVersions {
    /// `v1beta2` and the deprecated `v1beta1`, as Cluster API 1.11 and later.
    #[default]
    Both,
    /// `v1beta1` alone, as Cluster API before 1.11.
    OnlyV1Beta1,
}

/// The kinds one API serves.
#[derive(Clone, Debug)]
pub(crate) struct Kinds {
    kinds: Arc<[Kind]>,
    served: ServedVersions,
}

// === impl Kinds ===

impl Kinds {
    /// What a management cluster serves.
    pub(crate) fn management(served: ServedVersions) -> Self {
        Self { kinds: COMMON.iter().chain(MANAGEMENT).copied().collect(), served }
    }

    /// What a workload cluster serves.
    pub(crate) fn workload() -> Self {
        Self { kinds: COMMON.iter().copied().collect(), served: ServedVersions::Both }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter()
    }

    /// The kind of a resource name in a group.
    pub(crate) fn by_plural(&self, group: &str, version: &str, plural: &str) -> Option<&Kind> {
        self.kinds
            .iter()
            .find(|kind| kind.group == group && kind.plural == plural && self.versions(kind).contains(&version))
    }

    /// The kind of a name in a group.
    pub(crate) fn by_kind(&self, group: &str, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.group == group && kind.kind == name)
    }

    /// The kind of that name; among the kinds known here names are unique.
    pub(crate) fn named(&self, name: &str) -> Option<Kind> {
        self.kinds.iter().find(|kind| kind.kind == name).copied()
    }

    /// The kind kept in a collection (its name without the cluster's prefix).
    pub(crate) fn by_collection(&self, collection: &str) -> Option<&Kind> {
        let (plural, group) = collection.split_once('.').unwrap_or((collection, ""));
        self.kinds.iter().find(|kind| kind.group == group && kind.plural == plural)
    }

    /// The versions of a kind that are served, preferred first.
    pub(crate) fn versions(&self, kind: &Kind) -> &'static [&'static str] {
        match self.served {
            ServedVersions::OnlyV1Beta1 if kind.versions.len() > 1 => BETA1,
            ServedVersions::Both | ServedVersions::OnlyV1Beta1 => kind.versions,
        }
    }

    /// The served groups with their versions, preferred first, the core group left out.
    pub(crate) fn groups(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let mut groups: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
        for kind in self.kinds.iter().filter(|kind| !kind.group.is_empty()) {
            let at = groups.iter().position(|(group, _)| *group == kind.group).unwrap_or_else(|| {
                groups.push((kind.group, Vec::new()));
                groups.len() - 1
            });
            for version in self.versions(kind) {
                if !groups[at].1.contains(version) {
                    groups[at].1.push(version);
                }
            }
        }
        for (_, versions) in &mut groups {
            versions.sort_by_key(|version| {
                ["v1", "v1beta2", "v1beta1", "v1alpha1"].iter().position(|known| known == version)
            });
        }
        groups
    }
}
