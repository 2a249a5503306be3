//! A project's namespace and the rights within it: whoever runs inside the management cluster on behalf of a project, such
//! as an autoscaler, gets this account and sees no other project.

use serde_json::{Value, json};

use super::project_labels;
use crate::resolved::ResolvedCluster;
use crate::resources::Object;

/// Name of the account, its role and the binding of both.
const ACCOUNT: &str = "jeroboam-project";

/// Names a cluster of the project. A new one changes the namespace by it, so that whoever is about to remove the namespace with
/// what was the last cluster finds that it has changed.
const NEWEST_CLUSTER: &str = "jeroboam.io/newest-cluster";

pub(super) fn objects(cluster: &ResolvedCluster) -> Vec<Object> {
    let namespace = &cluster.key.namespace;
    let labels = Value::Object(project_labels(&cluster.project));
    let metadata = json!({"name": ACCOUNT, "namespace": namespace, "labels": labels});
    let read = ["get", "list", "watch"];
    let scale = ["get", "list", "watch", "update", "patch"];
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": namespace, "labels": labels, "annotations": {NEWEST_CLUSTER: cluster.key.name},
        }}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {
                    "apiGroups": ["cluster.x-k8s.io"],
                    "resources": ["machines", "machinedeployments", "machinedeployments/scale", "machinesets"],
                    "verbs": scale,
                },
                {"apiGroups": ["cluster.x-k8s.io"], "resources": ["clusters"], "verbs": read},
                {"apiGroups": ["infrastructure.cluster.x-k8s.io"], "resources": ["*"], "verbs": read},
            ],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
        }),
    ]
    .map(Object::new)
    .into()
}
