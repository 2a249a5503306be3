//! What a node group may look like. Magnum answers all of these with 409.

use std::collections::BTreeMap;

use jeroboam_model::{NodeGroup, Taint};

use crate::{Error, RawTaint};

/// Label names under Kubernetes' own domains that a node may carry. Magnum: `magnum/api/validation.py`.
const KUBERNETES_LABELS: [&str; 12] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/windows-build",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Domains under Kubernetes' own in which a node may name its labels itself.
const KUBERNETES_NAMESPACES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/// `min ≤ count ≤ max`; a maximum of `None` or 0 is none.
pub(crate) fn counts(name: &str, count: i32, min: i32, max: Option<i32>) -> Result<(), Error> {
    let bad = |attribute, why: String| Err(Error::BadNodeGroup { attribute, group: name.to_owned(), why });
    if count < 0 {
        return bad("node_count", format!("node_count {count} is less than 0"));
    }
    if min < 0 {
        return bad("min_node_count", format!("min_node_count {min} is less than 0"));
    }
    // Magnum: `magnum/api/controllers/v1/nodegroup.py _validate_node_count`, in this order and in these words.
    if let Some(max) = max.filter(|max| *max != 0) {
        if max < min {
            return bad(
                "max_node_count",
                format!("min_node_count ({min}) should be less or equal to max_node_count ({max})"),
            );
        }
        if count > max {
            return bad(
                "max_node_count",
                format!("node_count ({count}) should be less or equal to max_node_count ({max})"),
            );
        }
    }
    if min > count {
        return bad(
            "min_node_count",
            format!("min_node_count ({min}) should be less or equal to node_count ({count})"),
        );
    }
    Ok(())
}

/// Kubernetes labels of the nodes: only names that a kubelet may give itself, and values that Kubernetes takes.
pub(crate) fn node_labels(name: &str, labels: &BTreeMap<String, String>) -> Result<(), Error> {
    for (key, value) in labels {
        let bad = |why: String| Error::BadNodeGroup { attribute: "node_labels", group: name.to_owned(), why };
        if !is_label_key(key) {
            return Err(bad(format!("{key:?} is no label name")));
        }
        if is_reserved(key) {
            // Magnum: `magnum/api/controllers/v1/nodegroup.py _validate_node_labels`.
            return Err(bad(format!(
                "node label '{key}' is in a restricted Kubernetes namespace; the kubelet will refuse to start. Labels in the \
                 kubernetes.io/ and k8s.io/ namespaces must use one of the allowed prefixes ({}) or be one of the allowed \
                 labels ({}).",
                KUBERNETES_NAMESPACES.join(", "),
                KUBERNETES_LABELS.join(", ")
            )));
        }
        if !is_label_value(value) {
            return Err(bad(format!("{value:?} is no value for label {key}")));
        }
    }
    Ok(())
}

fn is_reserved(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    let within = |parent: &str| domain == parent || domain.ends_with(&format!(".{parent}"));
    let own = within("kubernetes.io") || within("k8s.io");
    let allowed_domain = KUBERNETES_NAMESPACES.contains(&domain);
    own && !allowed_domain && !KUBERNETES_LABELS.contains(&key)
}

/// Taints as they are stored.
pub(crate) fn taints(name: &str, raw: &[RawTaint]) -> Result<Vec<Taint>, Error> {
    raw.iter().enumerate().map(|(place, taint)| self::taint(name, place, taint)).collect()
}

fn taint(name: &str, place: usize, raw: &RawTaint) -> Result<Taint, Error> {
    // Magnum: `magnum/api/controllers/v1/nodegroup.py _validate_node_taints`, whose words these are.
    const FIELDS: [&str; 3] = ["key", "value", "effect"];
    let bad = |why: String| Error::BadNodeGroup { attribute: "node_taints", group: name.to_owned(), why };
    let unknown: Vec<&str> = raw.keys().map(String::as_str).filter(|field| !FIELDS.contains(field)).collect();
    if !unknown.is_empty() {
        return Err(bad(format!(
            "node_taints[{place}] contains unrecognised field(s) {}; allowed fields are {}",
            unknown.join(", "),
            FIELDS.join(", ")
        )));
    }
    let key = raw.get("key").filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| bad(format!("node_taints[{place}].key is required")))?;
    let effect = raw.get("effect").and_then(|effect| effect.parse().ok());
    let effect = effect.ok_or_else(|| {
        bad(format!("node_taints[{place}].effect must be one of NoSchedule, PreferNoSchedule, NoExecute"))
    })?;
    if !is_label_key(key) {
        return Err(bad(format!("{key:?} is no taint key")));
    }
    let value = raw.get("value").cloned();
    if let Some(value) = value.as_deref().filter(|value| !is_label_value(value)) {
        return Err(bad(format!("{value:?} is no value for taint {key}")));
    }
    Ok(Taint { key: key.clone(), value, effect })
}

