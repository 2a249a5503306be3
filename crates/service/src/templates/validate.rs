//! What a template may say.

use std::net::Ipv4Addr;

use jeroboam_model::ClusterTemplate;

use crate::{Error, ServiceConfig};

const NETWORK_DRIVERS: [&str; 3] = ["flannel", "calico", "cilium"];
const VOLUME_DRIVERS: [&str; 1] = ["cinder"];

/// The network driver is known, and the operator allows it.
pub(super) fn network_driver(driver: &str, config: &ServiceConfig) -> Result<(), Error> {
    if !NETWORK_DRIVERS.contains(&driver) {
        let known = NETWORK_DRIVERS.join("/");
        return Err(Error::bad_request(format!(
            "Network driver type {driver} is not supported, expecting a {known}/unspecified network driver."
        )));
    }
    let allowed = &config.allowed_network_drivers;
    if allowed.iter().any(|allowed| allowed == "all" || allowed == driver) {
        return Ok(());
    }
    // Magnum: the sentence ends in a blank.
    Err(Error::bad_request(format!(
        "Network driver type {driver} is not allowed, expecting a {}/unspecified network driver. ",
        allowed.join("/")
    )))
}

/// The volume driver, where there is one, is known.
pub(super) fn volume_driver(driver: Option<&str>) -> Result<(), Error> {
    match driver.filter(|driver| !driver.is_empty() && !VOLUME_DRIVERS.contains(driver)) {
        None => Ok(()),
        Some(driver) => Err(Error::bad_request(format!(
            "Volume driver type {driver} is not supported, expecting a cinder/unspecified volume driver."
        ))),
    }
}

/// Name servers are IPv4 addresses with commas between them.
pub(super) fn name_servers(text: Option<&str>) -> Result<(), Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(()) };
    if text.split(',').all(|address| address.trim().parse::<Ipv4Addr>().is_ok()) {
        return Ok(());
    }
    Err(Error::bad_request(format!("Expected a single dns address or comma separated dns list, but received {text}.")))
}

/// Names of the fields that differ, without those that nobody sets.
pub(super) fn changed_fields(was: &ClusterTemplate, now: &ClusterTemplate) -> Vec<&'static str> {
    let pairs = [
        ("name", was.name == now.name),
        ("coe", was.coe == now.coe),
        ("image_id", was.image_id == now.image_id),
        // Magnum: a PATCH may name another system than the image does.
        ("cluster_distro", was.cluster_distro == now.cluster_distro),
        ("flavor_id", was.flavor_id == now.flavor_id),
        ("master_flavor_id", was.master_flavor_id == now.master_flavor_id),
        ("keypair_id", was.keypair_id == now.keypair_id),
        ("external_network_id", was.external_network_id == now.external_network_id),
        ("fixed_network", was.fixed_network == now.fixed_network),
        ("fixed_subnet", was.fixed_subnet == now.fixed_subnet),
        ("dns_nameserver", was.dns_nameserver == now.dns_nameserver),
        ("network_driver", was.network_driver == now.network_driver),
        ("volume_driver", was.volume_driver == now.volume_driver),
        ("apiserver_port", was.apiserver_port == now.apiserver_port),
        ("docker_volume_size", was.docker_volume_size == now.docker_volume_size),
        ("docker_storage_driver", was.docker_storage_driver == now.docker_storage_driver),
        ("http_proxy", was.http_proxy == now.http_proxy),
        ("https_proxy", was.https_proxy == now.https_proxy),
        ("no_proxy", was.no_proxy == now.no_proxy),
        ("insecure_registry", was.insecure_registry == now.insecure_registry),
        ("registry_enabled", was.registry_enabled == now.registry_enabled),
        ("labels", was.labels == now.labels),
        ("tls_disabled", was.tls_disabled == now.tls_disabled),
        ("public", was.public == now.public),
        ("hidden", was.hidden == now.hidden),
        ("server_type", was.server_type == now.server_type),
        ("master_lb_enabled", was.master_lb_enabled == now.master_lb_enabled),
        ("floating_ip_enabled", was.floating_ip_enabled == now.floating_ip_enabled),
        ("tags", was.tags == now.tags),
        ("driver", was.driver == now.driver),
    ];
    pairs.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}

/// Whether a template that clusters follow may change so: one field at a time, and none that would change the clusters.
pub(super) fn harmless(changed: &[&str], now: &ClusterTemplate) -> bool {
    match changed {
        [] | ["hidden" | "name"] => true,
        ["public"] => now.public,
        ["tags"] => now.tags.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_drivers_are_known_and_allowed() {
        let config = ServiceConfig::default();
        assert!(network_driver("calico", &config).is_ok());
        for (driver, want) in [
            (
                "weave",
                "Network driver type weave is not supported, expecting a flannel/calico/cilium/unspecified network driver.",
            ),
            (
                "cilium",
                "Network driver type cilium is not allowed, expecting a flannel/calico/unspecified network driver. ",
            ),
        ] {
            assert_eq!(network_driver(driver, &config).map_err(|e| e.to_string()), Err(want.to_owned()));
        }
        let all = ServiceConfig { allowed_network_drivers: vec!["all".to_owned()], ..config };
        assert!(network_driver("cilium", &all).is_ok());
    }

    #[test]
    fn volume_drivers_and_name_servers_are_looked_at() {
        assert!(volume_driver(None).is_ok() && volume_driver(Some("cinder")).is_ok());
        assert!(volume_driver(Some("rexray")).is_err());
        for text in ["8.8.8.8", "8.8.8.8,1.1.1.1", "8.8.8.8, 1.1.1.1"] {
            assert!(name_servers(Some(text)).is_ok(), "{text}");
        }
        for text in ["8.8.8", "dns.example", "8.8.8.8,", "::1"] {
            assert!(name_servers(Some(text)).is_err(), "{text}");
        }
    }
}
