//! Magnum's `nodegroup`.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

use crate::json::{flag, time};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "nodegroup")]
pub(crate) struct Model {
    #[serde(deserialize_with = "time")]
    pub(crate) created_at: Option<DateTime>,
    #[serde(deserialize_with = "time")]
    pub(crate) updated_at: Option<DateTime>,
    #[sea_orm(primary_key)]
    pub(crate) id: i32,
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) cluster_id: String,
    pub(crate) project_id: String,
    pub(crate) docker_volume_size: Option<i32>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) labels: Option<String>,
    pub(crate) flavor_id: Option<String>,
    pub(crate) image_id: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) node_addresses: Option<String>,
    pub(crate) node_count: Option<i32>,
    pub(crate) max_node_count: Option<i32>,
    pub(crate) min_node_count: Option<i32>,
    pub(crate) role: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(crate) is_default: Option<bool>,
    pub(crate) stack_id: Option<String>,
    pub(crate) status: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) status_reason: Option<String>,
    pub(crate) version: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) node_labels: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) node_taints: Option<String>,
}

/// The columns of which a cluster's view is made, in the order of the fields of [`Shown`].
pub(crate) const SHOWN: [Column; 8] = [
    Column::Id,
    Column::Uuid,
    Column::Name,
    Column::Role,
    Column::NodeCount,
    Column::NodeAddresses,
    Column::Status,
    Column::StatusReason,
];

/// A row of them.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    pub(crate) id: i32,
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) role: Option<String>,
    pub(crate) node_count: Option<i32>,
    pub(crate) node_addresses: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) status_reason: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
