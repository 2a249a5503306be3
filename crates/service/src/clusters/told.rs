//! Others are told what callers want of clusters, at the moments at which Magnum tells them.
//!
//! Magnum: conductor/handlers/cluster_conductor.py, with the cluster as it was before.

use std::time::Duration;

use jeroboam_model::{Caller, Cluster, ClusterWithGroups};
use jeroboam_notify::{Action, Outcome};
use tracing::warn;

use super::allowed;
use crate::{Error, Service};

/// A record that is deleted waits no longer for its certificates to be forgotten.
const PATIENCE: Duration = Duration::from_secs(10);

impl Service {
    /// It begins.
    pub(crate) fn told(&self, caller: &Caller, action: Action, cluster: &ClusterWithGroups) {
        self.inner.notifier.request(caller, action, Outcome::Pending, cluster);
    }

    /// As [`allowed`] of the cluster's status; a refusal is told as a failure.
    pub(crate) fn allowed_or_told(
        &self,
        caller: &Caller,
        was: &ClusterWithGroups,
        yes: bool,
        doing: &'static str,
    ) -> Result<(), Error> {
        allowed(yes, doing, was.cluster.status).inspect_err(|_| {
            self.inner.notifier.request(caller, Action::Update, Outcome::Failure, was);
        })
    }

    /// Forgets the certificates of a cluster whose rows are gone, where they are not rows themselves.
    pub(crate) async fn forget_certificates(&self, cluster: &Cluster) {
        let all = async {
            for reference in cluster.certificates.iter() {
                if let Err(error) = self.kept_certificates.discard(reference).await {
                    warn!(cluster.id = %cluster.id, certificate.reference = %reference, %error, "a certificate is left behind");
                }
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            warn!(cluster.id = %cluster.id, "certificates are left behind: their store does not answer");
        }
    }
}
