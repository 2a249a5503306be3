//! Our own tables. Times are milliseconds since 1970 in UTC: whole numbers are the same on every engine.

use sea_orm::sea_query::Index;
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use super::dialect;

pub(super) struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m002_jeroboam_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for ddl in DDL {
            db.execute_unprepared(&dialect(db.get_database_backend(), ddl)).await?;
        }
        Ok(())
    }
}

const DDL: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS jeroboam_cluster (
        cluster VARCHAR(36) NOT NULL PRIMARY KEY, operation VARCHAR(20) NOT NULL, revision BIGINT NOT NULL,
        began BIGINT NOT NULL, deadline BIGINT, attempts INTEGER NOT NULL, removals {longtext}, progress {longtext},
        next_run BIGINT NOT NULL, wake BIGINT NOT NULL, seen_wake BIGINT NOT NULL, lease_owner VARCHAR(255),
        lease_expires BIGINT NOT NULL, fence BIGINT NOT NULL){end}",
    "CREATE TABLE IF NOT EXISTS jeroboam_secret (
        cluster VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL, sealed {longtext} NOT NULL,
        PRIMARY KEY (cluster, name)){end}",
    "CREATE TABLE IF NOT EXISTS jeroboam_credential (
        name VARCHAR(255) NOT NULL PRIMARY KEY, cluster VARCHAR(36) NOT NULL, project VARCHAR(255) NOT NULL,
        user_id VARCHAR(255) NOT NULL, credential VARCHAR(255), sealed {longtext}, noted BIGINT NOT NULL){end}",
    "CREATE TABLE IF NOT EXISTS jeroboam_project (
        project VARCHAR(255) NOT NULL PRIMARY KEY, creations BIGINT NOT NULL){end}",
];

pub(super) struct Indexes;

impl MigrationName for Indexes {
    fn name(&self) -> &'static str {
        "m003_indexes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Indexes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in INDEXES {
            let name = format!("jeroboam_{table}_{column}").replace("jeroboam_jeroboam", "jeroboam");
            if !manager.has_index(table, &name).await? {
                manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await?;
            }
        }
        Ok(())
    }
}

/// Magnum has none of these: its lists read the whole table. An index changes nothing that Magnum could see.
const INDEXES: [(&str, &str); 4] = [
    ("cluster", "project_id"),
    ("cluster", "status"),
    ("cluster", "cluster_template_id"),
    ("jeroboam_cluster", "next_run"),
];
