//! Accepting a new cluster.

use jeroboam_model::{ClusterId, Operation, ProjectId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter,
};

use crate::entity::{cluster, project, quotas, work};
use crate::error::is_duplicate;
use crate::rows::millis;
use crate::secrets::take_credential;
use crate::store::Then;
use crate::writes::ClusterRows;
use crate::{Creation, KeyPair, NewCluster, Store, StoreError, columns, templates};

/// What Magnum calls the counted thing in `quotas`.
const RESOURCE: &str = "Cluster";

impl Store {
    /// Accepts a new cluster: all its rows and the work to do, in one transaction, unless the project has `limit` clusters
    /// or as many as its own quota says. Requests of one project wait for each other here, so the count can't be outrun.
    pub async fn create_cluster(&self, new: NewCluster, limit: u32) -> Result<Creation, StoreError> {
        let new = &new;
        let creation =
            self.write("create cluster", |tx| async move { self.insert_cluster(&tx, new, limit).await }).await?;
        if matches!(creation, Creation::Created(_)) {
            self.changed();
        }
        Ok(creation)
    }

    /// How many clusters the project may have by its own quota row; `None`: it has no such row.
    pub async fn quota(&self, project: &ProjectId) -> Result<Option<u32>, StoreError> {
        quota(&self.reader(), project).await
    }

    /// How many clusters the project has. Magnum: every row counts, the failed ones and those on their way out, too.
    pub async fn cluster_count(&self, project: &ProjectId) -> Result<u64, StoreError> {
        count(&self.reader(), project).await
    }

    async fn insert_cluster(
        &self,
        tx: &DatabaseTransaction,
        new: &NewCluster,
        limit: u32,
    ) -> Result<Then<Creation>, StoreError> {
        let cluster = &new.cluster;
        lock_project(tx, &cluster.project).await?;
        let limit = quota(tx, &cluster.project).await?.unwrap_or(limit);
        if count(tx, &cluster.project).await? >= u64::from(limit) {
            return Ok(Then::Undo(Creation::OverQuota { limit }));
        }
        if templates::locked(tx, cluster.template).await?.is_none() {
            return Ok(Then::Undo(Creation::NoTemplate));
        }
        if let Some(name) = &new.credential
            && !take_credential(tx, name).await?
        {
            return Ok(Then::Undo(Creation::CredentialRevoked));
        }
        let mut rows = ClusterRows::of(tx, cluster.id);
        rows.insert(columns::new_cluster(cluster)).await.map_err(|error| duplicate(error, "cluster"))?;
        for group in &new.groups {
            rows.insert_group(columns::new_group(group)).await.map_err(|error| duplicate(error, "node group"))?;
        }
        self.insert_key_pairs(tx, &new.key_pairs).await?;
        self.keep_secrets(tx, cluster.id, &new.secrets).await?;
        work::Entity::insert(first_work(
            cluster.id,
            Operation::Create,
            millis(cluster.created_at),
            new.deadline.map(millis),
        ))
        .exec_without_returning(tx)
        .await?;
        let view = self.view(tx, cluster.id).await?;
        let view = view.ok_or_else(|| DbErr::RecordNotFound("the cluster just inserted".to_owned()))?;
        Ok(Then::Commit(Creation::Created(Box::new(view))))
    }

    pub(crate) async fn insert_key_pairs<C: ConnectionTrait>(
        &self,
        tx: &C,
        pairs: &[KeyPair],
    ) -> Result<(), StoreError> {
        for pair in pairs {
            columns::new_key_pair(pair, self.now()).insert(tx).await.map_err(|error| duplicate(error, "key pair"))?;
        }
        Ok(())
    }
}

/// The first row of work for a cluster, due at once.
pub(crate) fn first_work(
    cluster: ClusterId,
    operation: Operation,
    began: i64,
    deadline: Option<i64>,
) -> work::ActiveModel {
    work::ActiveModel {
        cluster: Set(cluster.to_string()),
        operation: Set(operation.as_str().to_owned()),
        revision: Set(1),
        began: Set(began),
        deadline: Set(deadline),
        attempts: Set(0),
        removals: Set(None),
        progress: Set(None),
        next_run: Set(began),
        wake: Set(1),
        seen_wake: Set(0),
        lease_owner: Set(None),
        lease_expires: Set(0),
        fence: Set(0),
    }
}

/// Makes the requests of one project wait for each other. The row is written and not only locked: Galera tells its other
/// nodes of writes alone, and breaks off one of two transactions that wrote the same row.
pub(crate) async fn lock_project<C: ConnectionTrait>(tx: &C, project: &ProjectId) -> Result<(), StoreError> {
    use project::{ActiveModel, Column, Entity};
    let row = ActiveModel { project: Set(project.to_string()), creations: Set(1) };
    let count = OnConflict::column(Column::Project)
        .value(Column::Creations, Expr::col((Entity, Column::Creations)).add(1))
        .to_owned();
    Entity::insert(row).on_conflict(count).exec_without_returning(tx).await?;
    Ok(())
}

pub(crate) async fn count<C: ConnectionTrait>(db: &C, project: &ProjectId) -> Result<u64, StoreError> {
    let of_project = cluster::Entity::find().filter(cluster::Column::ProjectId.eq(project.as_str()));
    Ok(of_project.count(db).await?)
}

async fn quota<C: ConnectionTrait>(db: &C, project: &ProjectId) -> Result<Option<u32>, StoreError> {
    let row = quotas::Entity::find()
        .filter(quotas::Column::ProjectId.eq(project.as_str()))
        .filter(quotas::Column::Resource.eq(RESOURCE))
        .one(db)
        .await?;
    // Magnum: a negative limit lets nothing pass; it never meant "no limit".
    Ok(row.map(|row| u32::try_from(row.hard_limit).unwrap_or(0)))
}

pub(crate) fn duplicate(error: DbErr, what: &'static str) -> StoreError {
    if is_duplicate(&error) { StoreError::Duplicate { what } } else { error.into() }
}
