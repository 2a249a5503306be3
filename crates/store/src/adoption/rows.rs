//! Reads every row as the service will, and says what it can't make of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use jeroboam_model::{Cluster, ClusterTemplate, DriverFamily, NodeGroup};
use sea_orm::{ConnectionTrait, EntityTrait, IdenStatic, Iterable, QueryResult, QuerySelect};

use super::{Finding, Gravity};
use crate::entity::{cluster, cluster_template, federation, nodegroup, quotas, work, x509keypair};
use crate::rows::read_row;
use crate::sql::Sql;
use crate::{KeyPair, Store, StoreError};

/// Rows that are read at once.
const BATCH: usize = 500;

/// What is found, and how many clusters there are, by who made them.
type Odd = (Vec<Finding>, BTreeMap<String, u64>);

/// What the other tables say, for comparison.
#[derive(Default)]
struct Known {
    templates: HashMap<String, Template>,
    key_pairs: HashSet<String>,
    groups: HashMap<String, Groups>,
    /// Clusters that were made here.
    ours: HashSet<String>,
    clusters: HashSet<String>,
}

struct Template {
    driver: Option<String>,
    family: DriverFamily,
}

#[derive(Default)]
struct Groups {
    default_control_plane: bool,
    default_worker: bool,
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, gravity: Gravity, table: &'static str, id: &str, what: impl Into<String>) {
        self.0.push(Finding { gravity, table, id: id.to_owned(), what: what.into() });
    }

    /// The error of a row that can't be read; every other error is one of the database.
    fn unreadable(&mut self, error: StoreError) -> Result<(), StoreError> {
        let StoreError::BadRow { table, column, id, problem } = error else { return Err(error) };
        let what = format!("{column}: {problem}; requests for it and lists with it in them fail until this is mended");
        self.0.push(Finding { gravity: Gravity::Unreadable, table, id, what });
        Ok(())
    }
}

impl Store {
    /// Every row that is not served, not in full, or odd.
    pub(super) async fn odd_rows(&self) -> Result<Odd, StoreError> {
        let mut found = Findings(Vec::new());
        let mut known = self.known().await?;
        self.look_at_templates(&mut known, &mut found).await?;
        self.look_at_key_pairs(&mut known, &mut found).await?;
        self.look_at_groups(&mut known, &mut found).await?;
        let clusters = self.look_at_clusters(&known, &mut found).await?;
        self.look_at_quotas(&mut found).await?;
        self.look_at_federations(&mut found).await?;
        found.0.sort_by(|a, b| (a.gravity, a.table).cmp(&(b.gravity, b.table)));
        Ok((found.0, clusters))
    }

    async fn known(&self) -> Result<Known, StoreError> {
        let ids = cluster::Entity::find().select_only().column(cluster::Column::Uuid).into_tuple::<Option<String>>();
        let clusters = ids.all(&self.reader()).await?.into_iter().flatten().collect();
        let ours = match self.has_table("jeroboam_cluster").await? {
            true => {
                let ids = work::Entity::find().select_only().column(work::Column::Cluster).into_tuple::<String>();
                ids.all(&self.reader()).await?.into_iter().collect()
            }
            false => HashSet::new(),
        };
        Ok(Known { clusters, ours, ..Known::default() })
    }

