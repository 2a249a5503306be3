//! Whether Magnum's columns can hold what Magnum's columns hold.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, ColumnType, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable};
use sea_orm_migration::SchemaManager;

use crate::entity::{cluster, cluster_template, federation, magnum_service, nodegroup, quotas, x509keypair};
use crate::sql::Sql;
use crate::{Store, StoreError};

/// What a column holds, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Text,
    Number,
    Flag,
    Time,
}

impl Holds {
    fn wanted(column: &ColumnType) -> Self {
        match column {
            ColumnType::Boolean => Self::Flag,
            ColumnType::DateTime => Self::Time,
            ColumnType::Integer | ColumnType::BigInteger => Self::Number,
            _ => Self::Text,
        }
    }

    /// From the name that the engine has for a type; `None` when it is something else altogether.
    fn found(engine: DbBackend, name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.split('(').next().unwrap_or_default().trim();
        Some(match name {
            // MariaDB has no boolean: it keeps one as a small number.
            "tinyint" if engine == DbBackend::MySql => Self::Flag,
            "boolean" | "bool" => Self::Flag,
            "varchar" | "char" | "text" | "mediumtext" | "longtext" | "character varying" | "character" => Self::Text,
            "int" | "integer" | "bigint" | "smallint" | "mediumint" => Self::Number,
            "datetime" | "timestamp" | "timestamp without time zone" => Self::Time,
            _ => return None,
        })
    }
}

/// A column as the engine describes it.
struct Found {
    kind: String,
    length: Option<i64>,
}

/// Magnum 23's lengths where it is not 255 characters; `TEXT` is at least this much on every engine.
const fn length_of(column: &str) -> i64 {
    match column.as_bytes() {
        b"uuid" => 36,
        b"status" | b"health_status" | b"version" => 20,
        _ => 255,
    }
}

impl Store {
    /// Columns that can't hold what Magnum keeps in them, each in words. `except` are those that are not there.
    pub(super) async fn wrong_columns(&self, except: &[String]) -> Result<Vec<String>, StoreError> {
        let mut wrong = Vec::new();
        self.compare::<cluster::Entity>("cluster", except, &mut wrong).await?;
        self.compare::<cluster_template::Entity>("cluster_template", except, &mut wrong).await?;
        self.compare::<nodegroup::Entity>("nodegroup", except, &mut wrong).await?;
        self.compare::<x509keypair::Entity>("x509keypair", except, &mut wrong).await?;
        self.compare::<quotas::Entity>("quotas", except, &mut wrong).await?;
        self.compare::<magnum_service::Entity>("magnum_service", except, &mut wrong).await?;
        self.compare::<federation::Entity>("federation", except, &mut wrong).await?;
        Ok(wrong)
    }

    async fn compare<E: EntityTrait>(
        &self,
        table: &str,
        except: &[String],
        wrong: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let found = self.columns_of(table).await?;
        for column in E::Column::iter() {
            let name = column.as_str();
            let there = found.get(name);
            let Some(there) = there.filter(|_| !except.contains(&format!("{table}.{name}"))) else { continue };
            let wanted = Holds::wanted(column.def().get_column_type());
            let holds = Holds::found(self.backend(), &there.kind);
            if holds != Some(wanted) {
                wrong.push(format!("column {table}.{name} is of type {}, where Magnum has another", there.kind));
            } else if wanted == Holds::Text && there.length.is_some_and(|length| length < length_of(name)) {
                let length = there.length.unwrap_or_default();
                wrong.push(format!(
                    "column {table}.{name} holds {length} characters, where Magnum's holds {}",
                    length_of(name)
                ));
            }
        }
        Ok(())
    }

    async fn columns_of(&self, table: &str) -> Result<BTreeMap<String, Found>, StoreError> {
        let select = match self.backend() {
            DbBackend::Sqlite => "SELECT name, type, NULL FROM pragma_table_info(",
            DbBackend::MySql => {
                "SELECT column_name, data_type, CAST(character_maximum_length AS SIGNED) FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = "
            }
            _ => {
                "SELECT column_name, data_type, CAST(character_maximum_length AS BIGINT) FROM information_schema.columns \
                 WHERE table_schema = CURRENT_SCHEMA() AND table_name = "
            }
        };
        let mut sql = Sql::new(self.backend(), select);
        sql.bind(table);
        if self.backend() == DbBackend::Sqlite {
            sql.push(")");
        }
        let rows = self.reader().query_all_raw(sql.build()).await?;
        rows.iter()
            .map(|row| {
                let name: String = row.try_get_by_index(0)?;
                let kind: String = row.try_get_by_index(1)?;
                let length: Option<i64> = row.try_get_by_index(2).unwrap_or_default();
                Ok((name, Found { kind, length }))
            })
            .collect()
    }

    pub(crate) async fn has_table(&self, table: &str) -> Result<bool, StoreError> {
        self.in_time(SchemaManager::new(&self.db).has_table(table)).await
    }

    pub(super) async fn has_index(&self, table: &str, name: &str) -> Result<bool, StoreError> {
        self.in_time(SchemaManager::new(&self.db).has_index(table, name)).await
    }
}
