//! Taking over a database that Magnum made, and giving it back.
//!
//! Taking over adds our own tables, some indexes, and to Magnum 18–22's `nodegroup` the two columns that Magnum 23 has; nothing
//! of Magnum's is changed or removed, `alembic_version` least of all. Giving it back makes what we left unfinished such that
//! Magnum understands it.

mod alive;
mod hand_back;
mod report;
mod rows;
mod schema;

use std::collections::HashSet;

use jeroboam_model::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect};
use tracing::info;

use crate::entity::{adoption, cluster, credential, secret, work};
use crate::migrate::{MAGNUM_REVISION, OUR_TABLES, indexes_on_magnums};
use crate::rows::{from_millis, millis};
use crate::store::Then;
use crate::{Store, StoreError};

pub use alive::PROCESS_REPORTS;
pub use hand_back::HandBack;
pub use report::{Examination, Finding, Gravity};

/// Magnum 18.0 to 22.0. Its `nodegroup` lacks two columns and its `cluster` has four that later went.
const REVISION_BEFORE: &str = "c0f832afc4fd";

const SERVED: &str = "served";
const HANDED_BACK: &str = "handed back";

/// What may be done to a database, and what its tables lack for it.
struct Ground {
    revision: Option<String>,
    /// Of Magnum's tables, as `table` or `table.column`.
    missing: Vec<String>,
    obstacles: Vec<String>,
}

impl Store {
    /// Looks at a database that Magnum made: whether it can be adopted, what that would change, and which rows can't be served
    /// as they are. Changes nothing. With `all_stopped` the reports of a running Magnum are not believed.
    pub async fn examine(&self, now: Timestamp, all_stopped: bool) -> Result<Examination, StoreError> {
        let Ground { revision, missing, mut obstacles } = self.ground().await?;
        let mut findings = Vec::new();
        let mut clusters = std::collections::BTreeMap::new();
        let mut changes = Vec::new();
        if obstacles.is_empty() {
            if !all_stopped {
                obstacles.extend(self.magnum_is_alive(now).await?);
            }
            changes = self.foreseen_changes(&missing).await?;
            (findings, clusters) = self.odd_rows().await?;
        }
        let engine = self.engine();
        Ok(Examination { engine, revision, obstacles, changes, findings, clusters, done: false })
    }

    /// Adopts a database that Magnum made, unless something stands in the way; the answer is what was found before. To adopt once
    /// more what is adopted changes nothing, and to adopt what was handed back takes work up where it was left.
    pub async fn adopt(&self, now: Timestamp, all_stopped: bool) -> Result<Examination, StoreError> {
        let mut found = self.examine(now, all_stopped).await?;
        if !found.obstacles.is_empty() {
            return Ok(found);
        }
        let added = self.add_columns().await?;
        self.apply_steps().await?;
        self.note_adoption(found.revision.clone(), &added, now).await?;
        self.take_up_work(now).await?;
        found.done = true;
        Ok(found)
    }

    /// When the database was handed back to Magnum, if that is how it is.
    pub async fn handed_back(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = adoption::Entity::find_by_id(1).one(&self.reader()).await?;
        Ok(row.filter(|row| row.state == HANDED_BACK).map(|row| from_millis(row.since)))
    }

    /// Whether this is a database of Magnum's that nobody has adopted yet.
    pub(crate) async fn is_magnums_alone(&self) -> Result<bool, StoreError> {
        Ok(self.magnum_revision().await?.is_some() && !self.has_table("jeroboam_migration").await?)
    }

    /// Whether the tables are such that we know how to serve them.
    async fn ground(&self) -> Result<Ground, StoreError> {
        let revision = self.magnum_revision().await?;
        let mut obstacles = Vec::new();
        let known = match revision.as_deref() {
            Some(MAGNUM_REVISION | REVISION_BEFORE) => true,
            Some(other) => {
                obstacles.push(report::unknown_revision(other));
                false
            }
            None => {
                obstacles.push(
                    "this is no database of Magnum's: it has no alembic_version. `jeroboam db upgrade` makes the tables of a new one"
                        .to_owned(),
                );
                false
            }
        };
        let missing = if known { self.missing().await? } else { Vec::new() };
        let before = revision.as_deref() == Some(REVISION_BEFORE);
        let lacking: Vec<_> = missing.iter().filter(|name| !(before && report::is_later_column(name))).collect();
        if !lacking.is_empty() {
            let names: Vec<_> = lacking.iter().map(|name| name.as_str()).collect();
            obstacles.push(format!(
                "Magnum's tables lack {}, which revision {} has: somebody changed them by hand, or magnum-db-manage was broken off",
                names.join(", "),
                revision.as_deref().unwrap_or_default()
            ));
        }
        if known && lacking.is_empty() {
            obstacles.extend(self.wrong_columns(&missing).await?);
        }
        Ok(Ground { revision, missing, obstacles })
    }

