//! What a reconciler reads and writes. Every write shows the lease's fence in the same transaction.

use jeroboam_model::{ClusterTemplate, KeyPairId, Lease, Work, looks_like_uuid};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};

use crate::create::{count, lock_project};
use crate::entity::{cluster, nodegroup, secret, work, x509keypair};
use crate::lease::held;
use crate::rows::millis;
use crate::storable::ascii_reasons;
use crate::store::Then;
use crate::writes::ClusterRows;
use crate::{ClusterSeen, GroupSeen, Loaded, Recorded, Store, StoreError, columns, templates};

impl Store {
    /// All that is needed to work on a cluster. `None`: the lease is lost, or the cluster's row is gone; in that case our own
    /// rows of it go, too, because whoever took it away (Magnum, before it handed over) has done all there was to do.
    pub async fn load(&self, lease: &Lease) -> Result<Option<Loaded>, StoreError> {
        // The work is read first. A request that comes between the reads is then seen without its revision, and a record
        // of what was seen is refused for the old one.
        let Some(row) = work::Entity::find().filter(held(lease)).one(&self.reader()).await? else { return Ok(None) };
        let work = Work::try_from(row)?;
        let Some(view) = self.view(&self.reader(), lease.cluster).await? else {
            self.forget(lease, work.revision, false).await?;
            return Ok(None);
        };
        let template = templates::template_row(&self.reader(), view.cluster.template).await?;
        Ok(Some(Loaded { template: template.map(ClusterTemplate::try_from).transpose()?, view, work }))
    }

    /// Writes what was seen and done by a holder who started from `revision`. `false`, and nothing is written: the lease is
    /// lost, or a newer request was accepted; read again.
    pub async fn record(&self, lease: &Lease, revision: i64, seen: Recorded) -> Result<bool, StoreError> {
        let seen = self.storable_reasons(seen);
        match self.record_as_is(lease, revision, &seen).await {
            // Tables may be of a character set that has less room than Magnum's own.
            Err(StoreError::Unstorable(_)) => self.record_as_is(lease, revision, &ascii_reasons(seen)).await,
            answer => answer,
        }
    }

    async fn record_as_is(&self, lease: &Lease, revision: i64, seen: &Recorded) -> Result<bool, StoreError> {
        self.write("record", |tx| async move {
            let tx = &*tx;
            let row = work_row(revision, seen);
            let held =
                work::Entity::update_many().set(row).filter(held(lease)).filter(work::Column::Revision.eq(revision));
            if held.exec(tx).await?.rows_affected != 1 {
                return Ok(Then::Undo(false));
            }
            let mut rows = ClusterRows::of(tx, lease.cluster);
            if let Some(cluster) = &seen.cluster {
                self.record_cluster(tx, &mut rows, lease, cluster).await?;
            }
            for group in &seen.groups {
                self.record_group(tx, &mut rows, group).await?;
            }
            for group in &seen.removed_groups {
                rows.delete_group(*group).await?;
            }
            self.keep_secrets(tx, lease.cluster, &seen.secrets).await?;
            Ok(Then::Commit(true))
        })
        .await
    }

    /// Writes why nothing is done for a cluster, without reading its rows: they are what is wrong. `false`: the lease is lost, or
    /// the reason is there already.
    pub async fn note_unreadable(&self, lease: &Lease, reason: &str) -> Result<bool, StoreError> {
        self.write("note unreadable", |tx| async move {
            let tx = &*tx;
            let here = work::Column::Revision;
            let hold = work::Entity::update_many().col_expr(here, Expr::col(here)).filter(held(lease));
            hold.exec(tx).await?;
            if work::Entity::find()
                .filter(held(lease))
                .select_only()
                .column(here)
                .into_tuple::<i64>()
                .one(tx)
                .await?
                .is_none()
            {
                return Ok(Then::Undo(false));
            }
            let told = cluster::Column::StatusReason;
            let row = cluster::ActiveModel {
                status_reason: Set(Some(reason.to_owned())),
                updated_at: Set(Some(self.now())),
                ..Default::default()
            };
            let other = Condition::any().add(told.is_null()).add(told.ne(reason));
            let written = ClusterRows::of(tx, lease.cluster).update_where(row, other).await?;
            Ok(if written { Then::Commit(true) } else { Then::Undo(false) })
        })
        .await
    }

