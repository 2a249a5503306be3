//! Writes Magnum's rows of clusters, node groups and templates: the one place that does.
//!
//! What is read of them is remembered ([`crate::seen`]) under the version that a table of our own has for each, and is shown again
//! for as long as that version stays. So each write gives a new one, in the same transaction. A test reads this crate's sources for
//! writes of these tables that go another way.

use jeroboam_model::{ClusterId, ClusterTemplate, NodeGroupId, TemplateId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Condition, IntoCondition};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QuerySelect,
};

use crate::entity::{cluster, cluster_template, nodegroup};
use crate::sql::Sql;
use crate::store::Store;

/// The tables that hold the versions, by the numbers of Magnum's rows: numbers have no collation, and are joined for little.
const OF_CLUSTERS: &str = "jeroboam_cluster_version";
const OF_TEMPLATES: &str = "jeroboam_template_version";

/// The rows of one cluster, within a transaction.
pub(crate) struct ClusterRows<'a> {
    tx: &'a DatabaseTransaction,
    id: ClusterId,
    /// Whether this transaction has given the cluster a new version already.
    anew: bool,
}

impl<'a> ClusterRows<'a> {
    pub(crate) const fn of(tx: &'a DatabaseTransaction, id: ClusterId) -> Self {
        Self { tx, id, anew: false }
    }

    /// Inserts the cluster itself, whose id the row has.
    pub(crate) async fn insert(&mut self, row: cluster::ActiveModel) -> Result<(), DbErr> {
        cluster::Entity::insert(row).exec_without_returning(self.tx).await?;
        self.renew().await
    }

    /// Writes the cluster itself. `false`: it is not there.
    pub(crate) async fn update(&mut self, row: cluster::ActiveModel) -> Result<bool, DbErr> {
        self.update_where(row, Condition::all()).await
    }

    /// Writes the cluster itself where `only` holds. `false`: it does not, or the cluster is not there.
    pub(crate) async fn update_where(
        &mut self,
        row: cluster::ActiveModel,
        only: impl IntoCondition + Send,
    ) -> Result<bool, DbErr> {
        let update = cluster::Entity::update_many().set(row);
        let update = update.filter(cluster::Column::Uuid.eq(self.id.to_string())).filter(only.into_condition());
        let written = update.exec(self.tx).await?.rows_affected == 1;
        if written {
            self.renew().await?;
        }
        Ok(written)
    }

    pub(crate) async fn insert_group(&mut self, row: nodegroup::ActiveModel) -> Result<(), DbErr> {
        row.insert(self.tx).await?;
        self.renew().await
    }

    pub(crate) async fn update_group(&mut self, id: NodeGroupId, row: nodegroup::ActiveModel) -> Result<(), DbErr> {
        let update = nodegroup::Entity::update_many().set(row).filter(self.group(id));
        update.exec(self.tx).await?;
        self.renew().await
    }

    pub(crate) async fn delete_group(&mut self, id: NodeGroupId) -> Result<(), DbErr> {
        nodegroup::Entity::delete_many().filter(self.group(id)).exec(self.tx).await?;
        self.renew().await
    }

    /// Takes away the cluster and its groups. `false`: the cluster was not there.
    pub(crate) async fn delete(self) -> Result<bool, DbErr> {
        let id = self.id.to_string();
        let serial = cluster::Entity::find().select_only().column(cluster::Column::Id);
        let serial = serial.filter(cluster::Column::Uuid.eq(id.as_str())).into_tuple::<i32>().one(self.tx).await?;
        // The cluster's row goes before its version, which is the order in which others write them.
        let gone = cluster::Entity::delete_many().filter(cluster::Column::Uuid.eq(id.as_str())).exec(self.tx).await?;
        nodegroup::Entity::delete_many().filter(nodegroup::Column::ClusterId.eq(id.as_str())).exec(self.tx).await?;
        if let Some(serial) = serial {
            forget(self.tx, OF_CLUSTERS, serial).await?;
        }
        Ok(gone.rows_affected == 1)
    }

    fn group(&self, id: NodeGroupId) -> Condition {
        use nodegroup::Column;
        Condition::all().add(Column::Uuid.eq(id.to_string())).add(Column::ClusterId.eq(self.id.to_string()))
    }

    async fn renew(&mut self) -> Result<(), DbErr> {
        if !self.anew {
            renew(self.tx, OF_CLUSTERS, "cluster", "uuid", self.id.to_string()).await?;
            self.anew = true;
        }
        Ok(())
    }
}

/// Inserts a template, whose id the row has.
pub(crate) async fn insert_template(
    tx: &DatabaseTransaction,
    row: cluster_template::ActiveModel,
) -> Result<cluster_template::Model, DbErr> {
    let row = row.insert(tx).await?;
    renew(tx, OF_TEMPLATES, "cluster_template", "id", row.id).await?;
    Ok(row)
}

