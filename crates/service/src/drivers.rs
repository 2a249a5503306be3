//! Which driver makes a cluster. All that are loaded are one: topology, under the names that Magnum's users know.

use jeroboam_model::{ClusterTemplate, ServerType};

use crate::{Error, ServiceConfig};

/// Names of the topology driver, each with the operating system it stands for.
const TOPOLOGY: [(&str, &str); 4] = [
    ("k8s_cluster_api_debian", "debian"),
    ("k8s_cluster_api_flatcar", "flatcar"),
    ("k8s_cluster_api_ubuntu", "ubuntu"),
    ("k8s_cluster_api_ubuntu_focal", "ubuntu-focal"),
];

const COE: &str = "kubernetes";

/// What decides about the driver.
pub(crate) struct Wanted<'a> {
    /// By name, when somebody named one.
    pub(crate) driver: Option<&'a str>,
    pub(crate) server_type: ServerType,
    pub(crate) distro: Option<&'a str>,
    pub(crate) coe: &'a str,
}

impl<'a> Wanted<'a> {
    pub(crate) fn by(template: &'a ClusterTemplate) -> Self {
        Self {
            driver: template.driver.as_deref().filter(|name| !name.is_empty()),
            server_type: template.server_type,
            distro: template.cluster_distro.as_deref(),
            coe: &template.coe,
        }
    }
}

/// The name of the driver for a template: the named one first, else the one for its operating system.
///
/// Magnum looks at the operating system alone when a cluster is made, which refuses templates that name a driver.
pub(crate) fn resolve(wanted: &Wanted<'_>, config: &ServiceConfig) -> Result<&'static str, Error> {
    let loaded = || TOPOLOGY.iter().filter(|(name, _)| !config.disabled_drivers.iter().any(|gone| gone == name));
    let fits = wanted.server_type == ServerType::Vm && wanted.coe == COE;
    if let Some(name) = wanted.driver {
        let known = loaded().find(|(known, _)| *known == name);
        let (driver, _) = known.ok_or_else(|| Error::bad_request(format!("Cluster driver ({name}) not supported.")))?;
        let distro_fits = wanted.distro.is_none_or(|distro| loaded().any(|(_, os)| *os == distro));
        return if fits && distro_fits { Ok(driver) } else { Err(unsupported(wanted, loaded().map(|(_, os)| *os))) };
    }
    let by_system = loaded().find(|(_, os)| fits && Some(*os) == wanted.distro);
    by_system.map(|(name, _)| *name).ok_or_else(|| unsupported(wanted, loaded().map(|(_, os)| *os)))
}

fn unsupported<'a>(wanted: &Wanted<'_>, systems: impl Iterator<Item = &'a str>) -> Error {
    let asked = (wanted.server_type.as_str(), wanted.distro.unwrap_or("None"), wanted.coe);
    let tuples: Vec<String> = systems.map(|os| format!("('vm', '{os}', '{COE}')")).collect();
    Error::bad_request(format!(
        "Cluster type ({}, {}, {}) is not supported by any loaded cluster driver. Loaded drivers support: {}",
        asked.0,
        asked.1,
        asked.2,
        tuples.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(driver: Option<&str>, server_type: ServerType, distro: Option<&str>) -> Result<&'static str, String> {
        let wanted = Wanted { driver, server_type, distro, coe: COE };
        resolve(&wanted, &ServiceConfig::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_named_driver_goes_before_the_operating_system() {
        let vm = ServerType::Vm;
        assert_eq!(pick(None, vm, Some("ubuntu")), Ok("k8s_cluster_api_ubuntu"));
        assert_eq!(pick(Some("k8s_cluster_api_debian"), vm, Some("ubuntu")), Ok("k8s_cluster_api_debian"));
        assert_eq!(pick(Some("nope"), vm, Some("ubuntu")), Err("Cluster driver (nope) not supported.".to_owned()));
    }

    #[test]
    fn what_no_driver_can_make_is_refused_in_magnums_words() {
        for (driver, server_type, distro, tuple) in [
            (None, ServerType::Vm, Some("fedora-coreos"), "(vm, fedora-coreos, kubernetes)"),
            (None, ServerType::Vm, None, "(vm, None, kubernetes)"),
            (None, ServerType::Bm, Some("ubuntu"), "(bm, ubuntu, kubernetes)"),
            (Some("k8s_cluster_api_ubuntu"), ServerType::Bm, Some("ubuntu"), "(bm, ubuntu, kubernetes)"),
            (Some("k8s_cluster_api_ubuntu"), ServerType::Vm, Some("windows"), "(vm, windows, kubernetes)"),
        ] {
            let text = pick(driver, server_type, distro).expect_err("refused");
            let start = format!("Cluster type {tuple} is not supported by any loaded cluster driver. Loaded drivers");
            assert!(text.starts_with(&start), "{text}");
        }
    }

    #[test]
    fn a_disabled_driver_is_not_there() {
        let config =
            ServiceConfig { disabled_drivers: vec!["k8s_cluster_api_ubuntu".into()], ..ServiceConfig::default() };
        let wanted = Wanted { driver: None, server_type: ServerType::Vm, distro: Some("ubuntu"), coe: COE };
        assert!(resolve(&wanted, &config).is_err());
    }
}
