//! What the management cluster serves: which contract we speak, and which infrastructure kinds there are to watch.

use jeroboam_capi::CoreVersion;
use kube::api::{ApiResource, GroupVersionKind};

use crate::{Management, ManagementError};

const CORE: &str = "cluster.x-k8s.io";
const CONTROL_PLANE: &str = "controlplane.cluster.x-k8s.io";
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io";

/// Infrastructure kinds that we know how to read, and whether they belong to a machine.
const INFRASTRUCTURE_KINDS: [(&str, Role); 4] = [
    ("OpenStackCluster", Role::Infrastructure),
    ("OpenStackMachine", Role::InfrastructureMachine),
    ("DevCluster", Role::Infrastructure),
    ("DevMachine", Role::InfrastructureMachine),
];

/// What an object is to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The Cluster itself.
    Cluster,
    /// Its control plane.
    ControlPlane,
    /// A worker group.
    Deployment,
    /// A machine.
    Machine,
    /// The cluster's infrastructure.
    Infrastructure,
    /// A machine's infrastructure.
    InfrastructureMachine,
}

/// What is spoken and watched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) core: CoreVersion,
    pub(crate) kinds: Vec<(Role, ApiResource)>,
}

impl Plan {
    /// The kinds of one role.
    pub(crate) fn of(&self, role: Role) -> impl Iterator<Item = &ApiResource> {
        self.kinds.iter().filter(move |(of, _)| *of == role).map(|(_, kind)| kind)
    }
}

impl Management {
    /// Asks the API server.
    pub(crate) async fn discover(&self) -> Result<Plan, ManagementError> {
        let groups = self.call("list API groups", self.shared.client.list_api_groups()).await?;
        let versions = |name: &str| -> Vec<String> {
            let group = groups.groups.iter().find(|group| group.name == name);
            group.map(|group| group.versions.iter().map(|v| v.version.clone()).collect()).unwrap_or_default()
        };
        let newest = |group: &str| {
            let served = versions(group);
            let known = [CoreVersion::V1Beta2, CoreVersion::V1Beta1].into_iter();
            let found = known.into_iter().find(|version| served.iter().any(|served| served == version.as_str()));
            found.ok_or_else(|| ManagementError::NotServed { group: group.to_owned() })
        };
        let core = newest(CORE)?;
        let control_plane = newest(CONTROL_PLANE)?;
        let kind = |group: &str, version: &str, kind: &str| {
            ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
        };
        let mut kinds = vec![
            (Role::Cluster, kind(CORE, core.as_str(), "Cluster")),
            (Role::ControlPlane, kind(CONTROL_PLANE, control_plane.as_str(), "KubeadmControlPlane")),
            (Role::Deployment, kind(CORE, core.as_str(), "MachineDeployment")),
            (Role::Machine, kind(CORE, core.as_str(), "Machine")),
        ];
        // The group's versions come newest first; a kind is watched in the newest that has it.
        for version in versions(INFRASTRUCTURE) {
            let name = format!("{INFRASTRUCTURE}/{version}");
            let call = self.shared.client.list_api_group_resources(&name);
            let served = self.call(format!("list resources of {name}"), call).await?;
            for (wanted, role) in INFRASTRUCTURE_KINDS {
                let is_served = served.resources.iter().any(|resource| resource.kind == wanted);
                let is_new = !kinds.iter().any(|(_, kind)| kind.kind == wanted);
                if is_served && is_new {
                    kinds.push((role, kind(INFRASTRUCTURE, &version, wanted)));
                }
            }
        }
        Ok(Plan { core, kinds })
    }
}
