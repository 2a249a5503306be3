//! Magnum's `x509keypair`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "x509keypair")]
pub(crate) struct Model {
    pub(crate) created_at: Option<DateTime>,
    pub(crate) updated_at: Option<DateTime>,
    #[sea_orm(primary_key)]
    pub(crate) id: i32,
    pub(crate) uuid: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) certificate: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) private_key: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) private_key_passphrase: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) intermediates: Option<String>,
    pub(crate) project_id: Option<String>,
    pub(crate) user_id: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
