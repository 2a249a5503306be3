//! Magnum's `cluster_template`.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

use crate::json::{flag, time};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "cluster_template")]
pub(crate) struct Model {
    #[serde(deserialize_with = "time")]
    pub(crate) created_at: Option<DateTime>,
    #[serde(deserialize_with = "time")]
    pub(crate) updated_at: Option<DateTime>,
    #[sea_orm(primary_key)]
    pub(crate) id: i32,
    pub(crate) uuid: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) image_id: Option<String>,
    pub(crate) flavor_id: Option<String>,
    pub(crate) master_flavor_id: Option<String>,
    pub(crate) keypair_id: Option<String>,
    pub(crate) external_network_id: Option<String>,
    pub(crate) fixed_network: Option<String>,
    pub(crate) fixed_subnet: Option<String>,
    pub(crate) network_driver: Option<String>,
    pub(crate) volume_driver: Option<String>,
    pub(crate) dns_nameserver: Option<String>,
    pub(crate) apiserver_port: Option<i32>,
    pub(crate) docker_volume_size: Option<i32>,
    pub(crate) docker_storage_driver: Option<String>,
    pub(crate) cluster_distro: Option<String>,
    pub(crate) coe: Option<String>,
    pub(crate) http_proxy: Option<String>,
    pub(crate) https_proxy: Option<String>,
    pub(crate) no_proxy: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(crate) registry_enabled: Option<bool>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) labels: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(crate) tls_disabled: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub(crate) public: Option<bool>,
    pub(crate) server_type: Option<String>,
    pub(crate) insecure_registry: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(crate) master_lb_enabled: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub(crate) floating_ip_enabled: Option<bool>,
    pub(crate) project_id: Option<String>,
    pub(crate) user_id: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(crate) hidden: Option<bool>,
    pub(crate) tags: Option<String>,
    pub(crate) driver: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
