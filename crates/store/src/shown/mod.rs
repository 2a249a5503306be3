//! Reading what clients are shown, which is what they ask for most.
//!
//! What was read is remembered. One statement, which reads little, says in the same request which rows are asked for, in which order,
//! and which version each of them has; what is remembered under that very version is shown again, and the rest is read in full.
//! Those who ask for the same, or for one of the same project, while such a statement runs are answered by the next one together.
//! Nothing that is decided by what it reads, and no transaction, reads here.

mod clusters;
mod templates;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;

use jeroboam_model::{ClusterId, ClusterTemplate, Page, Scope, ShownCluster, TemplateId, Timestamp};
use sea_orm::prelude::DateTime;
use sea_orm::{DbBackend, DbErr, QueryResult};
use serde::de::DeserializeOwned;

use crate::StoreError;
use crate::rows::instant;
use crate::seen::{Fresh, Seen};
use crate::together::Together;

/// How much is remembered of clusters and of templates, in bytes, as `weight` estimates them.
const ROOM_FOR_CLUSTERS: usize = 12 << 20;
const ROOM_FOR_TEMPLATES: usize = 4 << 20;

/// What is remembered, and the statements that read it.
pub(crate) struct Memory {
    clusters: Seen<ClusterId, ShownCluster>,
    templates: Seen<TemplateId, ClusterTemplate>,
    asked_of_clusters: Asked<ClusterId>,
    asked_of_templates: Asked<TemplateId>,
    of_clusters: clusters::Statements,
    of_templates: templates::Statements,
}

impl Memory {
    pub(crate) fn new(backend: DbBackend) -> Self {
        Self {
            clusters: Seen::new(ROOM_FOR_CLUSTERS),
            templates: Seen::new(ROOM_FOR_TEMPLATES),
            asked_of_clusters: Asked::new(),
            asked_of_templates: Asked::new(),
            of_clusters: clusters::Statements::new(backend),
            of_templates: templates::Statements::new(backend),
        }
    }
}

/// Who waits for the light statement: for one that is named by its id, or for a page.
struct Asked<K> {
    by_id: Together<Scope, K, Option<Probe<K>>>,
    pages: Together<(Scope, Page), (), Arc<[Probe<K>]>>,
}

impl<K: Clone + Send + Sync + 'static> Asked<K> {
    fn new() -> Self {
        Self { by_id: Together::new(), pages: Together::new() }
    }

    /// What the light statement says of a page. All who ask for the same one get what one `read` gives.
    async fn page<R>(
        &self,
        scope: &Scope,
        page: &Page,
        read: impl Fn(Scope, Page) -> R + Send + Sync + 'static,
    ) -> Result<Arc<[Probe<K>]>, StoreError>
    where
        R: Future<Output = Result<Vec<Probe<K>>, StoreError>> + Send + 'static,
    {
        let alike = (scope.clone(), page.clone());
        let (scope, page) = alike.clone();
        let ask = move |asked: Vec<()>| {
            let reading = read(scope.clone(), page.clone());
            async move { Ok(vec![Arc::from(reading.await?); asked.len()]) }
        };
        self.pages.ask(alike, (), ask).await
    }
}

/// What the light statement says of a row: its id, its version, and what also those change who know no versions.
#[derive(Clone)]
struct Probe<K> {
    /// `None`: it can't be read, and the full statement will say so.
    id: Option<K>,
    version: Option<i64>,
    updated_at: Option<Timestamp>,
    /// Of clusters alone.
    status: Option<String>,
}

impl<K: Copy + Eq + Hash + FromStr> Probe<K> {
    /// Of a row with id, version and time of the last change, in this order.
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let id: Option<String> = row.try_get_by_index(0)?;
        let updated_at: Option<DateTime> = row.try_get_by_index(2)?;
        Ok(Self {
            id: id.and_then(|id| id.parse().ok()),
            version: row.try_get_by_index(1)?,
            updated_at: updated_at.map(instant),
            status: None,
        })
    }

    fn key(&self) -> Option<(K, i64)> {
        Some((self.id?, self.version?))
    }
}

/// What was found of each of these, in this order.
fn of_each<K: Copy + Eq + Hash>(ids: &[K], probes: Vec<Probe<K>>) -> Vec<Option<Probe<K>>> {
    let found: HashMap<K, _> = probes.into_iter().filter_map(|probe| Some((probe.id?, probe))).collect();
    ids.iter().map(|id| found.get(id).cloned()).collect()
}

/// Ids for a statement, each of them once.
fn once<K: Copy + Eq + Hash + ToString>(ids: &[K]) -> impl ExactSizeIterator<Item = String> {
    let ids: HashSet<K> = ids.iter().copied().collect();
    ids.into_iter().map(|id| id.to_string())
}

/// What is remembered of each of these, as it still is.
fn remembered<K: Copy + Eq + Hash + FromStr, T>(
    seen: &Seen<K, T>,
    probes: &[Probe<K>],
    same: fn(&T, &Probe<K>) -> bool,
) -> Vec<Option<Arc<T>>> {
    let found = seen.get(probes.iter().map(Probe::key));
    found.into_iter().zip(probes).map(|(found, probe)| found.filter(|one| same(one, probe))).collect()
}

/// Reads a row that the database wrote as JSON, and adds up how long that is.
fn sized<T: DeserializeOwned>(row: &QueryResult, at: usize, bytes: &mut usize) -> Result<T, DbErr> {
    let text: String = row.try_get_by_index(at)?;
    *bytes += text.len();
    serde_json::from_str(&text).map_err(|error| DbErr::Json(error.to_string()))
}

/// About how much memory something takes whose texts are so long: texts have a header each, and maps have room to grow.
const fn weight<T>(texts: usize) -> usize {
    size_of::<T>() + 2 * texts + 1024
}

/// Tests look at each answer twice: what is shown from memory must be what the database has under that version.
fn compare<K: Copy + Eq + Hash + FromStr + std::fmt::Debug, T: PartialEq + std::fmt::Debug>(
    probes: &[Probe<K>],
    shown: &[Option<Arc<T>>],
    now: &[Fresh<T>],
    id: fn(&T) -> K,
) {
    for (probe, shown) in probes.iter().zip(shown) {
        let (Some((key, version)), Some(shown)) = (probe.key(), shown) else { continue };
        let Some(now) = now.iter().find(|fresh| id(&fresh.value) == key) else { continue };
        // Where it has another version by now, somebody was faster than the second look.
        assert!(
            now.version != Some(version) || now.value == *shown,
            "{key:?} was written without a new version: {shown:?} is shown, and it is {:?}",
            now.value
        );
    }
}

/// The one row that is meant.
fn alone<T>(mut rows: Vec<T>, what: &'static str) -> Result<Option<T>, StoreError> {
    if rows.len() > 1 {
        return Err(StoreError::Ambiguous { what });
    }
    Ok(rows.pop())
}
