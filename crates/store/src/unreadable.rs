//! Looks for rows that nobody can read: those of clusters, node groups, templates and work.

use jeroboam_model::{Cluster, ClusterTemplate, NodeGroup, Work};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::{cluster, cluster_template, nodegroup, work};
use crate::{Store, StoreError};

/// Rows at a time.
const AT_ONCE: u64 = 500;

/// Reads all rows of one of Magnum's tables, by their numbers.
macro_rules! look {
    ($store:expr, $entity:ident as $noun:ty, $bad:expr) => {{
        let mut last = 0;
        loop {
            let after = $entity::Entity::find().filter($entity::Column::Id.gt(last));
            let rows = after.order_by_asc($entity::Column::Id).limit(AT_ONCE).all(&$store.reader()).await?;
            let Some(end) = rows.last().map(|row| row.id) else { break };
            last = end;
            $bad.extend(rows.into_iter().filter_map(|row| <$noun>::try_from(row).err()));
        }
    }};
}

impl Store {
    /// What is wrong with rows that cannot be read, each naming table, column and row. Nothing is done for their clusters until
    /// somebody mends them.
    pub async fn unreadable(&self) -> Result<Vec<StoreError>, StoreError> {
        let mut bad = Vec::new();
        look!(self, cluster as Cluster, bad);
        look!(self, nodegroup as NodeGroup, bad);
        look!(self, cluster_template as ClusterTemplate, bad);
        let mut last = String::new();
        loop {
            let after = work::Entity::find().filter(work::Column::Cluster.gt(last.as_str()));
            let rows = after.order_by_asc(work::Column::Cluster).limit(AT_ONCE).all(&self.reader()).await?;
            let Some(end) = rows.last().map(|row| row.cluster.clone()) else { break };
            last = end;
            bad.extend(rows.into_iter().filter_map(|row| Work::try_from(row).err()));
        }
        Ok(bad)
    }
}
