//! Whether the database is ours to serve. One row at most, and none where we made all tables ourselves.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jeroboam_adoption")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i32,
    pub(crate) state: String,
    /// Magnum's revision when the database was adopted.
    pub(crate) revision: Option<String>,
    /// Columns of Magnum's tables that were added then, as `table.column`, with commas between.
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) added_columns: Option<String>,
    pub(crate) since: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
