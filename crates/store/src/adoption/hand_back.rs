//! Giving the database back, so that Magnum serves all of it.

use std::fmt;

use jeroboam_model::{Cluster, ClusterId, NodeGroup, Operation, Stage, Status, Timestamp, Work};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, Condition, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use tracing::info;

use super::{HANDED_BACK, REVISION_BEFORE};
use crate::entity::{adoption, cluster, heartbeat, magnum_service, nodegroup, secret, work};
use crate::migrate::{OUR_TABLES, indexes_on_magnums};
use crate::rows::millis;
use crate::store::Then;
use crate::writes::ClusterRows;
use crate::{Store, StoreError};

/// What handing back does, or did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandBack {
    /// Why it can't be done now; empty when it can.
    pub obstacles: Vec<String>,
    /// What is changed.
    pub changes: Vec<String>,
    /// What somebody should know or do.
    pub notes: Vec<String>,
    /// Whether the changes were made.
    pub done: bool,
}

impl HandBack {
    /// Whether nothing stands in the way.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.obstacles.is_empty()
    }
}

impl fmt::Display for HandBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for obstacle in &self.obstacles {
            writeln!(f, "in the way: {obstacle}")?;
        }
        if !self.obstacles.is_empty() {
            return f.write_str("not handed back, nothing was changed");
        }
        let made = if self.done { "done" } else { "to do" };
        for change in &self.changes {
            writeln!(f, "{made}: {change}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        f.write_str(match self.done {
            true => "handed back: Magnum can be started",
            false => "can be handed back",
        })
    }
}

/// A cluster that something is being done to.
struct Unfinished {
    id: ClusterId,
    name: String,
    was: Status,
    is: Status,
    reason: String,
    groups: Vec<NodeGroup>,
}

/// All that handing back is about.
struct Left {
    unfinished: Vec<Unfinished>,
    reports: Vec<heartbeat::Model>,
    dropping: Option<Dropping>,
    notes: Vec<String>,
}

/// What is dropped where that is wanted.
struct Dropping {
    tables: Vec<&'static str>,
    indexes: Vec<(String, &'static str)>,
    columns: Vec<String>,
}

impl Store {
    /// What [`Store::hand_back`] would do. Changes nothing.
    pub async fn foresee_hand_back(
        &self,
        now: Timestamp,
        all_stopped: bool,
        drop_tables: bool,
    ) -> Result<HandBack, StoreError> {
        let obstacles = self.hand_back_obstacles(now, all_stopped).await?;
        if !obstacles.is_empty() {
            return Ok(HandBack { obstacles, ..HandBack::default() });
        }
        Ok(self.left(drop_tables).await?.told())
    }

    /// Gives the database back to Magnum. What was being done becomes a failure that says so, in rows that Magnum understands;
    /// our reports go; our tables stay for the next time, unless they are to be dropped.
    pub async fn hand_back(
        &self,
        now: Timestamp,
        all_stopped: bool,
        drop_tables: bool,
    ) -> Result<HandBack, StoreError> {
        let obstacles = self.hand_back_obstacles(now, all_stopped).await?;
        if !obstacles.is_empty() {
            return Ok(HandBack { obstacles, ..HandBack::default() });
        }
        let left = self.left(drop_tables).await?;
        for cluster in &left.unfinished {
            self.end_honestly(cluster).await?;
        }
        self.withdraw_reports(&left.reports).await?;
        match &left.dropping {
            Some(dropping) => self.drop_ours(dropping).await?,
            None => self.note_hand_back(now).await?,
        }
        Ok(HandBack { done: true, ..left.told() })
    }

    async fn hand_back_obstacles(&self, now: Timestamp, all_stopped: bool) -> Result<Vec<String>, StoreError> {
        if self.magnum_revision().await?.is_none() || !self.has_table("jeroboam_cluster").await? {
            return Ok(vec!["nothing of ours is in this database: Magnum can use it as it is".to_owned()]);
        }
        let pending = self.pending().await?;
        if !pending.is_empty() {
            let steps = pending.join(", ");
            return Ok(vec![format!(
                "our tables are of an older version: run `jeroboam db upgrade` first, for {steps}"
            )]);
        }
        if all_stopped { Ok(Vec::new()) } else { self.we_are_alive(now).await }
    }

