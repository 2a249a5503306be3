//! What projects may have, and how much there is.

use jeroboam_model::{Page, ProjectId, Quota, Stats, Timestamp};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IdenStatic, Iterable,
    QueryFilter, QuerySelect, Select,
};

use crate::entity::quotas::{ActiveModel, Column, Entity, Model};
use crate::error::{is_duplicate, nothing_if_unstorable};
use crate::page::Listing;
use crate::rows::{database_time, instant};
use crate::sql::Sql;
use crate::store::Then;
use crate::{Store, StoreError};

impl Store {
    /// A project's own row for a resource, as the database compares them.
    pub async fn quota_row(&self, project: &ProjectId, resource: &str) -> Result<Option<Quota>, StoreError> {
        let row = of(project, resource).one(&self.reader()).await.map_err(StoreError::from);
        nothing_if_unstorable(row)?.map(Quota::try_from).transpose()
    }

    /// One page of rows, of one project or of all; `marker` is the number of the row that the page begins after.
    pub async fn quotas(
        &self,
        project: Option<&ProjectId>,
        marker: Option<i64>,
        page: &Page,
    ) -> Result<Vec<Quota>, StoreError> {
        let columns: Vec<_> = Column::iter().map(|column| column.as_str()).collect();
        let listing = Listing {
            table: "quotas",
            select: &crate::sql::columns("c", &columns),
            joins: "",
            columns: &columns,
            after: marker.map(|marker| ("id", marker.into())),
            // Magnum: a page may begin after a row of any project.
            visible: &|sql, alias| {
                match project.filter(|_| alias == "c") {
                    Some(project) => sql.push("c.project_id = ").bind(project.as_str()),
                    None => sql.push("1 = 1"),
                };
            },
        };
        let rows = listing.page(&self.reader(), page).await?;
        rows.iter().map(|row| Model::from_query_result(row, "")?.try_into()).collect()
    }

    /// Sets a limit for a project that has none of its own yet; else [`StoreError::Duplicate`].
    pub async fn create_quota(
        &self,
        project: &ProjectId,
        resource: &str,
        hard_limit: i32,
        now: Timestamp,
    ) -> Result<Quota, StoreError> {
        self.write("create quota", |tx| async move {
            let row = ActiveModel {
                created_at: Set(Some(database_time(now))),
                updated_at: Set(None),
                id: NotSet,
                project_id: Set(Some(project.to_string())),
                resource: Set(Some(resource.to_owned())),
                hard_limit: Set(hard_limit),
            };
            let row = row.insert(&*tx).await.map_err(|error| {
                if is_duplicate(&error) { StoreError::Duplicate { what: "quota" } } else { error.into() }
            })?;
            Ok(Then::Commit(row.try_into()?))
        })
        .await
    }

    /// Changes a project's limit; `None`: it has none of its own.
    pub async fn update_quota(
        &self,
        project: &ProjectId,
        resource: &str,
        hard_limit: i32,
    ) -> Result<Option<Quota>, StoreError> {
        self.write("update quota", |tx| async move {
            let Some(row) = of(project, resource).lock_exclusive().one(&*tx).await? else {
                return Ok(Then::Undo(None));
            };
            let row = Model { hard_limit, updated_at: Some(self.now()), ..row };
            let id = row.id;
            let change =
                ActiveModel { hard_limit: Set(hard_limit), updated_at: Set(row.updated_at), ..Default::default() };
            Entity::update_many().set(change).filter(Column::Id.eq(id)).exec(&*tx).await?;
            Ok(Then::Commit(Some(row.try_into()?)))
        })
        .await
    }

    /// Takes a project's own limit away; `false`: it had none.
    pub async fn delete_quota(&self, project: &ProjectId, resource: &str) -> Result<bool, StoreError> {
        self.write("delete quota", |tx| async move {
            let own = Entity::delete_many()
                .filter(Column::ProjectId.eq(project.as_str()))
                .filter(Column::Resource.eq(resource));
            let gone = own.exec(&*tx).await?.rows_affected > 0;
            Ok(if gone { Then::Commit(true) } else { Then::Undo(false) })
        })
        .await
    }

    /// How much there is, of one project or of all. Magnum: every row counts, whatever its status.
    pub async fn stats(&self, project: Option<&ProjectId>) -> Result<Stats, StoreError> {
        let whole = match self.backend() {
            DbBackend::MySql => "SIGNED",
            _ => "BIGINT",
        };
        let of_project = |sql: &mut Sql, alias: &str| {
            if let Some(project) = project {
                sql.push(&format!(" WHERE {alias}.project_id = ")).bind(project.as_str());
            }
        };
        let mut sql = Sql::new(self.backend(), "SELECT (SELECT COUNT(*) FROM cluster c");
        of_project(&mut sql, "c");
        sql.push(&format!("), (SELECT CAST(COALESCE(SUM(g.node_count), 0) AS {whole}) FROM nodegroup g"));
        of_project(&mut sql, "g");
        sql.push(")");
        let row = self.reader().query_one_raw(sql.build()).await.map_err(StoreError::from);
        let Some(row) = nothing_if_unstorable(row)? else { return Ok(Stats::default()) };
        let number = |at| Ok::<_, StoreError>(u64::try_from(row.try_get_by_index::<i64>(at)?).unwrap_or(0));
        Ok(Stats { clusters: number(0)?, nodes: number(1)? })
    }
}

fn of(project: &ProjectId, resource: &str) -> Select<Entity> {
    Entity::find().filter(Column::ProjectId.eq(project.as_str())).filter(Column::Resource.eq(resource))
}

impl TryFrom<Model> for Quota {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let id = row.id;
        let needed = |column: &'static str, value: Option<String>| {
            let bad = StoreError::BadRow { table: "quotas", column, id: id.to_string(), problem: "NULL".to_owned() };
            value.ok_or(bad)
        };
        Ok(Self {
            serial: i64::from(id),
            project: needed("project_id", row.project_id)?.into(),
            resource: needed("resource", row.resource)?,
            hard_limit: row.hard_limit,
            created_at: row.created_at.map(instant),
            updated_at: row.updated_at.map(instant),
        })
    }
}
