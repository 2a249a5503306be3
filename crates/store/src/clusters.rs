//! Reading clusters: one statement for one, two for a page of them.

use std::collections::HashMap;

use jeroboam_model::{Cluster, ClusterId, ClusterWithGroups, Labels, NodeGroup, Page, Scope, Work};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable, QueryResult};

use crate::entity::{cluster, nodegroup, work};
use crate::error::nothing_if_unstorable;
use crate::page::{Listing, after_id, named, own_rows};
use crate::rows::{read_row, read_rows, template_labels};
use crate::sql::{Sql, json_row};
use crate::{Ident, Store, StoreError};

/// The beginnings of statements, put together once.
pub(crate) struct Statements {
    /// A cluster, its template's labels and some of its node groups as a JSON list, or nothing in their place; as many rows as
    /// it takes for all of them.
    joined: String,
    /// A cluster and its template's labels.
    listed: String,
    /// A node group.
    group: String,
}

/// Where things stand in a row of `joined`; the first three also in one of `listed`.
pub(crate) const SERIAL: usize = 0;
pub(crate) const CLUSTER: usize = 1;
pub(crate) const TEMPLATE_LABELS: usize = 2;
const GROUPS: usize = 3;

impl Statements {
    pub(crate) fn new(backend: DbBackend) -> Self {
        let listed = listed(backend);
        let joined = joined(backend, &listed, &json_row::<nodegroup::Column>(backend, "g"), "");
        Self { joined, listed, group: json_row::<nodegroup::Column>(backend, "c") }
    }
}

/// What is selected of a cluster `c` and its template `t`.
pub(crate) fn listed(backend: DbBackend) -> String {
    let cluster = json_row::<cluster::Column>(backend, "c");
    // A template without labels is not the same as no template.
    let labels = "COALESCE(t.labels, CASE WHEN t.id IS NOT NULL THEN '{}' END)";
    // Short names: MariaDB would send each expression as the name of its column with every answer.
    format!("c.id, {cluster} AS a_cluster, {labels} AS labels")
}

/// The beginning of a statement for one cluster with its groups, which come last, and with more tables.
pub(crate) fn joined(backend: DbBackend, listed: &str, group: &str, more: &str) -> String {
    let (groups, join) = match backend {
        // A row costs a hop between threads, so there is but one.
        DbBackend::Sqlite => {
            let all = format!("SELECT json_group_array({group}) FROM nodegroup g WHERE g.cluster_id = c.uuid");
            (format!("({all})"), "")
        }
        // Putting rows together costs a table on disk, so there is one for each group.
        _ => {
            let list = format!("CASE WHEN g.id IS NOT NULL THEN CONCAT('[', {group}, ']') END");
            (list, "LEFT JOIN nodegroup g ON g.cluster_id = c.uuid ")
        }
    };
    format!(
        "SELECT {listed}, {groups} AS its_groups FROM cluster c \
         LEFT JOIN cluster_template t ON t.uuid = c.cluster_template_id {more} {join}WHERE "
    )
}

impl Store {
    /// The named cluster with its groups and its template's labels, in one statement.
    pub async fn cluster(&self, ident: &Ident, scope: &Scope) -> Result<Option<ClusterWithGroups>, StoreError> {
        one(&self.joined(&self.statements.joined, ident, scope).await?)
    }

    /// Completes a statement about clusters `c` by which of them is meant.
    pub(crate) async fn joined(
        &self,
        statement: &str,
        ident: &Ident,
        scope: &Scope,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let mut sql = Sql::new(self.backend(), statement);
        named(&mut sql, "c", ident);
        if *scope != Scope::All {
            sql.push(" AND ");
            own_rows(&mut sql, "c", scope);
        }
        // Where one row is all, and no name is ambiguous, the thread that reads need not look for another.
        let alone = self.backend() == DbBackend::Sqlite && !matches!(ident, Ident::Name(_));
        let rows = if alone {
            self.reader().query_one_raw(sql.build()).await.map(|row| row.into_iter().collect())
        } else {
            self.reader().query_all_raw(sql.build()).await
        };
        nothing_if_unstorable(rows.map_err(StoreError::from))
    }

    /// One page of clusters with their groups and their templates' labels, in two statements.
    pub async fn clusters(&self, scope: &Scope, page: &Page) -> Result<Vec<ClusterWithGroups>, StoreError> {
        let listed = self.listed(scope, page).await?;
        let mut groups = self.groups_of(&listed).await?;
        let together = listed.into_iter().map(|(cluster, template_labels)| ClusterWithGroups {
            groups: groups.remove(&cluster.id).unwrap_or_default(),
            cluster,
            template_labels,
        });
        Ok(together.collect())
    }

    async fn listed(&self, scope: &Scope, page: &Page) -> Result<Vec<Listed>, StoreError> {
        let joins = "LEFT JOIN cluster_template t ON t.uuid = c.cluster_template_id";
        let rows = self.page_of_clusters(&self.statements.listed, joins, scope, page).await?;
        rows.iter().map(cluster_and_labels).collect()
    }

