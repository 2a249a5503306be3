//! Clusters as they are shown: with no more of their groups than their view tells.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use jeroboam_model::{ClusterId, Page, Scope, ShownCluster, ShownGroup};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

use super::{Probe, alone, compare, of_each, once, remembered, sized, weight};
use crate::clusters::{CLUSTER, SERIAL, TEMPLATE_LABELS, joined, listed, oldest_first};
use crate::entity::{cluster, nodegroup};
use crate::page::own_rows;
use crate::rows::{read_rows, template_labels};
use crate::seen::Fresh;
use crate::sql::{Sql, json_array};
use crate::{Ident, Store, StoreError};

/// The beginnings of statements, put together once.
pub(super) struct Statements {
    /// The light one, up to its condition.
    probe: String,
    /// A cluster, its template's labels, its version and what is shown of its groups, up to the condition.
    joined: String,
    /// The same without groups: what is selected.
    listed: String,
    /// What is shown of a node group, and its cluster's version.
    group: String,
}

/// What the light statement selects.
const PROBE: &str = "c.uuid, v.version, c.updated_at, c.status";
const VERSION: &str = "LEFT JOIN jeroboam_cluster_version v ON v.id = c.id";
const TEMPLATE_AND_VERSION: &str = "LEFT JOIN cluster_template t ON t.uuid = c.cluster_template_id \
     LEFT JOIN jeroboam_cluster_version v ON v.id = c.id";

/// Where things stand behind what is listed of every cluster.
const VERSION_AT: usize = 3;
const GROUPS: usize = 4;

impl Statements {
    pub(super) fn new(backend: DbBackend) -> Self {
        let listed = format!("{}, v.version", listed(backend));
        let group = json_array(backend, "g", &nodegroup::SHOWN);
        Self {
            probe: format!("SELECT {PROBE} FROM cluster c {VERSION} WHERE "),
            joined: joined(backend, &listed, &group, VERSION),
            group: format!(
                "SELECT {group}, g.cluster_id, v.version FROM nodegroup g LEFT JOIN cluster c ON c.uuid = g.cluster_id {VERSION}"
            ),
            listed,
        }
    }
}

impl Store {
    /// The named cluster as it is shown.
    pub async fn shown_cluster(&self, ident: &Ident, scope: &Scope) -> Result<Option<Arc<ShownCluster>>, StoreError> {
        let memory = &self.memory.clusters;
        let worth_a_look = match ident {
            Ident::Id(id) => memory.has((*id).into()),
            Ident::Serial(_) | Ident::Name(_) => !memory.is_empty(),
        };
        if worth_a_look {
            let Some(probe) = self.probe_of_cluster(ident, scope).await? else { return Ok(None) };
            if let Some(one) = self.remembered_clusters(&[probe], scope).await?.pop().flatten() {
                return Ok(Some(one));
            }
        }
        let since = Instant::now();
        let rows = self.joined(&self.memory.of_clusters.joined, ident, scope).await?;
        let Some(fresh) = one(&rows)? else { return Ok(None) };
        Ok(self.remember_clusters(since, vec![fresh]).pop())
    }

