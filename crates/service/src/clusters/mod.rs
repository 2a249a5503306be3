//! Clusters: accepted here, made elsewhere.

mod create;
mod delete;
mod resize;
mod rotate;
mod told;
mod update;
mod upgrade;

use std::sync::Arc;

use jeroboam_model::{Caller, ClusterWithGroups, Operation, Page, ShownCluster, Status, Timestamp};
use jeroboam_store::Acceptance;

use crate::error::{Looking, from_store};
use crate::policy::Target;
use crate::{ClusterProgress, Error, Listing, Service};

/// How often a decision is taken anew when others change the same cluster. In each round one of those who are at it gets through, so
/// as many may be at it at once before somebody is refused.
pub(crate) const ATTEMPTS: u32 = 16;

/// Clusters.
#[derive(Clone, Copy, Debug)]
pub struct Clusters<'a>(pub(crate) &'a Service);

impl Clusters<'_> {
    /// `GET /v1/clusters/{ident}`; the ident is a uuid or a name.
    pub async fn get(&self, caller: &Caller, ident: &str) -> Result<Arc<ShownCluster>, Error> {
        self.0.enforce_wider_view(caller, "cluster:get_one_all_projects")?;
        let found = self.0.show_cluster(caller, ident).await?;
        self.0.enforce(caller, "cluster:get", &Target::cluster(&found.cluster))?;
        Ok(found)
    }

    /// `GET /v1/clusters` and `…/detail`.
    pub async fn list(&self, caller: &Caller, listing: Listing, page: &Page) -> Result<Vec<Arc<ShownCluster>>, Error> {
        let (rule, wider) = match listing {
            Listing::Short => ("cluster:get_all", "cluster:get_all_all_projects"),
            Listing::Detail => ("cluster:detail", "cluster:detail_all_projects"),
        };
        self.0.enforce(caller, rule, &Target::own(caller))?;
        self.0.enforce_wider_view(caller, wider)?;
        let found = self.0.inner.store.shown_clusters(&caller.widest_scope(), page).await;
        found.map_err(|error| from_store(Looking::Clusters, error))
    }

    /// Phases and machines, for a client that watches; the policy is that of GET.
    pub async fn progress(&self, caller: &Caller, ident: &str) -> Result<ClusterProgress, Error> {
        let found = self.get(caller, ident).await?;
        let cluster = &found.cluster;
        let work = self.0.inner.store.work(cluster.id).await;
        let work = work.map_err(|error| from_store(Looking::Clusters, error))?;
        let mut progress = work.map(|work| work.progress).unwrap_or_default();
        // What was last seen is of the operation before; nobody has looked since this one was accepted.
        if cluster.status.in_progress() && progress.phase == "complete" {
            "accepted".clone_into(&mut progress.phase);
        }
        Ok(ClusterProgress {
            cluster: cluster.id,
            status: cluster.status,
            reason: cluster.status_reason.clone(),
            progress,
        })
    }
}

impl Service {
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Writes a request down. `None`: somebody was faster.
    pub(crate) async fn accept(
        &self,
        was: &ClusterWithGroups,
        change: Acceptance,
    ) -> Result<Option<ClusterWithGroups>, Error> {
        let operation = change.operation;
        self.ours(&was.cluster).await?;
        let accepted = self.inner.store.accept(was, change).await;
        let accepted = accepted.map_err(|error| from_store(Looking::Clusters, error))?;
        if accepted.is_some() {
            tracing::info!(cluster.id = %was.cluster.id, "accepted to {} a cluster", operation.as_str());
        }
        Ok(accepted)
    }

    /// A change of a cluster that runs: an upgrade that is under way stays one.
    pub(crate) async fn update_of(&self, was: &ClusterWithGroups) -> Result<Acceptance, Error> {
        let running = was.cluster.status == Status::UPDATE_IN_PROGRESS;
        let work = self.inner.store.work(was.cluster.id).await;
        let work = work.map_err(|error| from_store(Looking::Clusters, error))?;
        let upgrading = running && work.is_some_and(|work| work.operation == Operation::Upgrade);
        let operation = if upgrading { Operation::Upgrade } else { Operation::Update };
        let mut change = Acceptance::of(operation, Status::UPDATE_IN_PROGRESS, self.now());
        change.deadline = Some(self.now() + self.inner.settings.update_timeout);
        Ok(change)
    }
}

/// The status has to allow the operation, now.
pub(crate) fn allowed(yes: bool, doing: &'static str, status: Status) -> Result<(), Error> {
    if yes { Ok(()) } else { Err(Error::IllegalState { doing, status }) }
}
