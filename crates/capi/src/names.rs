//! Names and labels of our objects. All of them follow from ids, so that doing something twice names the same object.

use std::fmt;

use jeroboam_model::{ClusterId, NodeGroupId, ProjectId};

/// On every object of a cluster: its id.
pub const CLUSTER_LABEL: &str = "jeroboam.io/cluster";
/// On machine deployments and machines: the id of the node group.
pub const NODEGROUP_LABEL: &str = "jeroboam.io/nodegroup";
/// On namespaces and what is in them: the project.
pub const PROJECT_LABEL: &str = "jeroboam.io/project";
/// Kubernetes' recommended label for who looks after an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// What that label says on ours.
pub const MANAGED_BY: &str = "jeroboam";
/// Cluster API's label for the cluster by name.
pub const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";
/// Cluster API removes machines with this annotation first.
pub const DELETE_MACHINE_ANNOTATION: &str = "cluster.x-k8s.io/delete-machine";

/// Which cluster, in the management cluster's terms.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterKey {
    /// The project's namespace.
    pub namespace: String,
    /// Name of the Cluster object. Magnum: `stack_id`.
    pub name: String,
}

impl fmt::Display for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Longest name of a namespace, a label's value, a host.
const LONGEST: usize = 63;

/// The namespace of a project: `<prefix>-<project id>`, letters and digits alone.
///
/// Magnum: magnum-capi-helm names namespaces so. An id that loses more than dashes gets a hash of the whole of it, so that
/// two projects never share a namespace.
#[must_use]
pub fn namespace(prefix: &str, project: &ProjectId) -> String {
    let id = project.as_str();
    let kept: String = id.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let faithful = id.replace('-', "") == kept;
    let plain = format!("{prefix}-{kept}");
    if faithful && !kept.is_empty() && plain.len() <= LONGEST {
        return plain;
    }
    let hash = hash_text(id.as_bytes(), 10);
    let room = LONGEST.saturating_sub(prefix.len() + 2 + hash.len());
    let kept: String = kept.chars().take(room).collect();
    if kept.is_empty() { format!("{prefix}-{hash}") } else { format!("{prefix}-{kept}-{hash}") }
}

/// The name of a new cluster's objects: its title, cut and cleaned, and twelve characters of its id.
#[must_use]
pub fn cluster_name(title: Option<&str>, id: ClusterId) -> String {
    let clean: String = sanitise(title.unwrap_or_default()).chars().take(30).collect();
    let clean = clean.trim_matches('-');
    let starts_well = clean.starts_with(|c: char| c.is_ascii_lowercase());
    let stem = match (clean.is_empty(), starts_well) {
        (true, _) => "k8s".to_owned(),
        (false, true) => clean.to_owned(),
        (false, false) => format!("k{clean}"),
    };
    format!("{stem}-{}", base32(&id.uuid().as_bytes()[..8], 12))
}

/// The name of a node group within the topology: its own where that may be used as it is, else cleaned and with a hash.
#[must_use]
pub fn group_name(name: &str, id: NodeGroupId) -> String {
    const LONGEST_GROUP: usize = 30;
    let clean = sanitise(name);
    let starts_well = clean.starts_with(|c: char| c.is_ascii_lowercase());
    if clean == name && starts_well && clean.len() <= LONGEST_GROUP {
        return clean;
    }
    let kept: String = clean.chars().take(LONGEST_GROUP - 9).collect();
    let kept = kept.trim_matches('-');
    let kept = if kept.is_empty() { "group" } else { kept };
    let letter = if kept.starts_with(|c: char| c.is_ascii_lowercase()) { "" } else { "g" };
    format!("{letter}{kept}-{}", base32(&id.uuid().as_bytes()[..5], 8))
}

/// Text as a label's value: what is not allowed becomes a dash.
#[must_use]
pub(crate) fn label_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let value: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).take(LONGEST).collect();
    value.trim_matches(['-', '_', '.']).to_owned()
}

/// Lower case, runs of anything but letters and digits become one dash.
fn sanitise(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            clean.push(c.to_ascii_lowercase());
        } else if !clean.is_empty() && !clean.ends_with('-') {
            clean.push('-');
        }
    }
    clean.trim_end_matches('-').to_owned()
}

/// FNV-1a, 64 bits: stable across releases of this program, which the standard library's hasher is not.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn hash_text(bytes: &[u8], length: usize) -> String {
    base32(&hash(bytes).to_be_bytes(), length)
}

/// The first `length` characters of the bytes in lower-case base 32.
fn base32(bytes: &[u8], length: usize) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |index: usize| bytes.get(index / 8).is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1);
    let digit = |place: usize| (0..5).fold(0_usize, |value, i| value << 1 | usize::from(bit(place * 5 + i)));
    (0..length).map(|place| char::from(DIGITS[digit(place)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_one_namespace_and_no_two_share_one() {
        let of = |id: &str| namespace("magnum", &ProjectId::from(id));
        assert_eq!(of("1bd0e3bb2a0d4be1a9c2b3a0f0f0f0f0"), "magnum-1bd0e3bb2a0d4be1a9c2b3a0f0f0f0f0");
        assert_eq!(of("cad92b66-3023-426e-9584-e73170a1c965"), "magnum-cad92b663023426e9584e73170a1c965");
        assert_ne!(of("Team_A"), of("team_a"));
        assert_ne!(of("a_b"), of("ab"));
        assert!(of(&"x".repeat(100)).len() <= LONGEST);
        assert_ne!(of(&"x".repeat(100)), of(&"x".repeat(101)));
        assert!(of("***").starts_with("magnum-"));
    }

    #[test]
    fn a_cluster_is_named_after_its_title_and_its_id() {
        let id: ClusterId = "cad92b66-3023-426e-9584-e73170a1c965".parse().expect("valid");
        assert_eq!(cluster_name(Some("My Cluster"), id), "my-cluster-zlmswzrqenbg");
        assert_eq!(cluster_name(None, id), "k8s-zlmswzrqenbg");
        assert_eq!(cluster_name(Some("7up"), id), "k7up-zlmswzrqenbg");
        assert_eq!(cluster_name(Some("ü"), id), "k8s-zlmswzrqenbg");
        assert!(cluster_name(Some(&"a".repeat(200)), id).len() <= 43);
    }

    #[test]
    fn a_group_keeps_its_name_where_kubernetes_allows_it() {
        let id: NodeGroupId = "cad92b66-3023-426e-9584-e73170a1c965".parse().expect("valid");
        assert_eq!(group_name("default-worker", id), "default-worker");
        assert_eq!(group_name("GPU Nodes", id), "gpu-nodes-zlmswzrq");
        assert_eq!(group_name("1st", id), "g1st-zlmswzrq");
        assert_eq!(group_name("..", id), "group-zlmswzrq");
        assert!(group_name(&"a".repeat(200), id).len() <= 31);
    }

    #[test]
    fn label_values_are_what_kubernetes_takes() {
        assert_eq!(label_value("a project/1."), "a-project-1");
        assert_eq!(label_value(&"a".repeat(80)).len(), LONGEST);
    }
}