/// Writes a template as `now` has it. A cluster's view tells the labels of its template, too.
pub(crate) async fn update_template(
    tx: &DatabaseTransaction,
    was: &ClusterTemplate,
    now: &ClusterTemplate,
    at: sea_orm::prelude::DateTime,
) -> Result<(), DbErr> {
    let id = was.id.to_string();
    let mut row = crate::columns::template(now);
    row.updated_at = Set(Some(at));
    let this = cluster_template::Column::Uuid.eq(id.as_str());
    cluster_template::Entity::update_many().set(row).filter(this).exec(tx).await?;
    renew(tx, OF_TEMPLATES, "cluster_template", "uuid", id.as_str()).await?;
    if was.labels != now.labels {
        renew(tx, OF_CLUSTERS, "cluster", "cluster_template_id", id.as_str()).await?;
    }
    Ok(())
}

/// Takes away a template that no cluster follows.
pub(crate) async fn delete_template(tx: &DatabaseTransaction, id: TemplateId, serial: i32) -> Result<(), DbErr> {
    cluster_template::Entity::delete_many().filter(cluster_template::Column::Uuid.eq(id.to_string())).exec(tx).await?;
    forget(tx, OF_TEMPLATES, serial).await
}

impl Store {
    /// Gives everything a new version: somebody else has written.
    pub(crate) async fn renew_all(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        for (versions, table) in [(OF_CLUSTERS, "cluster"), (OF_TEMPLATES, "cluster_template")] {
            tx.execute_unprepared(&format!("DELETE FROM {versions}")).await?;
            let mut sql = Sql::new(self.backend(), format!("INSERT INTO {versions} (id, version) SELECT c.id, "));
            sql.bind(fresh()).push(&format!(" FROM {table} c"));
            tx.execute_raw(sql.build()).await?;
        }
        Ok(())
    }
}

/// Gives the rows of `table` whose `column` says `which` one new version.
async fn renew(
    tx: &DatabaseTransaction,
    versions: &str,
    table: &str,
    column: &str,
    which: impl Into<sea_orm::Value>,
) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let mut sql = Sql::new(backend, format!("INSERT INTO {versions} (id, version) SELECT c.id, "));
    sql.bind(fresh()).push(&format!(" FROM {table} c WHERE c.{column} = ")).bind(which);
    sql.push(match backend {
        DbBackend::MySql => " ON DUPLICATE KEY UPDATE version = VALUES(version)",
        _ => " ON CONFLICT (id) DO UPDATE SET version = excluded.version",
    });
    tx.execute_raw(sql.build()).await?;
    Ok(())
}

async fn forget(tx: &DatabaseTransaction, versions: &str, serial: i32) -> Result<(), DbErr> {
    let mut sql = Sql::new(tx.get_database_backend(), format!("DELETE FROM {versions} WHERE id = "));
    sql.bind(serial);
    tx.execute_raw(sql.build()).await?;
    Ok(())
}

/// A version that nothing has had before: 63 bits that nobody chose.
pub(crate) fn fresh() -> i64 {
    let (first, second) = uuid::Uuid::new_v4().as_u64_pair();
    // The bits of a UUID that are always the same stand at different places in its halves.
    i64::try_from((first ^ second) >> 1).expect("63 bits")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            if path.is_dir() { sources(&path, all) } else { all.push(path) }
        }
    }

    #[test]
    fn nobody_else_writes_what_has_a_version() {
        let (mut all, mut looked) = (Vec::new(), 0);
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
        for path in all.iter().filter(|path| !path.ends_with("writes.rs")) {
            let text = fs::read_to_string(path).expect("a source");
            // In the file of templates, `Entity` is theirs.
            let plain = path.ends_with("templates.rs");
            for entity in ["cluster::", "nodegroup::", "cluster_template::"].into_iter().chain(plain.then_some(" ")) {
                for verb in ["insert", "insert_many", "update", "update_many", "delete", "delete_many", "delete_by_id"]
                {
                    let call = format!("{entity}Entity::{verb}(");
                    assert!(!text.contains(&call), "{} writes by {call}", path.display());
                }
            }
            // A row by itself can be inserted, too: in these files stand no others than those of key pairs.
            let rows = ["templates.rs", "create.rs", "accept.rs", "record.rs", "keeper.rs", "hand_back.rs"];
            if rows.iter().any(|name| path.ends_with(name)) {
                let calls = [".insert(", ".update(tx", ".save(", ".delete(tx"].iter();
                let own = calls.flat_map(|call| text.lines().filter(|line| line.contains(*call)));
                let own: Vec<_> =
                    own.filter(|line| !line.contains("new_key_pair") && !line.contains("rows.")).collect();
                assert!(own.is_empty(), "{} writes by {own:?}", path.display());
            }
            looked += 1;
        }
        assert!(looked > 30, "{looked} sources were found");
    }

    #[test]
    fn versions_differ() {
        let many: std::collections::HashSet<_> = (0..10_000).map(|_| super::fresh()).collect();
        assert_eq!(many.len(), 10_000);
        assert!(many.iter().all(|version| *version >= 0));
    }
}