/// Labels and taints are the workers' own, whatever they are. Magnum sets none on control planes.
pub(crate) fn plain_control_plane(group: &NodeGroup, labelled: bool, tainted: bool) -> Result<(), Error> {
    let attribute = match group.is_control_plane() {
        true if labelled => "node_labels",
        true if tainted => "node_taints",
        _ => return Ok(()),
    };
    let why = format!("{attribute} may not be set on master nodegroups");
    Err(Error::BadNodeGroup { attribute, group: group.name.clone(), why })
}

/// A qualified name: an optional DNS domain, then up to 63 letters, digits, `-_.`.
fn is_label_key(key: &str) -> bool {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let dns = |domain: &str| {
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        domain.len() <= 253 && domain.split('.').all(label)
    };
    !name.is_empty() && is_label_value(name) && domain.is_none_or(dns)
}

/// Up to 63 letters, digits, `-_.`, a letter or digit at both ends; may be empty.
fn is_label_value(value: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let ends = [value.bytes().next(), value.bytes().next_back()];
    value.len() <= 63 && value.bytes().all(inner) && ends.iter().flatten().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_to_hold_the_count() {
        for (count, min, max, why) in [
            (1, 0, None, ""),
            (0, 0, Some(0), ""),
            (5, 0, Some(0), ""),
            (3, 3, Some(3), ""),
            (1, 2, None, "min_node_count (2) should be less or equal to node_count (1)"),
            (4, 0, Some(3), "node_count (4) should be less or equal to max_node_count (3)"),
            (4, 4, Some(3), "min_node_count (4) should be less or equal to max_node_count (3)"),
            (-1, 0, None, "node_count -1 is less than 0"),
        ] {
            let said = counts("g", count, min, max).map_or_else(|e| e.to_string(), |()| String::new());
            assert!(if why.is_empty() { said.is_empty() } else { said.contains(&format!("({why})")) }, "{said}");
        }
    }

    #[test]
    fn kubernetes_own_label_names_are_refused() {
        let try_one = |key: &str, value: &str| node_labels("g", &[(key.to_owned(), value.to_owned())].into());
        for key in ["tier", "example.com/tier", "node.kubernetes.io/own", "kubelet.kubernetes.io/x", "kubernetes.io/os"]
        {
            assert!(try_one(key, "a").is_ok(), "{key}");
        }
        for key in ["kubernetes.io/role", "node-role.kubernetes.io/worker", "a.b.k8s.io/x", "k8s.io/x"] {
            let said = try_one(key, "a").expect_err(key).to_string();
            assert!(said.starts_with("node_labels for g is invalid (node label "), "{said}");
        }
        for (key, value) in
            [("", "a"), ("a b", "a"), ("a/", "a"), ("-a", "a"), ("a", "b c"), ("a", "-"), ("A.b/c/d", "e")]
        {
            assert!(try_one(key, value).is_err(), "{key} {value}");
        }
    }

    #[test]
    fn taints_need_a_key_and_a_known_effect() {
        let raw = |items: &[(&str, &str)]| -> RawTaint {
            items.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert!(taints("g", &[raw(&[("key", "gpu"), ("effect", "NoSchedule")])]).is_ok());
        assert!(taints("g", &[raw(&[("key", "gpu"), ("value", "yes"), ("effect", "NoExecute")])]).is_ok());
        for (items, why) in [
            (&[("effect", "NoSchedule")][..], "node_taints[0].key is required"),
            (&[("key", "gpu")], "node_taints[0].effect must be one of NoSchedule, PreferNoSchedule, NoExecute"),
            (&[("key", "gpu"), ("effect", "Never")], "node_taints[0].effect must be one of"),
            (
                &[("key", "gpu"), ("effect", "NoSchedule"), ("time", "1")],
                "node_taints[0] contains unrecognised field(s) time; allowed fields are key, value, effect",
            ),
        ] {
            let said = taints("g", &[raw(items)]).expect_err(why).to_string();
            assert!(said.starts_with("node_taints for g is invalid (") && said.contains(why), "{said}");
        }
    }
}
