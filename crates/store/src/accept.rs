//! Accepting a request that changes a cluster.

use std::collections::BTreeMap;

use jeroboam_model::{Cluster, ClusterWithGroups, HealthStatus, NodeGroup, Removal, Verb, Work};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter};

use crate::create::{duplicate, first_work};
use crate::entity::{cluster, work};
use crate::rows::millis;
use crate::store::Then;
use crate::writes::ClusterRows;
use crate::{Acceptance, Store, StoreError, columns, templates};

impl Store {
    /// Accepts a request that was judged by what `was` says: its rows and the work to do, in one transaction.
    ///
    /// `None`: the cluster is gone, or what requests are judged by (status, template, labels, groups and their sizes) has
    /// changed, or the credential that it was to take over is being revoked; read it again. What a reconciler only reports (reasons, health, addresses) makes no request fail.
    pub async fn accept(
        &self,
        was: &ClusterWithGroups,
        change: Acceptance,
    ) -> Result<Option<ClusterWithGroups>, StoreError> {
        let change = &change;
        let accepted = self.write("accept request", |tx| async move { self.apply(&tx, was, change).await }).await?;
        if accepted.is_some() {
            self.changed();
        }
        Ok(accepted)
    }

    /// Writes what somebody outside found out about the cluster's health, where the cluster is still in the state it was.
    pub async fn set_health(
        &self,
        was: &Cluster,
        health: Option<HealthStatus>,
        reason: BTreeMap<String, String>,
    ) -> Result<bool, StoreError> {
        let reason = &reason;
        self.write("set health", |tx| async move {
            let tx = &*tx;
            let row = cluster::ActiveModel {
                health_status: Set(health.map(|health| health.as_str().to_owned())),
                health_status_reason: Set(Some(columns::texts(reason))),
                updated_at: Set(Some(self.now())),
                ..Default::default()
            };
            let same = cluster::Column::Status.eq(was.status.as_str());
            let written = ClusterRows::of(tx, was.id).update_where(row, same).await?;
            Ok(if written { Then::Commit(true) } else { Then::Undo(false) })
        })
        .await
    }

    async fn apply(
        &self,
        tx: &DatabaseTransaction,
        was: &ClusterWithGroups,
        change: &Acceptance,
    ) -> Result<Then<Option<ClusterWithGroups>>, StoreError> {
        let id = was.cluster.id;
        lock_work(tx, id, change).await?;
        let Some(now) = self.view(tx, id).await? else { return Ok(Then::Undo(None)) };
        if !same_ground(was, &now) {
            return Ok(Then::Undo(None));
        }
        if let Some(template) = change.template
            && templates::locked(tx, template).await?.is_none()
        {
            return Ok(Then::Undo(None));
        }
        if !self.swap_credential(tx, change.credential.as_deref(), change.given_up.as_ref()).await? {
            return Ok(Then::Undo(None));
        }
        let mut rows = ClusterRows::of(tx, id);
        rows.update(self.changed_cluster(change)).await?;
        for group in &change.added_groups {
            rows.insert_group(columns::new_group(group)).await.map_err(|error| duplicate(error, "node group"))?;
        }
        for group in &change.changed_groups {
            let mut row = columns::changed_group(group);
            row.updated_at = Set(Some(self.now()));
            rows.update_group(group.id, row).await?;
        }
        self.insert_key_pairs(tx, &change.key_pairs).await?;
        self.keep_secrets(tx, id, &change.secrets).await?;
        write_work(tx, was, change).await?;
        Ok(Then::Commit(self.view(tx, id).await?))
    }

