//! What an operator may set about the meaning of requests.

use std::time::Duration;

use jeroboam_certificates::CertificatesConfig;
use jeroboam_oslo::Config;

use crate::SigningRules;

/// Settings of the service. A plain struct: [`ServiceConfig::from_oslo`] fills it from `magnum.conf`.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Clusters that a project without a quota of its own may have.
    pub max_clusters_per_project: u32,
    /// Deadline of a creation that names none.
    pub create_timeout: Duration,
    /// Deadline of resizes, upgrades and node group changes.
    pub update_timeout: Duration,
    /// Deadline of deletions.
    pub delete_timeout: Duration,
    /// Network drivers that templates may name; `all` is every one we know.
    pub allowed_network_drivers: Vec<String>,
    /// The network driver of templates that name none.
    pub default_network_driver: String,
    /// GiB of the volume that nodes boot from when no label says; 0 is the flavor's own disk.
    pub boot_volume_size: i64,
    /// The driver of templates that name none and whose image names none.
    pub default_driver: Option<String>,
    /// Drivers that are not offered.
    pub disabled_drivers: Vec<String>,
    /// Roles of the application credential of a cluster, as far as the caller has them.
    pub credential_roles: Vec<String>,
    /// Silence that makes a process count as down.
    pub service_down_time: Duration,
    /// How certificates are made.
    pub signing: SigningRules,
    /// Where they are kept.
    pub certificates: CertificatesConfig,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            max_clusters_per_project: 20,
            create_timeout: Duration::from_secs(60 * 60),
            update_timeout: Duration::from_secs(60 * 60),
            delete_timeout: Duration::from_secs(60 * 60),
            allowed_network_drivers: vec!["flannel".to_owned(), "calico".to_owned()],
            default_network_driver: "flannel".to_owned(),
            boot_volume_size: 0,
            default_driver: None,
            disabled_drivers: Vec::new(),
            credential_roles: vec!["member".to_owned(), "load-balancer_member".to_owned()],
            service_down_time: Duration::from_secs(180),
            signing: SigningRules::default(),
            certificates: CertificatesConfig::default(),
        }
    }
}

impl ServiceConfig {
    /// Reads the operator's configuration; it has been checked when it was loaded.
    #[must_use]
    pub fn from_oslo(config: &Config) -> Self {
        let default = Self::default();
        let minutes = |name: &str, default: Duration| {
            let minutes = config.int("jeroboam", name).and_then(|value| u64::try_from(value).ok());
            minutes.map_or(default, |minutes| Duration::from_secs(minutes.min(MOST_MINUTES) * 60))
        };
        let positive = |group: &str, name: &str| config.int(group, name).and_then(|value| u32::try_from(value).ok());
        Self {
            max_clusters_per_project: positive("quotas", "max_clusters_per_project")
                .unwrap_or(default.max_clusters_per_project),
            create_timeout: minutes("create_timeout", default.create_timeout),
            update_timeout: minutes("update_timeout", default.update_timeout),
            delete_timeout: minutes("delete_timeout", default.delete_timeout),
            allowed_network_drivers: config.list("cluster_template", "kubernetes_allowed_network_drivers"),
            default_network_driver: config
                .string("cluster_template", "kubernetes_default_network_driver")
                .unwrap_or(default.default_network_driver),
            boot_volume_size: config.int("cinder", "default_boot_volume_size").unwrap_or(0),
            default_driver: config.string("drivers", "default_driver"),
            disabled_drivers: config.list("drivers", "disabled_drivers"),
            credential_roles: config.list("jeroboam", "credential_roles"),
            service_down_time: positive("DEFAULT", "service_down_time")
                .map_or(default.service_down_time, |seconds| Duration::from_secs(seconds.into())),
            signing: SigningRules {
                key_bits: positive("x509", "rsa_key_size").unwrap_or(default.signing.key_bits),
                validity_days: positive("x509", "term_of_validity")
                    .map_or(default.signing.validity_days, |days| u64::from(days.min(MOST_DAYS))),
                allow_ca: config.bool("x509", "allow_ca").unwrap_or(false),
                extensions: config.list("x509", "allowed_extensions"),
                key_usages: config.list("x509", "allowed_key_usage"),
            },
            certificates: CertificatesConfig {
                kind: config
                    .string("certificates", "cert_manager_type")
                    .and_then(|name| name.parse().ok())
                    .unwrap_or_default(),
                storage_path: config
                    .string("certificates", "storage_path")
                    .map_or(default.certificates.storage_path, Into::into),
            },
        }
    }
}

/// A century: certificates that hold longer leave the calendar.
const MOST_DAYS: u32 = 36_500;
/// A year: whoever sets more means never.
const MOST_MINUTES: u64 = 525_600;