    async fn look_at_templates(&self, known: &mut Known, found: &mut Findings) -> Result<(), StoreError> {
        for row in self.all_rows::<cluster_template::Column>("cluster_template").await? {
            let Some(row) = json_row_of::<cluster_template::Model>(&row, "cluster_template", found)? else { continue };
            let family = DriverFamily::of(row.driver.as_deref(), row.cluster_distro.as_deref(), row.coe.as_deref());
            let id = row.uuid.clone().unwrap_or_else(|| row.id.to_string());
            known.templates.insert(id.clone(), Template { driver: row.driver.clone(), family });
            match ClusterTemplate::try_from(row) {
                Err(error) => found.unreadable(error)?,
                Ok(template) if template.coe != "kubernetes" => {
                    let what = format!("coe is {:?}: it is shown, and no cluster can be made from it", template.coe);
                    found.add(Gravity::Limited, "cluster_template", &id, what);
                }
                Ok(_) if !family.is_cluster_api() => {
                    let what = "its driver is not one of ours: it is shown, and no cluster can be made from it";
                    found.add(Gravity::Limited, "cluster_template", &id, what);
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    async fn look_at_key_pairs(&self, known: &mut Known, found: &mut Findings) -> Result<(), StoreError> {
        for row in x509keypair::Entity::find().all(&self.reader()).await? {
            known.key_pairs.extend(row.uuid.clone());
            if let Err(error) = KeyPair::try_from(row) {
                found.unreadable(error)?;
            }
        }
        Ok(())
    }

    async fn look_at_groups(&self, known: &mut Known, found: &mut Findings) -> Result<(), StoreError> {
        for row in self.all_rows::<nodegroup::Column>("nodegroup").await? {
            let Some(row) = json_row_of::<nodegroup::Model>(&row, "nodegroup", found)? else { continue };
            let id = row.uuid.clone();
            if row.status.is_none() {
                found.add(Gravity::Odd, "nodegroup", &id, "status is NULL: it is shown as CREATE_IN_PROGRESS");
            }
            if row.node_count.is_none() {
                found.add(Gravity::Odd, "nodegroup", &id, "node_count is NULL: it is shown as 0");
            }
            if !known.clusters.contains(&row.cluster_id) {
                let what = format!("there is no cluster {}: nobody sees this group", row.cluster_id);
                found.add(Gravity::Odd, "nodegroup", &id, what);
            }
            match NodeGroup::try_from(row) {
                Ok(group) => {
                    let groups = known.groups.entry(group.cluster.to_string()).or_default();
                    groups.default_control_plane |= group.is_default && group.is_control_plane();
                    groups.default_worker |= group.is_default && !group.is_control_plane();
                }
                Err(error) => found.unreadable(error)?,
            }
        }
        Ok(())
    }

    async fn look_at_clusters(&self, known: &Known, found: &mut Findings) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut counts = BTreeMap::new();
        for row in self.all_rows::<cluster::Column>("cluster").await? {
            let Some(row) = json_row_of::<cluster::Model>(&row, "cluster", found)? else { continue };
            let cluster = match Cluster::try_from(row) {
                Ok(cluster) => cluster,
                Err(error) => {
                    *counts.entry("with a row that can't be read".to_owned()).or_default() += 1;
                    found.unreadable(error)?;
                    continue;
                }
            };
            let by = judge(&cluster, known, found);
            *counts.entry(by).or_default() += 1;
        }
        Ok(counts)
    }

    async fn look_at_quotas(&self, found: &mut Findings) -> Result<(), StoreError> {
        for row in quotas::Entity::find().all(&self.reader()).await? {
            let id = row.id.to_string();
            let project = row.project_id.clone().unwrap_or_default();
            if row.hard_limit < 0 {
                let what =
                    format!("hard_limit is {}: project {project} can make no cluster, as with Magnum", row.hard_limit);
                found.add(Gravity::Odd, "quotas", &id, what);
            }
            if row.project_id.is_none() || row.resource.as_deref() != Some("Cluster") {
                found.add(Gravity::Odd, "quotas", &id, "no quota of a project's clusters: it counts for nothing");
            }
        }
        Ok(())
    }

    async fn look_at_federations(&self, found: &mut Findings) -> Result<(), StoreError> {
        for row in federation::Entity::find().all(&self.reader()).await? {
            let id = row.uuid.unwrap_or_else(|| row.id.to_string());
            found.add(
                Gravity::Odd,
                "federation",
                &id,
                "no driver ever made a federation: it is shown and nothing more",
            );
        }
        Ok(())
    }

    /// All rows of a table, each as the JSON array that the service reads; columns that are not there read as NULL.
    async fn all_rows<C: IdenStatic + Iterable>(&self, table: &str) -> Result<Vec<QueryResult>, StoreError> {
        let missing = self.missing().await?;
        let names: Vec<_> = C::iter()
            .map(|column| match missing.contains(&format!("{table}.{}", column.as_str())) {
                true => "NULL".to_owned(),
                false => format!("c.{}", column.as_str()),
            })
            .collect();
        let names = names.join(", ");
        let array = match self.backend() {
            sea_orm::DbBackend::Postgres => format!("CAST(json_build_array({names}) AS text)"),
            sea_orm::DbBackend::MySql => format!("JSON_ARRAY({names})"),
            _ => format!("json_array({names})"),
        };
        let mut all = Vec::new();
        let mut after = -1_i32;
        loop {
            let mut sql = Sql::new(self.backend(), format!("SELECT c.id, {array} FROM {table} c WHERE c.id > "));
            sql.bind(after).push(&format!(" ORDER BY c.id LIMIT {BATCH}"));
            let rows = self.reader().query_all_raw(sql.build()).await?;
            let Some(last) = rows.last() else { return Ok(all) };
            after = last.try_get_by_index(0)?;
            let full = rows.len() == BATCH;
            all.extend(rows);
            if !full {
                return Ok(all);
            }
        }
    }
}

/// The row, or a finding in its place.
fn json_row_of<T: serde::de::DeserializeOwned>(
    row: &QueryResult,
    table: &'static str,
    found: &mut Findings,
) -> Result<Option<T>, StoreError> {
    match read_row(row, 1) {
        Ok(row) => Ok(Some(row)),
        Err(sea_orm::DbErr::Json(problem)) => {
            let id: i32 = row.try_get_by_index(0)?;
            let what = format!("{problem}; requests for it and lists with it in them fail until this is mended");
            found.add(Gravity::Unreadable, table, &id.to_string(), what);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What is worth knowing of a cluster that can be read; the answer is who made it.
fn judge(cluster: &Cluster, known: &Known, found: &mut Findings) -> String {
    let id = cluster.id.to_string();
    let template = known.templates.get(&cluster.template.to_string());
    if template.is_none() {
        let what = format!("its template {} is gone: it is shown, without what its labels add to it", cluster.template);
        found.add(Gravity::Limited, "cluster", &id, what);
    }
    match known.groups.get(&id) {
        None => found.add(Gravity::Limited, "cluster", &id, "it has no node groups: it is shown with no nodes"),
        Some(groups) => {
            for (there, what) in [(groups.default_control_plane, "control plane"), (groups.default_worker, "worker")] {
                if !there {
                    let what = format!("it has no default node group for its {what} nodes");
                    found.add(Gravity::Limited, "cluster", &id, what);
                }
            }
        }
    }
    for reference in cluster.certificates.iter() {
        let lost = reference.key_pair().is_some_and(|pair| !known.key_pairs.contains(&pair.to_string()));
        if lost {
            let what =
                format!("certificate {reference} is not in x509keypair: it is looked for in the local directory alone");
            found.add(Gravity::Odd, "cluster", &id, what);
        }
    }
    if known.ours.contains(&id) {
        return "made here, and worked on".to_owned();
    }
    let family = template.map_or(DriverFamily::Unknown, |template| template.family);
    let driver =
        template.and_then(|template| template.driver.clone()).unwrap_or_else(|| "a driver without a name".to_owned());
    let may = match family {
        DriverFamily::Topology | DriverFamily::Helm => "shown and its certificates signed, not changed and not deleted",
        DriverFamily::Heat | DriverFamily::Unknown => {
            "shown and its certificates signed, not changed; to delete it takes its record away and leaves its machines"
        }
    };
    if cluster.status.in_progress() {
        let what = format!("{} under {driver}: nobody will finish that here", cluster.status);
        found.add(Gravity::Limited, "cluster", &id, what);
    }
    format!("of {driver}: {may}")
}
