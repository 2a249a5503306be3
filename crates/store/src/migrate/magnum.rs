//! Magnum's tables as Magnum 23 leaves them, for a new database: names, types, NULLs and keys are Magnum's.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use super::{MAGNUM_REVISION, dialect, magnum_revision};

pub(super) struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m001_magnum_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let revision = magnum_revision(manager).await.map_err(|error| DbErr::Migration(error.to_string()))?;
        if revision.is_some() {
            return Ok(());
        }
        let db = manager.get_connection();
        for ddl in DDL {
            db.execute_unprepared(&dialect(db.get_database_backend(), ddl)).await?;
        }
        // Last of all: a database is Magnum's once this row is there, and a creation that was broken off begins anew.
        let row = format!("INSERT INTO alembic_version (version_num) VALUES ('{MAGNUM_REVISION}')");
        db.execute_unprepared(&row).await?;
        Ok(())
    }
}

const DDL: [&str; 8] = [
    "CREATE TABLE IF NOT EXISTS cluster (
        created_at {datetime}, updated_at {datetime}, id {id}, uuid VARCHAR(36), name VARCHAR(255),
        cluster_template_id VARCHAR(255), api_address VARCHAR(255), stack_id VARCHAR(255), project_id VARCHAR(255),
        user_id VARCHAR(255), status VARCHAR(20), status_reason TEXT, create_timeout INTEGER, discovery_url VARCHAR(255),
        ca_cert_ref VARCHAR(512), magnum_cert_ref VARCHAR(512), coe_version VARCHAR(255), container_version VARCHAR(255),
        keypair VARCHAR(255), docker_volume_size INTEGER, labels TEXT, master_flavor_id VARCHAR(255),
        flavor_id VARCHAR(255), health_status VARCHAR(20), health_status_reason TEXT, fixed_network VARCHAR(255),
        fixed_subnet VARCHAR(255), floating_ip_enabled {bool}, master_lb_enabled {bool}, etcd_ca_cert_ref VARCHAR(512),
        front_proxy_ca_cert_ref VARCHAR(512), CONSTRAINT uniq_bay0uuid UNIQUE (uuid)){end}",
    "CREATE TABLE IF NOT EXISTS cluster_template (
        created_at {datetime}, updated_at {datetime}, id {id}, uuid VARCHAR(36), name VARCHAR(255), flavor_id VARCHAR(255),
        keypair_id VARCHAR(255), image_id VARCHAR(255), external_network_id VARCHAR(255), dns_nameserver VARCHAR(255),
        apiserver_port INTEGER, project_id VARCHAR(255), user_id VARCHAR(255), fixed_network VARCHAR(255),
        master_flavor_id VARCHAR(255), docker_volume_size INTEGER, cluster_distro VARCHAR(255), coe VARCHAR(255),
        http_proxy VARCHAR(255), https_proxy VARCHAR(255), no_proxy VARCHAR(255), network_driver VARCHAR(255),
        labels TEXT, tls_disabled {bool}, public {bool}, registry_enabled {bool}, volume_driver VARCHAR(255),
        server_type VARCHAR(255) DEFAULT 'vm', insecure_registry VARCHAR(255), docker_storage_driver VARCHAR(512),
        fixed_subnet VARCHAR(255), master_lb_enabled {bool}, floating_ip_enabled {bool}, hidden {bool},
        tags VARCHAR(255), driver VARCHAR(255), CONSTRAINT uniq_baymodel0uuid UNIQUE (uuid)){end}",
    "CREATE TABLE IF NOT EXISTS nodegroup (
        created_at {datetime}, updated_at {datetime}, id {id}, uuid VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL,
        cluster_id VARCHAR(255) NOT NULL, project_id VARCHAR(255) NOT NULL, docker_volume_size INTEGER, labels TEXT,
        flavor_id VARCHAR(255), image_id VARCHAR(255), node_addresses TEXT, node_count INTEGER, max_node_count INTEGER,
        min_node_count INTEGER, role VARCHAR(255), is_default {bool}, stack_id VARCHAR(255), status VARCHAR(20),
        status_reason TEXT, version VARCHAR(20), node_labels TEXT, node_taints TEXT,
        CONSTRAINT uniq_nodegroup0uuid UNIQUE (uuid), CONSTRAINT uniq_nodegroup0cluster_id0name UNIQUE (cluster_id, name)){end}",
    "CREATE TABLE IF NOT EXISTS x509keypair (
        created_at {datetime}, updated_at {datetime}, id {id}, uuid VARCHAR(36), certificate TEXT, private_key TEXT,
        private_key_passphrase TEXT, intermediates TEXT, project_id VARCHAR(255), user_id VARCHAR(255),
        CONSTRAINT uniq_x509keypair0uuid UNIQUE (uuid)){end}",
    "CREATE TABLE IF NOT EXISTS quotas (
        created_at {datetime}, updated_at {datetime}, id {id}, project_id VARCHAR(255), resource VARCHAR(255),
        hard_limit INTEGER NOT NULL, CONSTRAINT uniq_quotas0project_id0resource UNIQUE (project_id, resource)){end}",
    "CREATE TABLE IF NOT EXISTS magnum_service (
        created_at {datetime}, updated_at {datetime}, id {id}, report_count INTEGER NOT NULL, host VARCHAR(255),
        {q}binary{q} VARCHAR(255), disabled {bool}, disabled_reason VARCHAR(255), last_seen_up {datetime},
        forced_down {bool}, CONSTRAINT uniq_magnum_service0host0binary UNIQUE (host, {q}binary{q})){end}",
    "CREATE TABLE IF NOT EXISTS federation (
        created_at {datetime}, updated_at {datetime}, id {id}, project_id VARCHAR(255), uuid VARCHAR(36),
        name VARCHAR(255), hostcluster_id VARCHAR(255), member_ids TEXT, status VARCHAR(20), status_reason TEXT,
        properties TEXT, CONSTRAINT uniq_federation0uuid UNIQUE (uuid)){end}",
    "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY){end}",
];
