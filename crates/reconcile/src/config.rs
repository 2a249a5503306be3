//! What an operator may set about the loop. A plain struct: the binary fills it from its configuration file.

use std::time::Duration;

use jeroboam_certificates::CertificatesConfig;
use jeroboam_model::Operation;

/// Settings of the loop.
#[derive(Clone, Debug)]
pub struct ReconcileConfig {
    /// How many clusters are worked on at once in this process.
    pub workers: usize,
    /// How long a lease lasts without renewal, which is how long a killed process's clusters stay untouched.
    pub lease: Duration,
    /// How often the database is asked for work of other processes.
    pub poll: Duration,
    /// How often a running operation is looked at when no watch event says so earlier.
    pub progress_interval: Duration,
    /// How often a settled cluster is looked at when no watch event says so earlier.
    pub observe_interval: Duration,
    /// The first pause after a failed attempt; it doubles with each further one.
    pub backoff_first: Duration,
    /// The longest pause after a failed attempt.
    pub backoff_max: Duration,
    /// Refusals by the management cluster in a row before an operation counts as failed.
    pub refusals: i32,
    /// Deadline of a creation whose cluster names none.
    pub create_timeout: Duration,
    /// Deadline of a resize, of node group changes and of upgrades.
    pub update_timeout: Duration,
    /// Deadline of a deletion; work on it goes on afterwards.
    pub delete_timeout: Duration,
    /// How often the row in `magnum_service` is written.
    pub report_interval: Duration,
    /// How old the note of an application credential is before nobody can be still about to use it.
    pub credential_grace: Duration,
    /// This machine's name in `magnum_service`.
    pub host: String,
    /// What nodes and the management cluster need to know of this cloud.
    pub cloud: CloudConfig,
    /// Size in GiB of the volume that nodes boot from when no label says; 0 boots from the flavor's disk.
    pub boot_volume_size: u32,
    /// Type of that volume when no label says.
    pub boot_volume_type: Option<String>,
    /// Namespaces of projects in the management cluster begin with this.
    pub namespace_prefix: String,
    /// The namespace that our own ClusterClass is kept in.
    pub class_namespace: String,
    /// How long Cluster API may refuse what it was given before that is a failure: conflicts heal by themselves.
    pub refusal_grace: Duration,
    /// How old what was applied may be before it is applied again while an operation lasts.
    pub apply_interval: Duration,
    /// Where certificates are kept.
    pub certificates: CertificatesConfig,
    /// The operator's ClusterClass as `(namespace, name)`; our own where there is none.
    pub cluster_class: Option<(String, String)>,
}

/// How clusters reach the OpenStack they live in.
#[derive(Clone, Debug, Default)]
pub struct CloudConfig {
    /// Keystone as nodes and the management cluster reach it.
    pub auth_url: String,
    /// The region; the catalogue's only one where it is not set.
    pub region: Option<String>,
    /// `public`, `internal` or `admin`.
    pub interface: String,
    /// The certificate authorities, as PEM text, that vouch for the cloud's endpoints.
    pub ca_certificates: Option<String>,
    /// Whether the cloud's certificates are not checked.
    pub insecure: bool,
}

impl Default for ReconcileConfig {
    fn default() -> Self {
        Self {
            workers: 16,
            lease: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            progress_interval: Duration::from_secs(10),
            observe_interval: Duration::from_secs(60),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(120),
            refusals: 3,
            create_timeout: Duration::from_secs(60 * 60),
            update_timeout: Duration::from_secs(60 * 60),
            delete_timeout: Duration::from_secs(30 * 60),
            report_interval: Duration::from_secs(60),
            credential_grace: Duration::from_secs(2 * 60),
            host: "localhost".to_owned(),
            cloud: CloudConfig { interface: "public".to_owned(), ..CloudConfig::default() },
            boot_volume_size: 0,
            boot_volume_type: None,
            namespace_prefix: "magnum".to_owned(),
            class_namespace: jeroboam_capi::SYSTEM_NAMESPACE.to_owned(),
            refusal_grace: Duration::from_secs(30),
            apply_interval: Duration::from_secs(60),
            certificates: CertificatesConfig::default(),
            cluster_class: None,
        }
    }
}

/// A setting with which nothing would ever be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadConfig {
    /// No worker.
    #[error("[jeroboam] workers is 0, so no cluster would ever be worked on: set it to 1 or more")]
    NoWorkers,
    /// A lease that is over when it begins.
    #[error("[jeroboam] lease_seconds is 0, so no cluster could ever be held to be worked on: set it to 1 or more")]
    NoLease,
}

impl ReconcileConfig {
    /// The same settings, unless nothing could be done with them.
    pub fn checked(self) -> Result<Self, BadConfig> {
        match (self.workers, self.lease) {
            (0, _) => Err(BadConfig::NoWorkers),
            (_, lease) if lease.is_zero() => Err(BadConfig::NoLease),
            _ => Ok(self),
        }
    }

    /// The time an operation is given; `minutes` is the cluster's own `create_timeout`.
    ///
    /// Magnum: 0 minutes and none mean the default.
    #[must_use]
    pub fn timeout(&self, operation: Operation, minutes: Option<i32>) -> Option<Duration> {
        let own = minutes.and_then(|minutes| u64::try_from(minutes).ok()).filter(|minutes| *minutes > 0);
        match operation {
            Operation::Create => Some(own.map_or(self.create_timeout, |minutes| Duration::from_secs(minutes * 60))),
            Operation::Update | Operation::Upgrade => Some(self.update_timeout),
            Operation::Delete => Some(self.delete_timeout),
            Operation::Observe => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_with_which_nothing_would_be_done_are_refused() {
        let default = ReconcileConfig::default;
        assert!(default().checked().is_ok());
        let idle = ReconcileConfig { workers: 0, ..default() };
        assert_eq!(idle.checked().map(drop), Err(BadConfig::NoWorkers));
        let brief = ReconcileConfig { lease: Duration::ZERO, ..default() };
        assert_eq!(brief.checked().map(drop), Err(BadConfig::NoLease));
    }

    #[test]
    fn only_a_creation_obeys_the_clusters_own_timeout_and_zero_is_none() {
        let config = ReconcileConfig::default();
        let minutes = |operation, own| config.timeout(operation, own).map(|timeout| timeout.as_secs() / 60);
        assert_eq!(minutes(Operation::Create, Some(5)), Some(5));
        assert_eq!(minutes(Operation::Create, Some(0)), Some(60));
        assert_eq!(minutes(Operation::Create, Some(-1)), Some(60));
        assert_eq!(minutes(Operation::Create, None), Some(60));
        assert_eq!(minutes(Operation::Upgrade, Some(5)), Some(60));
        assert_eq!(minutes(Operation::Delete, Some(5)), Some(30));
        assert_eq!(minutes(Operation::Observe, Some(5)), None);
    }
}
