//! Templates as they are shown, which is all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use jeroboam_model::{ClusterTemplate, Page, Scope, TemplateId};
use sea_orm::{ConnectionTrait, DbBackend, IdenStatic, Iterable, QueryResult};

use super::{Probe, alone, compare, of_each, once, remembered, sized, weight};
use crate::entity::cluster_template;
use crate::error::nothing_if_unstorable;
use crate::page::{Listing, after_id, named};
use crate::seen::Fresh;
use crate::sql::{Sql, json_row};
use crate::templates::visible_sql;
use crate::{Ident, Store, StoreError};

/// What is selected of a template `c`.
pub(super) struct Statements {
    full: String,
}

/// What the light statement selects.
const PROBE: &str = "c.uuid, v.version, c.updated_at";
const VERSION: &str = "LEFT JOIN jeroboam_template_version v ON v.id = c.id";

impl Statements {
    pub(super) fn new(backend: DbBackend) -> Self {
        Self { full: format!("{} AS a_template, v.version", json_row::<cluster_template::Column>(backend, "c")) }
    }
}

impl Store {
    /// The named template as it is shown, if it may be seen: own ones, and public ones that are not hidden.
    pub async fn shown_template(
        &self,
        ident: &Ident,
        scope: &Scope,
    ) -> Result<Option<Arc<ClusterTemplate>>, StoreError> {
        let memory = &self.memory.templates;
        let worth_a_look = match ident {
            Ident::Id(id) => memory.has((*id).into()),
            Ident::Serial(_) | Ident::Name(_) => !memory.is_empty(),
        };
        if worth_a_look {
            let Some(probe) = self.probe_of_template(ident, scope).await? else { return Ok(None) };
            if let Some(one) = self.remembered_templates(&[probe], scope).await?.pop().flatten() {
                return Ok(Some(one));
            }
        }
        let since = Instant::now();
        let rows = self.named_template(&self.memory.of_templates.full, ident, scope).await?;
        let Some(fresh) = alone(read(&rows)?, "cluster template")? else { return Ok(None) };
        Ok(self.remember_templates(since, vec![fresh]).pop())
    }