    /// One page of clusters as they are shown.
    pub async fn shown_clusters(&self, scope: &Scope, page: &Page) -> Result<Vec<Arc<ShownCluster>>, StoreError> {
        if !self.memory.clusters.is_empty() {
            let probes = self.probes_of_clusters(scope, page).await?;
            let mut found = self.remembered_clusters(&probes, scope).await?;
            let missing = probes.iter().zip(&found).filter(|(_, found)| found.is_none());
            let missing: Vec<ClusterId> = missing.filter_map(|(probe, _)| probe.id).collect();
            if !missing.is_empty() && missing.len() < probes.len() {
                let since = Instant::now();
                let read = self.clusters_of(&missing, scope).await?;
                let read = self.remember_clusters(since, read);
                let mut read: HashMap<ClusterId, _> = read.into_iter().map(|one| (one.cluster.id, one)).collect();
                for (probe, found) in probes.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
                    *found = probe.id.and_then(|id| read.remove(&id));
                }
            }
            // Where one is gone by now, the page ends with another than it did.
            if let Some(all) = found.into_iter().collect() {
                return Ok(all);
            }
        }
        let since = Instant::now();
        let listed = &self.memory.of_clusters.listed;
        let rows = self.page_of_clusters(listed, TEMPLATE_AND_VERSION, scope, page).await?;
        let fresh = self.with_groups(&rows).await?;
        Ok(self.remember_clusters(since, fresh))
    }

    async fn probe_of_cluster(&self, ident: &Ident, scope: &Scope) -> Result<Option<Probe<ClusterId>>, StoreError> {
        let Ident::Id(id) = ident else {
            let rows = self.joined(&self.memory.of_clusters.probe, ident, scope).await?;
            return alone(probes(&rows)?, "cluster");
        };
        let (store, of) = (self.clone(), scope.clone());
        let ask = move |ids: Vec<ClusterId>| {
            let (store, scope) = (store.clone(), of.clone());
            async move {
                let select = store.memory.of_clusters.probe.as_str();
                let rows = match ids[..] {
                    [id] => store.joined(select, &Ident::Id(id.uuid()), &scope).await?,
                    _ => store.reader().query_all_raw(named_by(store.backend(), select, &ids, &scope)).await?,
                };
                Ok(of_each(&ids, probes(&rows)?))
            }
        };
        self.memory.asked_of_clusters.by_id.ask(scope.clone(), (*id).into(), ask).await
    }

    async fn probes_of_clusters(&self, scope: &Scope, page: &Page) -> Result<Arc<[Probe<ClusterId>]>, StoreError> {
        let store = self.clone();
        let read = move |scope: Scope, page: Page| {
            let store = store.clone();
            async move { probes(&store.page_of_clusters(PROBE, VERSION, &scope, &page).await?) }
        };
        self.memory.asked_of_clusters.page(scope, page, read).await
    }

    async fn remembered_clusters(
        &self,
        probes: &[Probe<ClusterId>],
        scope: &Scope,
    ) -> Result<Vec<Option<Arc<ShownCluster>>>, StoreError> {
        let found = remembered(&self.memory.clusters, probes, |one, probe| {
            one.cluster.updated_at == probe.updated_at && Some(one.cluster.status.as_str()) == probe.status.as_deref()
        });
        if cfg!(debug_assertions) {
            let ids: Vec<_> = probes.iter().filter_map(|probe| probe.id).collect();
            compare(probes, &found, &self.clusters_of(&ids, scope).await?, |one| one.cluster.id);
        }
        Ok(found)
    }

    fn remember_clusters(&self, since: Instant, fresh: Vec<Fresh<ShownCluster>>) -> Vec<Arc<ShownCluster>> {
        self.memory.clusters.keep(since, fresh.iter().map(|fresh| (fresh.value.cluster.id, fresh)));
        fresh.into_iter().map(|fresh| fresh.value).collect()
    }

    /// Those of these clusters that are there and may be seen, read in full.
    async fn clusters_of(&self, ids: &[ClusterId], scope: &Scope) -> Result<Vec<Fresh<ShownCluster>>, StoreError> {
        let select = &self.memory.of_clusters.listed;
        let select = format!("SELECT {select} FROM cluster c {TEMPLATE_AND_VERSION} WHERE ");
        let rows = self.reader().query_all_raw(named_by(self.backend(), &select, ids, scope)).await?;
        self.with_groups(&rows).await
    }

    /// Reads the groups of these rows of clusters, in a statement of its own.
    async fn with_groups(&self, rows: &[QueryResult]) -> Result<Vec<Fresh<ShownCluster>>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let clusters: Vec<_> = rows.iter().map(half).collect::<Result<_, _>>()?;
        let mut sql = Sql::new(self.backend(), self.memory.of_clusters.group.as_str());
        let ids = clusters.iter().map(|half| half.value.cluster.id.to_string());
        sql.push(" WHERE g.cluster_id IN (").bind_all(ids).push(")");
        let mut groups: HashMap<String, Groups> = HashMap::with_capacity(clusters.len());
        for row in self.reader().query_all_raw(sql.build()).await? {
            let its = groups.entry(row.try_get_by_index(1)?).or_default();
            its.rows.push(sized(&row, 0, &mut its.bytes)?);
            its.versions.push(row.try_get_by_index(2)?);
        }
        let whole = |half: Half| {
            let its = groups.remove(&half.value.cluster.id.to_string()).unwrap_or_default();
            // Two statements have seen the same where they saw the same version, and a cluster without groups shows only one.
            let same = !its.versions.is_empty() && its.versions.iter().all(|version| *version == half.version);
            let version = half.version.filter(|_| same);
            Ok(half.whole(version, its.bytes, oldest_first(its.rows, |row| row.id)?))
        };
        clusters.into_iter().map(whole).collect()
    }
}

