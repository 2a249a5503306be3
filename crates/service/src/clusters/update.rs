//! `PATCH /v1/clusters/{ident}`: the size of the default workers, and health as a healer outside sees it.

use jeroboam_model::{Caller, Cluster, ClusterId, ClusterWithGroups, Status};
use jeroboam_notify::Action;

use super::{ATTEMPTS, Clusters};
use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{ClusterChange, Error, Service, rules};

impl Clusters<'_> {
    /// `PATCH /v1/clusters/{ident}`. `decide` turns the patch into a change of the cluster as it is now, and may be asked
    /// again when somebody else was faster; it refuses with [`Error::bad_request`].
    pub async fn update(
        &self,
        caller: &Caller,
        ident: &str,
        decide: impl Fn(&ClusterWithGroups) -> Result<ClusterChange, Error> + Send + Sync,
    ) -> Result<ClusterId, Error> {
        self.0.enforce_wider_view(caller, "cluster:update_all_projects")?;
        for _ in 0..ATTEMPTS {
            let was = self.0.find_cluster(caller, ident).await?;
            self.0.enforce(caller, "cluster:update", &Target::cluster(&was.cluster))?;
            let change = decide(&was)?;
            let health = health_of(&change, &was.cluster);
            if health.is_some() {
                // Magnum: evaluated without a target, so that any member's healer passes.
                self.0.enforce(caller, "cluster:update_health_status", &Target::own(caller))?;
            }
            if self.0.resize_workers(caller, &was, &change, health.is_some()).await? {
                return Ok(was.cluster.id);
            }
        }
        Err(Error::Contended(format!("Cluster {ident}")))
    }
}

type Health = (Option<jeroboam_model::HealthStatus>, std::collections::BTreeMap<String, String>);

/// Health as it shall be, when that is not as it is.
fn health_of(change: &ClusterChange, cluster: &Cluster) -> Option<Health> {
    let status = change.health_status.unwrap_or(cluster.health_status);
    let reason = change.health_status_reason.as_ref().unwrap_or(&cluster.health_status_reason);
    let same = status == cluster.health_status && *reason == cluster.health_status_reason;
    (!same).then(|| (status, reason.clone()))
}

impl Service {
    /// `Ok(false)`: somebody was faster.
    async fn resize_workers(
        &self,
        caller: &Caller,
        was: &ClusterWithGroups,
        change: &ClusterChange,
        healthy: bool,
    ) -> Result<bool, Error> {
        let group = was.default_worker();
        let count = change.node_count.filter(|count| group.is_none_or(|group| group.node_count != *count));
        let mut now = was.clone();
        if let Some(count) = count {
            rules::zero_nodes(change.before_1_10, Some(count))?;
            let group = group.ok_or_else(|| Error::NoNodeGroup("default-worker".to_owned()))?;
            rules::within_bounds(group, count)?;
            self.allowed_or_told(caller, was, was.cluster.status.is_settled(), "Updating a cluster")?;
            let mut accepted = self.update_of(was).await?;
            accepted.changed_groups.push(rules::resized(group, count));
            match self.accept(was, accepted).await? {
                Some(accepted) => {
                    self.told(caller, Action::Update, was);
                    now = accepted;
                }
                None => return Ok(false),
            }
        }
        if !healthy {
            return Ok(true);
        }
        // Health alone leaves the status as it is and is taken at any time but the last: the healer reports while it works.
        if was.cluster.status == Status::DELETE_IN_PROGRESS {
            return Ok(true);
        }
        let Some((status, reason)) = health_of(change, &now.cluster) else { return Ok(true) };
        let written = self.inner.store.set_health(&now.cluster, status, reason).await;
        written.map_err(|error| from_store(Looking::Clusters, error))
    }
}
