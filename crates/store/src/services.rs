//! The processes that are there.

use jeroboam_model::Timestamp;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::entity::magnum_service::{ActiveModel, Column, Entity};
use crate::entity::{heartbeat, process};
use crate::rows::{database_time, millis};
use crate::store::Then;
use crate::{ServiceRow, Store, StoreError};

impl Store {
    /// Reports that a process lives. Magnum: `magnum/service/periodic.py MagnumServicePeriodicTasks.update_magnum_service`.
    pub async fn heartbeat(&self, host: &str, binary: &str, now: Timestamp) -> Result<(), StoreError> {
        let seen = now.as_second();
        let now = database_time(now);
        self.write("heartbeat", |tx| async move {
            let tx = &*tx;
            // Noted apart, so that our reports can be told from those of a Magnum on the same machine.
            let note = |inserted| heartbeat::ActiveModel {
                host: Set(host.to_owned()),
                service: Set(binary.to_owned()),
                seen: Set(seen),
                inserted: Set(inserted),
            };
            let noted = OnConflict::columns([heartbeat::Column::Host, heartbeat::Column::Service])
                .update_column(heartbeat::Column::Seen)
                .to_owned();
            let again = Entity::update_many()
                .col_expr(Column::ReportCount, Expr::col(Column::ReportCount).add(1))
                .col_expr(Column::LastSeenUp, Expr::value(now))
                .col_expr(Column::UpdatedAt, Expr::value(now))
                .filter(Column::Host.eq(host))
                .filter(Column::Binary.eq(binary));
            if again.exec(tx).await?.rows_affected > 0 {
                heartbeat::Entity::insert(note(false)).on_conflict(noted).exec_without_returning(tx).await?;
                return Ok(Then::Commit(()));
            }
            let row = ActiveModel {
                created_at: Set(Some(now)),
                updated_at: Set(None),
                id: NotSet,
                report_count: Set(1),
                host: Set(Some(host.to_owned())),
                binary: Set(Some(binary.to_owned())),
                disabled: Set(Some(false)),
                disabled_reason: Set(None),
                last_seen_up: Set(Some(now)),
                forced_down: Set(Some(false)),
            };
            // Twice at the same time: the other one has said it.
            let seen = OnConflict::columns([Column::Host, Column::Binary]).update_column(Column::LastSeenUp).to_owned();
            Entity::insert(row).on_conflict(seen).exec_without_returning(tx).await?;
            heartbeat::Entity::insert(note(true)).on_conflict(noted).exec_without_returning(tx).await?;
            Ok(Then::Commit(()))
        })
        .await
    }

    /// Says that a process of ours uses the database, until it says otherwise or is silent for some time.
    pub async fn announce(&self, process: &str, role: &str, now: Timestamp) -> Result<(), StoreError> {
        self.write("announce", |tx| async move {
            let (name, role) = (Set(process.to_owned()), Set(role.to_owned()));
            let row = process::ActiveModel { name, role, seen: Set(millis(now)) };
            let again = OnConflict::column(process::Column::Name).update_column(process::Column::Seen).to_owned();
            process::Entity::insert(row).on_conflict(again).exec_without_returning(&*tx).await?;
            Ok(Then::Commit(()))
        })
        .await
    }

    /// Says that a process of ours is done.
    pub async fn depart(&self, process: &str) -> Result<(), StoreError> {
        self.write("depart", |tx| async move {
            process::Entity::delete_by_id(process).exec(&*tx).await?;
            Ok(Then::Commit(()))
        })
        .await
    }

    /// All processes that ever reported, in the order they first did.
    pub async fn services(&self) -> Result<Vec<ServiceRow>, StoreError> {
        let rows = Entity::find().order_by_asc(Column::Id).all(&self.reader()).await?;
        Ok(rows.into_iter().map(ServiceRow::from).collect())
    }
}
