//! Our own tables. Times are milliseconds since 1970 in UTC: whole numbers are the same on every engine.

use sea_orm::sea_query::Index;
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use super::dialect;
use crate::sql::Sql;
use crate::writes::fresh;

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
            let name = index_name(table, column);
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

pub(super) struct Adoption;

impl MigrationName for Adoption {
    fn name(&self) -> &'static str {
        "m004_adoption"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Adoption {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for ddl in ADOPTION {
            db.execute_unprepared(&dialect(db.get_database_backend(), ddl)).await?;
        }
        Ok(())
    }
}

/// Whether the database is ours to serve; which reports in `magnum_service` are ours; which processes there are.
const ADOPTION: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS jeroboam_adoption (
        id INTEGER NOT NULL PRIMARY KEY, state VARCHAR(20) NOT NULL, revision VARCHAR(32), added_columns {longtext},
        since BIGINT NOT NULL){end}",
    "CREATE TABLE IF NOT EXISTS jeroboam_heartbeat (
        host VARCHAR(255) NOT NULL, service VARCHAR(255) NOT NULL, seen BIGINT NOT NULL, inserted {bool} NOT NULL,
        PRIMARY KEY (host, service)){end}",
    "CREATE TABLE IF NOT EXISTS jeroboam_process (
        name VARCHAR(255) NOT NULL PRIMARY KEY, role VARCHAR(20) NOT NULL, seen BIGINT NOT NULL){end}",
];

pub(super) struct Versions;

impl MigrationName for Versions {
    fn name(&self) -> &'static str {
        "m005_versions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Versions {
    /// What is written while this runs, by us or by the release before, has a version by then or gets one with our next write; until
    /// then it is read in full.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for (versions, table) in VERSIONS {
            let ddl = format!(
                "CREATE TABLE IF NOT EXISTS {versions} (id INTEGER NOT NULL PRIMARY KEY, version BIGINT NOT NULL){{end}}"
            );
            db.execute_unprepared(&dialect(db.get_database_backend(), &ddl)).await?;
            let mut sql =
                Sql::new(db.get_database_backend(), format!("INSERT INTO {versions} (id, version) SELECT c.id, "));
            sql.bind(fresh())
                .push(&format!(" FROM {table} c LEFT JOIN {versions} v ON v.id = c.id WHERE v.id IS NULL"));
            db.execute_raw(sql.build()).await?;
        }
        Ok(())
    }
}

/// Which version a cluster or a template has, by the number of its row in Magnum's table: every write of ours gives a new one.
const VERSIONS: [(&str, &str); 2] =
    [("jeroboam_cluster_version", "cluster"), ("jeroboam_template_version", "cluster_template")];

/// Our tables, for whoever takes them away again. What is told last is what a taking away that was broken off still finds.
pub(crate) const OUR_TABLES: [&str; 10] = [
    "jeroboam_cluster_version",
    "jeroboam_template_version",
    "jeroboam_cluster",
    "jeroboam_secret",
    "jeroboam_credential",
    "jeroboam_project",
    "jeroboam_heartbeat",
    "jeroboam_process",
    "jeroboam_adoption",
    "jeroboam_migration",
];

/// Our indexes on Magnum's tables: name, table, column.
pub(crate) fn indexes_on_magnums() -> impl Iterator<Item = (String, &'static str, &'static str)> {
    let magnums = INDEXES.into_iter().filter(|(table, _)| !table.starts_with("jeroboam_"));
    magnums.map(|(table, column)| (index_name(table, column), table, column))
}

fn index_name(table: &str, column: &str) -> String {
    format!("jeroboam_{table}_{column}").replace("jeroboam_jeroboam", "jeroboam")
}
