//! Clusters that were not made here.

use jeroboam_model::{ClusterId, ClusterWithGroups, DriverFamily, Keeper};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::entity::{cluster_template, work, x509keypair};
use crate::store::Then;
use crate::writes::ClusterRows;
use crate::{Store, StoreError};

impl Store {
    /// Who brings about what the rows of a cluster ask for.
    pub async fn keeper(&self, cluster: &jeroboam_model::Cluster) -> Result<Keeper, StoreError> {
        if self.is_ours(cluster.id).await? {
            return Ok(Keeper::Us);
        }
        use cluster_template::Column;
        let row: Option<(Option<String>, Option<String>, Option<String>)> = cluster_template::Entity::find()
            .select_only()
            .columns([Column::Driver, Column::ClusterDistro, Column::Coe])
            .filter(Column::Uuid.eq(cluster.template.to_string()))
            .into_tuple()
            .one(&self.reader())
            .await?;
        let (driver, distro, coe) = row.unwrap_or_default();
        let family = DriverFamily::of(driver.as_deref(), distro.as_deref(), coe.as_deref());
        Ok(Keeper::Other { driver, family })
    }

    /// Takes away the rows of a cluster that was not made here, and nothing but them. `false`, and nothing is taken: it is gone
    /// already, or it was made here.
    pub async fn forget_record(&self, was: &ClusterWithGroups) -> Result<bool, StoreError> {
        let id = was.cluster.id.to_string();
        let id = id.as_str();
        let pairs: Vec<_> =
            was.cluster.certificates.iter().filter_map(jeroboam_model::CertificateRef::key_pair).collect();
        let pairs = &pairs;
        self.write("forget record", |tx| async move {
            let tx = &*tx;
            if work::Entity::find_by_id(id).one(tx).await?.is_some() {
                return Ok(Then::Undo(false));
            }
            if !ClusterRows::of(tx, was.cluster.id).delete().await? {
                return Ok(Then::Undo(false));
            }
            let pairs = x509keypair::Column::Uuid.is_in(pairs.iter().map(ToString::to_string));
            x509keypair::Entity::delete_many().filter(pairs).exec(tx).await?;
            Ok(Then::Commit(true))
        })
        .await
    }

    async fn is_ours(&self, cluster: ClusterId) -> Result<bool, StoreError> {
        let row = work::Entity::find_by_id(cluster.to_string()).select_only().column(work::Column::Cluster);
        Ok(row.into_tuple::<String>().one(&self.reader()).await?.is_some())
    }
}