    async fn left(&self, drop_tables: bool) -> Result<Left, StoreError> {
        let mut notes = Vec::new();
        let mut unfinished = Vec::new();
        let works = work::Entity::find().all(&self.reader()).await?;
        let ours = works.len();
        for row in works {
            let work = Work::try_from(row)?;
            let Some(view) = self.view(&self.reader(), work.cluster).await? else { continue };
            let groups: Vec<_> = view.groups.into_iter().filter(|group| group.status.in_progress()).collect();
            if view.cluster.status.in_progress() || !groups.is_empty() {
                unfinished.push(unfinished_of(&view.cluster, &work, groups));
            }
        }
        for credential in self.left_credentials().await? {
            notes.push(format!(
                "application credential {} of user {} in project {} was made for a cluster that never came to be: revoke it",
                credential.name, credential.user_id, credential.project
            ));
        }
        if ours > 0 {
            notes.push(format!(
                "{ours} clusters were made by jeroboam: Magnum shows them, and none of its drivers can change or delete them"
            ));
        }
        let reports = heartbeat::Entity::find().all(&self.reader()).await?;
        let dropping = if drop_tables { Some(self.to_drop(&mut notes).await?) } else { None };
        if dropping.is_none() && self.revision_is_before().await? {
            notes.push(
                "nodegroup keeps the columns node_labels and node_taints, which `magnum-db-manage upgrade` to Magnum 23 will \
                 refuse to add again: use --drop-tables before that"
                    .to_owned(),
            );
        }
        Ok(Left { unfinished, reports, dropping, notes })
    }