    /// One page of the templates that may be seen.
    pub async fn templates(&self, scope: &Scope, page: &Page) -> Result<Vec<Arc<ClusterTemplate>>, StoreError> {
        if !self.memory.templates.is_empty() {
            let probes = self.probes_of_templates(scope, page).await?;
            let mut found = self.remembered_templates(&probes, scope).await?;
            let missing = probes.iter().zip(&found).filter(|(_, found)| found.is_none());
            let missing: Vec<TemplateId> = missing.filter_map(|(probe, _)| probe.id).collect();
            if !missing.is_empty() && missing.len() < probes.len() {
                let since = Instant::now();
                let read = self.templates_of(&missing, scope).await?;
                let read = self.remember_templates(since, read);
                let mut read: HashMap<TemplateId, _> = read.into_iter().map(|one| (one.id, one)).collect();
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
        let rows = self.page_of_templates(&self.memory.of_templates.full, scope, page).await?;
        Ok(self.remember_templates(since, read(&rows)?))
    }

    async fn probe_of_template(&self, ident: &Ident, scope: &Scope) -> Result<Option<Probe<TemplateId>>, StoreError> {
        let Ident::Id(id) = ident else {
            return alone(probes(&self.named_template(PROBE, ident, scope).await?)?, "cluster template");
        };
        let (store, of) = (self.clone(), scope.clone());
        let ask = move |ids: Vec<TemplateId>| {
            let (store, scope) = (store.clone(), of.clone());
            async move { Ok(of_each(&ids, probes(&store.visible_of(PROBE, &ids, &scope).await?)?)) }
        };
        self.memory.asked_of_templates.by_id.ask(scope.clone(), (*id).into(), ask).await
    }

    async fn probes_of_templates(&self, scope: &Scope, page: &Page) -> Result<Arc<[Probe<TemplateId>]>, StoreError> {
        let store = self.clone();
        let read = move |scope: Scope, page: Page| {
            let store = store.clone();
            async move { probes(&store.page_of_templates(PROBE, &scope, &page).await?) }
        };
        self.memory.asked_of_templates.page(scope, page, read).await
    }

    async fn named_template(&self, select: &str, ident: &Ident, scope: &Scope) -> Result<Vec<QueryResult>, StoreError> {
        let mut sql = Sql::new(self.backend(), format!("SELECT {select} FROM cluster_template c {VERSION} WHERE "));
        named(&mut sql, "c", ident);
        if *scope != Scope::All {
            sql.push(" AND ");
            visible_sql(&mut sql, "c", scope);
        }
        sql.push(" LIMIT 2");
        nothing_if_unstorable(self.reader().query_all_raw(sql.build()).await.map_err(StoreError::from))
    }

    async fn page_of_templates(
        &self,
        select: &str,
        scope: &Scope,
        page: &Page,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let columns: Vec<_> = cluster_template::Column::iter().map(|column| column.as_str()).collect();
        let listing = Listing {
            table: "cluster_template",
            select,
            joins: VERSION,
            columns: &columns,
            after: after_id(page),
            visible: &|sql, alias| visible_sql(sql, alias, scope),
        };
        listing.page(&self.reader(), page).await
    }

    async fn remembered_templates(
        &self,
        probes: &[Probe<TemplateId>],
        scope: &Scope,
    ) -> Result<Vec<Option<Arc<ClusterTemplate>>>, StoreError> {
        let found = remembered(&self.memory.templates, probes, |one, probe| one.updated_at == probe.updated_at);
        if cfg!(debug_assertions) {
            let ids: Vec<_> = probes.iter().filter_map(|probe| probe.id).collect();
            compare(probes, &found, &self.templates_of(&ids, scope).await?, |one| one.id);
        }
        Ok(found)
    }

    fn remember_templates(&self, since: Instant, fresh: Vec<Fresh<ClusterTemplate>>) -> Vec<Arc<ClusterTemplate>> {
        self.memory.templates.keep(since, fresh.iter().map(|fresh| (fresh.value.id, fresh)));
        fresh.into_iter().map(|fresh| fresh.value).collect()
    }

    /// Those of these templates that are there and may be seen, read in full.
    async fn templates_of(&self, ids: &[TemplateId], scope: &Scope) -> Result<Vec<Fresh<ClusterTemplate>>, StoreError> {
        read(&self.visible_of(&self.memory.of_templates.full, ids, scope).await?)
    }

    /// Of those of these templates that are there and may be seen.
    async fn visible_of(
        &self,
        select: &str,
        ids: &[TemplateId],
        scope: &Scope,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let mut sql = Sql::new(self.backend(), format!("SELECT {select} FROM cluster_template c {VERSION} WHERE "));
        visible_sql(&mut sql, "c", scope);
        sql.push(" AND c.uuid IN (").bind_all(once(ids)).push(")");
        Ok(self.reader().query_all_raw(sql.build()).await?)
    }
}

fn probes(rows: &[QueryResult]) -> Result<Vec<Probe<TemplateId>>, StoreError> {
    rows.iter().map(|row| Ok(Probe::read(row)?)).collect()
}

fn read(rows: &[QueryResult]) -> Result<Vec<Fresh<ClusterTemplate>>, StoreError> {
    let one = |row: &QueryResult| {
        let mut bytes = 0;
        let value: ClusterTemplate = sized::<cluster_template::Model>(row, 0, &mut bytes)?.try_into()?;
        let version = row.try_get_by_index(1)?;
        Ok(Fresh { version, bytes: weight::<ClusterTemplate>(bytes), value: Arc::new(value) })
    };
    rows.iter().map(one).collect()
}
