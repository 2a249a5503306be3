//! Our own reports in `magnum_service`: when we last wrote them, and whether the row is ours altogether.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jeroboam_heartbeat")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) host: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) service: String,
    pub(crate) seen: i64,
    pub(crate) inserted: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