    /// One page of rows of clusters `c`.
    pub(crate) async fn page_of_clusters(
        &self,
        select: &str,
        joins: &str,
        scope: &Scope,
        page: &Page,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let columns: Vec<_> = cluster::Column::iter().map(|column| column.as_str()).collect();
        let listing = Listing {
            table: "cluster",
            select,
            joins,
            columns: &columns,
            after: after_id(page),
            visible: &|sql, alias| own_rows(sql, alias, scope),
        };
        listing.page(&self.reader(), page).await
    }

    /// Node groups of one cluster; with a role, those of this role alone.
    pub async fn node_groups(
        &self,
        cluster: ClusterId,
        role: Option<&str>,
        page: &Page,
    ) -> Result<Vec<NodeGroup>, StoreError> {
        let columns: Vec<_> = nodegroup::Column::iter().map(|column| column.as_str()).collect();
        let listing = Listing {
            table: "nodegroup",
            select: &self.statements.group,
            joins: "",
            columns: &columns,
            after: after_id(page),
            visible: &|sql, alias| {
                sql.push(alias).push(".cluster_id = ").bind(cluster.to_string());
                if let (Some(role), "c") = (role, alias) {
                    sql.push(" AND c.role = ").bind(role);
                }
            },
        };
        let rows = nothing_if_unstorable(listing.page(&self.reader(), page).await)?;
        rows.iter().map(|row| read_row::<nodegroup::Model>(row, 0)?.try_into()).collect()
    }

    /// What is to be done to a cluster; `None` where we never did anything.
    pub async fn work(&self, cluster: ClusterId) -> Result<Option<Work>, StoreError> {
        let row = work::Entity::find_by_id(cluster.to_string()).one(&self.reader()).await?;
        row.map(Work::try_from).transpose()
    }

    /// The cluster as a transaction sees it.
    pub(crate) async fn view<C: ConnectionTrait>(
        &self,
        db: &C,
        cluster: ClusterId,
    ) -> Result<Option<ClusterWithGroups>, StoreError> {
        let mut sql = Sql::new(self.backend(), self.statements.joined.as_str());
        sql.push("c.uuid = ").bind(cluster.to_string());
        one(&db.query_all_raw(sql.build()).await?)
    }

    /// The groups of each of these clusters.
    async fn groups_of(&self, clusters: &[Listed]) -> Result<HashMap<ClusterId, Vec<NodeGroup>>, StoreError> {
        if clusters.is_empty() {
            return Ok(HashMap::new());
        }
        let group = &self.statements.group;
        let select = format!("SELECT {group}, c.cluster_id FROM nodegroup c WHERE c.cluster_id IN (");
        let mut sql = Sql::new(self.backend(), select);
        sql.bind_all(clusters.iter().map(|(cluster, _)| cluster.id.to_string())).push(")");
        let mut rows: HashMap<String, Vec<nodegroup::Model>> = HashMap::with_capacity(clusters.len());
        for row in self.reader().query_all_raw(sql.build()).await? {
            rows.entry(row.try_get_by_index(1)?).or_default().push(read_row(&row, 0)?);
        }
        let of = |(cluster, _): &Listed| {
            let rows = rows.remove(&cluster.id.to_string()).unwrap_or_default();
            Ok((cluster.id, oldest_first(rows, |row| row.id)?))
        };
        clusters.iter().map(of).collect()
    }
}

/// The one cluster that joined rows tell of.
fn one(rows: &[QueryResult]) -> Result<Option<ClusterWithGroups>, StoreError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let (cluster, template_labels) = cluster_and_labels(first)?;
    let mut groups: Vec<nodegroup::Model> = Vec::new();
    for row in rows {
        if i64::from(row.try_get_by_index::<i32>(SERIAL)?) != cluster.serial {
            return Err(StoreError::Ambiguous { what: "cluster" });
        }
        groups.append(&mut read_rows(row, GROUPS)?);
    }
    let groups = oldest_first(groups, |group| group.id)?;
    Ok(Some(ClusterWithGroups { cluster, groups, template_labels }))
}

/// A cluster and its template's labels.
type Listed = (Cluster, Option<Labels>);

/// Groups are put in order here: MariaDB sorts rows with long texts by way of a table on disk.
pub(crate) fn oldest_first<R, G: TryFrom<R>>(mut rows: Vec<R>, age: fn(&R) -> i32) -> Result<Vec<G>, G::Error> {
    rows.sort_unstable_by_key(age);
    rows.into_iter().map(G::try_from).collect()
}

fn cluster_and_labels(row: &QueryResult) -> Result<Listed, StoreError> {
    let cluster = Cluster::try_from(read_row::<cluster::Model>(row, CLUSTER)?)?;
    let labels: Option<String> = row.try_get_by_index(TEMPLATE_LABELS)?;
    let labels = labels.map(|text| template_labels(&cluster.template.to_string(), Some(&text))).transpose()?;
    Ok((cluster, labels))
}
