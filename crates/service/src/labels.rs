//! What labels mean across template, cluster and node group: inheritance, kinds of values, and moves to other templates.

use std::net::IpAddr;

use jeroboam_model::{KubeRelease, Labels, excerpt};

use crate::Error;

/// The label that names the Kubernetes release.
pub(crate) const KUBE_TAG: &str = "kube_tag";
/// The label that sizes the volume nodes boot from.
pub(crate) const BOOT_VOLUME_SIZE: &str = "boot_volume_size";
/// The label that names the type of that volume.
pub(crate) const BOOT_VOLUME_TYPE: &str = "boot_volume_type";
/// The label that becomes the lower bound of the default workers.
pub(crate) const MIN_NODE_COUNT: &str = "min_node_count";

const BOOLEANS: [&str; 10] = [
    "auto_healing_enabled",
    "auto_scaling_enabled",
    "audit_log_enabled",
    "cilium_hubble_ui_enabled",
    "cinder_csi_enabled",
    "different_failure_domain",
    "keystone_auth_enabled",
    "manila_csi_enabled",
    "master_lb_floating_ip_enabled",
    "octavia_lb_healthcheck",
];
const SIZES: [&str; 7] = [
    BOOT_VOLUME_SIZE,
    MIN_NODE_COUNT,
    "max_node_count",
    "etcd_volume_size",
    "audit_log_max_age",
    "audit_log_max_backup",
    "audit_log_max_size",
];
pub(crate) const RANGES: [&str; 4] =
    ["calico_ipv4pool", "cilium_ipv4pool", "fixed_subnet_cidr", "service_cluster_ip_range"];

/// The labels of a child: the parent's when it was given none, its own when it was, both when they are to be merged.
pub(crate) fn inherited(parent: &Labels, given: Option<&Labels>, merge: bool) -> Labels {
    match given.filter(|given| !given.is_empty()) {
        None => parent.clone(),
        Some(given) if merge => parent.merged(given),
        Some(given) => given.clone(),
    }
}

/// Refuses values that the driver could not read. Names that nobody knows pass, as in Magnum.
pub(crate) fn check(labels: &Labels) -> Result<(), Error> {
    let bad = |error: jeroboam_model::BadLabel| Error::bad_request(format!("Invalid label: {error}."));
    for name in BOOLEANS {
        labels.boolean(name).map_err(bad)?;
    }
    for name in SIZES {
        labels.integer::<u32>(name).map_err(bad)?;
    }
    for name in RANGES {
        if let Some(text) = labels.text(name).filter(|text| !is_range(text)) {
            let text = excerpt(text);
            let sentence = format!("Invalid label: label {name} is {text:?}, expected a range such as 10.0.0.0/16.");
            return Err(Error::bad_request(sentence));
        }
    }
    release(labels).map(|_| ())
}

/// The release that the labels name.
pub(crate) fn release(labels: &Labels) -> Result<Option<KubeRelease>, Error> {
    let parsed = labels.text(KUBE_TAG).map(str::parse::<KubeRelease>).transpose();
    parsed.map_err(|error| Error::bad_request(format!("Invalid label {KUBE_TAG}: {error}.")))
}

fn is_range(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    if !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    match (address.parse(), length.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(length)) => length <= 32,
        (Ok(IpAddr::V6(_)), Ok(length)) => length <= 128,
        _ => false,
    }
}

/// Labels after a move from one parent to another: those that were the old parent's follow the new one, those that the
/// tenant chose stay, and the release is always the new parent's.
pub(crate) fn carried_over(labels: &Labels, was: &Labels, becomes: &Labels) -> Labels {
    let own = |(name, value): &(&str, &str)| *name != KUBE_TAG && was.get(name) != Some(*value);
    let mut moved: Labels = labels.iter().filter(own).collect();
    for (name, value) in becomes.iter() {
        let left_out = labels.get(name).is_none() && was.get(name).is_some();
        if name == KUBE_TAG || (moved.get(name).is_none() && !left_out) {
            moved.set(name, value);
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(items: &[(&str, &str)]) -> Labels {
        items.iter().copied().collect()
    }

    #[test]
    fn labels_replace_the_parents_unless_they_are_to_be_merged() {
        let parent = labels(&[("a", "1"), ("b", "1")]);
        let given = labels(&[("b", "2"), ("c", "3")]);
        let empty = labels(&[]);
        for (given, merge, want) in [
            (None, false, labels(&[("a", "1"), ("b", "1")])),
            (None, true, labels(&[("a", "1"), ("b", "1")])),
            (Some(&empty), false, labels(&[("a", "1"), ("b", "1")])),
            (Some(&given), false, labels(&[("b", "2"), ("c", "3")])),
            (Some(&given), true, labels(&[("a", "1"), ("b", "2"), ("c", "3")])),
        ] {
            assert_eq!(inherited(&parent, given, merge), want, "{given:?} {merge}");
        }
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused_and_unknown_names_pass() {
        for (name, value, why) in [
            ("auto_healing_enabled", "perhaps", "expected a boolean"),
            ("boot_volume_size", "big", "expected a whole number"),
            ("min_node_count", "-1", "expected a whole number"),
            ("fixed_subnet_cidr", "10.0.0.0", "expected a range"),
            ("service_cluster_ip_range", "10.0.0.0/33", "expected a range"),
            ("service_cluster_ip_range", "10.0.0.0/+16", "expected a range"),
            ("kube_tag", "v1.+33.4", "is not a Kubernetes version"),
            ("kube_tag", "latest", "is not a Kubernetes version"),
        ] {
            let error = check(&labels(&[(name, value)])).expect_err(name);
            assert!(error.to_string().contains(why), "{error}");
        }
        for (name, value) in [("auto_healing_enabled", "True"), ("boot_volume_size", ""), ("mine", "anything at all")] {
            assert!(check(&labels(&[(name, value)])).is_ok(), "{name}");
        }
    }

    #[test]
    fn labels_follow_the_template_unless_the_tenant_chose_them() {
        let was =
            labels(&[("kube_tag", "v1.33.4"), ("calico_tag", "v3.30"), ("left_out", "1"), ("gone", "1"), ("own", "t")]);
        let becomes =
            labels(&[("kube_tag", "v1.34.1"), ("calico_tag", "v3.32"), ("left_out", "1"), ("new", "1"), ("own", "u")]);
        let cluster =
            labels(&[("kube_tag", "v1.33.2"), ("calico_tag", "v3.30"), ("gone", "1"), ("own", "mine"), ("extra", "1")]);
        let want =
            labels(&[("kube_tag", "v1.34.1"), ("calico_tag", "v3.32"), ("own", "mine"), ("extra", "1"), ("new", "1")]);
        assert_eq!(carried_over(&cluster, &was, &becomes), want);
        let without = carried_over(&cluster, &was, &labels(&[("calico_tag", "v3.32")]));
        assert_eq!(without.get(KUBE_TAG), None, "a release that only the old template had is not kept");
    }
}
