//! What is to be done to each cluster, and who does it. Times are milliseconds since 1970 in UTC.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jeroboam_cluster")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) cluster: String,
    pub(crate) operation: String,
    pub(crate) revision: i64,
    pub(crate) began: i64,
    pub(crate) deadline: Option<i64>,
    pub(crate) attempts: i32,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) removals: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) progress: Option<String>,
    pub(crate) next_run: i64,
    pub(crate) wake: i64,
    pub(crate) seen_wake: i64,
    pub(crate) lease_owner: Option<String>,
    pub(crate) lease_expires: i64,
    pub(crate) fence: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