    /// What adopting would change, each as an operator would say it.
    async fn foreseen_changes(&self, missing: &[String]) -> Result<Vec<String>, StoreError> {
        let mut changes: Vec<_> =
            missing.iter().map(|column| format!("add column {column}, text, empty: Magnum 23 has it")).collect();
        for table in OUR_TABLES {
            if !self.has_table(table).await? {
                changes.push(format!("make table {table}"));
            }
        }
        for (name, table, column) in indexes_on_magnums() {
            if !self.has_index(table, &name).await? {
                changes.push(format!("make index {name} on {table} ({column})"));
            }
        }
        if self.has_table("jeroboam_adoption").await?
            && let Some(since) = self.handed_back().await?
        {
            changes.push(format!("take up what was left when the database was handed back at {since}"));
        }
        Ok(changes)
    }

    /// Adds the columns that Magnum 23 has and says which were missing.
    async fn add_columns(&self) -> Result<Vec<String>, StoreError> {
        let missing = self.missing().await?;
        let again = if self.backend() == DbBackend::Sqlite { "" } else { "IF NOT EXISTS " };
        let columns = missing.iter().filter_map(|name| name.split_once('.'));
        let statements: Vec<_> =
            columns.map(|(table, column)| format!("ALTER TABLE {table} ADD COLUMN {again}{column} TEXT")).collect();
        self.change_tables(&statements).await?;
        missing.iter().for_each(|name| info!("added column {name}"));
        Ok(missing)
    }

    async fn note_adoption(
        &self,
        revision: Option<String>,
        added: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let before = adoption::Entity::find_by_id(1).one(&self.reader()).await?;
        if before.as_ref().is_some_and(|row| row.state == SERVED && row.revision == revision && added.is_empty()) {
            return Ok(());
        }
        let earlier = before.and_then(|row| row.added_columns);
        let all: Vec<&str> =
            earlier.iter().flat_map(|text| text.split(',')).chain(added.iter().map(String::as_str)).collect();
        let row = adoption::ActiveModel {
            id: Set(1),
            state: Set(SERVED.to_owned()),
            revision: Set(revision),
            added_columns: Set((!all.is_empty()).then(|| all.join(","))),
            since: Set(millis(now)),
        };
        use adoption::Column;
        let again = OnConflict::column(Column::Id)
            .update_columns([Column::State, Column::Revision, Column::AddedColumns, Column::Since])
            .to_owned();
        let (row, again) = (&row, &again);
        self.write("note adoption", |tx| async move {
            adoption::Entity::insert(row.clone()).on_conflict(again.clone()).exec_without_returning(&*tx).await?;
            Ok(Then::Commit(()))
        })
        .await
    }

    /// Forgets clusters that somebody took away while the database was handed back, and has the others looked at.
    async fn take_up_work(&self, now: Timestamp) -> Result<(), StoreError> {
        // Compared here: Magnum's tables and ours may be of different collations, which MariaDB refuses to compare.
        let ids = cluster::Entity::find().select_only().column(cluster::Column::Uuid).into_tuple();
        let there: HashSet<Option<String>> = ids.all(&self.reader()).await?.into_iter().collect();
        let works = work::Entity::find().select_only().column(work::Column::Cluster).into_tuple::<String>();
        let works = works.all(&self.reader()).await?;
        for gone in works.into_iter().filter(|id| !there.contains(&Some(id.clone()))) {
            let id = gone.as_str();
            self.write("forget work", |tx| async move {
                let tx = &*tx;
                secret::Entity::delete_many().filter(secret::Column::Cluster.eq(id)).exec(tx).await?;
                work::Entity::delete_by_id(id).exec(tx).await?;
                Ok(Then::Commit(()))
            })
            .await?;
            info!(cluster.id = id, "forgot a cluster that was removed while the database was handed back");
        }
        self.write("take up work", |tx| async move {
            // Whoever had the database meanwhile has written past us.
            self.renew_all(&tx).await?;
            work::Entity::update_many()
                .col_expr(work::Column::NextRun, Expr::value(millis(now)))
                .col_expr(work::Column::Wake, Expr::col(work::Column::Wake).add(1))
                .filter(work::Column::NextRun.gt(millis(now)))
                .exec(&*tx)
                .await?;
            Ok(Then::Commit(()))
        })
        .await
    }

    /// Application credentials that were made for clusters which never came to be.
    async fn left_credentials(&self) -> Result<Vec<credential::Model>, StoreError> {
        Ok(credential::Entity::find().all(&self.reader()).await?)
    }
}
