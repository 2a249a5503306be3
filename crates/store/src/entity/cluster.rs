//! Magnum's `cluster`.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

use crate::json::{flag, time};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "cluster")]
pub(crate) struct Model {
    #[serde(deserialize_with = "time")]
    pub(crate) created_at: Option<DateTime>,
    #[serde(deserialize_with = "time")]
    pub(crate) updated_at: Option<DateTime>,
    #[sea_orm(primary_key)]
    pub(crate) id: i32,
    pub(crate) uuid: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) cluster_template_id: Option<String>,
    pub(crate) keypair: Option<String>,
    pub(crate) docker_volume_size: Option<i32>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) labels: Option<String>,
    pub(crate) master_flavor_id: Option<String>,
    pub(crate) flavor_id: Option<String>,
    pub(crate) create_timeout: Option<i32>,
    pub(crate) stack_id: Option<String>,
    pub(crate) status: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) status_reason: Option<String>,
    pub(crate) health_status: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) health_status_reason: Option<String>,
    pub(crate) discovery_url: Option<String>,
    pub(crate) api_address: Option<String>,
    pub(crate) coe_version: Option<String>,
    pub(crate) container_version: Option<String>,
    pub(crate) project_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) ca_cert_ref: Option<String>,
    pub(crate) magnum_cert_ref: Option<String>,
    pub(crate) etcd_ca_cert_ref: Option<String>,
    pub(crate) front_proxy_ca_cert_ref: Option<String>,
    pub(crate) fixed_network: Option<String>,
    pub(crate) fixed_subnet: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(crate) floating_ip_enabled: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub(crate) master_lb_enabled: Option<bool>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
