//! Making and checking tables.

mod magnum;
mod ours;

use sea_orm::sea_query::IntoIden;
use sea_orm::{ConnectionTrait, DbBackend, DynIden, IdenStatic, Iterable};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};
use tracing::info;

use crate::entity::{cluster, cluster_template, federation, magnum_service, nodegroup, quotas, x509keypair};
use crate::store::Patient;
use crate::{SchemaReport, Store, StoreError, Upgraded};

pub(crate) use ours::{OUR_TABLES, indexes_on_magnums};

/// The revision of Magnum's tables that we make and that we need.
pub(crate) const MAGNUM_REVISION: &str = "b3e1cf4a2d5e";

/// Our steps, in order. A step that was released is never changed.
struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(magnum::Tables),
            Box::new(ours::Tables),
            Box::new(ours::Indexes),
            Box::new(ours::Adoption),
            Box::new(ours::Versions),
        ]
    }

    fn migration_table_name() -> DynIden {
        "jeroboam_migration".into_iden()
    }
}

impl Store {
    /// Makes the tables that are missing: all of them in a new database, and those that a newer version of ours has. A database
    /// that Magnum made is [adopted](Self::adopt) first. Can be run at any time, by several.
    pub async fn upgrade(&self) -> Result<Upgraded, StoreError> {
        let created_magnum = self.magnum_revision().await?.is_none();
        if !created_magnum {
            self.may_be_upgraded().await?;
        }
        let applied = self.apply_steps().await?;
        Ok(Upgraded { created_magnum, applied })
    }

    /// Why the database is not ours to serve, where it is Magnum's still or again.
    pub async fn not_ours(&self) -> Result<Option<String>, StoreError> {
        if self.is_magnums_alone().await? {
            return Ok(Some("this database is Magnum's: see `jeroboam db adopt --dry-run`".to_owned()));
        }
        if !self.has_table("jeroboam_adoption").await? {
            return Ok(None);
        }
        let since = self.handed_back().await?;
        Ok(since.map(|since| {
            format!("the database was handed back to Magnum at {since}: see `jeroboam db adopt --dry-run`")
        }))
    }

    async fn may_be_upgraded(&self) -> Result<(), StoreError> {
        if let Some(why) = self.not_ours().await? {
            return Err(StoreError::Schema(why));
        }
        let missing = self.missing().await?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(StoreError::Schema(format!(
            "Magnum's tables lack {}, which revision {MAGNUM_REVISION} has: see `jeroboam db adopt --dry-run`",
            missing.join(", ")
        )))
    }

    /// Applies the steps that were not applied yet and says which those were.
    pub(crate) async fn apply_steps(&self) -> Result<Vec<String>, StoreError> {
        let _turn = self.turn().await;
        let patient = self.patient()?;
        let applied = self.apply_steps_on(&patient).await;
        patient.close().await;
        applied
    }

