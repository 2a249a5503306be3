//! Clusters that another service made on the same database: shown, and left alone.

use jeroboam_model::{Cluster, ClusterWithGroups, DriverFamily, Keeper};
use tracing::warn;

use crate::error::{Looking, from_store};
use crate::{Error, Service};

impl Service {
    /// Refuses to change a cluster that nobody here works on.
    pub(crate) async fn ours(&self, cluster: &Cluster) -> Result<(), Error> {
        match self.keeper_of(cluster).await? {
            Keeper::Us => Ok(()),
            Keeper::Other { driver, .. } => Err(not_ours(cluster, driver, "changed")),
        }
    }

    /// Deletes the record of a cluster that nobody here works on, at once. `false`: it is one of ours.
    ///
    /// What is in a management cluster could still be taken over or taken away by its driver; its record is all that leads there,
    /// and stays. Nobody has a driver for Heat's any more, and its stack is in the tenant's own hands.
    pub(crate) async fn delete_record(&self, was: &ClusterWithGroups) -> Result<bool, Error> {
        let cluster = &was.cluster;
        let (driver, family) = match self.keeper_of(cluster).await? {
            Keeper::Us => return Ok(false),
            Keeper::Other { driver, family } => (driver, family),
        };
        if family.is_cluster_api() && cluster.stack_id.is_some() {
            return Err(not_ours(cluster, driver, "deleted"));
        }
        let gone = self.inner.store.forget_record(was).await;
        let gone = gone.map_err(|error| from_store(Looking::Clusters, error))?;
        if gone {
            let stack = cluster.stack_id.as_deref().unwrap_or("none");
            match family {
                DriverFamily::Heat => {
                    warn!(cluster.id = %cluster.id, stack, "deleted the record of a cluster; its Heat stack is left");
                }
                _ => warn!(cluster.id = %cluster.id, stack, "deleted the record of a cluster; what it had is left"),
            }
        }
        Ok(gone)
    }

    async fn keeper_of(&self, cluster: &Cluster) -> Result<Keeper, Error> {
        let keeper = self.inner.store.keeper(cluster).await;
        keeper.map_err(|error| from_store(Looking::Clusters, error))
    }
}

fn not_ours(cluster: &Cluster, driver: Option<String>, what: &'static str) -> Error {
    let driver = driver
        .filter(|name| !name.is_empty())
        .map_or_else(|| "another service".to_owned(), |name| format!("the driver {name} of another service"));
    Error::NotOurs { cluster: cluster.title(), driver, what }
}
