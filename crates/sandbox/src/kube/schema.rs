//! How lists merge: which are maps by key, which are sets, and which are one value. From the schemas of Kubernetes' own
//! types and of Cluster API's, for the lists that clients of this sandbox write.

/// How a list is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// The list is replaced as one.
    Atomic,
    /// The elements are found by these fields.
    Map(&'static [&'static str]),
    /// The elements are themselves.
    Set,
}

/// How the list merges whose field names, from the root of an object, are `path`.
pub(crate) fn list_kind(path: &[&str]) -> ListKind {
    match path {
        ["metadata", "finalizers"] => ListKind::Set,
        ["metadata", "ownerReferences"] => ListKind::Map(&["uid"]),
        [.., "status" | "v1beta1" | "v1beta2", "conditions"] => ListKind::Map(&["type"]),
        ["spec", "topology", "variables"] => ListKind::Map(&["name"]),
        ["spec", "topology", "workers", "machineDeployments" | "machinePools"] => ListKind::Map(&["name"]),
        ["spec", "topology", .., "variables", "overrides"] => ListKind::Map(&["name"]),
        ["spec", "workers", "machineDeployments" | "machinePools"] => ListKind::Map(&["class"]),
        ["spec", "variables" | "patches"] => ListKind::Map(&["name"]),
        ["spec", .., "readinessGates"] => ListKind::Map(&["conditionType"]),
        [.., "spec", "containers" | "initContainers" | "volumes" | "imagePullSecrets"]
        | ["secrets" | "imagePullSecrets"]
        | [.., "containers", "env"] => ListKind::Map(&["name"]),
        ["spec", "ports"] => ListKind::Map(&["port", "protocol"]),
        ["spec", .., "taints"] => ListKind::Map(&["key", "effect"]),
        _ => ListKind::Atomic,
    }
}

/// Whether the map at `path` is one value although it is a map.
pub(crate) fn is_atomic_map(path: &[&str]) -> bool {
    matches!(path, ["spec", "selector"] | [.., "labelSelector" | "nodeSelector"])
        || path.ends_with(&["openAPIV3Schema"])
}
