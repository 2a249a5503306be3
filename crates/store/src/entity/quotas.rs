//! Magnum's `quotas`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quotas")]
pub(crate) struct Model {
    pub(crate) created_at: Option<DateTime>,
    pub(crate) updated_at: Option<DateTime>,
    #[sea_orm(primary_key)]
    pub(crate) id: i32,
    pub(crate) project_id: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) hard_limit: i32,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
