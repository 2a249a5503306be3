//! Magnum's `magnum_service`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "magnum_service")]
pub(crate) struct Model {
    pub(crate) created_at: Option<DateTime>,
    pub(crate) updated_at: Option<DateTime>,
    #[sea_orm(primary_key)]
    pub(crate) id: i32,
    pub(crate) report_count: i32,
    pub(crate) host: Option<String>,
    pub(crate) binary: Option<String>,
    pub(crate) disabled: Option<bool>,
    pub(crate) disabled_reason: Option<String>,
    pub(crate) last_seen_up: Option<DateTime>,
    pub(crate) forced_down: Option<bool>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
