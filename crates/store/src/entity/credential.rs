//! Application credentials that no committed cluster owns yet.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jeroboam_credential")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) name: String,
    pub(crate) cluster: String,
    pub(crate) project: String,
    pub(crate) user_id: String,
    pub(crate) credential: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) sealed: Option<String>,
    pub(crate) noted: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