/// A cluster without its groups.
struct Half {
    version: Option<i64>,
    bytes: usize,
    value: ShownCluster,
}

/// The groups of a cluster, and the version that it had when each was read.
#[derive(Default)]
struct Groups {
    rows: Vec<nodegroup::Shown>,
    versions: Vec<Option<i64>>,
    bytes: usize,
}

impl Half {
    fn whole(self, version: Option<i64>, bytes: usize, groups: Vec<ShownGroup>) -> Fresh<ShownCluster> {
        let bytes = weight::<ShownCluster>(self.bytes + bytes) + groups.len() * size_of::<ShownGroup>();
        Fresh { version, bytes, value: Arc::new(ShownCluster { groups, ..self.value }) }
    }
}

/// Completes a statement about clusters `c` by which of them are meant.
fn named_by(backend: DbBackend, select: &str, ids: &[ClusterId], scope: &Scope) -> Statement {
    let mut sql = Sql::new(backend, select);
    own_rows(&mut sql, "c", scope);
    sql.push(" AND c.uuid IN (").bind_all(once(ids)).push(")");
    sql.build()
}

fn probes(rows: &[QueryResult]) -> Result<Vec<Probe<ClusterId>>, StoreError> {
    let probe = |row: &QueryResult| Ok(Probe { status: row.try_get_by_index(3)?, ..Probe::read(row)? });
    rows.iter().map(probe).collect()
}

/// Of a row without groups, or with some of them.
fn half(row: &QueryResult) -> Result<Half, StoreError> {
    let mut bytes = 0;
    let cluster: jeroboam_model::Cluster = sized::<cluster::Model>(row, CLUSTER, &mut bytes)?.try_into()?;
    let labels: Option<String> = row.try_get_by_index(TEMPLATE_LABELS)?;
    bytes += labels.as_ref().map_or(0, String::len);
    let labels = labels.map(|text| template_labels(&cluster.template.to_string(), Some(&text))).transpose()?;
    let value = ShownCluster { cluster, groups: Vec::new(), template_labels: labels };
    Ok(Half { version: row.try_get_by_index(VERSION_AT)?, bytes, value })
}

/// The one cluster that joined rows tell of.
fn one(rows: &[QueryResult]) -> Result<Option<Fresh<ShownCluster>>, StoreError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let (half, mut groups, mut bytes) = (half(first)?, Vec::<nodegroup::Shown>::new(), 0);
    for row in rows {
        if i64::from(row.try_get_by_index::<i32>(SERIAL)?) != half.value.cluster.serial {
            return Err(StoreError::Ambiguous { what: "cluster" });
        }
        bytes += row.try_get_by_index::<Option<String>>(GROUPS)?.map_or(0, |text| text.len());
        groups.append(&mut read_rows(row, GROUPS)?);
    }
    let version = half.version;
    Ok(Some(half.whole(version, bytes, oldest_first(groups, |group| group.id)?)))
}
