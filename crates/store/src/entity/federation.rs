//! Magnum's `federation`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "federation")]
pub(crate) struct Model {
    pub(crate) created_at: Option<DateTime>,
    pub(crate) updated_at: Option<DateTime>,
    #[sea_orm(primary_key)]
    pub(crate) id: i32,
    pub(crate) project_id: Option<String>,
    pub(crate) uuid: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) hostcluster_id: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) member_ids: Option<String>,
    pub(crate) status: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) status_reason: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) properties: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