    /// Removes all rows of a cluster that is gone. `false`: the lease is lost, or a newer request was accepted, which may have
    /// brought another credential to revoke, or the project has no other cluster although `others` says that what they share was
    /// left for them. Notes of credentials stay until those are revoked.
    pub async fn forget(&self, lease: &Lease, revision: i64, others: bool) -> Result<bool, StoreError> {
        let id = lease.cluster.to_string();
        let id = id.as_str();
        self.write("forget cluster", |tx| async move {
            let tx = &*tx;
            let ours = work::Entity::delete_many().filter(held(lease)).filter(work::Column::Revision.eq(revision));
            if ours.exec(tx).await?.rows_affected != 1 {
                return Ok(Then::Undo(false));
            }
            let row = cluster::Entity::find().filter(cluster::Column::Uuid.eq(id)).one(tx).await?;
            if let Some(project) = row.as_ref().filter(|_| others).and_then(|row| row.project_id.as_deref()) {
                // Of two that go at once one waits here for the other, and is told that it is the last.
                let project = project.into();
                lock_project(tx, &project).await?;
                if count(tx, &project).await? <= 1 {
                    return Ok(Then::Undo(false));
                }
            }
            let pairs = row.iter().flat_map(key_pairs).map(|pair| pair.to_string());
            let pairs = x509keypair::Column::Uuid.is_in(pairs);
            x509keypair::Entity::delete_many().filter(pairs).exec(tx).await?;
            secret::Entity::delete_many().filter(secret::Column::Cluster.eq(id)).exec(tx).await?;
            ClusterRows::of(tx, lease.cluster).delete().await?;
            Ok(Then::Commit(true))
        })
        .await
    }

    async fn record_cluster(
        &self,
        tx: &DatabaseTransaction,
        rows: &mut ClusterRows<'_>,
        lease: &Lease,
        seen: &ClusterSeen,
    ) -> Result<(), StoreError> {
        let Some(view) = self.view(tx, lease.cluster).await? else { return Ok(()) };
        // A row that says this already keeps its `updated_at`. Magnum: SQLAlchemy writes changed objects alone.
        if ClusterSeen::from(&view.cluster) == *seen {
            return Ok(());
        }
        let row = cluster::ActiveModel {
            status: Set(Some(seen.status.as_str().to_owned())),
            status_reason: Set(seen.status_reason.clone()),
            health_status: Set(seen.health_status.map(|health| health.as_str().to_owned())),
            health_status_reason: Set(Some(columns::texts(&seen.health_status_reason))),
            api_address: Set(seen.api_address.clone()),
            coe_version: Set(seen.coe_version.clone()),
            stack_id: Set(seen.stack_id.clone()),
            updated_at: Set(Some(self.now())),
            ..Default::default()
        };
        rows.update(row).await?;
        Ok(())
    }

    async fn record_group(
        &self,
        tx: &DatabaseTransaction,
        rows: &mut ClusterRows<'_>,
        seen: &GroupSeen,
    ) -> Result<(), StoreError> {
        let found = nodegroup::Entity::find().filter(nodegroup::Column::Uuid.eq(seen.id.to_string())).one(tx).await?;
        let Some(found) = found.map(jeroboam_model::NodeGroup::try_from).transpose()? else { return Ok(()) };
        let same_count = seen.node_count.is_none_or(|count| count == found.node_count);
        if same_count && GroupSeen::from(&found) == (GroupSeen { node_count: None, ..seen.clone() }) {
            return Ok(());
        }
        let mut row = nodegroup::ActiveModel {
            status: Set(Some(seen.status.as_str().to_owned())),
            status_reason: Set(seen.status_reason.clone()),
            node_addresses: Set(Some(columns::list(&seen.node_addresses))),
            stack_id: Set(seen.stack_id.clone()),
            updated_at: Set(Some(self.now())),
            ..Default::default()
        };
        if let Some(count) = seen.node_count {
            row.node_count = Set(Some(count));
        }
        Ok(rows.update_group(seen.id, row).await?)
    }
}

fn work_row(revision: i64, seen: &Recorded) -> work::ActiveModel {
    // The revision is always written, so that there is something to write.
    let mut row = work::ActiveModel { revision: Set(revision), ..Default::default() };
    if let Some(operation) = seen.operation {
        row.operation = Set(operation.as_str().to_owned());
    }
    if let Some(deadline) = seen.deadline {
        row.deadline = Set(deadline.map(millis));
    }
    if let Some(attempts) = seen.attempts {
        row.attempts = Set(attempts);
    }
    if let Some(progress) = &seen.progress {
        row.progress = Set(Some(columns::progress(progress)));
    }
    if let Some(removals) = &seen.removals {
        row.removals = Set(Some(columns::removals(removals)));
    }
    row
}

fn key_pairs(row: &cluster::Model) -> Vec<KeyPairId> {
    let refs = [&row.ca_cert_ref, &row.magnum_cert_ref, &row.etcd_ca_cert_ref, &row.front_proxy_ca_cert_ref];
    // Barbican's references are URLs: what they name is not in our tables.
    let uuids = refs.into_iter().flatten().filter(|text| looks_like_uuid(text));
    uuids.filter_map(|text| text.parse().ok()).collect()
}
