//! Reading clusters: one statement for one, two for a page of them.

use std::collections::HashMap;

use jeroboam_model::{Cluster, ClusterId, ClusterWithGroups, Labels, NodeGroup, Page, Scope, Work};
use sea_orm::{ConnectionTrait, EntityTrait, IdenStatic, Iterable, QueryResult};

use crate::entity::{cluster, nodegroup, work};
use crate::error::nothing_if_unstorable;
use crate::page::{Listing, own_rows};
use crate::rows::{CLUSTER_COLUMNS, GROUP_COLUMNS, read_cluster, read_group, template_labels};
use crate::sql::{Sql, columns};
use crate::{Ident, Store, StoreError};

/// Where the template's labels stand in a joined row, and where the node group begins.
const TEMPLATE_LABELS: usize = CLUSTER_COLUMNS.len();
const GROUP: usize = TEMPLATE_LABELS + 1;

/// The beginnings of statements, put together once.
pub(crate) struct Statements {
    /// A cluster, its template's labels and its node groups; one row for each group, or one with nothing in the group's place.
    joined: String,
    /// A cluster and its template's labels.
    listed: String,
    /// A node group.
    group: String,
}

impl Statements {
    pub(crate) fn new() -> Self {
        let cluster = columns("c", CLUSTER_COLUMNS);
        let group = columns("g", GROUP_COLUMNS);
        // A template without labels is not the same as no template.
        let labels = "COALESCE(t.labels, CASE WHEN t.id IS NOT NULL THEN '{}' END)";
        let joined = format!(
            "SELECT {cluster}, {labels}, {group} FROM cluster c \
             LEFT JOIN cluster_template t ON t.uuid = c.cluster_template_id \
             LEFT JOIN nodegroup g ON g.cluster_id = c.uuid WHERE "
        );
        Self { joined, listed: format!("{cluster}, {labels}"), group }
    }
}

impl Store {
    /// The named cluster with its groups and its template's labels, in one statement.
    pub async fn cluster(&self, ident: &Ident, scope: &Scope) -> Result<Option<ClusterWithGroups>, StoreError> {
        let mut sql = Sql::new(self.backend(), self.statements.joined.as_str());
        match ident {
            Ident::Id(id) => sql.push("c.uuid = ").bind(id.to_string()),
            Ident::Serial(serial) => sql.push("c.id = ").bind(*serial),
            Ident::Name(name) => sql.push("c.name = ").bind(name.as_str()),
        };
        if *scope != Scope::All {
            sql.push(" AND ");
            own_rows(&mut sql, "c", scope);
        }
        sql.push(" ORDER BY g.id");
        let rows = self.reader().query_all_raw(sql.build()).await.map_err(StoreError::from);
        one(&nothing_if_unstorable(rows)?)
    }

    /// One page of clusters with their groups and their templates' labels, in two statements.
    pub async fn clusters(&self, scope: &Scope, page: &Page) -> Result<Vec<ClusterWithGroups>, StoreError> {
        let columns: Vec<_> = cluster::Column::iter().map(|column| column.as_str()).collect();
        let listing = Listing {
            table: "cluster",
            select: self.statements.listed.clone(),
            joins: "LEFT JOIN cluster_template t ON t.uuid = c.cluster_template_id",
            columns: &columns,
            visible: &|sql, alias| own_rows(sql, alias, scope),
        };
        let rows = listing.page(&self.reader(), page).await?;
        let mut clusters = rows.iter().map(cluster_and_labels).collect::<Result<Vec<_>, _>>()?;
        let mut groups = self.groups_of(&clusters).await?;
        Ok(clusters
            .drain(..)
            .map(|(cluster, template_labels)| ClusterWithGroups {
                groups: groups.remove(&cluster.id).unwrap_or_default(),
                cluster,
                template_labels,
            })
            .collect())
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
            select: crate::sql::columns("c", GROUP_COLUMNS),
            joins: "",
            columns: &columns,
            visible: &|sql, alias| {
                sql.push(alias).push(".cluster_id = ").bind(cluster.to_string());
                if let (Some(role), "c") = (role, alias) {
                    sql.push(" AND c.role = ").bind(role);
                }
            },
        };
        let rows = nothing_if_unstorable(listing.page(&self.reader(), page).await)?;
        rows.iter().map(|row| read_group(row, 0)?.try_into()).collect()
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
        sql.push("c.uuid = ").bind(cluster.to_string()).push(" ORDER BY g.id");
        one(&db.query_all_raw(sql.build()).await?)
    }

    async fn groups_of(
        &self,
        clusters: &[(Cluster, Option<Labels>)],
    ) -> Result<HashMap<ClusterId, Vec<NodeGroup>>, StoreError> {
        let mut groups: HashMap<ClusterId, Vec<NodeGroup>> = HashMap::with_capacity(clusters.len());
        let Some((last, _)) = clusters.last() else { return Ok(groups) };
        let select = format!("SELECT {} FROM nodegroup g WHERE g.cluster_id IN (", self.statements.group);
        let mut sql = Sql::new(self.backend(), select);
        // Filled up to a power of two, so that the engine keeps few prepared statements and not one for each length.
        for place in 0..clusters.len().next_power_of_two() {
            if place > 0 {
                sql.push(", ");
            }
            sql.bind(clusters.get(place).map_or(last, |(cluster, _)| cluster).id.to_string());
        }
        sql.push(") ORDER BY g.id");
        for row in self.reader().query_all_raw(sql.build()).await? {
            let group = NodeGroup::try_from(read_group(&row, 0)?)?;
            groups.entry(group.cluster).or_default().push(group);
        }
        Ok(groups)
    }
}

/// The one cluster that joined rows tell of.
fn one(rows: &[QueryResult]) -> Result<Option<ClusterWithGroups>, StoreError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let (cluster, template_labels) = cluster_and_labels(first)?;
    let mut groups = Vec::with_capacity(rows.len());
    for row in rows {
        if i64::from(row.try_get_by_index::<i32>(SERIAL)?) != cluster.serial {
            return Err(StoreError::Ambiguous { what: "cluster" });
        }
        if row.try_get_by_index::<Option<i32>>(GROUP)?.is_some() {
            groups.push(NodeGroup::try_from(read_group(row, GROUP)?)?);
        }
    }
    Ok(Some(ClusterWithGroups { cluster, groups, template_labels }))
}

/// Where the cluster's number stands.
const SERIAL: usize = 2;

fn cluster_and_labels(row: &QueryResult) -> Result<(Cluster, Option<Labels>), StoreError> {
    let cluster = Cluster::try_from(read_cluster(row, 0)?)?;
    let labels: Option<String> = row.try_get_by_index(TEMPLATE_LABELS)?;
    let labels = labels.map(|text| template_labels(&cluster.template.to_string(), Some(&text))).transpose()?;
    Ok((cluster, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_where_it_is_looked_for() {
        assert_eq!(CLUSTER_COLUMNS[SERIAL], "id");
        assert_eq!(GROUP_COLUMNS[0], "id");
    }
}