    async fn to_drop(&self, notes: &mut Vec<String>) -> Result<Dropping, StoreError> {
        let mut columns = Vec::new();
        let adopted = adoption::Entity::find_by_id(1).one(&self.reader()).await?;
        if self.revision_is_before().await? {
            let added = adopted.and_then(|row| row.added_columns).unwrap_or_default();
            columns.extend(added.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
        }
        if !columns.is_empty() {
            use nodegroup::Column;
            let empty = |column: Column, nothing| Condition::any().add(column.is_null()).add(column.eq(nothing));
            let labelled =
                Condition::all().add(empty(Column::NodeLabels, "{}")).add(empty(Column::NodeTaints, "[]")).not();
            let count = nodegroup::Entity::find().filter(labelled).count(&self.reader()).await?;
            if count > 0 {
                notes.push(format!(
                    "{count} node groups lose their node labels and taints, for which this Magnum has no place"
                ));
            }
        }
        let secrets = secret::Entity::find().select_only().column(secret::Column::Cluster).distinct();
        let secrets = secrets.into_tuple::<String>().all(&self.reader()).await?.len();
        if secrets > 0 {
            notes.push(format!(
                "{secrets} clusters lose the credentials that jeroboam works on them with, for good: adopted once more, they are \
                 shown and no longer changed. Without --drop-tables they are kept"
            ));
        }
        let mut tables = Vec::new();
        for table in OUR_TABLES {
            if self.has_table(table).await? {
                tables.push(table);
            }
        }
        let mut indexes = Vec::new();
        for (name, table, _) in indexes_on_magnums() {
            if self.has_index(table, &name).await? {
                indexes.push((name, table));
            }
        }
        Ok(Dropping { tables, indexes, columns })
    }

    async fn revision_is_before(&self) -> Result<bool, StoreError> {
        Ok(self.magnum_revision().await?.as_deref() == Some(REVISION_BEFORE))
    }

    /// One transaction for each cluster. Nobody who held it before can write any more.
    async fn end_honestly(&self, left: &Unfinished) -> Result<(), StoreError> {
        let id = left.id.to_string();
        let id = id.as_str();
        self.write("hand back", |tx| async move {
            let tx = &*tx;
            work::Entity::update_many()
                .col_expr(work::Column::Fence, Expr::col(work::Column::Fence).add(1))
                .col_expr(work::Column::LeaseOwner, Expr::value(None::<String>))
                .col_expr(work::Column::LeaseExpires, Expr::value(0_i64))
                .filter(work::Column::Cluster.eq(id))
                .exec(tx)
                .await?;
            let mut rows = ClusterRows::of(tx, left.id);
            if left.is != left.was {
                let row = cluster::ActiveModel {
                    status: Set(Some(left.is.as_str().to_owned())),
                    status_reason: Set(Some(self.storable(&left.reason))),
                    updated_at: Set(Some(self.now())),
                    ..Default::default()
                };
                rows.update_where(row, cluster::Column::Status.eq(left.was.as_str())).await?;
            }
            for group in &left.groups {
                let row = nodegroup::ActiveModel {
                    status: Set(Some(group.status.at(Stage::Failed).as_str().to_owned())),
                    status_reason: Set(Some(self.storable(&left.reason))),
                    updated_at: Set(Some(self.now())),
                    ..Default::default()
                };
                rows.update_group(group.id, row).await?;
            }
            Ok(Then::Commit(()))
        })
        .await?;
        info!(cluster.id = id, "cluster goes back to Magnum as {}", left.is);
        Ok(())
    }

    /// Rows of `magnum_service` that we made go; those that Magnum made stay.
    async fn withdraw_reports(&self, reports: &[heartbeat::Model]) -> Result<(), StoreError> {
        self.write("withdraw reports", |tx| async move {
            let tx = &*tx;
            for report in reports.iter().filter(|report| report.inserted) {
                use magnum_service::Column;
                let same = Column::Host.eq(&report.host).and(Column::Binary.eq(&report.service));
                magnum_service::Entity::delete_many().filter(same).exec(tx).await?;
            }
            heartbeat::Entity::delete_many().exec(tx).await?;
            Ok(Then::Commit(()))
        })
        .await
    }

    async fn note_hand_back(&self, now: Timestamp) -> Result<(), StoreError> {
        use adoption::Column;
        let row = adoption::ActiveModel {
            id: Set(1),
            state: Set(HANDED_BACK.to_owned()),
            revision: Set(self.magnum_revision().await?),
            added_columns: Set(None),
            since: Set(millis(now)),
        };
        // What was added stays noted.
        let again = OnConflict::column(Column::Id).update_columns([Column::State, Column::Since]).to_owned();
        let (row, again) = (&row, &again);
        self.write("note handing back", |tx| async move {
            adoption::Entity::insert(row.clone()).on_conflict(again.clone()).exec_without_returning(&*tx).await?;
            Ok(Then::Commit(()))
        })
        .await
    }

    async fn drop_ours(&self, dropping: &Dropping) -> Result<(), StoreError> {
        let mut statements = Vec::new();
        for (name, table) in &dropping.indexes {
            let on = if self.backend() == DbBackend::MySql { format!(" ON {table}") } else { String::new() };
            statements.push(format!("DROP INDEX {name}{on}"));
        }
        let columns = dropping.columns.iter().filter_map(|column| column.split_once('.'));
        statements.extend(columns.map(|(table, column)| format!("ALTER TABLE {table} DROP COLUMN {column}")));
        statements.extend(dropping.tables.iter().map(|table| format!("DROP TABLE {table}")));
        self.change_tables(&statements).await
    }
}

impl Left {
    fn told(self) -> HandBack {
        let mut changes: Vec<_> = self
            .unfinished
            .iter()
            .map(|left| {
                format!("cluster {} ({}) from {} to {}: {}", left.id, left.name, left.was, left.is, left.reason)
            })
            .collect();
        for report in self.reports.iter().filter(|report| report.inserted) {
            changes.push(format!("remove the report of {} on {} from magnum_service", report.service, report.host));
        }
        if let Some(drop) = &self.dropping {
            changes.extend(drop.indexes.iter().map(|(name, table)| format!("drop index {name} on {table}")));
            changes.extend(drop.columns.iter().map(|column| format!("drop column {column}, which adopting added")));
            changes.extend(drop.tables.iter().map(|table| format!("drop table {table}")));
        } else {
            changes.push("note that the database is Magnum's; our tables stay".to_owned());
        }
        HandBack { changes, notes: self.notes, ..HandBack::default() }
    }
}

fn unfinished_of(cluster: &Cluster, work: &Work, groups: Vec<NodeGroup>) -> Unfinished {
    let status = cluster.status;
    let is = if status.in_progress() { status.at(Stage::Failed) } else { status };
    let doing = match work.operation {
        Operation::Create => "created",
        Operation::Delete => "deleted",
        Operation::Upgrade => "upgraded",
        Operation::Update | Operation::Observe => "updated",
    };
    let before = cluster.status_reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let name = cluster.stack_id.clone().unwrap_or_else(|| "none yet".to_owned());
    let reason = format!(
        "handed back to Magnum by Jeroboam while it was being {doing}{before}; its Cluster object in the management cluster: {name}"
    );
    Unfinished { id: cluster.id, name: cluster.title(), was: status, is, reason, groups }
}