    fn changed_cluster(&self, change: &Acceptance) -> cluster::ActiveModel {
        let mut row = cluster::ActiveModel {
            status: Set(Some(change.status.as_str().to_owned())),
            status_reason: Set(change.status_reason.as_deref().map(|text| self.storable(text))),
            updated_at: Set(Some(self.now())),
            ..Default::default()
        };
        if let Some(template) = change.template {
            row.cluster_template_id = Set(Some(template.to_string()));
        }
        if let Some(labels) = &change.labels {
            row.labels = Set(Some(columns::labels(labels)));
        }
        if let Some(refs) = &change.certificates {
            row.ca_cert_ref = Set(columns::text(&refs.ca));
            row.magnum_cert_ref = Set(columns::text(&refs.client));
            row.etcd_ca_cert_ref = Set(columns::text(&refs.etcd_ca));
            row.front_proxy_ca_cert_ref = Set(columns::text(&refs.front_proxy_ca));
        }
        row
    }
}

/// Counts the request, which also holds the row against every other writer of this cluster. A cluster that we never worked on
/// has no such row yet.
async fn lock_work<C: ConnectionTrait>(
    tx: &C,
    id: jeroboam_model::ClusterId,
    change: &Acceptance,
) -> Result<(), StoreError> {
    use work::{Column, Entity};
    let count = OnConflict::column(Column::Cluster)
        .value(Column::Revision, Expr::col((Entity, Column::Revision)).add(1))
        .value(Column::Wake, Expr::col((Entity, Column::Wake)).add(1))
        .to_owned();
    let row = first_work(id, change.operation, millis(change.began), None);
    Entity::insert(row).on_conflict(count).exec_without_returning(tx).await?;
    Ok(())
}

async fn write_work<C: ConnectionTrait>(
    tx: &C,
    was: &ClusterWithGroups,
    change: &Acceptance,
) -> Result<(), StoreError> {
    let id = was.cluster.id.to_string();
    let mut row = work::ActiveModel {
        operation: Set(change.operation.as_str().to_owned()),
        began: Set(millis(change.began)),
        deadline: Set(change.deadline.map(millis)),
        attempts: Set(0),
        next_run: Set(millis(change.began)),
        ..Default::default()
    };
    if !change.removals.is_empty() || !change.changed_groups.is_empty() {
        let waiting = work::Entity::find_by_id(id.as_str()).one(tx).await?.map(Work::try_from).transpose()?;
        let mut all = waiting.map(|work| still_meant(work.removals, was, change)).unwrap_or_default();
        for removal in &change.removals {
            if !all.contains(removal) {
                all.push(removal.clone());
            }
        }
        row.removals = Set(Some(columns::removals(&all)));
    }
    work::Entity::update_many().set(row).filter(work::Column::Cluster.eq(id)).exec(tx).await?;
    Ok(())
}

/// Nodes that earlier requests named and that are still to go. A group that is to be larger than it was to be, or that goes as
/// a whole, has none any more: whoever wants a node gone then names it again.
fn still_meant(removals: Vec<Removal>, was: &ClusterWithGroups, change: &Acceptance) -> Vec<Removal> {
    let grows_or_goes = |removal: &Removal| {
        let after = change.changed_groups.iter().find(|group| group.id == removal.group);
        let before = was.groups.iter().find(|group| group.id == removal.group);
        match (before, after) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(before), Some(after)) => after.node_count > before.node_count || after.status.verb() == Verb::Delete,
        }
    };
    removals.into_iter().filter(|removal| !grows_or_goes(removal)).collect()
}

/// Whether a request that was judged by the one would be judged alike by the other.
fn same_ground(was: &ClusterWithGroups, now: &ClusterWithGroups) -> bool {
    let (a, b) = (&was.cluster, &now.cluster);
    a.status == b.status
        && a.template == b.template
        && a.labels == b.labels
        && a.certificates == b.certificates
        && was.groups.len() == now.groups.len()
        && was.groups.iter().zip(&now.groups).all(|(a, b)| same_wish(a, b))
}

fn same_wish(a: &NodeGroup, b: &NodeGroup) -> bool {
    a.id == b.id
        && (a.node_count, a.min_node_count, a.max_node_count) == (b.node_count, b.min_node_count, b.max_node_count)
        && a.image_id == b.image_id
        && a.labels == b.labels
        && a.node_labels == b.node_labels
        && a.node_taints == b.node_taints
        // Two requests to delete one group, or to delete and to resize it, are told apart by this alone.
        && a.status.verb() == b.status.verb()
}