    async fn apply_steps_on(&self, patient: &Patient) -> Result<Vec<String>, StoreError> {
        let mut tries = 0;
        loop {
            let pending = self.pending().await?;
            match Migrator::up(patient.db(), None).await {
                Ok(()) => return Ok(pending),
                // Another process may be at it: what it has made by now is not made again.
                Err(error) if tries < 5 => {
                    info!(error = %error, "another upgrade seems to be under way, trying again");
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    tries += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Runs statements that change tables, each for as long as it takes.
    pub(crate) async fn change_tables(&self, statements: &[String]) -> Result<(), StoreError> {
        let _turn = self.turn().await;
        let patient = self.patient()?;
        let mut changed = Ok(());
        for statement in statements {
            changed = patient.db().execute_unprepared(statement).await.map(drop);
            if changed.is_err() {
                break;
            }
        }
        patient.close().await;
        Ok(changed?)
    }

    /// How the tables are. Changes nothing.
    pub async fn check(&self) -> Result<SchemaReport, StoreError> {
        let noted = self.has_table("jeroboam_adoption").await?;
        Ok(SchemaReport {
            engine: self.engine(),
            magnum_revision: self.magnum_revision().await?,
            missing: self.missing().await?,
            pending: self.pending().await?,
            handed_back: if noted { self.handed_back().await? } else { None },
        })
    }

    /// The engine's name.
    pub(crate) fn engine(&self) -> &'static str {
        match self.backend() {
            DbBackend::MySql => "MariaDB",
            DbBackend::Postgres => "PostgreSQL",
            _ => "SQLite",
        }
    }

    pub(crate) async fn pending(&self) -> Result<Vec<String>, StoreError> {
        let pending = self.in_time(Migrator::get_pending_migrations_read_only(&self.db)).await?;
        Ok(pending.iter().map(|step| step.name().to_owned()).collect())
    }

    /// The revision that `alembic_version` names; `None` on a new database.
    pub(crate) async fn magnum_revision(&self) -> Result<Option<String>, StoreError> {
        self.in_time(magnum_revision(&SchemaManager::new(&self.db))).await
    }

    /// What Magnum's tables lack of what we use, as `table` or `table.column`.
    pub(crate) async fn missing(&self) -> Result<Vec<String>, StoreError> {
        let manager = SchemaManager::new(&self.db);
        let mut missing = Vec::new();
        for (table, columns) in magnum_tables() {
            // One statement finds out that a table is complete, which it nearly always is.
            let probe = format!("SELECT {} FROM {table} c WHERE 1 = 0", crate::sql::columns("c", &columns));
            if self.reader().execute_unprepared(&probe).await.is_ok() {
                continue;
            }
            if !self.in_time(manager.has_table(table)).await? {
                missing.push(table.to_owned());
                continue;
            }
            for column in columns {
                if !self.in_time(manager.has_column(table, column)).await? {
                    missing.push(format!("{table}.{column}"));
                }
            }
        }
        Ok(missing)
    }
}

async fn magnum_revision(manager: &SchemaManager<'_>) -> Result<Option<String>, StoreError> {
    if !manager.has_table("alembic_version").await? {
        return Ok(None);
    }
    let db = manager.get_connection();
    let sql = crate::sql::Sql::new(db.get_database_backend(), "SELECT version_num FROM alembic_version");
    let row = db.query_one_raw(sql.build()).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// The tables of Magnum that we use, with the columns that we use.
fn magnum_tables() -> [(&'static str, Vec<&'static str>); 7] {
    fn names<C: IdenStatic + Iterable>() -> Vec<&'static str> {
        C::iter().map(|column| column.as_str()).collect()
    }
    [
        ("cluster", names::<cluster::Column>()),
        ("cluster_template", names::<cluster_template::Column>()),
        ("nodegroup", names::<nodegroup::Column>()),
        ("x509keypair", names::<x509keypair::Column>()),
        ("quotas", names::<quotas::Column>()),
        ("magnum_service", names::<magnum_service::Column>()),
        ("federation", names::<federation::Column>()),
    ]
}

/// Fills in what each engine calls a type.
fn dialect(backend: DbBackend, ddl: &str) -> String {
    let [serial, datetime, boolean, long_text, quote, suffix] = match backend {
        DbBackend::MySql => [
            "INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY",
            "DATETIME",
            "TINYINT(1)",
            "MEDIUMTEXT",
            "`",
            " ENGINE=InnoDB DEFAULT CHARSET=utf8mb3",
        ],
        DbBackend::Postgres => ["SERIAL PRIMARY KEY", "TIMESTAMP", "BOOLEAN", "TEXT", "\"", ""],
        _ => ["INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "DATETIME", "BOOLEAN", "TEXT", "\"", ""],
    };
    ddl.replace("{id}", serial)
        .replace("{datetime}", datetime)
        .replace("{bool}", boolean)
        .replace("{longtext}", long_text)
        .replace("{q}", quote)
        .replace("{end}", suffix)
}
