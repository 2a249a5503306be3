//! The cloud controller runs outside of Kubernetes' own programs. From 1.33 on the API server knows nothing else and refuses
//! the argument that older ones need.

use super::{Feature, Patch, Target, same_as_cluster};
use crate::contract::CoreVersion;
use serde_json::json;

pub(super) const FEATURE: Feature =
    Feature { name: "cloud-provider", variables: Vec::new, patches, cluster: |_| Vec::new(), group: same_as_cluster };

fn patches(version: CoreVersion) -> Vec<Patch> {
    let at = "/spec/template/spec/kubeadmConfigSpec/clusterConfiguration/apiServer/extraArgs";
    let change = match version {
        CoreVersion::V1Beta2 => json!({
            "op": "add", "path": format!("{at}/-"), "value": {"name": "cloud-provider", "value": "external"},
        }),
        CoreVersion::V1Beta1 => json!({"op": "add", "path": format!("{at}/cloud-provider"), "value": "external"}),
    };
    vec![Patch {
        name: "api-server",
        condition: Some(r#"{{ semverCompare "<1.33.0-0" .builtin.controlPlane.version }}"#),
        changes: vec![(Target::ControlPlane, vec![change])],
    }]
}
