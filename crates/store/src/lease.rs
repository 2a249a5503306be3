//! Who works on which cluster: leases with a fence, and when a cluster is looked at next.

use std::time::Duration;

use jeroboam_model::{ClusterId, Fence, Lease, Timestamp};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany};

use crate::entity::work::{Column, Entity};
use crate::rows::{from_millis, millis};
use crate::store::{Then, Tx};
use crate::{Store, StoreError};

/// No lease lasts and no pause is as long as this. A time that is further ahead was written by a clock that was wrong, and would
/// keep a cluster from being looked at until that time has come.
const BELIEVED: Duration = Duration::from_secs(3600);

impl Store {
    /// Clusters whose time has come and that nobody holds, the longest waiting first.
    pub async fn due(&self, now: Timestamp, limit: u64) -> Result<Vec<ClusterId>, StoreError> {
        let ids: Vec<String> = Entity::find()
            .select_only()
            .column(Column::Cluster)
            .filter(passed(Column::NextRun, now, BELIEVED))
            .filter(passed(Column::LeaseExpires, now, BELIEVED))
            .order_by_asc(Column::NextRun)
            .order_by_asc(Column::Cluster)
            .limit(limit)
            .into_tuple()
            .all(&self.reader())
            .await?;
        ids.into_iter().map(|id| parse_id(&id)).collect()
    }

    /// Has a cluster looked at as soon as somebody can, also when it is being looked at now. `false`: we do not work on it.
    pub async fn wake(&self, cluster: ClusterId, now: Timestamp) -> Result<bool, StoreError> {
        let soon = CaseStatement::new()
            .case(Column::NextRun.lt(millis(now)), Expr::col(Column::NextRun))
            .finally(Expr::value(millis(now)));
        let soon = &soon;
        let woken = self
            .update("wake", |tx| async move {
                let tx = &*tx;
                let wake = Entity::update_many()
                    .col_expr(Column::NextRun, soon.clone().into())
                    .col_expr(Column::Wake, Expr::col(Column::Wake).add(1))
                    .filter(Column::Cluster.eq(cluster.to_string()));
                rows(tx, wake).await
            })
            .await?;
        if woken {
            self.changed();
        }
        Ok(woken)
    }

    /// Takes the cluster for `owner` until `now` + `ttl`, if nobody has it. The fence grows: a former holder writes no more.
    pub async fn claim(
        &self,
        cluster: ClusterId,
        owner: &str,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let expires = millis(now).saturating_add(millis_of(ttl));
        self.write("claim lease", |tx| async move {
            let tx = &*tx;
            let claim = Entity::update_many()
                .col_expr(Column::LeaseOwner, Expr::value(owner))
                .col_expr(Column::LeaseExpires, Expr::value(expires))
                .col_expr(Column::Fence, Expr::col(Column::Fence).add(1))
                .col_expr(Column::SeenWake, Expr::col(Column::Wake))
                .filter(Column::Cluster.eq(cluster.to_string()))
                .filter(passed(Column::LeaseExpires, now, BELIEVED.max(ttl)));
            if !rows(tx, claim).await? {
                return Ok(Then::Undo(None));
            }
            let fence: Option<i64> = Entity::find_by_id(cluster.to_string())
                .select_only()
                .column(Column::Fence)
                .into_tuple()
                .one(tx)
                .await?;
            let Some(fence) = fence else { return Ok(Then::Undo(None)) };
            let lease = Lease { cluster, owner: owner.to_owned(), fence: Fence(fence), expires: from_millis(expires) };
            Ok(Then::Commit(Some(lease)))
        })
        .await
    }

    /// Holds on to a cluster. `None`: somebody else has it, or it is gone.
    pub async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let expires = millis(now).saturating_add(millis_of(ttl));
        let renewed = self
            .update("renew lease", |tx| async move {
                let tx = &*tx;
                let renew = Entity::update_many().col_expr(Column::LeaseExpires, Expr::value(expires));
                rows(tx, renew.filter(held(lease))).await
            })
            .await?;
        Ok(renewed.then(|| Lease { expires: from_millis(expires), ..lease.clone() }))
    }

    /// Lets go of a cluster until `next_run`. A request or a wake that came since the claim is not forgotten: then the earlier
    /// of the two times holds. `false`: it was not held any more.
    pub async fn release(&self, lease: &Lease, next_run: Timestamp) -> Result<bool, StoreError> {
        let woken = Condition::all()
            .add(Expr::col(Column::Wake).ne(Expr::col(Column::SeenWake)))
            .add(Column::NextRun.lt(millis(next_run)));
        let next = CaseStatement::new().case(woken, Expr::col(Column::NextRun)).finally(Expr::value(millis(next_run)));
        let next = &next;
        self.update("release lease", |tx| async move {
            let tx = &*tx;
            let release = Entity::update_many()
                .col_expr(Column::NextRun, next.clone().into())
                .col_expr(Column::LeaseOwner, Expr::value(None::<String>))
                .col_expr(Column::LeaseExpires, Expr::value(0_i64));
            rows(tx, release.filter(held(lease))).await
        })
        .await
    }

    /// A write of one row that either meets its condition or changes nothing.
    async fn update<F, Fut>(&self, name: &'static str, step: F) -> Result<bool, StoreError>
    where
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<bool, StoreError>> + Send,
    {
        let step = &step;
        self.write(name, |tx| async move { Ok(if step(tx).await? { Then::Commit(true) } else { Then::Undo(false) }) })
            .await
    }
}

/// What every write under a lease asks for.
pub(crate) fn held(lease: &Lease) -> Condition {
    Condition::all()
        .add(Column::Cluster.eq(lease.cluster.to_string()))
        .add(Column::LeaseOwner.eq(lease.owner.as_str()))
        .add(Column::Fence.eq(lease.fence.0))
}

/// Whether a time has come, or is none to wait for.
fn passed(column: Column, now: Timestamp, believed: Duration) -> Condition {
    let too_far = millis(now).saturating_add(millis_of(believed));
    Condition::any().add(column.lte(millis(now))).add(column.gt(too_far))
}

async fn rows<C: ConnectionTrait>(tx: &C, update: UpdateMany<Entity>) -> Result<bool, StoreError> {
    Ok(update.exec(tx).await?.rows_affected == 1)
}

fn parse_id(text: &str) -> Result<ClusterId, StoreError> {
    text.parse().map_err(|error: jeroboam_model::BadId| StoreError::BadRow {
        table: "jeroboam_cluster",
        column: "cluster",
        id: text.to_owned(),
        problem: error.to_string(),
    })
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
